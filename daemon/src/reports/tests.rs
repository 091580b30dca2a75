//! Reports end to end over the library, on a shop with planted truths.

use mercer_shared::time::Timestamp;
use mercer_shared::wire::{ConsentChoice, GroupTable, Interaction, Item, Report, ReportKind, ReportRow, User, Verdict};

use crate::ingest::consent::api_origin;
use crate::ingest::{users, write};
use crate::reports::report::report;
use crate::versions::test_app::TestApp;

const DAY: i64 = 86_400_000;
const SHOPPERS: usize = 240;
/// Shoppers of the region that is served worse: in the window they buy what nobody could foresee.
const HARMED: std::ops::Range<usize> = 0..40;
/// Shoppers who refused personalisation.
const REFUSED: std::ops::Range<usize> = 200..240;
const ITEMS: usize = 60;

fn name(shopper: usize) -> String {
    format!("u{shopper:03}")
}

/// Everybody buys a favourite item each week for twelve weeks. In the last week those of [`HARMED`] buy something else.
fn shop() -> TestApp {
    let app = TestApp::new();
    let item = |number: usize| Item {
        seller: Some(format!("seller {}", number % 3)),
        brand: Some(format!("brand {}", number % 5)),
        category: vec![format!("category {}", number % 4)],
        price: Some(number as f64 + 1.0),
        ..Item::new(format!("i{number:02}").parse().unwrap(), format!("thing number {number}"))
    };
    assert!(write::items(&app, (0..ITEMS).map(item).collect()).iter().all(Result::is_ok));
    let user = |shopper: usize| {
        let region = if HARMED.contains(&shopper) { "harmed" } else { ["north", "south"][shopper % 2] };
        let consent = ConsentChoice {
            personalise: REFUSED.contains(&shopper).then_some(false),
            audit_attributes: shopper.is_multiple_of(2).then_some(true),
            ..ConsentChoice::UNSAID
        };
        let attributes = [("region".to_owned(), region.to_owned())].into();
        User { attributes, consent, ..User::new(name(shopper).parse().unwrap()) }
    };
    assert!(users::users(&app, (0..SHOPPERS).map(user).collect(), &api_origin(None)).iter().all(Result::is_ok));
    let mut lines = Vec::new();
    for shopper in 0..SHOPPERS {
        for week in 0..12 {
            let favourite = shopper % 50;
            let surprise = week == 11 && HARMED.contains(&shopper);
            let item = if surprise { 50 + shopper % 10 } else { favourite };
            let at = 1_600_000_000_000 + (week * 7 + shopper as i64 % 6) * DAY;
            lines.push(serde_json::json!({"user": name(shopper), "type": "purchase", "item": format!("i{item:02}"), "at": Timestamp::at(at)}));
        }
    }
    let lines: Vec<Interaction> = serde_json::from_value(serde_json::Value::Array(lines)).unwrap();
    assert!(write::interactions(&app, lines, &api_origin(None)).iter().all(Result::is_ok));
    app.publish();
    app
}

fn table<'a>(report: &'a Report, attribute: &str) -> &'a GroupTable {
    report.groups.iter().find(|table| table.attribute == attribute).unwrap()
}

fn mean(table: &GroupTable, group: &str) -> f64 {
    table.groups.iter().find(|row| row.group == group).and_then(|row| row.mean).unwrap()
}

fn row<'a>(rows: &'a [ReportRow], name: &str) -> &'a ReportRow {
    rows.iter().find(|row| row.name == name).unwrap_or_else(|| panic!("no row {name}"))
}

