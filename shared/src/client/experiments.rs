//! Calls of served exposure and experiments.

use hyper::Method;

use super::calls::{Answer, with_query};
use super::{Body, Client};
use crate::wire::{
    Counterfactual, CounterfactualQuery, ExposureQuery, Interleaving, InterleavingRequest, ServedExposureReport,
};

impl Client {
    /// `GET /v1/exposure`.
    pub async fn exposure(&self, query: &ExposureQuery) -> Answer<ServedExposureReport> {
        self.get(&with_query("/v1/exposure", query)?).await
    }

    /// `GET /v1/counterfactual`.
    pub async fn counterfactual(&self, query: &CounterfactualQuery) -> Answer<Counterfactual> {
        self.get(&with_query("/v1/counterfactual", query)?).await
    }

    /// `GET /v1/interleaving`.
    pub async fn interleaving(&self) -> Answer<Option<Interleaving>> {
        self.get("/v1/interleaving").await
    }

    /// `POST /v1/interleaving`.
    pub async fn start_interleaving(&self, request: &InterleavingRequest) -> Answer<Interleaving> {
        self.call(Method::POST, "/v1/interleaving", Body::json(request)?).await
    }

    /// `DELETE /v1/interleaving`.
    pub async fn end_interleaving(&self) -> Answer<Interleaving> {
        self.call(Method::DELETE, "/v1/interleaving", Body::Empty).await
    }
}
