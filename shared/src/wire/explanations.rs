//! Reasons of a list's rows, each with its counterfactual, and how far they were searched.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::ids::ItemId;
use crate::time::Timestamp;

/// What a reason rests on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReasonCategory {
    /// The shopper's own purchases, views and the like of the item itself.
    OwnItem,
    /// The shopper's own events with another item.
    #[default]
    SimilarItem,
    /// A query that the shopper typed.
    OwnSearch,
    /// What shoppers with a similar history did. It never says who or what.
    PeopleLikeYou,
    /// How much the item sells now.
    PopularNow,
    /// That the item is new.
    New,
    /// A price below the item's list price.
    OnOffer,
    /// A rule of the shop, or a correction of the list for diversity or fairness.
    Rule,
    /// Chance: the item is tried out.
    Exploration,
    /// The second model, which reads the head of the list again.
    Rescoring,
}

impl ReasonCategory {
    /// The category in a few words for people.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::OwnItem => "own item",
            Self::SimilarItem => "similar item",
            Self::OwnSearch => "own search",
            Self::PeopleLikeYou => "people like you",
            Self::PopularNow => "popular now",
            Self::New => "new",
            Self::OnOffer => "on offer",
            Self::Rule => "rule",
            Self::Exploration => "exploration",
            Self::Rescoring => "re-scored",
        }
    }
}

/// A reason: the list was made again without what it names, and the item fell.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Reason {
    /// What it rests on; that of the first of two causes where it needs both.
    #[serde(default)]
    pub category: ReasonCategory,
    /// In words: "without X this item would fall from rank 3 to 9".
    pub text: String,
    /// The item of the shopper's own event it rests on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<ItemId>,
    /// The query of the shopper it rests on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// The second cause, where either of the two alone hides the other: only without both the item falls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub together_with: Option<SecondCause>,
    /// Rank with it, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rank: Option<u32>,
    /// Rank without it; absent if it would leave the list that was followed ([`ExplanationScope::depth`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rank_without: Option<u32>,
}

/// The second of two causes that hide each other.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SecondCause {
    /// What it is.
    pub category: ReasonCategory,
    /// The item of the shopper's own event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<ItemId>,
    /// The query of the shopper.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
}

/// Why a row has no reason.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Unexplained {
    /// Which of the cases it is.
    pub code: UnexplainedCode,
    /// The same in words.
    pub text: String,
}

/// The cases in which a row has no reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum UnexplainedCode {
    /// Everything was tried, and without any of it the item keeps its rank or rises: no honest explanation.
    NothingMovesIt,
    /// Time ended before everything was tried, and nothing that was tried makes the item fall.
    OutOfTime,
    /// The shopper did not agree to explanations.
    NotAgreed,
}

/// How far the reasons of a list were searched.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ExplanationScope {
    /// Items and queries of the shopper's own events that can matter.
    pub own: u64,
    /// How many of these were left out one by one, those of the most interest first.
    pub own_tried: u64,
    /// Other causes that were left out: people like you, popularity, newness, offers.
    pub others_tried: u64,
    /// Pairs of causes that were left out together.
    pub pairs_tried: u64,
    /// Length of the list that each row was followed in.
    pub depth: u64,
    /// Milliseconds that the search may take (`serve.explain_ms`).
    pub limit_ms: u64,
    /// Whether everything was tried in that time.
    pub complete: bool,
}

/// Which lists a check of explanations takes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct FidelityRequest {
    /// Lists, each of another shopper, 1 to 2,000; 100 if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lists: Option<u32>,
    /// Length of the lists, 1 to 100; 10 if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub k: Option<u32>,
    /// Decides which shoppers are drawn, and the random orders; 0 if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Claims that are also replayed with the collaborative index fitted anew without the named events, 0 to 1,000; 20 if absent. Each fits
    /// the whole log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refits: Option<u32>,
    /// Seconds after which no further list is begun, 1 to 3,600; 300 if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit_seconds: Option<u32>,
}

/// A share with its Wilson interval at 95 %.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CheckedShare {
    /// The share; absent where nothing was counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<f64>,
    /// Lower end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low: Option<f64>,
    /// Upper end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high: Option<f64>,
    /// How many were counted.
    pub n: u64,
}

/// The strongest reasons of one category.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CategoryCount {
    /// The category.
    pub category: ReasonCategory,
    /// Rows whose strongest reason it is.
    pub strongest: u64,
    /// All reasons of it.
    pub reasons: u64,
}

/// Deletion of the shopper's own events in the order of the explanation, against random orders. The value of a list is 1 / log2(1 + rank) of
/// its first item, 0 beyond the depth.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DeletionCurve {
    /// Mean area under the value in the explanation's order; the lower, the better.
    pub explained: f64,
    /// Mean area in random orders.
    pub random: f64,
    /// The difference, above 0 where the explanation's order is better than chance.
    pub gain: f64,
    /// Lower end of its 95 % interval over shoppers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low: Option<f64>,
    /// Upper end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high: Option<f64>,
    /// Lists with at least two own causes.
    pub lists: u64,
}

/// Whether the reasons of a sample of lists are true.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ExplanationFidelity {
    /// The version that made the lists.
    pub model: String,
    /// As of when.
    pub at: Timestamp,
    /// Seed of the sample.
    pub seed: u64,
    /// Lists that were made.
    pub lists: u64,
    /// Lists that were asked for; fewer were made where time ended or there are not so many shoppers with a history.
    pub asked: u64,
    /// Rows of the lists.
    pub rows: u64,
    /// Share of the rows with a reason.
    pub explained: CheckedShare,
    /// What the reasons rest on.
    pub categories: Vec<CategoryCount>,
    /// Share of the stated ranks that come true when the named events are taken out of a copy of the log and the list is asked for. Reasons
    /// that name no own events (other people, popularity, newness, offers) cannot be replayed this way and are not among them.
    pub validity: CheckedShare,
    /// The same where the collaborative index is fitted anew without the events: the share of claims whose item falls.
    pub falls_after_refit: CheckedShare,
    /// Deletion against random order; absent where no list has two own causes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion: Option<DeletionCurve>,
    /// Share of the rows whose strongest reason is the same when the search is repeated; below 1 only where the time limit cut it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stability: Option<f64>,
    /// Lists whose search for reasons ran out of time.
    pub incomplete: u64,
    /// Whether at least 95 % of the stated ranks came true; absent where none was replayed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid: Option<bool>,
    /// Seconds that it took.
    pub seconds: f64,
}
