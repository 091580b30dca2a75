//! The promises of the store, one test each: idempotence, exact export and import, tombstones, the lock, refusals.

#[path = "../common/mod.rs"]
mod common;
mod documents;
mod erasure;
mod interactions;
mod opening;

use mercer_shared::ids::UserId;
use mercer_shared::wire::{Consent, ExportLine, User};
use mercer_store::{Appended, Change, Store, StoreError};

use common::key;

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
