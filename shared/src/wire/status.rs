//! The daemon at a glance.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{PrivacySpending, Run};
use crate::time::Timestamp;

/// What the daemon is and does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Status {
    /// Program version.
    pub version: String,
    /// Process id.
    pub pid: u32,
    /// When it started.
    pub started: Timestamp,
    /// Its clock now.
    pub now: Timestamp,
    /// How it is.
    pub health: Health,
    /// `cpu` or the GPU's name.
    pub device: String,
    /// State directory.
    pub state: String,
    /// Schema of the store.
    pub schema: u32,
    /// The model that answers.
    pub model: ServingModel,
    /// What is kept.
    pub counts: Counts,
    /// Requests since the start and lately.
    pub traffic: Traffic,
    /// What the background threads did since the start.
    #[serde(default)]
    pub upkeep: Upkeep,
    /// The model's queue.
    pub queue: QueueStatus,
    /// The run in progress, or the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<Run>,
    /// What private training has spent; absent where it is off and never ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub privacy: Option<PrivacySpending>,
    /// What needs attention.
    pub alarms: Vec<Alarm>,
    /// Resident memory in bytes.
    pub memory_bytes: u64,
    /// Store on disk in bytes.
    pub store_bytes: u64,
}

/// How the daemon is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// Everything answers.
    Ok,
    /// Serves, but something is being built or needs attention.
    Degraded,
    /// Serves, but takes no writes.
    ReadOnly,
    /// Reads the log after a start: takes writes, and refuses lists until the collaborative index is fitted.
    Starting,
}

/// The model that answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ServingModel {
    /// Its version.
    pub version: String,
    /// Since when it serves.
    pub since: Timestamp,
    /// Name of its encoder.
    pub encoder: String,
    /// Components of a vector.
    pub dim: u32,
}

/// What is kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Counts {
    /// Items.
    pub items: u64,
    /// Items whose vector is ready.
    pub embedded: u64,
    /// Users.
    pub users: u64,
    /// Interactions.
    pub interactions: u64,
    /// Interactions since the serving model's data.
    pub new_interactions: u64,
}

/// Requests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Traffic {
    /// Lists served since the start.
    pub lists: u64,
    /// Requests of any kind since the start.
    pub requests: u64,
    /// Of these, failed by the daemon's fault (5xx).
    pub failures: u64,
    /// Of these, refused because of load (429).
    pub overloaded: u64,
    /// Lists a second over the last minute.
    pub lists_per_second: f64,
    /// Interactions taken a second over the last minute.
    pub interactions_per_second: f64,
    /// Latency of lists lately.
    pub latency: Latency,
}

/// What the background threads did since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Upkeep {
    /// How often applied changes were made visible to readers.
    pub publications: u64,
    /// How often the collaborative index was fitted to the whole log.
    pub index_fits: u64,
    /// Interactions that came after the last fit.
    pub unfitted: u64,
}

/// Latency of the last thousand lists in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Latency {
    /// Half are faster.
    pub p50_ms: f64,
    /// 95 % are faster.
    pub p95_ms: f64,
    /// 99 % are faster.
    pub p99_ms: f64,
}

/// The model's queue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct QueueStatus {
    /// Texts waiting to be embedded for requests.
    pub serving: u64,
    /// Room for such texts.
    pub capacity: u64,
    /// Items waiting to be embedded.
    pub background: u64,
}

/// Something that needs attention.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Alarm {
    /// Since when.
    pub since: Timestamp,
    /// Stable word, such as `read-only`, `run-failed`, `low-disk`.
    pub kind: String,
    /// In words.
    pub text: String,
}
