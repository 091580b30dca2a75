//! Item-item co-occurrence, updated incrementally to exactly the numbers that a fit on the whole log gives. An update never adds to
//! or subtracts from a sum, which would leave rounding errors of erased data: items whose users changed are summed again, and the
//! lists of other items get their entries replaced.
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rayon::prelude::*;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::chunked::Chunked;
use crate::log::Log;
use crate::neighbour_lists::{Near, NeighbourLists, Shrinkage, Similarity, SparseSums, best_first, norm, norms, top};
use crate::sparse::{Csr, InterestDecay, Keys, interests};

/// A row of a sparse matrix, ascending by column.
type Row = Arc<[(u32, f32)]>;

/// Interests of users, and the nearest items of each item by them. Cheap to clone; a clone is a snapshot.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cooccurrence {
    /// Events are weighted as of the moment of the fit, also when they come later. The ratio of two weights is the same at any moment,
    /// so cosines are too, except that the shrinkage acts a little less on new events.
    decay: InterestDecay,
    shrinkage: Shrinkage,
    users: Chunked<Row>,
    by_item: Chunked<Row>,
    norms: Arc<Vec<f64>>,
    near: NeighbourLists,
}

fn rows(matrix: &Csr) -> Chunked<Row> {
    (0..matrix.rows()).map(|r| matrix.row(r).collect()).collect()
}

fn row(rows: &Chunked<Row>, at: u32) -> &[(u32, f32)] {
    rows.get(at as usize).map_or(&[], |row| row)
}

/// Place of an item in a row, whose entries are in the order of the items' keys.
fn position(row: &[(u32, f32)], item: u32, keys: Keys<'_>) -> Option<usize> {
    row.binary_search_by_key(&(keys[item as usize], item), |x| (keys[x.0 as usize], x.0)).ok()
}

/// A row with some of its columns replaced, or removed where the new value is `None`; row and changes are in the order of `key`.
fn replaced(row: &[(u32, f32)], changes: &[(u32, Option<f32>)], key: impl Fn(u32) -> u64) -> Row {
    let changed: FxHashSet<u32> = changes.iter().map(|change| change.0).collect();
    let mut new = changes.iter().filter_map(|&(column, value)| Some((column, value?))).peekable();
    let mut out = Vec::with_capacity(row.len() + changes.len());
    for &kept in row.iter().filter(|entry| !changed.contains(&entry.0)) {
        while let Some(entry) = new.next_if(|entry| (key(entry.0), entry.0) < (key(kept.0), kept.0)) {
            out.push(entry);
        }
        out.push(kept);
    }
    out.extend(new);
    out.into()
}

/// When more than one in so many items changed, all are summed again: entries for the lists of the others would take more memory than
/// they save work.
const SUM_ALL_FRACTION: usize = 16;

/// A neighbour with its similarity, to be put into the list of an item.
#[derive(Clone, Copy)]
struct Entry {
    item: u32,
    neighbour: (u32, f32),
}

impl Cooccurrence {
    /// Fits to the interests of users, which `decay` made of the log, and their transpose.
    pub(crate) fn fit(users: &Csr, by_item: &Csr, decay: InterestDecay, shrinkage: Shrinkage, keys: Keys<'_>) -> Self {
        let norms = norms(by_item);
        let of = Similarity { by_item, norms: &norms, rows: users, row_norms: &norms, shrinkage };
        let near = NeighbourLists::fit(&of, keys);
        Self { decay, shrinkage, users: rows(users), by_item: rows(by_item), norms: Arc::new(norms), near }
    }

    /// The nearest items of each item.
    pub(crate) fn near(&self) -> &NeighbourLists {
        &self.near
    }

    /// All neighbours of an item, in no order.
    fn neighbours(&self, item: u32, sums: &mut SparseSums) -> Vec<(u32, f32)> {
        let norm = |item: u32| self.norms.get(item as usize).copied().unwrap_or(0.0);
        let similarity = |other: u32, dot: f64| (dot / (norm(item) * norm(other) + self.shrinkage.shrink)) as f32;
        let users = |user: u32| row(&self.users, user).iter().copied();
        let mut all = sums.similarities(row(&self.by_item, item).iter().copied(), users, similarity);
        all.retain(|near| near.0 != item);
        all
    }

