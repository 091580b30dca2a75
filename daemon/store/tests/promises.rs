//! What the store keeps: idempotence, exact export and import, tombstones, order of arrival, refusals.

mod common;

use common::{fresh, ids, item, key, load, shop_line, text, user, view};
use mercer_shared::ids::{ItemId, UserId};
use mercer_shared::problem::Code;
use mercer_shared::time::Timestamp;
use mercer_shared::wire::{AuditEntry, Decision, DeletedItem, Interaction, Item, ItemPatch, User};
use mercer_store::{Appended, Change, DocKind, Options, Order, Store, StoreError, StoredUser};

#[test]
fn repeated_interactions_are_found_by_id_and_by_content() {
    let (dir, store) = fresh();
    let named = |id: &str| Interaction { id: Some(id.parse().unwrap()), ..view("u1", "i1", 5) };
    let outcomes =
        store.append(vec![named("a"), named("a"), view("u1", "i1", 6), view("u1", "i1", 6), view("u1", "i1", 7)]);
    let expected = [
        Appended::Accepted(1),
        Appended::Duplicate(1),
        Appended::Accepted(2),
        Appended::Duplicate(2),
        Appended::Accepted(3),
    ];
    assert_eq!(outcomes, expected.map(Ok));

    // The id is the identity, whatever else the line says, also after a restart.
    drop(store);
    let store = Store::open(&dir.path().join("store"), key()).unwrap();
    let other = Interaction { id: Some("a".parse().unwrap()), ..view("u2", "i9", 99) };
    assert_eq!(
        store.append(vec![other, view("u1", "i1", 7)]),
        [Ok(Appended::Duplicate(1)), Ok(Appended::Duplicate(3))]
    );
    assert_eq!(store.counts().interactions, 3);
    let kept: Vec<(u64, Interaction)> = store.scan_interactions(2).unwrap().named().map(Result::unwrap).collect();
    assert_eq!(kept, [(2, view("u1", "i1", 6)), (3, view("u1", "i1", 7))]);
}

#[test]
fn every_field_comes_back() {
    let (_dir, store) = fresh();
    let lines: Vec<Interaction> = (0..600).map(shop_line).collect();
    assert!(store.append(lines.clone()).iter().all(Result::is_ok));
    let back: Vec<Interaction> = store.scan_interactions(0).unwrap().named().map(|line| line.unwrap().1).collect();
    assert_eq!(back, lines);
    // From the middle of a block on.
    let tail: Vec<u64> = store.scan_interactions(301).unwrap().map(|line| line.unwrap().seq).collect();
    assert_eq!(tail, (301..=600).collect::<Vec<_>>());
    assert_eq!(store.scan_interactions(601).unwrap().count(), 0);
}

#[test]
fn a_number_that_is_none_is_refused_line_by_line() {
    let (_dir, store) = fresh();
    let bad = Interaction { value: Some(f64::NAN), ..view("u", "i", 1) };
    let outcomes = store.append(vec![view("u", "i", 1), bad, view("u", "i", 2)]);
    assert_eq!(outcomes[0], Ok(Appended::Accepted(1)));
    assert_eq!(outcomes[1].as_ref().unwrap_err().code(), Code::BadNumber);
    assert_eq!(outcomes[2], Ok(Appended::Accepted(2)));
    let mut wrong = item("i");
    wrong.price = Some(f64::INFINITY);
    assert!(matches!(store.put_items(vec![item("j"), wrong]), Err(StoreError::Invalid(_))));
    assert_eq!(store.counts().items, 0, "all or none");
}

#[test]
fn writers_wait_for_a_full_queue_and_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { queue: 1, group: 2, ..Options::default() };
    let store = Store::open_with(&dir.path().join("store"), key(), options).unwrap();
    // Many more writers than the queue has room for.
    let mut seqs: Vec<u64> = std::thread::scope(|scope| {
        let write = |writer: i64| {
            let store = &store;
            move || {
                let outcomes = store.append((0..3).map(|n| view("u", "i", writer * 10 + n)).collect());
                outcomes
                    .into_iter()
                    .map(|outcome| match outcome {
                        Ok(Appended::Accepted(seq)) => seq,
                        other => panic!("{other:?}"),
                    })
                    .collect::<Vec<u64>>()
            }
        };
        let writers: Vec<_> = (0..20).map(|writer| scope.spawn(write(writer))).collect();
        writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect()
    });
    seqs.sort_unstable();
    assert_eq!(seqs, (1..=60).collect::<Vec<u64>>());
    store.close().unwrap();
    assert_eq!(Store::open(&dir.path().join("store"), key()).unwrap().counts().interactions, 60);
}

