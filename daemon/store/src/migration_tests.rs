//! Stores of other schemas, opened whole.

use crate::error::StoreError;
use crate::keys::{Key, Keyring};
use crate::migrate::{SCHEMA, found, schema_key, schema_record};
use crate::record::wrap;
use crate::store::Store;

#[test]
fn a_store_of_tomorrow_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let open = || Store::open(&path, Key::from_bytes([7; 32]));
    drop(open().unwrap());
    let db = sled::Config::new().path(path.join("sled")).segment_size(2 << 20).open().unwrap();
    let (key, bytes) = schema_record(SCHEMA + 1);
    db.insert(key, bytes).unwrap();
    drop(db);
    for _ in 0..2 {
        let refused = open().unwrap_err();
        assert_eq!(refused, StoreError::NewerSchema { found: SCHEMA + 1, supported: SCHEMA });
        assert_eq!(refused.code().as_str(), "newer-schema");
    }
}

/// A store of schema 1 as that program wrote it: items and users without arrival numbers, three interactions.
fn store_of_schema_one(path: &std::path::Path, store_key: &Key) {
    use crate::layout::{ITEM, META, USER, USER_NAME, key, pseudonym_key};
    use crate::record::Record;

    let keys = Keyring::new(store_key);
    let db = sled::Config::new().path(path.join("sled")).segment_size(2 << 20).open().unwrap();
    let put = |at: &[u8], payload: &[u8]| drop(db.insert(at, wrap(at, 1, payload)).unwrap());
    put(&key(META, b"key-check"), &keys.check());
    put(&schema_key(), &1_u32.to_le_bytes());
    for id in ["b", "a", "c"] {
        let item = mercer_shared::wire::Item::new(id.parse().unwrap(), id);
        put(&key(ITEM, id.as_bytes()), &crate::record::ItemV1::from_wire(item).unwrap().1.payload().unwrap());
    }
    for id in ["zoe", "ann"] {
        let pseudonym = keys.user(&id.parse().unwrap());
        put(&pseudonym_key(USER_NAME, &pseudonym), &keys.seal(&pseudonym, id).unwrap());
        put(&pseudonym_key(USER, &pseudonym), &crate::user_record::UserV1::default().payload().unwrap());
    }
    db.flush().unwrap();
}

#[test]
fn a_store_of_schema_one_is_read_and_goes_on_in_order_of_arrival() {
    use mercer_shared::wire::{Item, User};

    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    std::fs::create_dir(&path).unwrap();
    let key = Key::from_bytes([7; 32]);
    store_of_schema_one(&path, &key);
    let item = |id: &str| Item::new(id.parse().unwrap(), id);
    let user = |id: &str| User::new(id.parse().unwrap());

    let open = || Store::open(&path, key.clone()).unwrap();
    let items = |store: &Store| store.items().map(|item| item.unwrap().id.to_string()).collect::<Vec<_>>();
    let users = |store: &Store| store.users().map(|user| user.unwrap().id.to_string()).collect::<Vec<_>>();
    let store = open();
    assert_eq!(items(&store), ["a", "b", "c"], "what has no number stands in order of its key");
    let old_users = users(&store);
    assert_eq!(old_users.len(), 2);

    // What is written now comes after, whatever its key; an old item that changes keeps its place.
    store.put_items(vec![item("B"), item("A")]).unwrap();
    store.put_items(vec![Item { hidden: true, ..item("b") }]).unwrap();
    store.put_users(vec![user("new-2"), user("new-1")], &Default::default()).unwrap();
    drop(store);
    let store = open();
    assert_eq!(items(&store), ["a", "b", "c", "B", "A"]);
    assert_eq!(users(&store), [old_users, vec!["new-2".to_owned(), "new-1".to_owned()]].concat());
    assert_eq!(found(&store.core().tree()).unwrap(), Some(SCHEMA));
}
