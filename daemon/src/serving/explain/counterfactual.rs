//! Lists that are made again without a cause, and the ranks of the shown items in them.
//!
//! Every list is made whole. The features of a ranker are shares of the maximum and ranks among the candidates, and the candidates themselves
//! change with the history: re-scoring the shown rows alone would give other ranks.

use std::time::Instant;

use mercer_rank::{Ablation, Event, Mode, RankRequest, RankedItem, Recipient, Snapshot};

use crate::serving::explain::cause::{Cause, Scenario};
use crate::serving::list_query::ListRequest;
use crate::serving::scorer::{Scorer, rank_problem};
use crate::state::problems::Answer;
use crate::state::shop::ShopState;

/// Lists that are made together at first; each batch is twice the one before, so that a short limit is kept as well.
const FIRST_BATCH: usize = 4;
/// Most lists that are made together.
const BATCH: usize = 32;

/// What a list was made from, and what counterfactual ones are made from.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    /// The shop.
    pub(crate) view: &'a ShopState,
    /// The state of the moment.
    pub(crate) snapshot: &'a Snapshot,
    /// What orders lists.
    pub(crate) scorer: &'a Scorer,
    /// The list that was asked for.
    pub(crate) asked: &'a ListRequest,
    /// Whom it is for.
    pub(crate) whom: Recipient<'a>,
}

impl Source<'_> {
    /// The events that the list was made from.
    pub(crate) fn events(&self) -> &[Event] {
        self.snapshot.history(self.whom, self.asked.at)
    }
}

/// Makes lists without causes until a moment.
pub(crate) struct Counterfactuals<'a> {
    pub(crate) source: Source<'a>,
    /// Length of the lists.
    pub(crate) depth: usize,
    /// No list is begun after it.
    until: Instant,
    /// Items that stay out of every list, ascending: left-out events do not bring back what the user dismissed, nor what a list of new
    /// items keeps out because the user has it.
    kept_out: Vec<u32>,
}

impl<'a> Counterfactuals<'a> {
    pub(crate) fn new(source: Source<'a>, depth: usize, until: Instant) -> Self {
        let state = source.snapshot.user_state(source.whom, source.asked.at);
        let mut kept_out = state.dismissed.clone();
        if source.asked.request(None).mode == Mode::Novel {
            kept_out.extend(state.purchases.iter().map(|own| own.item));
        }
        kept_out.sort_unstable();
        kept_out.dedup();
        Self { source, depth, until, kept_out }
    }

    /// The items of the list without each scenario, in the order of the scenarios; fewer where time ends.
    ///
    /// # Errors
    /// As the list itself.
    pub(crate) fn lists(&self, scenarios: &[Scenario]) -> Answer<Vec<Vec<u32>>> {
        let mut lists = Vec::with_capacity(scenarios.len());
        let mut most = FIRST_BATCH;
        while lists.len() < scenarios.len() && Instant::now() < self.until {
            let rest = &scenarios[lists.len()..];
            let same = rest.iter().take_while(|s| kind(**s) == kind(rest[0])).count();
            lists.extend(self.batch(&rest[..same.min(most)])?);
            most = (most * 2).min(BATCH);
        }
        Ok(lists)
    }

    /// Lists of scenarios that leave out the same signals.
    fn batch(&self, scenarios: &[Scenario]) -> Answer<Vec<Vec<u32>>> {
        let Source { view, snapshot, scorer, asked, whom } = self.source;
        let Some(first) = scenarios.first() else { return Ok(Vec::new()) };
        let histories: Vec<Vec<Event>> = scenarios.iter().map(|scenario| self.events_without(*scenario)).collect();
        let recipients: Vec<Recipient<'_>> = histories
            .iter()
            .map(|events| match whom {
                Recipient::User(user) | Recipient::UserWith { user, .. } => Recipient::UserWith { user, events },
                Recipient::Session(_) => Recipient::Session(events),
            })
            .collect();
        let priced = first.causes().find_map(|cause| self.at_list_price(cause));
        let snapshot = priced.as_ref().unwrap_or(snapshot);
        let ablation = first.ablation();
        let lists = asked.lists(view, self.depth, |allow| {
            let request =
                RankRequest { k: self.depth, exclude: &self.kept_out, ablation, ..asked.request(Some(allow)) };
            scorer.policy().lists_for(snapshot, &recipients, asked.at, &request, &|| false).map_err(rank_problem)
        })?;
        let items = |list: &Vec<RankedItem>| list.iter().map(|ranked| ranked.item).collect();
        Ok(lists.iter().map(items).collect())
    }

    fn events_without(&self, scenario: Scenario) -> Vec<Event> {
        let kept = |event: &&Event| scenario.causes().all(|cause| cause.keeps(event));
        self.source.events().iter().filter(kept).copied().collect()
    }

    /// The catalogue in which an item on offer has its list price.
    fn at_list_price(&self, cause: Cause) -> Option<Snapshot> {
        let Cause::Offer(item) = cause else { return None };
        let price = list_price(self.source.view, item)?;
        let mut snapshot = self.source.snapshot.clone();
        let facts = snapshot.catalogue.get(item).copied()?;
        snapshot.catalogue.set(item, mercer_rank::ItemFacts { price: Some(price as f32), ..facts });
        Some(snapshot)
    }
}

/// Scenarios of one kind can be made together: the same signals are left out, and no price differs.
fn kind(scenario: Scenario) -> (Ablation, Option<Cause>) {
    (scenario.ablation(), scenario.causes().find(|cause| matches!(cause, Cause::Offer(_))))
}

/// Attributes in which shops send the price before an offer.
const LIST_PRICE: [&str; 4] = ["list_price", "regular_price", "original_price", "was_price"];

/// The list price of an item that is sold below it.
pub(crate) fn list_price(view: &ShopState, item: u32) -> Option<f64> {
    let item = view.item(item)?;
    let price = item.price?;
    let listed = LIST_PRICE.iter().find_map(|name| item.attributes.get(*name)?.trim().parse::<f64>().ok())?;
    (listed.is_finite() && listed > price).then_some(listed)
}
