//! `profiling=off`: two people with different histories get one list.

use mercer_shared::time::Timestamp;
use mercer_shared::wire::{Interaction, Item, ListQuery, Profiling, SearchRequest, ServedList, SessionRequest};

use crate::background::refit::refit;
use crate::ingest::consent::api_origin;
use crate::ingest::write;
use crate::serving::{recommend, search};
use crate::versions::test_app::TestApp;

const COLOURS: [&str; 2] = ["red", "blue"];

/// A shop in which Ada buys red things and Bea blue ones.
fn shop() -> TestApp {
    let app = TestApp::new();
    let items = (0..20).map(|n| {
        let colour = COLOURS[n % 2];
        Item {
            brand: Some(colour.to_owned()),
            ..Item::new(format!("{n}").parse().unwrap(), format!("{colour} lamp {n}"))
        }
    });
    assert!(write::items(&app, items.collect()).iter().all(Result::is_ok));
    let buy = |user: &str, item: usize, at: i64| -> Interaction {
        serde_json::from_value(serde_json::json!({
            "user": user, "type": "purchase", "item": item.to_string(), "at": Timestamp::at(at)
        }))
        .unwrap()
    };
    let mut lines = Vec::new();
    for (number, user) in ["ada", "bea", "cid", "dan"].into_iter().enumerate() {
        for item in (0..20).filter(|item| item % 2 == number % 2).skip(number / 2 * 3) {
            lines.push(buy(user, item, 1_700_000_000_000 + (item * 7 + number) as i64 * 3_600_000));
        }
    }
    assert!(write::interactions(&app, lines, &api_origin(None)).iter().all(Result::is_ok));
    refit(&app);
    app
}

fn rows(list: &ServedList) -> Vec<(String, u64)> {
    list.items.iter().map(|row| (row.id.to_string(), row.score.to_bits())).collect()
}

#[test]
fn two_people_get_one_list_without_profiling() {
    let app = shop();
    let list = |user: &str, profiling| {
        let query = ListQuery { profiling, k: Some(10), ..ListQuery::default() };
        recommend::user_list(&app, user, &query).unwrap()
    };
    assert_ne!(rows(&list("ada", None)), rows(&list("bea", None)), "their histories matter otherwise");
    let off = list("ada", Some(Profiling::Off));
    for other in ["bea", "nobody"] {
        let other = list(other, Some(Profiling::Off));
        assert_eq!(rows(&other), rows(&off));
        assert_eq!((&other.model, other.known, &other.notes), (&off.model, off.known, &off.notes));
    }
}

#[test]
fn two_visits_get_one_list_without_profiling() {
    let app = shop();
    let list = |item: &str, profiling| {
        let event = serde_json::json!({"session": "s", "type": "view", "item": item, "at": "2023-11-20T00:00:00Z"});
        let request = SessionRequest {
            events: vec![serde_json::from_value(event).unwrap()],
            list: ListQuery { profiling, k: Some(10), ..ListQuery::default() },
            ..SessionRequest::default()
        };
        recommend::session(&app, &request).unwrap()
    };
    assert_ne!(rows(&list("0", None)), rows(&list("1", None)));
    assert_eq!(rows(&list("0", Some(Profiling::Off))), rows(&list("1", Some(Profiling::Off))));
}

#[test]
fn two_people_get_the_same_hits_without_profiling() {
    let app = shop();
    let hits = |user: &str, profiling| {
        let request = SearchRequest {
            q: "lamp".to_owned(),
            user: Some(user.parse().unwrap()),
            profiling,
            ..SearchRequest::default()
        };
        search::search(&app, &request).unwrap()
    };
    let off = hits("ada", Some(Profiling::Off));
    assert!(!off.items.is_empty());
    assert_eq!(rows(&hits("bea", Some(Profiling::Off))), rows(&off));
    let anonymous = SearchRequest { q: "lamp".to_owned(), ..SearchRequest::default() };
    assert_eq!(rows(&search::search(&app, &anonymous).unwrap()), rows(&off));
}
