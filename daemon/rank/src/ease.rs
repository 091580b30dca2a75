//! EASE: closed-form item-item regression with zero diagonal (Steck 2019, arXiv 1905.03375).
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::linalg::invert_spd;
use crate::sparse::{Csr, Keys};

/// Settings.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct EaseOptions {
    /// Ridge, relative to the mean diagonal of the Gram matrix.
    pub ridge: f64,
    /// The model is restricted to so many items, those with the most shoppers: the cost grows with the cube, the matrix with
    /// the square. Other items score nothing.
    pub max_items: usize,
    /// Weights kept per item.
    pub keep: usize,
}

impl Default for EaseOptions {
    fn default() -> Self {
        Self { ridge: 20.0, max_items: 6000, keep: 400 }
    }
}

/// The `most` items with the most users (of equally many those of the lower keys), in the order of their keys, and how many have any.
fn most_bought(by_item: &Csr, keys: Keys<'_>, most: usize) -> (Vec<u32>, usize) {
    let shoppers = |i: u32| by_item.row_len(i as usize);
    let mut picked: Vec<u32> = (0..by_item.rows() as u32).filter(|&i| shoppers(i) > 0).collect();
    let bought = picked.len();
    let key = |i: u32| (keys[i as usize], i);
    if bought > most {
        picked.sort_by_key(|&i| (std::cmp::Reverse(shoppers(i)), key(i)));
        picked.truncate(most);
    }
    picked.sort_unstable_by_key(|&i| key(i));
    (picked, bought)
}

/// The weights, the largest of each row.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ease {
    rows: Vec<Vec<(u32, f32)>>,
    /// Items in the model, and items that were bought.
    covers: (usize, usize),
}

impl Ease {
    /// None when nothing was bought.
    pub(crate) fn fit(users: &Csr, by_item: &Csr, keys: Keys<'_>, o: &EaseOptions) -> Option<Self> {
        let (picked, bought) = most_bought(by_item, keys, o.max_items);
        let n = picked.len();
        if n == 0 {
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
                let order = |a: &(u32, f32), b: &(u32, f32)| {
                    let key = |i: u32| (keys[i as usize], i);
                    b.1.abs().total_cmp(&a.1.abs()).then_with(|| key(a.0).cmp(&key(b.0)))
                };
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
        Some(Self { rows, covers: (n, bought) })
    }

    /// Items in the model, and items that were bought at all.
    pub(crate) fn covers(&self) -> (usize, usize) {
        self.covers
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Items 0 and 1 go together, 2 and 3 do; item 4 has one shopper.
    fn users() -> Csr {
        let basket = |items: &[u32]| items.iter().map(|&i| (i, 1.0)).collect::<Vec<_>>();
        let mut rows = vec![basket(&[0, 1, 4])];
        (0..5).for_each(|_| rows.extend([basket(&[0, 1]), basket(&[2, 3]), basket(&[0]), basket(&[2])]));
        Csr::from_rows(rows)
    }

    #[test]
    fn what_goes_together_scores_and_nothing_recommends_itself() {
        let users = users();
        let ease = Ease::fit(
            &users,
            &users.transpose(5, 0..users.rows() as u32),
            &[0, 1, 2, 3, 4],
            &EaseOptions { ridge: 0.5, ..EaseOptions::default() },
        )
        .unwrap();
        let mut out = vec![0f32; 5];
        ease.score(&[(0, 1.0)], &mut out);
        assert!(out[1] > 0.2 && out[1] > out[3] && out[0] == 0.0, "{out:?}");
        assert_eq!(ease.covers(), (5, 5));
    }

    #[test]
    fn a_large_catalogue_is_cut_to_the_most_bought() {
        let users = users();
        let options = EaseOptions { max_items: 4, ridge: 0.5, ..EaseOptions::default() };
        let ease = Ease::fit(&users, &users.transpose(5, 0..users.rows() as u32), &[0, 1, 2, 3, 4], &options).unwrap();
        assert_eq!(ease.covers(), (4, 5));
        let mut out = vec![0f32; 5];
        ease.score(&[(0, 1.0), (4, 1.0)], &mut out);
        assert!(out[1] > 0.2 && out[4] == 0.0, "{out:?}");
    }
}
