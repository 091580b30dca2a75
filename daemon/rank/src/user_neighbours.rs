//! Nearest users and their recent purchases (user-based nearest neighbours, Resnick et al. 1994).
use rayon::prelude::*;

use crate::log::{DAY_MS, Event, Log};
use crate::sparse::Csr;
use crate::user_state::UserState;
use mercer_shared::interaction::InteractionType;

/// Settings of [`UserNeighbours::fit`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct NeighbourOptions {
    /// Events at or before this moment are read.
    pub(crate) at: i64,
    /// InteractionType of the purchases.
    pub(crate) target: InteractionType,
    /// Days of purchases that count as recent.
    pub(crate) days: i64,
    /// Neighbours of a user at most.
    pub(crate) keep: usize,
}

/// Recent purchases of one user.
struct RecentPurchases {
    /// Items with the decay of their newest purchase, ascending by item number.
    items: Vec<(u32, f32)>,
    /// Those that were bought for the first time, ascending.
    first: Vec<u32>,
}

/// Scores of all items by the purchases of a user's neighbours.
pub(crate) struct NeighbourScores {
    /// By recent purchases.
    pub(crate) recent: Vec<f32>,
    /// By recent purchases, decayed with a half-life of a week.
    pub(crate) decayed: Vec<f32>,
    /// By recent first purchases.
    pub(crate) first: Vec<f32>,
}

/// Norms and recent purchases of all users.
#[derive(Debug, Clone, Default)]
pub(crate) struct UserNeighbours {
    /// Recent items by user; value 1.
    recent: Csr,
    /// The same with a half-life of a week.
    decayed: Csr,
    /// The items among them that the user bought for the first time.
    first: Csr,
    /// Norm of each user's interests times idf.
    norms: Vec<f32>,
    /// Inverse document frequency of each item: items that most users buy say little.
    idf: Vec<f32>,
    keep: usize,
    /// Stable keys of the users.
    keys: Vec<u64>,
}

impl UserNeighbours {
    /// Fits to the log and the interests of its users, `users` and transposed `by_item`.
    pub(crate) fn fit(log: &Log, users: &Csr, by_item: &Csr, o: &NeighbourOptions) -> Self {
        let n = (0..users.rows()).filter(|&u| users.row_len(u) > 0).count() as f32;
        let idf: Vec<f32> =
            (0..by_item.rows()).map(|i| ((1.0 + n) / (1.0 + by_item.row_len(i) as f32)).ln().max(0.05)).collect();
        let norms = (0..users.rows())
            .map(|u| users.row(u).map(|(i, w)| f64::from(w * idf[i as usize]).powi(2)).sum::<f64>().sqrt() as f32)
            .collect();
        let items = by_item.rows();
        let rows: Vec<RecentPurchases> = (0..log.users() as u32)
            .into_par_iter()
            .map(|user| recent_purchases(log.until(user, o.at), items, o))
            .collect();
        let ones = |items: &mut dyn Iterator<Item = u32>| items.map(|i| (i, 1.0)).collect();
        Self {
            recent: Csr::from_rows(rows.iter().map(|r| ones(&mut r.items.iter().map(|x| x.0))).collect()),
            first: Csr::from_rows(rows.iter().map(|r| ones(&mut r.first.iter().copied())).collect()),
            decayed: Csr::from_rows(rows.into_iter().map(|r| r.items).collect()),
            norms,
            idf,
            keep: o.keep,
            keys: (0..log.users() as u32).map(|user| log.key(user)).collect(),
        }
    }

    /// The nearest users with their cosine of interests times idf, nearest first; `me` is left out.
    pub(crate) fn near(&self, user: &UserState, me: Option<u32>, by_item: &Csr) -> Vec<(u32, f32)> {
        let mut dots = vec![0f32; self.norms.len()];
        let mut touched = Vec::new();
        let mut norm = 0f64;
        for &(i, w) in &user.profile {
            let Some(&idf) = self.idf.get(i as usize) else { continue };
            norm += f64::from(w * idf).powi(2);
            let w = w * idf * idf;
            for (v, x) in by_item.row(i as usize) {
                let slot = &mut dots[v as usize];
                if *slot == 0.0 {
                    touched.push(v);
                }
                *slot += w * x;
            }
        }
        let norm = norm.sqrt() as f32;
        let mut near: Vec<(u32, f32)> = touched
            .into_iter()
            .filter(|&v| Some(v) != me)
            .map(|v| (v, dots[v as usize] / (norm * self.norms[v as usize]).max(1e-12)))
            .collect();
        let key = |user: u32| self.keys.get(user as usize).copied().unwrap_or(0);
        let order =
            |a: &(u32, f32), b: &(u32, f32)| b.1.total_cmp(&a.1).then_with(|| (key(a.0), a.0).cmp(&(key(b.0), b.0)));
        if near.len() > self.keep {
            near.select_nth_unstable_by(self.keep, order);
            near.truncate(self.keep);
        }
        near.sort_unstable_by(order);
        near
    }

    /// Scores of `items` items: the sum of the similarities of the neighbours that bought the item.
    pub(crate) fn score(&self, near: &[(u32, f32)], items: usize) -> NeighbourScores {
        let [mut recent, mut decayed, mut first] = [(); 3].map(|()| vec![0f32; items]);
        for &(user, similarity) in near {
            for (i, _) in self.recent.row(user as usize) {
                recent[i as usize] += similarity;
            }
            for (i, w) in self.decayed.row(user as usize) {
                decayed[i as usize] += similarity * w;
            }
            for (i, _) in self.first.row(user as usize) {
                first[i as usize] += similarity;
            }
        }
        NeighbourScores { recent, decayed, first }
    }
}

/// Reads the recent purchases from a user's events up to `o.at`.
fn recent_purchases(events: &[Event], items: usize, o: &NeighbourOptions) -> RecentPurchases {
    let split = events.partition_point(|e| e.at <= o.at - o.days * DAY_MS);
    let is_purchase = |e: &&Event| e.is_positive(o.target);
    let mut before: Vec<u32> = events[..split].iter().filter(is_purchase).filter_map(|e| e.item).collect();
    before.sort_unstable();
    let decay = |e: &Event| (-((o.at - e.at) as f64 / DAY_MS as f64) / 7.0).exp2() as f32;
    let mut recent: Vec<(u32, f32)> = events[split..]
        .iter()
        .filter(is_purchase)
        .filter_map(|e| Some((e.item?, decay(e))))
        .filter(|x| (x.0 as usize) < items)
        .collect();
    // The newest of several purchases of an item counts.
    recent.sort_by(|a, b| a.0.cmp(&b.0).then(b.1.total_cmp(&a.1)));
    recent.dedup_by_key(|x| x.0);
    let first = recent.iter().map(|x| x.0).filter(|i| before.binary_search(i).is_err()).collect();
    RecentPurchases { items: recent, first }
}
