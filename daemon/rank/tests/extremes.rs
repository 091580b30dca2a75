//! Logs at the edge: each is fitted, ranked and replayed to an answer or to a refusal in words, and a training that is told to end
//! ends.
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use mercer_rank::{
    BlendWeights, Catalogue, DAY_MS, Event, For, ItemFacts, Kind, Log, Memory, MemoryOptions, MlpOptions, Mode,
    Progress, RankError, ReplayOptions, Replayed, Request, Scored, Snapshot, Trained, recommend, refit_weights,
    related, tie_key, train_ranker, train_ranker_watched, trending,
};

const NOW: i64 = 300 * DAY_MS;

fn catalogue(items: u32) -> Catalogue {
    Catalogue::new((0..items).map(|i| ItemFacts {
        price: Some(1.0 + (i % 90) as f32),
        category: Some(i % 50),
        brand: Some(i % 31),
        tie: tie_key(&[3; 32], &i.to_string()),
        ..ItemFacts::default()
    }))
}

fn buy(item: u32, at: i64) -> Event {
    Event { item: Some(item), text: None, kind: Kind::Purchase, value: 1.0, at }
}

/// Shoppers that come every other week and take three items of `items`, repeating half of them.
fn log(users: u32, items: u32) -> Log {
    let mut log = Log::new();
    for user in 0..users {
        for visit in 0..20u32 {
            let at = (i64::from(visit) * 14 + i64::from(user % 14)) * DAY_MS + i64::from(user);
            for n in 0..3u32 {
                let item = if n == 0 { user * 7 } else { user * 7 + visit * 13 + n * 101 };
                log.push(user, buy(item % items, at));
            }
        }
    }
    log
}

fn fit(log: &Log, catalogue: &Catalogue, at: i64) -> Snapshot {
    let memory = Memory::fit(log, catalogue, at, &MemoryOptions::default());
    Snapshot { log: log.clone(), catalogue: catalogue.clone(), memory: Arc::new(memory) }
}

/// Every kind of list for a shopper, each sorted, finite, and without an item twice.
fn sound(s: &Snapshot, user: u32) -> Vec<Vec<Scored>> {
    let weights = BlendWeights::for_memory(&s.memory);
    let mut lists = Vec::new();
    for mode in [Mode::All, Mode::New] {
        let r = Request { mode, ..Request::new(20, &weights) };
        lists.push(recommend(s, For::User(user), NOW, &r).unwrap());
        lists.push(recommend(s, For::Session(&[]), NOW, &r).unwrap());
    }
    lists.push(related(s, 0, NOW, &Request::new(20, &weights)).unwrap());
    lists.push(trending(s, NOW, &Request::new(20, &weights)).unwrap());
    for list in &lists {
        assert!(list.iter().all(|x| x.score.is_finite() && x.parts.iter().all(|p| p.1.is_finite())), "{list:?}");
        assert!(list.windows(2).all(|pair| pair[0].score >= pair[1].score), "{list:?}");
        let mut items: Vec<u32> = list.iter().map(|x| x.item).collect();
        items.sort_unstable();
        items.dedup();
        assert_eq!(items.len(), list.len());
    }
    lists
}

fn refused(log: &Log, catalogue: &Catalogue) -> &'static str {
    match train_ranker(log, catalogue, NOW, &ReplayOptions::default()) {
        Err(RankError::TooLittle(why)) => why,
        other => panic!("{:?}", other.map(|(_, report)| report)),
    }
}

#[test]
fn one_shopper_and_one_item() {
    for (users, items) in [(1, 40), (40, 1), (1, 1)] {
        let (log, catalogue) = (log(users, items), catalogue(items));
        let s = fit(&log, &catalogue, NOW);
        let lists = sound(&s, 0);
        assert_eq!(lists[0].len(), items.min(20) as usize, "{users} shoppers, {items} items");
        if users == 1 {
            assert!(refused(&log, &catalogue).contains("50 shoppers"));
        }
        let (weights, got) = refit_weights(&log, &catalogue, &[NOW - 60 * DAY_MS], &MemoryOptions::default());
        assert!(got.iter().all(|x| x.is_finite()) && weights.any.iter().all(|x| x.1.is_finite()));
    }
    // Forty shoppers of one item come back in every window, always for the same: there is an order, but nobody has unseen items.
    assert!(refused(&log(40, 1), &catalogue(1)).contains("50 shoppers"));
    // Nobody at all.
    assert_eq!(sound(&fit(&Log::new(), &catalogue(3), NOW), 5)[0].len(), 3);
}

