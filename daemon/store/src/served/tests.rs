//! Tests of the log of served lists.

use mercer_shared::ids::UserId;
use proptest::prelude::*;

use super::*;
use crate::keys::Key;
use crate::layout::SERVED_TIME;
use crate::migrate::{self, schema_record};
use crate::record::wrap;
use crate::served::record::NOBODY;

fn open(dir: &std::path::Path) -> Store {
    Store::open(&dir.join("store"), Key::from_bytes([5; 32])).unwrap()
}

fn record(user: Option<Pseudonym>, at: i64, query_id: &str, items: &[&str]) -> ServedRecord {
    let row = |item: &&str| ServedRow { item: item.parse().unwrap(), propensity: 0.25, team: Some(1) };
    ServedRecord {
        user,
        query_id: query_id.to_owned(),
        at: Timestamp::from_millis(at).unwrap(),
        seq: 7,
        version: "v000001".to_owned(),
        placement: "default".to_owned(),
        rows: items.iter().map(row).collect(),
        pool: items.iter().map(|item| item.parse().unwrap()).collect(),
    }
}

#[test]
fn lists_come_back_by_user_in_order_of_time() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let ada = store.pseudonym(&"ada".parse::<UserId>().unwrap());
    let lists =
        [record(Some(ada), 70_000, "q2", &["a", "b"]), record(None, 10, "q0", &["b"]), record(Some(ada), 5, "q1", &[])];
    store.append_served(lists.to_vec()).unwrap();
    let of_ada: Vec<_> = store.served_to(&ada).map(Result::unwrap).collect();
    assert_eq!(of_ada, [lists[2].clone(), lists[0].clone()]);
    drop(store);
    let all: Vec<_> = open(dir.path()).served().map(Result::unwrap).collect();
    assert_eq!(all.len(), 3);
    assert!(all.contains(&lists[1]));
}

#[test]
fn lists_leave_by_age() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store.append_served((0..50).map(|n| record(None, n * 100, &format!("q{n}"), &["a"])).collect()).unwrap();
    assert_eq!(store.drop_served(Timestamp::from_millis(2_000).unwrap()).unwrap(), 20);
    assert_eq!(store.served().map(|list| list.unwrap().at.millis()).min(), Some(2_000));
}

#[test]
fn an_erasure_takes_the_lists_and_no_later_one_comes() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let (ada, bob): (UserId, UserId) = ("ada".parse().unwrap(), "bob".parse().unwrap());
    let of = |id: &UserId, query_id: &str| record(Some(store.pseudonym(id)), 1, query_id, &["a"]);
    store.append_served(vec![of(&ada, "q1"), of(&bob, "q2")]).unwrap();
    store.erase_user(&ada).unwrap();
    // It was on its way when the user was erased.
    store.append_served(vec![of(&ada, "q3")]).unwrap();
    let left: Vec<_> = store.served().map(|list| list.unwrap().query_id).collect();
    assert_eq!(left, ["q2"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn every_record_is_read_as_it_was_written(
        user in proptest::option::of(any::<[u8; 32]>()),
        at in 0..=Timestamp::MAX.millis(),
        names in ("\\PC{1,40}", ".{0,20}", ".{0,20}"),
        seq in any::<u64>(),
        rows in proptest::collection::vec(("\\PC{1,20}", 0f32..=1.0, proptest::option::of(0u8..2)), 0..30),
    ) {
        let user = user.map(Pseudonym).filter(|user| *user != NOBODY);
        let rows = rows.into_iter().filter_map(|(item, propensity, team)| {
            Some(ServedRow { item: ItemId::new(item).ok()?, propensity, team })
        });
        let rows: Vec<ServedRow> = rows.collect();
        let pool = rows.iter().map(|row| row.item.clone()).collect();
        let (query_id, version, placement) = names;
        let at = Timestamp::from_millis(at).unwrap();
        let list = ServedRecord { user, query_id, at, seq, version, placement, rows, pool };
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path());
        store.append_served(vec![list.clone()]).unwrap();
        prop_assert_eq!(store.served().map(Result::unwrap).collect::<Vec<_>>(), vec![list]);
    }
}

fn ids(lists: impl Iterator<Item = Result<ServedRecord>>) -> Vec<String> {
    lists.map(|list| list.unwrap().query_id).collect()
}

