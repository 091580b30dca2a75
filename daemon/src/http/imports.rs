//! Imports: the file comes as the body and is spooled to disk first, so that memory does not grow with it; then progress and the
//! report go back line by line. A client that goes away lets its import finish.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use futures_util::StreamExt;
use mercer_import::ImportFailure;
use mercer_shared::problem::{Code, Problem};
use mercer_shared::wire::{ImportEvent, ImportQuery, PresetInfo};
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::http::Shared;
use crate::http::extract::Params;
use crate::http::peer::Operator;
use crate::http::problem::{Refused, Reply, blocking};
use crate::http::stream::{line, ndjson};
use crate::ingest::import;

/// Progress lines that wait for a slow reader; more are left out.
const PROGRESS: usize = 16;

/// Bytes of a refused upload that are taken in all the same: some gigabytes a second over a Unix socket.
const DISCARD: usize = 1 << 30;
/// Time for that.
const DISCARD_TIME: Duration = Duration::from_secs(10);

/// A spooled file; removed when nobody needs it any more.
struct Spooled(PathBuf);

impl Drop for Spooled {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.0)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(path = %self.0.display(), %error, "a spooled file stays behind");
        }
    }
}

/// Reads a file into the shop. The body is the file as it is; the answer is NDJSON.
#[utoipa::path(post, path = "/v1/imports", tag = "transfer", params(ImportQuery),
    request_body(content = String, content_type = "application/octet-stream", description = "the file"),
    responses((status = 200, body = ImportEvent, content_type = "application/x-ndjson"), (status = "default", body = Problem)))]
pub(crate) async fn import(
    State(shared): State<Shared>,
    operator: Result<Operator, Refused>,
    query: Result<Params<ImportQuery>, Refused>,
    request: Request,
) -> Reply<Response> {
    let plan = || {
        let (Operator(peer), Params(query)) = (operator?, query?);
        let job = import::plan(&shared.app, &query)?;
        import::ready(&shared.app, &job)?;
        Ok::<_, Refused>((peer, job))
    };
    let (peer, job) = match plan() {
        Ok(plan) => plan,
        Err(refused) => {
            discard(request.into_body()).await;
            return Err(refused);
        }
    };
    let spooled = spool(&shared.app.config.state, request.into_body()).await?;
    let (sender, receiver) = mpsc::channel(PROGRESS);
    tokio::task::spawn_blocking(move || {
        let told = sender.clone();
        let mut progress = |progress| {
            // Progress that nobody reads in time is not worth waiting for.
            let _ = told.try_send(Ok::<_, io::Error>(line(&ImportEvent::Progress(progress))));
        };
        let last = match import::run(&shared.app, &job, &spooled.0, Some(peer), &mut progress) {
            Ok(report) => ImportEvent::Report(Box::new(report)),
            Err(ImportFailure { problem, report }) => ImportEvent::Failed { problem, report },
        };
        // Whoever went away does not want it.
        let _ = sender.blocking_send(Ok(line(&last)));
    });
    Ok(ndjson(Body::from_stream(ReceiverStream::new(receiver))))
}

/// Takes in a body that nobody wants, as far as that is cheap: a client that is still sending when the connection closes sees a broken
/// pipe instead of the refusal.
async fn discard(body: Body) {
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
    // Too slow or too long: then the broken pipe it is.
    let _ = tokio::time::timeout(DISCARD_TIME, all).await;
}

/// Writes a body to the spool as it comes.
async fn spool(state: &Path, body: Body) -> Result<Spooled, Refused> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let dir = import::spool_dir(state);
    let broken = |error: &io::Error| {
        let full = matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
        let code = if full { Code::ReadOnly } else { Code::BadState };
        Refused(Problem::new(code, format!("{}: {error}", dir.display())))
    };
    tokio::fs::create_dir_all(&dir).await.map_err(|error| broken(&error))?;
    let name = format!("{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
    let spooled = Spooled(dir.join(name));
    let mut file = tokio::fs::File::create(&spooled.0).await.map_err(|error| broken(&error))?;
    let mut chunks = body.into_data_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk =
            chunk.map_err(|error| Refused(Problem::new(Code::BadFile, format!("the upload broke off: {error}"))))?;
        file.write_all(&chunk).await.map_err(|error| broken(&error))?;
    }
    file.flush().await.map_err(|error| broken(&error))?;
    Ok(spooled)
}

/// Presets, those that ship and those of the configured directory.
#[utoipa::path(get, path = "/v1/presets", tag = "transfer",
    responses((status = 200, body = Vec<PresetInfo>), (status = "default", body = Problem)))]
pub(crate) async fn presets(State(shared): State<Shared>) -> Reply<Json<Vec<PresetInfo>>> {
    blocking(move || import::presets(&shared.app)).await.map(Json)
}
