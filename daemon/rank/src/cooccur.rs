//! Item-item co-occurrence: cosine of time-decayed shopper weights with shrinkage (Sarwar et al. 2001; METRICS.md section 8).
use rayon::prelude::*;

use crate::sparse::Csr;

/// For each item its nearest items by shared shoppers, best first.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cooccurrence {
    rows: Vec<Vec<(u32, f32)>>,
}

impl Cooccurrence {
    /// `sim(i, j) = x_i . x_j / (|x_i| |x_j| + shrink)` for the `keep` largest j of each i; `users` has one row per shopper and
    /// `by_item` is its transpose.
    pub(crate) fn fit(users: &Csr, by_item: &Csr, shrink: f64, keep: usize, tie: &(dyn Fn(u32) -> u64 + Sync)) -> Self {
        let items = by_item.rows();
        let norms: Vec<f64> =
            (0..items).map(|i| by_item.row(i).map(|(_, v)| f64::from(v) * f64::from(v)).sum::<f64>().sqrt()).collect();
        let rows = (0..items)
            .into_par_iter()
            .map_init(
                || (vec![0f64; items], Vec::<u32>::new()),
                |(acc, touched), i| {
                    for (u, wi) in by_item.row(i) {
                        for (j, wj) in users.row(u as usize) {
                            let slot = &mut acc[j as usize];
                            if *slot == 0.0 {
                                touched.push(j);
                            }
                            *slot += f64::from(wi) * f64::from(wj);
                        }
                    }
                    let mut row: Vec<(u32, f32)> = Vec::with_capacity(touched.len());
                    for &j in touched.iter() {
                        let dot = std::mem::take(&mut acc[j as usize]);
                        if j as usize != i {
                            row.push((j, (dot / (norms[i] * norms[j as usize] + shrink)) as f32));
                        }
                    }
                    touched.clear();
                    let order =
                        |a: &(u32, f32), b: &(u32, f32)| b.1.total_cmp(&a.1).then_with(|| tie(a.0).cmp(&tie(b.0)));
                    if row.len() > keep {
                        row.select_nth_unstable_by(keep, order);
                        row.truncate(keep);
                    }
                    row.sort_unstable_by(order);
                    row.shrink_to_fit();
                    row
                },
            )
            .collect();
        Self { rows }
    }

    /// Neighbours of an item, best first.
    pub(crate) fn near(&self, item: u32) -> &[(u32, f32)] {
        self.rows.get(item as usize).map_or(&[], Vec::as_slice)
    }

    /// `out[j] = sum over i of weight(i) * sim(i, j)`.
    pub(crate) fn score(&self, weights: &[(u32, f32)], out: &mut [f32]) {
        for &(i, w) in weights {
            for &(j, s) in self.near(i) {
                out[j as usize] += w * s;
            }
        }
    }
}
