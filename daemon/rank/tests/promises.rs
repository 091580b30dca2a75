//! What the ranking arithmetic promises: nothing from the future, exact erasure, immediate reaction, full lists, stable ties.
use std::sync::Arc;

use mercer_rank::evaluate::ground_truth;
use mercer_rank::{
    Ablation, BlendWeights, Candidates, Catalogue, CollaborativeIndex, DAY_MS, Dataset, Event, IndexOptions,
    InteractionType, ItemFacts, Log, Mode, RankError, RankRequest, RankedItem, RankerTrainOptions, Recipient,
    ScoringPolicy, Snapshot, Vectors, recommend, related, stable_key, train_ranker, trending,
};

const ITEMS: u32 = 60;
const NOW: i64 = 400 * DAY_MS;

fn catalogue() -> Catalogue {
    Catalogue::new((0..ITEMS).map(|i| ItemFacts {
        price: Some(1.0 + i as f32),
        category: Some(i / 10),
        brand: Some(i % 7),
        key: stable_key(&i.to_string()),
        ..ItemFacts::default()
    }))
}

fn buy(item: u32, at: i64) -> Event {
    Event { item: Some(item), text: None, kind: InteractionType::Purchase, value: 1.0, at }
}

/// Shoppers prefer one category of ten items each and come every 9 to 20 days; the last five items are never bought.
fn log(users: u32) -> Log {
    let mut log = Log::new();
    let mut x = 12345u64;
    let mut next = |n: u64| {
        x = x.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (x >> 33) % n
    };
    for u in 0..users {
        let mut at = next(40) as i64 * DAY_MS;
        while at < NOW {
            for _ in 0..3 {
                let item = if next(4) == 0 { next(55) } else { u64::from(u % 5) * 10 + next(10) };
                log.push(u, buy(item as u32, at + next(3600) as i64 * 1000));
            }
            at += (9 + next(12)) as i64 * DAY_MS;
        }
    }
    log
}

fn snapshot(log: &Log, at: i64) -> Snapshot {
    let index = CollaborativeIndex::fit(
        Dataset { log, catalogue: &catalogue() },
        at,
        &IndexOptions { ease: Some(Default::default()), ..IndexOptions::default() },
    );
    Snapshot { log: log.clone(), catalogue: catalogue(), index: Arc::new(index) }
}

/// All sources at once, so that a leak in any of them shows.
fn everything() -> BlendWeights {
    let all: Vec<_> = mercer_rank::SOURCES.into_iter().map(|s| (s, 1.0)).collect();
    BlendWeights { all: all.clone(), novel: all }
}

fn all_lists(s: &Snapshot, users: u32, at: i64) -> Vec<Vec<RankedItem>> {
    let w = everything();
    let mut out = Vec::new();
    for mode in [Mode::All, Mode::Novel] {
        for u in 0..users {
            out.push(recommend(s, &w, Recipient::User(u), at, &RankRequest { mode, ..RankRequest::new(20) }).unwrap());
        }
    }
    out
}

#[test]
fn what_comes_after_the_moment_changes_nothing() {
    let full = log(40);
    let at = 250 * DAY_MS + 5;
    let mut cut = Log::new();
    for u in 0..40 {
        cut.set_user(u, full.until(u, at).to_vec());
    }
    assert!(cut.len() < full.len());
    assert_eq!(all_lists(&snapshot(&full, at), 40, at), all_lists(&snapshot(&cut, at), 40, at));
    let late = recommend(&snapshot(&full, NOW), &everything(), Recipient::User(0), at, &RankRequest::new(5));
    assert_eq!(late, Err(RankError::FromTheFuture { fitted: NOW, asked: at }));
}

