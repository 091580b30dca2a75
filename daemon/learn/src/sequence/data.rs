//! Inputs of the sequence model: items with their frozen text vectors, and the events of users.

use std::sync::Arc;

use super::options::KINDS;
use crate::error::{LearnError, Result};

/// One event of a user.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SequenceEvent {
    /// Dense item number; searches have none.
    pub item: Option<u32>,
    /// Row of the query vectors; only searches have one. An event with neither item nor text is ignored.
    pub text: Option<u32>,
    /// Kind of interaction, below [`KINDS`]. The caller chooses the numbers; they must stay the same for the life of a model.
    pub kind: u8,
    /// Quantity; 1 if the log has none.
    pub value: f32,
    /// UTC milliseconds.
    pub at: i64,
}

/// Text vectors and prices of the catalogue. Cloning shares them.
#[derive(Debug, Clone)]
pub struct ItemFeatures {
    dim: usize,
    vectors: Arc<[f32]>,
    prices: Arc<[f32]>,
}

impl ItemFeatures {
    /// `vectors` holds one row of `dim` values of the frozen encoder per item (zeros: no text), `prices` one value per item (0 or less, or NaN:
    /// unknown). With `dim` 0 and no vectors the model has no text, and a cold item scores 0.
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

/// Events of all users. An erased user has an empty slot, or none.
#[derive(Debug, Clone, Copy)]
pub struct SequenceLog<'a> {
    /// Events of each user in any order; events after a cut-off are never read for it.
    pub users: &'a [Vec<SequenceEvent>],
    /// Vectors of the queries, rows of [`ItemFeatures::dim`] values.
    pub queries: &'a [f32],
}

impl SequenceLog<'_> {
    /// # Errors
    /// [`LearnError::Option`] for an event whose item, query or kind does not exist.
    pub(crate) fn check(&self, items: &ItemFeatures) -> Result<()> {
        self.users.iter().try_for_each(|events| check(events, items.len(), self.queries, items.dim()))
    }

    /// Feeds queries and events up to `until` to a hash.
    pub(crate) fn hash_into(&self, until: i64, hash: &mut blake3::Hasher) {
        for v in self.queries {
            hash.update(&v.to_le_bytes());
        }
        for events in self.users {
            // The word of the first checkpoints; another one would make them unreadable.
            hash.update(b"shopper");
            for e in events.iter().filter(|e| e.at <= until) {
                let ids = [e.item, e.text].map(|i| i.map_or(u64::MAX, u64::from));
                let parts = [ids[0], ids[1], u64::from(e.kind), u64::from(e.value.to_bits()), e.at as u64];
                for part in parts {
                    hash.update(&part.to_le_bytes());
                }
            }
        }
    }
}

/// # Errors
/// [`LearnError::Option`] for an event whose item, query or kind does not exist.
pub(crate) fn check(events: &[SequenceEvent], items: usize, queries: &[f32], dim: usize) -> Result<()> {
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