    /// The same after the events of some users changed in the log. `keys` are those of the catalogue's items.
    pub(crate) fn follow(&self, log: &Log, changed: &[u32], keys: Keys<'_>) -> Self {
        let decay = InterestDecay { until: i64::MAX, ..self.decay };
        let mut out = self.clone();
        let mut changed = changed.to_vec();
        changed.sort_unstable();
        changed.dedup();
        changed.sort_by_key(|&user| (log.key(user), user));
        let (mut columns, mut reached) = (FxHashMap::<u32, Vec<(u32, Option<f32>)>>::default(), FxHashSet::default());
        for user in changed {
            let (old, new) = (row(&self.users, user), interests(log.events(user), &decay, keys));
            if *old == *new {
                continue;
            }
            for &(item, weight) in &new {
                if position(old, item, keys).map_or(0.0, |at| old[at].1) != weight {
                    columns.entry(item).or_default().push((user, Some(weight)));
                }
            }
            for &(item, _) in old {
                if position(&new, item, keys).is_none() {
                    columns.entry(item).or_default().push((user, None));
                }
            }
            reached.extend(old.iter().map(|x| x.0));
            out.users.set(user as usize, new.into(), Row::default);
        }
        if columns.is_empty() {
            return out;
        }
        let items = keys.len();
        let norms = Arc::make_mut(&mut out.norms);
        norms.resize(norms.len().max(items), 0.0);
        let mut moved: Vec<u32> = columns.keys().copied().collect();
        if moved.len() * SUM_ALL_FRACTION > items {
            moved = (0..items as u32).collect();
        }
        moved.sort_unstable();
        for (&item, changes) in &columns {
            let row = replaced(row(&self.by_item, item), changes, |user| log.key(user));
            norms[item as usize] = norm(row.iter().copied());
            out.by_item.set(item as usize, row, Row::default);
        }
        out.near = out.renewed(&moved, reached, keys);
        out
    }

