//! What one advance learns from: stories up to the cut-off, popularity as of every day, and the order in which stretches come.

use std::sync::Arc;

use candle_core::Tensor;
use rayon::prelude::*;

use super::baskets::Story;
use super::data::{Behaviour, Items};
use super::frame::Frame;
use super::loss::Columns;
use super::negatives::Negatives;
use super::options::BehaviourOptions;
use super::popularity::{Popularity, Timeline};
use super::stretches::{Stretch, cut};
use crate::error::Result;
use crate::sampler::permutation;

/// Where the columns of the softmax come from.
#[derive(Debug)]
pub(crate) enum Catalogue {
    /// All items that were ever touched, with their centred text.
    Full(Arc<Columns>, Tensor),
    /// Too many: some are drawn.
    Sampled(Negatives),
}

#[derive(Debug)]
pub(crate) struct Stage<'a> {
    pub(crate) items: &'a Items,
    pub(crate) queries: &'a [f32],
    pub(crate) stories: Vec<Story>,
    /// First moment in which anyone touched an item; `i64::MAX` for cold ones.
    pub(crate) since: Vec<i64>,
    pub(crate) timeline: Arc<Timeline>,
    pub(crate) catalogue: Catalogue,
    pub(crate) bands: Vec<u8>,
    pub(crate) until: i64,
    stretches: Vec<Stretch>,
    /// Numbers of stretches, batch by batch.
    order: Vec<u32>,
    batch: usize,
}

/// One taking by shopper and basket: when, and what.
fn takings(stories: &[Story], target: u8) -> Vec<(i64, u32)> {
    let each = |s: &Story| -> Vec<(i64, u32)> {
        s.baskets.iter().flat_map(|b| s.items(b, target).map(|i| (b.at, i))).collect()
    };
    let mut all: Vec<(i64, u32)> = stories.par_iter().flat_map_iter(each).collect();
    all.par_sort_unstable();
    all
}

/// The order of stretches: each epoch all new ones and, of the old ones, `replay` times as many, drawn anew.
fn order(new: usize, old: usize, epochs: f64, replay: f64, seed: u64) -> Vec<u32> {
    let replayed = ((new as f64 * replay).ceil() as usize).min(old);
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

impl<'a> Stage<'a> {
    /// Everything up to `until`; what is later than `after` is new. Also gives the popularity as of `until`.
    pub(crate) fn new(
        items: &'a Items,
        behaviour: Behaviour<'a>,
        frame: &Frame,
        o: &BehaviourOptions,
        after: Option<i64>,
        until: i64,
    ) -> Result<(Self, Popularity)> {
        let story = |events: &Vec<_>| Story::new(events, until, o.grouping);
        let stories: Vec<Story> = behaviour.shoppers.par_iter().map(story).collect();
        let (mut since, mut counts) = (vec![i64::MAX; items.len()], vec![0u32; items.len()]);
        for (story, basket) in stories.iter().flat_map(|s| s.baskets.iter().map(move |b| (s, b))) {
            for item in story.of(basket).iter().filter_map(|t| t.item) {
                since[item as usize] = since[item as usize].min(basket.at);
                counts[item as usize] += 1;
            }
        }
        let mut popularity = Popularity::new(items.len(), o.half_lives);
        let timeline = Timeline::new(&takings(&stories, o.target), &mut popularity, until);
        let warm: Vec<u32> = (0..items.len() as u32).filter(|i| counts[*i as usize] > 0).collect();
        let catalogue = if warm.len() <= o.full_softmax {
            let text = frame.items(items, &warm)?;
            let columns = Columns {
                correction: vec![0.0; warm.len()],
                since: warm.iter().map(|i| since[*i as usize]).collect(),
                items: warm,
            };
            Catalogue::Full(Arc::new(columns), text)
        } else {
            Catalogue::Sampled(Negatives::new(warm.into_iter().map(|i| (i, counts[i as usize]))))
        };
        let cut = |(shopper, story): (usize, &Story)| cut(shopper as u32, story, o.tokens, o.target, after);
        let parts: Vec<[Vec<Stretch>; 2]> = stories.par_iter().enumerate().map(cut).collect();
        let (mut old, mut new) = (Vec::new(), Vec::new());
        for [o, n] in parts {
            old.extend(o);
            new.extend(n);
        }
        let epochs = if after.is_some() { o.epochs_later } else { o.epochs };
        let seed = o.seed ^ (until as u64).rotate_left(17);
        let order = order(new.len(), old.len(), epochs, o.replay, seed);
        let stage = Self {
            items,
            queries: behaviour.queries,
            since,
            timeline: Arc::new(timeline),
            catalogue,
            bands: frame.bands(items),
            until,
            stretches: new.into_iter().chain(old).collect(),
            order,
            batch: o.batch,
            stories,
        };
        Ok((stage, popularity))
    }

    /// Steps planned. The last one may be smaller.
    pub(crate) fn steps(&self) -> usize {
        self.order.len().div_ceil(self.batch)
    }

    /// Stretches of a step, counted from 0.
    pub(crate) fn batch(&self, step: usize) -> Vec<Stretch> {
        let from = (step * self.batch).min(self.order.len());
        let to = (from + self.batch).min(self.order.len());
        self.order[from..to].iter().map(|i| self.stretches[*i as usize]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_holds_all_that_is_new_and_some_of_the_old() {
        let all = order(4, 10, 2.0, 0.5, 1);
        assert_eq!(all.len(), 12);
        for epoch in all.chunks(6) {
            let mut sorted = epoch.to_vec();
            sorted.sort_unstable();
            assert_eq!(sorted[..4], [0, 1, 2, 3]);
            assert!(sorted[4..].iter().all(|i| (4..14).contains(i)) && sorted[4] != sorted[5]);
        }
        assert_eq!(order(4, 0, 1.5, 1.0, 1).len(), 6);
        assert_eq!(order(0, 10, 2.0, 1.0, 1).len(), 0);
        assert_ne!(order(9, 0, 1.0, 0.0, 1), order(9, 0, 1.0, 0.0, 2));
    }
}
