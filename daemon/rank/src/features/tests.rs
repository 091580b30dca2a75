//! Training at a cut-off, serving, a fitted index and an updated one give a feature the same value.
use std::collections::BTreeSet;
use std::sync::Arc;

use super::{FEATURES, Freshness, WIDTH, features};
use crate::batch::for_each_user;
use crate::catalogue::{Catalogue, ItemFacts};
use crate::collaborative_index::{CollaborativeIndex, IndexOptions};
use crate::dataset::Dataset;
use crate::log::{DAY_MS, Event, Log};
use crate::sequence::SequenceScorer;
use crate::signal::{SIGNALS, Signal};
use crate::snapshot::{Recipient, Snapshot};
use crate::source::SOURCES;
use crate::source_scores::SourceScores;
use crate::vectors::Vectors;
use mercer_shared::interaction::InteractionType;

const ITEMS: u32 = 90;
const USERS: u32 = 150;

/// Scores an item by its distance from the last one, so that the score depends on the history only.
#[derive(Debug)]
struct Nearby;

impl SequenceScorer for Nearby {
    fn score(&self, histories: &[&[Event]], _: Option<&Vectors>, at: i64, items: usize) -> Vec<Vec<f32>> {
        let row = |events: &&[Event]| {
            assert!(events.iter().all(|e| e.at <= at), "the future was shown");
            let last = events.last().and_then(|e| e.item).unwrap_or(0);
            (0..items as u32).map(|i| 1.0 / (1.0 + i.abs_diff(last) as f32)).collect()
        };
        histories.iter().map(row).collect()
    }
}

fn catalogue() -> Catalogue {
    let mut out = Catalogue::new((0..ITEMS).map(|i| ItemFacts {
        price: (i % 7 != 0).then_some(1.0 + i as f32),
        category: (i % 5 != 0).then_some(i % 4),
        brand: (i % 3 != 0).then_some(i % 11),
        key: u64::from(i).wrapping_mul(0x9e37_79b9_7f4a_7c15),
        ..ItemFacts::default()
    }));
    let flat: Vec<f32> = (0..ITEMS * 8).map(|k| ((k * 7919 + 13) % 101) as f32 / 50.0 - 1.0).collect();
    out.set_vectors(Some(Vectors::from_flat(&flat, 8).unwrap()));
    out
}

/// Views and purchases of three hundred days; what is bought depends on the user, so that every source has scores.
fn log() -> Log {
    let mut log = Log::new();
    for user in 0..USERS {
        for visit in 0..(3 + user % 14) {
            let at = i64::from((user * 37 + visit * 23) % 300) * DAY_MS + i64::from(user % 20) * 3_600_000;
            for k in 0..(1 + (user + visit) % 5) {
                let item = Some((user % 9 * 10 + visit % 3 * 4 + k * k) % ITEMS);
                let kind = if (user + k) % 6 == 0 { InteractionType::View } else { InteractionType::Purchase };
                log.push(user, Event { item, text: None, kind, value: 1.0 + (k % 3) as f32, at });
            }
        }
    }
    log
}

fn snapshot(log: Log, index: CollaborativeIndex) -> Snapshot {
    Snapshot { log, catalogue: catalogue(), index: Arc::new(index.with_sequence(Some(Arc::new(Nearby)))) }
}

/// Features of all items for each user, one user at a time, as in serving.
fn served(s: &Snapshot, at: i64) -> Vec<Vec<f32>> {
    let items: Vec<u32> = (0..ITEMS).collect();
    let one = |user| {
        let state = s.user_state(Recipient::User(user), at);
        let mut scores = SourceScores::new(s, &state, Recipient::User(user));
        features(s, &state, &mut scores, &items)
    };
    (0..USERS).map(one).collect()
}

fn same(a: f32, b: f32) -> bool {
    a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan())
}

#[test]
fn an_ablation_takes_a_group_of_signals_from_sources_and_features() {
    let (at, whole) = (200 * DAY_MS + 7, log());
    let fitted =
        CollaborativeIndex::fit(Dataset { log: &whole, catalogue: &catalogue() }, at, &IndexOptions::default());
    let all = served(&snapshot(whole.clone(), fitted.clone()), at);
    for signal in SIGNALS.into_iter().filter(|signal| *signal != Signal::User) {
        let s = snapshot(whole.clone(), fitted.clone().without(signal));
        let without = served(&s, at);
        for (k, (&x, &y)) in all.iter().flatten().zip(without.iter().flatten()).enumerate() {
            let feature = &FEATURES[k % WIDTH];
            assert!(feature.signal != signal || y.is_nan(), "{} still speaks without {signal:?}", feature.name);
            assert!(feature.signal == signal || feature.signal != Signal::User || same(x, y), "{}", feature.name);
        }
        let state = s.user_state(Recipient::User(0), at);
        let mut scores = SourceScores::new(&s, &state, Recipient::User(0));
        for source in SOURCES.into_iter().filter(|source| source.signal() == signal) {
            assert!(scores.get(source).iter().all(|score| *score == 0.0), "{source:?} still scores");
        }
    }
}

