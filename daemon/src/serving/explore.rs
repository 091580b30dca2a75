//! Exploration: the last places of a list are drawn at random from the items below, with logged propensities, so that what another order
//! would have earned can be estimated (METRICS.md section 2: a deterministic list has no support).

use mercer_shared::ids::ItemId;
use mercer_shared::wire::ListItem;
use rand::{Rng, RngExt};

/// How much of a list is explored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exploration {
    /// Places at the end of the list.
    pub slots: usize,
    /// Items that the first explored place is drawn from: those that would stand there and below.
    pub pool: usize,
}

impl Exploration {
    /// Rows that a list of `k` must be made with.
    #[must_use]
    pub fn rows(self, k: usize) -> usize {
        k - self.slots_of(k) + self.pool
    }

    /// Explored places of a list of `k`: at most half of it.
    fn slots_of(self, k: usize) -> usize {
        self.slots.min(k / 2)
    }
}

/// Draws the last places of a list of `k` and returns the items they were drawn from, in the list's order. A place draws each item of the
/// pool that is left with the same probability, which its row carries. Lists without items below stay as they are, and nothing was drawn.
pub fn explore(rows: &mut Vec<ListItem>, k: usize, how: Exploration, rng: &mut impl Rng) -> Vec<ItemId> {
    let head = k - how.slots_of(k);
    if head == k || rows.len() <= k {
        rows.truncate(k);
        return Vec::new();
    }
    let mut pool = rows.split_off(head);
    pool.truncate(how.pool);
    let ids = pool.iter().map(|row| row.id.clone()).collect();
    rows.iter_mut().for_each(|row| row.propensity = Some(1.0));
    while rows.len() < k && !pool.is_empty() {
        let chance = 1.0 / pool.len() as f64;
        let mut row = pool.remove(rng.random_range(0..pool.len()));
        row.propensity = Some(chance);
        rows.push(row);
    }
    ids
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn rows(count: usize) -> Vec<ListItem> {
        let row = |n: usize| {
            let text = format!(r#"{{"id":"i{n:02}","title":"t","score":{},"parts":[]}}"#, 100 - n);
            serde_json::from_str(&text).unwrap()
        };
        (0..count).map(row).collect()
    }

    #[test]
    fn the_last_places_are_drawn_evenly_from_the_pool() {
        let how = Exploration { slots: 2, pool: 5 };
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let mut first: std::collections::BTreeMap<String, u32> = std::collections::BTreeMap::new();
        for _ in 0..5_000 {
            let mut list = rows(how.rows(6));
            let pool = explore(&mut list, 6, how, &mut rng);
            assert_eq!(pool.iter().map(ItemId::to_string).collect::<Vec<_>>(), ["i04", "i05", "i06", "i07", "i08"]);
            let ids: Vec<String> = list.iter().map(|row| row.id.to_string()).collect();
            assert_eq!(ids[..4], ["i00", "i01", "i02", "i03"]);
            assert_ne!(ids[4], ids[5]);
            let chances: Vec<f64> = list.iter().filter_map(|row| row.propensity).collect();
            assert_eq!(chances, [1.0, 1.0, 1.0, 1.0, 0.2, 0.25]);
            *first.entry(ids[4].clone()).or_default() += 1;
        }
        assert_eq!(first.len(), 5);
        // A fifth of 5,000 with four standard deviations of 28.
        assert!(first.values().all(|count| (1_000 - 113..=1_000 + 113).contains(count)), "{first:?}");
    }

    #[test]
    fn a_list_without_items_below_is_not_explored() {
        let how = Exploration { slots: 3, pool: 5 };
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        for (count, k) in [(4, 6), (6, 6), (0, 1), (5, 1)] {
            let mut list = rows(count);
            assert!(explore(&mut list, k, how, &mut rng).is_empty());
            assert_eq!(list, rows(count.min(k)));
        }
    }
}
