//! Shoppers: declared attributes. Nothing here is ever inferred.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::consent::{ConsentChange, ConsentChoice};
use super::interests::ForgottenInterest;
use super::items::scalars;
use crate::ids::UserId;

/// A shopper.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// What the shop calls the shopper.
    pub id: UserId,
    /// What the shopper declared: `gender`, `age_band`, `region` and the like.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "scalars")]
    pub attributes: BTreeMap<String, String>,
    /// What the shopper agreed to. A write changes the scopes that it names and leaves the others as they are; a scope that a new shopper
    /// says nothing of has the default of its source.
    #[serde(default, skip_serializing_if = "ConsentChoice::is_empty")]
    pub consent: ConsentChoice,
    /// Every change of consent, oldest first. Only exports carry it; an import takes over what is newer than what the shop has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub consent_ledger: Vec<ConsentChange>,
    /// Interests that the shopper had removed. Only exports carry them; an import adds those that the shop does not have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forgotten_interests: Vec<ForgottenInterest>,
}

impl User {
    /// A shopper who declared nothing and said nothing of consent.
    #[must_use]
    pub const fn new(id: UserId) -> Self {
        Self {
            id,
            attributes: BTreeMap::new(),
            consent: ConsentChoice::UNSAID,
            consent_ledger: Vec::new(),
            forgotten_interests: Vec::new(),
        }
    }
}
