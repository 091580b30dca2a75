//! Problem documents, and the layers around handlers: limits, counts.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use mercer_shared::problem::{Code, Problem};

use crate::http::state::{HttpState, MAX_BODY};
use crate::state::app::{App, Peer};

/// A problem document as a response.
#[derive(Debug)]
pub(super) struct ProblemResponse(pub Problem);

impl From<Problem> for ProblemResponse {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl IntoResponse for ProblemResponse {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let retry = self.0.retry_after;
        let code = self.0.code;
        let mut response = (status, Json(self.0)).into_response();
        response.extensions_mut().insert(code);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = retry {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// What a handler returns.
pub(super) type HttpResult<T> = Result<T, ProblemResponse>;

/// Runs a service on a blocking thread; a panic in it is an internal problem, not the end of the connection.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, ProblemResponse> {
    match tokio::task::spawn_blocking(work).await {
        Ok(answer) => answer.map_err(ProblemResponse),
        Err(error) => {
            tracing::error!(%error, "a request panicked");
            Err(ProblemResponse(Problem::new(Code::Internal, "the daemon failed while answering; its log says where")))
        }
    }
}

/// Refuses a request at once if as many of its group are in progress as are allowed, so that memory does not grow with the load.
pub(super) async fn limit_concurrency(State(state): State<HttpState>, request: Request, next: Next) -> Response {
    let Ok(_permit) = state.permits.clone().try_acquire_owned() else {
        let problem = Problem::new(Code::Overloaded, "as many requests are in progress as are allowed");
        return ProblemResponse(problem.retry_after(1)).into_response();
    };
    next.run(request).await
}

/// Refuses a body by its announced length, before a byte of it is read.
pub(super) async fn limit_body(request: Request, next: Next) -> Response {
    let length = request.headers().get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<u64>().ok());
    match length {
        Some(length) if length > MAX_BODY as u64 => {
            let detail = format!("the body has {length} bytes, at most {MAX_BODY} are taken");
            ProblemResponse(Problem::new(Code::BodyTooLarge, detail)).into_response()
        }
        _ => next.run(request).await,
    }
}

/// Counts responses by status and latency; answers a panic of a handler with an internal problem.
pub(super) async fn count_responses(
    State(state): State<HttpState>,
    route: Option<MatchedPath>,
    request: Request,
    next: Next,
) -> Response {
    let (method, started) = (request.method().clone(), Instant::now());
    let target = changes(&method, request.uri().path()).then(|| target(&method, route.as_ref()));
    let peer = request.extensions().get::<ConnectInfo<Peer>>().map(|ConnectInfo(peer)| *peer);
    let response = AssertUnwindSafe(next.run(request)).catch_unwind().await.unwrap_or_else(|_| {
        ProblemResponse(Problem::new(Code::Internal, "the daemon failed while answering; its log says where"))
            .into_response()
    });
    state.app.counters.request(response.status().as_u16(), response.extensions().get::<Code>().copied());
    state.latency.observe(&method, route.as_ref(), started.elapsed());
    if let (Some(target), Some(peer), Some(code)) = (target, peer, response.extensions().get::<Code>()) {
        note_refusal(&state.app, peer, target, *code).await;
    }
    response
}

/// Whether a request asks for a change. A list for a visit is a question with a body.
fn changes(method: &Method, path: &str) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) && path != "/v1/sessions/recommend"
}

/// What a refused request aimed at: the route without the ids in it.
fn target(method: &Method, route: Option<&MatchedPath>) -> String {
    format!("{method} {}", route.map_or("elsewhere", MatchedPath::as_str))
}

/// Counts a refused change for the audit log. A daemon that is too busy or takes no writes refused nothing of this peer's doing.
async fn note_refusal(app: &Arc<App>, peer: Peer, target: String, code: Code) {
    if matches!(code, Code::Overloaded | Code::ReadOnly | Code::Unavailable) {
        return;
    }
    let app = Arc::clone(app);
    // Writing the minute before waits for the disk.
    let noted = tokio::task::spawn_blocking(move || app.audit_frequent(peer, "refused", &target, code.as_str()));
    if let Err(error) = noted.await {
        tracing::error!(%error, "a refused change was not counted");
    }
}

/// The answer to a path that does not exist.
pub(super) async fn no_such_path(uri: Uri) -> ProblemResponse {
    ProblemResponse(Problem::new(Code::NoSuchPath, format!("there is no `{}`", uri.path())))
}

/// The answer to a method that a path does not take.
pub(super) async fn no_such_method(method: Method, uri: Uri) -> ProblemResponse {
    ProblemResponse(Problem::new(Code::NoSuchMethod, format!("`{}` does not take {method}", uri.path())))
}
