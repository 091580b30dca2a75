//! Implicit alternating least squares (Hu, Koren, Volinsky 2008; regularisation of Rendle et al. 2021, arXiv 2110.14037).
use rayon::prelude::*;

use crate::linalg::{cholesky_solve, dot};
use crate::sparse::Csr;

/// Settings of the factorisation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct IalsOptions {
    /// Width of a factor.
    pub dim: usize,
    /// Alternations.
    pub sweeps: usize,
    /// Weight of an observed pair of interest 1, relative to an unobserved pair.
    pub alpha: f64,
    /// Ridge per effective observation.
    pub lambda: f64,
}

impl Default for IalsOptions {
    fn default() -> Self {
        Self { dim: 64, sweeps: 6, alpha: 5.0, lambda: 0.01 }
    }
}

/// Item factors and what is needed to fold a shopper in.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ials {
    dim: usize,
    items: Vec<f32>,
    gram: Vec<f64>,
    options: IalsOptions,
    n_users: usize,
}

/// A number in [-1, 1) from an item and a column: the start must not depend on what else is in the log.
fn start(item: usize, column: usize) -> f32 {
    let mut x = (item as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (column as u64).wrapping_mul(0xc2b2_ae3d_27d4_eb4f);
    x ^= x >> 32;
    x = x.wrapping_mul(0xd6e8_feb8_6659_fd93);
    x ^= x >> 32;
    x = x.wrapping_mul(0xd6e8_feb8_6659_fd93);
    x ^= x >> 32;
    (x >> 40) as f32 / (1u64 << 23) as f32 - 1.0
}

/// `F^T F`, accumulated in fixed blocks so that the sum does not depend on the number of threads.
fn gram(factors: &[f32], dim: usize) -> Vec<f64> {
    let parts: Vec<Vec<f64>> = factors
        .par_chunks(dim * 512)
        .map(|block| {
            let mut g = vec![0f64; dim * dim];
            for row in block.chunks_exact(dim) {
                for (a, &x) in row.iter().enumerate() {
                    if x != 0.0 {
                        for (slot, &y) in g[a * dim..=a * dim + a].iter_mut().zip(row) {
                            *slot += f64::from(x) * f64::from(y);
                        }
                    }
                }
            }
            g
        })
        .collect();
    let mut out = vec![0f64; dim * dim];
    for p in parts {
        for (a, b) in out.iter_mut().zip(p) {
            *a += b;
        }
    }
    for a in 0..dim {
        for b in 0..a {
            out[b * dim + a] = out[a * dim + b];
        }
    }
    out
}

fn solve(
    observed: impl Iterator<Item = (u32, f32)>,
    other: &[f32],
    gram: &[f64],
    others: usize,
    o: &IalsOptions,
    out: &mut [f32],
) {
    let d = o.dim;
    let mut a = gram.to_vec();
    let mut b = vec![0f64; d];
    let mut n = 0usize;
    for (i, w) in observed {
        let row = &other[i as usize * d..(i as usize + 1) * d];
        let c = o.alpha * f64::from(w);
        for x in 0..d {
            let cx = c * f64::from(row[x]);
            for (slot, &y) in a[x * d..=x * d + x].iter_mut().zip(row) {
                *slot += cx * f64::from(y);
            }
            b[x] += (1.0 + c) * f64::from(row[x]);
        }
        n += 1;
    }
    if n == 0 {
        out.fill(0.0);
        return;
    }
    let ridge = o.lambda * (o.alpha * n as f64 + others as f64);
    for x in 0..d {
        a[x * d + x] += ridge;
    }
    cholesky_solve(&mut a, &mut b, d);
    for (slot, x) in out.iter_mut().zip(b) {
        *slot = x as f32;
    }
}

impl Ials {
    pub(crate) fn fit(users: &Csr, by_item: &Csr, options: IalsOptions) -> Self {
        let d = options.dim;
        let (nu, ni) = (users.rows(), by_item.rows());
        let n_users = (0..nu).filter(|&u| users.row_len(u) > 0).count();
        let n_items = (0..ni).filter(|&i| by_item.row_len(i) > 0).count();
        let scale = 0.1 / (d as f32).sqrt();
        let mut items = vec![0f32; ni * d];
        for (i, row) in items.chunks_exact_mut(d).enumerate() {
            if by_item.row_len(i) > 0 {
                row.iter_mut().enumerate().for_each(|(c, x)| *x = start(i, c) * scale);
            }
        }
        let mut shoppers = vec![0f32; nu * d];
        for _ in 0..options.sweeps {
            let g = gram(&items, d);
            shoppers
                .par_chunks_exact_mut(d)
                .enumerate()
                .for_each(|(u, row)| solve(users.row(u), &items, &g, n_items, &options, row));
            let g = gram(&shoppers, d);
            items
                .par_chunks_exact_mut(d)
                .enumerate()
                .for_each(|(i, row)| solve(by_item.row(i), &shoppers, &g, n_users, &options, row));
        }
        let gram = gram(&items, d);
        Self { dim: d, items, gram, options, n_users: n_items }
    }

    /// Folds the weights in and writes a score for every item.
    pub(crate) fn score(&self, weights: &[(u32, f32)], out: &mut [f32]) {
        let d = self.dim;
        if d == 0 || weights.is_empty() {
            return;
        }
        let known = weights.iter().copied().filter(|x| (x.0 as usize + 1) * d <= self.items.len());
        let mut user = vec![0f32; d];
        solve(known, &self.items, &self.gram, self.n_users, &self.options, &mut user);
        for (slot, row) in out.iter_mut().zip(self.items.chunks_exact(d)) {
            *slot = dot(&user, row);
        }
    }
}
