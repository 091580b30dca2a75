//! Membership tests: can the users that a version was trained on be told from others?

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::time::Timestamp;

/// What can be asked of a membership test.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MembershipRequest {
    /// The version to test; the serving one if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Seed of negatives and intervals; the configured one if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
}

/// A membership test of a version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MembershipTest {
    /// The run that made it.
    pub id: String,
    /// When it was made.
    pub created: Timestamp,
    /// The version.
    pub model: String,
    /// Share of the shoppers that were held out of the version; those are the others.
    pub held_out: f64,
    /// False positive rate at which attacks are measured.
    pub fpr: f64,
    /// The attacks.
    pub attacks: Vec<MembershipAttack>,
    /// What was guaranteed about the version's adapter, if anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub privacy: Option<super::PrivacyGuarantee>,
    /// What a reader must know to check the numbers.
    pub notes: Vec<String>,
}

/// One attack.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MembershipAttack {
    /// `encoder_loss` or `ranker_lists`.
    pub name: String,
    /// What the attacker looks at, in words.
    pub what: String,
    /// Users that the version was trained on.
    pub members: u64,
    /// Users that were held out.
    pub others: u64,
    /// Share of the members that the attack recognises at the false positive rate; equal to that rate if it knows nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tpr: Option<f64>,
    /// Lower end of the 95 % interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low: Option<f64>,
    /// Upper end of the 95 % interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high: Option<f64>,
    /// Area under the ROC curve; .5 is chance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auc: Option<f64>,
    /// Why there is no number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undefined: Option<String>,
}
