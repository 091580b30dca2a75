//! Training data of one advance: histories up to the cut-off, popularity as of every day, and the order of training windows.

use std::sync::Arc;

use candle_core::Tensor;
use rayon::prelude::*;

use super::data::{ItemFeatures, SequenceLog};
use super::history::UserHistory;
use super::input_norm::InputNorm;
use super::loss::Candidates;
use super::negatives::NegativeSampler;
use super::options::SequenceOptions;
use super::popularity::{Popularity, TargetEvent, Timeline};
use super::windows::{SplitWindows, TrainWindow, split_windows};
use crate::error::Result;
use crate::sampler::permutation;

/// Candidates of the softmax with their normalised text vectors.
#[derive(Debug, Clone)]
pub(crate) struct CandidateVectors {
    pub(crate) candidates: Arc<Candidates>,
    /// `[candidates, text]`.
    pub(crate) text: Tensor,
}

/// Where the candidates of the softmax come from.
#[derive(Debug)]
pub(crate) enum CandidateSource {
    /// All items with at least one event.
    Full(CandidateVectors),
    /// Some items, drawn per batch.
    Sampled(NegativeSampler),
}

/// Training data of one advance.
#[derive(Debug)]
pub(crate) struct StageData<'a> {
    pub(crate) items: &'a ItemFeatures,
    pub(crate) queries: &'a [f32],
    pub(crate) histories: Vec<UserHistory>,
    /// Time of the first event of each item; `i64::MAX` for cold items.
    pub(crate) since: Vec<i64>,
    pub(crate) timeline: Arc<Timeline>,
    pub(crate) source: CandidateSource,
    pub(crate) bands: Vec<u8>,
    pub(crate) until: i64,
    windows: Vec<TrainWindow>,
    /// Numbers of windows, batch by batch.
    order: Vec<u32>,
    batch: usize,
}

/// Events of kind `target`, one per user, basket and item, in time order.
fn target_events(histories: &[UserHistory], target: u8) -> Vec<TargetEvent> {
    let each = |h: &UserHistory| -> Vec<TargetEvent> {
        h.baskets.iter().flat_map(|b| h.items(b, target).map(|item| TargetEvent { at: b.at, item })).collect()
    };
    let mut all: Vec<TargetEvent> = histories.par_iter().flat_map_iter(each).collect();
    all.par_sort_unstable();
    all
}

/// First event and number of events of each item.
struct ItemActivity {
    /// UTC milliseconds; `i64::MAX` for cold items.
    since: Vec<i64>,
    counts: Vec<u32>,
}

fn item_activity(histories: &[UserHistory], items: usize) -> ItemActivity {
    let (mut since, mut counts) = (vec![i64::MAX; items], vec![0u32; items]);
    for (history, basket) in histories.iter().flat_map(|h| h.baskets.iter().map(move |b| (h, b))) {
        for item in history.of(basket).iter().filter_map(|t| t.item) {
            since[item as usize] = since[item as usize].min(basket.at);
            counts[item as usize] += 1;
        }
    }
    ItemActivity { since, counts }
}

/// Order of the windows: each epoch all new ones and, drawn anew, `experience_replay` times as many of the old ones.
fn window_order(new: usize, old: usize, epochs: f64, experience_replay: f64, seed: u64) -> Vec<u32> {
    let replayed = ((new as f64 * experience_replay).ceil() as usize).min(old);
    let per_epoch = new + replayed;
    let total = (epochs * per_epoch as f64).ceil() as usize;
    let mut out = Vec::with_capacity(total);
    let mut epoch = 0;
    while out.len() < total && per_epoch > 0 {
        let again = permutation(old, seed, &format!("replay {epoch}"));
        let mut this: Vec<u32> = (0..new as u32).chain(again.iter().take(replayed).map(|i| new as u32 + i)).collect();
        let shuffled = permutation(per_epoch, seed, &format!("epoch {epoch}"));
        this = shuffled.iter().map(|i| this[*i as usize]).collect();
        out.extend(this.into_iter().take(total - out.len()));
        epoch += 1;
    }
    out
}

impl<'a> StageData<'a> {
    /// Reads events up to `until`; those after `after` are new. Also returns the popularity as of `until`.
    pub(crate) fn new(
        items: &'a ItemFeatures,
        log: SequenceLog<'a>,
        norm: &InputNorm,
        o: &SequenceOptions,
        after: Option<i64>,
        until: i64,
    ) -> Result<(Self, Popularity)> {
        let history = |events: &Vec<_>| UserHistory::new(events, until, o.grouping);
        let histories: Vec<UserHistory> = log.users.par_iter().map(history).collect();
        let ItemActivity { since, counts } = item_activity(&histories, items.len());
        let mut popularity = Popularity::new(items.len(), o.half_lives);
        let timeline = Timeline::new(&target_events(&histories, o.target), &mut popularity, until);
        let warm: Vec<u32> = (0..items.len() as u32).filter(|i| counts[*i as usize] > 0).collect();
        let source = if warm.len() <= o.full_softmax {
            let text = norm.items(items, &warm)?;
            let candidates = Candidates {
                correction: vec![0.0; warm.len()],
                since: warm.iter().map(|i| since[*i as usize]).collect(),
                items: warm,
            };
            CandidateSource::Full(CandidateVectors { candidates: Arc::new(candidates), text })
        } else {
            CandidateSource::Sampled(NegativeSampler::new(warm, &counts))
        };
        let split =
            |(user, history): (usize, &UserHistory)| split_windows(user as u32, history, o.tokens, o.target, after);
        let parts: Vec<SplitWindows> = histories.par_iter().enumerate().map(split).collect();
        let (mut old, mut new) = (Vec::new(), Vec::new());
        for part in parts {
            old.extend(part.old);
            new.extend(part.new);
        }
        let epochs = if after.is_some() { o.epochs_later } else { o.epochs };
        let seed = o.seed ^ (until as u64).rotate_left(17);
        let order = window_order(new.len(), old.len(), epochs, o.experience_replay, seed);
        let stage = Self {
            items,
            queries: log.queries,
            since,
            timeline: Arc::new(timeline),
            source,
            bands: norm.bands(items),
            until,
            windows: new.into_iter().chain(old).collect(),
            order,
            batch: o.batch,
            histories,
        };
        Ok((stage, popularity))
    }

    /// Steps planned. The last one may be smaller.
    pub(crate) fn steps(&self) -> usize {
        self.order.len().div_ceil(self.batch)
    }

    /// Windows of a step, counted from 0.
    pub(crate) fn batch(&self, step: usize) -> Vec<TrainWindow> {
        let from = (step * self.batch).min(self.order.len());
        let to = (from + self.batch).min(self.order.len());
        self.order[from..to].iter().map(|i| self.windows[*i as usize].clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_holds_all_that_is_new_and_some_of_the_old() {
        let all = window_order(4, 10, 2.0, 0.5, 1);
        assert_eq!(all.len(), 12);
        for epoch in all.chunks(6) {
            let mut sorted = epoch.to_vec();
            sorted.sort_unstable();
            assert_eq!(sorted[..4], [0, 1, 2, 3]);
            assert!(sorted[4..].iter().all(|i| (4..14).contains(i)) && sorted[4] != sorted[5]);
        }
        assert_eq!(window_order(4, 0, 1.5, 1.0, 1).len(), 6);
        assert_eq!(window_order(0, 10, 2.0, 1.0, 1).len(), 0);
        assert_ne!(window_order(9, 0, 1.0, 0.0, 1), window_order(9, 0, 1.0, 0.0, 2));
    }
}
