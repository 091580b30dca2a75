//! Nearest items of each item: cosine of time-decayed interests with shrinkage (Sarwar et al. 2001; METRICS.md section 8).
use std::cmp::Ordering;
use std::sync::Arc;

use rayon::prelude::*;

use crate::chunked::Chunked;
use crate::sparse::{Csr, Keys};

/// How similarities are shrunk, and how many an item keeps.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Shrinkage {
    /// Added to the product of the norms: holds back similarities that few users support.
    pub(crate) shrink: f64,
    /// Neighbours of an item at most.
    pub(crate) keep: usize,
}

/// The nearest items of one, best first.
pub(crate) type Near = Arc<[(u32, f32)]>;

/// For each item its nearest items, best first. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct NeighbourLists {
    rows: Chunked<Near>,
}

/// Order of neighbours: most similar first, then by key.
pub(crate) fn best_first<'a>(keys: Keys<'a>) -> impl Fn(&(u32, f32), &(u32, f32)) -> Ordering + 'a {
    move |a, b| b.1.total_cmp(&a.1).then_with(|| keys[a.0 as usize].cmp(&keys[b.0 as usize]))
}

/// The `keep` best, best first.
pub(crate) fn top(mut row: Vec<(u32, f32)>, keep: usize, keys: Keys<'_>) -> Near {
    let order = best_first(keys);
    if row.len() > keep {
        row.select_nth_unstable_by(keep, &order);
        row.truncate(keep);
    }
    row.sort_unstable_by(order);
    row.into()
}

/// Sums by item that a thread reuses: one slot per item, and which of them are in use.
pub(crate) struct SparseSums {
    sums: Vec<f64>,
    touched: Vec<u32>,
}

impl SparseSums {
    /// Room for so many items.
    pub(crate) fn new(items: usize) -> Self {
        Self { sums: vec![0.0; items], touched: Vec::new() }
    }

    /// Similarities of one column with all columns that share a row with it, in no order: `column` has its rows with their values,
    /// `row` gives the columns of a row with theirs, and `similarity` turns a column's number and the inner product into the
    /// similarity.
    pub(crate) fn similarities<R: Iterator<Item = (u32, f32)>>(
        &mut self,
        column: impl Iterator<Item = (u32, f32)>,
        row: impl Fn(u32) -> R,
        similarity: impl Fn(u32, f64) -> f32,
    ) -> Vec<(u32, f32)> {
        let Self { sums, touched } = self;
        for (observation, mine) in column {
            for (other, theirs) in row(observation) {
                let sum = &mut sums[other as usize];
                if *sum == 0.0 {
                    touched.push(other);
                }
                *sum += f64::from(mine) * f64::from(theirs);
            }
        }
        touched.drain(..).map(|other| (other, similarity(other, std::mem::take(&mut sums[other as usize])))).collect()
    }
}

/// Euclidean norm of a row.
pub(crate) fn norm(row: impl Iterator<Item = (u32, f32)>) -> f64 {
    row.map(|(_, v)| f64::from(v) * f64::from(v)).sum::<f64>().sqrt()
}

/// Euclidean norm of each row of a matrix, the columns of what it transposes.
pub(crate) fn norms(by_item: &Csr) -> Vec<f64> {
    (0..by_item.rows()).map(|i| norm(by_item.row(i))).collect()
}

/// `sim(i, j) = x_i . y_j / (|x_i| |y_j| + shrink)` between the columns `x_i` of one matrix and `y_j` of another, both with one row per
/// observation.
#[derive(Clone, Copy)]
pub(crate) struct Similarity<'a> {
    /// Transpose of the matrix of `x`.
    pub(crate) by_item: &'a Csr,
    /// `|x_i|`.
    pub(crate) norms: &'a [f64],
    /// The matrix of `y`.
    pub(crate) rows: &'a Csr,
    /// `|y_j|`.
    pub(crate) row_norms: &'a [f64],
    pub(crate) shrinkage: Shrinkage,
}

impl NeighbourLists {
    /// The nearest items of each item.
    pub(crate) fn fit(of: &Similarity<'_>, keys: Keys<'_>) -> Self {
        let Shrinkage { shrink, keep } = of.shrinkage;
        let items = of.by_item.rows();
        let rows: Vec<Near> = (0..items)
            .into_par_iter()
            .map_init(
                || SparseSums::new(items),
                |sums, i| {
                    let similarity =
                        |j: u32, dot: f64| (dot / (of.norms[i] * of.row_norms[j as usize] + shrink)) as f32;
                    let all = sums.similarities(of.by_item.row(i), |u| of.rows.row(u as usize), similarity);
                    top(all.into_iter().filter(|near| near.0 as usize != i).collect(), keep, keys)
                },
            )
            .collect();
        Self { rows: rows.into_iter().collect() }
    }

    /// Neighbours of an item, best first.
    pub(crate) fn near(&self, item: u32) -> &[(u32, f32)] {
        self.rows.get(item as usize).map_or(&[], |row| row)
    }

    /// Replaces the neighbours of an item.
    pub(crate) fn set(&mut self, item: u32, near: Near) {
        self.rows.set(item as usize, near, Near::default);
    }

    /// `out[j] = max over i of weight(i) * sim(i, j)`: the nearest single item counts.
    pub(crate) fn strongest(&self, weights: &[(u32, f32)], out: &mut [f32]) {
        for &(i, w) in weights {
            for &(j, s) in self.near(i) {
                let slot = &mut out[j as usize];
                *slot = slot.max(w * s);
            }
        }
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
