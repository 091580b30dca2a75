//! Extractors of query parameters, ids and bodies. Each rejects with a problem document.

use std::time::Duration;

use axum::body::Body;
use axum::extract::rejection::{BytesRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use bytes::Bytes;
use futures_util::StreamExt;
use mercer_shared::problem::{Code, Problem};
use serde::de::DeserializeOwned;
use utoipa::IntoParams;

use crate::http::problem::{HttpResult, ProblemResponse};
use crate::http::state::MAX_BODY;

/// Bytes of a refused body that are read all the same.
const DISCARD: usize = 1 << 30;
/// Time for that; a Unix socket carries some gigabytes a second.
const DISCARD_TIME: Duration = Duration::from_secs(10);

/// Query parameters.
#[derive(Debug)]
pub(super) struct QueryParams<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for QueryParams<T> {
    type Rejection = ProblemResponse;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ProblemResponse> {
        let read: Result<Query<T>, QueryRejection> = Query::from_request_parts(parts, state).await;
        read.map(|Query(params)| Self(params)).map_err(|error| {
            let detail = error.body_text();
            let detail = detail.strip_prefix("Failed to deserialize query string: ").unwrap_or(&detail).to_owned();
            ProblemResponse(Problem::new(Code::BadParameter, detail))
        })
    }
}

/// The one id in the path, checked.
#[derive(Debug)]
pub(super) struct PathId(pub String);

impl<S: Send + Sync> FromRequestParts<S> for PathId {
    type Rejection = ProblemResponse;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ProblemResponse> {
        let read: Result<Path<String>, PathRejection> = Path::from_request_parts(parts, state).await;
        let Path(id) = read.map_err(|error| ProblemResponse(Problem::new(Code::BadId, error.body_text())))?;
        mercer_shared::ids::check_id(&id)
            .map_err(|error| ProblemResponse(Problem::new(Code::BadId, error.to_string())))?;
        Ok(Self(id))
    }
}

/// A JSON document.
#[derive(Debug)]
pub(super) struct JsonBody<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = ProblemResponse;

    async fn from_request(request: Request, state: &S) -> Result<Self, ProblemResponse> {
        let bytes = body(request, state).await?;
        parse(&bytes).map(Self)
    }
}

/// Parses one document.
///
/// # Errors
/// `broken-json` with line and column, `wrong-type`, `bad-id`, `bad-time` and the like.
pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ProblemResponse> {
    mercer_import::parse_line(bytes).map_err(|refusal| ProblemResponse(refusal.into()))
}

/// The whole body.
///
/// # Errors
/// `body-too-large`, or `broken-json` when the peer hung up.
pub(super) async fn body<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, ProblemResponse> {
    let read: Result<Bytes, BytesRejection> = Bytes::from_request(request, state).await;
    read.map_err(|error| {
        let problem = if error.status() == axum::http::StatusCode::PAYLOAD_TOO_LARGE {
            Problem::new(Code::BodyTooLarge, format!("at most {MAX_BODY} bytes are taken"))
        } else {
            Problem::new(Code::BrokenJson, error.body_text())
        };
        ProblemResponse(problem)
    })
}

/// A JSON document that may be absent; an empty body is the default.
///
/// # Errors
/// As [`body`] and [`parse`].
pub(super) async fn read_optional<T: DeserializeOwned + Default, S: Send + Sync>(
    request: Request,
    state: &S,
) -> Result<T, ProblemResponse> {
    let bytes = body(request, state).await?;
    if bytes.iter().all(u8::is_ascii_whitespace) { Ok(T::default()) } else { parse(&bytes) }
}

/// Reads a body and drops it, within limits: a client that is still sending when the connection closes gets a broken pipe instead of the
/// refusal.
pub(super) async fn discard(body: Body) {
    let mut chunks = body.into_data_stream();
    let all = async {
        let mut bytes = 0;
        while let Some(Ok(chunk)) = chunks.next().await {
            bytes += chunk.len();
            if bytes > DISCARD {
                break;
            }
        }
    };
    // Beyond the limits the client gets the broken pipe.
    let _ = tokio::time::timeout(DISCARD_TIME, all).await;
}

/// Entries of a page where the request names no number.
const PAGE: u32 = 100;
/// Most entries of a page.
const MAX_PAGE: u32 = 1_000;

/// A page of a collection.
#[derive(Debug, Default, serde::Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(super) struct PageParams {
    /// From the page before.
    pub cursor: Option<String>,
    /// Entries of a page, 1 to 1,000; 100 if absent.
    limit: Option<u32>,
}

impl PageParams {
    /// Entries of a page.
    ///
    /// # Errors
    /// `bad-parameter` out of range.
    pub(super) fn limit(&self) -> HttpResult<usize> {
        page_length(self.limit)
    }
}

/// A page of a collection that can be searched.
#[derive(Debug, Default, serde::Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(super) struct FilteredPageParams {
    /// From the page before.
    cursor: Option<String>,
    /// Entries of a page, 1 to 1,000; 100 if absent.
    limit: Option<u32>,
    /// Prefix of the id, or part of the title.
    pub q: Option<String>,
}

impl FilteredPageParams {
    /// Entries of a page.
    ///
    /// # Errors
    /// `bad-parameter` out of range.
    pub(super) fn limit(&self) -> HttpResult<usize> {
        page_length(self.limit)
    }

    /// Position of the first entry; the cursor of these collections is a number.
    ///
    /// # Errors
    /// `bad-cursor`.
    pub(super) fn start(&self) -> HttpResult<usize> {
        match &self.cursor {
            None => Ok(0),
            Some(cursor) => cursor
                .strip_prefix('c')
                .and_then(|number| number.parse().ok())
                .ok_or_else(|| Problem::new(Code::BadCursor, format!("`{cursor}` is no cursor")).into()),
        }
    }
}

fn page_length(limit: Option<u32>) -> HttpResult<usize> {
    match limit.unwrap_or(PAGE) {
        limit @ 1..=MAX_PAGE => Ok(limit as usize),
        limit => Err(Problem::new(Code::BadParameter, format!("limit is {limit}, it takes 1 to {MAX_PAGE}")).into()),
    }
}

/// The cursor of a position.
#[must_use]
pub(super) fn cursor(position: usize) -> String {
    format!("c{position}")
}
