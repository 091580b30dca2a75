//! Vectors of candidates at unit length.

/// Directions of candidates, row by row. A candidate without a vector has similarity 0 with all others.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UnitVectors {
    rows: Vec<f64>,
    dimension: usize,
    count: usize,
}

impl UnitVectors {
    /// Brings the rows to unit length. `None`, a zero vector, a vector with a number that is not finite and one whose length differs
    /// from the first are all "no vector".
    #[must_use]
    pub fn new<'v>(vectors: impl IntoIterator<Item = Option<&'v [f32]>>) -> Self {
        let vectors: Vec<Option<&[f32]>> = vectors.into_iter().collect();
        let dimension = vectors.iter().flatten().next().map_or(0, |vector| vector.len());
        let mut rows = vec![0.0; vectors.len() * dimension];
        for (row, vector) in rows.chunks_exact_mut(dimension.max(1)).zip(&vectors) {
            let Some(vector) = vector.filter(|vector| vector.len() == dimension) else { continue };
            row.iter_mut().zip(vector).for_each(|(to, from)| *to = f64::from(*from));
            let length = dot(row, row).sqrt();
            if length > 0.0 && length.is_finite() {
                row.iter_mut().for_each(|value| *value /= length);
            } else {
                row.fill(0.0);
            }
        }
        Self { rows, dimension, count: vectors.len() }
    }

    /// Number of candidates.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Cosine of two candidates; 1 with itself.
    #[must_use]
    pub fn cosine(&self, a: usize, b: usize) -> f64 {
        if a == b {
            return 1.0;
        }
        let row = |at: usize| &self.rows[at * self.dimension..(at + 1) * self.dimension];
        dot(row(a), row(b))
    }
}

/// Lanes of a dot product: enough independent sums to keep the vector units busy.
const LANES: usize = 8;

/// Dot product in a fixed order of sums, so it repeats bit for bit and is the same both ways round.
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut lanes = [0.0_f64; LANES];
    let (heads_a, heads_b) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let tail: f64 = heads_a.remainder().iter().zip(heads_b.remainder()).map(|(x, y)| x * y).sum();
    for (left, right) in heads_a.zip(heads_b) {
        for lane in 0..LANES {
            lanes[lane] += left[lane] * right[lane];
        }
    }
    lanes.iter().sum::<f64>() + tail
}
