//! The data report over a log with planted bias, over one without showings, and over none.

use mercer_shared::time::Timestamp;
use mercer_shared::wire::{Interaction, Item, Report, ReportKind, ReportRow, User, Verdict};
use serde_json::json;

use crate::ingest::consent::api_origin;
use crate::ingest::{users, write};
use crate::reports::data;
use crate::versions::test_app::TestApp;

const DAY: i64 = 86_400_000;
const START: i64 = 1_700_000_000_000;

/// A repeatable stream of numbers in [0, 1).
struct Dice(u64);

impl Dice {
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.unit() * bound as f64) as usize
    }
}

fn line(user: &str, kind: &str, item: usize, at: i64) -> serde_json::Value {
    json!({"user": user, "type": kind, "item": format!("i{item}"), "at": Timestamp::at(START + at)})
}

/// Purchases of 150 people over 100 days.
fn organic(dice: &mut Dice) -> Vec<serde_json::Value> {
    let mut lines = Vec::new();
    for user in 0..150 {
        for _ in 0..8 + dice.below(8) {
            let at = (dice.unit() * 100.0 * DAY as f64) as i64;
            lines.push(line(&format!("u{user}"), "purchase", dice.below(30), at));
        }
    }
    lines
}

/// Lists of three, of which half the items are clicked on the first position and fewer below, and a fifth is bought within days because
/// it was shown.
fn shown(dice: &mut Dice) -> Vec<serde_json::Value> {
    let mut lines = Vec::new();
    for user in 0..150 {
        for visit in 0..4 {
            let at = (20 + 15 * visit) * DAY + (dice.unit() * DAY as f64) as i64;
            for (position, examined) in [1.0, 0.5, 0.25].into_iter().enumerate() {
                let (who, item) = (format!("u{user}"), (dice.below(10) * 3 + position + visit as usize) % 30);
                let mut seen = line(&who, "impression", item, at);
                seen["query_id"] = json!(format!("list-{user}-{visit}"));
                seen["position"] = json!(position + 1);
                let mut click = line(&who, "click", item, at + 60_000);
                click["query_id"] = seen["query_id"].clone();
                lines.push(seen);
                if dice.unit() < 0.5 * examined {
                    lines.push(click);
                }
                if dice.unit() < 0.2 {
                    lines.push(line(&who, "purchase", item, at + 3_600_000 + dice.below(5) as i64 * DAY));
                }
            }
        }
    }
    lines
}

/// Programs that look at an item every minute of one afternoon.
fn bots() -> Vec<serde_json::Value> {
    (0..5)
        .flat_map(|bot| (0..120).map(move |n| line(&format!("bot{bot}"), "view", n % 30, n as i64 * 60_000)))
        .collect()
}

fn report(lines: Vec<serde_json::Value>, people: Vec<User>) -> Report {
    let app = TestApp::new();
    let items = (0..30).map(|n| Item::new(format!("i{n}").parse().unwrap(), format!("lamp {n}"))).collect();
    assert!(write::items(&app, items).iter().all(Result::is_ok));
    let origin = api_origin(None);
    assert!(users::users(&app, people, &origin).iter().all(Result::is_ok));
    let lines: Vec<Interaction> = lines.into_iter().map(|line| serde_json::from_value(line).unwrap()).collect();
    assert!(write::interactions(&app, lines, &origin).iter().all(Result::is_ok));
    app.publish();
    let view = app.view();
    let mut report = Report::new(ReportKind::Data, view.model.meta.version.clone(), Timestamp::now());
    data::rows(&app, &view, &view.training_log(), &mut report).unwrap();
    report
}

fn row<'a>(report: &'a Report, name: &str) -> &'a ReportRow {
    report.rows.iter().find(|row| row.name == name).unwrap_or_else(|| panic!("no {name} in {report:#?}"))
}

fn declared(name: String, region: &str) -> User {
    serde_json::from_value(json!({
        "id": name, "attributes": {"region": region}, "consent": {"audit_attributes": true, "train": true}
    }))
    .unwrap()
}

#[test]
fn planted_bots_showings_positions_and_missing_groups_are_found() {
    let mut dice = Dice(3);
    let mut lines = organic(&mut dice);
    lines.extend(shown(&mut dice));
    lines.extend(bots());
    let people = (0..60).map(|n| declared(format!("u{n}"), if n < 55 { "north" } else { "south" })).collect();
    let report = report(lines, people);
    assert!([150, 160].contains(&report.users), "155 is rounded: {}", report.users);
    let bots = row(&report, "bots/users");
    assert!(bots.low.unwrap() > 0.001 && bots.verdict == Some(Verdict::AboveNoise), "{bots:?}");
    assert!(row(&report, "bots/interactions").value.unwrap() > 0.15);
    let top = row(&report, "users/top-1%");
    assert!(top.low.unwrap() <= top.value.unwrap() && top.value.unwrap() <= top.high.unwrap(), "{top:?}");
    let lift = row(&report, "showing-lift");
    assert!(lift.low.unwrap() > 1.0 && lift.verdict == Some(Verdict::AboveNoise), "{lift:?}");
    let third = row(&report, "examination/3");
    assert!(third.high.unwrap() < 1.0 && third.verdict == Some(Verdict::AboveNoise), "{third:?}");
    let known = row(&report, "known/region");
    assert!(
        (known.value.unwrap() - 60.0 / 155.0).abs() < 0.011 && known.verdict == Some(Verdict::AboveNoise),
        "{known:?}"
    );
    assert!(
        report.notes.iter().any(|note| note.starts_with("region: some groups have fewer than 30")),
        "{:?}",
        report.notes
    );
    // Nothing in it names a person or a small group.
    let text = serde_json::to_string(&report).unwrap();
    assert!(!text.contains("south") && !text.contains("u17") && !text.contains("bot3"));
}

#[test]
fn an_organic_log_is_not_accused_and_says_what_it_cannot_tell() {
    let report = report(organic(&mut Dice(5)), Vec::new());
    // Thirty items are too few for a verdict on bursts.
    assert_eq!(row(&report, "bursts/items").verdict, Some(Verdict::InsufficientData));
    for name in ["bots/users", "users/top-1%", "label-shift"] {
        assert_eq!(row(&report, name).verdict, Some(Verdict::WithinNoise), "{:?}", row(&report, name));
    }
    for name in ["showing-lift", "examination"] {
        let row = row(&report, name);
        assert!(row.value.is_none() && row.undefined.is_some(), "{row:?}");
        assert_eq!(row.verdict, Some(Verdict::InsufficientData));
    }
    assert!(report.notes.iter().any(|note| note.contains("missing groups cannot be seen")));
}

#[test]
fn an_empty_log_has_a_note_and_no_numbers() {
    let report = report(Vec::new(), Vec::new());
    assert!(report.rows.is_empty() && report.from.is_none());
    assert!(report.notes[0].contains("no interaction"), "{:?}", report.notes);
}
