//! Whitening of item vectors (Su et al. 2021, "Whitening Sentence Representations"): an encoder's vectors of one shop lie in a narrow
//! cone, for all its texts are alike in what makes them texts of this shop. Cosines there say little, and means of several items
//! hardly anything. In directions of equal spread they do.
//!
//! The spread is estimated as if as many items again as there are directions had been seen, spread alike over all of them (the mean under an
//! inverse Wishart prior): what is hardly there at all is noise. Catalogues with few items for their directions are left alone: in as many
//! directions as there are items any of them is far from any other.
use std::sync::Arc;

use pulp::Arch;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::catalogue::Vectors;
use crate::linalg::{cholesky, dot, invert_lower};

/// Items that are read at most, from all over the catalogue: more move no cosine's second digit.
const SAMPLE: usize = 10_000;
/// Items for each direction from which on it pays: with ten (Online Retail) it does, with one (the demo's shop) it takes .005 of NDCG@10.
const FEWEST: usize = 4;

/// How vectors of one encoder are whitened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Whitening {
    /// Items that had a vector when it was fitted.
    items: usize,
    mean: Vec<f32>,
    /// Lower triangle of the inverse Cholesky factor of the covariance, row by row.
    factor: Vec<f32>,
}

impl Whitening {
    /// Fits to item vectors; the same vectors under the same numbers give the same bits. None for fewer than four vectors for each
    /// direction, or where all are the same.
    pub fn fit(vectors: &Vectors) -> Option<Self> {
        let all: Vec<&[f32]> = vectors.iter().map(|(_, row)| row).collect();
        let (dim, wanted) = (vectors.dim(), all.len().min(SAMPLE));
        if all.len() < FEWEST * dim {
            return None;
        }
        let sample: Vec<&[f32]> = (0..wanted).map(|k| all[k * all.len() / wanted]).collect();
        let count = sample.len() as f64;
        let column = |i: usize| sample.iter().map(move |row| f64::from(row[i]));
        let mean: Vec<f64> = (0..dim).map(|i| column(i).sum::<f64>() / count).collect();
        let centred: Vec<Vec<f32>> =
            (0..dim).into_par_iter().map(|i| column(i).map(|x| (x - mean[i]) as f32).collect()).collect();
        let mut spread = covariance(&centred);
        let trace: f64 = (0..dim).map(|i| spread[i * dim + i]).sum();
        let even = trace / dim as f64;
        if even <= f64::EPSILON {
            return None;
        }
        let believed = dim as f64 / (dim as f64 + count);
        for (place, x) in spread.iter_mut().enumerate() {
            *x *= 1.0 - believed;
            if place / dim == place % dim {
                *x += believed * even;
            }
        }
        cholesky(&mut spread, dim);
        invert_lower(&mut spread, dim);
        let factor = spread.chunks_exact(dim).enumerate().flat_map(|(i, row)| row[..=i].iter().map(|x| *x as f32));
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

    /// Whether what was read from a file can be used.
    pub fn is_sound(&self) -> bool {
        let dim = self.dim();
        dim > 0
            && self.factor.len() == dim * (dim + 1) / 2
            && self.mean.iter().chain(&self.factor).all(|x| x.is_finite())
    }

    /// A vector in directions of equal spread, length 1; zeros for the mean itself. `vector` is `dim` long.
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

    /// All vectors of a catalogue, by the same numbers.
    pub fn apply_all(&self, vectors: &Vectors) -> Vectors {
        let zero: Arc<[f32]> = vec![0.0; self.dim()].into();
        let rows = (0..vectors.len() as u32).into_par_iter();
        let rows = rows.map(|item| vectors.get(item).map_or_else(|| Arc::clone(&zero), |row| self.apply(row)));
        Vectors::of_rows(self.dim(), rows.collect::<Vec<_>>())
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
        Vectors::of_rows(dim, rows)
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
        let spread = whitening.apply_all(&vectors);
        let narrow = cone(60, 16);
        assert!(mean_cosine(&narrow) > 0.9);
        assert!(mean_cosine(&whitening.apply_all(&narrow)).abs() < 0.03);
        let share = |rows: &Vectors, i: usize| {
            (0..2_000).filter_map(|k| rows.get(k)).map(|row| row[i] * row[i]).sum::<f32>() / 2_000.0
        };
        // Of what is not common to all, nearly all lies in direction 1; then hardly more than its sixteenth.
        assert!(share(&vectors, 1) > 10.0 * share(&vectors, 2));
        assert!((0.9..1.6).contains(&(share(&spread, 1) * 16.0)), "{}", share(&spread, 1) * 16.0);
        assert_eq!(spread.get(5).unwrap(), &*whitening.apply(vectors.get(5).unwrap()));
    }

    #[test]
    fn too_few_vectors_and_equal_ones_are_left_alone() {
        assert_eq!(Whitening::fit(&cone(FEWEST * 8 - 1, 8)), None);
        assert_eq!(Whitening::fit(&Vectors::of_rows(8, vec![vec![0.5f32; 8].into(); 100])), None);
        assert_eq!(Whitening::fit(&Vectors::new(8)), None);
    }

    #[test]
    fn items_without_vector_stay_without_and_a_file_gives_the_same_bits() {
        let mut vectors = cone(200, 8);
        vectors.set(300, vec![1.0; 8].into()).unwrap();
        let whitening = Whitening::fit(&vectors).unwrap();
        assert_eq!(whitening.items(), 201);
        let spread = whitening.apply_all(&vectors);
        assert!(spread.get(250).is_none() && spread.get(300).is_some());
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
            let moved = Vectors::of_rows(6, moved);
            let here = Whitening::fit(&vectors).unwrap().apply_all(&vectors);
            let there = Whitening::fit(&moved).unwrap().apply_all(&moved);
            for (a, b) in [(0, 1), (7, 99), (150, 299)] {
                let cosine = |v: &Vectors| dot(v.get(a).unwrap(), v.get(b).unwrap());
                prop_assert!((cosine(&here) - cosine(&there)).abs() < 2e-2, "{} {}", cosine(&here), cosine(&there));
            }
        }
    }
}
