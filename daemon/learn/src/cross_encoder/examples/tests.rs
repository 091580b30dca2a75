//! Examples follow time: nothing of the future enters a history, a draw or a label.

use mercer_shared::interaction::InteractionType;

use super::draw::thin_evenly;
use super::*;
use crate::examples::Interaction;

const MINUTE: i64 = 60_000;

fn event(user: u32, item: u32, kind: InteractionType, at_ms: i64) -> Interaction {
    Interaction { user, item: Some(item), kind, value: kind.value(None), query: None, at_ms }
}

fn all(until_ms: i64) -> TimeWindow {
    TimeWindow { after_ms: i64::MIN, until_ms }
}

/// Ten users who each buy three items a day for thirty days, some of them again.
fn purchases() -> Vec<Interaction> {
    let mut log = Vec::new();
    for user in 0..10u32 {
        for day in 0..30i64 {
            for n in 0..3u32 {
                let item = (user * 7 + day as u32 * 5 + n * n * 11) % 40;
                log.push(event(user, item, InteractionType::Purchase, day * 1_000));
            }
        }
    }
    log
}

#[test]
fn a_history_is_newest_first_and_ends_before_the_moment() {
    let mut events = vec![
        event(0, 5, InteractionType::Purchase, 10),
        event(0, 3, InteractionType::Purchase, 20),
        event(0, 9, InteractionType::Purchase, 20),
        event(0, 7, InteractionType::Impression, 21),
        Interaction { user: 0, item: None, kind: InteractionType::Search, value: 1.0, query: Some(4), at_ms: 22 },
        event(0, 5, InteractionType::Click, 30),
        event(0, 8, InteractionType::Purchase, 40),
    ];
    let options = ExampleOptions::default();
    let items = |e: &[Interaction], at| recent_history(e, at, &options);
    use HistoryEntry::{Item, Query};
    assert_eq!(items(&events, 40), [Item(5), Query(4), Item(3), Item(9)]);
    assert_eq!(items(&events, 20), [Item(5)]);
    assert_eq!(items(&events, 10), []);
    // Of one time, the order in the log says nothing.
    events.swap(1, 2);
    assert_eq!(items(&events, 40), [Item(5), Query(4), Item(3), Item(9)]);
    let narrow = ExampleOptions { recent: 2, min_weight: 2.0, horizon_ms: 20, ..ExampleOptions::default() };
    assert_eq!(recent_history(&events, 40, &narrow), [Query(4), Item(3)]);
    assert_eq!(recent_history(&events, 41, &narrow), [Item(8), Query(4)]);
}

#[test]
fn drawn_negatives_match_their_positive_and_know_nothing_later() {
    let log = purchases();
    let options = ExampleOptions { negatives: 3, most: 10_000, per_moment: 2, ..ExampleOptions::default() };
    let window = TimeWindow { after_ms: 5_000, until_ms: 20_000 };
    let rows = pair_examples(&log, NegativeSource::Sampled, window, &options);
    assert!(rows.iter().filter(|r| r.label).count() > 100);
    for row in &rows {
        assert!(row.at_ms > 5_000 && row.at_ms <= 20_000);
        let mine: Vec<&Interaction> = log.iter().filter(|e| e.user == row.user).collect();
        let had = mine.iter().any(|e| e.at_ms < row.at_ms && e.item == Some(row.item));
        let now = mine.iter().any(|e| e.at_ms == row.at_ms && e.item == Some(row.item));
        assert_eq!((had, now), (row.repeat, row.label), "{row:?}");
        let known = log.iter().any(|e| e.at_ms < row.at_ms && e.item == Some(row.item));
        assert!(row.label || known, "a negative that nobody had taken by then");
        let entries = row.history.iter().all(|entry| match entry {
            HistoryEntry::Item(i) => mine.iter().any(|e| e.at_ms < row.at_ms && e.item == Some(*i)),
            HistoryEntry::Query(_) => false,
        });
        assert!(entries && !row.history.is_empty());
    }
    // What comes later changes no earlier row.
    let later = log.iter().filter(|e| e.at_ms <= 20_000).copied().collect::<Vec<_>>();
    assert_eq!(pair_examples(&later, NegativeSource::Sampled, window, &options), rows);
    let other = ExampleOptions { seed: 1, ..options.clone() };
    assert_ne!(pair_examples(&log, NegativeSource::Sampled, window, &other), rows);
}

