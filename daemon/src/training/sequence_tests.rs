//! A model that serves says what it was trained to say: in the numbers of another log, through its files and beside new items.
use std::collections::BTreeSet;
use std::sync::Arc;

use mercer_learn::sequence::SequenceModel;
use mercer_rank::{Catalogue, DAY_MS, Event, InteractionType, ItemFacts, Log, SequenceScorer, Vectors};
use mercer_shared::ids::ItemId;

use crate::state::sequence::artifact::SequenceArtifact;
use crate::state::sequence::{TrainedSequenceModel, items, options};
use crate::training::sequence_stages::{SequenceData, SequenceStages};

const ITEMS: u32 = 12;
const USERS: u32 = 24;

fn purchase(item: u32, day: i64) -> Event {
    Event { item: Some(item), text: None, kind: InteractionType::Purchase, value: 1.0, at: day * DAY_MS }
}

/// Users who walk through the catalogue, each from an item of their own, for so many days; item numbers go through `number`.
fn log(days: i64, number: impl Fn(u32) -> u32) -> Log {
    let mut log = Log::new();
    for user in 0..USERS {
        for day in (0..days).step_by(4) {
            log.push(user, purchase(number((user + day as u32 / 4) % ITEMS), day));
        }
    }
    log
}

fn catalogue(n: u32, number: impl Fn(u32) -> u32) -> Catalogue {
    let mut rows: Vec<(u32, Arc<[f32]>)> = (0..n)
        .map(|item| {
            let row: Vec<f32> = (0..4).map(|d| ((item * 7 + d * 3) % 11) as f32 / 11.0).collect();
            (number(item), row.into())
        })
        .collect();
    rows.sort_by_key(|row| row.0);
    let mut catalogue = Catalogue::new((0..n).map(|item| ItemFacts { key: u64::from(item), ..ItemFacts::default() }));
    catalogue.set_vectors(Some(Vectors::from_rows(4, rows).unwrap()));
    catalogue
}

fn ids(n: u32, number: impl Fn(u32) -> u32) -> Vec<ItemId> {
    let mut named: Vec<(u32, ItemId)> =
        (0..n).map(|item| (number(item), ItemId::new(format!("i{item:03}")).unwrap())).collect();
    named.sort_by_key(|entry| entry.0);
    named.into_iter().map(|entry| entry.1).collect()
}

fn trained(cuts: &[i64]) -> SequenceStages {
    let (log, catalogue) = (log(120, |item| item), catalogue(ITEMS, |item| item));
    let items = items(&catalogue, catalogue.vectors()).unwrap();
    let cuts: BTreeSet<i64> = cuts.iter().map(|day| day * DAY_MS).collect();
    let mut stages = SequenceStages::default();
    let options = options(&log, 120 * DAY_MS, 3);
    assert!(
        stages
            .train(SequenceData { log: &log, texts: None, items: &items }, options, &cuts, &mut (), &mut |_| ())
            .unwrap()
    );
    stages
}

/// The shop numbers its items the other way round.
const fn turned(item: u32) -> u32 {
    ITEMS - 1 - item
}

fn score(model: &dyn SequenceScorer, log: &Log, user: u32, day: i64, items: u32) -> Vec<f32> {
    model.score(&[log.until(user, day * DAY_MS)], None, day * DAY_MS, items as usize).pop().unwrap()
}

#[test]
fn stages_that_are_there_are_gone_on_from_and_earlier_ones_made_anew() {
    let bytes = |stages: &SequenceStages, day: i64| stages.get(day * DAY_MS).unwrap().model().to_bytes().unwrap();
    let whole = trained(&[60, 80, 100]);
    let (log, catalogue) = (log(120, |item| item), catalogue(ITEMS, |item| item));
    let items = items(&catalogue, catalogue.vectors()).unwrap();
    let mut parts = trained(&[60, 80]);
    let mut steps = 0;
    let mut train = |parts: &mut SequenceStages, days: &[i64]| {
        let cuts = days.iter().map(|day| day * DAY_MS).collect();
        let o = options(&log, 120 * DAY_MS, 3);
        parts
            .train(SequenceData { log: &log, texts: None, items: &items }, o, &cuts, &mut (), &mut |_| steps += 1)
            .unwrap();
    };
    train(&mut parts, &[60, 80, 100]);
    assert!(bytes(&parts, 100) == bytes(&whole, 100));
    train(&mut parts, &[40, 100]);
    assert!(parts.get(60 * DAY_MS).is_none() && parts.get(40 * DAY_MS).is_some());
    assert_eq!(steps, 1 + 2);
}

