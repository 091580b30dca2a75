//! Shoppers: declared attributes and consent. Nothing here is ever inferred.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

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
    /// What the shopper agreed to.
    #[serde(default)]
    pub consent: Consent,
}

/// What a shopper agreed to; each scope is a switch of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Consent {
    /// History may shape this shopper's lists.
    pub personalise: bool,
    /// History may train models.
    pub train: bool,
    /// Declared attributes may be used in fairness reports.
    pub audit_attributes: bool,
}

impl Default for Consent {
    fn default() -> Self {
        Self { personalise: true, train: true, audit_attributes: true }
    }
}