#[test]
fn an_erased_shopper_might_never_have_come() {
    let mut erased = log(40);
    let mut never = Log::new();
    for u in 0..40 {
        if u != 11 {
            never.set_user(u, erased.events(u).to_vec());
        }
    }
    let before = all_lists(&snapshot(&erased, NOW), 40, NOW);
    erased.erase(11);
    let after = all_lists(&snapshot(&erased, NOW), 40, NOW);
    assert_ne!(before, after);
    assert_eq!(after, all_lists(&snapshot(&never, NOW), 40, NOW));
    assert_eq!(erased.len(), never.len());
}

#[test]
fn a_snapshot_stays_as_it_was_and_a_purchase_shows_at_once() {
    let mut log = log(40);
    let s = snapshot(&log, NOW);
    let n = s.log.len();
    let event = Event { kind: InteractionType::Cart, ..buy(57, NOW + 1000) };
    let w = BlendWeights::default();
    let new = RankRequest { mode: Mode::Novel, ..RankRequest::new(3) };
    let list = |s: &Snapshot| recommend(s, &w, Recipient::User(3), NOW + 2000, &new).unwrap();
    assert!(list(&s).iter().all(|x| x.item != 57));
    log.push(3, event);
    assert_eq!(s.log.len(), n);
    let next = Snapshot { log: log.clone(), ..s.clone() };
    assert!(list(&next).iter().any(|x| x.item == 57), "{:?}", list(&next));
    // A first purchase warms the item and hides it in mode `novel`.
    let event = buy(58, NOW + 1500);
    log.push(3, event);
    let mut index = (*s.index).clone();
    assert!(!index.is_warm(58));
    index.observe(&log, 3, &event);
    assert!(index.is_warm(58));
    let last = Snapshot { log: log.clone(), index: Arc::new(index), ..s.clone() };
    let r = RankRequest { mode: Mode::Novel, ..RankRequest::new(60) };
    assert!(recommend(&last, &w, Recipient::User(3), NOW + 2000, &r).unwrap().iter().all(|x| x.item != 58));
}

#[test]
fn counting_event_by_event_agrees_with_counting_afresh() {
    let mut log = log(40);
    // At noon, so that no day leaves a window between the two countings.
    let noon = NOW + DAY_MS / 2;
    let mut index =
        CollaborativeIndex::fit(Dataset { log: &log, catalogue: &catalogue() }, noon, &IndexOptions::light());
    for (u, i, at) in [(3, 58, 10), (3, 58, 20), (4, 58, 30), (7, 1, 40)] {
        let e = buy(i, noon + at * 1000);
        log.push(u, e);
        index.observe(&log, u, &e);
    }
    let fresh = index.refresh(Dataset { log: &log, catalogue: &catalogue() }, noon + 40_000);
    for i in 0..ITEMS {
        let (a, b) = (index.stats(i).unwrap(), fresh.stats(i).unwrap());
        assert_eq!((a.count, a.windows[0], a.first), (b.count, b.windows[0], b.first), "item {i}");
    }
}

#[test]
fn lists_are_full_filtered_and_without_repeats_of_an_item() {
    let s = snapshot(&log(40), NOW);
    let w = BlendWeights::default();
    let even = |i: u32| i.is_multiple_of(2);
    for user in [0, 5, 9999] {
        let r = RankRequest { allow: Some(&even), exclude: &[0, 2], ..RankRequest::new(100) };
        let list = recommend(&s, &w, Recipient::User(user), NOW, &r).unwrap();
        assert_eq!(list.len(), 28);
        let mut items: Vec<u32> = list.iter().map(|x| x.item).collect();
        items.sort_unstable();
        items.dedup();
        assert_eq!(items.len(), 28);
        assert!(items.iter().all(|&i| i % 2 == 0 && i > 2));
        assert!(list.windows(2).all(|p| p[0].score >= p[1].score));
    }
    let cold = RankRequest { candidates: Candidates::Cold, ..RankRequest::new(100) };
    let cold: Vec<u32> = recommend(&s, &w, Recipient::User(0), NOW, &cold).unwrap().iter().map(|x| x.item).collect();
    assert_eq!(cold.len(), 5);
    assert!(cold.iter().all(|&i| i >= 55));
    // Without any signal the order is that of the tie-break key, not of the numbers.
    let keys: Vec<u64> = recommend(
        &s,
        &w,
        Recipient::User(9999),
        NOW,
        &RankRequest { candidates: Candidates::Cold, ..RankRequest::new(9) },
    )
    .unwrap()
    .iter()
    .map(|x| stable_key(&x.item.to_string()))
    .collect();
    assert!(keys.is_sorted());
}

