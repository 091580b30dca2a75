//! Streams answers as NDJSON.

use axum::body::Body;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::Serialize;

/// Content type of an NDJSON answer.
pub(super) const NDJSON: &str = "application/x-ndjson";

/// One line of NDJSON.
#[must_use]
pub(super) fn line(document: &impl Serialize) -> Bytes {
    // Wire types always have a JSON form.
    let mut bytes = serde_json::to_vec(document).unwrap_or_default();
    bytes.push(b'\n');
    bytes.into()
}

/// An answer of such lines.
pub(super) fn response(body: Body) -> Response {
    ([(header::CONTENT_TYPE, NDJSON)], body).into_response()
}
