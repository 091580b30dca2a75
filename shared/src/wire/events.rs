//! The live stream of `/v1/events`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Alarm, Decision, ImportProgress, ImportReport, ModelVersion, Run};
use crate::time::Timestamp;

/// One line of the stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Event {
    /// Counts up by one per event of this daemon; a heartbeat repeats the last.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// What.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "event", content = "data", rename_all = "snake_case")]
pub enum EventKind {
    /// Nothing; the stream lives.
    Heartbeat,
    /// The reader was too slow; so many events were left out.
    Lagged {
        /// Events left out.
        missed: u64,
    },
    /// Interactions were kept.
    Interactions {
        /// How many at once.
        accepted: u64,
        /// In all now.
        total: u64,
    },
    /// Items were written.
    Items {
        /// How many at once.
        written: u64,
        /// In all now.
        total: u64,
    },
    /// A user was erased.
    Erased {
        /// Pseudonym.
        pseudonym: String,
    },
    /// An import moves.
    Import(ImportProgress),
    /// An import ended.
    Imported(Box<ImportReport>),
    /// A training run moves or ended.
    Run(Box<Run>),
    /// A model version appeared or changed its state.
    Model(Box<ModelVersion>),
    /// The agent decided.
    Decision(Box<Decision>),
    /// Something needs attention.
    Alarm(Alarm),
    /// The daemon stops.
    Stopping,
}
