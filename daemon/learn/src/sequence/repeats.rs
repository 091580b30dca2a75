//! Features of the repeat term: how often, how long ago, at what interval and in which quantity a user had an item.
//!
//! A renewal model in features: a renewal process conditions on the time since the last purchase divided by the user's mean interval for the
//! item (Bhagat et al., KDD 2018, modified Poisson-Gamma). The model learns the curve over it.

use rustc_hash::FxHashMap;

use super::history::{DAY_MS, UserHistory};

/// Number of features of one repeat candidate.
pub const FEATURES: usize = 15;

/// Index of the logarithm of days since the last time, which each item weighs by a value of its own.
pub(crate) const SINCE: usize = 1;

/// An item that a user had before a moment, with its features.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct RepeatCandidate {
    pub(crate) item: u32,
    pub(crate) x: [f32; FEATURES],
}

/// A user's events of one item.
#[derive(Debug, Clone, Copy, Default)]
struct ItemPast {
    times: u32,
    first: i64,
    last: i64,
    quantity: f32,
    /// Squared gaps in days.
    squares: f32,
    decayed: [f32; 3],
}

/// Half-lives of the user's decayed counts, days.
const HALF_LIVES: [f32; 3] = [15.0, 60.0, 240.0];

fn days(ms: i64) -> f32 {
    ms.max(0) as f32 / DAY_MS as f32
}

/// What a user had of one kind before a moment.
struct UserPast {
    items: FxHashMap<u32, ItemPast>,
    /// Baskets with at least one item of the kind.
    visits: usize,
    /// Items of the kind over all baskets.
    taken: usize,
    /// Those of them that the user had before.
    again: usize,
    /// Time of the last such basket.
    latest: Option<i64>,
}

fn user_past(history: &UserHistory, baskets: usize, at: i64, target: u8) -> UserPast {
    let mut past = UserPast { items: FxHashMap::default(), visits: 0, taken: 0, again: 0, latest: None };
    for basket in &history.baskets[..baskets] {
        let mut any = false;
        for t in history.of(basket).iter().filter(|t| t.kind == target) {
            let Some(item) = t.item else { continue };
            let start = ItemPast { first: basket.at, last: basket.at, ..ItemPast::default() };
            let p = past.items.entry(item).or_insert(start);
            let gap = days(basket.at - p.last);
            past.again += usize::from(p.times > 0);
            past.taken += 1;
            p.times += 1;
            p.squares += gap * gap;
            p.last = basket.at;
            p.quantity += t.quantity.max(0.0);
            for (d, h) in p.decayed.iter_mut().zip(HALF_LIVES) {
                *d += (-days(at - basket.at) / h).exp2();
            }
            any = true;
        }
        if any {
            past.visits += 1;
            past.latest = Some(basket.at);
        }
    }
    past
}

/// Items of kind `target` in the first `baskets` baskets of a history as of moment `at`, ascending; at most `most`, the latest ones.
pub(crate) fn repeat_candidates(
    history: &UserHistory,
    baskets: usize,
    at: i64,
    target: u8,
    most: usize,
) -> Vec<RepeatCandidate> {
    let UserPast { items, visits, taken, again, latest } = user_past(history, baskets, at, target);
    let mut all: Vec<(u32, ItemPast)> = items.into_iter().collect();
    if all.len() > most {
        all.sort_unstable_by_key(|(item, p)| (std::cmp::Reverse(p.last), *item));
        all.truncate(most);
    }
    all.sort_unstable_by_key(|(item, _)| *item);
    let of_user = UserFeatures {
        at,
        visits: visits as f32,
        idle: (1.0 + latest.map_or(0.0, |l| days(at - l))).ln(),
        repeat_share: again as f32 / taken.max(1) as f32,
    };
    all.into_iter().map(|(item, past)| RepeatCandidate { item, x: features(&past, &of_user) }).collect()
}

/// Features that all candidates of a user share.
struct UserFeatures {
    at: i64,
    /// Baskets with at least one item.
    visits: f32,
    /// Logarithm of the days since the last of them.
    idle: f32,
    /// Share of items that the user had before.
    repeat_share: f32,
}

fn features(p: &ItemPast, user: &UserFeatures) -> [f32; FEATURES] {
    let since = days(user.at - p.last);
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
        p.times as f32 / user.visits.max(1.0),
        (1.0 + p.decayed[0]).ln(),
        (1.0 + p.decayed[1]).ln(),
        (1.0 + p.decayed[2]).ln(),
        (1.0 + p.quantity / p.times.max(1) as f32).ln(),
        user.visits.max(1.0).ln(),
        user.idle,
        user.repeat_share,
    ];
    // Scaled to about one, so that one learning rate fits all features.
    x.map(|v| v * 0.5)
}

#[cfg(test)]
mod tests {
    use super::super::data::SequenceEvent;
    use super::super::options::BasketGrouping;
    use super::*;

    #[test]
    fn the_rhythm_feature_is_the_time_since_over_the_mean_gap() {
        let bought =
            |item, day: i64, value| SequenceEvent { item: Some(item), text: None, kind: 0, value, at: day * DAY_MS };
        let events = [bought(7, 0, 2.0), bought(7, 10, 4.0), bought(7, 20, 6.0), bought(2, 20, 1.0)];
        let history = UserHistory::new(&events, i64::MAX, BasketGrouping::Moment);
        let all = repeat_candidates(&history, 3, 30 * DAY_MS, 0, 9);
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
        assert_eq!(repeat_candidates(&history, 2, 15 * DAY_MS, 0, 9).len(), 1);
        assert_eq!(repeat_candidates(&history, 3, 30 * DAY_MS, 0, 1).len(), 1);
        assert!(repeat_candidates(&history, 0, 0, 0, 9).is_empty());
    }
}
