//! EASE: closed-form item-item regression with zero diagonal (Steck 2019, arXiv 1905.03375).
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::linalg::invert_spd;
use crate::sparse::Csr;

/// Settings.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct EaseOptions {
    /// Ridge, relative to the mean diagonal of the Gram matrix.
    pub ridge: f64,
    /// Above this number of bought items the model is left out: the cost grows with the cube, the matrix with the square.
    pub max_items: usize,
    /// Weights kept per item.
    pub keep: usize,
}

impl Default for EaseOptions {
    fn default() -> Self {
        Self { ridge: 20.0, max_items: 6000, keep: 400 }
    }
}

/// The weights, the largest of each row.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ease {
    rows: Vec<Vec<(u32, f32)>>,
}

impl Ease {
    /// None when nothing was bought, or too many different items.
    pub(crate) fn fit(users: &Csr, by_item: &Csr, o: &EaseOptions) -> Option<Self> {
        let picked: Vec<u32> = (0..by_item.rows() as u32).filter(|&i| by_item.row_len(i as usize) > 0).collect();
        let n = picked.len();
        if n == 0 || n > o.max_items {
            return None;
        }
        let mut place = vec![u32::MAX; by_item.rows()];
        for (p, &i) in picked.iter().enumerate() {
            place[i as usize] = p as u32;
        }
        let mut g = vec![0f32; n * n];
        g.par_chunks_exact_mut(n).enumerate().for_each(|(p, row)| {
            for (u, wi) in by_item.row(picked[p] as usize) {
                for (j, wj) in users.row(u as usize) {
                    let q = place[j as usize];
                    if q != u32::MAX {
                        row[q as usize] += wi * wj;
                    }
                }
            }
        });
        let mean = (0..n).map(|p| f64::from(g[p * n + p])).sum::<f64>() / n as f64;
        for p in 0..n {
            g[p * n + p] += (o.ridge * mean) as f32;
        }
        invert_spd(&mut g, n);
        let diagonal: Vec<f32> = (0..n).map(|p| g[p * n + p]).collect();
        let kept: Vec<Vec<(u32, f32)>> = g
            .par_chunks_exact(n)
            .enumerate()
            .map(|(p, row)| {
                let mut out: Vec<(u32, f32)> =
                    (0..n).filter(|&q| q != p).map(|q| (picked[q], -row[q] / diagonal[q])).collect();
                let order = |a: &(u32, f32), b: &(u32, f32)| b.1.abs().total_cmp(&a.1.abs()).then(a.0.cmp(&b.0));
                if out.len() > o.keep {
                    out.select_nth_unstable_by(o.keep, order);
                    out.truncate(o.keep);
                }
                out.sort_unstable_by_key(|x| x.0);
                out
            })
            .collect();
        let mut rows = vec![Vec::new(); by_item.rows()];
        for (i, row) in picked.into_iter().zip(kept) {
            rows[i as usize] = row;
        }
        Some(Self { rows })
    }

    /// `out[j] = sum over i of weight(i) * B[i][j]`.
    pub(crate) fn score(&self, weights: &[(u32, f32)], out: &mut [f32]) {
        for &(i, w) in weights {
            for &(j, b) in self.rows.get(i as usize).map_or(&[][..], Vec::as_slice) {
                out[j as usize] += w * b;
            }
        }
    }
}
