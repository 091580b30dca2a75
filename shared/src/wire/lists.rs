//! Served lists: what can be asked, and what comes back.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::ids::{ItemId, SessionId, UserId};
use crate::time::Timestamp;
use crate::wire::{ExplanationScope, Interaction, Placement, Reason, Unexplained};

/// Whether a list may hold what the shopper has already.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Leave out what the shopper bought already.
    New,
    /// Any item, own repeats among them.
    #[default]
    Repeat,
}

/// Which items may appear.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Candidates {
    /// The whole catalogue.
    #[default]
    All,
    /// Items with at least one purchase up to the moment of the list.
    Warm,
    /// Items without any.
    Cold,
}

macro_rules! words {
    ($type:ident, $($variant:ident $word:literal),*) => {
        impl std::str::FromStr for $type {
            type Err = String;
            fn from_str(word: &str) -> Result<Self, String> {
                match word {
                    $($word => Ok(Self::$variant),)*
                    _ => Err(format!("`{word}` is none of {}", [$($word),*].join(", "))),
                }
            }
        }
        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(match self { $(Self::$variant => $word),* })
            }
        }
    };
}
words!(Mode, New "new", Repeat "repeat");
words!(Candidates, All "all", Warm "warm", Cold "cold");
words!(OutOfStock, Hide "hide", Demote "demote", Show "show");
words!(Profiling, On "on", Off "off");

/// What a list does with items that are out of stock. An item without stock information counts as in stock; stock is that of now, also in
/// a list as of an earlier moment, for no history of it is kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OutOfStock {
    /// Leave them out.
    #[default]
    Hide,
    /// List them after all items in stock.
    Demote,
    /// List them like the others.
    Show,
}

/// Whether a list may use what is known of the person it is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Profiling {
    /// History shapes the list where the shopper agreed to it.
    #[default]
    On,
    /// No history is read and no version is chosen by the person: everybody gets the same list.
    Off,
}

/// What every list takes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// How many items, 1 to 1,000; 20 if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub k: Option<u32>,
    /// Conditions, such as `category:Home,price:10..50,stock`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// Answer as of that moment, from interactions up to it only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// Whether what the shopper has may appear; `repeat` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// Which items may appear; `all` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub candidates: Option<Candidates>,
    /// Whether to give reasons.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasons: Option<bool>,
    /// What to do with items that are out of stock; the configured way (`serve.out_of_stock`) if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub out_of_stock: Option<OutOfStock>,
    /// `off` answers as for an unknown visitor, whoever it is for; `on` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profiling: Option<Profiling>,
    /// Where the list is shown: the mitigations of that placement apply. `default` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub placement: Option<String>,
    /// Nobody is shown this list: it is not counted as exposure, nothing in it is drawn at random, and one version makes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preview: Option<bool>,
}

/// A search.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct SearchRequest {
    /// What the shopper typed; at most 1,000 bytes.
    pub q: String,
    /// The shopper, if known: the list leans towards their taste.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<UserId>,
    /// How many items, 1 to 1,000; 20 if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub k: Option<u32>,
    /// Conditions, such as `category:Home,price:10..50,stock`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// Answer as of that moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// Whether what the shopper has may appear; `repeat` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// Which items may appear; `all` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub candidates: Option<Candidates>,
    /// Whether to give reasons.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasons: Option<bool>,
    /// What to do with items that are out of stock; the configured way (`serve.out_of_stock`) if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub out_of_stock: Option<OutOfStock>,
    /// `off` answers as for an unknown visitor, whoever it is for; `on` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profiling: Option<Profiling>,
    /// Where the list is shown: the mitigations of that placement apply. `search` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub placement: Option<String>,
    /// Nobody is shown this list: it is not counted as exposure, nothing in it is drawn at random, and one version makes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preview: Option<bool>,
}

