//! The contract between daemon, console and scripts: ids, times, wire types, the table of errors, the socket's path, and a typed client.
//! Without tensors, store, server and terminal.

#[cfg(feature = "client")]
pub mod client;
pub mod filter;
pub mod hex;
pub mod ids;
pub mod interaction;
pub mod problem;
#[cfg(feature = "signatures")]
pub mod signatures;
pub mod socket;
pub mod time;
pub mod wire;
