//! The check of the audit log's hash chain.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a walk over the audit log found. Each entry has a keyed hash over its content and the hash before it, and the newest hash is kept a
/// second time, so that a change, a removal, another order and a cut-off end show without the key that only the daemon has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditVerification {
    /// Whether nothing is broken. Says nothing about entries before the chain.
    pub intact: bool,
    /// Entries in the log.
    pub entries: u64,
    /// Entries from before the chain, made by versions that hashed nothing: they cannot be checked.
    pub unchained: u64,
    /// The first entry of the chain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<u64>,
    /// The last entry of the chain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<u64>,
    /// Hash of the last entry, 64 hexadecimal digits. Kept elsewhere, it shows later that nothing up to it was replaced together with the
    /// second record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<String>,
    /// Entries whose shopper was erased: their target is gone, and the chain holds.
    pub erased: u64,
    /// The first entry that does not hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broken: Option<BrokenLink>,
}

/// The first entry of the audit log that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BrokenLink {
    /// Its number.
    pub seq: u64,
    /// What is wrong.
    pub fault: AuditFault,
    /// The same in words.
    pub text: String,
}

/// What can be wrong with an entry of the audit log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AuditFault {
    /// Its content or its hash is not what was written, or it cannot be read.
    Changed,
    /// It is not there.
    Removed,
    /// It stands in the place of another.
    Moved,
    /// It and all after it were cut off.
    CutOff,
    /// It was added by something else than the daemon.
    Added,
    /// The second record of the newest hash is missing or was changed.
    Head,
    /// The hash that was given for comparison is not in the chain.
    UnknownHead,
}
