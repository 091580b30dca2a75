//! The trained sequence model for serving: plain numbers in, plain numbers out, as of one cut-off.

use std::fmt;
use std::sync::Arc;

use candle_core::Tensor;
use rayon::prelude::*;

use super::collate::{CollateInput, HistoryMoment, collate};
use super::data::{ItemFeatures, SequenceEvent, check};
use super::graph::{Graph, GraphInput};
use super::history::UserHistory;
use super::input_norm::InputNorm;
use super::options::SequenceOptions;
use super::popularity::{HORIZONS, Popularity, TargetEvent};
use super::repeats::{RepeatCandidate, repeat_candidates};
use super::step::{repeat_batch, table_rows};
use crate::error::{LearnError, Result};
use crate::ops::dot;

/// Encoding of one user at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct UserEncoding {
    /// `width` values; the dot product with an item's embedding is part of its score.
    pub vector: Vec<f32>,
    /// Weights on [`Popularity::feature`].
    pub prior: [f32; HORIZONS],
    /// Score added to items that the user had before: item (ascending) and score.
    pub repeat: Vec<(u32, f32)>,
}

/// A trained sequence model with the vectors of a catalogue. Cloning shares the weights.
#[derive(Clone)]
pub struct SequenceModel {
    pub(super) parts: ModelParts,
    /// `[items, width + EXTRA]`.
    pub(super) table: Tensor,
    /// `[items, width]`.
    embeddings: Arc<[f32]>,
    pub(super) bands: Arc<[u8]>,
    /// Popularity features of every item.
    features: Arc<[[f32; HORIZONS]]>,
}

impl fmt::Debug for SequenceModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut f = f.debug_struct("SequenceModel");
        f.field("items", &self.items()).field("width", &self.width()).field("until", &self.parts.until);
        f.finish_non_exhaustive()
    }
}

fn features(popularity: &Popularity) -> Arc<[[f32; HORIZONS]]> {
    (0..popularity.items() as u32).map(|i| popularity.feature(i)).collect()
}

/// Users encoded in one batch.
const USERS_PER_BATCH: usize = 64;

/// Parts of a model that do not depend on the catalogue.
#[derive(Clone)]
pub(super) struct ModelParts {
    pub(super) options: SequenceOptions,
    pub(super) graph: Arc<Graph>,
    pub(super) norm: InputNorm,
    pub(super) popularity: Popularity,
    /// Cut-off of the training data, UTC milliseconds.
    pub(super) until: i64,
}

/// Vectors and price bands of a catalogue.
pub(super) struct ItemTable {
    /// `[items, width + EXTRA]`.
    pub(super) vectors: Tensor,
    pub(super) bands: Vec<u8>,
}

impl SequenceModel {
    /// Over the catalogue that the model was trained on.
    pub(super) fn with_catalogue(parts: ModelParts, items: &ItemFeatures) -> Result<Self> {
        let dims = parts.graph.dims;
        if items.dim() != dims.text || items.len() != dims.items {
            let why = format!("{} items of width {}, the model has {dims:?}", items.len(), items.dim());
            return Err(LearnError::Option { name: "items", why });
        }
        let known: Vec<u32> = (0..dims.items as u32).collect();
        let vectors = parts.graph.items(&known, &parts.norm.items(items, &known)?, None)?.detach();
        let bands = parts.norm.bands(items);
        Self::with_table(parts, ItemTable { vectors, bands })
    }

    /// Over items whose vectors and price bands are known.
    pub(super) fn with_table(mut parts: ModelParts, items: ItemTable) -> Result<Self> {
        let ItemTable { vectors: table, bands } = items;
        parts.popularity.grow(bands.len());
        let width = parts.graph.dims.width;
        let embeddings: Vec<f32> = table.narrow(1, 0, width)?.contiguous()?.flatten_all()?.to_vec1()?;
        let (embeddings, bands, features) = (embeddings.into(), bands.into(), features(&parts.popularity));
        Ok(Self { parts, table, embeddings, bands, features })
    }

    /// The same model over a catalogue that has grown: the items of `later` score through their text alone.
    ///
    /// # Errors
    /// [`LearnError::Option`] when their vectors have another width.
    pub fn grown(&self, later: &ItemFeatures) -> Result<Self> {
        if later.dim() != self.dim() {
            let why = format!("vectors of width {}, the model has {}", later.dim(), self.dim());
            return Err(LearnError::Option { name: "items", why });
        }
        let all: Vec<u32> = (0..later.len() as u32).collect();
        let rows = self.parts.graph.texts(&self.parts.norm.items(later, &all)?)?;
        let vectors = Tensor::cat(&[&self.table, &rows], 0)?.detach();
        let bands = self.bands.iter().copied().chain(self.parts.norm.bands(later)).collect();
        Self::with_table(self.parts.clone(), ItemTable { vectors, bands })
    }

    /// Number of items scored.
    #[must_use]
    pub fn items(&self) -> usize {
        self.bands.len()
    }

