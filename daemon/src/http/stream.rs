//! Answers that come line by line: the export of the whole state and the live stream of events.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use mercer_shared::problem::Problem;
use mercer_shared::time::Timestamp;
use mercer_shared::wire::{Event, EventKind, ExportLine};
use serde::Serialize;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::{broadcast, mpsc};
use tokio_stream::wrappers::ReceiverStream;

use crate::http::Shared;
use crate::http::problem::Reply;
use crate::state::app::App;
use crate::state::problems::store_problem;

/// What a line-by-line answer calls itself.
pub(crate) const NDJSON: &str = "application/x-ndjson";
/// Bytes gathered before they are handed to the connection.
const CHUNK: usize = 64 * 1024;
/// Chunks that wait for a slow reader before the export waits as well.
const CHUNKS: usize = 8;
/// Quiet time after which the stream of events shows that it lives.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// One line of NDJSON.
#[must_use]
pub(crate) fn line(document: &impl Serialize) -> Bytes {
    // Wire types always have a JSON form.
    let mut bytes = serde_json::to_vec(document).unwrap_or_default();
    bytes.push(b'\n');
    bytes.into()
}

/// An answer of lines.
pub(crate) fn ndjson(body: Body) -> Response {
    ([(header::CONTENT_TYPE, NDJSON)], body).into_response()
}

/// Why an export ended early.
enum RunExit {
    /// The reader went away, or the daemon stops.
    Gone,
    /// The store failed.
    Store(mercer_store::StoreError),
}

impl From<mercer_store::StoreError> for RunExit {
    fn from(error: mercer_store::StoreError) -> Self {
        Self::Store(error)
    }
}

/// The whole state as NDJSON: items, users, interactions. An answer that breaks off is not complete.
#[utoipa::path(get, path = "/v1/export", tag = "transfer",
    responses((status = 200, body = ExportLine, content_type = "application/x-ndjson"), (status = "default", body = Problem)))]
pub(crate) async fn export(State(shared): State<Shared>) -> Reply<Response> {
    let (sender, receiver) = mpsc::channel::<io::Result<Bytes>>(CHUNKS);
    let app = shared.app;
    tokio::task::spawn_blocking(move || {
        let mut chunk = Vec::with_capacity(CHUNK + 4096);
        let outcome = app.store.export(|document: ExportLine| {
            // Wire types always have a JSON form; writing into memory cannot fail.
            let _ = serde_json::to_writer(&mut chunk, &document);
            chunk.push(b'\n');
            if chunk.len() < CHUNK {
                return Ok(());
            }
            if app.is_stopping() {
                return Err(RunExit::Gone);
            }
            let full = std::mem::replace(&mut chunk, Vec::with_capacity(CHUNK + 4096));
            sender.blocking_send(Ok(full.into())).map_err(|_| RunExit::Gone)
        });
        // A reader that went away needs no last words.
        let _ = match outcome {
            Ok(()) => sender.blocking_send(Ok(chunk.into())),
            Err(RunExit::Gone) => sender.blocking_send(Err(io::Error::other("the daemon stops"))),
            Err(RunExit::Store(error)) => {
                tracing::error!(%error, "an export broke off");
                sender.blocking_send(Err(io::Error::other(store_problem(&error).detail)))
            }
        };
    });
    Ok(ndjson(Body::from_stream(ReceiverStream::new(receiver))))
}

/// A reader of events.
struct Listener {
    app: Arc<App>,
    events: broadcast::Receiver<Event>,
    ending: bool,
}

impl Listener {
    /// An event that says something about the stream itself.
    fn about(&self, kind: EventKind) -> Event {
        Event { seq: self.app.event_seq(), at: Timestamp::now(), kind }
    }

    async fn next(&mut self) -> Option<Event> {
        if !self.ending {
            let stopped = Arc::clone(&self.app);
            tokio::select! {
                biased;
                event = self.events.recv() => return match event {
                    Ok(event) => Some(event),
                    Err(RecvError::Lagged(missed)) => Some(self.about(EventKind::Lagged { missed })),
                    Err(RecvError::Closed) => None,
                },
                () = stopped.stopped() => self.ending = true,
                () = tokio::time::sleep(HEARTBEAT) => return Some(self.about(EventKind::Heartbeat)),
            }
        }
        // What was told before the end is still delivered.
        match self.events.try_recv() {
            Ok(event) => Some(event),
            Err(TryRecvError::Lagged(missed)) => Some(self.about(EventKind::Lagged { missed })),
            Err(TryRecvError::Empty | TryRecvError::Closed) => None,
        }
    }
}

/// The live stream: a heartbeat at once and after every five quiet seconds, events as they happen.
#[utoipa::path(get, path = "/v1/events", tag = "daemon",
    responses((status = 200, body = Event, content_type = "application/x-ndjson"), (status = "default", body = Problem)))]
pub(crate) async fn events(State(shared): State<Shared>) -> Reply<Response> {
    let listener = Listener { events: shared.app.listen(), app: shared.app, ending: false };
    let first = listener.about(EventKind::Heartbeat);
    let lines = stream::unfold((listener, Some(first)), |(mut listener, first)| async move {
        let event = match first {
            Some(first) => first,
            None => listener.next().await?,
        };
        Some((Ok::<_, io::Error>(line(&event)), (listener, None)))
    });
    Ok(ndjson(Body::from_stream(lines)))
}
