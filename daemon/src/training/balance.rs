//! Balances what is learned from: a cap per shopper, more of the long tail, weights of groups. All are off by default, and then nothing is
//! touched. The ranker learns from lists at many cut-offs instead of pairs: weights of groups weigh its lists, caps and copies do not reach
//! it.

use std::sync::Arc;

use mercer_learn::ContrastivePair;
use mercer_learn::examples::Interaction;
use mercer_reports::diversity::tail_membership;
use mercer_reports::rerank::group_weights;
use rustc_hash::FxHashMap;

use crate::state::config::{Config, ConsentConfig};
use crate::state::shop::{ShopState, Subject};

/// Share of the examples that the short head covers; what lies beyond is the long tail (METRICS.md section 3).
const HEAD: f64 = 0.8;

/// Keeps the latest `most` interactions of each user, in the order of the log; 0 keeps all. Returns how many were left out.
pub(super) fn cap_per_user(log: &mut Vec<Interaction>, most: usize) -> usize {
    if most == 0 {
        return 0;
    }
    let mut times: FxHashMap<u32, Vec<(i64, usize)>> = FxHashMap::default();
    for (place, event) in log.iter().enumerate() {
        times.entry(event.user).or_default().push((event.at_ms, place));
    }
    let mut kept = vec![true; log.len()];
    for mut own in times.into_values().filter(|own| own.len() > most) {
        own.sort_unstable();
        let surplus = own.len() - most;
        own[..surplus].iter().for_each(|(_, place)| kept[*place] = false);
    }
    let before = log.len();
    let mut kept = kept.into_iter();
    log.retain(|_| kept.next().unwrap_or(true));
    before - log.len()
}

/// Repeats pairs whose item belongs to the long tail, so that each counts `factor` times on average. Equally popular items share what is
/// left of the head, so the numbering of items does not matter. Returns how many copies were added.
pub(super) fn oversample_tail(pairs: &mut Vec<ContrastivePair>, factor: f64) -> usize {
    if factor <= 1.0 {
        return 0;
    }
    let mut counts = vec![0.0; pairs.iter().map(|pair| pair.item as usize + 1).max().unwrap_or(0)];
    pairs.iter().for_each(|pair| counts[pair.item as usize] += 1.0);
    let Ok(tail) = tail_membership(&counts, HEAD) else { return 0 };
    let before = pairs.len();
    // What is owed of the next copy, so that fractions add up without chance.
    let mut owed = 0.0;
    let copies = |pair: ContrastivePair| {
        owed += (factor - 1.0) * tail[pair.item as usize];
        let more = owed.floor();
        owed -= more;
        std::iter::repeat_n(pair, 1 + more as usize)
    };
    *pairs = std::mem::take(pairs).into_iter().flat_map(copies).collect();
    pairs.len() - before
}

/// What weighing groups did.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Weighed {
    /// Pairs that were weighed.
    pub(super) pairs: usize,
    /// Effective number of them, (Σw)² / Σw².
    pub(super) effective: f64,
    /// Pairs whose weight was cut to the cap.
    pub(super) capped: usize,
    /// Groups with pairs.
    pub(super) groups: usize,
}

/// Weighs each shopper's pairs by the inverse of the share of the shopper's group, at most ten average weights, mean 1. Pairs of a query
/// belong to no shopper and keep their weight. `None` where fewer than two groups have pairs: there is nothing to balance.
pub(super) fn weigh_groups(pairs: &mut [ContrastivePair], group_of_user: &[usize]) -> Option<Weighed> {
    let (places, groups): (Vec<usize>, Vec<usize>) = pairs
        .iter()
        .enumerate()
        .filter_map(|(place, pair)| Some((place, *group_of_user.get(pair.user()? as usize)?)))
        .unzip();
    let mut present = groups.clone();
    present.sort_unstable();
    present.dedup();
    if present.len() < 2 {
        return None;
    }
    let found = group_weights(&groups).ok()?;
    for (place, weight) in places.iter().zip(&found.weights) {
        pairs[*place].weight *= *weight as f32;
    }
    Some(Weighed { pairs: places.len(), effective: found.effective, capped: found.capped, groups: present.len() })
}

/// Group of each user by a declared attribute; those who declared nothing, or did not open it to audits, are a group of their own.
pub(super) fn groups_of(view: &ShopState, consent: &ConsentConfig, users: &[u32], attribute: &str) -> Vec<usize> {
    let mut numbers: FxHashMap<&str, usize> = FxHashMap::default();
    let declared = |user: &u32| {
        let open = |subject: &&Arc<Subject>| consent.audits(attribute, subject.consent, subject.explicit);
        let subject = view.subject(*user).filter(open)?;
        subject.attributes.get(attribute).map(String::as_str)
    };
    users
        .iter()
        .map(|user| match declared(user) {
            Some(value) => {
                let next = numbers.len() + 1;
                *numbers.entry(value).or_insert(next)
            }
            None => 0,
        })
        .collect()
}

/// Group of each user by the configured attribute, in the order of the users; none where it is off.
pub(super) fn groups_configured(config: &Config, view: &ShopState, users: &[u32]) -> Vec<usize> {
    let attribute = Some(config.train.group_weights.as_str()).filter(|attribute| !attribute.is_empty());
    attribute.map(|attribute| groups_of(view, &config.consent, users, attribute)).unwrap_or_default()
}