#[test]
fn order_within_a_day_means_nothing_where_the_log_has_days() {
    let mut a = Log::new();
    let mut b = Log::new();
    let base = log(40);
    for u in 0..40 {
        let mut days: Vec<Event> = base.events(u).iter().map(|e| Event { at: e.at / DAY_MS * DAY_MS, ..*e }).collect();
        a.set_user(u, days.clone());
        days.reverse();
        b.set_user(u, days);
    }
    assert!(a.summary(NOW).day_resolution && !base.summary(NOW).day_resolution);
    assert_eq!(all_lists(&snapshot(&a, NOW), 40, NOW), all_lists(&snapshot(&b, NOW), 40, NOW));
}

#[test]
fn sessions_related_and_trending_follow_the_category() {
    let mut log = log(40);
    for u in 0..20 {
        log.push(u, buy(54, NOW - DAY_MS));
    }
    let mut s = snapshot(&log, NOW);
    let w = BlendWeights::default();
    let seen = [
        Event { kind: InteractionType::View, ..buy(22, NOW - 5000) },
        Event { kind: InteractionType::View, ..buy(25, NOW - 1000) },
    ];
    let list =
        recommend(&s, &w, Recipient::Session(&seen), NOW, &RankRequest { mode: Mode::Novel, ..RankRequest::new(10) })
            .unwrap();
    assert!(list.iter().filter(|x| x.item / 10 == 2).count() >= 5, "{list:?}");
    let near = related(&s, 33, NOW, &RankRequest::new(8)).unwrap();
    assert!(near.iter().filter(|x| x.item / 10 == 3).count() >= 6 && near.iter().all(|x| x.item != 33), "{near:?}");
    assert_eq!(trending(&s, NOW, &RankRequest::new(3)).unwrap()[0].item, 54);
    // Cold items come by their vectors: 57 lies with item 33.
    let mut v = Vectors::new(2);
    for i in 0..ITEMS {
        let like = i / 10 == 3 || i == 57;
        v.set(i, if like { [1.0, 0.0] } else { [0.0, 1.0] }.into()).unwrap();
    }
    s.catalogue.set_vectors(Some(v));
    let cold = RankRequest { candidates: Candidates::Cold, ..RankRequest::new(5) };
    assert_eq!(related(&s, 33, NOW, &cold).unwrap()[0].item, 57);
}

