//! Whitening of item vectors (Su et al. 2021, "Whitening Sentence Representations"). An encoder's vectors of one shop lie in a narrow
//! cone, where cosines tell items apart badly, and means of several items even worse. Whitening centres the vectors and gives all
//! directions equal variance.
//!
//! The covariance is shrunk towards equal variance as by `dim` additional observations (the mean under an inverse Wishart prior), so that
//! directions with hardly any variance are not amplified. A catalogue with few items per dimension is not whitened: with as many
//! dimensions as items, every item would be far from every other.
use std::sync::Arc;

use pulp::Arch;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::RankError;
use crate::linalg::{cholesky, dot, invert_lower};
use crate::vectors::Vectors;

/// Items of the sample at most, drawn evenly from the catalogue: more change no cosine in its second digit.
const SAMPLE: usize = 10_000;
/// Items per dimension at least. With 10 (Online Retail) whitening improves NDCG@10, with 1 (the demo's shop) it costs .005.
const MIN_ITEMS_PER_DIM: usize = 4;

/// A whitening transform for the vectors of one encoder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Whitening {
    /// Items that had a vector when it was fitted.
    items: usize,
    mean: Vec<f32>,
    /// Lower triangle of the inverse Cholesky factor of the covariance, row by row.
    factor: Vec<f32>,
}

impl Whitening {
    /// Fits to item vectors; equal vectors under equal numbers give equal bits. `None` for fewer than four vectors per dimension, or
    /// where all vectors are equal.
    pub fn fit(vectors: &Vectors) -> Option<Self> {
        let all: Vec<&[f32]> = vectors.iter().map(|(_, row)| row).collect();
        let (dim, wanted) = (vectors.dim(), all.len().min(SAMPLE));
        if all.len() < MIN_ITEMS_PER_DIM * dim {
            return None;
        }
        let sample: Vec<&[f32]> = (0..wanted).map(|k| all[k * all.len() / wanted]).collect();
        let count = sample.len() as f64;
        let column = |i: usize| sample.iter().map(move |row| f64::from(row[i]));
        let mean: Vec<f64> = (0..dim).map(|i| column(i).sum::<f64>() / count).collect();
        let centred: Vec<Vec<f32>> =
            (0..dim).into_par_iter().map(|i| column(i).map(|x| (x - mean[i]) as f32).collect()).collect();
        let mut covariance = covariance(&centred);
        let trace: f64 = (0..dim).map(|i| covariance[i * dim + i]).sum();
        let mean_variance = trace / dim as f64;
        if mean_variance <= f64::EPSILON {
            return None;
        }
        let shrinkage = dim as f64 / (dim as f64 + count);
        for (place, x) in covariance.iter_mut().enumerate() {
            *x *= 1.0 - shrinkage;
            if place / dim == place % dim {
                *x += shrinkage * mean_variance;
            }
        }
        cholesky(&mut covariance, dim);
        invert_lower(&mut covariance, dim);
        let factor = covariance.chunks_exact(dim).enumerate().flat_map(|(i, row)| row[..=i].iter().map(|x| *x as f32));
        Some(Self { items: all.len(), mean: mean.iter().map(|x| *x as f32).collect(), factor: factor.collect() })
    }

    /// Width of the vectors.
    pub fn dim(&self) -> usize {
        self.mean.len()
    }

    /// Items that had a vector when it was fitted.
    pub const fn items(&self) -> usize {
        self.items
    }

    /// Whether a transform that was read from a file has consistent sizes and finite numbers.
    pub fn is_sound(&self) -> bool {
        let dim = self.dim();
        dim > 0
            && self.factor.len() == dim * (dim + 1) / 2
            && self.mean.iter().chain(&self.factor).all(|x| x.is_finite())
    }

