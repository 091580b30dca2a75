//! What both programs and every script agree on: ids, times, wire types, the error table, where the socket is, and a
//! typed client. No tensors, no store, no server and no terminal in here.

#[cfg(feature = "client")]
pub mod client;
pub mod filter;
pub mod ids;
pub mod interaction;
pub mod problem;
pub mod socket;
pub mod time;
pub mod wire;

/// The version of the wire: the first path segment of every resource.
pub const API: &str = "/v1";