impl SearchRequest {
    /// What the search has in common with every list.
    #[must_use]
    pub fn list_query(&self) -> ListQuery {
        ListQuery {
            k: self.k,
            filter: self.filter.clone(),
            at: self.at,
            mode: self.mode,
            candidates: self.candidates,
            reasons: self.reasons,
            out_of_stock: self.out_of_stock,
            profiling: self.profiling,
            placement: Some(self.placement.clone().unwrap_or_else(|| Placement::SEARCH.to_owned())),
            preview: self.preview,
        }
    }
}

/// Recommendations for a visit whose events come along with the question.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SessionRequest {
    /// Events of the visit, oldest first; they are used, not kept.
    pub events: Vec<Interaction>,
    /// Or the id of a visit whose interactions were sent before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// What every list takes.
    pub list: ListQuery,
}

/// The `model` of a list that no trained version ordered.
pub const UNTRAINED: &str = "untrained";

const fn yes() -> bool {
    true
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
const fn is_true(known: &bool) -> bool {
    *known
}

/// A served list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ServedList {
    /// Joins later interactions to this list.
    pub query_id: String,
    /// The model version that made it; one list is always made by one version. [`UNTRAINED`] where the serving version has learned from
    /// interactions after the moment asked for, so that the blend that needs no training ordered the list.
    pub model: String,
    /// Whether the user of the list was seen before; absent means yes, or a list that is for no user. An unknown user gets the list of an
    /// unknown visitor.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub known: bool,
    /// The moment asked for, if one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// Best first.
    pub items: Vec<ListItem>,
    /// How the query was read, for searches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub understood: Option<QueryUnderstanding>,
    /// How far the reasons were searched, where reasons were asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explanation: Option<ExplanationScope>,
    /// What was left out or done without, in words, such as a dense index that is still being built.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Microseconds the daemon took.
    pub took_us: u64,
    /// The items that explored places were drawn from, in the version's order: for the log of served lists, not for the wire.
    #[serde(skip)]
    pub drawn_from: Vec<ItemId>,
}

/// One row of a served list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ListItem {
    /// The item.
    pub id: ItemId,
    /// Its title.
    pub title: String,
    /// Its category path.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub category: Vec<String>,
    /// Its price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<f64>,
    /// Higher is better; comparable within one list only.
    pub score: f64,
    /// Calibrated probability that the shopper, if they come within the model's window, takes it then; absent where no ranker ordered it,
    /// for visits, for cold candidates, and under a filter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
    /// What each source added to the score, by the weights of the blend: they add up to it. Empty where a ranker ordered the list, because
    /// the score of a network is no sum of parts.
    pub parts: Vec<ScorePart>,
    /// Probability of this item at this place, given the rows before; absent where nothing of the list was drawn at random.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub propensity: Option<f64>,
    /// Whose row it is in a list of two interleaved versions: 0 the serving one, 1 the other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<u8>,
    /// Why, if asked: the strongest first. Ranks in it are those before mitigations re-ordered the list.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<Reason>,
    /// Why there is no reason, where reasons were asked and none holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unexplained: Option<Unexplained>,
    /// How mitigations moved it, if they did and reasons were asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved: Option<Moved>,
}

/// How the mitigations of a placement moved an item.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Moved {
    /// Rank before, from 1.
    pub from: u32,
    /// Rank in the list, from 1.
    pub to: u32,
    /// What moved it, such as `exposure floor for seller Acme`.
    pub by: String,
}

/// One source's part of a score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ScorePart {
    /// The source, such as `own`, `cooccurrence`, `popularity`, `lexical`, `dense`.
    pub source: String,
    /// Its share of the score.
    pub score: f64,
}

/// How a query was read.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct QueryUnderstanding {
    /// The words that were searched for, after bounds were taken out.
    pub text: String,
    /// A price bound that was found in the words, such as "under 50".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<PriceBound>,
}

/// A price bound.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PriceBound {
    /// Lowest price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// Highest price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
}
