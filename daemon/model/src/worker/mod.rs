//! The model on its own thread, behind two bounded queues.
//!
//! Serving requests go before background work (embedding a catalogue), which runs in slices, so that a query waits for at most one slice.
//! Waiting requests are merged into one call of the encoder, which sorts texts by length. A full queue refuses at once with
//! [`crate::ModelError::Overloaded`] and the time after which a retry makes sense; nothing here grows with the load.
//!
//! A request runs on the encoder that serves when it is taken from the queue, or on one that the caller names (to embed a catalogue with a
//! candidate while another model serves). The answer names the version that made the vectors.

mod handle;
mod request;
mod state;
mod thread;

pub use handle::{ModelHandle, Pending, Worker};
pub use request::Embedded;
pub use state::{Priority, WorkerOptions, WorkerStats};
