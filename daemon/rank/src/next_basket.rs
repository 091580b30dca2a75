//! Item-to-item similarities from each basket to the one that follows it (first-order transitions between sets, as in
//! Rendle et al. 2010, here as a shrunk cosine). A day is a basket, and order within it does not matter.
use rayon::prelude::*;

use crate::log::{DAY_MS, Event, Log};
use crate::neighbour_lists::{NeighbourLists, Shrinkage, Similarity, norms};
use crate::sparse::{Csr, Keys};
use mercer_shared::interaction::InteractionType;

/// Items of a basket at most, those of the lowest keys: bounds the pairs of wholesale baskets. The index's cap may ask for fewer.
const MAX_BASKET: usize = 300;

/// Items of a basket with their weights.
type Weights = Vec<(u32, f32)>;

/// Settings of [`fit`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct NextBasketOptions {
    /// Pairs of baskets at or before this moment are read.
    pub(crate) at: i64,
    /// InteractionType of the purchases.
    pub(crate) target: InteractionType,
    /// Days after which a pair counts half.
    pub(crate) half_life: f64,
    /// Items of a basket at most.
    pub(crate) cap: usize,
    pub(crate) shrinkage: Shrinkage,
}

/// The basket of one day.
struct Basket {
    /// Days since 1970.
    day: i64,
    /// Distinct items, in the order of their keys.
    items: Vec<u32>,
}

/// Baskets of one user, oldest first.
fn baskets(events: &[Event], o: &NextBasketOptions, keys: Keys<'_>) -> Vec<Basket> {
    let mut out: Vec<Basket> = Vec::new();
    for e in events.iter().filter(|e| e.is_positive(o.target)) {
        let Some(item) = e.item.filter(|&i| (i as usize) < keys.len()) else { continue };
        let day = e.at.div_euclid(DAY_MS);
        match out.last_mut() {
            Some(basket) if basket.day == day => basket.items.push(item),
            _ => out.push(Basket { day, items: vec![item] }),
        }
    }
    for basket in &mut out {
        basket.items.sort_unstable_by_key(|&i| (keys[i as usize], i));
        basket.items.dedup();
        basket.items.truncate(o.cap.min(MAX_BASKET));
    }
    out
}

/// Fits similarities to all pairs of successive baskets. Each basket has length 1 however many items it holds.
pub(crate) fn fit(log: &Log, o: &NextBasketOptions, keys: Keys<'_>) -> NeighbourLists {
    let today = o.at.div_euclid(DAY_MS);
    let pairs: Vec<Vec<[Weights; 2]>> = log
        .users_by_key()
        .into_par_iter()
        .map(|user| {
            baskets(log.until(user, o.at), o, keys)
                .windows(2)
                .map(|pair| {
                    let recency = (-((today - pair[1].day) as f64) / o.half_life).exp2().sqrt();
                    [&pair[0].items, &pair[1].items].map(|items| {
                        let w = (recency / (items.len() as f64).sqrt()) as f32;
                        items.iter().map(|&i| (i, w)).collect()
                    })
                })
                .collect()
        })
        .collect();
    let (before, after): (Vec<_>, Vec<_>) = pairs.into_iter().flatten().map(|[a, b]| (a, b)).unzip();
    let (before, rows) = (Csr::from_rows(before), Csr::from_rows(after));
    // Pairs are in the order of their users' keys.
    let pairs = 0..rows.rows() as u32;
    let by_item = before.transpose(keys.len(), pairs.clone());
    let (norms, row_norms) = (norms(&by_item), norms(&rows.transpose(keys.len(), pairs)));
    let of =
        Similarity { by_item: &by_item, norms: &norms, rows: &rows, row_norms: &row_norms, shrinkage: o.shrinkage };
    NeighbourLists::fit(&of, keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day_log(reversed: bool) -> Log {
        let mut log = Log::new();
        // Every user buys 1 and 2 on a day and 3 in the next basket; 4 comes long after and 5 only beside 3.
        for user in 0..8u32 {
            let mut events = vec![(0, 1), (0, 2), (7, 3), (7, 5), (90, 4)];
            if reversed {
                events = vec![(0, 2), (0, 1), (7, 5), (7, 3), (90, 4)];
            }
            for (n, (day, item)) in events.into_iter().enumerate() {
                let at = day * DAY_MS + n as i64;
                log.push(user, Event { item: Some(item), text: None, kind: InteractionType::Purchase, value: 1.0, at });
            }
        }
        log
    }

    fn fitted(log: &Log) -> NeighbourLists {
        let o = NextBasketOptions {
            at: 91 * DAY_MS,
            target: InteractionType::Purchase,
            half_life: 120.0,
            cap: MAX_BASKET,
            shrinkage: Shrinkage { shrink: 0.05, keep: 10 },
        };
        fit(log, &o, &[0, 1, 2, 3, 4, 5])
    }

    #[test]
    fn a_basket_is_followed_by_the_next_one_and_not_by_itself() {
        let next = fitted(&day_log(false));
        let of = |i: u32| next.near(i).iter().map(|x| x.0).collect::<Vec<_>>();
        assert_eq!(of(1), [3, 5]);
        assert_eq!(of(3), [4]);
        assert!(of(4).is_empty());
    }

    #[test]
    fn order_within_a_basket_means_nothing() {
        let (one, other) = (fitted(&day_log(false)), fitted(&day_log(true)));
        assert!((0..6).all(|i| one.near(i) == other.near(i)));
    }
}
