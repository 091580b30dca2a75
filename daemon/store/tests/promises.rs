//! What the store promises, one test each: idempotence, exact export and import, tombstones, the lock, refusals, damage.

mod common;

use std::fs;
use std::path::Path;

use common::{item, key, shop_line, view};
use mercer_shared::ids::{ItemId, UserId};
use mercer_shared::problem::Code;
use mercer_shared::time::Timestamp;
use mercer_shared::wire::{AuditEntry, Consent, Decision, DeletedItem, ExportLine, Interaction, Item, ItemPatch, User};
use mercer_store::{Appended, Change, DocKind, Key, Options, Order, Store, StoreError};

fn fresh() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("store"), key()).unwrap();
    (dir, store)
}

fn user(id: &str) -> User {
    User {
        id: UserId::new(id).unwrap(),
        attributes: [("region".to_owned(), "north".to_owned())].into(),
        consent: Consent::default(),
    }
}

fn text(store: &Store) -> Vec<String> {
    let mut lines = Vec::new();
    store
        .export(|line| {
            lines.push(serde_json::to_string(&line).unwrap());
            Ok::<(), StoreError>(())
        })
        .unwrap();
    lines
}

/// Writes the lines of an export; returns how many changed the store.
fn load(store: &Store, lines: &[String]) -> usize {
    let (mut items, mut deleted, mut users, mut interactions) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for line in lines {
        match serde_json::from_str(line).unwrap() {
            ExportLine::Item(item) => items.push(item),
            ExportLine::DeletedItem(item) => deleted.push(item),
            ExportLine::User(user) => users.push(user),
            ExportLine::Interaction(interaction) => interactions.push(interaction),
        }
    }
    let documents = [store.put_items(items).unwrap(), store.put_deleted_items(deleted).unwrap()].concat();
    let users = store.put_users(users).unwrap();
    let interactions = store.append(interactions);
    documents.iter().filter(|change| **change != Change::Same).count()
        + users.iter().filter(|change| **change != Ok(Change::Same)).count()
        + interactions.iter().filter(|outcome| matches!(outcome, Ok(Appended::Accepted(_)))).count()
}

/// The ids of all items, in the store's order.
fn ids(store: &Store) -> Vec<String> {
    store.items().map(|item| item.unwrap().id.to_string()).collect()
}

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
    store.put_users(vec![user("zoe"), user("ann")]).unwrap();
    store.put_items(vec![item("a"), item("z"), item("k")]).unwrap();
    let _ = store.append(vec![view("bob", "m", 1), view("ann", "m", 2), view("al", "m", 3)]);
    store.put_users(vec![user("cid"), user("al"), user("bea")]).unwrap();
    let _ = store.append(vec![view("dan", "z", 4)]);
    // Changes and repetitions move nobody.
    store.put_items(vec![Item { hidden: true, ..item("a") }]).unwrap();
    store.put_users(vec![User { attributes: [].into(), ..user("ann") }]).unwrap();

    let check = |store: &Store| {
        assert_eq!(ids(store), ["m", "z", "a", "k"]);
        let users = |users: &mut dyn Iterator<Item = Result<User, StoreError>>| {
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
    store.put_users(vec![user("aaa")]).unwrap();
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
    store.put_users((0..20).map(|n| user(&format!("shopper-{n}"))).collect()).unwrap();
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
fn erasing_leaves_a_mark_and_nothing_else() {
    let (dir, store) = fresh();
    let gone = UserId::new("shopper-3").unwrap();
    store.put_users(vec![user("shopper-3"), user("shopper-4")]).unwrap();
    let lines: Vec<Interaction> = (0..2000).map(shop_line).collect();
    let _ = store.append(lines.clone());
    let of_user = lines.iter().filter(|line| line.user.as_ref() == Some(&gone)).count() as u64;
    let before = store.counts();

    let erasure = store.erase_user(&gone).unwrap();
    assert_eq!(erasure.interactions(), of_user);
    assert!(of_user > 0 && erasure.document);
    assert_eq!(erasure.first(), Some(erasure.seqs[0]));
    assert!(erasure.seqs.is_sorted());
    assert_eq!(erasure.pseudonym, store.pseudonym(&gone));

    let check = |store: &Store| {
        assert!(store.is_erased(&gone) && !store.knows_user(&gone).unwrap());
        assert!(store.users().all(|user| user.unwrap().id != gone));
        assert_eq!(store.counts().interactions, before.interactions - of_user);
        assert_eq!(store.counts().users, 1);
        assert_eq!(store.counts().next_seq, before.next_seq);
        assert!(!text(store).iter().any(|line| line.contains("\"shopper-3\"")));
        let rest: Vec<Interaction> = store.scan_interactions(0).unwrap().named().map(|line| line.unwrap().1).collect();
        let expected: Vec<Interaction> =
            lines.iter().filter(|line| line.user.as_ref() != Some(&gone)).cloned().collect();
        assert_eq!(rest, expected);
        // Neither the old lines nor new ones come back, and others are not held up by it.
        let line = lines.iter().find(|line| line.user.as_ref() == Some(&gone)).unwrap().clone();
        let outcomes = store.append(vec![line, view("shopper-3", "i", 1), lines[0].clone()]);
        assert_eq!(outcomes[0], Err(StoreError::Erased));
        assert_eq!(outcomes[1].as_ref().unwrap_err().code(), Code::Erased);
        assert!(matches!(outcomes[2], Ok(Appended::Duplicate(_))));
        assert_eq!(store.put_users(vec![user("shopper-3")]).unwrap(), [Err(StoreError::Erased)]);
    };
    check(&store);
    drop(store);
    check(&Store::open(&dir.path().join("store"), key()).unwrap());
}

#[test]
fn numbers_are_not_given_again_after_the_end_was_erased() {
    let (dir, store) = fresh();
    let _ = store.append(vec![view("a", "i", 1), view("b", "i", 2)]);
    assert_eq!(store.erase_user(&UserId::new("b").unwrap()).unwrap().seqs, [2]);
    drop(store);
    let store = Store::open(&dir.path().join("store"), key()).unwrap();
    assert_eq!(store.append(vec![view("c", "i", 3)]), [Ok(Appended::Accepted(3))]);
}

#[test]
fn a_session_goes_with_its_only_user_but_not_with_one_of_several() {
    let (_dir, store) = fresh();
    let visit = |user: Option<&str>, session: &str, at| Interaction {
        user: user.map(|user| user.parse().unwrap()),
        session: Some(session.parse().unwrap()),
        ..view("x", "i", at)
    };
    let lines = vec![
        visit(None, "own", 1),
        visit(Some("a"), "own", 2),
        visit(None, "shared", 3),
        visit(Some("a"), "shared", 4),
        visit(Some("b"), "shared", 5),
        visit(None, "strange", 6),
    ];
    assert!(store.append(lines).iter().all(Result::is_ok));
    assert_eq!(store.erase_user(&"a".parse().unwrap()).unwrap().seqs, [1, 2, 4]);
    let left: Vec<_> =
        store.scan_interactions(0).unwrap().named().map(|line| line.unwrap().1.session.unwrap().to_string()).collect();
    assert_eq!(left, ["shared", "shared", "strange"]);
}

#[test]
fn nothing_on_disk_names_a_user() {
    let (dir, store) = fresh();
    store.put_users(vec![user("very-private-person")]).unwrap();
    let line = Interaction {
        session: Some("secret-visit-7".parse().unwrap()),
        ..view("very-private-person", "openly-known-item", 1)
    };
    let _ = store.append(vec![line]);
    store.close().unwrap();
    let mut bytes = Vec::new();
    collect(dir.path(), &mut bytes);
    let holds = |word: &str| bytes.windows(word.len()).any(|window| window == word.as_bytes());
    assert!(holds("openly-known-item"), "the search itself works");
    assert!(!holds("very-private-person") && !holds("secret-visit-7"));
    // And another key opens nothing.
    let other = Store::open(&dir.path().join("store"), Key::from_bytes([1; 32]));
    assert_eq!(other.unwrap_err(), StoreError::WrongKey);
}

fn collect(dir: &Path, bytes: &mut Vec<u8>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, bytes);
        } else {
            bytes.extend(fs::read(path).unwrap());
        }
    }
}

