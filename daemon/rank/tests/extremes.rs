//! Logs at the edge: each is fitted, ranked and replayed to an answer or to a refusal in words, and a training that is told to end
//! ends.
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use mercer_rank::{
    BlendWeights, Catalogue, CollaborativeIndex, CutoffLists, DAY_MS, Dataset, Event, IndexOptions, InteractionType,
    ItemFacts, Log, MlpOptions, Mode, RankError, RankRequest, RankedItem, RankerTrainOptions, RankerTraining,
    Recipient, Snapshot, TrainProgress, TrainedRanker, fit_blend_weights, recommend, related, stable_key, train_ranker,
    trending,
};

const NOW: i64 = 300 * DAY_MS;

fn catalogue(items: u32) -> Catalogue {
    Catalogue::new((0..items).map(|i| ItemFacts {
        price: Some(1.0 + (i % 90) as f32),
        category: Some(i % 50),
        brand: Some(i % 31),
        key: stable_key(&i.to_string()),
        ..ItemFacts::default()
    }))
}

fn buy(item: u32, at: i64) -> Event {
    Event { item: Some(item), text: None, kind: InteractionType::Purchase, value: 1.0, at }
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
    let index = CollaborativeIndex::fit(Dataset { log, catalogue }, at, &IndexOptions::default());
    Snapshot { log: log.clone(), catalogue: catalogue.clone(), index: Arc::new(index) }
}

/// Every kind of list for a shopper, each sorted, finite, and without an item twice.
fn sound(s: &Snapshot, user: u32) -> Vec<Vec<RankedItem>> {
    let weights = BlendWeights::for_index(&s.index);
    let mut lists = Vec::new();
    for mode in [Mode::All, Mode::Novel] {
        let r = RankRequest { mode, ..RankRequest::new(20) };
        lists.push(recommend(s, &weights, Recipient::User(user), NOW, &r).unwrap());
        lists.push(recommend(s, &weights, Recipient::Session(&[]), NOW, &r).unwrap());
    }
    lists.push(related(s, 0, NOW, &RankRequest::new(20)).unwrap());
    lists.push(trending(s, NOW, &RankRequest::new(20)).unwrap());
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
    match train_ranker(Dataset { log, catalogue }, NOW, &RankerTrainOptions::default()) {
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
        let (weights, got) = fit_blend_weights(
            Dataset { log: &log, catalogue: &catalogue },
            &[NOW - 60 * DAY_MS],
            &IndexOptions::default(),
        );
        assert!(got.iter().all(|(_, x)| x.is_finite()) && weights.all.iter().all(|x| x.1.is_finite()));
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
    assert_eq!(log.summary(NOW).span_days(), 0.0);
    assert_eq!(sound(&s, 0)[1].len(), 20);
    assert!(refused(&log, &catalogue).contains("50 shoppers"));
    // Views on other days make the log long, but there is still only one day that could be learned from.
    for user in 0..80 {
        log.push(user, Event { kind: InteractionType::View, ..buy(user % 60, NOW - 290 * DAY_MS) });
        log.push(user, Event { kind: InteractionType::View, ..buy(user % 60, NOW - DAY_MS) });
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
    let o = RankerTrainOptions { cutoffs: 2, lists: 160, ..RankerTrainOptions::default() };
    let (ranker, _) = train_ranker(Dataset { log: &log, catalogue: &catalogue }, NOW, &o).unwrap();
    let list = ranker.recommend(&s, Recipient::User(0), NOW, &RankRequest::new(20)).unwrap();
    assert!(list.len() == 20 && list.iter().all(|x| x.score.is_finite()));
    // What fills a long list lies below the candidates and close to them, so that scores can be scaled over the whole list.
    let list = ranker.recommend(&s, Recipient::User(1), NOW, &RankRequest::new(400)).unwrap();
    let (scored, filled): (Vec<&RankedItem>, Vec<&RankedItem>) = list.iter().partition(|x| x.log_softmax.is_some());
    let (lowest, last) = (scored.last().unwrap().score, filled.last().unwrap().score);
    assert!(filled[0].score < lowest && last > lowest - 2.5, "{lowest} {last}");
    assert!(filled.windows(2).all(|pair| pair[0].score > pair[1].score));
}

#[test]
fn a_catalogue_of_two_hundred_thousand_items() {
    let (log, catalogue) = (log(70, 200_000), catalogue(200_000));
    let s = fit(&log, &catalogue, NOW);
    assert_eq!(sound(&s, 3)[0].len(), 20);
    let o = RankerTrainOptions { cutoffs: 2, lists: 120, ..RankerTrainOptions::default() };
    let (ranker, report) = train_ranker(Dataset { log: &log, catalogue: &catalogue }, NOW, &o).unwrap();
    let [any, unseen, _] = report.lists;
    assert!(any >= 50 && unseen >= 50, "{report:?}");
    let list = ranker.recommend(&s, Recipient::User(3), NOW, &RankRequest::new(20)).unwrap();
    assert!(list.len() == 20 && list.iter().all(|x| x.score.is_finite()));
}

#[test]
fn a_training_that_is_told_to_end_ends_wherever_it_is() {
    let (log, catalogue) = (log(90, 300), catalogue(300));
    let data = Dataset { log: &log, catalogue: &catalogue };
    let mlp = MlpOptions { epochs: 1, ..MlpOptions::default() };
    let o = RankerTrainOptions { cutoffs: 2, lists: 140, mlp, ..RankerTrainOptions::default() };
    let calls = AtomicUsize::new(0);
    let furthest = AtomicUsize::new(0);
    let count = |p: TrainProgress| {
        calls.fetch_add(1, Ordering::Relaxed);
        furthest.fetch_max(p.done, Ordering::Relaxed);
        assert!(p.done < p.total, "{p:?}");
        ControlFlow::Continue(())
    };
    let TrainedRanker { ranker, report, .. } =
        RankerTraining { hook: &count, ..RankerTraining::new(data, NOW, &o) }.run(&mut CutoffLists::default()).unwrap();
    assert_eq!(train_ranker(data, NOW, &o).unwrap().0, ranker, "a hook changes nothing");
    let all = calls.into_inner();
    // Every list and every step of every network asks.
    assert!(all > report.lists.iter().sum::<usize>(), "{all}");
    assert!(furthest.into_inner() > report.cutoffs.len(), "networks count as steps");
    for stop in [0, 1, all / 10, all / 2, all - 1] {
        let calls = AtomicUsize::new(0);
        let hook = |_: TrainProgress| match calls.fetch_add(1, Ordering::Relaxed) < stop {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        };
        let ended =
            RankerTraining { hook: &hook, ..RankerTraining::new(data, NOW, &o) }.run(&mut CutoffLists::default());
        assert_eq!(ended.map(|_| ()), Err(RankError::Stopped), "at call {stop}");
    }
}
