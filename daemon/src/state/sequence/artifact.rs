//! The sequence model of a version: its bytes, the ids of its items, and the mapping to the shop's item numbers.

use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use mercer_learn::LearnError;
use mercer_learn::sequence::SequenceModel;
use mercer_rank::{Catalogue, Event, Log, SequenceScorer, Vectors};
use mercer_shared::ids::ItemId;
use rustc_hash::FxHashMap;

use crate::state::sequence::{TrainedSequenceModel, some_items};

/// A sequence model behind a mapping of item numbers.
#[derive(Debug)]
struct Renumbered {
    model: TrainedSequenceModel,
    /// Number of an item in the model by its number outside.
    inner: Vec<Option<u32>>,
}

/// A model in the item numbers of another log. Items that the model does not know score 0.
fn renumbered(
    model: &TrainedSequenceModel,
    inner: &[Option<u32>],
    histories: &[&[Event]],
    texts: Option<&Vectors>,
    at: i64,
    items: usize,
) -> Vec<Vec<f32>> {
    let of = |item: u32| inner.get(item as usize).copied().flatten();
    let read: Vec<Vec<Event>> = histories
        .iter()
        .map(|events| events.iter().map(|event| Event { item: event.item.and_then(of), ..*event }).collect())
        .collect();
    let slices: Vec<&[Event]> = read.iter().map(Vec::as_slice).collect();
    let rows = model.score(&slices, texts, at, model.0.items());
    let outside = |row: Vec<f32>| -> Vec<f32> {
        if row.is_empty() {
            return row;
        }
        (0..items as u32).map(|item| of(item).and_then(|n| row.get(n as usize)).copied().unwrap_or(0.0)).collect()
    };
    rows.into_iter().map(outside).collect()
}

impl SequenceScorer for Renumbered {
    fn score(&self, histories: &[&[Event]], texts: Option<&Vectors>, at: i64, items: usize) -> Vec<Vec<f32>> {
        renumbered(&self.model, &self.inner, histories, texts, at, items)
    }
}

/// Outer numbers of items that the model does not know.
fn unknown(inner: &[Option<u32>]) -> Vec<u32> {
    (0..).zip(inner).filter(|(_, inner)| inner.is_none()).map(|(outside, _)| outside).collect()
}

/// The sequence model with its mapping, as of a moment.
#[derive(Debug)]
struct Now {
    model: TrainedSequenceModel,
    /// Number of an item in the model by its number in the shop.
    inner: Vec<Option<u32>>,
    /// Moment up to which it has counted purchases.
    at: i64,
}

/// The sequence model of a version. Its weights do not change. [`SequenceArtifact::follow`] adds items and purchases that came since;
/// before its first call the model gives no scores.
#[derive(Debug)]
pub struct SequenceArtifact {
    ids: Arc<[ItemId]>,
    trained: TrainedSequenceModel,
    now: ArcSwap<Now>,
}

impl SequenceArtifact {
    /// A model with the ids of its items, in the order of its numbers.
    #[must_use]
    pub fn new(trained: TrainedSequenceModel, ids: Arc<[ItemId]>) -> Self {
        let now = Now { model: trained.clone(), inner: Vec::new(), at: trained.0.until() };
        Self { ids, trained, now: ArcSwap::from_pointee(now) }
    }

    /// Reads what [`SequenceArtifact::to_bytes`] and [`SequenceArtifact::ids`] wrote.
    ///
    /// # Errors
    /// As [`SequenceModel::from_bytes`], and for another number of ids than items.
    pub fn from_bytes(bytes: &[u8], ids: Arc<[ItemId]>, path: &Path) -> Result<Self, LearnError> {
        let model = SequenceModel::from_bytes(bytes, path)?;
        if model.items() != ids.len() {
            let why = format!("{} items, {} ids", model.items(), ids.len());
            return Err(LearnError::Broken { path: path.to_owned(), why });
        }
        Ok(Self::new(TrainedSequenceModel(model), ids))
    }

    /// The model as it was trained.
    ///
    /// # Errors
    /// As [`SequenceModel::to_bytes`].
    pub fn to_bytes(&self) -> Result<Vec<u8>, LearnError> {
        self.trained.0.to_bytes()
    }

    /// Ids of its items, in the order of its numbers.
    #[must_use]
    pub fn ids(&self) -> &[ItemId] {
        &self.ids
    }

    /// The model as it was trained, with what was taken up to a moment, in the numbers of a log whose items have these ids.
    #[must_use]
    pub fn as_of<'a>(&self, ids: impl Iterator<Item = &'a ItemId>, log: &Log, at: i64) -> Arc<dyn SequenceScorer> {
        let inner = self.numbers(ids);
        let model = self.trained.followed(log, at, |item| inner.get(item as usize).copied().flatten());
        Arc::new(Renumbered { model, inner })
    }

    /// Number in the model of each of these items.
    fn numbers<'a>(&self, ids: impl Iterator<Item = &'a ItemId>) -> Vec<Option<u32>> {
        let known: FxHashMap<&ItemId, u32> = self.ids.iter().zip(0..).collect();
        ids.map(|id| known.get(id).copied()).collect()
    }

    /// Numbers in the shop of the items that it was not trained with. `ids` are those of the catalogue, in the order of its numbers.
    #[must_use]
    pub fn fresh<'a>(&self, ids: impl Iterator<Item = &'a ItemId>) -> Vec<u32> {
        unknown(&self.numbers(ids))
    }

    /// Updates the model to a state of the shop as of a moment: adds new items by their vectors, and counts purchases
    /// up to then. `base_encoder` holds the vectors of the encoder that the model was trained with, at least those of
    /// the [`fresh`](Self::fresh) items. `ids` are those of the catalogue, in the order of its numbers.
    ///
    /// # Errors
    /// As [`SequenceModel::grown`].
    pub fn follow<'a>(
        &self,
        ids: impl Iterator<Item = &'a ItemId>,
        catalogue: &Catalogue,
        base_encoder: &Vectors,
        log: &Log,
        at: i64,
    ) -> Result<(), LearnError> {
        let mut inner = self.numbers(ids);
        let mut model = self.trained.clone();
        let fresh = unknown(&inner);
        let later = some_items(catalogue, Some(base_encoder), model.0.dim(), fresh.iter().copied())?;
        model = TrainedSequenceModel(model.0.grown(&later)?);
        for (number, outside) in (self.ids.len() as u32..).zip(fresh) {
            inner[outside as usize] = Some(number);
        }
        let of = |item: u32| inner.get(item as usize).copied().flatten();
        model = model.followed(log, at, of);
        let at = at.max(self.trained.0.until());
        self.now.store(Arc::new(Now { model, inner, at }));
        Ok(())
    }
}

impl SequenceScorer for SequenceArtifact {
    fn score(&self, histories: &[&[Event]], texts: Option<&Vectors>, at: i64, items: usize) -> Vec<Vec<f32>> {
        let now = self.now.load();
        if now.inner.is_empty() {
            return vec![Vec::new(); histories.len()];
        }
        // For a moment before today, purchases after it must not count.
        let model = if now.at <= at { &now.model } else { &self.trained };
        renumbered(model, &now.inner, histories, texts, at, items)
    }
}
