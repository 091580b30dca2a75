//! The network as it serves: plain numbers in, plain numbers out, as of one cut-off.

use std::fmt;
use std::sync::Arc;

use rayon::prelude::*;

use super::arrange::{Ask, arrange};
use super::baskets::Story;
use super::data::{Interaction, Items, check};
use super::frame::Frame;
use super::graph::Graph;
use super::options::BehaviourOptions;
use super::popularity::{HORIZONS, Popularity};
use super::repeat::{Had, had};
use super::step::{place, repeat_rows};
use crate::error::{LearnError, Result};
use crate::ops::dot;

/// What the network makes of one shopper at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct User {
    /// Times an item's embedding is the item's score.
    pub vector: Vec<f32>,
    /// Weights of [`Popularity::feature`].
    pub prior: [f32; HORIZONS],
    /// Added to the scores of items that the shopper had: item, ascending, and score.
    pub repeat: Vec<(u32, f32)>,
}

/// A trained network with the vectors of a catalogue. Cloning shares the weights.
#[derive(Clone)]
pub struct Network {
    pub(super) options: BehaviourOptions,
    pub(super) graph: Arc<Graph>,
    pub(super) frame: Frame,
    pub(super) popularity: Popularity,
    until: i64,
    /// `[items, width + EXTRA]`.
    pub(super) table: candle_core::Tensor,
    /// `[items, width]`.
    embeddings: Arc<[f32]>,
    pub(super) bands: Arc<[u8]>,
    /// Popularity features of every item.
    features: Arc<[[f32; HORIZONS]]>,
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut f = f.debug_struct("Network");
        f.field("items", &self.items()).field("width", &self.width()).field("until", &self.until);
        f.finish_non_exhaustive()
    }
}

fn features(popularity: &Popularity) -> Arc<[[f32; HORIZONS]]> {
    (0..popularity.items() as u32).map(|i| popularity.feature(i)).collect()
}

/// Shoppers that go through the graph together.
const TOGETHER: usize = 64;

impl Network {
    /// Over the catalogue that it was trained on.
    pub(super) fn build(
        options: BehaviourOptions,
        graph: Arc<Graph>,
        frame: Frame,
        popularity: Popularity,
        until: i64,
        items: &Items,
    ) -> Result<Self> {
        if items.dim() != graph.dims.text || items.len() != graph.dims.items {
            let why = format!("{} items of width {}, the network has {:?}", items.len(), items.dim(), graph.dims);
            return Err(LearnError::Option { name: "items", why });
        }
        let known: Vec<u32> = (0..graph.dims.items as u32).collect();
        let table = graph.items(&known, &frame.items(items, &known)?, None)?.detach();
        let bands = frame.bands(items);
        Self::of_table(options, graph, frame, popularity, until, (table, bands))
    }

    /// Over items whose rows and price bands are known.
    pub(super) fn of_table(
        options: BehaviourOptions,
        graph: Arc<Graph>,
        frame: Frame,
        mut popularity: Popularity,
        until: i64,
        (table, bands): (candle_core::Tensor, Vec<u8>),
    ) -> Result<Self> {
        popularity.grow(bands.len());
        let embeddings: Vec<f32> = table.narrow(1, 0, graph.dims.width)?.contiguous()?.flatten_all()?.to_vec1()?;
        let (embeddings, bands, features) = (embeddings.into(), bands.into(), features(&popularity));
        Ok(Self { options, graph, frame, popularity, until, table, embeddings, bands, features })
    }

    /// The same network over a catalogue that has grown: `later` items score through their text alone.
    ///
    /// # Errors
    /// [`LearnError::Option`] when their vectors have another width.
    pub fn grown(&self, later: &Items) -> Result<Self> {
        if later.dim() != self.graph.dims.text {
            let why = format!("vectors of width {}, the network has {}", later.dim(), self.graph.dims.text);
            return Err(LearnError::Option { name: "items", why });
        }
        let all: Vec<u32> = (0..later.len() as u32).collect();
        let rows = self.graph.texts(&self.frame.items(later, &all)?)?;
        let table = candle_core::Tensor::cat(&[&self.table, &rows], 0)?.detach();
        let bands = self.bands.iter().copied().chain(self.frame.bands(later)).collect();
        let (graph, frame) = (self.graph.clone(), self.frame.clone());
        Self::of_table(self.options.clone(), graph, frame, self.popularity.clone(), self.until, (table, bands))
    }

    /// Number of items scored.
    #[must_use]
    pub fn items(&self) -> usize {
        self.bands.len()
    }

