//! What Mercer knows of a shopper, and from which events.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Consent, InteractionType};
use crate::ids::{ItemId, UserId};
use crate::time::Timestamp;

/// A shopper's profile: everything in it is derived from the shopper's own interactions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Profile {
    /// The shopper.
    pub user: UserId,
    /// As of when.
    pub at: Timestamp,
    /// The model version whose vectors were used for the nearest shoppers.
    pub model: String,
    /// Declared attributes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
    /// What the shopper agreed to.
    pub consent: Consent,
    /// Recency, frequency, monetary value.
    pub lifecycle: Lifecycle,
    /// Interests by category, strongest first; weights of one list sum to 1.
    pub categories: Vec<Interest>,
    /// Interests by brand.
    pub brands: Vec<Interest>,
    /// Interests by price band.
    pub price_bands: Vec<Interest>,
    /// Interest by item, strongest first: what the shopper came back to.
    pub items: Vec<Interest>,
    /// Latest events, newest first.
    pub recent_events: Vec<ProfileEvent>,
    /// Latest queries, newest first.
    pub recent_queries: Vec<ProfileQuery>,
    /// Shoppers with the most similar behaviour.
    pub nearest: Vec<Neighbour>,
    /// Events that shape nothing here, in lists or in models: they concern sensitive categories (health, religion and the like) or an
    /// interest that the shopper had removed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub withheld: u64,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
const fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// One interest with what it was derived from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Interest {
    /// Category, brand, price band or item title.
    pub name: String,
    /// Share of the recency-weighted events, 0 to 1.
    pub weight: f64,
    /// How many events it rests on.
    pub events: u64,
    /// The strongest of them.
    pub from: Vec<EventRef>,
}

/// Points at one of the shopper's events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EventRef {
    /// When.
    pub at: Timestamp,
    /// What.
    #[serde(rename = "type")]
    pub kind: InteractionType,
    /// To which item.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<ItemId>,
}

/// Recency, frequency and monetary value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Lifecycle {
    /// The stage in a word.
    pub stage: LifecycleStage,
    /// First event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<Timestamp>,
    /// Last event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Timestamp>,
    /// Days since the last purchase.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recency_days: Option<f64>,
    /// Purchases (baskets: moments or days) in all.
    pub baskets: u64,
    /// Baskets per 30 days since the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frequency: Option<f64>,
    /// Sum of quantity times today's price over purchases, less returns; absent where no price is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monetary: Option<f64>,
    /// Events of each type.
    pub counts: BTreeMap<String, u64>,
}

/// Lifecycle stages, from the gaps between the shopper's own baskets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LifecycleStage {
    /// No purchase yet.
    Prospect,
    /// One basket so far.
    New,
    /// Bought within twice the usual gap.
    Active,
    /// Longer than twice the usual gap ago.
    Lapsing,
    /// Longer than five times the usual gap ago.
    Lapsed,
}

/// One event of a profile.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ProfileEvent {
    /// When.
    pub at: Timestamp,
    /// What.
    #[serde(rename = "type")]
    pub kind: InteractionType,
    /// To which item.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<ItemId>,
    /// The item's title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// Quantity or rating.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
}

/// One query of a profile.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ProfileQuery {
    /// When last.
    pub at: Timestamp,
    /// What was asked.
    pub text: String,
}

/// A shopper with similar behaviour.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Neighbour {
    /// Who.
    pub user: UserId,
    /// Cosine of the time-decayed item counts, 0 to 1.
    pub similarity: f64,
}

/// The answer of `/v1/users/{id}/similar`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SimilarUsers {
    /// The shopper asked about.
    pub user: UserId,
    /// Nearest first.
    pub nearest: Vec<Neighbour>,
}
