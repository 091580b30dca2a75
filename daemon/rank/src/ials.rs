//! Implicit alternating least squares (Hu, Koren, Volinsky 2008; regularisation of Rendle et al. 2021, arXiv 2110.14037).
use std::sync::Arc;

use pulp::Arch;
use rayon::prelude::*;

use crate::linalg::{cholesky_solve, dot, dot64};
use crate::sparse::{Csr, Keys};

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

/// Rows with no more observations than this are solved by updating a known inverse, which costs `d^2` an observation instead of
/// `d^3 / 6` in all: in a large catalogue nearly every item has one or two buyers.
const FEW: usize = 6;

/// What all rows of one side share: the Gram matrix of the other side's factors, and for each small number of observations the
/// inverse of the matrix without them (row-major `d x d`).
#[derive(Debug)]
struct Shared {
    gram: Vec<f64>,
    inverses: Vec<Vec<f64>>,
}

impl Shared {
    fn of(factors: &[f32], rows: &[u32], o: &IalsOptions) -> Self {
        let others = rows.len();
        let gram = gram(factors, rows, o.dim);
        let inverses = (1..=FEW).into_par_iter().map(|n| inverse(&gram, ridge(n, others, o), o.dim)).collect();
        Self { gram, inverses }
    }
}

/// Ridge of a row with `n` observations (Rendle et al. 2021, with exponent 1).
fn ridge(n: usize, others: usize, o: &IalsOptions) -> f64 {
    o.lambda * (o.alpha * n as f64 + others as f64)
}

/// `(G + ridge)^-1`, symmetric.
fn inverse(gram: &[f64], ridge: f64, d: usize) -> Vec<f64> {
    let mut out = vec![0f64; d * d];
    for (column, out) in out.chunks_exact_mut(d).enumerate() {
        let mut a = gram.to_vec();
        (0..d).for_each(|x| a[x * d + x] += ridge);
        out[column] = 1.0;
        cholesky_solve(&mut a, out, d);
    }
    out
}

/// Item factors and what is needed to fold a shopper in.
#[derive(Debug, Clone)]
pub(crate) struct Ials {
    dim: usize,
    items: Vec<f32>,
    shared: Arc<Shared>,
    options: IalsOptions,
    n_items: usize,
}

/// Order of sums over users and items, which decides their last bits.
pub(crate) struct FitOrder<'a> {
    /// Users with events, in the order of their stable keys.
    pub(crate) users: &'a [u32],
    /// Stable keys of the items.
    pub(crate) keys: Keys<'a>,
}

/// A number in [-1, 1) from an item's stable key and a column: it depends neither on the item's number nor on the rest of the log.
fn start(key: u64, column: usize) -> f32 {
    let mut x = key.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (column as u64).wrapping_mul(0xc2b2_ae3d_27d4_eb4f);
    x ^= x >> 32;
    x = x.wrapping_mul(0xd6e8_feb8_6659_fd93);
    x ^= x >> 32;
    x = x.wrapping_mul(0xd6e8_feb8_6659_fd93);
    x ^= x >> 32;
    (x >> 40) as f32 / (1u64 << 23) as f32 - 1.0
}

/// `F^T F` over some rows in their order, accumulated in fixed blocks so that the sum does not depend on the number of threads.
fn gram(factors: &[f32], rows: &[u32], dim: usize) -> Vec<f64> {
    let factors: Vec<f32> = rows.iter().flat_map(|&row| &factors[row as usize * dim..][..dim]).copied().collect();
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

/// The factor of a row from what was observed of it, with `others` rows on the other side.
fn solve(observed: &[(u32, f32)], other: &[f32], shared: &Shared, others: usize, o: &IalsOptions, out: &mut [f32]) {
    let d = o.dim;
    let rows = || observed.iter().map(|&(i, w)| (&other[i as usize * d..][..d], o.alpha * f64::from(w)));
    let solved = match observed.len() {
        0 => vec![0.0; d],
        n if n <= FEW => solve_few(rows(), &shared.inverses[n - 1], d),
        n => {
            let mut a = shared.gram.clone();
            let mut b = vec![0f64; d];
            for (row, c) in rows() {
                for x in 0..d {
                    let cx = c * f64::from(row[x]);
                    for (slot, &y) in a[x * d..=x * d + x].iter_mut().zip(row) {
                        *slot += cx * f64::from(y);
                    }
                    b[x] += (1.0 + c) * f64::from(row[x]);
                }
            }
            (0..d).for_each(|x| a[x * d + x] += ridge(n, others, o));
            cholesky_solve(&mut a, &mut b, d);
            b
        }
    };
    for (slot, x) in out.iter_mut().zip(solved) {
        *slot = x as f32;
    }
}

/// `(P^-1 + sum c f f^T)^-1 sum (1 + c) f` by the Woodbury identity, for few `f` of weight `c` and `P` known.
fn solve_few<'a>(rows: impl Iterator<Item = (&'a [f32], f64)>, p: &[f64], d: usize) -> Vec<f64> {
    let rows: Vec<(Vec<f64>, f64)> = rows.map(|(f, c)| (f.iter().map(|&x| f64::from(x)).collect(), c)).collect();
    let inner = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
    let images: Vec<Vec<f64>> =
        rows.iter().map(|(f, _)| p.chunks_exact(d).map(|row| dot64(row, f)).collect()).collect();
    let n = rows.len();
    let mut small = vec![0f64; n * n];
    let mut out = vec![0f64; d];
    for (j, (f, c)) in rows.iter().enumerate() {
        for (k, image) in images.iter().enumerate() {
            small[j * n + k] = inner(f, image);
        }
        small[j * n + j] += 1.0 / c.max(1e-12);
        out.iter_mut().zip(&images[j]).for_each(|(x, u)| *x += (1.0 + c) * u);
    }
    let mut y: Vec<f64> = rows.iter().map(|(f, _)| inner(f, &out)).collect();
    cholesky_solve(&mut small, &mut y, n);
    for (y, image) in y.iter().zip(&images) {
        out.iter_mut().zip(image).for_each(|(x, u)| *x -= y * u);
    }
    out
}

