//! Vectors of candidates at unit length.

use pulp::{Arch, NullaryFnOnce};

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
        if a == b { 1.0 } else { dot(self.row(a), self.row(b)) }
    }

    /// The direction of a candidate; zeros where it has no vector.
    pub(super) fn row(&self, at: usize) -> &[f64] {
        &self.rows[at * self.dimension..(at + 1) * self.dimension]
    }
}

/// Lanes of a dot product: enough independent sums to keep the vector units busy.
const LANES: usize = 8;

/// Dot product in a fixed order of sums, so it repeats bit for bit and is the same both ways round.
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    dots(a, [b])[0]
}

/// Dot products of one vector with several of its length, each to the bit as [`dot`]. Together they keep more sums going than one has lanes
/// and read the one vector once. Compiled for the vector instructions that the machine has; nothing is fused, so no bit depends on them.
pub(super) fn dots<const N: usize>(one: &[f64], many: [&[f64]; N]) -> [f64; N] {
    Arch::new().dispatch(Dots { one, many })
}

/// A type of its own, because a closure might not become part of the function that has the instructions.
struct Dots<'v, const N: usize> {
    one: &'v [f64],
    many: [&'v [f64]; N],
}

impl<const N: usize> NullaryFnOnce for Dots<'_, N> {
    type Output = [f64; N];

    #[inline(always)]
    fn call(self) -> [f64; N] {
        sums(self.one, self.many)
    }
}

#[inline(always)]
fn sums<const N: usize>(one: &[f64], many: [&[f64]; N]) -> [f64; N] {
    let (heads, tail) = one.as_chunks::<LANES>();
    let parts = many.map(|other| other[..one.len()].as_chunks::<LANES>());
    let mut blocks = parts.map(|(blocks, _)| blocks.iter());
    let mut lanes = [[0.0_f64; LANES]; N];
    for left in heads {
        for (lanes, blocks) in lanes.iter_mut().zip(&mut blocks) {
            let Some(right) = blocks.next() else { continue };
            // A copy, so that the sums of one vector stay in registers of their own.
            let mut sum = *lanes;
            for lane in 0..LANES {
                sum[lane] += left[lane] * right[lane];
            }
            *lanes = sum;
        }
    }
    let mut out = [0.0; N];
    for ((sum, lanes), (_, rest)) in out.iter_mut().zip(lanes).zip(parts) {
        let tail: f64 = tail.iter().zip(rest).map(|(x, y)| x * y).sum();
        *sum = lanes.iter().sum::<f64>() + tail;
    }
    out
}
