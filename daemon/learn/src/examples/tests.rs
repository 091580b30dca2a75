//! Pairs follow time, baskets are sets, experience replay and placebo are seeded.

use mercer_shared::interaction::InteractionType;
use proptest::prelude::*;

use super::*;
use crate::contrastive_pairs::{Anchor, ContrastivePair};

fn event(user: u32, item: u32, kind: InteractionType, at_ms: i64) -> Interaction {
    Interaction { user, item: Some(item), kind, value: kind.value(None), query: None, at_ms }
}

fn search(user: u32, query: u32, at_ms: i64) -> Interaction {
    Interaction { user, item: None, kind: InteractionType::Search, value: 1.0, query: Some(query), at_ms }
}

/// Text 100 + i for item i.
fn texts(n: u32) -> Vec<Option<u32>> {
    (0..n).map(|i| Some(100 + i)).collect()
}

#[test]
fn a_query_leads_to_what_was_engaged_after_it() {
    let options = QueryOptions { window_ms: 1_000, ..QueryOptions::default() };
    let mut attached = event(1, 3, InteractionType::Click, 50_000);
    attached.query = Some(9);
    let log = [
        event(1, 0, InteractionType::Click, 90), // before the search
        search(1, 7, 100),
        event(1, 1, InteractionType::Click, 100), // same moment: no order
        event(1, 2, InteractionType::View, 500),
        event(1, 2, InteractionType::Purchase, 900), // same pair, heavier
        event(1, 4, InteractionType::Dismiss, 950),
        event(1, 5, InteractionType::Impression, 960),
        event(1, 1, InteractionType::Click, 1_200), // outside the window
        event(2, 1, InteractionType::Click, 600),   // another user
        attached,
    ];
    let pairs = query_pairs(&log, &texts(6), &options);
    let short: Vec<_> = pairs.iter().map(|p| (p.anchor.clone(), p.item, p.positive, p.weight)).collect();
    assert_eq!(short, [(Anchor::Text(7), 2, 102, 3.0), (Anchor::Text(9), 3, 103, 1.0)]);
    let heavy = QueryOptions { min_weight: 2.0, ..options };
    assert_eq!(query_pairs(&log, &texts(6), &heavy).len(), 1);
    assert!(query_pairs(&log, &[None; 6], &QueryOptions::default()).is_empty());
    assert!(query_pairs(&[], &[], &QueryOptions::default()).is_empty());
}

#[test]
fn a_history_leads_to_the_next_basket() {
    let log = [
        event(1, 0, InteractionType::Purchase, 10),
        event(1, 1, InteractionType::Purchase, 10),
        event(1, 2, InteractionType::Purchase, 20),
        event(1, 0, InteractionType::Purchase, 20),
        event(1, 3, InteractionType::View, 30),
    ];
    let pairs = next_pairs(&log, &texts(4), &NextOptions::default());
    let short: Vec<_> = pairs.iter().map(|p| (p.anchor.texts().to_vec(), p.item)).collect();
    // Item 0 is no news at 20; at 30 the most recent basket comes first.
    assert_eq!(short, [(vec![100, 101], 2), (vec![100, 102, 101], 3)]);
    let all = NextOptions { novel_only: false, ..NextOptions::default() };
    assert_eq!(next_pairs(&log, &texts(4), &all).len(), 3);
    let bought = NextOptions { min_weight: 3.0, ..NextOptions::default() };
    assert_eq!(next_pairs(&log, &texts(4), &bought).len(), 1);
    let wide = NextOptions { moment_ms: 11, ..NextOptions::default() };
    assert!(next_pairs(&log, &texts(4), &wide).is_empty());
    let short = NextOptions { horizon_ms: 5, ..NextOptions::default() };
    assert!(next_pairs(&log, &texts(4), &short).is_empty());
}

fn pair(i: u32) -> ContrastivePair {
    ContrastivePair {
        anchor: Anchor::Text(i),
        positive: 1_000 + i,
        item: i,
        group: u64::from(i),
        weight: 1.0,
        hard_negative: None,
    }
}

#[test]
fn experience_replay_makes_up_its_share() {
    let (new, old): (Vec<_>, Vec<_>) = ((0..60).map(pair).collect(), (100..200).map(pair).collect());
    let mixed = add_experience_replay(&new, &old, 0.25, 3).unwrap();
    assert_eq!(mixed.len(), 80);
    assert_eq!(mixed[..60], new);
    assert_eq!(mixed, add_experience_replay(&new, &old, 0.25, 3).unwrap());
    assert_ne!(mixed, add_experience_replay(&new, &old, 0.25, 4).unwrap());
    assert_eq!(add_experience_replay(&new, &old[..5], 0.5, 3).unwrap().len(), 65);
    assert_eq!(add_experience_replay(&new, &old, 0.0, 3).unwrap(), new);
    assert!(
        add_experience_replay(&new, &old, f64::NAN, 3).is_err() && add_experience_replay(&new, &old, 0.95, 3).is_err()
    );
}

