//! Documents of the wire for tests, and reading of line-by-line output.

use mercer_shared::time::Timestamp;
use mercer_shared::wire::{Interaction, Item};
use serde_json::{Value, json};

/// A moment of the shops the tests make.
///
/// # Panics
/// If the text is no time.
#[must_use]
pub fn at(text: &str) -> Timestamp {
    text.parse().unwrap_or_else(|_| panic!("`{text}` is no time"))
}

/// An interaction of a shopper with an item, in May 2024.
///
/// # Panics
/// If an id is against the rules.
#[must_use]
pub fn interaction(id: &str, user: &str, kind: &str, item: &str) -> Interaction {
    let document = json!({ "id": id, "user": user, "type": kind, "item": item, "at": "2024-05-01T10:00:00Z" });
    serde_json::from_value(document).expect("an interaction")
}

/// A purchase in May 2024.
#[must_use]
pub fn purchase(id: &str, user: &str, item: &str) -> Interaction {
    interaction(id, user, "purchase", item)
}

/// An item.
///
/// # Panics
/// If the id is against the rules.
#[must_use]
pub fn item(id: &str, title: &str) -> Item {
    serde_json::from_value(json!({ "id": id, "title": title })).expect("an item")
}

/// Output that has one document a line.
///
/// # Panics
/// If a line is no JSON.
#[must_use]
pub fn lines(text: &str) -> Vec<Value> {
    let parse = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    text.lines().map(parse).collect()
}
