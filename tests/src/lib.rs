//! The harness of the whole-system tests: the real `mercerd` on a real socket, the real `mercer`, and a client to ask with.
//!
//! Nothing here waits for a fixed time: what is awaited is asked for until it holds or [`PATIENCE`] is over.

mod daemon;
mod documents;
mod events;
pub mod programs;
pub mod raw;
pub mod readme;
pub mod shop;
pub mod terminal;
mod wait;

pub use daemon::{Daemon, Options, mercer};
pub use documents::{at, interaction, item, lines, purchase};
pub use events::Events;
pub use programs::program;
pub use wait::{PATIENCE, eventually, within};