#[test]
fn the_placebo_keeps_everything_but_what_belongs_together() {
    let pairs: Vec<_> = (0..50).map(pair).collect();
    let placebo = permute_positives(&pairs, 1);
    assert_eq!(placebo, permute_positives(&pairs, 1));
    let mut items: Vec<_> = placebo.iter().map(|p| (p.item, p.positive)).collect();
    items.sort_unstable();
    assert_eq!(items, pairs.iter().map(|p| (p.item, p.positive)).collect::<Vec<_>>());
    assert!(placebo.iter().zip(&pairs).all(|(a, b)| a.anchor == b.anchor));
    assert!(placebo.iter().zip(&pairs).filter(|(a, b)| a.item == b.item).count() < 10);
}

proptest! {
    #[test]
    fn no_pair_joins_items_of_one_moment_and_order_inside_it_is_nothing(
        raw in prop::collection::vec((0u32..3, 0u32..8, 0i64..6), 0..60), moment in 0i64..3, seed: u64,
    ) {
        let log: Vec<_> = raw.iter().map(|&(u, i, t)| event(u, i, InteractionType::Purchase, t * 10)).collect();
        let options = NextOptions { moment_ms: moment * 10, novel_only: false, per_moment: 100, recent: 100, ..NextOptions::default() };
            let pairs = next_pairs(&log, &texts(8), &options);
        for p in &pairs {
            let user = (p.group & 0xffff_ffff) as u32;
            let when = |text: u32| log.iter().filter(|e| e.user == user && e.item == Some(text - 100)).map(|e| e.at_ms).min().unwrap();
            // Some event of the positive lies more than a moment after the first of every item in the anchor.
            let last = log.iter().filter(|e| e.user == user && e.item == Some(p.item)).map(|e| e.at_ms).max().unwrap();
            for text in p.anchor.texts() {
                prop_assert!(last > when(*text));
            }
        }
        let order = crate::sampler::permutation(log.len(), seed, "test");
        let shuffled: Vec<_> = order.iter().map(|i| log[*i as usize]).collect();
        prop_assert_eq!(pairs, next_pairs(&shuffled, &texts(8), &options));
    }
}

#[test]
fn skipped_impressions_are_hard_negatives() {
    let shown = |item, query, at_ms| Interaction { query, ..event(1, item, InteractionType::Impression, at_ms) };
    let log = [
        event(1, 0, InteractionType::Purchase, 50),
        search(1, 7, 100),
        shown(5, None, 110),
        shown(4, Some(9), 120), // for another query
        shown(1, None, 130),    // engaged below
        shown(6, None, 140),
        event(1, 1, InteractionType::Purchase, 200),
        event(1, 2, InteractionType::Purchase, 200),
        event(1, 3, InteractionType::Purchase, 200),
        shown(3, None, 300),
        event(2, 0, InteractionType::Purchase, 60),
        event(2, 1, InteractionType::Purchase, 200),
    ];
    let left =
        |pairs: &[ContrastivePair]| pairs.iter().map(|p| p.hard_negative.map(|h| (h.item, h.text))).collect::<Vec<_>>();
    let of_query = query_pairs(&log, &texts(7), &QueryOptions::default());
    // The latest first; a third pair goes round.
    assert_eq!(left(&of_query), [Some((6, 106)), Some((5, 105)), Some((6, 106))]);
    let next = next_pairs(&log, &texts(7), &NextOptions::default());
    // Here the query does not matter; the other user was shown nothing.
    assert_eq!(left(&next), [Some((6, 106)), Some((4, 104)), Some((5, 105)), None]);
    assert_eq!(left(&query_pairs(&log, &texts(5), &QueryOptions::default()))[0], None, "no text, no negative");
}

#[test]
fn what_shows_interest_makes_a_pair_and_nothing_else_does() {
    use InteractionType::{
        Cart, Click, Dismiss, Favourite, Impression, Purchase, Rating, Return, Review, Search, View,
    };
    let weight = |kind: InteractionType, value: Option<f64>| {
        Interaction { value: kind.value(value), ..event(0, 0, kind, 0) }.weight()
    };
    for (kind, interest) in [(View, 0.5), (Click, 1.0), (Cart, 2.0), (Favourite, 2.0), (Purchase, 3.0)] {
        assert_eq!(weight(kind, None), Some(interest), "{kind:?}");
        assert_eq!(weight(kind, Some(1.0)), Some(interest), "the value of {kind:?} is a quantity");
    }
    for kind in [Search, Impression, Return, Dismiss] {
        assert_eq!([weight(kind, None), weight(kind, Some(5.0))], [None, None], "{kind:?}");
    }
    for kind in [Rating, Review] {
        let of = |stars| weight(kind, stars);
        assert_eq!([of(None), of(Some(3.0)), of(Some(5.0))], [Some(2.0); 3], "{kind:?}");
        assert_eq!([of(Some(0.0)), of(Some(1.0)), of(Some(2.5))], [None; 3], "{kind:?}");
    }
}
