//! Scores of all items by each source, for one user as of a moment.
use crate::ablation::Ablation;
use crate::catalogue::Catalogue;
use crate::collaborative_index::CollaborativeIndex;
use crate::content;
use crate::log::Event;
use crate::popularity::ItemStats;
use crate::snapshot::{Recipient, Snapshot};
use crate::source::{SOURCES, Source};
use crate::user_state::UserState;

/// Growth of an item: purchases of the last 7 days over those expected from its last 30 and 90 days, shrunk so that a handful of
/// purchases is no trend.
pub(crate) fn growth(windows: &[f32; 3]) -> f32 {
    let expected = (windows[1] * 7.0 / 30.0).max(windows[2] * 7.0 / 90.0);
    (windows[0] + 1.0) / (expected + 3.0)
}

/// Scores of one user, one column per source, each computed at its first use.
pub(crate) struct SourceScores<'a> {
    index: &'a CollaborativeIndex,
    catalogue: &'a Catalogue,
    user: &'a UserState,
    history: &'a [Event],
    me: Option<u32>,
    done: [Option<Vec<f32>>; SOURCES.len()],
    ablation: Ablation,
}

impl<'a> SourceScores<'a> {
    pub(crate) fn new(s: &'a Snapshot, user: &'a UserState, whom: Recipient<'a>) -> Self {
        let me = match whom {
            Recipient::User(user) | Recipient::UserWith { user, .. } => Some(user),
            Recipient::Session(_) => None,
        };
        let history = s.history(whom, user.at);
        let done = Default::default();
        Self { index: &s.index, catalogue: &s.catalogue, user, history, me, done, ablation: Ablation::NONE }
    }

    /// Leaves out groups of signals from here on: see [`Ablation`].
    pub(crate) fn leave_out(&mut self, ablation: Ablation) {
        self.ablation = ablation;
        for source in SOURCES.into_iter().filter(|source| ablation.leaves_out(*source)) {
            self.done[source as usize] = Some(vec![0.0; self.catalogue.len()]);
        }
    }

    /// What is left out.
    pub(crate) fn left_out(&self) -> Ablation {
        self.ablation
    }

    /// Sets the scores of a source that were computed for many users at once; a row of another length counts as no scores.
    pub(crate) fn set(&mut self, source: Source, scores: Vec<f32>) {
        let n = self.catalogue.len();
        let taken = scores.len() == n && !self.is_left_out(source);
        self.done[source as usize] = Some(if taken { scores } else { vec![0.0; n] });
    }

    /// One score per item, not negative; 0 for no score.
    pub(crate) fn get(&mut self, source: Source) -> &[f32] {
        if self.done[source as usize].is_none() {
            self.compute(source);
        }
        self.done[source as usize].as_deref().unwrap_or(&[])
    }

    fn is_left_out(&self, source: Source) -> bool {
        self.index.left_out == Some(source.signal())
    }

    fn compute(&mut self, source: Source) {
        let n = self.catalogue.len();
        if self.is_left_out(source) {
            self.done[source as usize] = Some(vec![0.0; n]);
            return;
        }
        let (m, s) = (self.index, self.user);
        let mut out = vec![0f32; n];
        let mut stat = |f: fn(&ItemStats) -> f32| {
            for (slot, row) in out.iter_mut().zip(&m.counts.items.rows) {
                *slot = f(row);
            }
        };
        match source {
            Source::Own => {
                for own in &s.purchases {
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
            Source::UserKnn | Source::UserKnnFresh | Source::NeighbourFirstPurchases => {
                let near = m.neighbours.near(s, self.me, &m.by_item);
                let scores = m.neighbours.score(&near, n);
                self.done[Source::UserKnn as usize] = Some(scores.recent);
                self.done[Source::UserKnnFresh as usize] = Some(scores.decayed);
                self.done[Source::NeighbourFirstPurchases as usize] = Some(scores.first);
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
        let mut share = vec![0f32; self.index.counts.categories.rows.len()];
        let mut total = 0f32;
        for &(i, w) in &self.user.profile {
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
