//! What a list can be made without: the events of one own item or query, or a whole group of signals.

use mercer_rank::{Ablation, Event, InteractionType, Recipient, Snapshot, UserState};
use mercer_shared::wire::ReasonCategory;
use rustc_hash::FxHashMap;

use crate::serving::scorer::Scorer;

/// One thing that a list can be made without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Cause {
    /// The user's own events with an item, but for "not interested": that speaks for no item.
    Item(u32),
    /// The user's own searches for a text.
    Query(u32),
    /// What other users did.
    People,
    /// How much items sell.
    Popularity,
    /// That items are new.
    Newness,
    /// The price of an item below its list price.
    Offer(u32),
}

impl Cause {
    /// Whether an event of the user stays when the cause is left out.
    pub(crate) fn keeps(self, event: &Event) -> bool {
        match self {
            Self::Item(item) => event.item != Some(item) || event.kind == InteractionType::Dismiss,
            Self::Query(text) => event.text != Some(text),
            Self::People | Self::Popularity | Self::Newness | Self::Offer(_) => true,
        }
    }

    /// The signals that are left out.
    pub(crate) const fn ablation(self) -> Ablation {
        match self {
            Self::People => Ablation { collaborative: true, ..Ablation::NONE },
            Self::Popularity => Ablation { popularity: true, ..Ablation::NONE },
            Self::Newness => Ablation { newness: true, ..Ablation::NONE },
            Self::Item(_) | Self::Query(_) | Self::Offer(_) => Ablation::NONE,
        }
    }

    /// The category of a reason that rests on this cause, for a row with this item.
    pub(crate) fn category(self, of: u32) -> ReasonCategory {
        match self {
            Self::Item(item) if item == of => ReasonCategory::OwnItem,
            Self::Item(_) => ReasonCategory::SimilarItem,
            Self::Query(_) => ReasonCategory::OwnSearch,
            Self::People => ReasonCategory::PeopleLikeYou,
            Self::Popularity => ReasonCategory::PopularNow,
            Self::Newness => ReasonCategory::New,
            Self::Offer(_) => ReasonCategory::OnOffer,
        }
    }

    /// Whether it can be a reason of a row: newness only of a new item, an offer only of its own.
    pub(crate) fn concerns(self, of: u32, new: bool) -> bool {
        match self {
            Self::Newness => new,
            Self::Offer(item) => item == of,
            _ => true,
        }
    }
}

/// One or two causes that a list is made without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Scenario {
    /// The cause.
    pub(crate) first: Cause,
    /// Another that is left out with it.
    pub(crate) second: Option<Cause>,
}

impl Scenario {
    /// One cause alone.
    pub(crate) const fn one(first: Cause) -> Self {
        Self { first, second: None }
    }

    /// Both causes.
    pub(crate) fn causes(self) -> impl Iterator<Item = Cause> {
        [Some(self.first), self.second].into_iter().flatten()
    }

    /// The signals that are left out.
    pub(crate) fn ablation(self) -> Ablation {
        self.causes().map(Cause::ablation).fold(Ablation::NONE, |a, b| Ablation {
            collaborative: a.collaborative || b.collaborative,
            popularity: a.popularity || b.popularity,
            newness: a.newness || b.newness,
        })
    }
}

/// The user's own items and queries that can matter: without them the state that the list is made from is another one. Those of the items of
/// the list come first, then those of the most interest; so those that a time limit cuts off are the least likely reasons.
pub(crate) fn own_causes(
    snapshot: &Snapshot,
    scorer: &Scorer,
    whom: Recipient<'_>,
    at: i64,
    shown: &[u32],
) -> Vec<Cause> {
    let events = snapshot.history(whom, at);
    let whole = snapshot.user_state(whom, at);
    let interest: FxHashMap<u32, f32> = whole.profile.iter().copied().collect();
    let in_order = scorer.policy().reads_sequence(snapshot);
    let mut latest: FxHashMap<Cause, i64> = FxHashMap::default();
    for event in events {
        let cause = event.item.map(Cause::Item).or(event.text.map(Cause::Query));
        if let Some(cause) = cause {
            latest.insert(cause, event.at);
        }
    }
    let matters = |cause: Cause| {
        if in_order {
            return true;
        }
        let without: Vec<Event> = events.iter().filter(|event| cause.keeps(event)).copied().collect();
        state_of(snapshot, &without, at) != whole
    };
    let mut causes: Vec<(Cause, i64)> = latest.into_iter().filter(|(cause, _)| matters(*cause)).collect();
    let rank = |cause: Cause| match cause {
        Cause::Item(item) => (shown.contains(&item), interest.get(&item).copied().unwrap_or(0.0)),
        _ => (false, 0.0),
    };
    causes.sort_by(|a, b| {
        let (first, second) = (rank(a.0), rank(b.0));
        second
            .0
            .cmp(&first.0)
            .then(second.1.total_cmp(&first.1))
            .then(b.1.cmp(&a.1))
            .then(number(a.0).cmp(&number(b.0)))
    });
    causes.into_iter().map(|(cause, _)| cause).collect()
}

fn state_of(snapshot: &Snapshot, events: &[Event], at: i64) -> UserState {
    snapshot.user_state(Recipient::Session(events), at)
}

/// Orders causes of the same weight and moment.
const fn number(cause: Cause) -> u64 {
    match cause {
        Cause::Item(item) | Cause::Offer(item) => item as u64,
        Cause::Query(text) => u32::MAX as u64 + 1 + text as u64,
        Cause::People | Cause::Popularity | Cause::Newness => u64::MAX,
    }
}