#[test]
fn the_ranker_is_repeatable_and_finds_planted_repeats() {
    let log = log(300);
    let until = NOW - 30 * DAY_MS;
    let catalogue = catalogue();
    let o = RankerTrainOptions { cutoffs: 6, ..RankerTrainOptions::default() };
    let (ranker, report) = train_ranker(Dataset { log: &log, catalogue: &catalogue }, until, &o).unwrap();
    assert!(report.cutoffs.iter().all(|c| c + report.window_days * DAY_MS <= until));
    let mut short = Log::new();
    for u in 0..300 {
        short.set_user(u, log.until(u, until).to_vec());
    }
    assert_eq!(
        train_ranker(Dataset { log: &short, catalogue: &catalogue }, until, &o).unwrap().0,
        ranker,
        "what comes later must not matter"
    );
    let text = serde_json::to_string(&ranker).unwrap();
    assert_eq!(serde_json::from_str::<mercer_rank::Ranker>(&text).unwrap(), ranker);
    let s = Snapshot {
        log: log.clone(),
        catalogue: catalogue.clone(),
        index: Arc::new(CollaborativeIndex::fit(Dataset { log: &log, catalogue: &catalogue }, until, &o.index)),
    };
    let w = BlendWeights::popularity();
    let t = ground_truth(&log, &s.index, NOW, Mode::All, Candidates::Warm);
    let mean = |f: &dyn Fn(u32) -> Vec<RankedItem>| {
        let score = |t: &mercer_rank::evaluate::GroundTruth| {
            let list: Vec<u32> = f(t.user).iter().map(|x| x.item).collect();
            mercer_rank::evaluate::ndcg(&list, &t.items, 10)
        };
        t.iter().map(score).sum::<f64>() / t.len() as f64
    };
    let popular = mean(&|u| recommend(&s, &w, Recipient::User(u), until, &RankRequest::new(10)).unwrap());
    let learned = mean(&|u| ranker.recommend(&s, Recipient::User(u), until, &RankRequest::new(10)).unwrap());
    assert!(learned > popular + 0.1, "{learned} against {popular}");
    let list = ranker
        .recommend(&s, Recipient::User(1), until, &RankRequest { mode: Mode::Novel, ..RankRequest::new(200) })
        .unwrap();
    assert!(list.windows(2).all(|p| p[0].score >= p[1].score));
    assert!(list.iter().all(|x| x.parts.is_empty()), "the score of a network is no sum of parts");
    // Leaving out a signal is another list of the same ranker.
    let ablation = Ablation { collaborative: true, popularity: true, ..Ablation::NONE };
    let r = RankRequest { mode: Mode::Novel, ablation, ..RankRequest::new(200) };
    let without = ranker.recommend(&s, Recipient::User(1), until, &r).unwrap();
    assert_ne!(list.iter().map(|x| x.item).collect::<Vec<_>>(), without.iter().map(|x| x.item).collect::<Vec<_>>());
    let empty = train_ranker(Dataset { log: &Log::new(), catalogue: &catalogue }, until, &o);
    assert!(matches!(empty, Err(RankError::TooLittle(_))));
}

#[test]
fn what_trends_needs_the_counts_alone() {
    let log = log(40);
    let at = 250 * DAY_MS + 5;
    let counts = CollaborativeIndex::fit(Dataset { log: &log, catalogue: &catalogue() }, at, &IndexOptions::counts());
    let full = snapshot(&log, at);
    let few = Snapshot { index: Arc::new(counts), ..full.clone() };
    let list = |s: &Snapshot| mercer_rank::trending(s, at, &RankRequest::new(20)).unwrap();
    assert_eq!(list(&few), list(&full));
    assert!(list(&few)[0].score > 0.0);
}

#[test]
fn bad_stars_are_no_interest_in_a_shop_of_reviews() {
    let mut log = Log::new();
    let review = |item, stars: f32, at| Event { kind: InteractionType::Review, value: stars, ..buy(item, at) };
    for user in 0..30u32 {
        for visit in 0..4 {
            log.push(user, review(user % 5, 5.0, (100 + i64::from(visit) * 10) * DAY_MS));
        }
        log.push(user, review(9, 1.0, 150 * DAY_MS));
        log.push(user, review(8, 2.0, 250 * DAY_MS));
        log.push(user, review(7, 4.0, 250 * DAY_MS));
    }
    let s = snapshot(&log, 200 * DAY_MS);
    assert_eq!(s.index.summary().target, InteractionType::Review);
    let state = s.user_state(Recipient::User(0), 200 * DAY_MS);
    assert!(state.purchases_of(0).is_some() && state.purchases_of(9).is_none());
    assert!(state.profile.iter().all(|&(item, _)| item != 9) && !s.index.is_warm(9));
    let truth = ground_truth(&log, &s.index, 300 * DAY_MS, Mode::All, Candidates::All);
    assert!(truth.len() == 30 && truth.iter().all(|t| t.items == [7]), "{truth:?}");
}