    /// The whitened vector, length 1; zeros for the mean itself. `vector` is `dim` long.
    pub fn apply(&self, vector: &[f32]) -> Arc<[f32]> {
        let centred: Vec<f32> = vector.iter().zip(&self.mean).map(|(x, m)| x - m).collect();
        let mut out = vec![0f32; self.dim()];
        Arch::new().dispatch(|| {
            let mut rest = &*self.factor;
            for (i, slot) in out.iter_mut().enumerate() {
                let (row, after) = rest.split_at(i + 1);
                *slot = dot(row, &centred[..=i]);
                rest = after;
            }
        });
        let length = dot(&out, &out).sqrt();
        if length > 0.0 {
            out.iter_mut().for_each(|x| *x /= length);
        }
        out.into()
    }

    /// All vectors of a catalogue, under the same numbers.
    pub fn apply_all(&self, vectors: &Vectors) -> Vectors {
        let zero: Arc<[f32]> = vec![0.0; self.dim()].into();
        let rows = (0..vectors.len() as u32).into_par_iter();
        let rows = rows.map(|item| vectors.get(item).map_or_else(|| Arc::clone(&zero), |row| self.apply(row)));
        Vectors::from_dense_rows(self.dim(), rows.collect::<Vec<_>>())
    }
}

/// Whitened vectors and the transform that made them.
#[derive(Debug, Clone)]
pub struct WhitenedVectors {
    whitening: Arc<Whitening>,
    rows: Vectors,
}

impl WhitenedVectors {
    /// Whitens all vectors of a catalogue.
    ///
    /// # Errors
    /// When the whitening is for vectors of another length.
    pub fn new(vectors: &Vectors, whitening: Arc<Whitening>) -> Result<Self, RankError> {
        if whitening.dim() != vectors.dim() {
            return Err(RankError::Shape {
                what: "whitening of item vectors",
                expected: vectors.dim(),
                found: whitening.dim(),
            });
        }
        Ok(Self { rows: whitening.apply_all(vectors), whitening })
    }

    /// Fits a whitening to the vectors and applies it; `None` where [`Whitening::fit`] gives none.
    pub fn fit(vectors: &Vectors) -> Option<Self> {
        let whitening = Arc::new(Whitening::fit(vectors)?);
        Some(Self { rows: whitening.apply_all(vectors), whitening })
    }

    /// The transform.
    pub fn whitening(&self) -> &Arc<Whitening> {
        &self.whitening
    }

    /// The whitened vectors.
    pub(crate) const fn vectors(&self) -> &Vectors {
        &self.rows
    }

    /// Whitens and sets the vector of one item.
    ///
    /// # Errors
    /// When the vector's length is not that of the others.
    pub(crate) fn set(&mut self, item: u32, vector: &[f32]) -> Result<(), RankError> {
        self.rows.set(item, self.whitening.apply(vector))
    }

    /// Whitens the vectors of items that have no whitened one yet.
    ///
    /// # Errors
    /// When the vectors' length is not that of the others.
    pub(crate) fn complete(&mut self, vectors: &Vectors) -> Result<(), RankError> {
        for (item, row) in vectors.iter() {
            if self.rows.get(item).is_none() {
                self.set(item, row)?;
            }
        }
        Ok(())
    }
}