#[test]
fn all_purchases_on_one_day() {
    let mut log = Log::new();
    for user in 0..80 {
        for n in 0..5 {
            log.push(user, buy((user * 3 + n * 11) % 60, NOW - 200 * DAY_MS));
        }
    }
    let catalogue = catalogue(60);
    let s = fit(&log, &catalogue, NOW);
    assert_eq!(log.shape(NOW).span_days(), 0.0);
    assert_eq!(sound(&s, 0)[1].len(), 20);
    assert!(refused(&log, &catalogue).contains("50 shoppers"));
    // Views on other days make the log long, but there is still only one day that could be learned from.
    for user in 0..80 {
        log.push(user, Event { kind: Kind::View, ..buy(user % 60, NOW - 290 * DAY_MS) });
        log.push(user, Event { kind: Kind::View, ..buy(user % 60, NOW - DAY_MS) });
    }
    sound(&fit(&log, &catalogue, NOW), 0);
    assert!(refused(&log, &catalogue).contains("50 shoppers"));
}

#[test]
fn a_shopper_with_fifty_thousand_events() {
    let mut log = log(90, 500);
    let heavy: Vec<Event> =
        (0..50_000u32).map(|n| buy(n * 17 % 500, i64::from(n) * 500_000 % NOW / 1000 * 1000)).collect();
    log.set_user(0, heavy);
    let catalogue = catalogue(500);
    let s = fit(&log, &catalogue, NOW);
    let lists = sound(&s, 0);
    assert_eq!(lists[0].len(), 20);
    assert!(lists[2].is_empty(), "nothing is new to somebody who has bought everything");
    let o = ReplayOptions { cutoffs: 2, lists: 160, ..ReplayOptions::default() };
    let (ranker, _) = train_ranker(&log, &catalogue, NOW, &o).unwrap();
    let weights = BlendWeights::default();
    let list = ranker.recommend(&s, For::User(0), NOW, &Request::new(20, &weights)).unwrap();
    assert!(list.len() == 20 && list.iter().all(|x| x.score.is_finite()));
}

#[test]
fn a_catalogue_of_two_hundred_thousand_items() {
    let (log, catalogue) = (log(70, 200_000), catalogue(200_000));
    let s = fit(&log, &catalogue, NOW);
    assert_eq!(sound(&s, 3)[0].len(), 20);
    let o = ReplayOptions { cutoffs: 2, lists: 120, ..ReplayOptions::default() };
    let (ranker, report) = train_ranker(&log, &catalogue, NOW, &o).unwrap();
    let [any, unseen, _] = report.lists;
    assert!(any >= 50 && unseen >= 50, "{report:?}");
    let weights = BlendWeights::default();
    let list = ranker.recommend(&s, For::User(3), NOW, &Request::new(20, &weights)).unwrap();
    assert!(list.len() == 20 && list.iter().all(|x| x.score.is_finite()));
}

#[test]
fn a_training_that_is_told_to_end_ends_wherever_it_is() {
    let (log, catalogue) = (log(90, 300), catalogue(300));
    let mlp = MlpOptions { epochs: 1, ..MlpOptions::default() };
    let o = ReplayOptions { cutoffs: 2, lists: 140, mlp, ..ReplayOptions::default() };
    let calls = AtomicUsize::new(0);
    let furthest = AtomicUsize::new(0);
    let count = |p: Progress| {
        calls.fetch_add(1, Ordering::Relaxed);
        furthest.fetch_max(p.done, Ordering::Relaxed);
        assert!(p.done < p.total, "{p:?}");
        ControlFlow::Continue(())
    };
    let Trained { ranker, report, .. } =
        train_ranker_watched((&log, &catalogue), NOW, &o, None, &mut Replayed::default(), (&count, &|| 0.0)).unwrap();
    assert_eq!(train_ranker(&log, &catalogue, NOW, &o).unwrap().0, ranker, "watching changes nothing");
    let all = calls.into_inner();
    // Every list and every step of every network asks.
    assert!(all > report.lists.iter().sum::<usize>(), "{all}");
    assert!(furthest.into_inner() > report.cutoffs.len(), "networks count as steps");
    for stop in [0, 1, all / 10, all / 2, all - 1] {
        let calls = AtomicUsize::new(0);
        let hook = |_: Progress| match calls.fetch_add(1, Ordering::Relaxed) < stop {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        };
        let ended = train_ranker_watched((&log, &catalogue), NOW, &o, None, &mut Replayed::default(), (&hook, &|| 0.0));
        assert_eq!(ended.map(|_| ()), Err(RankError::Stopped), "at call {stop}");
    }
}