impl Ials {
    pub(crate) fn fit(users: &Csr, by_item: &Csr, order: &FitOrder<'_>, options: IalsOptions) -> Self {
        let d = options.dim;
        let (nu, ni) = (users.rows(), by_item.rows());
        let key = |i: u32| order.keys.get(i as usize).copied().unwrap_or(0);
        let some_users: Vec<u32> = order.users.iter().copied().filter(|&u| users.row_len(u as usize) > 0).collect();
        let mut some_items: Vec<u32> = (0..ni as u32).filter(|&i| by_item.row_len(i as usize) > 0).collect();
        some_items.sort_by_key(|&i| (key(i), i));
        let (n_users, n_items) = (some_users.len(), some_items.len());
        let scale = 0.1 / (d as f32).sqrt();
        let mut items = vec![0f32; ni * d];
        for (i, row) in items.chunks_exact_mut(d).enumerate() {
            if by_item.row_len(i) > 0 {
                row.iter_mut().enumerate().for_each(|(c, x)| *x = start(key(i as u32), c) * scale);
            }
        }
        let mut shoppers = vec![0f32; nu * d];
        for _ in 0..options.sweeps {
            let shared = Shared::of(&items, &some_items, &options);
            shoppers.par_chunks_exact_mut(d).enumerate().for_each(|(u, row)| {
                solve(&users.row(u).collect::<Vec<_>>(), &items, &shared, n_items, &options, row);
            });
            let shared = Shared::of(&shoppers, &some_users, &options);
            items.par_chunks_exact_mut(d).enumerate().for_each(|(i, row)| {
                solve(&by_item.row(i).collect::<Vec<_>>(), &shoppers, &shared, n_users, &options, row);
            });
        }
        let shared = Shared::of(&items, &some_items, &options).into();
        Self { dim: d, items, shared, options, n_items }
    }

    /// Folds the weights in and writes a score for every item.
    pub(crate) fn score(&self, weights: &[(u32, f32)], out: &mut [f32]) {
        let d = self.dim;
        if d == 0 || weights.is_empty() {
            return;
        }
        let known: Vec<(u32, f32)> =
            weights.iter().copied().filter(|x| (x.0 as usize + 1) * d <= self.items.len()).collect();
        let mut user = vec![0f32; d];
        solve(&known, &self.items, &self.shared, self.n_items, &self.options, &mut user);
        Arch::new().dispatch(|| {
            for (slot, row) in out.iter_mut().zip(self.items.chunks_exact(d)) {
                *slot = dot(&user, row);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_observations_are_solved_as_many_are() {
        let (d, n) = (8, 40);
        let factors: Vec<f32> = (0..n * d).map(|k| start((k / d) as u64, k % d)).collect();
        let o = IalsOptions { dim: d, ..IalsOptions::default() };
        let shared = Shared::of(&factors, &(0..n as u32).collect::<Vec<_>>(), &o);
        for few in 1..=FEW {
            let observed: Vec<(u32, f32)> = (0..few as u32).map(|k| (k * 5, 0.3 + k as f32)).collect();
            let mut quick = vec![0f32; d];
            solve(&observed, &factors, &shared, n, &o, &mut quick);
            let mut a = shared.gram.clone();
            let mut b = vec![0f64; d];
            for &(i, w) in &observed {
                let (row, c) = (&factors[i as usize * d..][..d], o.alpha * f64::from(w));
                for x in 0..d {
                    for y in 0..d {
                        a[x * d + y] += c * f64::from(row[x]) * f64::from(row[y]);
                    }
                    b[x] += (1.0 + c) * f64::from(row[x]);
                }
            }
            (0..d).for_each(|x| a[x * d + x] += ridge(few, n, &o));
            cholesky_solve(&mut a, &mut b, d);
            for (q, b) in quick.iter().zip(b) {
                assert!((f64::from(*q) - b).abs() < 1e-6 * b.abs().max(1.0), "{few}: {q} against {b}");
            }
        }
    }
}
