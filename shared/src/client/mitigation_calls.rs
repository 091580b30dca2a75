//! Mitigations of placements, as methods of the client.

use hyper::Method;

use super::calls::{Answer, segment};
use super::{Body, Client};
use crate::wire::{Mitigation, MitigationPrice, MitigationSettings};

/// Every method fails with the daemon's problem document, or with `not-running`.
#[allow(clippy::missing_errors_doc, reason = "said once, above")]
impl Client {
    /// `GET /v1/mitigations`: every placement for which something was ever set.
    pub async fn mitigations(&self) -> Answer<Vec<Mitigation>> {
        self.get("/v1/mitigations").await
    }

    /// `GET /v1/mitigations/{placement}`.
    pub async fn mitigation(&self, placement: &str) -> Answer<Mitigation> {
        self.get(&format!("/v1/mitigations/{}", segment(placement))).await
    }

    /// `PUT /v1/mitigations/{placement}`.
    pub async fn set_mitigation(&self, placement: &str, settings: &MitigationSettings) -> Answer<Mitigation> {
        self.call(Method::PUT, &format!("/v1/mitigations/{}", segment(placement)), Body::json(settings)?).await
    }

    /// `DELETE /v1/mitigations/{placement}`: turns them off.
    pub async fn mitigation_off(&self, placement: &str) -> Answer<Mitigation> {
        self.call(Method::DELETE, &format!("/v1/mitigations/{}", segment(placement)), Body::Empty).await
    }

    /// `POST /v1/mitigations/{placement}/undo`.
    pub async fn undo_mitigation(&self, placement: &str) -> Answer<Mitigation> {
        self.call(Method::POST, &format!("/v1/mitigations/{}/undo", segment(placement)), Body::Empty).await
    }

    /// `POST /v1/mitigations/{placement}/what-if`: measures the price of settings and changes nothing.
    pub async fn mitigation_price(&self, placement: &str, settings: &MitigationSettings) -> Answer<MitigationPrice> {
        self.post(&format!("/v1/mitigations/{}/what-if", segment(placement)), settings).await
    }
}
