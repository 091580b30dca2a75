//! Takes the events that a reason names out of a copy of the log and asks for the list again. It reads the reason as it is sent, and goes
//! another way than the search for reasons: through the log.

use std::sync::Arc;

use mercer_rank::{CollaborativeIndex, Dataset, Event, InteractionType, Log, RankRequest, Recipient, Snapshot};
use mercer_reports::fidelity::Counterfactual;
use mercer_shared::wire::{ListItem, Reason, ReasonCategory};

use crate::serving::explain::DEPTH;
use crate::serving::list_query::ListRequest;
use crate::serving::scorer::{Scorer, rank_problem};
use crate::state::problems::Answer;
use crate::state::shop::ShopState;

/// The events that a reason names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) items: Vec<u32>,
    pub(super) texts: Vec<u32>,
}

impl Named {
    /// Whether an event stays. "Not interested" speaks for no item and is named by no reason.
    fn keeps(&self, event: &Event) -> bool {
        let named = event.item.is_some_and(|item| self.items.contains(&item)) && event.kind != InteractionType::Dismiss;
        !named && !event.text.is_some_and(|text| self.texts.contains(&text))
    }
}

/// A stated rank, and what became of it.
#[derive(Debug, Clone)]
pub(super) struct Claim {
    pub(super) user: u32,
    pub(super) item: u32,
    pub(super) named: Named,
    pub(super) stated: Option<u32>,
    pub(super) found: Option<u32>,
}

impl Claim {
    /// The claim of a reason; `None` if it does not rest on own events alone.
    pub(super) fn of(view: &ShopState, user: u32, row: &ListItem, reason: &Reason) -> Option<Self> {
        let second = reason.together_with.as_ref();
        let mut named = Named::default();
        for (category, item, query) in std::iter::once((reason.category, &reason.item, &reason.query))
            .chain(second.map(|cause| (cause.category, &cause.item, &cause.query)))
        {
            match category {
                ReasonCategory::OwnItem | ReasonCategory::SimilarItem => {
                    named.items.push(view.item_number(item.as_ref()?.as_str())?);
                }
                ReasonCategory::OwnSearch => named.texts.push(view.texts.number(query.as_ref()?)?),
                _ => return None,
            }
        }
        let item = view.item_number(row.id.as_str())?;
        Some(Self { user, item, named, stated: reason.rank_without, found: None })
    }

    pub(super) const fn counterfactual(&self) -> Counterfactual {
        Counterfactual { stated: self.stated, found: self.found }
    }
}

/// Lists of one shopper from other logs.
#[derive(Clone, Copy)]
pub(super) struct Replay<'a> {
    pub(super) view: &'a ShopState,
    pub(super) snapshot: &'a Snapshot,
    pub(super) scorer: &'a Scorer,
    pub(super) asked: &'a ListRequest,
    pub(super) user: u32,
}

impl Replay<'_> {
    /// A log without the named events of the shopper.
    pub(super) fn erased(&self, log: &Log, named: &Named) -> Log {
        let mut log = log.clone();
        let kept = log.events(self.user).iter().filter(|event| named.keeps(event)).copied().collect();
        log.set_user(self.user, kept);
        log
    }

    /// The rank of an item in the shopper's list from a state of the shop; `None` beyond the depth.
    pub(super) fn rank(&self, snapshot: &Snapshot, item: u32) -> Answer<Option<u32>> {
        let Self { view, scorer, asked, user, .. } = *self;
        let depth = DEPTH.max(asked.k);
        let list = asked.list(view, depth, |allow| {
            let request = RankRequest { k: depth, ..asked.request(Some(allow)) };
            scorer.list(snapshot, Recipient::User(user), asked.at, &request).map_err(rank_problem)
        })?;
        Ok(list.iter().position(|ranked| ranked.item == item).map(|place| place as u32 + 1))
    }

    /// The rank of an item without the named events, with the models as they are.
    pub(super) fn rank_without(&self, named: &Named, item: u32) -> Answer<Option<u32>> {
        let log = self.erased(&self.snapshot.log, named);
        self.rank(&Snapshot { log, ..self.snapshot.clone() }, item)
    }

    /// Notes what becomes of a claim.
    pub(super) fn check(&self, claim: Claim) -> Answer<Claim> {
        let found = self.rank_without(&claim.named, claim.item)?;
        Ok(Claim { found, ..claim })
    }
}

/// The same with the collaborative index fitted anew: as if the events had never happened.
pub(super) struct Refit<'a> {
    view: &'a ShopState,
    training: Log,
    whole: Snapshot,
    at: i64,
}

impl<'a> Refit<'a> {
    pub(super) fn new(view: &'a ShopState, snapshot: &Snapshot, at: i64) -> Self {
        let training = view.training_log();
        let whole = fitted(snapshot, snapshot.log.clone(), &training, at);
        Self { view, training, whole, at }
    }

    /// Whether the item of a claim falls where the named events never happened.
    pub(super) fn falls(&self, replay: &Replay<'_>, claim: &Claim) -> Answer<bool> {
        let trains = self.view.subject(claim.user).is_some_and(|subject| subject.consent.train);
        let log = replay.erased(&self.whole.log, &claim.named);
        let training = if trains { replay.erased(&self.training, &claim.named) } else { self.training.clone() };
        let without = fitted(&self.whole, log, &training, self.at);
        let place = |rank: Option<u32>| rank.unwrap_or(u32::MAX);
        Ok(place(replay.rank(&without, claim.item)?) > place(replay.rank(&self.whole, claim.item)?))
    }
}

fn fitted(snapshot: &Snapshot, log: Log, training: &Log, at: i64) -> Snapshot {
    let data = Dataset { log: training, catalogue: &snapshot.catalogue };
    let index = CollaborativeIndex::fit(data, at, snapshot.index.options());
    Snapshot { log, catalogue: snapshot.catalogue.clone(), index: Arc::new(index) }
}
