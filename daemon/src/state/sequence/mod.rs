//! The sequence model as a source of the ranker: implements the ranker's interface for a trained model, and prepares
//! its inputs. [`artifact`] adds what a version needs: the shop's item numbers, new items and current popularity.

pub mod artifact;

use std::collections::BTreeSet;
use std::collections::hash_map::Entry;

use mercer_learn::LearnError;
use mercer_learn::sequence::{
    BasketGrouping, ItemFeatures, SequenceEvent, SequenceModel, SequenceOptions, TargetEvent,
};
use mercer_rank::{Catalogue, DAY_MS, Event, Log, SequenceScorer, Vectors};
use rustc_hash::FxHashMap;

/// A trained model behind the ranker's interface; items have the numbers that it was trained with.
#[derive(Debug, Clone)]
pub struct TrainedSequenceModel(pub(crate) SequenceModel);

impl TrainedSequenceModel {
    /// The model itself.
    #[must_use]
    pub const fn model(&self) -> &SequenceModel {
        &self.0
    }

    /// The model with the purchases between its training and `at` counted in its popularity prior. `number` gives the
    /// model's number of an item of the log.
    #[must_use]
    pub fn followed(&self, log: &Log, at: i64, number: impl Fn(u32) -> Option<u32>) -> Self {
        let (target, since) = (self.0.options().target, self.0.until());
        let mut taken: Vec<(i64, u32, u32)> = Vec::new();
        for user in 0..log.users() as u32 {
            let events = log.between(user, since, at).iter().filter(|e| e.kind as u8 == target);
            taken.extend(events.filter_map(|e| Some((e.at, user, number(e.item?)?))));
        }
        // Once for a user, item and day, in the order of time.
        taken.sort_unstable_by_key(|(at, user, item)| (at.div_euclid(DAY_MS), *user, *item, *at));
        taken.dedup_by_key(|(at, user, item)| (at.div_euclid(DAY_MS), *user, *item));
        taken.sort_unstable();
        let mut model = self.0.clone();
        model.observe(taken.into_iter().map(|(at, _, item)| TargetEvent { at, item }));
        Self(model)
    }
}

/// Latest events of a user in which searches are read: far more than the model has tokens, and a bound on the cost of a
/// list for a user with tens of thousands of searches.
const LOOKED_AT: usize = 1_000;

/// Vectors of the searches that some users made, row after row.
#[derive(Default)]
pub(crate) struct Searches {
    pub(crate) row_of: FxHashMap<u32, u32>,
    pub(crate) flat: Vec<f32>,
}

impl Searches {
    /// Collects the vectors of these texts, in the order of their first mention. Texts without a vector of the model's
    /// width are left out.
    pub(crate) fn of(texts: Option<&Vectors>, dim: usize, asked: impl IntoIterator<Item = u32>) -> Self {
        let mut out = Self::default();
        let Some(texts) = texts.filter(|texts| texts.dim() == dim) else { return out };
        for text in asked {
            let next = out.row_of.len() as u32;
            if let (Entry::Vacant(slot), Some(vector)) = (out.row_of.entry(text), texts.get(text)) {
                slot.insert(next);
                out.flat.extend_from_slice(vector);
            }
        }
        out
    }

    /// Row of a text; none where it has no vector.
    pub(crate) fn row(&self, text: u32) -> Option<u32> {
        self.row_of.get(&text).copied()
    }
}

/// Events as the model reads them: those with an item that it knows (`number` gives its number in the model), and searches whose text has a
/// vector.
pub(crate) fn interactions(
    events: &[Event],
    number: impl Fn(u32) -> Option<u32>,
    searches: &Searches,
) -> Vec<SequenceEvent> {
    let one = |e: &Event| {
        let (item, text) = match e.text {
            Some(text) => (None, Some(searches.row(text)?)),
            None => (Some(number(e.item?)?), None),
        };
        Some(SequenceEvent { item, text, kind: e.kind as u8, value: e.value, at: e.at })
    };
    events.iter().filter_map(one).collect()
}

impl SequenceScorer for TrainedSequenceModel {
    fn score(&self, histories: &[&[Event]], texts: Option<&Vectors>, at: i64, items: usize) -> Vec<Vec<f32>> {
        let known = self.0.items();
        let number = |item: u32| ((item as usize) < known).then_some(item);
        // By number, so that a user's rows have the same order alone and among others.
        let latest = histories.iter().flat_map(|events| events.iter().rev().take(LOOKED_AT));
        let asked: BTreeSet<u32> = latest.filter_map(|e| e.text).collect();
        let searches = Searches::of(texts.filter(|_| self.0.knows_queries()), self.0.dim(), asked);
        let read: Vec<Vec<SequenceEvent>> =
            histories.iter().map(|events| interactions(events, number, &searches)).collect();
        let slices: Vec<&[SequenceEvent]> = read.iter().map(Vec::as_slice).collect();
        let mut flat = vec![0f32; slices.len() * known];
        if let Err(error) = self.0.score_many(&slices, &searches.flat, at, &mut flat) {
            tracing::error!(%error, "the sequence model gives no scores");
            return vec![Vec::new(); histories.len()];
        }
        let shares = |row: &[f32]| {
            // Nats become shares of the best; an item that came after the model has none.
            let best = row.iter().copied().fold(f32::MIN, f32::max);
            let mut out: Vec<f32> = row.iter().map(|x| (x - best).exp()).collect();
            out.resize(items, 0.0);
            out
        };
        flat.chunks_exact(known.max(1)).map(shares).collect()
    }
}

/// Items as the model reads them: prices and vectors that no training moves.
///
/// # Errors
/// [`LearnError::Option`] for vectors that are not finite.
pub fn items(catalogue: &Catalogue, vectors: Option<&Vectors>) -> Result<ItemFeatures, LearnError> {
    some_items(catalogue, vectors, vectors.map_or(0, Vectors::dim), 0..catalogue.len() as u32)
}

/// Some of them, in the order given.
pub(crate) fn some_items(
    catalogue: &Catalogue,
    vectors: Option<&Vectors>,
    dim: usize,
    which: impl Iterator<Item = u32>,
) -> Result<ItemFeatures, LearnError> {
    let (mut flat, mut prices) = (Vec::new(), Vec::new());
    for number in which {
        match vectors.and_then(|vectors| vectors.get(number)).filter(|vector| vector.len() == dim) {
            Some(vector) => flat.extend_from_slice(vector),
            None => flat.resize(flat.len() + dim, 0.0),
        }
        prices.push(catalogue.get(number).and_then(|facts| facts.price).unwrap_or(0.0));
    }
    ItemFeatures::new(dim, flat.into(), prices.into())
}

/// Options of a model for a log: times follow the log's window; target and baskets follow the log.
#[must_use]
pub fn options(log: &Log, until: i64, seed: u64) -> SequenceOptions {
    let shape = log.summary(until);
    SequenceOptions {
        target: shape.target as u8,
        grouping: if shape.day_resolution { BasketGrouping::Day } else { BasketGrouping::Moment },
        seed,
        ..SequenceOptions::for_window(shape.window_days() as f64)
    }
}
