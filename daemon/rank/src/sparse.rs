//! Interest of users in items as of a moment, as a sparse matrix. Entries of a row are ordered by the stable key of their column, so that
//! sums over a row do not depend on how items and users are numbered.
use rayon::prelude::*;
use rustc_hash::FxHashMap;

use crate::log::{DAY_MS, Event, Log};
use mercer_shared::interaction::InterestWeights;

/// Compressed sparse rows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Csr {
    ptr: Vec<usize>,
    idx: Vec<u32>,
    val: Vec<f32>,
}

impl Csr {
    pub(crate) fn from_rows(rows: Vec<Vec<(u32, f32)>>) -> Self {
        let n = rows.iter().map(Vec::len).sum();
        let mut out =
            Self { ptr: Vec::with_capacity(rows.len() + 1), idx: Vec::with_capacity(n), val: Vec::with_capacity(n) };
        out.ptr.push(0);
        for row in rows {
            for (i, v) in row {
                out.idx.push(i);
                out.val.push(v);
            }
            out.ptr.push(out.idx.len());
        }
        out
    }

    pub(crate) fn rows(&self) -> usize {
        self.ptr.len().saturating_sub(1)
    }

    pub(crate) fn nnz(&self) -> usize {
        self.idx.len()
    }

    pub(crate) fn row(&self, r: usize) -> impl Iterator<Item = (u32, f32)> + '_ {
        let range = if r < self.rows() { self.ptr[r]..self.ptr[r + 1] } else { 0..0 };
        self.idx[range.clone()].iter().copied().zip(self.val[range].iter().copied())
    }

    pub(crate) fn row_len(&self, r: usize) -> usize {
        if r < self.rows() { self.ptr[r + 1] - self.ptr[r] } else { 0 }
    }

    /// The transpose with `columns` rows; entries of its rows are in the order that `rows` lists the rows here.
    pub(crate) fn transpose(&self, columns: usize, rows: impl IntoIterator<Item = u32>) -> Self {
        let mut ptr = vec![0usize; columns + 1];
        for &i in &self.idx {
            ptr[i as usize + 1] += 1;
        }
        for c in 0..columns {
            ptr[c + 1] += ptr[c];
        }
        let mut next = ptr.clone();
        let (mut idx, mut val) = (vec![0u32; self.nnz()], vec![0f32; self.nnz()]);
        for r in rows {
            for (c, v) in self.row(r as usize) {
                let at = &mut next[c as usize];
                idx[*at] = r;
                val[*at] = v;
                *at += 1;
            }
        }
        Self { ptr, idx, val }
    }
}

/// Stable keys by number.
pub(crate) type Keys<'a> = &'a [u64];

/// How events become interest weights.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct InterestDecay {
    /// The moment at which an event has the weight of its kind; earlier events weigh less, later ones more.
    pub(crate) at: i64,
    /// Only events at or before this moment.
    pub(crate) until: i64,
    /// Only events after this moment.
    pub(crate) since: i64,
    /// Days after which an event counts half.
    pub(crate) half_life: f64,
    pub(crate) kinds: InterestWeights,
    /// Items per user at most, the heaviest: bounds the cost of item pairs for users with tens of thousands of events.
    pub(crate) cap: usize,
}

/// Interest of one user by item: the strongest decayed event of the item plus a tenth of the sum of the others, so that repetition
/// counts but does not dominate. In the order of the items' keys.
pub(crate) fn interests(events: &[Event], w: &InterestDecay, items: Keys<'_>) -> Vec<(u32, f32)> {
    let mut acc: FxHashMap<u32, (f64, f64)> = FxHashMap::default();
    let from = events.partition_point(|e| e.at <= w.since);
    for e in &events[from..] {
        let Some(item) = e.item else { continue };
        let k = f64::from(w.kinds.of(e.kind, e.value));
        if e.at > w.until || k <= 0.0 || item as usize >= items.len() {
            continue;
        }
        let x = k * (-((w.at - e.at) as f64 / DAY_MS as f64) / w.half_life).exp2();
        let slot = acc.entry(item).or_insert((0.0, 0.0));
        slot.0 = slot.0.max(x);
        slot.1 += x;
    }
    let mut row: Vec<(u32, f32)> = acc.into_iter().map(|(i, (m, s))| (i, (m + 0.1 * (s - m)) as f32)).collect();
    let key = |x: &(u32, f32)| (items[x.0 as usize], x.0);
    row.sort_unstable_by_key(key);
    if row.len() > w.cap {
        row.sort_by(|a, b| b.1.total_cmp(&a.1));
        row.truncate(w.cap);
        row.sort_unstable_by_key(key);
    }
    row
}

/// Interests of all users, one row each.
pub(crate) fn interest_matrix(log: &Log, w: &InterestDecay, items: Keys<'_>) -> Csr {
    let rows = (0..log.users() as u32).into_par_iter().map(|u| interests(log.until(u, w.until), w, items)).collect();
    Csr::from_rows(rows)
}
