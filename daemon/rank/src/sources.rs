//! The sources: each gives every item a score for one shopper as of a moment. They are the terms of the blend and the
//! collaborative features of the learned ranker.
use serde::{Deserialize, Serialize};

use crate::catalogue::Catalogue;
use crate::content;
use crate::log::Event;
use crate::memory::Memory;
use crate::recommend::{For, Snapshot};
use crate::shopper::Shopper;

/// Names of the sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The shopper's own purchases, decayed with half-lives of 90 and 700 days: what is bought once a year counts as well.
    Own,
    /// Signs of interest short of buying: views, clicks, carts.
    Intent,
    /// Purchases of the last 7 days.
    Popular7,
    /// Purchases of the last 30 days.
    Popular30,
    /// Purchases of the last 90 days.
    Popular90,
    /// All purchases with a half-life of 10 days.
    Popular,
    /// Growth of the last 7 days against the item's own last 30 and 90.
    Trending,
    /// Co-occurrence with what the shopper took interest in.
    Knn,
    /// Co-occurrence within the last 60 days, with the shopper's recent items.
    KnnRecent,
    /// The strongest single tie by co-occurrence.
    KnnStrongest,
    /// What followed baskets like the shopper's last two.
    Next,
    /// Recent purchases of similar shoppers.
    UserKnn,
    /// The same, each counting half after a week.
    UserKnnFresh,
    /// Recent first purchases of similar shoppers.
    Adopters,
    /// Matrix factorisation.
    Ials,
    /// Closed-form item-item regression.
    Ease,
    /// Cosine with the mean of the shopper's recent item vectors.
    Content,
    /// Share of the shopper's interest in the item's category.
    Category,
    /// The behaviour network.
    Sequence,
}

/// All sources, in the order of their columns.
pub const SOURCES: [Source; 19] = [
    Source::Own,
    Source::Intent,
    Source::Popular7,
    Source::Popular30,
    Source::Popular90,
    Source::Popular,
    Source::Trending,
    Source::Knn,
    Source::KnnRecent,
    Source::KnnStrongest,
    Source::Next,
    Source::UserKnn,
    Source::UserKnnFresh,
    Source::Adopters,
    Source::Ials,
    Source::Ease,
    Source::Content,
    Source::Category,
    Source::Sequence,
];

impl Source {
    /// The name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Intent => "intent",
            Self::Popular7 => "popular7",
            Self::Popular30 => "popular30",
            Self::Popular90 => "popular90",
            Self::Popular => "popular",
            Self::Trending => "trending",
            Self::Knn => "knn",
            Self::KnnRecent => "knn_recent",
            Self::KnnStrongest => "knn_strongest",
            Self::Next => "next",
            Self::UserKnn => "user_knn",
            Self::UserKnnFresh => "user_knn_fresh",
            Self::Adopters => "adopters",
            Self::Ials => "ials",
            Self::Ease => "ease",
            Self::Content => "content",
            Self::Category => "category",
            Self::Sequence => "sequence",
        }
    }
}

/// Growth of an item: purchases of the last 7 days against what its last 30 days and 90 days let expect, shrunk so that a
/// handful of purchases is no trend.
pub(crate) fn growth(windows: &[f32; 3]) -> f32 {
    let expected = (windows[1] * 7.0 / 30.0).max(windows[2] * 7.0 / 90.0);
    (windows[0] + 1.0) / (expected + 3.0)
}

/// Score columns of one shopper, computed once each and only when asked for.
pub(crate) struct Columns<'a> {
    memory: &'a Memory,
    catalogue: &'a Catalogue,
    shopper: &'a Shopper,
    history: &'a [Event],
    me: Option<u32>,
    done: [Option<Vec<f32>>; SOURCES.len()],
}

impl<'a> Columns<'a> {
    pub(crate) fn new(s: &'a Snapshot, shopper: &'a Shopper, whom: For<'a>) -> Self {
        let me = match whom {
            For::User(u) => Some(u),
            For::Session(_) => None,
        };
        let history = s.history(whom, shopper.at);
        Self { memory: &s.memory, catalogue: &s.catalogue, shopper, history, me, done: Default::default() }
    }

