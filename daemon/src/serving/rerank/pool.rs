//! What re-rankers read and what they make of it.

use std::sync::Arc;

use mercer_rank::{Event, Snapshot};
use mercer_reports::rerank::{self as arithmetic, Method, RerankError, UnitVectors};
use mercer_shared::wire::Item;
use rustc_hash::FxHashMap;

use crate::state::app::App;
use crate::state::mitigations::FairTables;
use crate::state::served_exposure::ServedExposure;
use crate::state::shop::ShopState;

/// Candidates that are re-ranked, unless the list is longer.
pub const DEPTH: usize = 200;

/// What re-rankers read.
#[derive(Clone, Copy)]
pub(crate) struct RerankContext<'a> {
    /// Items by number.
    pub(crate) items: &'a imbl::Vector<Arc<Item>>,
    /// Vectors and counts as of the moment.
    pub(crate) snapshot: &'a Snapshot,
    /// Events of the user or session up to the moment, oldest first; empty for lists of nobody.
    pub(crate) history: &'a [Event],
    /// The moment, UTC milliseconds.
    pub(crate) at: i64,
    /// What was shown before.
    pub(crate) served: &'a ServedExposure,
    /// Tables of FA*IR.
    pub(crate) tables: &'a FairTables,
}

impl<'a> RerankContext<'a> {
    /// What is read for a list that is served.
    pub(crate) fn new(
        app: &'a App,
        view: &'a ShopState,
        snapshot: &'a Snapshot,
        history: &'a [Event],
        at: i64,
    ) -> Self {
        let items = &view.items;
        Self { items, snapshot, history, at, served: &app.mitigations.served, tables: &app.mitigations.tables }
    }
}

/// A candidate with its score, best first in a slice.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Candidate {
    /// The item.
    pub(crate) item: u32,
    /// Its score.
    pub(crate) score: f64,
}

/// Candidates in their present order.
pub(crate) struct Pool {
    /// Items.
    pub(super) items: Vec<u32>,
    /// Relevance by place, 0 to 1, never rising: scores scaled over the candidates. After a re-ranker has worked, the relevance at a place is
    /// still the one of that place, so that the next one respects the order it finds.
    pub(super) relevance: Vec<f64>,
    /// Length of the list that is asked for.
    pub(super) k: usize,
}

/// What one re-ranker makes of a pool.
#[derive(Debug, Default)]
pub(crate) struct Picked {
    /// Places of the pool, new order; places that are missing follow in the order that they had.
    pub(crate) order: Vec<usize>,
    /// Why an item moved, by place of the pool, where there is more to say than the name of the re-ranker.
    pub(crate) why: FxHashMap<usize, String>,
    /// What was done without, in words.
    pub(crate) note: Option<String>,
}

impl From<arithmetic::Reranked> for Picked {
    fn from(found: arithmetic::Reranked) -> Self {
        Self { order: found.order, ..Self::default() }
    }
}

impl Pool {
    /// Picks the first `k` by a method. Equal gains go to the candidate that stands first. `groups` and `vectors` have one entry a place.
    pub(super) fn pick(
        &self,
        groups: &[usize],
        vectors: Option<&UnitVectors>,
        method: Method<'_>,
    ) -> Result<arithmetic::Reranked, RerankError> {
        let keys: Vec<u64> = (0..self.items.len() as u64).collect();
        let candidates = arithmetic::Candidates { scores: &self.relevance, keys: &keys, groups, vectors };
        arithmetic::rerank(&candidates, method, self.k)
    }
}

/// Candidates in their new order.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Reranked {
    /// Places among the candidates.
    pub(crate) order: Vec<usize>,
    /// What moved each candidate, by its place among the candidates; empty where nothing did.
    pub(crate) by: Vec<String>,
    /// What was done without, in words.
    pub(crate) notes: Vec<String>,
}
