//! What the agent decided, and who changed what.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::time::Timestamp;

/// A decision of the agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Decision {
    /// Counts up from 1.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// What it saw, with numbers.
    pub saw: String,
    /// The rule that applied.
    pub rule: String,
    /// What it did.
    pub action: String,
    /// What came of it, once known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
}

/// One change, and who made it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AuditEntry {
    /// Counts up from 1.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// User id of the peer process; absent for the daemon itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// Process id of the peer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<i32>,
    /// What was done, such as `promote`, `import`, `erase`.
    pub action: String,
    /// To what.
    pub target: String,
    /// Numbers and words.
    pub detail: String,
}