#[test]
fn a_closed_store_says_so() {
    let (_dir, store) = fresh();
    assert_eq!(store.append(vec![view("u", "i", 1)]), [Ok(Appended::Accepted(1))]);
    let other = store.clone();
    store.close().unwrap();
    assert_eq!(other.append(vec![view("u", "i", 2)]), [Err(StoreError::Closed)]);
    assert!(other.bytes().unwrap() > 0);
}

#[test]
fn items_are_upserted_and_patched() {
    let (_dir, store) = fresh();
    let mut changed = item("2");
    changed.price = Some(3.5);
    let changes = store.put_items(vec![item("1"), item("2"), item("1"), changed.clone()]).unwrap();
    assert_eq!(changes, [Change::New, Change::New, Change::Same, Change::Changed]);
    assert_eq!(store.put_items(vec![item("1")]).unwrap(), [Change::Same]);
    let patch: ItemPatch = serde_json::from_str(r#"{"price":null,"in_stock":false}"#).unwrap();
    let (patched, change) = store.patch_item(&ItemId::new("2").unwrap(), patch).unwrap().unwrap();
    assert_eq!((patched.price, patched.in_stock, change), (None, false, Change::Changed));
    assert_eq!(store.get_item(&ItemId::new("2").unwrap()).unwrap(), Some(patched));
    assert_eq!(store.patch_item(&ItemId::new("3").unwrap(), ItemPatch::default()).unwrap(), None);
    assert_eq!(store.items().map(|item| item.unwrap().id.to_string()).collect::<Vec<_>>(), ["1", "2"]);
}

#[test]
fn a_deleted_item_leaves_a_tombstone_until_it_is_written_again() {
    let (dir, store) = fresh();
    let at = Timestamp::from_millis(1_700_000_000_000).unwrap();
    let id = |id: &str| ItemId::new(id).unwrap();
    store.put_items(vec![item("1"), item("2"), item("3")]).unwrap();
    let _ = store.append(vec![view("u", "2", 5)]);

    let deleted = store.delete_item(&id("2"), at).unwrap().unwrap();
    assert_eq!(deleted, DeletedItem { id: id("2"), at });
    assert_eq!(store.delete_item(&id("2"), at).unwrap(), None, "it is there no more");
    assert_eq!(store.delete_item(&id("9"), at).unwrap(), None);
    assert!(!store.is_deleted_item(&id("9")).unwrap(), "what was never there gets no tombstone");
    drop(store);

    let store = Store::open(&dir.path().join("store"), key()).unwrap();
    assert_eq!(store.counts().items, 2);
    assert_eq!(store.get_item(&id("2")).unwrap(), None);
    assert!(store.is_deleted_item(&id("2")).unwrap());
    assert_eq!(ids(&store), ["1", "3"]);
    assert_eq!(store.deleted_items().collect::<Result<Vec<_>, _>>().unwrap(), [deleted]);
    let kept: Vec<Interaction> = store.scan_interactions(0).unwrap().named().map(|line| line.unwrap().1).collect();
    assert_eq!(kept, [view("u", "2", 5)], "the log keeps what happened");

    // Written again it is a new item, after the others, and the tombstone is gone for good.
    assert_eq!(store.put_items(vec![item("2")]).unwrap(), [Change::New]);
    drop(store);
    let store = Store::open(&dir.path().join("store"), key()).unwrap();
    assert!(!store.is_deleted_item(&id("2")).unwrap());
    assert_eq!(store.deleted_items().count(), 0);
    assert_eq!(ids(&store), ["1", "3", "2"]);
    assert_eq!(store.counts().items, 3);
}

#[test]
fn tombstones_of_an_export_delete_items() {
    let (_dir, store) = fresh();
    store.put_items(vec![item("1"), item("2")]).unwrap();
    let tombstone = |id: &str, ms| DeletedItem { id: id.parse().unwrap(), at: Timestamp::from_millis(ms).unwrap() };
    let lines = vec![tombstone("2", 7), tombstone("9", 8), tombstone("9", 9)];
    assert_eq!(store.put_deleted_items(lines.clone()).unwrap(), [Change::Changed, Change::New, Change::Same]);
    assert_eq!(store.put_deleted_items(lines).unwrap(), [Change::Same; 3]);
    assert_eq!(ids(&store), ["1"]);
    assert_eq!(store.counts().items, 1);
    let listed: Vec<_> = store.deleted_items().map(Result::unwrap).collect();
    assert_eq!(listed, [tombstone("2", 7), tombstone("9", 8)], "the first time stays");
}

#[test]
fn items_and_users_stand_in_order_of_first_sight_after_a_restart() {
    let (dir, store) = fresh();
    // Neither in order of ids nor of pseudonyms, in several batches, users by document and by interaction.
    store.put_items(vec![item("m"), item("z")]).unwrap();
    store.put_users(vec![user("zoe"), user("ann")], &Default::default()).unwrap();
    store.put_items(vec![item("a"), item("z"), item("k")]).unwrap();
    let _ = store.append(vec![view("bob", "m", 1), view("ann", "m", 2), view("al", "m", 3)]);
    store.put_users(vec![user("cid"), user("al"), user("bea")], &Default::default()).unwrap();
    let _ = store.append(vec![view("dan", "z", 4)]);
    // Changes and repetitions move nobody.
    store.put_items(vec![Item { hidden: true, ..item("a") }]).unwrap();
    store.put_users(vec![User { attributes: [].into(), ..user("ann") }], &Default::default()).unwrap();

    let check = |store: &Store| {
        assert_eq!(ids(store), ["m", "z", "a", "k"]);
        let users = |users: &mut dyn Iterator<Item = Result<StoredUser, StoreError>>| {
            users.map(|user| user.unwrap().id.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(users(&mut store.users()), ["zoe", "ann", "al", "cid", "bea"], "those with documents");
        assert_eq!(users(&mut store.known_users()), ["zoe", "ann", "bob", "al", "cid", "bea", "dan"]);
    };
    check(&store);
    drop(store);
    let store = Store::open(&dir.path().join("store"), key()).unwrap();
    check(&store);

    // An erased user gives up the place, and what comes later is last.
    store.erase_user(&"bob".parse().unwrap()).unwrap();
    store.put_users(vec![user("aaa")], &Default::default()).unwrap();
    drop(store);
    let store = Store::open(&dir.path().join("store"), key()).unwrap();
    let known: Vec<_> = store.known_users().map(|user| user.unwrap().id.to_string()).collect();
    assert_eq!(known, ["zoe", "ann", "al", "cid", "bea", "dan", "aaa"]);
}

#[test]
fn export_into_a_fresh_store_exports_the_same() {
    let (_dir, store) = fresh();
    store.put_items((0..50).map(|n| item(&format!("item-{n}"))).collect()).unwrap();
    store.delete_item(&ItemId::new("item-7").unwrap(), Timestamp::from_millis(9).unwrap()).unwrap();
    store.put_users((0..20).map(|n| user(&format!("shopper-{n}"))).collect(), &Default::default()).unwrap();
    assert!(store.append((0..3000).map(shop_line).collect()).iter().all(Result::is_ok));
    store.erase_user(&UserId::new("shopper-3").unwrap()).unwrap();
    let before = text(&store);

    let (_other_dir, other) = fresh();
    assert_eq!(load(&other, &before), before.len(), "every line is new");
    assert_eq!(text(&other), before);
    assert_eq!(load(&other, &before), 0, "twice changes nothing");
    assert_eq!(text(&other), before);
}

#[test]
fn documents_page_in_both_directions() {
    let (dir, store) = fresh();
    for _ in 0..7 {
        let seq = store.next_number(DocKind::Decision).unwrap();
        let decision = Decision {
            seq,
            at: Timestamp::default(),
            saw: "s".into(),
            rule: "r".into(),
            action: "a".into(),
            outcome: None,
        };
        store.put_decision(&decision).unwrap();
        let entry = AuditEntry {
            seq: 0,
            at: Timestamp::default(),
            uid: None,
            pid: None,
            action: "a".into(),
            target: "t".into(),
            detail: "d".into(),
        };
        assert_eq!(store.audit(entry).unwrap().seq, seq);
    }
    for (order, expected) in [(Order::Oldest, [1, 2, 3, 4, 5, 6, 7]), (Order::Newest, [7, 6, 5, 4, 3, 2, 1])] {
        let (mut cursor, mut seen) = (None, Vec::new());
        loop {
            let page = store.list_docs::<Decision>(DocKind::Decision, order, cursor.as_deref(), 3).unwrap();
            seen.extend(page.items.into_iter().map(|decision| decision.seq));
            cursor = page.next_cursor;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(seen, expected);
    }
    let foreign = store.list_docs::<AuditEntry>(DocKind::Audit, Order::Oldest, None, 1).unwrap().next_cursor.unwrap();
    for bad in [foreign.as_str(), "zz", "4", "é1"] {
        let refused = store.list_docs::<Decision>(DocKind::Decision, Order::Newest, Some(bad), 3);
        assert_eq!(refused.unwrap_err(), StoreError::BadCursor);
    }
    store.put_doc(DocKind::Report, "serving", &"v000001").unwrap();
    drop(store);
    let store = Store::open(&dir.path().join("store"), key()).unwrap();
    assert_eq!(store.next_number(DocKind::Decision).unwrap(), 8);
    assert_eq!(store.get_doc::<String>(DocKind::Report, "serving").unwrap().as_deref(), Some("v000001"));
    assert!(store.remove_doc(DocKind::Report, "serving").unwrap());
    assert_eq!(store.get_doc::<String>(DocKind::Report, "serving").unwrap(), None);
}