    /// Neighbour lists after the users of the `moved` items (ascending) changed; `reached` are items that had one of them as a neighbour.
    fn renewed(&self, moved: &[u32], reached: FxHashSet<u32>, keys: Keys<'_>) -> NeighbourLists {
        let order = best_first(keys);
        let (size, keep) = (self.norms.len().max(keys.len()), self.shrinkage.keep);
        let sums = || SparseSums::new(size);
        let near = |item: u32| self.near.near(item);
        let mut moves = vec![false; size];
        moved.iter().for_each(|item| moves[*item as usize] = true);
        let has_moved = |item: u32| moves[item as usize];
        // Items that have, or had, a moved item as a neighbour: there may be far more of them than there are entries to write.
        let near_moved: Vec<AtomicBool> = (0..size).map(|_| AtomicBool::new(false)).collect();
        let mark = |item: u32| near_moved[item as usize].store(true, Ordering::Relaxed);
        reached.into_iter().for_each(mark);
        // Whether a neighbour may belong into a list: those that were cut off before are worse than its last.
        let may_enter = |list: &[(u32, f32)], neighbour| {
            list.len() < keep || list.last().is_none_or(|last| order(&neighbour, last).is_le())
        };
        // Similarity is symmetric: what was summed for the one item is the other's entry.
        let (lists, entries): (Vec<Near>, Vec<Vec<Entry>>) = moved
            .par_iter()
            .map_init(sums, |sums, &item| {
                let all = self.neighbours(item, sums);
                all.iter().for_each(|&(other, _)| mark(other));
                let entries = all
                    .iter()
                    .map(|&(other, x)| Entry { item: other, neighbour: (item, x) })
                    .filter(|entry| !has_moved(entry.item) && may_enter(near(entry.item), entry.neighbour))
                    .collect();
                (top(all, keep, keys), entries)
            })
            .unzip();
        let mut new: FxHashMap<u32, Vec<(u32, f32)>> = FxHashMap::default();
        for entry in entries.into_iter().flatten() {
            new.entry(entry.item).or_default().push(entry.neighbour);
        }
        let others: Vec<u32> =
            (0..size as u32).filter(|n| near_moved[*n as usize].load(Ordering::Relaxed) && !has_moved(*n)).collect();
        let changed: Vec<(u32, Near)> = others
            .par_iter()
            .map_init(sums, |sums, &item| {
                let (old, new) = (near(item), new.get(&item).map_or(&[][..], Vec::as_slice));
                if new.is_empty() && !old.iter().any(|x| has_moved(x.0)) {
                    return None;
                }
                let mut list: Vec<(u32, f32)> = old.iter().copied().filter(|x| !has_moved(x.0)).collect();
                list.extend_from_slice(new);
                if old.len() >= keep && list.len() < keep {
                    // A neighbour that had been cut off comes back.
                    list = self.neighbours(item, sums);
                }
                Some((item, top(list, keep, keys)))
            })
            .flatten()
            .collect();
        let mut out = self.near.clone();
        for (item, list) in moved.iter().copied().zip(lists).chain(changed) {
            out.set(item, list);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::{DAY_MS, Event};
    use crate::sparse::interest_matrix;
    use mercer_shared::interaction::{InteractionType, InterestWeights};
    use proptest::prelude::*;

    const AT: i64 = 100 * DAY_MS;

    fn decay(since: i64, cap: usize) -> InterestDecay {
        InterestDecay { at: AT, until: i64::MAX, since, half_life: 30.0, kinds: InterestWeights::default(), cap }
    }

    fn whole(log: &Log, decay: InterestDecay, keep: usize, items: usize) -> Cooccurrence {
        let users = interest_matrix(log, &decay, &keys(items));
        let shrinkage = Shrinkage { shrink: 0.5, keep };
        let by_item = users.transpose(items, log.users_by_key());
        Cooccurrence::fit(&users, &by_item, decay, shrinkage, &keys(items))
    }

    fn keys(items: usize) -> Vec<u64> {
        (0..items as u64).map(|i| i * 7 % 31).collect()
    }

    fn event(item: u32, day: i64) -> Event {
        Event { item: Some(item), text: None, kind: InteractionType::Purchase, value: 1.0, at: day * DAY_MS }
    }

    proptest! {
        /// After any changes of the log, in any number of steps, the lists equal those of a fit on the log as it is now.
        #[test]
        fn an_update_equals_a_fit_on_the_whole_log(
            before in proptest::collection::vec((0u32..12, 0u32..18, 0i64..100), 1..150),
            after in proptest::collection::vec((0u32..15, 0u32..22, 20i64..130, 0u8..8), 1..40),
            keep in 1usize..8,
            cap in 3usize..30,
            since in 0i64..60,
            // In a large catalogue a few items are summed again, in a small one all.
            items in prop_oneof![Just(22usize), Just(400)],
        ) {
            let mut log = Log::new();
            before.iter().for_each(|&(user, item, day)| log.push(user, event(item, day)));
            let decay = decay(since * DAY_MS, cap);
            let mut updated = whole(&log, decay, keep, 18);
            for step in after.chunks(4) {
                let mut changed = Vec::new();
                for &(user, item, day, what) in step {
                    // One time in eight a user is erased.
                    if what == 0 { log.erase(user) } else { log.push(user, event(item, day)) }
                    changed.push(user);
                }
                updated = updated.follow(&log, &changed, &keys(items));
                let fitted = whole(&log, decay, keep, items);
                for item in 0..22 {
                    prop_assert_eq!(updated.near().near(item), fitted.near().near(item), "item {}", item);
                }
            }
        }
    }

    #[test]
    fn a_row_takes_changes_anywhere() {
        let row = [(2, 1.0), (5, 2.0), (7, 3.0)];
        let out = replaced(&row, &[(0, Some(9.0)), (2, None), (3, None), (5, Some(8.0)), (9, Some(4.0))], u64::from);
        assert_eq!(*out, [(0, 9.0), (5, 8.0), (7, 3.0), (9, 4.0)]);
    }
}
