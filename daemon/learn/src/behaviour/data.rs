//! What the network reads: items with their frozen vectors, and what shoppers did.

use std::sync::Arc;

use super::options::KINDS;
use crate::error::{LearnError, Result};

/// One interaction of a shopper.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interaction {
    /// Dense item number; searches have none.
    pub item: Option<u32>,
    /// Row of the query vectors; only searches have one. An interaction with neither is passed over.
    pub text: Option<u32>,
    /// What happened, below [`KINDS`]. The numbers are the caller's; they must stay the same for the life of a network.
    pub kind: u8,
    /// Quantity; 1 where the log says nothing.
    pub value: f32,
    /// UTC milliseconds.
    pub at: i64,
}

/// The catalogue as the network sees it. Cloning shares the vectors.
#[derive(Debug, Clone)]
pub struct Items {
    dim: usize,
    vectors: Arc<[f32]>,
    prices: Arc<[f32]>,
}

impl Items {
    /// `vectors` are rows of `dim` values of the frozen encoder in the order of the item numbers (zeros: no text known), `prices` one per item
    /// (0 or less, or not a number: unknown). `dim` 0 and no vectors: a network without text, in which a cold item scores 0.
    ///
    /// # Errors
    /// [`LearnError::Option`] when the lengths do not fit or a vector is not finite.
    pub fn new(dim: usize, vectors: Arc<[f32]>, prices: Arc<[f32]>) -> Result<Self> {
        if vectors.len() != dim * prices.len() {
            let why = format!("{} values are not {} rows of {dim}", vectors.len(), prices.len());
            return Err(LearnError::Option { name: "vectors", why });
        }
        if vectors.iter().any(|v| !v.is_finite()) {
            let why = "a value is not finite".to_owned();
            return Err(LearnError::Option { name: "vectors", why });
        }
        Ok(Self { dim, vectors, prices })
    }

    /// Number of items.
    #[must_use]
    pub fn len(&self) -> usize {
        self.prices.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.prices.is_empty()
    }

    /// Width of a text vector.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.dim
    }

    pub(crate) fn vector(&self, item: u32) -> &[f32] {
        let at = item as usize * self.dim;
        &self.vectors[at..at + self.dim]
    }

    pub(crate) fn prices(&self) -> &[f32] {
        &self.prices
    }

    pub(crate) fn hash_into(&self, hash: &mut blake3::Hasher) {
        hash.update(&(self.dim as u64).to_le_bytes());
        for v in self.vectors.iter().chain(self.prices.iter()) {
            hash.update(&v.to_le_bytes());
        }
    }
}

/// What all shoppers did. A shopper who was erased has an empty slot, or none.
#[derive(Debug, Clone, Copy)]
pub struct Behaviour<'a> {
    /// Interactions of each shopper; any order, later ones than a cut-off are never read for it.
    pub shoppers: &'a [Vec<Interaction>],
    /// Vectors of the queries, rows of [`Items::dim`] values.
    pub queries: &'a [f32],
}

impl Behaviour<'_> {
    /// # Errors
    /// [`LearnError::Option`] for an interaction that names what does not exist.
    pub(crate) fn check(&self, items: &Items) -> Result<()> {
        self.shoppers.iter().try_for_each(|events| check(events, items.len(), self.queries, items.dim()))
    }
}

/// # Errors
/// [`LearnError::Option`] for an interaction that names what does not exist.
pub(crate) fn check(events: &[Interaction], items: usize, queries: &[f32], dim: usize) -> Result<()> {
    let fail = |why: String| Err(LearnError::Option { name: "interactions", why });
    let texts = queries.len().checked_div(dim).unwrap_or(0);
    for e in events {
        if e.item.is_some_and(|i| i as usize >= items) {
            return fail(format!("item {:?} of {items}", e.item));
        }
        if e.text.is_some_and(|t| t as usize >= texts) {
            return fail(format!("query {:?} of {texts}", e.text));
        }
        if usize::from(e.kind) >= KINDS {
            return fail(format!("kind {} is not below {KINDS}", e.kind));
        }
    }
    Ok(())
}
