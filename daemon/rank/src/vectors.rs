//! Vectors of items or texts by dense number, in shared chunks.
use std::cell::LazyCell;
use std::sync::Arc;

use crate::chunked::Chunked;
use crate::error::RankError;

/// Vectors by dense number (of an item, or of a search text), `dim` numbers each; a number without vector has a row of zeros. Cloning
/// shares the rows.
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

    /// Rows in the order of their numbers, zeros for none; each is `dim` long.
    pub(crate) fn from_dense_rows(dim: usize, rows: Vec<Arc<[f32]>>) -> Self {
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
