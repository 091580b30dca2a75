//! What was really served, and experiments on it: exposure, estimates from exploration, interleaving of two versions.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::ids::ItemId;
use crate::time::Timestamp;

/// Which days of served lists are counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct ExposureQuery {
    /// Days up to today (UTC), 1 to 3,650; 30 if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub days: Option<u32>,
    /// How many items, sellers and brands are named, 1 to 1,000; 20 if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// Exposure in the lists that went out: the sum of 1 / log2(1 + rank) over the lists that showed an item.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ServedExposureReport {
    /// First day that is counted.
    pub from: Timestamp,
    /// Days that are counted.
    pub days: u32,
    /// Lists that went out. Lists as of a named moment and previews are not counted, and of a list the first 100 rows.
    pub lists: u64,
    /// Items that could be shown: not hidden.
    pub eligible: u64,
    /// Eligible items that were shown at least once.
    pub shown: u64,
    /// Gini coefficient of exposure over all eligible items, those never shown included; 0 is even.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gini: Option<f64>,
    /// Items that would share this exposure if it were even: exp of its entropy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effective_items: Option<f64>,
    /// Items with the most exposure.
    pub items: Vec<ExposedItem>,
    /// Sellers with the most exposure.
    pub sellers: Vec<ExposureShare>,
    /// Brands with the most exposure.
    pub brands: Vec<ExposureShare>,
    /// Lists that were counted and are not kept, because the store was slower than the requests.
    pub unkept: u64,
}

/// An item's exposure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ExposedItem {
    /// The item.
    pub id: ItemId,
    /// Its title.
    pub title: String,
    /// Its exposure.
    pub exposure: f64,
    /// Share of all exposure.
    pub share: f64,
}

/// A seller's or brand's exposure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ExposureShare {
    /// Its name; absent for items that name none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Eligible items.
    pub items: u64,
    /// Its exposure.
    pub exposure: f64,
    /// Share of all exposure.
    pub share: f64,
}

/// Asks for two versions to be interleaved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InterleavingRequest {
    /// The version to compare with the serving one.
    pub version: String,
    /// Share of the users who get interleaved lists, above 0, at most 1.
    pub share: f64,
}

/// An interleaving of two versions by team draft, and what users preferred so far. A preference is no lift in revenue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Interleaving {
    /// The version that is compared.
    pub version: String,
    /// The serving version.
    pub serving: String,
    /// Since when.
    pub since: Timestamp,
    /// Share of the users who get interleaved lists.
    pub share: f64,
    /// Interleaved lists that went out.
    pub lists: u64,
    /// Users who took something from more rows of the compared version.
    pub wins: u64,
    /// Users who took something from more rows of the serving version.
    pub losses: u64,
    /// Users who took equally much from both.
    pub ties: u64,
    /// (wins + ties / 2) / users - 1/2: above 0 the compared version is preferred. Absent until somebody took something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delta: Option<f64>,
    /// Two-sided exact sign test over users that are not tied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p: Option<f64>,
    /// Why there is no preference yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undefined: Option<String>,
}

/// Of which version an estimate is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct CounterfactualQuery {
    /// Model version; the serving one if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
}

/// What a version would have earned at the places that exploration filled at random, from what others put there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Counterfactual {
    /// The version.
    pub model: String,
    /// Explored places that were logged and can be used: the first of each list, of users who agreed to training.
    pub decisions: u64,
    /// Share of them whose item was clicked, put into a cart or bought: what chance earned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logged_reward: Option<f64>,
    /// Inverse propensity: mean(w r).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ips: Option<f64>,
    /// Self-normalised: sum(w r) / sum(w).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snips: Option<f64>,
    /// Lower end of the 95 % interval of `snips`, by bootstrap over users.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low: Option<f64>,
    /// Upper end of that interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high: Option<f64>,
    /// Doubly robust: mean(value + w (r - predicted)); predictions are the smoothed mean reward of an item in other decisions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doubly_robust: Option<f64>,
    /// Effective number of decisions: (sum w)^2 / sum w^2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effective: Option<f64>,
    /// Mean weight; 1 where the propensities are right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean_weight: Option<f64>,
    /// Why no estimate is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}
