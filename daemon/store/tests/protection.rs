//! How the store protects what it keeps: erasure, pseudonyms, the lock, unusable directories, a full disk, the key.

mod common;

use std::fs;
use std::path::Path;

use common::{fresh, item, key, shop_line, text, user, view};
use mercer_shared::ids::UserId;
use mercer_shared::problem::Code;
use mercer_shared::wire::Interaction;
use mercer_store::{Appended, DocKind, Key, Options, Store, StoreError};

#[test]
fn erasing_leaves_a_mark_and_nothing_else() {
    let (dir, store) = fresh();
    let gone = UserId::new("shopper-3").unwrap();
    store.put_users(vec![user("shopper-3"), user("shopper-4")], &Default::default()).unwrap();
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
        assert_eq!(store.put_users(vec![user("shopper-3")], &Default::default()).unwrap(), [Err(StoreError::Erased)]);
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
    store.put_users(vec![user("very-private-person")], &Default::default()).unwrap();
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
