//! Everything that is held of one shopper (GDPR articles 15 and 20).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{AuditEntry, ConsentReport, ForgottenInterest, Interaction, Profile};
use crate::ids::{ItemId, UserId};
use crate::time::Timestamp;

/// Everything that is held of one shopper.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct UserExport {
    /// The shopper.
    pub user: UserId,
    /// When it was made.
    pub at: Timestamp,
    /// What the shopper provided and what was observed: the part that may be taken elsewhere.
    pub portable: PortableData,
    /// What was derived from it here.
    pub inferred: InferredData,
    /// Consent with its basis and every change.
    pub consent: ConsentReport,
    /// Lists that were served to the shopper.
    pub lists_served: ListsServed,
    /// Versions and the cross-encoder whose training read the log while the shopper's interactions were in it.
    pub versions: Vec<KnowingVersion>,
    /// What was noted of actions that concern the shopper, such as exports and changes of consent; oldest first.
    pub audit: Vec<AuditEntry>,
    /// What is not in this document, and why.
    pub notes: Vec<String>,
}

/// Provided and observed data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PortableData {
    /// Declared attributes.
    pub attributes: BTreeMap<String, String>,
    /// Every interaction of the shopper, and anonymous ones of visits that are the shopper's alone; in the order of the log.
    pub interactions: Vec<Interaction>,
}

/// Derived data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct InferredData {
    /// Interests and lifecycle, with the events they come from. Similar shoppers are left out: they are other people.
    pub profile: Profile,
    /// Groups that the shopper is counted in, by name.
    pub segments: BTreeMap<String, String>,
    /// Interests that the shopper had removed.
    pub forgotten_interests: Vec<ForgottenInterest>,
}

/// Lists that were served.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ListsServed {
    /// Whether lists are kept at all.
    pub kept: bool,
    /// What is kept, or why nothing is.
    pub detail: String,
    /// The lists that the shopper's own interactions name, by `query_id`.
    pub query_ids: Vec<String>,
    /// The lists that are kept, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lists: Vec<KeptList>,
}

/// A list that was served to the shopper.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct KeptList {
    /// Its id.
    pub query_id: String,
    /// When it went out.
    pub at: Timestamp,
    /// The version that made it.
    pub model: String,
    /// Where it was shown.
    pub placement: String,
    /// Its items, best first.
    pub items: Vec<ItemId>,
}

/// A version that was trained while the shopper's interactions were in the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct KnowingVersion {
    /// Its name.
    pub version: String,
    /// When it was made; absent for the cross-encoder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<Timestamp>,
    /// Who was left out of its training, in words.
    pub consent_rule: String,
}
