//! Reasons of a list's rows, each with its counterfactual, and how far they were searched.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::ids::ItemId;

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