#[test]
fn a_network_answers_in_the_shops_numbers_also_through_its_files() {
    let model = TrainedSequenceModel::clone(trained(&[100]).get(100 * DAY_MS).unwrap());
    let (shop, own) = (log(100, turned), log(100, |item| item));
    let serving = SequenceArtifact::new(model.clone(), ids(ITEMS, |item| item).into());
    let read = SequenceArtifact::from_bytes(&serving.to_bytes().unwrap(), serving.ids().into(), "x".as_ref()).unwrap();
    assert!(SequenceArtifact::from_bytes(&serving.to_bytes().unwrap(), Arc::new([]), "x".as_ref()).is_err());
    assert!(score(&read, &shop, 3, 101, ITEMS).is_empty(), "it does not know the shop yet");
    let named = ids(ITEMS, turned);
    let shown = catalogue(ITEMS, turned);
    read.follow(named.iter(), &shown, shown.vectors().unwrap(), &shop, 100 * DAY_MS).unwrap();
    let expected = score(&model, &own, 3, 101, ITEMS);
    let got = score(&read, &shop, 3, 101, ITEMS);
    assert!((0..ITEMS).all(|item| got[turned(item) as usize] == expected[item as usize]), "{got:?} {expected:?}");
    let as_of = serving.as_of(named.iter(), &shop, 100 * DAY_MS);
    assert_eq!(score(&*as_of, &shop, 3, 101, ITEMS), got);
}

#[test]
fn new_items_speak_through_the_base_encoders_vectors_only_and_the_past_stays_as_it_was() {
    let model = TrainedSequenceModel::clone(trained(&[100]).get(100 * DAY_MS).unwrap());
    let serving = SequenceArtifact::new(model.clone(), ids(ITEMS, |item| item).into());
    let mut shop = log(100, |item| item);
    for user in 0..USERS {
        shop.push(user, purchase(5, 110));
    }
    let grown = ITEMS + 2;
    let (named, facts) = (ids(grown, |item| item), catalogue(grown, |item| item));
    let before = score(&model, &shop, 3, 101, ITEMS);
    assert_eq!(serving.fresh(named.iter()), [ITEMS, ITEMS + 1]);
    serving.follow(named.iter(), &facts, facts.vectors().unwrap(), &shop, 112 * DAY_MS).unwrap();
    let now = score(&serving, &shop, 3, 113, grown);
    assert!(now[ITEMS as usize] > 0.0 && now.len() == grown as usize, "{now:?}");
    // Everybody took the sixth item lately: as of today that counts, as of a moment before it does not.
    let share = |row: &[f32]| row[5] / row.iter().sum::<f32>();
    assert!(share(&now) > share(&score(&model, &shop, 3, 113, ITEMS)));
    assert_eq!(score(&serving, &shop, 3, 101, grown)[..ITEMS as usize], before[..]);
}

/// Users who take something that says nothing, then search for one of two items and take it: nothing else tells which it will be.
fn asking(days: i64) -> (Log, Vectors) {
    let mut log = Log::new();
    for user in 0..240 {
        let (which, day) = (user * user % 7 % 2, i64::from(user) * (days - 10) / 240);
        log.push(user, purchase(user % 3, day));
        log.push(user, search(which, day + 6));
        log.push(user, purchase(3 + which, day + 7));
    }
    (log, Vectors::from_flat(&[0.9, 0.1, 0.0, 0.4, 0.0, 0.4, 0.9, 0.1], 4).unwrap())
}

fn search(text: u32, day: i64) -> Event {
    Event { item: None, text: Some(text), kind: InteractionType::Search, value: 1.0, at: day * DAY_MS }
}

#[test]
fn a_search_is_a_token_and_one_that_nobody_has_embedded_is_passed_over() {
    let ((log, texts), catalogue) = (asking(160), catalogue(ITEMS, |item| item));
    let items = items(&catalogue, catalogue.vectors()).unwrap();
    let mut stages = SequenceStages::default();
    let cuts = BTreeSet::from([160 * DAY_MS]);
    let o = options(&log, 160 * DAY_MS, 3);
    assert!(
        stages
            .train(SequenceData { log: &log, texts: Some(&texts), items: &items }, o, &cuts, &mut (), &mut |_| ())
            .unwrap()
    );
    let model = stages.get(160 * DAY_MS).unwrap();
    let ask = |model: &TrainedSequenceModel, text: u32, texts: Option<&Vectors>| {
        let events = [purchase(1, 155), search(text, 161)];
        model.score(&[&events], texts, 162 * DAY_MS, ITEMS as usize).pop().unwrap()
    };
    let asked = |text, texts| ask(model, text, texts);
    let lean = |row: &[f32]| row[3] / (row[3] + row[4]);
    let (first, second) = (asked(0, Some(&texts)), asked(1, Some(&texts)));
    assert!(lean(&first) > lean(&second) + 0.2, "{} {}", lean(&first), lean(&second));
    // Without vectors searches say nothing; neither does one that has none yet, nor are vectors of another width read.
    assert_eq!(asked(0, None), asked(1, None));
    assert_eq!(asked(7, Some(&texts)).len(), ITEMS as usize);
    assert_eq!(asked(0, Some(&Vectors::new(9))), asked(1, None));
    // Its file says that it reads searches; a model that has learned from none makes nothing of them.
    let read = SequenceModel::from_bytes(&model.model().to_bytes().unwrap(), "x".as_ref()).unwrap();
    assert_eq!(ask(&TrainedSequenceModel(read), 0, Some(&texts)), first);
    let never = trained(&[100]);
    let never = never.get(100 * DAY_MS).unwrap();
    assert_eq!(ask(never, 0, Some(&texts)), ask(never, 1, None));
}