#[test]
fn popular_items_are_drawn_more_often() {
    // Item 0 is half of all sales; user 99 takes new items that nobody else does.
    let mut log: Vec<Interaction> = (0..2_000u32)
        .map(|n| event(n % 50, if n % 2 == 0 { 0 } else { 1 + n % 37 }, InteractionType::Purchase, i64::from(n)))
        .collect();
    log.extend((0..200u32).map(|n| event(99, 1_000 + n, InteractionType::Purchase, 3_000 + i64::from(n))));
    let options = ExampleOptions { negatives: 1, most: 10_000, ..ExampleOptions::default() };
    let drawn: Vec<PairExample> =
        pair_examples(&log, NegativeSource::Sampled, TimeWindow { after_ms: 3_000, until_ms: 9_000 }, &options);
    let negatives: Vec<&PairExample> = drawn.iter().filter(|r| !r.label && r.user == 99).collect();
    let share = negatives.iter().filter(|r| r.item == 0).count() as f64 / negatives.len() as f64;
    assert!(negatives.len() > 150 && (0.35..0.65).contains(&share), "{share} of {}", negatives.len());
    // What was popular long ago is not drawn any more.
    log.extend((0..500u32).map(|n| event(n % 50, 500 + n % 9, InteractionType::Purchase, 2_990)));
    let recent = ExampleOptions { popular_ms: 300, most: 10_000, ..options };
    let drawn = pair_examples(&log, NegativeSource::Sampled, TimeWindow { after_ms: 3_000, until_ms: 3_100 }, &recent);
    assert!(drawn.iter().any(|r| !r.label) && drawn.iter().all(|r| r.label || r.item >= 500));
}

#[test]
fn impressions_are_labelled_by_what_they_led_to() {
    let log = vec![
        event(0, 1, InteractionType::Click, 0),
        event(0, 5, InteractionType::Impression, 10 * MINUTE),
        event(0, 6, InteractionType::Impression, 10 * MINUTE),
        // The same chance again, and then taken.
        event(0, 5, InteractionType::Impression, 12 * MINUTE),
        event(0, 5, InteractionType::Click, 15 * MINUTE),
        // Taken too late to belong to the impression.
        event(0, 7, InteractionType::Impression, 20 * MINUTE),
        event(0, 7, InteractionType::Purchase, 80 * MINUTE),
        // Seen again after its chance had passed.
        event(0, 6, InteractionType::Impression, 90 * MINUTE),
        event(0, 6, InteractionType::Dismiss, 91 * MINUTE),
        // The outcome of this one lies beyond the window.
        event(0, 8, InteractionType::Impression, 190 * MINUTE),
        event(0, 8, InteractionType::Click, 191 * MINUTE),
    ];
    let options = ExampleOptions::default();
    let found = pair_examples(&log, NegativeSource::Impressions, all(200 * MINUTE), &options);
    let brief: Vec<(u32, i64, bool)> = found.iter().map(|r| (r.item, r.at_ms / MINUTE, r.label)).collect();
    assert_eq!(brief, [(5, 10, true), (6, 10, false), (7, 20, false), (6, 90, false)]);
    assert_eq!(found[0].history, [HistoryEntry::Item(1)]);
    assert_eq!(found[2].history, [HistoryEntry::Item(5), HistoryEntry::Item(1)]);
    assert_eq!(negative_source(&log, 200 * MINUTE, &options), NegativeSource::Sampled);
    let many: Vec<Interaction> = (0..200u32)
        .flat_map(|u| {
            let shown = event(u, u % 9, InteractionType::Impression, 0);
            [Some(shown), (u % 2 == 0).then(|| event(u, u % 9, InteractionType::Click, MINUTE))].into_iter().flatten()
        })
        .collect();
    assert_eq!(negative_source(&many, 200 * MINUTE, &options), NegativeSource::Impressions);
    // Outcomes that lie beyond the moment are not read.
    assert_eq!(negative_source(&many, MINUTE, &options), NegativeSource::Sampled);
    let few = ExampleOptions { most: 20, negatives: 2, ..options };
    let rows = pair_examples(&many, NegativeSource::Impressions, all(200 * MINUTE), &few);
    assert_eq!((rows.iter().filter(|r| r.label).count(), rows.len()), (20, 60));
}

#[test]
fn thinning_keeps_all_times_and_order() {
    assert_eq!(thin_evenly((0..10).collect(), 5), [0, 2, 4, 6, 8]);
    assert_eq!(thin_evenly((0..3).collect(), 5), [0, 1, 2]);
    assert_eq!(thin_evenly((0..10).collect::<Vec<i32>>(), 0), Vec::<i32>::new());
    assert_eq!(thin_evenly((0..1_000).collect::<Vec<i32>>(), 7).len(), 7);
}