#[test]
fn lists_of_a_kind_are_found_by_time_from_either_end() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let ada = store.pseudonym(&"ada".parse::<UserId>().unwrap());
    let plain = |record: ServedRecord| {
        let rows = record.rows.into_iter().map(|row| ServedRow { team: None, ..row }).collect();
        ServedRecord { pool: Vec::new(), rows, ..record }
    };
    let lists = [
        record(Some(ada), 300, "q3", &["a"]),
        plain(record(None, 200, "q2", &["a"])),
        record(None, 100, "q1", &["a"]),
        record(Some(ada), 50, "q0", &[]),
    ];
    store.append_served(lists.to_vec()).unwrap();
    let since = |kind, at| store.served_since(kind, Timestamp::at(at));
    assert_eq!(ids(since(ServedKind::Interleaved, 0)), ["q1", "q3"]);
    assert_eq!(ids(since(ServedKind::Explored, 0).rev()), ["q3", "q1"]);
    assert_eq!(ids(since(ServedKind::Interleaved, 101)), ["q3"]);
    store.erase_user(&"ada".parse().unwrap()).unwrap();
    assert_eq!(ids(since(ServedKind::Interleaved, 0)), ["q1"]);
    assert_eq!(store.core().tree().scan_prefix([SERVED_TIME]).count(), 2);
    store.drop_served(Timestamp::at(201)).unwrap();
    assert_eq!(store.core().tree().scan_prefix([SERVED_TIME]).count(), 0);
    assert_eq!(store.served().count(), 0);
}

#[test]
fn lists_of_schema_three_are_read_and_found_by_time() {
    let dir = tempfile::tempdir().unwrap();
    let list = record(None, 70, "q1", &["a", "b"]);
    let store = open(dir.path());
    store.append_served(vec![list.clone(), record(None, 80, "q2", &["a"])]).unwrap();
    // As a program of schema 3 left it: records of the first version, and no key by time.
    let tree = store.core().tree();
    for entry in tree.scan_prefix([SERVED]) {
        let (key, bytes) = entry.unwrap();
        let ServedV2 { list, .. } = ServedV2::decode(&key, &bytes).unwrap();
        tree.insert(&key, wrap(&key, 1, &list.payload().unwrap())).unwrap();
        tree.remove(time_key(&key).unwrap()).unwrap();
    }
    let (key, bytes) = schema_record(3);
    tree.insert(key, bytes).unwrap();
    tree.flush().unwrap();
    drop((tree, store));
    let store = open(dir.path());
    assert_eq!(migrate::found(&store.core().tree()).unwrap(), Some(migrate::SCHEMA));
    let found: Vec<_> = store.served_since(ServedKind::Explored, Timestamp::at(0)).map(Result::unwrap).collect();
    assert_eq!(found.len(), 2);
    assert_eq!(found[0], ServedRecord { seq: 0, ..list });
}

#[test]
fn totals_of_a_day_stand_until_its_lists_change() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let ada: UserId = "ada".parse().unwrap();
    let day = 86_400_000;
    let lists = vec![
        record(None, 3 * day, "q1", &["a"]),
        record(Some(store.pseudonym(&ada)), 4 * day - 1, "q2", &["a"]),
        record(None, 7 * day + 5, "q3", &["a"]),
    ];
    store.append_served(lists).unwrap();
    assert_eq!(store.served_days().unwrap(), [3, 7]);
    assert_eq!(ids(store.served_on(3)), ["q1", "q2"]);
    assert_eq!(store.served_day(3).unwrap(), None);
    // More items than one record takes.
    let items = (0..3_000).map(|n| (format!("item {n}").parse().unwrap(), f64::from(n) / 3.0)).collect();
    let busy = ServedTotals { lists: 2, items };
    let quiet = ServedTotals { lists: 1, ..ServedTotals::default() };
    let totals =
        |day| ServedDay { day, placements: [("a".to_owned(), busy.clone()), ("b".to_owned(), quiet.clone())].into() };
    let put = || [3, 7].map(|day| store.put_served_day(&totals(day)).unwrap());
    let has = || [3, 7].map(|day| store.served_day(day).unwrap().is_some());
    put();
    assert_eq!(store.served_day(3).unwrap(), Some(totals(3)));
    store.append_served(vec![record(None, 3 * day + 1, "late", &["a"])]).unwrap();
    assert_eq!(has(), [false, true]);
    put();
    store.erase_user(&ada).unwrap();
    assert_eq!(has(), [false, true]);
    put();
    store.drop_served(Timestamp::at(7 * day)).unwrap();
    assert_eq!(has(), [false, true]);
    assert_eq!(store.served_days().unwrap(), [7]);
}