#[test]
fn the_fairness_report_finds_what_was_planted_and_measures_what_is_served() {
    let app = shop();
    let fairness = report(&app, ReportKind::Fairness, None).unwrap();
    let region = table(&fairness, "region");
    assert_eq!((region.worst.as_deref(), region.verdict), (Some("harmed"), Verdict::AboveNoise), "{region:#?}");
    // Refusers get the list of an unknown visitor, in which their favourite has no special place.
    let personalisation = table(&fairness, "personalisation");
    assert!(mean(personalisation, "refused") < 0.5 * mean(personalisation, "agreed"), "{personalisation:#?}");
    assert!(fairness.items.iter().any(|table| table.by == "seller" && table.groups.len() == 3), "{:?}", fairness.items);
    assert!(
        fairness.notes.iter().any(|note| note.starts_with("consent: ") && note.contains("50 % to the use of")),
        "{:?}",
        fairness.notes
    );
    assert_eq!(row(&fairness.rows, "report-health").number, Some(12));

    // A refusal changes the next report, though nobody bought anything.
    let refusal = User {
        consent: ConsentChoice { personalise: Some(false), ..ConsentChoice::UNSAID },
        ..User::new(name(199).parse().unwrap())
    };
    assert!(users::users(&app, vec![refusal], &api_origin(None)).iter().all(Result::is_ok));
    app.publish();
    let after = report(&app, ReportKind::Fairness, None).unwrap();
    let refused =
        |report: &Report| table(report, "personalisation").groups.iter().find(|row| row.group == "refused").unwrap().n;
    assert!(fairness != after && refused(&fairness) == Some(40));
    assert!(matches!(refused(&after), Some(40 | 50)), "41 is told in tens: {:?}", refused(&after));
}

#[test]
fn who_refused_training_is_a_group_of_its_own_and_in_no_other_number() {
    let app = shop();
    let before = report(&app, ReportKind::Fairness, None).unwrap();
    assert!(before.groups.iter().all(|table| table.attribute != "training"));
    let refusal = |shopper: usize| User {
        consent: ConsentChoice { train: Some(false), ..ConsentChoice::UNSAID },
        ..User::new(name(shopper).parse().unwrap())
    };
    assert!(users::users(&app, (100..140).map(refusal).collect(), &api_origin(None)).iter().all(Result::is_ok));
    app.publish();
    let after = report(&app, ReportKind::Fairness, None).unwrap();
    let training = table(&after, "training");
    let refused = training.groups.iter().find(|row| row.group == "refused").unwrap();
    assert_eq!((refused.n, after.users), (Some(40), 200));
    // They are served from their own history as before, though nothing is learned from them.
    assert!(refused.mean.unwrap() > 0.1, "{training:#?}");
    assert!(after.notes.iter().any(|note| note.starts_with("training: ")), "{:?}", after.notes);
    let personalisation: u64 = table(&after, "personalisation").groups.iter().filter_map(|row| row.n).sum();
    assert_eq!(personalisation, 200);

    // Fewer than ten of them are not told.
    let back = |shopper: usize| User {
        consent: ConsentChoice { train: Some(true), ..ConsentChoice::UNSAID },
        ..User::new(name(shopper).parse().unwrap())
    };
    assert!(users::users(&app, (107..140).map(back).collect(), &api_origin(None)).iter().all(Result::is_ok));
    app.publish();
    let few = report(&app, ReportKind::Fairness, None).unwrap();
    let hidden = table(&few, "training").groups.iter().find(|row| row.suppressed).unwrap();
    assert_eq!((hidden.n, hidden.mean, hidden.low), (None, None, None));
}

#[test]
fn one_consent_to_audits_is_not_read_from_two_fairness_reports() {
    let app = shop();
    let before = report(&app, ReportKind::Fairness, None).unwrap();
    let refusal = User {
        consent: ConsentChoice { audit_attributes: Some(false), ..ConsentChoice::UNSAID },
        ..User::new(name(60).parse().unwrap())
    };
    assert!(users::users(&app, vec![refusal], &api_origin(None)).iter().all(Result::is_ok));
    app.publish();
    let after = report(&app, ReportKind::Fairness, None).unwrap();
    for report in [&before, &after] {
        for table in &report.groups {
            for row in &table.groups {
                assert!(row.n.is_none_or(|n| n.is_multiple_of(10)), "{row:?}");
                for number in [row.mean, row.low, row.high].into_iter().flatten() {
                    assert!((number * 1_000.0 - (number * 1_000.0).round()).abs() < 1e-6, "{row:?}");
                }
            }
        }
    }
    let sizes = |report: &Report| -> Vec<(String, u64)> {
        let rows = table(report, "region").groups.iter();
        rows.filter_map(|row| Some((row.group.clone(), row.n?))).collect()
    };
    for (one, other) in sizes(&before).iter().zip(&sizes(&after)) {
        assert!(one.0 == other.0 && one.1.abs_diff(other.1) <= 10, "{one:?} and {other:?}");
    }
}

