//! Lists: eligible items, scored by a blend, best first, always filled up while there are eligible items.
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::blend::BlendWeights;
use crate::catalogue::Catalogue;
use crate::error::RankError;
use crate::log::{Event, Log};
use crate::memory::Memory;
use crate::sequence::SequenceModel;
use crate::shopper::Shopper;
use crate::sources::{Columns, Source};

/// What a reader sees: log, catalogue and memory of one moment. Cloning shares everything.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// The log.
    pub log: Log,
    /// The items.
    pub catalogue: Catalogue,
    /// What was fitted.
    pub memory: Arc<Memory>,
}

/// Whom a list is for.
#[derive(Debug, Clone, Copy)]
pub enum For<'a> {
    /// A shopper of the log; an unknown number gets the popular items.
    User(u32),
    /// Events of a session, sorted by time, that are in no shopper's log.
    Session(&'a [Event]),
}

/// Which items may appear with regard to what the shopper has bought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Any item.
    #[default]
    All,
    /// Only items that the shopper never bought.
    New,
    /// Any item, with repeats welcome: the same eligibility as `All`.
    Repeat,
}

/// Which items may appear with regard to the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Candidates {
    /// All items.
    #[default]
    All,
    /// Items with at least one purchase at or before the moment.
    Warm,
    /// Items without any.
    Cold,
}

/// A request for a list.
pub struct Request<'a> {
    /// Length.
    pub k: usize,
    /// With regard to the shopper.
    pub mode: Mode,
    /// With regard to the log.
    pub candidates: Candidates,
    /// Items to leave out, ascending.
    pub exclude: &'a [u32],
    /// Filter of the caller: category, brand, price.
    pub allow: Option<&'a (dyn Fn(u32) -> bool + Sync)>,
    /// Leave out items that are not in stock.
    pub in_stock_only: bool,
    /// Items that nobody has bought yet are listed if they become available by this moment; where none is given, by that of the list.
    /// A later one is for lists that are held against a window: who came in it saw what arrived in it.
    pub arriving_by: Option<i64>,
    /// Weights of the blend.
    pub weights: &'a BlendWeights,
}

impl<'a> Request<'a> {
    /// A plain request for `k` items of any kind.
    pub fn new(k: usize, weights: &'a BlendWeights) -> Self {
        Self {
            k,
            mode: Mode::All,
            candidates: Candidates::All,
            exclude: &[],
            allow: None,
            in_stock_only: false,
            arriving_by: None,
            weights,
        }
    }

    /// The same for lists that are held against what was taken by `end`. Cold items are ranked among themselves, and most shops sell what
    /// they list from the day on which they list it, so that hardly any is cold before the window: those that arrive in it are listed too.
    #[must_use]
    pub fn held_against(self, end: i64) -> Self {
        Self { arriving_by: (self.candidates == Candidates::Cold).then_some(end), ..self }
    }
}

/// An item of a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scored {
    /// The item.
    pub item: u32,
    /// Its score; comparable within one list only.
    pub score: f32,
    /// What each source added, in the order of the weights.
    pub parts: Vec<(Source, f32)>,
    /// Natural logarithm of its share of the softmax over all candidates, which probabilities are fitted on; none where no ranker
    /// ordered it.
    pub share: Option<f32>,
}

impl Snapshot {
    /// The same with a sequence model among the sources; what is fitted is shared.
    #[must_use]
    pub fn with_sequence(&self, model: Arc<dyn SequenceModel>) -> Self {
        Self { memory: Arc::new(Memory::clone(&self.memory).with_sequence(Some(model))), ..self.clone() }
    }

    /// Reads the shopper as of `at`.
    pub fn shopper(&self, whom: For<'_>, at: i64) -> Shopper {
        self.memory.shopper(self.history(whom, at), at)
    }

    /// Events up to a moment.
    pub(crate) fn history<'a>(&'a self, whom: For<'a>, at: i64) -> &'a [Event] {
        match whom {
            For::User(u) => self.log.until(u, at),
            For::Session(events) => &events[..events.partition_point(|e| e.at <= at)],
        }
    }

    /// Whether the memory may speak about a moment.
    ///
    /// # Errors
    /// [`RankError::FromTheFuture`] when it knows later events.
    pub(crate) fn check(&self, at: i64) -> Result<(), RankError> {
        let fitted = self.memory.at();
        if fitted > at { Err(RankError::FromTheFuture { fitted, asked: at }) } else { Ok(()) }
    }

    /// The items that may be listed for a shopper, ascending.
    pub(crate) fn eligible(&self, shopper: &Shopper, r: &Request<'_>) -> Vec<u32> {
        (0..self.catalogue.len() as u32).filter(|&i| self.is_eligible(shopper, r, i)).collect()
    }

