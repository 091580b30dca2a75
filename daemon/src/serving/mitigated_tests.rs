//! Lists whose rows a mitigation chose: only what goes out is explained, with the ranks of the model's list, and what it showed is recalled
//! after a start.

use std::collections::BTreeMap;

use mercer_shared::time::{DAY_MS, Timestamp};
use mercer_shared::wire::{
    Interaction, Item, ItemOwner, ListItem, ListQuery, MitigationSettings, Placement, ReasonCategory, ServedList,
};

use crate::background::refit::refit;
use crate::ingest::consent::api_origin;
use crate::ingest::write;
use crate::serving::{going_out, mitigations, recommend};
use crate::state::app::Peer;
use crate::state::config::Config;
use crate::state::served_exposure::ExposureWindow;
use crate::versions::test_app::TestApp;

const START: i64 = 1_700_000_000_000;

/// A shop of sixty items in two categories, in which low numbers sell most. Item 59 is new and was never sold.
fn shop() -> TestApp {
    let mut config = Config::default();
    config.serve.explain_ms = 3_600_000;
    let app = TestApp::with(config);
    let new_since = Timestamp::at(START + 33 * DAY_MS);
    let items = (0..60).map(|n| {
        let category = if n % 2 == 0 { "lamps" } else { "cups" };
        let available_from = (n == 59).then_some(new_since);
        let id = format!("{n}").parse().unwrap();
        let seller = Some(if n % 4 < 2 { "first" } else { "second" }.to_owned());
        Item { category: vec![category.to_owned()], available_from, seller, ..Item::new(id, format!("thing {n}")) }
    });
    assert!(write::items(&app, items.collect()).iter().all(Result::is_ok));
    let buy = |user: String, item: usize, day: usize| -> Interaction {
        let at = Timestamp::at(START + day as i64 * DAY_MS);
        serde_json::from_value(serde_json::json!({
            "user": user, "type": "purchase", "item": item.to_string(), "at": at
        }))
        .unwrap()
    };
    let mut lines = Vec::new();
    for user in 0..24 {
        for step in 0..5 {
            lines.push(buy(format!("u{user}"), (user % 6) * step * 2 + user % 3, user + step));
        }
    }
    lines.extend((0..59).map(|item| buy("everything".to_owned(), item, 1)));
    lines.extend((0..4).map(|item| buy("me".to_owned(), item * 2, 30 + item)));
    assert!(write::interactions(&app, lines, &api_origin(None)).iter().all(Result::is_ok));
    refit(&app);
    let settings: MitigationSettings = serde_json::from_str(
        r#"{"rerankers": [{"kind":"det_greedy","by":"category","shares":{"cups":0.5,"lamps":0.5}}]}"#,
    )
    .unwrap();
    mitigations::set(&app, Peer { uid: 0, gid: 0, pid: None }, &Placement::new("home").unwrap(), settings).unwrap();
    app
}

fn list(app: &TestApp, placement: &str, k: u32) -> ServedList {
    let at = Timestamp::at(app.view().last_event + 1_000);
    let placement = Some(placement.to_owned());
    let query = ListQuery { k: Some(k), reasons: Some(true), at: Some(at), placement, ..ListQuery::default() };
    recommend::user_list(app, "me", &query).unwrap()
}

#[test]
fn only_rows_that_go_out_are_explained() {
    let app = shop();
    let all = list(&app, "plain", 60).explanation.unwrap();
    let short = list(&app, "home", 5);
    assert!(short.items.iter().all(|row| row.id.as_str() != "59"), "{:?}", short.items);
    let scope = short.explanation.unwrap();
    // Nothing new goes out, so newness is no cause to try; among all candidates it is.
    assert_eq!((scope.others_tried, all.others_tried), (2, 3));
    assert_eq!((scope.own, scope.own_tried, scope.complete), (all.own, all.own_tried, true));
}

#[test]
fn rows_have_the_reasons_of_their_place_in_the_models_list() {
    let app = shop();
    let plain = list(&app, "plain", 60);
    let place: BTreeMap<&str, (u32, &ListItem)> =
        plain.items.iter().zip(1..).map(|(row, at)| (row.id.as_str(), (at, row))).collect();
    let mut up = 0;
    for (row, to) in list(&app, "home", 10).items.iter().zip(1..) {
        let (from, before) = place[row.id.as_str()];
        assert_eq!(row.moved.as_ref().map(|moved| (moved.from, moved.to)), (from != to).then_some((from, to)));
        let (rules, others): (Vec<_>, Vec<_>) =
            row.reasons.iter().cloned().partition(|reason| reason.category == ReasonCategory::Rule);
        assert_eq!(others, before.reasons, "{row:?}");
        assert_eq!(rules.len(), usize::from(to < from), "{row:?}");
        assert_eq!(rules.first(), row.reasons.first().filter(|_| to < from));
        assert_eq!(row.unexplained.is_some(), row.reasons.is_empty(), "{row:?}");
        assert!(others.iter().all(|reason| reason.rank == Some(from)), "{row:?}");
        up += rules.len();
    }
    assert!(up > 0);
}

#[test]
fn a_pair_is_no_reason_of_a_row_that_one_cause_moves() {
    let list = list(&shop(), "plain", 60);
    assert!(list.explanation.unwrap().pairs_tried > 0);
    // A pair says that the row stays without one of the two.
    for row in &list.items {
        let pairs = row.reasons.iter().filter(|reason| reason.together_with.is_some()).count();
        assert!(pairs == 0 || pairs == row.reasons.len(), "{:?}", row.reasons);
    }
}

#[test]
fn exposure_is_recalled_from_days_as_it_was_counted_by_lists() {
    let app = shop();
    let settings = |text: &str| -> MitigationSettings { serde_json::from_str(text).unwrap() };
    let floors = settings(r#"{"rerankers": [{"kind":"exposure","by":"seller","caps":{"*":0.9}}]}"#);
    let peer = Peer { uid: 0, gid: 0, pid: None };
    mitigations::set(&app, peer, &Placement::new("home").unwrap(), floors).unwrap();
    let query =
        |placement: &str| ListQuery { k: Some(5), placement: Some(placement.to_owned()), ..ListQuery::default() };
    for user in ["me", "u1", "u2"] {
        recommend::user_list(&app, user, &query("home")).unwrap();
        recommend::user_list(&app, user, &query("mail")).unwrap();
    }
    let names = ["first".to_owned(), "second".to_owned()];
    let shown = || {
        let window = ExposureWindow { by: ItemOwner::Seller, names: &names, days: 2 };
        app.mitigations.served.totals("home", app.view().now(), window)
    };
    let counted = shown();
    assert!(counted.total > 0.0 && counted.of.iter().sum::<f64>() > 0.0, "{counted:?}");
    app.served_log.flush(&app.store).unwrap();
    // From the lists of a day that is not over, and then from its totals.
    for today in [0, i64::MAX] {
        app.served_log.fold(&app.store, today).unwrap();
        app.mitigations.served.forget("home");
        going_out::recall(&app).unwrap();
        let recalled = shown();
        assert!((recalled.total - counted.total).abs() < 1e-9, "{recalled:?} {counted:?}");
        assert!(recalled.of.iter().zip(&counted.of).all(|(a, b)| (a - b).abs() < 1e-9), "{recalled:?} {counted:?}");
    }
    let days = app.store.served_days().unwrap();
    assert!(!days.is_empty() && days.iter().all(|day| app.store.served_day(*day).unwrap().is_some()));
}
