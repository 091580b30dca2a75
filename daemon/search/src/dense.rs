//! Exact maximum inner product over the vectors of all items, in immutable chunks that versions of the index share.

use std::sync::Arc;

use rayon::prelude::*;

use crate::error::SearchError;
use crate::tie::{Eligible, Scored, top};

/// Rows of a chunk: at 384 dimensions 1.5 MB, which a single changed row costs to copy. Own chunks instead of `imbl::Vector`, because a
/// scan reads the rows of a chunk as one slice.
const ROWS: usize = 1_024;

#[derive(Debug, Clone)]
struct Chunk {
    /// ROWS * dim, row by row.
    values: Box<[f32]>,
    present: Box<[bool]>,
}

/// A query vector with the encoder version that made it.
#[derive(Debug, Clone, PartialEq)]
pub struct QueryVector {
    /// Version of the encoder.
    pub version: Arc<str>,
    /// The vector, of unit length.
    pub values: Vec<f32>,
}

/// Vectors of one encoder version; the item's number is the row, rows may be missing. Cloning shares all chunks, changing a row
/// copies its chunk only if someone else still reads it.
#[derive(Debug, Clone)]
pub struct DenseIndex {
    version: Arc<str>,
    dim: usize,
    chunks: Vec<Arc<Chunk>>,
    len: usize,
}

impl DenseIndex {
    /// An empty index for unit vectors of `dim` numbers made by this encoder version.
    #[must_use]
    pub fn new(version: impl Into<Arc<str>>, dim: usize) -> Self {
        Self { version: version.into(), dim, chunks: Vec::new(), len: 0 }
    }

    /// The encoder version.
    #[must_use]
    pub fn version(&self) -> &Arc<str> {
        &self.version
    }

    /// Numbers per vector.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Sets the row of an item.
    ///
    /// # Errors
    /// Wrong length, or a number that is not finite.
    pub fn set(&mut self, item: u32, vector: &[f32]) -> Result<(), SearchError> {
        self.check(vector)?;
        let (chunk, row) = (item as usize / ROWS, item as usize % ROWS);
        while self.chunks.len() <= chunk {
            self.chunks
                .push(Arc::new(Chunk { values: vec![0.0; ROWS * self.dim].into(), present: vec![false; ROWS].into() }));
        }
        let chunk = Arc::make_mut(&mut self.chunks[chunk]);
        chunk.values[row * self.dim..][..self.dim].copy_from_slice(vector);
        self.len += usize::from(!std::mem::replace(&mut chunk.present[row], true));
        Ok(())
    }

    /// Removes the row of an item.
    pub fn remove(&mut self, item: u32) {
        let row = item as usize % ROWS;
        if let Some(chunk) = self.chunks.get_mut(item as usize / ROWS)
            && chunk.present[row]
        {
            Arc::make_mut(chunk).present[row] = false;
            self.len -= 1;
        }
    }

    /// The vector of an item.
    #[must_use]
    pub fn row(&self, item: u32) -> Option<&[f32]> {
        let row = item as usize % ROWS;
        let chunk = self.chunks.get(item as usize / ROWS)?;
        chunk.present[row].then(|| &chunk.values[row * self.dim..][..self.dim])
    }

    /// The inner product of an item with a vector of the right length.
    #[must_use]
    pub fn score(&self, item: u32, vector: &[f32]) -> Option<f64> {
        self.row(item).map(|row| f64::from(dot(row, vector)))
    }

    fn check(&self, vector: &[f32]) -> Result<(), SearchError> {
        if vector.len() != self.dim {
            return Err(SearchError::Dimension { got: vector.len(), expected: self.dim });
        }
        if vector.iter().all(|v| v.is_finite()) { Ok(()) } else { Err(SearchError::NotFinite) }
    }

    /// Checks that a query vector was made by this index's encoder version and has its dimension.
    ///
    /// # Errors
    /// [`SearchError::Version`], [`SearchError::Dimension`], [`SearchError::NotFinite`].
    pub fn check_query(&self, query: &QueryVector) -> Result<(), SearchError> {
        if query.version != self.version {
            return Err(SearchError::Version { query: query.version.to_string(), index: self.version.to_string() });
        }
        self.check(&query.values)
    }

    /// The `k` items of largest inner product that are eligible, best first. Exact; the same for any number of threads.
    ///
    /// # Errors
    /// A query vector of another encoder version or of the wrong shape.
    pub fn top_k(&self, query: &QueryVector, k: usize, eligible: Eligible<'_>) -> Result<Vec<Scored>, SearchError> {
        Ok(self.top_k_batch(std::slice::from_ref(query), k, eligible)?.pop().unwrap_or_default())
    }

    /// [`top_k`](Self::top_k) of several queries in one pass over memory.
    ///
    /// # Errors
    /// A query vector of another encoder version or of the wrong shape.
    pub fn top_k_batch(
        &self,
        queries: &[QueryVector],
        k: usize,
        eligible: Eligible<'_>,
    ) -> Result<Vec<Vec<Scored>>, SearchError> {
        for query in queries {
            self.check_query(query)?;
        }
        let vectors: Vec<&[f32]> = queries.iter().map(|q| q.values.as_slice()).collect();
        let best: Vec<Vec<Vec<Scored>>> = self
            .chunks
            .par_iter()
            .enumerate()
            .map(|(n, chunk)| self.chunk_top(n, chunk, &vectors, k, eligible))
            .collect();
        Ok((0..queries.len())
            .map(|q| top(best.iter().flat_map(|chunk| chunk[q].iter().copied()).collect(), k))
            .collect())
    }

    fn chunk_top(
        &self,
        n: usize,
        chunk: &Chunk,
        vectors: &[&[f32]],
        k: usize,
        eligible: Eligible<'_>,
    ) -> Vec<Vec<Scored>> {
        let mut found = vec![Vec::new(); vectors.len()];
        if self.dim == 0 {
            return found;
        }
        for (row, values) in chunk.values.chunks_exact(self.dim).enumerate() {
            let item = (n * ROWS + row) as u32;
            if chunk.present[row]
                && let Some(tie) = eligible(item)
            {
                for (vector, found) in vectors.iter().zip(&mut found) {
                    found.push(Scored { item, score: f64::from(dot(values, vector)), tie });
                }
            }
        }
        found.into_iter().map(|all| top(all, k)).collect()
    }
}

/// Inner product in sixteen fixed lanes: fast without `unsafe`, and the same bits everywhere.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    const LANES: usize = 16;
    let mut sums = [0.0f32; LANES];
    let (wide_a, wide_b) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest: f32 = wide_a.remainder().iter().zip(wide_b.remainder()).map(|(x, y)| x * y).sum();
    for (x, y) in wide_a.zip(wide_b) {
        for lane in 0..LANES {
            sums[lane] += x[lane] * y[lane];
        }
    }
    sums.iter().sum::<f32>() + rest
}
