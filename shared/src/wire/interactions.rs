//! What shoppers did.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::ids::{InteractionId, ItemId, SessionId, UserId};
use crate::time::Timestamp;

pub use crate::interaction::InteractionType;

/// One interaction. Names a user or a session or both.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Interaction {
    /// Makes a retry idempotent; without it the content is its own identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<InteractionId>,
    /// The shopper.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<UserId>,
    /// The visit, for shoppers who are not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// What happened.
    #[serde(rename = "type")]
    pub kind: InteractionType,
    /// To which item; required for all but `search`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<ItemId>,
    /// What was searched for; required for `search`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// The served list this belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query_id: Option<String>,
    /// Quantity, rating or dwell time, finite and not negative.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// Text of a review.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Rank in the served list, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<u32>,
    /// When.
    pub at: Timestamp,
    /// Where it came from: a preset, `simulated`, a back end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}