    /// Width of the text vectors of items.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.parts.graph.dims.text
    }

    /// Whether the model was trained on queries; otherwise queries have no effect.
    #[must_use]
    pub fn knows_queries(&self) -> bool {
        self.parts.norm.knows_queries
    }

    /// Width of user vectors and item embeddings.
    #[must_use]
    pub fn width(&self) -> usize {
        self.parts.graph.dims.width
    }

    /// Cut-off of the training data, UTC milliseconds. Only [`SequenceModel::observe`] adds later events.
    #[must_use]
    pub fn until(&self) -> i64 {
        self.parts.until
    }

    /// Settings of the training.
    #[must_use]
    pub fn options(&self) -> &SequenceOptions {
        &self.parts.options
    }

    /// Embedding of an item, `width` values; empty for an unknown one.
    #[must_use]
    pub fn embedding(&self, item: u32) -> &[f32] {
        let at = item as usize * self.width();
        self.embeddings.get(at..at + self.width()).unwrap_or_default()
    }

    /// Updates the popularity prior between trainings with items and the times at which users took them, once per user, basket and item. Costs a
    /// pass over the catalogue, so call it with many events at once.
    pub fn observe(&mut self, taken: impl IntoIterator<Item = TargetEvent>) {
        taken.into_iter().for_each(|e| self.parts.popularity.observe(e.item, e.at));
        self.features = features(&self.parts.popularity);
    }

    /// Encodes users as of `at`; later events are not read. `queries` are encoder vectors, the rows that [`SequenceEvent::text`] names.
    ///
    /// # Errors
    /// [`LearnError::Option`] for events whose item, query or kind does not exist.
    pub fn encode_users(&self, users: &[&[SequenceEvent]], queries: &[f32], at: i64) -> Result<Vec<UserEncoding>> {
        let parts: Vec<Vec<UserEncoding>> =
            users.chunks(USERS_PER_BATCH).map(|some| self.encode_batch(some, queries, at)).collect::<Result<_>>()?;
        Ok(parts.into_iter().flatten().collect())
    }

    fn encode_batch(&self, users: &[&[SequenceEvent]], queries: &[f32], at: i64) -> Result<Vec<UserEncoding>> {
        let ModelParts { options: o, graph, norm, .. } = &self.parts;
        users.iter().try_for_each(|events| check(events, self.items(), queries, graph.dims.text))?;
        let histories: Vec<UserHistory> =
            users.par_iter().map(|events| UserHistory::new(events, at, o.grouping)).collect();
        let inputs: Vec<CollateInput<'_>> = histories
            .iter()
            .map(|history| {
                let known = history.baskets.len();
                let moments = vec![HistoryMoment { known, at }];
                CollateInput { history, from: history.context(known, o.tokens), moments }
            })
            .collect();
        let batch = collate(&inputs, o.tokens, &self.bands);
        let candidates: Vec<Vec<RepeatCandidate>> =
            histories.par_iter().map(|h| repeat_candidates(h, h.baskets.len(), at, o.target, o.repeat_items)).collect();
        let rows = table_rows(&batch, |i| Some(i as usize), self.items());
        let (repeats, _) = repeat_batch(&candidates, |i| Some(i as usize))?;
        let table = if rows.queries.is_empty() {
            self.table.clone()
        } else {
            Tensor::cat(&[&self.table, &graph.texts(&norm.queries(queries, &rows.queries)?)?], 0)?
        };
        let points = graph.forward(GraphInput { batch, table: &table, row_of: rows.row_of, dropout: None })?;
        let scores: Vec<f32> = graph.repeats(&repeats, &points, &table)?.to_vec1()?;
        let (vectors, priors) = (points.user_vectors.to_vec2::<f32>()?, points.prior.to_vec2::<f32>()?);
        let mut scores = scores.into_iter();
        let users = vectors.into_iter().zip(priors).zip(&candidates);
        Ok(users
            .map(|((vector, prior), candidates)| UserEncoding {
                vector,
                prior: std::array::from_fn(|h| prior[h]),
                repeat: candidates.iter().map(|c| c.item).zip(scores.by_ref()).collect(),
            })
            .collect())
    }

    /// Score of an item for a user.
    #[must_use]
    pub fn score_item(&self, user: &UserEncoding, item: u32) -> f32 {
        let feature = self.features.get(item as usize).copied().unwrap_or_default();
        let prior: f32 = feature.iter().zip(user.prior).map(|(f, w)| f * w).sum();
        let again = user.repeat.binary_search_by_key(&item, |r| r.0).map_or(0.0, |at| user.repeat[at].1);
        let embedding = self.embedding(item);
        if embedding.is_empty() { f32::NEG_INFINITY } else { dot(&user.vector, embedding) + prior + again }
    }

    /// Scores of all items for a user, `out [items]`.
    pub fn score_user(&self, user: &UserEncoding, out: &mut [f32]) {
        let width = self.width();
        for ((out, e), feature) in out.iter_mut().zip(self.embeddings.chunks_exact(width)).zip(self.features.iter()) {
            *out = dot(&user.vector, e) + feature.iter().zip(user.prior).map(|(f, w)| f * w).sum::<f32>();
        }
        for (item, score) in &user.repeat {
            if let Some(out) = out.get_mut(*item as usize) {
                *out += score;
            }
        }
    }

    /// Scores of all items for one user as of `at`, `out [items]`, in nats up to a constant: differences are log odds of being taken next.
    ///
    /// # Errors
    /// As [`SequenceModel::encode_users`], and [`LearnError::Option`] when `out` has another length.
    pub fn score(&self, events: &[SequenceEvent], queries: &[f32], at: i64, out: &mut [f32]) -> Result<()> {
        self.score_many(&[events], queries, at, out)
    }

    /// The same for many users, `out [users, items]` by rows.
    ///
    /// # Errors
    /// As [`SequenceModel::score`].
    pub fn score_many(&self, users: &[&[SequenceEvent]], queries: &[f32], at: i64, out: &mut [f32]) -> Result<()> {
        if out.len() != users.len() * self.items() {
            let why = format!("room for {} of {} times {} scores", out.len(), users.len(), self.items());
            return Err(LearnError::Option { name: "out", why });
        }
        let encodings = self.encode_users(users, queries, at)?;
        if self.items() > 0 {
            out.par_chunks_mut(self.items()).zip(&encodings).for_each(|(out, user)| self.score_user(user, out));
        }
        Ok(())
    }
}