#[test]
fn names_are_unique() {
    assert_eq!(FEATURES.iter().map(|f| f.name).collect::<BTreeSet<_>>().len(), WIDTH);
}

#[test]
fn training_at_a_past_moment_and_serving_then_give_the_same_numbers() {
    let at = 200 * DAY_MS + 7;
    // Training has the whole log and a cut-off; serving at that time had nothing later.
    let (whole, items): (Log, Vec<u32>) = (log(), (0..ITEMS).collect());
    let mut then = Log::new();
    (0..USERS).for_each(|u| then.set_user(u, whole.until(u, at).to_vec()));
    let fit =
        |log: &Log| CollaborativeIndex::fit(Dataset { log, catalogue: &catalogue() }, at, &IndexOptions::default());
    let (training, serving) = (snapshot(whole.clone(), fit(&whole)), snapshot(then.clone(), fit(&then)));
    let users: Vec<u32> = (0..USERS).collect();
    let trained = for_each_user(&training, &users, at, |_, user, scores| features(&training, user, scores, &items));
    let served = served(&serving, at);
    let mut speaking = [false; WIDTH];
    for (user, (a, b)) in trained.iter().zip(&served).enumerate() {
        for (k, (&x, &y)) in a.iter().zip(b).enumerate() {
            let name = FEATURES[k % WIDTH].name;
            assert!(same(x, y), "{name} of item {} for user {user}: {x} and {y}", k / WIDTH);
            speaking[k % WIDTH] |= !same(x, a[k % WIDTH]) || user > 0 && !same(x, trained[0][k]);
        }
    }
    for (f, spoke) in FEATURES.iter().zip(speaking) {
        assert!(spoke, "{} never says anything, so the test does not test it", f.name);
    }
}

#[test]
fn following_event_by_event_gives_what_a_fit_gives_except_where_the_table_says_so() {
    let (from, to) = (200 * DAY_MS + 7, 260 * DAY_MS);
    let whole = log();
    let mut growing = Log::new();
    (0..USERS).for_each(|u| growing.set_user(u, whole.until(u, from).to_vec()));
    let mut index =
        CollaborativeIndex::fit(Dataset { log: &growing, catalogue: &catalogue() }, from, &IndexOptions::default());
    let mut later: Vec<(u32, Event)> =
        (0..USERS).flat_map(|u| whole.between(u, from, to).iter().map(move |e| (u, *e))).collect();
    later.sort_by_key(|(u, e)| (e.at, *u));
    for (user, event) in &later {
        growing.push(*user, *event);
        index.observe(&growing, *user, event);
    }
    let stayed = index.refresh(Dataset { log: &growing, catalogue: &catalogue() }, to);
    let index = stayed.follow(
        Dataset { log: &growing, catalogue: &catalogue() },
        &later.iter().map(|(user, _)| *user).collect::<Vec<_>>(),
    );
    let fitted =
        CollaborativeIndex::fit(Dataset { log: &growing, catalogue: &catalogue() }, to, &IndexOptions::default());
    let [stayed, followed, fitted] = [stayed, index, fitted].map(|index| served(&snapshot(growing.clone(), index), to));
    let differing = |one: &[Vec<f32>], other: &[Vec<f32>]| {
        let mut differs = [false; WIDTH];
        for (a, b) in one.iter().zip(other) {
            for (k, (&x, &y)) in a.iter().zip(b).enumerate() {
                differs[k % WIDTH] |= !same(x, y);
            }
        }
        differs
    };
    let (from_fit, by_following) = (differing(&followed, &fitted), differing(&followed, &stayed));
    for ((f, from_fit), by_following) in FEATURES.iter().zip(from_fit).zip(by_following) {
        match f.freshness {
            Freshness::PerRequest | Freshness::PerEvent => assert!(!from_fit, "{} was not kept up to date", f.name),
            // The test of the co-occurrence checks the values.
            Freshness::PerFollow => assert!(by_following, "{} did not follow the log", f.name),
            Freshness::PerFit => assert!(!by_following, "{} follows the log", f.name),
        }
    }
}
