//! Mitigations: re-rankers that change what a placement shows, switched on by an operator, with their measured price.
//!
//! A placement is a named place where lists are shown, such as `home` or `basket`. Nothing is on unless an operator sets it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::time::Timestamp;
use crate::wire::{ItemGrouping, Placement};

/// Who is granted exposure.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ItemOwner {
    /// Sellers.
    #[default]
    Seller,
    /// Brands.
    Brand,
}

impl ItemOwner {
    /// The same as a grouping.
    #[must_use]
    pub const fn grouping(self) -> ItemGrouping {
        match self {
            Self::Seller => ItemGrouping::Seller,
            Self::Brand => ItemGrouping::Brand,
        }
    }
}

/// How scores are freed from popularity.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PopularityMethod {
    /// (ELU(f) + 1) * popularity^gamma (Zhang et al. 2021).
    #[default]
    Pda,
}

/// The group of all items that no other entry of a table names.
pub const OTHER_ITEMS: &str = "*";

const fn mmr_lambda() -> f64 {
    0.7
}
const fn dpp_theta() -> f64 {
    0.8
}
const fn xquad_lambda() -> f64 {
    0.3
}
const fn calibrated_lambda() -> f64 {
    0.5
}
const fn fair_alpha() -> f64 {
    0.1
}
const fn exposure_days() -> u32 {
    28
}
const fn pda_gamma() -> f64 {
    -0.2
}

/// A re-ranker with its parameters. It re-orders the best 200 candidates of a list (or as many as the list is long); relevance is the score,
/// scaled to 0 to 1 over them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Reranker {
    /// Maximal marginal relevance: lambda * relevance - (1 - lambda) * largest similarity to an item above.
    Mmr {
        /// 0 (diversity alone) to 1 (relevance alone).
        #[serde(default = "mmr_lambda")]
        lambda: f64,
    },
    /// The most probable list of a determinantal point process, found greedily: theta * relevance + (1 - theta) * ln det(similarity).
    Dpp {
        /// 0 (diversity alone) to below 1.
        #[serde(default = "dpp_theta")]
        theta: f64,
    },
    /// xQuAD: (1 - lambda) * relevance + lambda * coverage of the shopper's own interests that items above leave open.
    Xquad {
        /// 0 (relevance alone) to 1.
        #[serde(default = "xquad_lambda")]
        lambda: f64,
        /// What an interest is.
        #[serde(default)]
        #[schema(value_type = String)]
        by: ItemGrouping,
    },
    /// Calibrated lists (Steck 2018): (1 - lambda) * relevance - lambda * divergence from the shopper's history. Shoppers with fewer than
    /// five events keep their list.
    Calibrated {
        /// 0 (relevance alone) to 1.
        #[serde(default = "calibrated_lambda")]
        lambda: f64,
        /// What the history is divided by.
        #[serde(default)]
        #[schema(value_type = String)]
        by: ItemGrouping,
    },
    /// `DetGreedy` (Geyik et al. 2019): every prefix of a list holds the target shares, as far as there are items.
    DetGreedy {
        /// What the shares are of.
        #[schema(value_type = String)]
        by: ItemGrouping,
        /// Wanted share of each group; they add up to 1. `*` is the group of all other items. Items in no named group follow last.
        shares: BTreeMap<String, f64>,
    },
    /// FA*IR (Zehlike et al. 2017): every prefix holds as many items of the protected group as a fair draw would, up to chance.
    FairStarIr {
        /// What the protected group is of.
        #[schema(value_type = String)]
        by: ItemGrouping,
        /// The protected group: a value of `by`.
        protected: String,
        /// Its wanted share, above 0 and below 1.
        p: f64,
        /// Probability that a fair list is judged unfair, 0.001 to 0.5; adjusted for testing every prefix.
        #[serde(default = "fair_alpha")]
        alpha: f64,
    },
    /// Exposure floors and caps, made good over a rolling window: who lies behind a floor moves up until the debt is paid.
    Exposure {
        /// Who is granted exposure.
        #[serde(default)]
        by: ItemOwner,
        /// Least share of the position-weighted exposure of this placement, by name.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        floors: BTreeMap<String, f64>,
        /// Largest share, by name; `*` is the cap of everybody without one.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        caps: BTreeMap<String, f64>,
        /// Days of the window, 1 to 90.
        #[serde(default = "exposure_days")]
        window_days: u32,
    },
    /// Popularity debiasing: the score times a power of the item's share of the purchases.
    Popularity {
        /// The formula.
        #[serde(default)]
        method: PopularityMethod,
        /// -1 to 1: below 0 takes popularity out of the list, above 0 puts more in.
        #[serde(default = "pda_gamma")]
        gamma: f64,
    },
}