#[test]
fn a_second_open_is_refused_until_the_first_is_gone() {
    let (dir, store) = fresh();
    let path = dir.path().join("store");
    let refused = Store::open(&path, key()).unwrap_err();
    assert_eq!((refused.clone(), refused.code()), (StoreError::Locked(path.clone()), Code::Locked));
    // A reader that lives on keeps the files, and so the lock.
    let _ = store.append(vec![view("u", "i", 1)]);
    let mut walk = store.scan_interactions(0).unwrap();
    drop(store);
    assert!(matches!(Store::open(&path, key()), Err(StoreError::Locked(_))));
    assert_eq!(walk.next().unwrap().unwrap().seq, 1);
    drop(walk);
    Store::open(&path, key()).unwrap();
}

#[test]
fn directories_that_cannot_be_used_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("not/there");
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    // A directory in which nobody can make a file, root included.
    let fixed = Path::new("/proc/self/task");
    for path in [missing.as_path(), file.as_path(), fixed] {
        match Store::open(path, key()) {
            Err(error @ StoreError::BadState { .. }) => {
                assert_eq!(error.code(), Code::BadState);
                assert!(error.to_string().contains(&path.display().to_string()), "{error}");
            }
            other => panic!("{}: {other:?}", path.display()),
        }
    }
}

#[test]
fn a_disk_without_room_makes_the_store_read_only() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    Store::open(&path, key()).unwrap().put_items(vec![item("1")]).unwrap();
    let options = Options { min_free_bytes: u64::MAX, ..Options::default() };
    let store = Store::open_with(&path, key(), options).unwrap();
    let outcomes = store.append(vec![view("u", "i", 1), view("u", "i", 2)]);
    assert_eq!(
        outcomes.iter().map(|outcome| outcome.as_ref().unwrap_err().code()).collect::<Vec<_>>(),
        [Code::ReadOnly; 2]
    );
    assert_eq!(store.put_items(vec![item("2")]).unwrap_err().code(), Code::ReadOnly);
    assert_eq!(store.next_number(DocKind::Run).unwrap_err().code(), Code::ReadOnly);
    assert!(store.is_read_only().unwrap().contains("bytes are free"));
    assert_eq!(store.items().count(), 1);
    assert_eq!(store.counts().interactions, 0);
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
fn no_key_is_written_beside_a_store_that_has_one() {
    let dir = tempfile::tempdir().unwrap();
    let (path, store) = (dir.path().join("key"), dir.path().join("store"));
    let key = Key::load_or_create(&path, &store).unwrap();
    drop(Store::open(&store, key.clone()).unwrap());
    fs::rename(&path, dir.path().join("elsewhere")).unwrap();
    let refused = Key::load_or_create(&path, &store).unwrap_err();
    assert!(matches!(refused, StoreError::BadKey { .. }), "{refused}");
    assert!(refused.to_string().contains("restore it"), "{refused}");
    assert!(!path.exists() && !path.with_extension("new").exists(), "no key was written");
    // With the key back everything is as before.
    fs::rename(dir.path().join("elsewhere"), &path).unwrap();
    Store::open(&store, Key::load_or_create(&path, &store).unwrap()).unwrap();
}