#[test]
fn the_parts_of_a_blend_are_its_score() {
    let s = snapshot(&log(40), NOW);
    let lists = all_lists(&s, 40, NOW);
    let ranked: Vec<&RankedItem> = lists.iter().flatten().collect();
    assert!(ranked.len() > 1000 && ranked.iter().any(|x| x.parts.len() > 5));
    for x in ranked {
        // The score is this sum, in this order.
        let sum = x.parts.iter().fold(0f32, |sum, part| sum + part.1);
        assert_eq!(sum.to_bits(), x.score.to_bits(), "{x:?}");
        // As it is sent: in double precision, added up in any order.
        let sent: f64 = x.parts.iter().rev().map(|part| f64::from(part.1)).sum();
        assert!((sent - f64::from(x.score)).abs() <= 1e-5 * f64::from(x.score).abs().max(1.0), "{x:?}");
    }
}

#[test]
fn a_list_with_other_events_is_that_of_a_log_with_these_events() {
    let full = log(40);
    let s = snapshot(&full, NOW);
    let left_out = full.events(7)[0].item;
    let events: Vec<Event> = full.events(7).iter().filter(|event| event.item != left_out).copied().collect();
    let mut erased = full.clone();
    erased.set_user(7, events.clone());
    let r = RankRequest::new(60);
    let with = recommend(&s, &everything(), Recipient::UserWith { user: 7, events: &events }, NOW, &r).unwrap();
    let replayed = Snapshot { log: erased, ..s.clone() };
    assert_eq!(with, recommend(&replayed, &everything(), Recipient::User(7), NOW, &r).unwrap());
    // As a session they would be their own nearest neighbour, who has the item that was left out.
    assert_ne!(with, recommend(&s, &everything(), Recipient::Session(&events), NOW, &r).unwrap());
    // Many at once are the same lists.
    let policy = ScoringPolicy::blend(&BlendWeights::default()).list(&s, Recipient::User(7), NOW, &r).unwrap();
    let weights = BlendWeights::default();
    let recipients = [Recipient::User(7), Recipient::UserWith { user: 7, events: &events }];
    let lists = ScoringPolicy::blend(&weights).lists_for(&s, &recipients, NOW, &r, &|| false).unwrap();
    assert_eq!(lists[0], policy);
    assert_ne!(lists[0], lists[1]);
}

#[test]
fn what_is_left_out_orders_nothing() {
    let s = snapshot(&log(40), NOW);
    let visitor = |ablation| {
        let r = RankRequest { ablation, ..RankRequest::new(60) };
        recommend(&s, &everything(), Recipient::Session(&[]), NOW, &r).unwrap()
    };
    let items = |list: &[RankedItem]| list.iter().map(|x| x.item).collect::<Vec<_>>();
    let plain = visitor(Ablation::NONE);
    // Only popularity speaks for the items of a stranger's list: without it the order is that of the keys.
    assert_eq!(items(&visitor(Ablation { collaborative: true, ..Ablation::NONE })), items(&plain));
    let without = visitor(Ablation { popularity: true, ..Ablation::NONE });
    let mut by_key = items(&without);
    by_key.sort_by_key(|item| stable_key(&item.to_string()));
    assert_eq!(items(&without), by_key);
    assert_ne!(items(&without), items(&plain));
    // Of a user's list the own purchases stay.
    let all = Ablation { collaborative: true, popularity: true, newness: true };
    let r = RankRequest { ablation: all, ..RankRequest::new(60) };
    let own = recommend(&s, &BlendWeights::default(), Recipient::User(3), NOW, &r).unwrap();
    let sources: Vec<&str> = own.iter().flat_map(|x| &x.parts).map(|part| part.0.name()).collect();
    assert!(
        sources.contains(&"own") && sources.iter().all(|name| ["own", "intent", "content", "category"].contains(name))
    );
}
