//! Training windows of a user's history, and the prediction points drawn from them.

use std::ops::Range;

use super::collate::HistoryMoment;
use super::history::UserHistory;

/// Part of a user's history: a context from basket `from`, and target baskets that are predicted from the baskets before each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TrainWindow {
    pub(crate) user: u32,
    pub(crate) from: usize,
    pub(crate) targets: Range<usize>,
}

/// Windows split at a cut-off.
#[derive(Debug, Default)]
pub(crate) struct SplitWindows {
    /// Targets up to the cut-off.
    pub(crate) old: Vec<TrainWindow>,
    /// Targets after it.
    pub(crate) new: Vec<TrainWindow>,
}

/// A moment in training and the items that the user takes after it, ascending.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PredictionPoint {
    pub(crate) moment: HistoryMoment,
    pub(crate) items: Vec<u32>,
}

/// How prediction points are drawn from a window.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PointOptions<'a> {
    /// Kind of event that is predicted.
    pub(crate) target: u8,
    /// Maximum number of points per window.
    pub(crate) most: usize,
    /// Time after the point whose items are targets, milliseconds.
    pub(crate) horizon_ms: i64,
    /// Seed and step.
    pub(crate) key: &'a [u64],
}

/// Splits a history so that every basket but the first is a target once, with at least half a context (`tokens / 2`) before it if there is so
/// much. A window whose targets pass the cut-off `after` is split there. Windows without an event of kind `target` are left out.
pub(crate) fn split_windows(
    user: u32,
    history: &UserHistory,
    tokens: usize,
    target: u8,
    after: Option<i64>,
) -> SplitWindows {
    let mut out = SplitWindows::default();
    let n = history.baskets.len();
    let mut first = 1;
    while first < n {
        let from = history.context(first, (tokens / 2).max(1));
        let mut end = first + 1;
        while end < n && history.context(end, tokens) <= from {
            end += 1;
        }
        let old = |b: usize| after.is_some_and(|a| history.baskets[b].at <= a);
        let border = (first..end).find(|b| !old(*b)).unwrap_or(end);
        for (list, targets) in [(&mut out.old, first..border), (&mut out.new, border..end)] {
            if targets.clone().any(|b| history.items(&history.baskets[b], target).next().is_some()) {
                list.push(TrainWindow { user, from, targets });
            }
        }
        first = end;
    }
    out
}

/// A pseudo-random number from its parts.
pub(crate) fn hash_parts(parts: &[u64]) -> u64 {
    // The finaliser of SplitMix64 over a running sum.
    parts.iter().fold(0x9e37_79b9_7f4a_7c15, |h, p| {
        let z = (h ^ p).wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    })
}

/// Prediction points of a window. Each of at most `most` targets gets a point at a moment drawn uniformly between the previous basket
/// (exclusive) and the target (inclusive), because serving does not know when the user returns. The items are those taken within the horizon
/// after the moment, and always those of the target basket.
pub(crate) fn prediction_points(
    window: &TrainWindow,
    history: &UserHistory,
    o: PointOptions<'_>,
) -> Vec<PredictionPoint> {
    let draw = |b: usize, what: u64| {
        let mut parts = o.key.to_vec();
        parts.extend([u64::from(window.user), b as u64, what]);
        hash_parts(&parts)
    };
    let takes = |b: &usize| history.items(&history.baskets[*b], o.target).next().is_some();
    let mut targets: Vec<usize> = window.targets.clone().filter(takes).collect();
    if targets.len() > o.most {
        targets.sort_unstable_by_key(|b| (draw(*b, 0), *b));
        targets.truncate(o.most);
        targets.sort_unstable();
    }
    let point = |b: usize| {
        let (before, there) = (history.baskets[b - 1].at, history.baskets[b].at);
        let along = (draw(b, 1) >> 11) as f64 / (1u64 << 53) as f64;
        let at = (there - ((there - before) as f64 * along) as i64).max(before + 1);
        let within = history.baskets[b..].iter().enumerate().take_while(|(i, x)| *i == 0 || x.at <= at + o.horizon_ms);
        let mut items: Vec<u32> = within.flat_map(|(_, x)| history.items(x, o.target)).collect();
        items.sort_unstable();
        items.dedup();
        PredictionPoint { moment: HistoryMoment { known: b, at }, items }
    };
    targets.into_iter().map(point).collect()
}

#[cfg(test)]
mod tests {
    use super::super::data::SequenceEvent;
    use super::super::options::BasketGrouping;
    use super::*;

    fn history(n: u32, per: u32) -> UserHistory {
        let line =
            |i: u32| SequenceEvent { item: Some(i), text: None, kind: 0, value: 1.0, at: i64::from(i / per) * 1000 };
        UserHistory::new(&(0..n).map(line).collect::<Vec<_>>(), i64::MAX, BasketGrouping::Moment)
    }

    #[test]
    fn every_basket_but_the_first_is_a_target_once() {
        for (n, per, tokens) in [(40, 2, 8), (9, 9, 8), (1, 1, 8), (30, 7, 8), (100, 1, 6)] {
            let history = history(n, per);
            let SplitWindows { old, new } = split_windows(3, &history, tokens, 0, Some(2500));
            let mut all: Vec<usize> = old.iter().chain(&new).flat_map(|s| s.targets.clone()).collect();
            all.sort_unstable();
            assert_eq!(all, (1..history.baskets.len()).collect::<Vec<_>>());
            assert!(old.iter().all(|s| s.targets.clone().all(|b| history.baskets[b].at <= 2500)));
            assert!(new.iter().all(|s| s.targets.clone().all(|b| history.baskets[b].at > 2500)));
            for s in old.iter().chain(&new) {
                let half = history.context(s.targets.start, tokens / 2);
                assert!(s.from <= half && s.from < s.targets.start, "{s:?}");
            }
        }
    }

    #[test]
    fn a_prediction_point_knows_nothing_of_its_items() {
        let history = history(40, 2);
        let window = TrainWindow { user: 1, from: 0, targets: 1..20 };
        let points = |target: u8, most: usize, horizon_ms: i64, key: u64| {
            prediction_points(&window, &history, PointOptions { target, most, horizon_ms, key: &[key] })
        };
        let all = points(0, 100, 2500, 7);
        assert_eq!(all.len(), 19);
        for PredictionPoint { moment: HistoryMoment { known, at }, items } in &all {
            let (known, at) = (*known, *at);
            assert!(history.baskets[..known].iter().all(|b| b.at < at) && at <= history.baskets[known].at);
            assert!(items.len() >= 4 || known == 19, "the target and what else lies within the horizon");
            assert!(items.iter().all(|i| *i >= known as u32 * 2));
        }
        assert_eq!(points(0, 5, 0, 7).len(), 5);
        assert_ne!(points(0, 5, 0, 7), points(0, 5, 0, 8));
        assert!(points(1, 5, 0, 7).is_empty());
    }
}
