//! Imports. The body is the file; it is spooled to disk first, so that memory does not grow with it. Progress and the report are sent
//! back line by line. An import whose client disconnects still finishes.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use futures_util::StreamExt;
use mercer_import::ImportFailure;
use mercer_shared::problem::{Code, Problem};
use mercer_shared::wire::{ImportEvent, ImportQuery};
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::extract::{QueryParams, discard};
use crate::http::ndjson::{line, response};
use crate::http::peer::Operator;
use crate::http::problem::{HttpResult, ProblemResponse};
use crate::http::state::HttpState;
use crate::ingest::import as service;

/// Progress lines that wait for a slow reader; more are left out.
const PROGRESS: usize = 16;

/// Routes of imports.
pub(super) fn routes() -> OpenApiRouter<HttpState> {
    OpenApiRouter::default().routes(routes!(import))
}

/// A spooled file, removed when dropped.
struct SpooledFile(PathBuf);

impl Drop for SpooledFile {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.0)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(path = %self.0.display(), %error, "a spooled file could not be removed");
        }
    }
}

/// Reads a file into the shop. The body is the file as it is; the answer is NDJSON.
#[utoipa::path(post, path = "/v1/imports", tag = "transfer", params(ImportQuery),
    request_body(content = String, content_type = "application/octet-stream", description = "the file"),
    responses((status = 200, body = ImportEvent, content_type = "application/x-ndjson"), (status = "default", body = Problem)))]
async fn import(
    State(state): State<HttpState>,
    operator: Result<Operator, ProblemResponse>,
    query: Result<QueryParams<ImportQuery>, ProblemResponse>,
    request: Request,
) -> HttpResult<Response> {
    let plan = || {
        let (Operator(peer), QueryParams(query)) = (operator?, query?);
        let job = service::plan(&state.app, &query)?;
        service::ready(&state.app, &job)?;
        Ok::<_, ProblemResponse>((peer, job))
    };
    let (peer, job) = match plan() {
        Ok(plan) => plan,
        Err(refused) => {
            discard(request.into_body()).await;
            return Err(refused);
        }
    };
    let spooled = spool(&state.app.config.state, request.into_body()).await?;
    let (sender, receiver) = mpsc::channel(PROGRESS);
    tokio::task::spawn_blocking(move || {
        let told = sender.clone();
        let mut progress = |progress| {
            // A full channel drops the line: an import does not wait for a slow reader.
            let _ = told.try_send(Ok::<_, io::Error>(line(&ImportEvent::Progress(progress))));
        };
        let last = match service::run(&state.app, &job, &spooled.0, Some(peer), &mut progress) {
            Ok(report) => ImportEvent::Report(Box::new(report)),
            Err(ImportFailure { problem, report }) => ImportEvent::Failed { problem, report },
        };
        // It fails only if the client has disconnected.
        let _ = sender.blocking_send(Ok(line(&last)));
    });
    Ok(response(Body::from_stream(ReceiverStream::new(receiver))))
}

/// Writes a body to the spool as it comes.
async fn spool(state: &Path, body: Body) -> Result<SpooledFile, ProblemResponse> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let dir = service::spool_dir(state);
    let broken = |error: &io::Error| {
        let full = matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
        let code = if full { Code::ReadOnly } else { Code::BadState };
        ProblemResponse(Problem::new(code, format!("{}: {error}", dir.display())))
    };
    tokio::fs::create_dir_all(&dir).await.map_err(|error| broken(&error))?;
    let name = format!("{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
    let spooled = SpooledFile(dir.join(name));
    let mut file = tokio::fs::File::create(&spooled.0).await.map_err(|error| broken(&error))?;
    let mut chunks = body.into_data_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk
            .map_err(|error| ProblemResponse(Problem::new(Code::BadFile, format!("the upload broke off: {error}"))))?;
        file.write_all(&chunk).await.map_err(|error| broken(&error))?;
    }
    file.flush().await.map_err(|error| broken(&error))?;
    Ok(spooled)
}