    /// Whether an item may be listed at all.
    fn is_eligible(&self, shopper: &Shopper, r: &Request<'_>, item: u32) -> bool {
        let Some(f) = self.catalogue.get(item) else { return false };
        let warm = self.memory.is_warm(item);
        let right_kind = match r.candidates {
            Candidates::All => true,
            Candidates::Warm => warm,
            Candidates::Cold => !warm,
        };
        right_kind
            && !f.hidden
            && (f.in_stock || !r.in_stock_only)
            && (warm || f.available_from.is_none_or(|t| t <= r.arriving_by.unwrap_or(shopper.at)))
            && !(r.mode == Mode::New && shopper.own(item).is_some())
            && shopper.dismissed.binary_search(&item).is_err()
            && r.exclude.binary_search(&item).is_err()
            && r.allow.is_none_or(|allow| allow(item))
    }
}

/// Recommends from what was known at `at`.
///
/// # Errors
/// [`RankError::FromTheFuture`] when the snapshot's memory knows events after `at`: fit one for that moment.
pub fn recommend(s: &Snapshot, whom: For<'_>, at: i64, r: &Request<'_>) -> Result<Vec<Scored>, RankError> {
    s.check(at)?;
    let shopper = s.shopper(whom, at);
    Ok(blended(s, &shopper, &mut Columns::new(s, &shopper, whom), r))
}

/// The list of a shopper whose columns stand ready.
pub(crate) fn blended(s: &Snapshot, shopper: &Shopper, columns: &mut Columns<'_>, r: &Request<'_>) -> Vec<Scored> {
    let eligible = s.eligible(shopper, r);
    let weights = if r.mode == Mode::New { &r.weights.unseen } else { &r.weights.any };
    blend(s, columns, &eligible, weights, r.k)
}

/// The best `k` of the eligible items by the weighted sum of sources, each divided by its largest eligible value.
pub(crate) fn blend(
    s: &Snapshot,
    columns: &mut Columns<'_>,
    eligible: &[u32],
    weights: &[(Source, f32)],
    k: usize,
) -> Vec<Scored> {
    let mut score = vec![0f32; eligible.len()];
    let mut scales = Vec::with_capacity(weights.len());
    for &(source, w) in weights {
        let column = columns.get(source);
        let max = eligible.iter().fold(0f32, |m, &i| m.max(column[i as usize]));
        let scale = if max > 0.0 { w / max } else { 0.0 };
        if scale != 0.0 {
            for (slot, &i) in score.iter_mut().zip(eligible) {
                *slot += scale * column[i as usize];
            }
        }
        scales.push(scale);
    }
    let order: Vec<(f32, u32)> = score.into_iter().zip(eligible.iter().copied()).collect();
    best(s, order, k)
        .into_iter()
        .map(|(score, item)| {
            let parts = weights
                .iter()
                .zip(&scales)
                .map(|(&(source, _), &scale)| (source, scale * columns.get(source)[item as usize]))
                .filter(|p| p.1 != 0.0)
                .collect();
            Scored { item, score, parts, share: None }
        })
        .collect()
}

/// Sorts by score, then by all-time purchases (so that a list without signal is still a sensible one), then by tie-break key.
pub(crate) fn best(s: &Snapshot, mut order: Vec<(f32, u32)>, k: usize) -> Vec<(f32, u32)> {
    let count = |i: u32| s.memory.stats(i).map_or(0.0, |r| r.count);
    let by = |a: &(f32, u32), b: &(f32, u32)| {
        b.0.total_cmp(&a.0)
            .then_with(|| count(b.1).total_cmp(&count(a.1)))
            .then_with(|| s.catalogue.tie(a.1).cmp(&s.catalogue.tie(b.1)))
            .then(a.1.cmp(&b.1))
    };
    if k < order.len() {
        if k == 0 {
            return Vec::new();
        }
        order.select_nth_unstable_by(k - 1, by);
        order.truncate(k);
    }
    order.sort_unstable_by(by);
    order
}

/// Items that go with an item: co-occurrence first, then likeness of the texts; filled up with popularity.
///
/// # Errors
/// As [`recommend`].
pub fn related(s: &Snapshot, item: u32, at: i64, r: &Request<'_>) -> Result<Vec<Scored>, RankError> {
    let seed = [Event { item: Some(item), text: None, kind: s.memory.shape().target, value: 1.0, at }];
    let weights = [(Source::Knn, 1.0), (Source::Content, 0.5), (Source::Category, 0.02), (Source::Popular30, 1e-3)];
    anonymous(s, &seed, item, at, r, &weights)
}

/// Items whose sales grow against their own past.
///
/// # Errors
/// As [`recommend`].
pub fn trending(s: &Snapshot, at: i64, r: &Request<'_>) -> Result<Vec<Scored>, RankError> {
    anonymous(s, &[], u32::MAX, at, r, &[(Source::Trending, 1.0), (Source::Popular7, 1e-3)])
}

fn anonymous(
    s: &Snapshot,
    events: &[Event],
    but: u32,
    at: i64,
    r: &Request<'_>,
    w: &[(Source, f32)],
) -> Result<Vec<Scored>, RankError> {
    s.check(at)?;
    let shopper = s.memory.shopper(events, at);
    let mut eligible = s.eligible(&shopper, r);
    eligible.retain(|&i| i != but);
    let mut columns = Columns::new(s, &shopper, For::Session(events));
    Ok(blend(s, &mut columns, &eligible, w, r.k))
}
