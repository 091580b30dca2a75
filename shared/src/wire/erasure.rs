//! Erasures: their receipts, and who still knows an erased user.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::DocumentSignature;
use crate::time::Timestamp;

/// The receipt of an erasure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EraseReceipt {
    /// Keyed pseudonym of the erased user, in hexadecimal.
    pub pseudonym: String,
    /// Keyed hash that blocks a later import, in hexadecimal; the only thing that is kept of the user.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub tombstone: String,
    /// When.
    pub at: Timestamp,
    /// How many interactions were deleted.
    pub interactions: u64,
    /// Model versions that were trained on data of this user and stand until they are rebuilt, the cross-encoder among them.
    pub models: Vec<String>,
    /// Runs in progress that have read the user's data. What they make knows the user and is listed as such.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub runs: Vec<String>,
    /// Every place where data of a user can be, and what became of it there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub places: Vec<ErasedPlace>,
    /// Signature of the installation over the rest; `mercer report verify` checks it too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<DocumentSignature>,
}

/// What became of a user's data in one place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ErasedPlace {
    /// The place, such as `log`, `document`, `names`, `caches`, `store files` or `versions`.
    pub place: String,
    /// What became of it.
    pub state: ErasedState,
    /// In words, with counts.
    pub detail: String,
    /// By when it is erased; absent where it is already, and where only a request leads to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// Whether data of a user is still in a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErasedState {
    /// Something was there and is gone.
    Erased,
    /// Nothing was there.
    Nothing,
    /// It is not reachable any more and goes later.
    Pending,
    /// Totals over groups of shoppers stay, marked as of before the erasure; nothing of the user alone is in them.
    Marked,
}

/// An erased user whom a version still knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErasedUser {
    /// Keyed hash of the user, in hexadecimal.
    pub tombstone: String,
    /// When the user was erased.
    pub at: Timestamp,
    /// Versions that were trained on the user's data.
    pub versions: Vec<String>,
    /// The cross-encoder, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cross_encoder: Option<String>,
    /// The run that had read the user's data when the user was erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
}

impl ErasedUser {
    /// Whether nothing knows the user any more.
    #[must_use]
    pub const fn is_forgotten(&self) -> bool {
        self.versions.is_empty() && self.cross_encoder.is_none() && self.run.is_none()
    }
}
