//! Replayed reasons on small shops.

use mercer_rank::{Dataset, IndexOptions};
use mercer_shared::wire::{Interaction, Item};

use super::*;
use crate::ingest::consent::api_origin;
use crate::ingest::write;
use crate::versions::test_app::TestApp;

/// Thirty shoppers of three tastes; each buys some of ten things of one category again and again.
fn shop() -> TestApp {
    let app = TestApp::new();
    let items = (0..40).map(|n| Item {
        category: vec![format!("c{}", n / 10)],
        ..Item::new(format!("i{n}").parse().unwrap(), format!("Thing {n}"))
    });
    assert!(write::items(&app, items.collect()).iter().all(Result::is_ok));
    let mut lines: Vec<Interaction> = Vec::new();
    for user in 0..30u32 {
        for visit in 0..8u32 {
            let item = user % 3 * 10 + (user * 7 + visit * visit * 3) % 10;
            let at = Timestamp::at(1_700_000_000_000 + i64::from(visit * 9 + user % 5) * 86_400_000);
            let line = serde_json::json!({"user": format!("u{user}"), "type": "purchase", "item": format!("i{item}"), "at": at});
            lines.push(serde_json::from_value(line).unwrap());
        }
    }
    assert!(write::interactions(&app, lines, &api_origin(None)).iter().all(Result::is_ok));
    {
        let mut shop = app.shop.lock();
        let rank = shop.view().rank.clone();
        let data = Dataset { log: &rank.log, catalogue: &rank.catalogue };
        let index = mercer_rank::CollaborativeIndex::fit(data, shop.view().last_event, &IndexOptions::default());
        shop.set_index(index, rank.log.len() as u64);
    }
    app.publish();
    app.set_warm();
    app
}

#[test]
fn stated_ranks_come_true_and_the_order_of_reasons_beats_chance() {
    let app = shop();
    let request =
        FidelityRequest { lists: Some(12), refits: Some(6), limit_seconds: Some(3_600), ..Default::default() };
    let found = fidelity(&app, &request).unwrap();
    assert_eq!((found.lists, found.asked, found.rows), (12, 12, 120));
    assert!(found.validity.n >= 40, "{found:?}");
    assert_eq!((found.validity.share, found.valid), (Some(1.0), Some(true)), "{found:?}");
    assert!(found.validity.low.unwrap() > 0.9 && found.validity.high == Some(1.0), "{found:?}");
    assert!(found.explained.share.unwrap() > 0.3, "{found:?}");
    assert_eq!(found.explained.n, 120);
    assert_eq!(found.falls_after_refit.n, 6);
    let curve = found.deletion.unwrap();
    assert!(curve.gain >= 0.0 && curve.lists == 12 && curve.low.unwrap() <= curve.gain, "{curve:?}");
    assert_eq!((found.stability, found.incomplete), (Some(1.0), 0));
    let strongest: u64 = found.categories.iter().map(|count| count.strongest).sum();
    assert_eq!(strongest, (found.explained.share.unwrap() * 120.0).round() as u64);
    assert!(found.categories.iter().any(|count| count.category == ReasonCategory::OwnItem), "{found:?}");
    // The same seed is the same sample.
    let again = fidelity(&app, &request).unwrap();
    assert_eq!(ExplanationFidelity { seconds: 0.0, ..again }, ExplanationFidelity { seconds: 0.0, ..found });
}

#[test]
fn a_false_claim_is_counted() {
    let app = shop();
    let view = app.view();
    let asked = ListRequest::read(&app, &view, &ListQuery::default()).unwrap();
    let snapshot = snapshot::snapshot(&app, &view, asked.at, false);
    let scorer = Scorer::new(&view, &snapshot, asked.at);
    let sample = Sample { view: &view, snapshot: &snapshot, scorer: &scorer, asked: &asked };
    let user = view.user_number("u3").unwrap();
    let mut checked = sample.check(user, Duration::from_secs(3_600), 0).unwrap();
    assert!(!checked.claims.is_empty());
    checked.claims.iter_mut().for_each(|claim| claim.stated = Some(199));
    let found = summary(&[checked], 0);
    assert_eq!((found.validity.share, found.valid), (Some(0.0), Some(false)));
}

#[test]
fn limits_are_refused_and_an_empty_shop_has_no_numbers() {
    let app = shop();
    for request in [
        FidelityRequest { lists: Some(0), ..Default::default() },
        FidelityRequest { k: Some(101), ..Default::default() },
        FidelityRequest { refits: Some(1_001), ..Default::default() },
        FidelityRequest { limit_seconds: Some(0), ..Default::default() },
    ] {
        assert_eq!(fidelity(&app, &request).unwrap_err().code, Code::BadParameter);
    }
    let empty = TestApp::new();
    let found = fidelity(&empty, &FidelityRequest::default()).unwrap();
    assert_eq!((found.lists, found.validity.share, found.valid, found.deletion), (0, None, None, None));
}
