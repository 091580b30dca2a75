//! The chain of the audit log under every kind of change.

use mercer_shared::time::Timestamp;
use mercer_shared::wire::{AuditEntry, AuditFault, AuditVerification};

use crate::audit_chain::StoredEntry;
use crate::docs::{DocKind, VERSION, number_key};
use crate::layout::{META, key};
use crate::record::{unwrap, wrap};
use crate::{Key, Order, Store};

fn entry(n: u64, target: &str) -> AuditEntry {
    AuditEntry {
        seq: 0,
        at: Timestamp::at(1_000 + n as i64),
        uid: n.is_multiple_of(2).then_some(1000),
        pid: None,
        action: format!("act-{n}"),
        target: target.to_owned(),
        detail: String::new(),
    }
}

fn store() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("store"), Key::from_bytes([7; 32])).unwrap();
    (dir, store)
}

/// A log of seven entries; 3 and 5 are about one user.
fn filled() -> (tempfile::TempDir, Store) {
    let (dir, store) = store();
    for n in 1..=7 {
        store.audit(entry(n, if n == 3 || n == 5 { "user-a" } else { "v000001" })).unwrap();
    }
    (dir, store)
}

fn key_of(seq: u64) -> Vec<u8> {
    DocKind::Audit.key(&number_key(seq))
}

/// What somebody can do who has the files and knows the format, but not the key.
fn rewrite(store: &Store, seq: u64, change: impl FnOnce(&mut StoredEntry)) {
    let key = key_of(seq);
    let bytes = store.core().tree().get(&key).unwrap().unwrap();
    let mut stored: StoredEntry = serde_json::from_slice(unwrap(&key, &bytes).unwrap().1).unwrap();
    change(&mut stored);
    put(store, seq, &stored);
}

fn put(store: &Store, seq: u64, stored: &StoredEntry) {
    let key = key_of(seq);
    store.core().tree().insert(&key, wrap(&key, VERSION, &serde_json::to_vec(stored).unwrap())).unwrap();
}

fn read(store: &Store, seq: u64) -> StoredEntry {
    let key = key_of(seq);
    let bytes = store.core().tree().get(&key).unwrap().unwrap();
    serde_json::from_slice(unwrap(&key, &bytes).unwrap().1).unwrap()
}

fn fault(store: &Store) -> Option<(u64, AuditFault)> {
    let found = store.verify_audit(None).unwrap();
    assert_eq!(found.intact, found.broken.is_none());
    found.broken.map(|broken| (broken.seq, broken.fault))
}

#[test]
fn an_untouched_log_holds_also_after_a_restart() {
    let (dir, store) = filled();
    let found = store.verify_audit(None).unwrap();
    let head = found.head.clone().unwrap();
    assert_eq!(head.len(), 64);
    let expected = AuditVerification {
        intact: true,
        entries: 7,
        first: Some(1),
        last: Some(7),
        head: Some(head.clone()),
        ..AuditVerification::default()
    };
    assert_eq!(found, expected);
    drop(store);
    let store = Store::open(&dir.path().join("store"), Key::from_bytes([7; 32])).unwrap();
    store.audit(entry(8, "v000002")).unwrap();
    let later = store.verify_audit(Some(&head)).unwrap();
    assert!(later.intact && later.last == Some(8) && later.head != Some(head), "{later:?}");
    // A head of another log is not in this one.
    let foreign = store.verify_audit(Some(&"0".repeat(64))).unwrap();
    assert_eq!(foreign.broken.map(|broken| broken.fault), Some(AuditFault::UnknownHead));
    // Readers see the entries without the chain.
    let page = store.list_docs::<AuditEntry>(DocKind::Audit, Order::Oldest, None, 100).unwrap();
    assert_eq!(page.items.iter().map(|entry| entry.seq).collect::<Vec<_>>(), (1..=8).collect::<Vec<_>>());
}

#[test]
fn every_change_of_an_entry_is_found_at_that_entry() {
    let changes: [fn(&mut StoredEntry); 8] = [
        |stored| stored.entry.detail.push('x'),
        |stored| stored.entry.action = "erase".into(),
        |stored| stored.entry.target = "v000009".into(),
        |stored| stored.entry.uid = Some(0),
        |stored| stored.entry.pid = Some(1),
        |stored| stored.entry.at = Timestamp::at(5),
        |stored| stored.link.as_mut().unwrap().hash = "0".repeat(64),
        |stored| stored.link = None,
    ];
    for change in changes {
        let (_dir, store) = filled();
        rewrite(&store, 4, change);
        assert_eq!(fault(&store), Some((4, AuditFault::Changed)));
    }
}