#[test]
fn the_quality_report_has_the_12_numbers_and_a_verdict_in_every_row() {
    let app = shop();
    let quality = report(&app, ReportKind::Quality, None).unwrap();
    let numbers: std::collections::BTreeSet<u8> = quality.summary.iter().filter_map(|row| row.number).collect();
    assert_eq!(numbers.into_iter().collect::<Vec<_>>(), (1..=12).collect::<Vec<_>>());
    assert!(quality.rows.iter().all(|row| row.verdict.is_some()), "{:#?}", quality.rows);
    assert_eq!(row(&quality.rows, "ndcg@10/repeat").verdict, Some(Verdict::BetterThanPopularity));
    assert!(quality.summary.iter().all(|row| row.value.is_some() != row.undefined.is_some()), "{:#?}", quality.summary);
    let diversity = report(&app, ReportKind::Diversity, None).unwrap();
    let ild = row(&diversity.rows, "ild@10");
    assert!(ild.reference.as_ref().unwrap().label.contains("random pairs") && ild.low < ild.value, "{ild:?}");
    let shown =
        row(&diversity.rows, "coverage@10").value.unwrap() + row(&diversity.rows, "never-shown@10").value.unwrap();
    assert!((shown - 1.0).abs() < 1e-12);
}

#[test]
fn a_log_without_a_window_and_one_without_shoppers_say_so() {
    let app = TestApp::new();
    for kind in [ReportKind::Quality, ReportKind::Diversity, ReportKind::Fairness] {
        let empty = report(&app, kind, None).unwrap();
        assert!(empty.rows.is_empty() && empty.notes[0].starts_with("empty window: "), "{empty:?}");
    }
}

#[test]
fn showings_that_were_clicked_are_told_from_others_by_the_scores() {
    let app = shop();
    let none = report(&app, ReportKind::Quality, None).unwrap();
    for name in ["auc", "gauc"] {
        assert!(
            row(&none.rows, name).undefined.as_ref().unwrap().contains("no showings"),
            "{:?}",
            row(&none.rows, name)
        );
    }
    // In the last week each shopper is shown the favourite, which is clicked, and two other items.
    let mut lines = Vec::new();
    for shopper in 60..160 {
        let favourite = shopper % 50;
        let at = 1_600_000_000_000 + 77 * DAY + shopper as i64 * 1_000;
        for (n, item) in [favourite, (favourite + 7) % 50, (favourite + 19) % 50].into_iter().enumerate() {
            let seen = serde_json::json!({"user": name(shopper), "type": "impression", "item": format!("i{item:02}"), "at": Timestamp::at(at)});
            lines.push(seen);
            if n == 0 {
                lines.push(serde_json::json!({"user": name(shopper), "type": "click", "item": format!("i{item:02}"), "at": Timestamp::at(at + 1_000)}));
            }
        }
    }
    let lines: Vec<Interaction> = serde_json::from_value(serde_json::Value::Array(lines)).unwrap();
    assert!(write::interactions(&app, lines, &api_origin(None)).iter().all(Result::is_ok));
    app.publish();
    let quality = report(&app, ReportKind::Quality, None).unwrap();
    let gauc = row(&quality.rows, "gauc");
    assert!(gauc.value.unwrap() > 0.9 && gauc.n == 100, "the favourite stands first for its shopper: {gauc:?}");
    assert_eq!(gauc.verdict, Some(Verdict::BetterThanPopularity));
    let auc = row(&quality.rows, "auc");
    assert!(auc.low <= auc.value && auc.value > auc.baseline && auc.baseline.is_some(), "{auc:?}");
}