impl Reranker {
    /// The stable word of the kind, as on the wire.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Mmr { .. } => "mmr",
            Self::Dpp { .. } => "dpp",
            Self::Xquad { .. } => "xquad",
            Self::Calibrated { .. } => "calibrated",
            Self::DetGreedy { .. } => "det_greedy",
            Self::FairStarIr { .. } => "fair_star_ir",
            Self::Exposure { .. } => "exposure",
            Self::Popularity { .. } => "popularity",
        }
    }
}

/// What an operator sets for a placement, or asks the price of.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MitigationSettings {
    /// Re-rankers in the order in which they work; empty turns mitigations off.
    pub rerankers: Vec<Reranker>,
    /// Why, for the history; at most 1,000 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// How a revision came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MitigationAction {
    /// An operator set re-rankers.
    Set,
    /// An operator turned them off.
    Off,
    /// An operator undid the change before.
    Undo,
}

/// The mitigations of a placement at one time of its history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MitigationRevision {
    /// Counts up from 1 within the placement.
    pub version: u64,
    /// Re-rankers in the order in which they work; empty where mitigations are off.
    pub rerankers: Vec<Reranker>,
    /// How it came about.
    pub action: MitigationAction,
    /// When.
    pub changed: Timestamp,
    /// User id of the process that changed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The version that an undo brings back; absent where there was nothing before, and an undo turns mitigations off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<u64>,
}

/// Whether the price of what is set is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PriceStatus {
    /// Measured on the version that serves.
    Measured,
    /// Measured on another version.
    OtherVersion,
    /// Not measured: ask `what-if`.
    NotMeasured,
    /// Nothing is on, so nothing is paid.
    Off,
}

/// The mitigations of a placement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Mitigation {
    /// The placement.
    pub placement: Placement,
    /// What is in force.
    pub current: MitigationRevision,
    /// Whether its price is known.
    pub price_status: PriceStatus,
    /// The price that was measured last for these re-rankers at this placement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<MitigationPrice>,
    /// What is set and cannot be done, because the catalogue has no item for it any more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Earlier revisions, newest first; the last 100 are kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<MitigationRevision>,
}

/// The price of mitigations: metrics of the same lists before and after, on the validation window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MitigationPrice {
    /// The placement that was asked about.
    pub placement: Placement,
    /// The re-rankers.
    pub rerankers: Vec<Reranker>,
    /// The model version.
    pub model: String,
    /// When it was measured.
    pub created: Timestamp,
    /// Beginning of the window of later purchases; absent where the log is too short for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// Its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Timestamp>,
    /// Shoppers whose lists were made.
    pub users: u64,
    /// Lists whose first ten items differ.
    pub lists_changed: u64,
    /// The metrics.
    pub rows: Vec<PriceRow>,
    /// What was left out, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// One metric before and after.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PriceRow {
    /// Stable name, such as `ndcg@10`.
    pub name: String,
    /// In words.
    pub label: String,
    /// Without the mitigations.
    pub before: Option<f64>,
    /// With them.
    pub after: Option<f64>,
    /// After less before.
    pub difference: Option<f64>,
    /// Lower end of the paired 95 % interval of the difference, by bootstrap over shoppers.
    pub low: Option<f64>,
    /// Its upper end.
    pub high: Option<f64>,
    /// Two-sided p of a sign-flip test; for means over shoppers only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p: Option<f64>,
    /// Shoppers it rests on.
    pub n: u64,
    /// Why a number is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undefined: Option<String>,
    /// How it is computed.
    pub formula: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reranker_is_written_with_its_defaults_and_read_back() {
        let read = |text: &str| serde_json::from_str::<Reranker>(text);
        assert_eq!(read(r#"{"kind":"mmr"}"#).unwrap(), Reranker::Mmr { lambda: 0.7 });
        let fair = read(r#"{"kind":"fair_star_ir","by":"attribute:origin","protected":"local","p":0.3}"#).unwrap();
        let Reranker::FairStarIr { by, alpha, .. } = &fair else { panic!("{fair:?}") };
        assert_eq!((by, *alpha), (&ItemGrouping::Attribute("origin".into()), 0.1));
        let text = serde_json::to_string(&fair).unwrap();
        assert!(text.contains(r#""kind":"fair_star_ir","by":"attribute:origin""#), "{text}");
        assert_eq!(read(&text).unwrap(), fair);
        assert!(read(r#"{"kind":"mmr","lamda":0.5}"#).is_err(), "a misspelt parameter is not ignored");
        assert!(read(r#"{"kind":"xquad","by":"age"}"#).is_err(), "items have no age");
    }
}
