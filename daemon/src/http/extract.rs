//! Reading what a request carries, with a problem document for everything that is wrong.

use axum::extract::rejection::{BytesRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use bytes::Bytes;
use mercer_shared::problem::{Code, Problem};
use serde::de::DeserializeOwned;
use utoipa::IntoParams;

use crate::http::MAX_BODY;
use crate::http::problem::Refused;

/// Query parameters.
#[derive(Debug)]
pub(crate) struct Params<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        let read: Result<Query<T>, QueryRejection> = Query::from_request_parts(parts, state).await;
        read.map(|Query(params)| Self(params)).map_err(|error| {
            let detail = error.body_text();
            let detail = detail.strip_prefix("Failed to deserialize query string: ").unwrap_or(&detail).to_owned();
            Refused(Problem::new(Code::BadParameter, detail))
        })
    }
}

/// The one id in the path, checked.
#[derive(Debug)]
pub(crate) struct Id(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        let read: Result<Path<String>, PathRejection> = Path::from_request_parts(parts, state).await;
        let Path(id) = read.map_err(|error| Refused(Problem::new(Code::BadId, error.body_text())))?;
        mercer_shared::ids::check_id(&id).map_err(|error| Refused(Problem::new(Code::BadId, error.to_string())))?;
        Ok(Self(id))
    }
}

/// A JSON document.
#[derive(Debug)]
pub(crate) struct Document<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Document<T> {
    type Rejection = Refused;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refused> {
        let bytes = body(request, state).await?;
        parse(&bytes).map(Self)
    }
}

/// Parses one document.
///
/// # Errors
/// `broken-json` with line and column, `wrong-type`, `bad-id`, `bad-time` and the like.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refused> {
    mercer_import::parse_line(bytes).map_err(|refusal| Refused(refusal.into()))
}

/// The whole body.
///
/// # Errors
/// `body-too-large`, or `broken-json` when the peer hung up.
pub(crate) async fn body<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Refused> {
    let read: Result<Bytes, BytesRejection> = Bytes::from_request(request, state).await;
    read.map_err(|error| {
        let problem = if error.status() == axum::http::StatusCode::PAYLOAD_TOO_LARGE {
            Problem::new(Code::BodyTooLarge, format!("at most {MAX_BODY} bytes are taken"))
        } else {
            Problem::new(Code::BrokenJson, error.body_text())
        };
        Refused(problem)
    })
}

/// A page of a collection.
#[derive(Debug, Default, serde::Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageParams {
    /// From the page before.
    pub cursor: Option<String>,
    /// Entries of a page, 1 to 1,000; 100 if absent.
    pub limit: Option<u32>,
    /// Prefix of the id, or part of the title.
    pub q: Option<String>,
}

impl PageParams {
    /// Entries of a page.
    ///
    /// # Errors
    /// `bad-parameter` out of range.
    pub(crate) fn limit(&self) -> Result<usize, Refused> {
        match self.limit.unwrap_or(100) {
            limit @ 1..=1_000 => Ok(limit as usize),
            limit => Err(Refused(Problem::new(Code::BadParameter, format!("limit is {limit}, it takes 1 to 1000")))),
        }
    }

    /// Where the page begins, for collections whose cursor is a number.
    ///
    /// # Errors
    /// `bad-cursor`.
    pub(crate) fn start(&self) -> Result<usize, Refused> {
        match &self.cursor {
            None => Ok(0),
            Some(cursor) => cursor
                .strip_prefix('c')
                .and_then(|number| number.parse().ok())
                .ok_or_else(|| Refused(Problem::new(Code::BadCursor, format!("`{cursor}` is no cursor")))),
        }
    }
}

/// The cursor of a place.
#[must_use]
pub(crate) fn cursor(place: usize) -> String {
    format!("c{place}")
}
