//! The live stream of events as NDJSON.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use futures_util::stream;
use mercer_shared::problem::Problem;
use mercer_shared::time::Timestamp;
use mercer_shared::wire::{Event, EventKind};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::ndjson::{line, response};
use crate::http::problem::HttpResult;
use crate::http::state::HttpState;
use crate::state::app::App;

/// Quiet time after which a heartbeat is sent.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// Routes of the event stream.
pub(super) fn routes() -> OpenApiRouter<HttpState> {
    OpenApiRouter::default().routes(routes!(events))
}

/// One client of the stream.
struct EventReader {
    app: Arc<App>,
    events: broadcast::Receiver<Event>,
    stopping: bool,
}

impl EventReader {
    /// An event of the stream itself, such as a heartbeat.
    fn event(&self, kind: EventKind) -> Event {
        Event { seq: self.app.event_seq(), at: Timestamp::now(), kind }
    }

    async fn next(&mut self) -> Option<Event> {
        if !self.stopping {
            let stopped = Arc::clone(&self.app);
            tokio::select! {
                biased;
                event = self.events.recv() => return match event {
                    Ok(event) => Some(event),
                    Err(RecvError::Lagged(missed)) => Some(self.event(EventKind::Lagged { missed })),
                    Err(RecvError::Closed) => None,
                },
                () = stopped.stopped() => self.stopping = true,
                () = tokio::time::sleep(HEARTBEAT) => return Some(self.event(EventKind::Heartbeat)),
            }
        }
        // Events sent before the daemon stopped are still delivered.
        match self.events.try_recv() {
            Ok(event) => Some(event),
            Err(TryRecvError::Lagged(missed)) => Some(self.event(EventKind::Lagged { missed })),
            Err(TryRecvError::Empty | TryRecvError::Closed) => None,
        }
    }
}

/// The live stream: a heartbeat at once and after every five quiet seconds, events as they happen.
#[utoipa::path(get, path = "/v1/events", tag = "daemon",
    responses((status = 200, body = Event, content_type = "application/x-ndjson"), (status = "default", body = Problem)))]
async fn events(State(state): State<HttpState>) -> HttpResult<Response> {
    let reader = EventReader { events: state.app.listen(), app: state.app, stopping: false };
    let first = reader.event(EventKind::Heartbeat);
    let lines = stream::unfold((reader, Some(first)), |(mut reader, first)| async move {
        let event = match first {
            Some(first) => first,
            None => reader.next().await?,
        };
        Some((Ok::<_, io::Error>(line(&event)), (reader, None)))
    });
    Ok(response(Body::from_stream(lines)))
}
