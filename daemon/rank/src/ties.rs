//! Co-occurrence that follows the log: fitted once, then brought up to date for the shoppers who did something or were erased, to the very
//! numbers that a fit of the whole log would give. Nothing is added to sums or taken off them, for that would leave the rounding of what is
//! gone: the few items whose shoppers changed are summed up again, and the lists of the others have their entries replaced.
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rayon::prelude::*;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::chunked::Chunked;
use crate::cooccur::{Cooccurrence, Near, Sums, Tie, by_tie, cut, norm, norms, summed, sums};
use crate::log::Log;
use crate::sparse::{Csr, Weighing, weigh};

/// A row of a sparse matrix, ascending by column.
type Row = Arc<[(u32, f32)]>;

/// Weights of shoppers and what they tie together. Cheap to clone; a clone is a snapshot.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ties {
    /// How events become weights: as of one moment, whenever they came. Older ones weigh less than newer ones by the same factor at any
    /// moment, so cosines are what they would be as of a later one, but for the shrinkage, which holds back what is new a little less.
    weighing: Weighing,
    shrink: f64,
    keep: usize,
    users: Chunked<Row>,
    by_item: Chunked<Row>,
    norms: Arc<Vec<f64>>,
    near: Cooccurrence,
}

fn rows(matrix: &Csr) -> Chunked<Row> {
    (0..matrix.rows()).map(|r| matrix.row(r).collect()).collect()
}

fn row(rows: &Chunked<Row>, at: u32) -> &[(u32, f32)] {
    rows.get(at as usize).map_or(&[], |row| row)
}

/// A row with some of its columns replaced (ascending; `None`: gone).
fn replaced(row: &[(u32, f32)], changes: &[(u32, Option<f32>)]) -> Row {
    let mut out = Vec::with_capacity(row.len() + changes.len());
    let mut changes = changes.iter().copied().peekable();
    for &(column, value) in row {
        while let Some((new, value)) = changes.next_if(|change| change.0 < column) {
            out.extend(value.map(|value| (new, value)));
        }
        match changes.next_if(|change| change.0 == column) {
            Some((_, new)) => out.extend(new.map(|new| (column, new))),
            None => out.push((column, value)),
        }
    }
    out.extend(changes.filter_map(|(column, new)| Some((column, new?))));
    out.into()
}

/// Where more than one in so many items changed, all are summed up again: entries for the lists of the others would take more memory than
/// they save work.
const SUMMED_UP_AGAIN: usize = 16;

/// What belongs into an item's list: the item, and a neighbour with its tie.
type Entry = (u32, (u32, f32));

impl Ties {
    /// Of shoppers by item and item by shopper, weighed so.
    pub(crate) fn fit(
        (users, by_item): (&Csr, &Csr),
        weighing: Weighing,
        (shrink, keep): (f64, usize),
        tie: Tie<'_>,
    ) -> Self {
        let norms = norms(by_item);
        let near = Cooccurrence::between(users, by_item, (&norms, &norms), shrink, keep, tie);
        let norms = Arc::new(norms);
        Self { weighing, shrink, keep, users: rows(users), by_item: rows(by_item), norms, near }
    }

    /// What is near to what.
    pub(crate) fn near(&self) -> &Cooccurrence {
        &self.near
    }

    /// All ties of an item, in no order.
    fn ties(&self, item: u32, sums: &mut Sums) -> Vec<(u32, f32)> {
        let norm = |item: u32| self.norms.get(item as usize).copied().unwrap_or(0.0);
        let of = |other: u32, dot: f64| (dot / (norm(item) * norm(other) + self.shrink)) as f32;
        let users = |user: u32| row(&self.users, user).iter().copied();
        let mut ties = summed(row(&self.by_item, item).iter().copied(), users, sums, of);
        ties.retain(|tie| tie.0 != item);
        ties
    }

    /// The same after some shoppers changed in the log: did something, or are gone. `items` is the size of the catalogue.
    pub(crate) fn follow(&self, log: &Log, changed: &[u32], items: usize, tie: Tie<'_>) -> Self {
        let weighing = Weighing { until: i64::MAX, ..self.weighing };
        let mut out = self.clone();
        let mut changed = changed.to_vec();
        changed.sort_unstable();
        changed.dedup();
        let (mut columns, mut reached) = (FxHashMap::<u32, Vec<(u32, Option<f32>)>>::default(), FxHashSet::default());
        for user in changed {
            let (old, new) = (row(&self.users, user), weigh(log.events(user), &weighing, items));
            if *old == *new {
                continue;
            }
            for &(item, weight) in &new {
                if old.binary_search_by_key(&item, |x| x.0).map_or(0.0, |at| old[at].1) != weight {
                    columns.entry(item).or_default().push((user, Some(weight)));
                }
            }
            for &(item, _) in old {
                if new.binary_search_by_key(&item, |x| x.0).is_err() {
                    columns.entry(item).or_default().push((user, None));
                }
            }
            reached.extend(old.iter().map(|x| x.0));
            out.users.set(user as usize, new.into(), Row::default);
        }
        if columns.is_empty() {
            return out;
        }
        let norms = Arc::make_mut(&mut out.norms);
        norms.resize(norms.len().max(items), 0.0);
        let mut moved: Vec<u32> = columns.keys().copied().collect();
        if moved.len() * SUMMED_UP_AGAIN > items {
            moved = (0..items as u32).collect();
        }
        moved.sort_unstable();
        for (&item, changes) in &columns {
            let row = replaced(row(&self.by_item, item), changes);
            norms[item as usize] = norm(row.iter().copied());
            out.by_item.set(item as usize, row, Row::default);
        }
        out.near = out.renewed(&moved, reached, items, tie);
        out
    }

