//! What the arithmetic knows of items: price, groups, availability, tie-break key and unit vectors.
use std::cell::LazyCell;
use std::sync::Arc;

use crate::chunked::Chunked;
use crate::error::RankError;
use crate::whitening::Whitening;

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

    /// Rows by item number; zeros where an item has none. Each is `dim` long.
    pub(crate) fn of_rows(dim: usize, rows: Vec<Arc<[f32]>>) -> Self {
        Self { dim, rows: rows.into_iter().collect() }
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

    /// Item numbers below this one may have a vector.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The items that have a vector, in the order of their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &[f32])> {
        (0..self.rows.len() as u32).filter_map(|item| Some((item, self.get(item)?)))
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

/// Vectors in directions of equal spread, and how they are made.
#[derive(Debug, Clone)]
pub struct Spread {
    whitening: Arc<Whitening>,
    rows: Vectors,
}

impl Spread {
    /// All vectors of a catalogue, whitened.
    ///
    /// # Errors
    /// When the whitening is for vectors of another length.
    pub fn of(vectors: &Vectors, whitening: Arc<Whitening>) -> Result<Self, RankError> {
        if whitening.dim() != vectors.dim() {
            return Err(RankError::Shape {
                what: "whitening of item vectors",
                expected: vectors.dim(),
                found: whitening.dim(),
            });
        }
        Ok(Self { rows: whitening.apply_all(vectors), whitening })
    }

    /// The same in the way that fits these vectors; none where [`Whitening::fit`] has none.
    pub fn fitted(vectors: &Vectors) -> Option<Self> {
        let whitening = Arc::new(Whitening::fit(vectors)?);
        Some(Self { rows: whitening.apply_all(vectors), whitening })
    }

    /// How they are made.
    pub fn whitening(&self) -> &Arc<Whitening> {
        &self.whitening
    }
}

/// All items; `clone` is a cheap snapshot.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    items: Chunked<ItemFacts>,
    vectors: Option<Vectors>,
    spread: Option<Spread>,
    texts: Option<Vectors>,
}

impl Catalogue {
    /// A catalogue of these items, numbered in order.
    pub fn new(items: impl IntoIterator<Item = ItemFacts>) -> Self {
        Self { items: items.into_iter().collect(), vectors: None, spread: None, texts: None }
    }

    /// Sets or appends an item; gaps are filled with hidden items.
    pub fn set(&mut self, item: u32, facts: ItemFacts) {
        self.items.set(item as usize, facts, || ItemFacts { hidden: true, ..ItemFacts::default() });
    }

    /// Replaces the item vectors; texts are likened by their cosines as they are until [`Catalogue::set_spread`] says otherwise.
    pub fn set_vectors(&mut self, vectors: Option<Vectors>) {
        self.vectors = vectors;
        self.spread = None;
    }

    /// Sets one item's vector, and whitens it where the others are. Where there are no vectors at all nothing is done.
    ///
    /// # Errors
    /// When the vector's length is not that of the others.
    pub fn set_vector(&mut self, item: u32, vector: Arc<[f32]>) -> Result<(), RankError> {
        let Some(vectors) = &mut self.vectors else { return Ok(()) };
        vectors.set(item, Arc::clone(&vector))?;
        let Some(spread) = &mut self.spread else { return Ok(()) };
        spread.rows.set(item, spread.whitening.apply(&vector))
    }

    /// The item vectors, if there are any.
    pub fn vectors(&self) -> Option<&Vectors> {
        self.vectors.as_ref()
    }

    /// Lets texts be likened by the whitened vectors of these items, or again by the vectors as they are.
    pub fn set_spread(&mut self, spread: Option<Spread>) {
        self.spread = spread;
    }

    /// Whitens what has a vector and no whitened one yet.
    ///
    /// # Errors
    /// When the whitening is for vectors of another length.
    pub fn complete_spread(&mut self) -> Result<(), RankError> {
        let (Some(vectors), Some(Spread { whitening, rows })) = (&self.vectors, &mut self.spread) else {
            return Ok(());
        };
        for (item, row) in vectors.iter() {
            if rows.get(item).is_none() {
                rows.set(item, whitening.apply(row))?;
            }
        }
        Ok(())
    }

    /// How the vectors are whitened by which texts are likened; none where they are taken as they are.
    pub fn whitening(&self) -> Option<&Arc<Whitening>> {
        self.spread.as_ref().map(Spread::whitening)
    }

    /// The vectors by which texts are likened.
    pub(crate) fn alike(&self) -> Option<&Vectors> {
        self.spread.as_ref().map(|spread| &spread.rows).or(self.vectors.as_ref())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_likened_by_whitened_vectors_as_long_as_those_are_of_these_vectors() {
        let row = |n: u32| -> Arc<[f32]> { [1.0 + (n % 7) as f32 / 50.0, (n % 5) as f32 / 20.0, 0.1].into() };
        let vectors = Vectors::from_rows(3, (0..40).map(|n| (n, row(n)))).unwrap();
        let whitening = Arc::new(Whitening::fit(&vectors).unwrap());
        let mut catalogue = Catalogue::new((0..42).map(|_| ItemFacts::default()));
        catalogue.set_vectors(Some(vectors.clone()));
        assert_eq!(catalogue.alike().unwrap().get(3), vectors.get(3));
        catalogue.set_spread(Some(Spread::of(&Vectors::new(3), Arc::clone(&whitening)).unwrap()));
        assert!(catalogue.alike().unwrap().get(3).is_none());
        catalogue.complete_spread().unwrap();
        let alike = |catalogue: &Catalogue, n: u32| catalogue.alike().unwrap().get(n).map(<[f32]>::to_vec);
        assert_eq!(alike(&catalogue, 3).unwrap(), *whitening.apply(&row(3)));
        assert!(alike(&catalogue, 41).is_none());
        // A new item is whitened as it comes, one that changed anew.
        catalogue.set_vector(41, row(17)).unwrap();
        catalogue.set_vector(3, row(4)).unwrap();
        assert_eq!(alike(&catalogue, 41), alike(&catalogue, 17));
        assert_eq!(alike(&catalogue, 3), alike(&catalogue, 4));
        assert!(catalogue.set_vector(3, vec![1.0; 2].into()).is_err());
        assert!(Spread::of(&Vectors::new(2), whitening).is_err());
        // Other vectors: what was made of the old ones says nothing of them.
        catalogue.set_vectors(Some(vectors.clone()));
        assert_eq!(catalogue.alike().unwrap().get(3), vectors.get(3));
    }
}
