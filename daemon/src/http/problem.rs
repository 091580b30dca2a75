//! Problem documents, the limit of requests at work, and the count of what was answered.

use std::panic::AssertUnwindSafe;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use mercer_shared::problem::{Code, Problem};

use crate::http::{MAX_BODY, Shared};

/// A refusal on its way out.
#[derive(Debug)]
pub(crate) struct Refused(pub Problem);

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let retry = self.0.retry_after;
        let mut response = (status, Json(self.0)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = retry {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// What a handler returns.
pub(crate) type Reply<T> = Result<T, Refused>;

/// Runs a service on a blocking thread; a panic in it is an internal problem, not the end of the connection.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Refused> {
    match tokio::task::spawn_blocking(work).await {
        Ok(answer) => answer.map_err(Refused),
        Err(error) => {
            tracing::error!(%error, "a request panicked");
            Err(Refused(Problem::new(
                Code::Internal,
                "the request broke the daemon's own rules; its log has the place",
            )))
        }
    }
}

/// Refuses at once what is beyond the limit of requests at work, so that memory does not grow with the load.
pub(crate) async fn limit(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let Ok(_room) = shared.room.clone().try_acquire_owned() else {
        return Refused(Problem::new(Code::Overloaded, "as many requests are at work as are allowed").retry_after(1))
            .into_response();
    };
    next.run(request).await
}

/// Counts what was answered; refuses bodies that say they are too large before a byte of them is read.
pub(crate) async fn account(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let length = request.headers().get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<u64>().ok());
    let response = if length.is_some_and(|length| length > MAX_BODY as u64) && request.uri().path() != "/v1/imports" {
        let detail = format!("the body has {} bytes, at most {MAX_BODY} are taken", length.unwrap_or_default());
        Refused(Problem::new(Code::BodyTooLarge, detail)).into_response()
    } else {
        AssertUnwindSafe(next.run(request)).catch_unwind().await.unwrap_or_else(|_| {
            Refused(Problem::new(Code::Internal, "the request broke the daemon's own rules")).into_response()
        })
    };
    shared.app.counters.request(response.status().as_u16());
    response
}

/// The answer to a path that does not exist.
pub(crate) async fn no_such_path(uri: Uri) -> Refused {
    Refused(Problem::new(Code::NoSuchPath, format!("there is no `{}`", uri.path())))
}

/// The answer to a method that a path does not take.
pub(crate) async fn no_such_method(method: axum::http::Method, uri: Uri) -> Refused {
    Refused(Problem::new(Code::NoSuchMethod, format!("`{}` does not take {method}", uri.path())))
}
