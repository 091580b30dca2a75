//! The export of the whole state as NDJSON.

use std::io;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use mercer_shared::problem::Problem;
use mercer_shared::wire::ExportLine;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::ndjson::response;
use crate::http::peer::Viewer;
use crate::http::problem::HttpResult;
use crate::http::shoppers::Sight;
use crate::http::state::HttpState;
use crate::state::problems::store_problem;

/// Bytes gathered before they are handed to the connection.
const CHUNK: usize = 64 * 1024;
/// Chunks that wait for a slow reader before the export waits as well.
const CHUNKS: usize = 8;

/// Routes of the export.
pub(super) fn routes() -> OpenApiRouter<HttpState> {
    OpenApiRouter::default().routes(routes!(export))
}

/// Why an export ended early.
enum ExportError {
    /// The reader went away, or the daemon stops.
    Gone,
    /// The store failed.
    Store(mercer_store::StoreError),
}

impl From<mercer_store::StoreError> for ExportError {
    fn from(error: mercer_store::StoreError) -> Self {
        Self::Store(error)
    }
}

/// Items, deleted items, users and interactions as NDJSON; audited. An answer that breaks off is not complete. Only the audit role gets
/// protected attributes, and a peer that may not see ids gets pseudonyms: only the export of root or the daemon's user is a backup.
#[utoipa::path(get, path = "/v1/export", tag = "transfer",
    responses((status = 200, body = ExportLine, content_type = "application/x-ndjson"), (status = "default", body = Problem)))]
async fn export(State(state): State<HttpState>, viewer: Viewer) -> HttpResult<Response> {
    let (sender, receiver) = mpsc::channel::<io::Result<Bytes>>(CHUNKS);
    let app = state.app;
    tokio::task::spawn_blocking(move || {
        let mut chunk = Vec::with_capacity(CHUNK + 4096);
        let sight = Sight::new(&app, viewer);
        app.audit(Some(viewer.peer), "export", "store", sight.words());
        let outcome = app.store.export(|document: ExportLine| {
            let document = sight.exported(document).map_err(|_| ExportError::Gone)?;
            // Wire types always have a JSON form; writing into memory cannot fail.
            let _ = serde_json::to_writer(&mut chunk, &document);
            chunk.push(b'\n');
            if chunk.len() < CHUNK {
                return Ok(());
            }
            if app.is_stopping() {
                return Err(ExportError::Gone);
            }
            let full = std::mem::replace(&mut chunk, Vec::with_capacity(CHUNK + 4096));
            sender.blocking_send(Ok(full.into())).map_err(|_| ExportError::Gone)
        });
        // A reader that went away needs no last words.
        let _ = match outcome {
            Ok(()) => sender.blocking_send(Ok(chunk.into())),
            Err(ExportError::Gone) => sender.blocking_send(Err(io::Error::other("the daemon stops"))),
            Err(ExportError::Store(error)) => {
                tracing::error!(%error, "an export broke off");
                sender.blocking_send(Err(io::Error::other(store_problem(&error).detail)))
            }
        };
    });
    Ok(response(Body::from_stream(ReceiverStream::new(receiver))))
}