    /// Lists of neighbours after these items' shoppers changed (ascending); `reached` are items that were tied to one of them before.
    fn renewed(&self, moved: &[u32], reached: FxHashSet<u32>, items: usize, tie: Tie<'_>) -> Cooccurrence {
        let order = by_tie(tie);
        let size = self.norms.len().max(items);
        let sums = || sums(size);
        let near = |item: u32| self.near.near(item);
        let mut moves = vec![false; size];
        moved.iter().for_each(|item| moves[*item as usize] = true);
        let has_moved = |item: u32| moves[item as usize];
        // Items that are, or were, tied to one that moved: there may be far more of them than there are entries to write.
        let tied: Vec<AtomicBool> = (0..size).map(|_| AtomicBool::new(false)).collect();
        let mark = |item: u32| tied[item as usize].store(true, Ordering::Relaxed);
        reached.into_iter().for_each(mark);
        // Whether an entry might stand in a list: what fell off its end before is worse than its last.
        let may_stand = |list: &[(u32, f32)], entry| {
            list.len() < self.keep || list.last().is_none_or(|last| order(&entry, last).is_le())
        };
        // A tie is the same from both ends: what was summed up for the one is the other's entry.
        let (lists, entries): (Vec<Near>, Vec<Vec<Entry>>) = moved
            .par_iter()
            .map_init(sums, |sums, &item| {
                let all = self.ties(item, sums);
                all.iter().for_each(|&(other, _)| mark(other));
                let entries = all
                    .iter()
                    .map(|&(other, x)| (other, (item, x)))
                    .filter(|&(other, entry)| !has_moved(other) && may_stand(near(other), entry))
                    .collect();
                (cut(all, self.keep, tie), entries)
            })
            .unzip();
        let mut new: FxHashMap<u32, Vec<(u32, f32)>> = FxHashMap::default();
        for (other, entry) in entries.into_iter().flatten() {
            new.entry(other).or_default().push(entry);
        }
        let others: Vec<u32> =
            (0..size as u32).filter(|n| tied[*n as usize].load(Ordering::Relaxed) && !has_moved(*n)).collect();
        let changed: Vec<(u32, Near)> = others
            .par_iter()
            .map_init(sums, |sums, &item| {
                let (old, new) = (near(item), new.get(&item).map_or(&[][..], Vec::as_slice));
                if new.is_empty() && !old.iter().any(|x| has_moved(x.0)) {
                    return None;
                }
                let mut list: Vec<(u32, f32)> = old.iter().copied().filter(|x| !has_moved(x.0)).collect();
                list.extend_from_slice(new);
                if old.len() >= self.keep && list.len() < self.keep {
                    // Something that had fallen off comes back.
                    list = self.ties(item, sums);
                }
                Some((item, cut(list, self.keep, tie)))
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
    use crate::kind::{Kind, KindWeights};
    use crate::log::{DAY_MS, Event};
    use crate::sparse::weigh_all;
    use proptest::prelude::*;

    const AT: i64 = 100 * DAY_MS;

    fn weighing(since: i64, cap: usize) -> Weighing {
        Weighing { at: AT, until: i64::MAX, since, half_life: 30.0, kinds: KindWeights::default(), cap }
    }

    fn whole(log: &Log, w: Weighing, keep: usize, items: usize) -> Ties {
        let users = weigh_all(log, &w, items);
        Ties::fit((&users, &users.transpose(items)), w, (0.5, keep), &|i| u64::from(i) * 7 % 31)
    }

    fn event(item: u32, day: i64) -> Event {
        Event { item: Some(item), text: None, kind: Kind::Purchase, value: 1.0, at: day * DAY_MS }
    }

    proptest! {
        /// Whatever came or went since, in however many steps: the lists are those of a fit of all that is in the log now.
        #[test]
        fn what_follows_the_log_is_what_is_fitted_from_it(
            before in proptest::collection::vec((0u32..12, 0u32..18, 0i64..100), 1..150),
            after in proptest::collection::vec((0u32..15, 0u32..22, 20i64..130, 0u8..8), 1..40),
            keep in 1usize..8,
            cap in 3usize..30,
            since in 0i64..60,
            // In a large catalogue a few items are looked at, in a small one all.
            items in prop_oneof![Just(22usize), Just(400)],
        ) {
            let mut log = Log::new();
            before.iter().for_each(|&(user, item, day)| log.push(user, event(item, day)));
            let w = weighing(since * DAY_MS, cap);
            let mut ties = whole(&log, w, keep, 18);
            for step in after.chunks(4) {
                let mut changed = Vec::new();
                for &(user, item, day, what) in step {
                    // One time in eight somebody is erased.
                    if what == 0 { log.erase(user) } else { log.push(user, event(item, day)) }
                    changed.push(user);
                }
                ties = ties.follow(&log, &changed, items, &|i| u64::from(i) * 7 % 31);
                let fitted = whole(&log, w, keep, items);
                for item in 0..22 {
                    prop_assert_eq!(ties.near().near(item), fitted.near().near(item), "item {}", item);
                }
            }
        }
    }

    #[test]
    fn a_row_takes_changes_anywhere() {
        let row = [(2, 1.0), (5, 2.0), (7, 3.0)];
        let out = replaced(&row, &[(0, Some(9.0)), (2, None), (3, None), (5, Some(8.0)), (9, Some(4.0))]);
        assert_eq!(*out, [(0, 9.0), (5, 8.0), (7, 3.0), (9, 4.0)]);
    }
}