    /// Width of the text vectors of items.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.graph.dims.text
    }

    /// Whether it has learned from searches: one that has not makes nothing of them.
    #[must_use]
    pub fn knows_queries(&self) -> bool {
        self.frame.knows_queries
    }

    /// Width of user vector and item embeddings.
    #[must_use]
    pub fn width(&self) -> usize {
        self.graph.dims.width
    }

    /// Cut-off: nothing later has entered, but for what [`Network::observe`] was told.
    #[must_use]
    pub fn until(&self) -> i64 {
        self.until
    }

    /// Settings it was trained with.
    #[must_use]
    pub fn options(&self) -> &BehaviourOptions {
        &self.options
    }

    /// Embedding of an item, `width` values; empty for an unknown one.
    #[must_use]
    pub fn embedding(&self, item: u32) -> &[f32] {
        let at = item as usize * self.width();
        self.embeddings.get(at..at + self.width()).unwrap_or_default()
    }

    /// Keeps the popularity prior fresh between trainings: items that shoppers took, and when, once per shopper, basket and item. Costs a pass over the
    /// catalogue, so let some come together.
    pub fn observe(&mut self, takings: impl IntoIterator<Item = (u32, i64)>) {
        takings.into_iter().for_each(|(item, at)| self.popularity.observe(item, at));
        self.features = features(&self.popularity);
    }

    /// Makes users of shoppers as of `at`; later interactions are not read. `queries` are vectors of the encoder, rows that
    /// [`Interaction::text`] names.
    ///
    /// # Errors
    /// [`LearnError::Option`] for interactions that name what does not exist.
    pub fn users(&self, shoppers: &[&[Interaction]], queries: &[f32], at: i64) -> Result<Vec<User>> {
        let parts: Vec<Vec<User>> =
            shoppers.chunks(TOGETHER).map(|some| self.some_users(some, queries, at)).collect::<Result<_>>()?;
        Ok(parts.into_iter().flatten().collect())
    }

    fn some_users(&self, shoppers: &[&[Interaction]], queries: &[f32], at: i64) -> Result<Vec<User>> {
        let o = &self.options;
        shoppers.iter().try_for_each(|events| check(events, self.items(), queries, self.graph.dims.text))?;
        let stories: Vec<Story> = shoppers.par_iter().map(|events| Story::new(events, at, o.grouping)).collect();
        let asks: Vec<Ask<'_>> = stories
            .iter()
            .map(|story| {
                let known = story.baskets.len();
                Ask { story, from: story.context(known, o.tokens), questions: vec![(known, at)] }
            })
            .collect();
        let rows = arrange(&asks, o.tokens, &self.bands);
        let had: Vec<Vec<Had>> = stories.par_iter().map(|s| had(s, s.baskets.len(), at, o.target, o.had)).collect();
        let (row_of, texts) = place(&rows, |i| Some(i as usize), self.items());
        let (repeats, _) = repeat_rows(&had, |i| Some(i as usize))?;
        let table = if texts.is_empty() {
            self.table.clone()
        } else {
            candle_core::Tensor::cat(&[&self.table, &self.graph.texts(&self.frame.queries(queries, &texts)?)?], 0)?
        };
        let answers = self.graph.answers(rows, &table, row_of, None, 0.0)?;
        let scores: Vec<f32> = self.graph.repeats(&repeats, &answers, &table)?.to_vec1()?;
        let (vectors, priors) = (answers.users.to_vec2::<f32>()?, answers.prior.to_vec2::<f32>()?);
        let mut scores = scores.into_iter();
        let user = |((vector, prior), had): ((Vec<f32>, Vec<f32>), &Vec<Had>)| User {
            vector,
            prior: std::array::from_fn(|h| prior[h]),
            repeat: had.iter().map(|h| h.item).zip(scores.by_ref()).collect(),
        };
        Ok(vectors.into_iter().zip(priors).zip(&had).map(user).collect())
    }

    /// Score of an item for a user.
    #[must_use]
    pub fn score_item(&self, user: &User, item: u32) -> f32 {
        let feature = self.features.get(item as usize).copied().unwrap_or_default();
        let prior: f32 = feature.iter().zip(user.prior).map(|(f, w)| f * w).sum();
        let again = user.repeat.binary_search_by_key(&item, |r| r.0).map_or(0.0, |at| user.repeat[at].1);
        let embedding = self.embedding(item);
        if embedding.is_empty() { f32::NEG_INFINITY } else { dot(&user.vector, embedding) + prior + again }
    }

    /// Scores of all items for a user, `out [items]`.
    pub fn score_user(&self, user: &User, out: &mut [f32]) {
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

    /// Scores of all items for one shopper as of `at`, `out [items]`, in nats up to a constant: differences are log odds of being taken next.
    ///
    /// # Errors
    /// As [`Network::users`], and [`LearnError::Option`] when `out` has another length.
    pub fn score(&self, events: &[Interaction], queries: &[f32], at: i64, out: &mut [f32]) -> Result<()> {
        self.score_many(&[events], queries, at, out)
    }

    /// The same for many shoppers, `out [shoppers, items]` by rows.
    ///
    /// # Errors
    /// As [`Network::score`].
    pub fn score_many(&self, shoppers: &[&[Interaction]], queries: &[f32], at: i64, out: &mut [f32]) -> Result<()> {
        if out.len() != shoppers.len() * self.items() {
            let why = format!("room for {} of {} times {} scores", out.len(), shoppers.len(), self.items());
            return Err(LearnError::Option { name: "out", why });
        }
        let users = self.users(shoppers, queries, at)?;
        if self.items() > 0 {
            out.par_chunks_mut(self.items()).zip(&users).for_each(|(out, user)| self.score_user(user, out));
        }
        Ok(())
    }
}
