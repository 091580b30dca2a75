//! The sending half of a kept connection.

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use hyper::client::conn::http1::SendRequest;

/// Sends requests over one connection.
pub(super) type Sender = SendRequest<BoxBody<Bytes, std::io::Error>>;