#[test]
fn removed_moved_added_and_cut_off_entries_are_found() {
    let (_dir, one) = filled();
    one.core().tree().remove(key_of(3)).unwrap();
    assert_eq!(fault(&one), Some((3, AuditFault::Removed)));

    let (_dir, two) = filled();
    for seq in [6, 7] {
        two.core().tree().remove(key_of(seq)).unwrap();
    }
    assert_eq!(fault(&two), Some((6, AuditFault::CutOff)));

    let (_dir, three) = filled();
    let (second, fifth) = (read(&three, 2), read(&three, 5));
    put(&three, 2, &fifth);
    put(&three, 5, &second);
    assert_eq!(fault(&three), Some((2, AuditFault::Moved)));
    // With the numbers swapped as well, the hashes tell.
    let renumber = |mut stored: StoredEntry, seq| {
        stored.entry.seq = seq;
        stored
    };
    put(&three, 2, &renumber(fifth, 2));
    put(&three, 5, &renumber(second, 5));
    assert_eq!(fault(&three), Some((2, AuditFault::Changed)));

    let (_dir, four) = filled();
    put(&four, 8, &renumber(read(&four, 7), 8));
    assert_eq!(fault(&four), Some((8, AuditFault::Added)));

    let (_dir, five) = filled();
    five.core().tree().insert(key_of(2), &b"nothing that can be read"[..]).unwrap();
    assert_eq!(fault(&five), Some((2, AuditFault::Changed)));
}

#[test]
fn the_head_is_part_of_the_chain() {
    let head = key(META, b"audit-head");
    let (_dir, store) = filled();
    let old = store.core().tree().get(&head).unwrap().unwrap();
    store.audit(entry(8, "v000002")).unwrap();
    let new = store.core().tree().get(&head).unwrap().unwrap();
    // The head of an earlier moment: the entry after it is one too many.
    store.core().tree().insert(&head, old).unwrap();
    assert_eq!(fault(&store), Some((8, AuditFault::Added)));
    let text = String::from_utf8(unwrap(&head, &new).unwrap().1.to_vec()).unwrap();
    let forged = text.replace("\"last\":8", "\"last\":5");
    assert_ne!(forged, text);
    store.core().tree().insert(&head, wrap(&head, VERSION, forged.as_bytes())).unwrap();
    assert_eq!(fault(&store), Some((1, AuditFault::Head)));
    store.core().tree().remove(&head).unwrap();
    assert_eq!(fault(&store), Some((1, AuditFault::Head)));
    store.core().tree().insert(&head, new).unwrap();
    assert_eq!(fault(&store), None);
}

#[test]
fn an_erased_user_leaves_the_log_and_the_chain_holds() {
    let (_dir, store) = filled();
    let before = store.verify_audit(None).unwrap();
    assert_eq!(store.rename_audit_target("user-a", "erased").unwrap(), 2);
    let after = store.verify_audit(Some(before.head.as_deref().unwrap())).unwrap();
    assert_eq!(after, AuditVerification { erased: 2, ..before });
    let page = store.list_docs::<AuditEntry>(DocKind::Audit, Order::Oldest, None, 100).unwrap();
    assert_eq!(page.items[2].target, "erased");
    assert!(page.items.iter().all(|entry| entry.target != "user-a"));
    // The salt is gone with the target: a guess of the target cannot be checked against the commitment.
    let stored = serde_json::to_string(&read(&store, 3)).unwrap();
    assert!(!stored.contains("salt") && !stored.contains("user-a"), "{stored}");
    assert_eq!(store.rename_audit_target("user-a", "erased").unwrap(), 0);
    // Only the daemon can rename a target: the mark is for one entry and one name.
    let mut other = read(&store, 3);
    other.entry.target = "somebody else".into();
    let own = read(&store, 3);
    put(&store, 3, &other);
    assert_eq!(fault(&store), Some((3, AuditFault::Changed)));
    put(&store, 3, &own);
    let mark = read(&store, 3).link.unwrap().proof;
    rewrite(&store, 4, |stored| {
        stored.entry.target = "erased".into();
        stored.link.as_mut().unwrap().proof = mark;
    });
    assert_eq!(fault(&store), Some((4, AuditFault::Changed)));
}

#[test]
fn entries_of_an_old_store_are_the_unchecked_beginning() {
    let (_dir, store) = store();
    assert!(store.verify_audit(None).unwrap().intact);
    for seq in 1..=3 {
        let old = AuditEntry { seq: store.next_number(DocKind::Audit).unwrap(), ..entry(seq, "user-a") };
        store.put_doc(DocKind::Audit, &number_key(seq), &old).unwrap();
    }
    let found = store.verify_audit(None).unwrap();
    assert_eq!((found.intact, found.unchained, found.first), (true, 3, None));
    store.audit(entry(4, "user-a")).unwrap();
    let found = store.verify_audit(None).unwrap();
    assert_eq!((found.intact, found.unchained, found.first, found.last), (true, 3, Some(4), Some(4)));
    assert_eq!(store.rename_audit_target("user-a", "erased").unwrap(), 4);
    assert_eq!(fault(&store), None);
}

#[test]
fn another_key_makes_no_entry_of_this_chain() {
    let (_dir, mine) = filled();
    let (_other, theirs) = {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store"), Key::from_bytes([8; 32])).unwrap();
        (1..=7).for_each(|n| drop(store.audit(entry(n, "v000001")).unwrap()));
        (dir, store)
    };
    assert_eq!(fault(&theirs), None);
    put(&mine, 4, &read(&theirs, 4));
    assert_eq!(fault(&mine), Some((4, AuditFault::Changed)));
}
