//! Tests of the log of lists that went out.

use mercer_shared::ids::UserId;
use mercer_store::{Key, ServedRow};
use proptest::prelude::*;

use super::*;

fn store(dir: &std::path::Path) -> Store {
    Store::open(&dir.join("store"), Key::from_bytes([3; 32])).unwrap()
}

fn record(store: &Store, user: &str, day: i64, query_id: &str, items: &[&str]) -> ServedRecord {
    let row = |item: &&str| ServedRow { item: item.parse().unwrap(), propensity: 1.0, team: None };
    ServedRecord {
        user: Some(store.pseudonym(&user.parse::<UserId>().unwrap())),
        query_id: query_id.to_owned(),
        at: Timestamp::at(day * DAY_MS),
        seq: 1,
        version: "v1".to_owned(),
        placement: "default".to_owned(),
        rows: items.iter().map(row).collect(),
        pool: Vec::new(),
    }
}

#[test]
fn totals_are_position_weighted_and_survive_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let log = ServedLog::open(&store).unwrap();
    log.record(record(&store, "ada", 3, "q1", &["a", "b"]));
    log.record(record(&store, "bob", 4, "q2", &["b"]));
    let total = log.since(0);
    let second = 1.0 / 3f64.log2();
    assert_eq!(total.lists, 2);
    assert!((total.items[&"b".parse().unwrap()] - 1.0 - second).abs() < 1e-12);
    assert_eq!(log.since(4).items.len(), 1);
    assert_eq!(log.flush(&store).unwrap(), 2);
    assert_eq!(ServedLog::open(&store).unwrap().since(0), total);
    assert_eq!(log.forget_before(&store, Timestamp::at(4 * DAY_MS)).unwrap(), 1);
    assert_eq!(log.since(0).lists, 1);
}

#[test]
fn an_erasure_takes_its_part_out_of_the_totals() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let log = ServedLog::open(&store).unwrap();
    log.record(record(&store, "ada", 3, "q1", &["a"]));
    log.flush(&store).unwrap();
    log.record(record(&store, "ada", 3, "q2", &["a"]));
    log.record(record(&store, "bob", 3, "q3", &["b"]));
    let ada: UserId = "ada".parse().unwrap();
    log.erasing(&store, &store.pseudonym(&ada), || store.erase_user(&ada)).unwrap();
    assert_eq!(store.served_to(&store.pseudonym(&ada)).count(), 0);
    let total = log.since(0);
    assert_eq!((total.lists, total.items.len()), (1, 1));
    assert!(total.items.contains_key(&"b".parse::<ItemId>().unwrap()));
}

/// Totals of all lists in the store, added up one by one.
fn naive(store: &Store) -> DayExposure {
    let mut sum = DayExposure::default();
    store.served().for_each(|list| sum.add(&list.unwrap()));
    sum
}

fn same(found: &DayExposure, wanted: &DayExposure) {
    assert_eq!(found.lists, wanted.lists);
    assert_eq!(found.items.len(), wanted.items.len(), "{found:?} {wanted:?}");
    for (item, attention) in &wanted.items {
        assert!((found.items[item] - attention).abs() < 1e-9, "{item}: {found:?} {wanted:?}");
    }
}

#[test]
fn a_start_reads_totals_of_past_days_and_the_lists_of_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let log = ServedLog::open(&store).unwrap();
    for (day, query_id) in [(3, "q1"), (3, "q2"), (4, "q3"), (5, "q4")] {
        log.record(record(&store, "ada", day, query_id, &["a", "b"]));
    }
    log.flush(&store).unwrap();
    assert_eq!(log.fold(&store, 5).unwrap(), 2);
    assert_eq!(log.fold(&store, 5).unwrap(), 0);
    assert_eq!([3, 4, 5].map(|day| store.served_day(day).unwrap().is_some()), [true, true, false]);
    let placements = store.served_day(3).unwrap().unwrap().placements;
    assert_eq!(placements.keys().collect::<Vec<_>>(), ["default"]);
    // What stands in the totals is what a start says: they are read, not the lists.
    let mut other = store.served_day(3).unwrap().unwrap();
    other.placements.get_mut("default").unwrap().lists = 70;
    store.put_served_day(&other).unwrap();
    assert_eq!(ServedLog::open(&store).unwrap().since(0).lists, 72);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever happens in between, with a crash after every step: a start counts what is kept.
    #[test]
    fn totals_and_lists_agree_after_every_step(
        steps in proptest::collection::vec((0..6_u8, 0..3_usize, 1..6_i64, 0..4_usize), 1..24),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let store = store(dir.path());
        let log = ServedLog::open(&store).unwrap();
        let users: [UserId; 3] = ["ada", "bob", "cat"].map(|id| id.parse().unwrap());
        for (number, (step, user, day, items)) in steps.into_iter().enumerate() {
            match step {
                0..=2 => {
                    let list = record(&store, users[user].as_str(), day, &format!("q{number}"), &["a", "b", "c"][..items]);
                    log.record(ServedRecord { placement: format!("p{}", number % 2), ..list });
                    log.flush(&store).unwrap();
                }
                3 => drop(log.fold(&store, day).unwrap()),
                4 => {
                    let id = &users[user];
                    log.erasing(&store, &store.pseudonym(id), || store.erase_user(id)).unwrap();
                }
                _ => drop(log.forget_before(&store, Timestamp::at(day * DAY_MS)).unwrap()),
            }
            same(&ServedLog::open(&store).unwrap().since(0), &naive(&store));
        }
    }
}
