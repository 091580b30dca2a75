//! Stores, interactions, items and users for the store's tests.
#![allow(dead_code, reason = "every test file uses its own part")]

use mercer_shared::ids::{ItemId, UserId};
use mercer_shared::time::Timestamp;
use mercer_shared::wire::{ExportLine, Interaction, InteractionType, Item, User};
use mercer_store::{Appended, Change, ConsentOrigin, Key, Store, StoreError};

/// The key of all tests.
pub(crate) fn key() -> Key {
    Key::from_bytes(std::array::from_fn(|index| index as u8))
}

/// A view at so many milliseconds.
pub(crate) fn view(user: &str, item: &str, at: i64) -> Interaction {
    Interaction {
        id: None,
        user: Some(user.parse().unwrap()),
        session: None,
        kind: InteractionType::View,
        item: Some(item.parse().unwrap()),
        query: None,
        query_id: None,
        value: None,
        text: None,
        position: None,
        at: Timestamp::from_millis(at).unwrap(),
        source: None,
    }
}

/// The `n`-th line of a log that has a bit of everything; no two are the same.
pub(crate) fn shop_line(n: u64) -> Interaction {
    let kind = InteractionType::ALL[(n % 11) as usize];
    Interaction {
        id: n.is_multiple_of(3).then(|| format!("event-{n}").parse().unwrap()),
        user: (n % 5 != 4).then(|| format!("shopper-{}", n / 7 % 23).parse().unwrap()),
        session: (n % 5 == 4).then(|| format!("visit-{}", n % 31).parse().unwrap()),
        kind,
        item: (kind != InteractionType::Search).then(|| format!("item-{}", n % 97).parse().unwrap()),
        query: (kind == InteractionType::Search).then(|| format!("红色 lamp {n}")),
        query_id: (n % 4 == 1).then(|| format!("q{n}")),
        value: n.is_multiple_of(2).then_some(n as f64 / 3.0),
        text: (kind == InteractionType::Review).then(|| "nice and warm ".repeat(20)),
        position: (n % 6 == 2).then_some(n as u32 % 50 + 1),
        at: Timestamp::from_millis(1_300_000_000_000 + n as i64 * 1_000).unwrap(),
        source: (!n.is_multiple_of(8)).then(|| format!("source-{}", n % 2)),
    }
}

/// An item with nothing but a title.
pub(crate) fn item(id: &str) -> Item {
    Item::new(ItemId::new(id).unwrap(), format!("Title of {id}"))
}

/// A new store, and the directory that it lives in.
pub(crate) fn fresh() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("store"), key()).unwrap();
    (dir, store)
}

/// A user with one attribute who says nothing of consent.
pub(crate) fn user(id: &str) -> User {
    User { attributes: [("region".to_owned(), "north".to_owned())].into(), ..User::new(UserId::new(id).unwrap()) }
}

/// The export of a store, one JSON document a line.
pub(crate) fn text(store: &Store) -> Vec<String> {
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
pub(crate) fn load(store: &Store, lines: &[String]) -> usize {
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
    let users = store.put_users(users, &ConsentOrigin::default()).unwrap();
    let interactions = store.append(interactions);
    documents.iter().filter(|change| **change != Change::Same).count()
        + users.iter().filter(|written| written.as_ref().is_ok_and(|written| written.change != Change::Same)).count()
        + interactions.iter().filter(|outcome| matches!(outcome, Ok(Appended::Accepted(_)))).count()
}

/// The ids of all items, in the store's order.
pub(crate) fn ids(store: &Store) -> Vec<String> {
    store.items().map(|item| item.unwrap().id.to_string()).collect()
}
