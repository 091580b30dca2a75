//! Tables of reports: groups of shoppers and groups of items.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::verdicts::Verdict;

/// One declared attribute and its groups.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct GroupTable {
    /// Attribute, such as `gender`.
    pub attribute: String,
    /// Metric compared.
    pub metric: String,
    /// Its groups, `unknown` among them.
    pub groups: Vec<GroupRow>,
    /// Largest difference between groups that are large enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gap: Option<f64>,
    /// 95th percentile of that gap with no true difference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noise_floor: Option<f64>,
    /// Permutation p of the gap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p: Option<f64>,
    /// p of the largest standardised difference of any group from all others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p_any: Option<f64>,
    /// p of the verdict after Holm over all attributes: of the gap, with more than two groups of the smaller of `p` and `p_any`, doubled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p_holm: Option<f64>,
    /// Groups that the test does not cover, because they are too small.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_compared: Vec<String>,
    /// Whether sizes are rounded at random to tens, and means and bounds to a step that one shopper does not exceed (0.001 to 0.05), so that
    /// neither a hidden number follows from the total nor one shopper's change from two reports.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rounded: bool,
    /// Whether every compared group is large enough (400) for a gate.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub may_gate: bool,
    /// The group served worst.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worst: Option<String>,
    /// The word.
    pub verdict: Verdict,
}

/// What is found about a group.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum GroupFinding {
    /// Served worse than all others together, beyond noise.
    Below,
    /// Served better, beyond noise.
    Above,
    /// No difference beyond noise.
    Within,
    /// Too few users to tell.
    #[default]
    NotTested,
}

/// One group.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct GroupRow {
    /// Its declared value, `unknown`, or `other, small groups`.
    pub group: String,
    /// Users, rounded at random to tens; absent if suppressed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n: Option<u64>,
    /// Share of all users that are shown; absent if suppressed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<f64>,
    /// Whether it is too small to be shown (n < 10).
    pub suppressed: bool,
    /// Mean; absent below 30 users.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean: Option<f64>,
    /// Lower end of the 95 % interval; below 30 users rounded outward to 0.05.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low: Option<f64>,
    /// Upper end of the 95 % interval; below 30 users rounded outward to 0.05.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high: Option<f64>,
    /// Whether the group takes part in the permutation test; absent in reports of older programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compared: Option<bool>,
    /// Permutation p of the group against all others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p: Option<f64>,
    /// The same after Holm over the groups.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p_holm: Option<f64>,
    /// What follows: by the test, or by the interval alone where the group is not compared.
    #[serde(default)]
    pub finding: GroupFinding,
}

/// Groups of items by one property: how much exposure they get, and how much their relevance earns.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ItemTable {
    /// `seller`, `brand`, `category`, `price_band` or `popularity`.
    pub by: String,
    /// Exposure model of the numbers, in words.
    pub exposure_model: String,
    /// The other one, under which every finding is checked.
    pub other_model: String,
    /// Groups with enough relevance to be compared, the most relevant first.
    pub groups: Vec<ItemGroupRow>,
    /// Groups that were not compared, because too few shoppers wanted their items.
    pub not_compared: u64,
    /// The compared group with the lowest merit ratio.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worst: Option<String>,
    /// The group with the most exposure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top: Option<String>,
    /// Its share of the exposure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_share: Option<f64>,
    /// Concentration over all groups: the sum of squared shares (HHI).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hhi: Option<f64>,
}

/// A group of items.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ItemGroupRow {
    /// Its name; `unknown` for items without the property.
    pub group: String,
    /// Eligible items.
    pub items: u64,
    /// Purchases of the window by the evaluated shoppers; absent where the report left the host with noised counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relevant: Option<u64>,
    /// Share of the exposure.
    pub exposure_share: f64,
    /// Share of the relevance.
    pub relevance_share: f64,
    /// Share of the eligible items.
    pub catalogue_share: f64,
    /// Exposure per relevance over that of all other groups (DTR); 1 is parity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merit_ratio: Option<f64>,
    /// Lower end of its interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low: Option<f64>,
    /// Upper end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high: Option<f64>,
    /// The ratio under the other exposure model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other_ratio: Option<f64>,
    /// What follows.
    pub verdict: Verdict,
}
