//! The daemon's stream of events: what a test waits for instead of a time.

use mercer_shared::client::LineStream;
use mercer_shared::wire::{Event, EventKind};

use crate::daemon::Daemon;
use crate::wait::PATIENCE;

/// A reader of the stream; what happens after it was opened is told.
#[derive(Debug)]
pub struct Events<'a> {
    daemon: &'a Daemon,
    stream: LineStream<Event>,
}

impl<'a> Events<'a> {
    /// Opens the stream. Its first line, a heartbeat, says that it is open.
    ///
    /// # Panics
    /// If it does not open.
    #[must_use]
    pub fn listen(daemon: &'a Daemon) -> Self {
        let stream = daemon.ask(async |client| client.events().await).expect("a stream of events");
        let mut events = Self { daemon, stream };
        let first = events.next("the stream opens");
        assert!(matches!(first.kind, EventKind::Heartbeat), "{first:?}");
        events
    }

    fn next(&mut self, what: &str) -> Event {
        let stream = &mut self.stream;
        let next = self.daemon.ask(async |_| tokio::time::timeout(PATIENCE, stream.next()).await);
        let event = next.unwrap_or_else(|_| panic!("{what}: nothing is told any more: {}", self.daemon.log()));
        event.expect("the stream goes on").expect("an event")
    }

    /// Reads on until an event says what is looked for, and returns what was made of it.
    ///
    /// # Panics
    /// If it does not come in time, or the stream ends or leaves events out.
    pub fn find<T>(&mut self, what: &str, wanted: impl Fn(&Event) -> Option<T>) -> T {
        let begun = std::time::Instant::now();
        loop {
            let event = self.next(what);
            assert!(!matches!(event.kind, EventKind::Lagged { .. }), "{what}: {event:?}");
            if let Some(found) = wanted(&event) {
                return found;
            }
            assert!(begun.elapsed() < PATIENCE, "{what}: was not told in {PATIENCE:?}: {}", self.daemon.log());
        }
    }
}
