//! Opening a store: the lock, unusable directories, a full disk, the key.

use std::fs;
use std::path::Path;

use mercer_shared::problem::Code;
use mercer_store::{DocKind, Key, Options, Store, StoreError};

use crate::common::{item, key, view};
use crate::fresh;

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
