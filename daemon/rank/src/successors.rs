//! What the next basket holds after a basket like the shopper's last one: item-to-item ties from each basket to the one that
//! follows it (first-order transitions between sets, as in Rendle et al. 2010, here as a shrunk cosine). A day is a basket, and
//! nothing depends on the order within it.
use rayon::prelude::*;

use crate::cooccur::{Cooccurrence, norms};
use crate::kind::Kind;
use crate::log::{DAY_MS, Log};
use crate::sparse::Csr;

/// Items of a basket at most, those of the lowest numbers: bounds the pairs of wholesale baskets. The memory's cap may ask for fewer.
const BASKET: usize = 300;

/// Items of a basket with their weights.
type Weights = Vec<(u32, f32)>;

/// Distinct items by day of one shopper, oldest first.
fn baskets(events: &[crate::log::Event], target: Kind, items: usize, most: usize) -> Vec<(i64, Vec<u32>)> {
    let mut out: Vec<(i64, Vec<u32>)> = Vec::new();
    for e in events.iter().filter(|e| e.kind == target) {
        let Some(item) = e.item.filter(|&i| (i as usize) < items) else { continue };
        let day = e.at.div_euclid(DAY_MS);
        match out.last_mut() {
            Some((last, basket)) if *last == day => basket.push(item),
            _ => out.push((day, vec![item])),
        }
    }
    for (_, basket) in &mut out {
        basket.sort_unstable();
        basket.dedup();
        basket.truncate(most);
    }
    out
}

/// Fits the ties from all pairs of successive baskets at or before `at`; a pair counts half after `half_life` days, and each
/// basket has length 1 however many items it holds.
pub(crate) fn fit(
    log: &Log,
    at: i64,
    target: Kind,
    half_life: f64,
    (shrink, keep, cap): (f64, usize, usize),
    items: usize,
    tie: &(dyn Fn(u32) -> u64 + Sync),
) -> Cooccurrence {
    let today = at.div_euclid(DAY_MS);
    let pairs: Vec<Vec<[Weights; 2]>> = (0..log.users() as u32)
        .into_par_iter()
        .map(|user| {
            let all = baskets(log.until(user, at), target, items, cap.min(BASKET));
            all.windows(2)
                .map(|pair| {
                    let recent = (-((today - pair[1].0) as f64) / half_life).exp2().sqrt();
                    [&pair[0].1, &pair[1].1].map(|basket| {
                        let w = (recent / (basket.len() as f64).sqrt()) as f32;
                        basket.iter().map(|&i| (i, w)).collect()
                    })
                })
                .collect()
        })
        .collect();
    let (left, right): (Vec<_>, Vec<_>) = pairs.into_iter().flatten().map(|[a, b]| (a, b)).unzip();
    let (left, right) = (Csr::from_rows(left).transpose(items), Csr::from_rows(right));
    let norms = (norms(&left), norms(&right.transpose(items)));
    Cooccurrence::between(&right, &left, (&norms.0, &norms.1), shrink, keep, tie)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::Event;

    fn day_log(turned: bool) -> Log {
        let mut log = Log::new();
        // Everybody buys 1 and 2 on a day and 3 in the next basket; 4 comes long after and 5 only beside 3.
        for user in 0..8u32 {
            let mut events = vec![(0, 1), (0, 2), (7, 3), (7, 5), (90, 4)];
            if turned {
                events = vec![(0, 2), (0, 1), (7, 5), (7, 3), (90, 4)];
            }
            for (n, (day, item)) in events.into_iter().enumerate() {
                let at = day * DAY_MS + n as i64;
                log.push(user, Event { item: Some(item), text: None, kind: Kind::Purchase, value: 1.0, at });
            }
        }
        log
    }

    fn ties(log: &Log) -> Cooccurrence {
        fit(log, 91 * DAY_MS, Kind::Purchase, 120.0, (0.05, 10, BASKET), 6, &|i| u64::from(i))
    }

    #[test]
    fn a_basket_is_followed_by_the_next_one_and_not_by_itself() {
        let next = ties(&day_log(false));
        let of = |i: u32| next.near(i).iter().map(|x| x.0).collect::<Vec<_>>();
        assert_eq!(of(1), [3, 5]);
        assert_eq!(of(3), [4]);
        assert!(of(4).is_empty());
    }

    #[test]
    fn order_within_a_basket_means_nothing() {
        let (one, other) = (ties(&day_log(false)), ties(&day_log(true)));
        assert!((0..6).all(|i| one.near(i) == other.near(i)));
    }
}
