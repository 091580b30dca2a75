//! HTTP/1.1 over the Unix socket. A handler reads the request, calls a service on a blocking thread and writes the answer or a problem
//! document. One file per resource: its `routes()` registers every handler with the method and path of its `#[utoipa::path]`, so the
//! router and the OpenAPI document come from the same line. The names of handlers are the `operationId`s of that document: a contract.

mod audit;
mod batch;
mod decisions;
mod document;
mod encoders;
mod evaluations;
mod events;
mod experiments;
mod explanations;
mod export;
mod extract;
mod imports;
mod interactions;
mod items;
mod latency;
mod lists;
mod membership;
pub mod metrics;
mod mitigations;
mod models;
mod ndjson;
pub mod openapi;
mod peer;
mod presets;
mod problem;
mod replays;
mod reports;
mod router;
mod routes;
mod runs;
#[cfg(test)]
mod shopper_tests;
mod shoppers;
mod state;
mod status;
mod strict_query;
mod sweeps;
mod user_data;
mod users;

pub use router::router;