/// Weights of a ranker's lists by their users, as those of pairs: the inverse of the share that the user's group has of the lists, at most
/// ten average weights, mean 1. All 1 where fewer than two groups have lists.
pub(super) fn list_weights(group_of_user: &[usize], users: &[u32]) -> Vec<f32> {
    let groups: Vec<usize> =
        users.iter().map(|user| group_of_user.get(*user as usize).copied().unwrap_or_default()).collect();
    let several = groups.iter().any(|group| groups.first() != Some(group));
    let found = several.then(|| group_weights(&groups).ok()).flatten();
    found.map_or_else(|| vec![1.0; users.len()], |found| found.weights.iter().map(|weight| *weight as f32).collect())
}

/// Weighs the pairs by the configured attribute and says in words what that did; `None` where it is off.
pub(super) fn weigh_configured(
    config: &Config,
    view: &ShopState,
    users: &[u32],
    pairs: &mut [ContrastivePair],
) -> Option<String> {
    let attribute = Some(config.train.group_weights.as_str()).filter(|attribute| !attribute.is_empty())?;
    Some(match weigh_groups(pairs, &groups_of(view, &config.consent, users, attribute)) {
        Some(found) => format!(
            "{} pairs weighed by {attribute} over {} groups: effective sample {:.0}, {} weights cut to the cap of 10",
            found.pairs, found.groups, found.effective, found.capped
        ),
        None => format!("fewer than two groups by {attribute} have pairs: all weigh alike"),
    })
}

#[cfg(test)]
mod tests {
    use mercer_learn::Anchor;
    use mercer_shared::interaction::InteractionType;

    use super::*;

    fn event(user: u32, at_ms: i64) -> Interaction {
        Interaction { user, item: Some(0), kind: InteractionType::Purchase, value: 1.0, query: None, at_ms }
    }

    fn pair(item: u32, user: Option<u32>) -> ContrastivePair {
        let group = user.map_or(7, |user| (1 << 32) | u64::from(user));
        ContrastivePair { anchor: Anchor::Text(0), positive: item, item, group, weight: 1.0, hard_negative: None }
    }

    #[test]
    fn a_cap_keeps_the_latest_of_each_user() {
        let log = vec![event(1, 30), event(0, 5), event(1, 10), event(1, 20), event(0, 6)];
        let times = |log: &[Interaction]| log.iter().map(|event| (event.user, event.at_ms)).collect::<Vec<_>>();
        let mut capped = log.clone();
        assert_eq!(cap_per_user(&mut capped, 2), 1);
        assert_eq!(times(&capped), [(1, 30), (0, 5), (1, 20), (0, 6)]);
        let mut all = log.clone();
        assert_eq!(cap_per_user(&mut all, 0), 0);
        assert_eq!(times(&all), times(&log));
        // Equal times: the later line is kept.
        let mut tied = vec![event(0, 1), event(0, 1)];
        assert_eq!((cap_per_user(&mut tied, 1), tied.len()), (1, 1));
    }

    #[test]
    fn the_tail_counts_as_often_as_asked() {
        // Item 0 covers 80 % of the pairs; items 1 and 2 are the tail.
        let pairs: Vec<ContrastivePair> =
            [vec![pair(0, Some(0)); 16], vec![pair(1, Some(1)); 2], vec![pair(2, Some(2)); 2]].concat();
        let count = |pairs: &[ContrastivePair], item| pairs.iter().filter(|pair| pair.item == item).count();
        let mut more = pairs.clone();
        assert_eq!(oversample_tail(&mut more, 2.5), 6);
        assert_eq!((count(&more, 0), count(&more, 1), count(&more, 2)), (16, 5, 5));
        let mut same = pairs.clone();
        assert_eq!(oversample_tail(&mut same, 1.0), 0);
        assert_eq!(same, pairs);
        assert_eq!(oversample_tail(&mut Vec::new(), 3.0), 0);
    }

    #[test]
    fn lists_of_groups_weigh_alike() {
        // Users 0 to 2 are one group, user 3 the other; user 3 has one list of five.
        let groups = [1, 1, 1, 2];
        let weights = list_weights(&groups, &[0, 1, 0, 2, 3]);
        assert!((weights[..4].iter().sum::<f32>() - weights[4]).abs() < 1e-5, "{weights:?}");
        assert!((weights.iter().sum::<f32>() - 5.0).abs() < 1e-5, "{weights:?}");
        assert_eq!(list_weights(&groups, &[0, 1, 2]), [1.0; 3]);
        assert!(list_weights(&groups, &[]).is_empty());
    }

    #[test]
    fn groups_weigh_alike_and_queries_are_left_alone() {
        let mut pairs: Vec<ContrastivePair> = (0..10).map(|user| pair(0, Some(user))).collect();
        pairs.push(pair(0, None));
        let group_of_user: Vec<usize> = (0..10).map(|user| usize::from(user >= 8)).collect();
        let found = weigh_groups(&mut pairs, &group_of_user).unwrap();
        let total = |of: std::ops::Range<usize>| pairs[of].iter().map(|pair| pair.weight).sum::<f32>();
        assert!((total(0..8) - total(8..10)).abs() < 1e-5, "{pairs:?}");
        assert!((total(0..10) - 10.0).abs() < 1e-5, "the mean weight stays 1");
        assert_eq!((pairs[10].weight, found.pairs, found.groups, found.capped), (1.0, 10, 2, 0));
        assert!((found.effective - 6.4).abs() < 1e-9, "{found:?}");
        assert_eq!(weigh_groups(&mut pairs, &[0; 10]), None);
    }
}
