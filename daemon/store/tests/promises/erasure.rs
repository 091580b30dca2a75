//! Erasure of users, and what the files reveal of them.

use std::fs;
use std::path::Path;

use mercer_shared::ids::UserId;
use mercer_shared::problem::Code;
use mercer_shared::wire::Interaction;
use mercer_store::{Appended, Key, Store, StoreError};

use crate::common::{key, shop_line, view};
use crate::{fresh, text, user};

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
