//! Interactions and items for the store's tests, all made from a number.
#![allow(dead_code, reason = "every test file uses its own part")]

use mercer_shared::ids::ItemId;
use mercer_shared::time::Timestamp;
use mercer_shared::wire::{Interaction, InteractionType, Item};
use mercer_store::Key;

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
