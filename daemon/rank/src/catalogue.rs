//! What the arithmetic knows of items: price, groups, availability, tie-break key and unit vectors.
use std::cell::LazyCell;
use std::sync::Arc;

use crate::chunked::Chunked;
use crate::error::RankError;

/// Facts of one item. Missing values are `None` and never act as a signal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ItemFacts {
    /// Price in the shop's currency.
    pub price: Option<f32>,
    /// Dense number of the category.
    pub category: Option<u32>,
    /// Dense number of the brand (or of whatever groups titles, such as their first word).
    pub brand: Option<u32>,
    /// Not before this moment, UTC milliseconds.
    pub available_from: Option<i64>,
    /// Never to be listed.
    pub hidden: bool,
    /// Can be bought.
    pub in_stock: bool,
    /// Keyed hash of the item id, see [`tie_key`].
    pub tie: u64,
}

impl Default for ItemFacts {
    fn default() -> Self {
        Self { price: None, category: None, brand: None, available_from: None, hidden: false, in_stock: true, tie: 0 }
    }
}

/// Keyed hash of an item id for breaking ties (METRICS.md section 0: never catalogue order, id order or label).
pub fn tie_key(key: &[u8; 32], id: &str) -> u64 {
    let hash = blake3::keyed_hash(key, id.as_bytes());
    let mut first = [0u8; 8];
    first.copy_from_slice(&hash.as_bytes()[..8]);
    u64::from_le_bytes(first)
}

/// Unit vectors of items, flat rows of `dim` in shared chunks; an item without vector has a row of zeros.
#[derive(Debug, Clone)]
pub struct Vectors {
    dim: usize,
    rows: Chunked<Arc<[f32]>>,
}

impl Vectors {
    /// No rows yet; `dim` at least 1.
    pub fn new(dim: usize) -> Self {
        Self { dim: dim.max(1), rows: Chunked::default() }
    }

    /// Rows from a flat matrix, shape `n x dim`.
    ///
    /// # Errors
    /// When the length is no multiple of `dim`.
    pub fn from_flat(flat: &[f32], dim: usize) -> Result<Self, RankError> {
        if dim == 0 || !flat.len().is_multiple_of(dim) {
            return Err(RankError::Shape { what: "item vectors", expected: dim, found: flat.len() });
        }
        let rows = flat.chunks_exact(dim).map(Arc::from).collect();
        Ok(Self { dim, rows })
    }

    /// Rows by item number.
    ///
    /// # Errors
    /// When a vector's length is not `dim`.
    pub fn from_rows(dim: usize, rows: impl IntoIterator<Item = (u32, Arc<[f32]>)>) -> Result<Self, RankError> {
        let mut out = Self::new(dim);
        rows.into_iter().try_for_each(|(item, row)| out.set(item, row))?;
        Ok(out)
    }

    /// Sets the vector of an item, growing with zero rows as needed.
    ///
    /// # Errors
    /// When the vector's length is not `dim`.
    pub fn set(&mut self, item: u32, vector: Arc<[f32]>) -> Result<(), RankError> {
        if vector.len() != self.dim {
            return Err(RankError::Shape { what: "item vector", expected: self.dim, found: vector.len() });
        }
        let zero: LazyCell<Arc<[f32]>, _> = LazyCell::new(|| vec![0.0; self.dim].into());
        self.rows.set(item as usize, vector, || Arc::clone(&zero));
        Ok(())
    }

    /// Width of a row.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// The item's vector; none when it has no row or a row of zeros.
    pub fn get(&self, item: u32) -> Option<&[f32]> {
        let row = self.rows.get(item as usize)?;
        row.iter().any(|&x| x != 0.0).then_some(&**row)
    }
}

/// All items; `clone` is a cheap snapshot.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    items: Chunked<ItemFacts>,
    vectors: Option<Vectors>,
    texts: Option<Vectors>,
}

impl Catalogue {
    /// A catalogue of these items, numbered in order.
    pub fn new(items: impl IntoIterator<Item = ItemFacts>) -> Self {
        Self { items: items.into_iter().collect(), vectors: None, texts: None }
    }

    /// Sets or appends an item; gaps are filled with hidden items.
    pub fn set(&mut self, item: u32, facts: ItemFacts) {
        self.items.set(item as usize, facts, || ItemFacts { hidden: true, ..ItemFacts::default() });
    }

    /// Replaces the item vectors.
    pub fn set_vectors(&mut self, vectors: Option<Vectors>) {
        self.vectors = vectors;
    }

    /// The item vectors, if there are any.
    pub fn vectors(&self) -> Option<&Vectors> {
        self.vectors.as_ref()
    }

    /// The item vectors, to change.
    pub fn vectors_mut(&mut self) -> Option<&mut Vectors> {
        self.vectors.as_mut()
    }

    /// Replaces the vectors of what was searched for, by the number of the text. They are those of the encoder that a sequence model was
    /// trained beside, which need not be the one of the item vectors.
    pub fn set_texts(&mut self, texts: Option<Vectors>) {
        self.texts = texts;
    }

    /// Vectors of what was searched for, if there are any.
    pub fn texts(&self) -> Option<&Vectors> {
        self.texts.as_ref()
    }

    /// Vectors of what was searched for, to change.
    pub fn texts_mut(&mut self) -> Option<&mut Vectors> {
        self.texts.as_mut()
    }

    /// Number of items.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there is no item.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Facts of an item.
    pub fn get(&self, item: u32) -> Option<&ItemFacts> {
        self.items.get(item as usize)
    }

    /// Facts of all items in order.
    pub fn iter(&self) -> impl Iterator<Item = &ItemFacts> {
        self.items.iter()
    }

    pub(crate) fn tie(&self, item: u32) -> u64 {
        self.get(item).map_or(0, |f| f.tie)
    }
}
