//! Reasons in words.

use mercer_shared::ids::ItemId;
use mercer_shared::wire::{Reason, SecondCause, Unexplained, UnexplainedCode};

use crate::serving::explain::cause::{Cause, Scenario};
use crate::serving::explain::counterfactual::list_price;
use crate::state::shop::ShopState;

/// The ranks of a row with and without a scenario, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ranks {
    /// As shown.
    pub(crate) with: usize,
    /// Without the scenario; `None` beyond the depth.
    pub(crate) without: Option<usize>,
    /// How far the list was followed.
    pub(crate) depth: usize,
}

impl Ranks {
    /// Ranks lost; 0 where the item stays or rises.
    pub(crate) fn fall(self) -> usize {
        self.without.unwrap_or(self.depth + 1).saturating_sub(self.with)
    }
}

/// The reason of a row that a scenario makes fall.
pub(crate) fn reason(view: &ShopState, scenario: Scenario, row: u32, ranks: Ranks) -> Reason {
    let Scenario { first, second } = scenario;
    let from = ranks.with;
    let fall = match ranks.without {
        Some(to) => format!("this item would fall from rank {from} to {to}"),
        None => format!("this item would fall from rank {from} out of the first {}", ranks.depth),
    };
    let text = match second {
        None => format!("without {} {fall}", name(view, first, row)),
        Some(second) => format!(
            "without both {} and {} {fall}; without one of them alone it stays",
            name(view, first, row),
            name(view, second, row)
        ),
    };
    let together_with = second.map(|cause| SecondCause {
        category: cause.category(row),
        item: item_of(view, cause),
        query: query_of(view, cause),
    });
    Reason {
        category: first.category(row),
        text,
        item: item_of(view, first),
        query: query_of(view, first),
        together_with,
        rank: Some(from as u32),
        rank_without: ranks.without.map(|rank| rank as u32),
    }
}

fn name(view: &ShopState, cause: Cause, row: u32) -> String {
    match cause {
        Cause::Item(item) if item == row => "your own earlier interest in it".to_owned(),
        Cause::Item(item) => match view.live_item(item) {
            Some(item) => format!("\"{}\"", item.title),
            None => "an item that is no longer sold".to_owned(),
        },
        Cause::Query(text) => match view.texts.get(text) {
            Some(text) => format!("your search for \"{text}\""),
            None => "an earlier search of yours".to_owned(),
        },
        Cause::People => "what people with a similar history did".to_owned(),
        Cause::Popularity => "its popularity now".to_owned(),
        Cause::Newness => "being new".to_owned(),
        Cause::Offer(item) => {
            let price = view.item(item).and_then(|item| item.price).zip(list_price(view, item));
            price.map_or_else(
                || "its offer".to_owned(),
                |(now, listed)| format!("its offer ({now} instead of {listed})"),
            )
        }
    }
}

fn item_of(view: &ShopState, cause: Cause) -> Option<ItemId> {
    match cause {
        Cause::Item(item) => view.item(item).map(|item| item.id.clone()),
        _ => None,
    }
}

fn query_of(view: &ShopState, cause: Cause) -> Option<String> {
    match cause {
        Cause::Query(text) => view.texts.get(text).map(|text| text.to_string()),
        _ => None,
    }
}

/// What is said of a row without a reason.
pub(crate) fn unexplained(code: UnexplainedCode) -> Unexplained {
    let text = match code {
        UnexplainedCode::NothingMovesIt => {
            "no honest explanation: without any of the causes that were tried the item keeps its rank or rises"
        }
        UnexplainedCode::OutOfTime => "no reason was found in the time that explanations may take",
        UnexplainedCode::NotAgreed => "the shopper did not agree to explanations",
    };
    Unexplained { code, text: text.to_owned() }
}
