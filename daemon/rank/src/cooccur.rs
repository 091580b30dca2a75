//! Item-item co-occurrence: cosine of time-decayed shopper weights with shrinkage (Sarwar et al. 2001; METRICS.md section 8).
use std::cmp::Ordering;
use std::sync::Arc;

use rayon::prelude::*;

use crate::chunked::Chunked;
use crate::sparse::Csr;

/// Breaks ties between items.
pub(crate) type Tie<'a> = &'a (dyn Fn(u32) -> u64 + Sync);

/// The nearest items of one, best first.
pub(crate) type Near = Arc<[(u32, f32)]>;

/// For each item its nearest items by shared shoppers, best first. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cooccurrence {
    rows: Chunked<Near>,
}

/// Best first.
pub(crate) fn by_tie<'a>(tie: Tie<'a>) -> impl Fn(&(u32, f32), &(u32, f32)) -> Ordering + 'a {
    move |a, b| b.1.total_cmp(&a.1).then_with(|| tie(a.0).cmp(&tie(b.0)))
}

/// The `keep` best, best first.
pub(crate) fn cut(mut row: Vec<(u32, f32)>, keep: usize, tie: Tie<'_>) -> Near {
    let order = by_tie(tie);
    if row.len() > keep {
        row.select_nth_unstable_by(keep, &order);
        row.truncate(keep);
    }
    row.sort_unstable_by(order);
    row.into()
}

/// Sums of a thread: one slot per item, and which of them are in use.
pub(crate) type Sums = (Vec<f64>, Vec<u32>);

/// Room for so many items.
pub(crate) fn sums(items: usize) -> Sums {
    (vec![0.0; items], Vec::new())
}

/// Products of one column with all columns that share a row with it, in no order: `column` has its rows with their values, `row` gives
/// the columns of a row with theirs, and `of` makes a tie of a column's number and its product.
pub(crate) fn summed<R: Iterator<Item = (u32, f32)>>(
    column: impl Iterator<Item = (u32, f32)>,
    row: impl Fn(u32) -> R,
    (sums, touched): &mut Sums,
    of: impl Fn(u32, f64) -> f32,
) -> Vec<(u32, f32)> {
    for (observation, mine) in column {
        for (other, theirs) in row(observation) {
            let sum = &mut sums[other as usize];
            if *sum == 0.0 {
                touched.push(other);
            }
            *sum += f64::from(mine) * f64::from(theirs);
        }
    }
    touched.drain(..).map(|other| (other, of(other, std::mem::take(&mut sums[other as usize])))).collect()
}

/// Euclidean norm of a row.
pub(crate) fn norm(row: impl Iterator<Item = (u32, f32)>) -> f64 {
    row.map(|(_, v)| f64::from(v) * f64::from(v)).sum::<f64>().sqrt()
}

/// Euclidean norm of each row of a matrix, the columns of what it transposes.
pub(crate) fn norms(by_item: &Csr) -> Vec<f64> {
    (0..by_item.rows()).map(|i| norm(by_item.row(i))).collect()
}

impl Cooccurrence {
    /// `sim(i, j) = x_i . y_j / (|x_i| |y_j| + shrink)` for the `keep` largest j of each i, from one set of rows to another: `x` and `y`
    /// stand for the columns of the rows that `by_left` transposes and of `right`, both with one row per observation. `norms` has `|x_i|`
    /// and `|y_j|`.
    pub(crate) fn between(
        right: &Csr,
        by_left: &Csr,
        norms: (&[f64], &[f64]),
        shrink: f64,
        keep: usize,
        tie: Tie<'_>,
    ) -> Self {
        let items = by_left.rows();
        let rows: Vec<Near> = (0..items)
            .into_par_iter()
            .map_init(
                || sums(items),
                |sums, i| {
                    let of = |j: u32, dot: f64| (dot / (norms.0[i] * norms.1[j as usize] + shrink)) as f32;
                    let ties = summed(by_left.row(i), |u| right.row(u as usize), sums, of);
                    cut(ties.into_iter().filter(|tie| tie.0 as usize != i).collect(), keep, tie)
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

    /// `out[j] = max over i of weight(i) * sim(i, j)`: one strong tie says more than many weak ones.
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
