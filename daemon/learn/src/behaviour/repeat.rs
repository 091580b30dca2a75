//! What the repeat term knows about an item that a shopper had: how often, how long ago, at what rhythm, how many at once.
//!
//! A renewal model in features: time since the last purchase over the shopper's own mean gap for the item is what a renewal process conditions
//! on (Bhagat et al., KDD 2018, modified Poisson-Gamma); which curve belongs to it is learned.

use rustc_hash::FxHashMap;

use super::baskets::{DAY_MS, Story};

/// Values that describe one item that a shopper had.
pub const FEATURES: usize = 15;

/// Place of the logarithm of the days since: the one that each item weighs by a value of its own.
pub(crate) const SINCE: usize = 1;

/// One item that a shopper had before a moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Had {
    pub(crate) item: u32,
    pub(crate) x: [f32; FEATURES],
}

#[derive(Debug, Clone, Copy, Default)]
struct Past {
    times: u32,
    first: i64,
    last: i64,
    /// Number of the last basket.
    basket: usize,
    quantity: f32,
    /// Squared gaps in days.
    squares: f32,
    decayed: [f32; 3],
}

/// Half-lives of the shopper's own counts, days.
const HALF_LIVES: [f32; 3] = [15.0, 60.0, 240.0];

fn days(ms: i64) -> f32 {
    ms.max(0) as f32 / DAY_MS as f32
}

/// Items of kind `target` in the first `baskets` baskets of a story as of moment `at`, ascending; of more than `most` those had last.
pub(crate) fn had(story: &Story, baskets: usize, at: i64, target: u8, most: usize) -> Vec<Had> {
    let mut past: FxHashMap<u32, Past> = FxHashMap::default();
    let (mut visits, mut taken, mut again, mut latest) = (0usize, 0usize, 0usize, None);
    for (number, basket) in story.baskets[..baskets].iter().enumerate() {
        let mut any = false;
        for t in story.of(basket).iter().filter(|t| t.kind == target) {
            let Some(item) = t.item else { continue };
            let p = past.entry(item).or_insert(Past { first: basket.at, last: basket.at, ..Past::default() });
            let gap = days(basket.at - p.last);
            again += usize::from(p.times > 0);
            taken += 1;
            p.times += 1;
            p.squares += gap * gap;
            p.last = basket.at;
            p.basket = number;
            p.quantity += t.quantity.max(0.0);
            for (d, h) in p.decayed.iter_mut().zip(HALF_LIVES) {
                *d += (-days(at - basket.at) / h).exp2();
            }
            any = true;
        }
        if any {
            visits += 1;
            latest = Some(basket.at);
        }
    }
    let mut all: Vec<(u32, Past)> = past.into_iter().collect();
    if all.len() > most {
        all.sort_unstable_by_key(|(item, p)| (std::cmp::Reverse(p.last), *item));
        all.truncate(most);
    }
    all.sort_unstable_by_key(|(item, _)| *item);
    let idle = (1.0 + latest.map_or(0.0, |l| days(at - l))).ln();
    let share = again as f32 / taken.max(1) as f32;
    let describe = |(item, p): (u32, Past)| {
        let since = days(at - p.last);
        let gaps = p.times.saturating_sub(1) as f32;
        let (mean, ratio, regular) = if gaps > 0.0 {
            let mean = days(p.last - p.first) / gaps;
            let spread = (p.squares / gaps - mean * mean).max(0.0).sqrt();
            (mean, ((since + 1.0) / (mean + 1.0)).ln(), 1.0 / (1.0 + spread / (mean + 1.0)))
        } else {
            (0.0, 0.0, 0.0)
        };
        let x = [
            (p.times as f32).ln(),
            (1.0 + since).ln(),
            f32::from(gaps > 0.0),
            ratio.clamp(-3.0, 3.0),
            ratio.clamp(-3.0, 3.0).powi(2),
            regular,
            (1.0 + mean).ln(),
            p.times as f32 / visits.max(1) as f32,
            (1.0 + p.decayed[0]).ln(),
            (1.0 + p.decayed[1]).ln(),
            (1.0 + p.decayed[2]).ln(),
            (1.0 + p.quantity / p.times.max(1) as f32).ln(),
            (visits as f32).max(1.0).ln(),
            idle,
            share,
        ];
        // Around one in size, so that one rate of learning fits all.
        Had { item, x: x.map(|v| v * 0.5) }
    };
    all.into_iter().map(describe).collect()
}

#[cfg(test)]
mod tests {
    use super::super::baskets::Grouping;
    use super::super::data::Interaction;
    use super::*;

    #[test]
    fn rhythm_is_the_time_since_over_the_own_gap() {
        let bought =
            |item, day: i64, value| Interaction { item: Some(item), text: None, kind: 0, value, at: day * DAY_MS };
        let events = [bought(7, 0, 2.0), bought(7, 10, 4.0), bought(7, 20, 6.0), bought(2, 20, 1.0)];
        let story = Story::new(&events, i64::MAX, Grouping::Moment);
        let all = had(&story, 3, 30 * DAY_MS, 0, 9);
        assert_eq!(all.iter().map(|h| h.item).collect::<Vec<_>>(), [2, 7]);
        let x = all[1].x.map(|v| v * 2.0);
        let near = |at: usize, value: f32| assert!((x[at] - value).abs() < 1e-5, "{at}: {} and {value}", x[at]);
        near(0, 3f32.ln());
        near(SINCE, 11f32.ln());
        near(3, 0.0);
        near(5, 1.0);
        near(6, 11f32.ln());
        near(7, 1.0);
        near(11, 5f32.ln());
        near(13, 11f32.ln());
        near(14, 0.5);
        // As of the second basket nothing of the third is known.
        assert_eq!(had(&story, 2, 15 * DAY_MS, 0, 9).len(), 1);
        assert_eq!(had(&story, 3, 30 * DAY_MS, 0, 1).len(), 1);
        assert!(had(&story, 0, 0, 0, 9).is_empty());
    }
}