    /// Gives the scores of a source that were computed for many shoppers at once; a row of another length says nothing.
    pub(crate) fn set(&mut self, source: Source, scores: Vec<f32>) {
        let n = self.catalogue.len();
        self.done[source as usize] = Some(if scores.len() == n { scores } else { vec![0.0; n] });
    }

    /// One score per item, not negative; 0 means "nothing to say".
    pub(crate) fn get(&mut self, source: Source) -> &[f32] {
        if self.done[source as usize].is_none() {
            self.compute(source);
        }
        self.done[source as usize].as_deref().unwrap_or(&[])
    }

    fn compute(&mut self, source: Source) {
        let n = self.catalogue.len();
        let (m, s) = (self.memory, self.shopper);
        let mut out = vec![0f32; n];
        let mut stat = |f: fn(&crate::popularity::ItemStats) -> f32| {
            for (slot, row) in out.iter_mut().zip(&m.stats.rows) {
                *slot = f(row);
            }
        };
        match source {
            Source::Own => {
                for own in &s.owned {
                    out[own.item as usize] = (own.decayed(s.at, 90.0) + own.decayed(s.at, 700.0)) as f32;
                }
            }
            Source::Intent => s.intent.iter().for_each(|&(i, w)| out[i as usize] = w),
            Source::Popular7 => stat(|r| r.windows[0]),
            Source::Popular30 => stat(|r| r.windows[1]),
            Source::Popular90 => stat(|r| r.windows[2]),
            Source::Popular => stat(|r| r.decayed),
            Source::Trending => stat(|r| if r.windows[0] > 0.0 { growth(&r.windows) } else { 0.0 }),
            Source::Knn => m.knn.near().score(&s.profile, &mut out),
            Source::KnnRecent => m.knn_recent.near().score(&s.recent, &mut out),
            Source::KnnStrongest => m.knn.near().strongest(&s.profile, &mut out),
            Source::Next => m.next.score(&s.last_baskets(), &mut out),
            Source::UserKnn | Source::UserKnnFresh | Source::Adopters => {
                let (mut fresh, mut adopted) = (vec![0f32; n], vec![0f32; n]);
                let near = m.neighbours.near(s, self.me, &m.by_item);
                m.neighbours.score(&near, &mut out, &mut fresh, &mut adopted);
                self.done[Source::UserKnn as usize] = Some(out);
                self.done[Source::UserKnnFresh as usize] = Some(fresh);
                self.done[Source::Adopters as usize] = Some(adopted);
                return;
            }
            Source::Ials => {
                if let Some(f) = &m.ials {
                    f.score(&s.profile, &mut out);
                }
            }
            Source::Ease => {
                if let Some(f) = &m.ease {
                    f.score(&s.profile, &mut out);
                }
            }
            Source::Content => content::score(self.catalogue, s, &mut out),
            Source::Category => self.category(&mut out),
            Source::Sequence => {
                if let Some(row) =
                    m.sequence.as_ref().and_then(|x| x.score(&[self.history], self.catalogue.texts(), s.at, n).pop())
                    && row.len() == n
                {
                    out = row;
                }
            }
        }
        for x in &mut out {
            *x = x.max(0.0);
        }
        self.done[source as usize] = Some(out);
    }

    fn category(&self, out: &mut [f32]) {
        let mut share = vec![0f32; self.memory.categories.rows.len()];
        let mut total = 0f32;
        for &(i, w) in &self.shopper.profile {
            if let Some(slot) = self.catalogue.get(i).and_then(|f| share.get_mut(f.category? as usize)) {
                *slot += w;
                total += w;
            }
        }
        if total > 0.0 {
            for (slot, f) in out.iter_mut().zip(self.catalogue.iter()) {
                *slot = f.category.and_then(|c| share.get(c as usize)).copied().unwrap_or(0.0) / total;
            }
        }
    }
}