/// Covariance of centred columns, row-major and whole.
fn covariance(centred: &[Vec<f32>]) -> Vec<f64> {
    let (dim, count) = (centred.len(), centred.first().map_or(1, Vec::len) as f64);
    let mut out = vec![0f64; dim * dim];
    out.par_chunks_exact_mut(dim).enumerate().for_each(|(i, row)| {
        Arch::new().dispatch(|| {
            for (slot, other) in row.iter_mut().zip(centred) {
                *slot = f64::from(dot(&centred[i], other)) / count;
            }
        });
    });
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Numbers about 0, the same at every run.
    fn noise(seed: u64) -> impl FnMut() -> f32 {
        let mut state = seed | 1;
        move || {
            let mut sum = 0.0;
            for _ in 0..12 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                sum += (state >> 40) as f32 / (1u64 << 24) as f32;
            }
            sum - 6.0
        }
    }

    /// A cone: much of one direction in all, a second one that varies a lot, and a little of everything else.
    fn cone(count: usize, dim: usize) -> Vectors {
        let mut draw = noise(7);
        let rows: Vec<Arc<[f32]>> = (0..count)
            .map(|_| {
                let mut row: Vec<f32> = (0..dim).map(|i| draw() * if i == 1 { 0.5 } else { 0.05 }).collect();
                row[0] += 3.0;
                row.into()
            })
            .collect();
        Vectors::from_dense_rows(dim, rows)
    }

    fn mean_cosine(vectors: &Vectors) -> f32 {
        let n = vectors.len() as u32;
        let pairs: Vec<f32> = (0..n)
            .flat_map(|a| (0..a).map(move |b| (a, b)))
            .filter_map(|(a, b)| {
                let (a, b) = (vectors.get(a)?, vectors.get(b)?);
                Some(dot(a, b) / (dot(a, a) * dot(b, b)).sqrt())
            })
            .collect();
        pairs.iter().sum::<f32>() / pairs.len() as f32
    }

    #[test]
    fn a_narrow_cone_is_spread_over_all_directions() {
        let vectors = cone(2_000, 16);
        let whitening = Whitening::fit(&vectors).unwrap();
        let whitened = whitening.apply_all(&vectors);
        let narrow = cone(60, 16);
        assert!(mean_cosine(&narrow) > 0.9);
        assert!(mean_cosine(&whitening.apply_all(&narrow)).abs() < 0.03);
        let share = |rows: &Vectors, i: usize| {
            (0..2_000).filter_map(|k| rows.get(k)).map(|row| row[i] * row[i]).sum::<f32>() / 2_000.0
        };
        // Of what is not common to all, nearly all lies in direction 1; then hardly more than its sixteenth.
        assert!(share(&vectors, 1) > 10.0 * share(&vectors, 2));
        assert!((0.9..1.6).contains(&(share(&whitened, 1) * 16.0)), "{}", share(&whitened, 1) * 16.0);
        assert_eq!(whitened.get(5).unwrap(), &*whitening.apply(vectors.get(5).unwrap()));
    }

    #[test]
    fn too_few_vectors_and_equal_ones_are_left_alone() {
        assert_eq!(Whitening::fit(&cone(MIN_ITEMS_PER_DIM * 8 - 1, 8)), None);
        assert_eq!(Whitening::fit(&Vectors::from_dense_rows(8, vec![vec![0.5f32; 8].into(); 100])), None);
        assert_eq!(Whitening::fit(&Vectors::new(8)), None);
    }

    #[test]
    fn items_without_vector_stay_without_and_a_file_gives_the_same_bits() {
        let mut vectors = cone(200, 8);
        vectors.set(300, vec![1.0; 8].into()).unwrap();
        let whitening = Whitening::fit(&vectors).unwrap();
        assert_eq!(whitening.items(), 201);
        let whitened = whitening.apply_all(&vectors);
        assert!(whitened.get(250).is_none() && whitened.get(300).is_some());
        let read: Whitening = serde_json::from_slice(&serde_json::to_vec(&whitening).unwrap()).unwrap();
        assert_eq!(read, whitening);
        assert!(read.is_sound());
        assert!(!Whitening { factor: vec![1.0; 3], ..read }.is_sound());
    }

    proptest! {
        /// Cosines do not depend on how the encoder's space is turned, stretched as a whole or moved.
        #[test]
        fn cosines_stay_when_the_space_is_moved_and_scaled(by in 0.1f32..10.0, shift in -5f32..5.0) {
            let vectors = cone(300, 6);
            let moved: Vec<Arc<[f32]>> = (0..300)
                .filter_map(|k| vectors.get(k))
                .map(|row| row.iter().map(|x| x * by + shift).collect())
                .collect();
            let moved = Vectors::from_dense_rows(6, moved);
            let here = Whitening::fit(&vectors).unwrap().apply_all(&vectors);
            let there = Whitening::fit(&moved).unwrap().apply_all(&moved);
            for (a, b) in [(0, 1), (7, 99), (150, 299)] {
                let cosine = |v: &Vectors| dot(v.get(a).unwrap(), v.get(b).unwrap());
                prop_assert!((cosine(&here) - cosine(&there)).abs() < 2e-2, "{} {}", cosine(&here), cosine(&there));
            }
        }
    }
}
