//! Times: units that are mixed, and places of refusals inside documents.

use mercer_shared::problem::Code;
use mercer_shared::wire::InteractionType;

use super::{has_note, operator, read, read_case, read_text, reason};
use crate::{counts, plan};

#[test]
fn seconds_among_milliseconds() {
    let (shop, report) = read_case("16-algolia.json", &plan("algolia-insights"));
    assert_eq!((report.lines, report.accepted), (6, 3), "{report:#?}");
    let cart = shop.interactions.iter().find(|line| line.kind == InteractionType::Cart).unwrap();
    assert_eq!(cart.at.to_string(), "2023-11-14T22:13:23Z");
    assert!(
        has_note(&report, &["`timestamp`: 1 times were read as seconds", "unix_ms", "1700000003"]),
        "{:?}",
        report.notes
    );
    assert!(reason(&report, Code::BadNumber).starts_with("events[1]: position: 0"), "{report:?}");
    assert!(reason(&report, Code::BadTime).starts_with("events[4]: timestamp: there is no time"), "{report:?}");
    let (shop, report) = read_case("17-ubi.ndjson", &plan("ubi"));
    let days: Vec<String> = shop.interactions.iter().map(|line| line.at.to_string()[..10].to_owned()).collect();
    assert_eq!(days, ["2024-10-23"; 4]);
    assert!(has_note(&report, &["1 times were read as seconds", "1729677600"]), "{:?}", report.notes);
    assert_eq!(counts(&report)["empty query"], 1);
}

#[test]
fn all_refusals_inside_a_document_name_their_place() {
    let event = |time: &str| {
        format!("{{\"eventType\":\"view\",\"userToken\":\"u\",\"objectIDs\":[\"p\"],\"timestamp\":{time}}}")
    };
    let events =
        [event("0"), event("1700000000000"), event("86400"), "{\"eventType\":\"view\"}".to_owned(), event("\"x\"")];
    let (_, report) = read(format!("{{\"events\":[{}]}}", events.join(",")), &plan("algolia-insights"));
    assert_eq!((report.lines, report.accepted), (5, 1));
    let times = reason(&report, Code::BadTime);
    for part in
        ["events[0]: timestamp: `0` means no time", "; events[2]: timestamp: `86400`", "; events[4]: timestamp: `x`"]
    {
        assert!(times.contains(part), "{times}");
    }
    assert!(reason(&report, Code::WrongType).starts_with("events[3]: the document has no `userToken`"), "{report:?}");
    let rows = "{\"eventType\":\"view\",\"userToken\":\"u\",\"objectIDs\":[\"p\",\"q\"],\"positions\":[1,0],\"timestamp\":1700000000000}";
    let (_, failure) = read_text(rows, &plan("algolia-insights"));
    assert!(failure.unwrap_err().report.rejected[0].reason.starts_with("objectIDs[1]: position"));
}

#[test]
fn microseconds_are_read() {
    let (shop, report) = read_case("13-ga4.jsonl", &operator("ga4"));
    assert_eq!((report.lines, report.accepted, counts(&report)["event without item"]), (4, 2, 2), "{report:#?}");
    assert!(has_note(&report, &["read as microseconds"]), "{:?}", report.notes);
    assert_eq!(shop.interactions[0].at.to_string(), "2024-02-01T00:00:00Z");
    assert_eq!((shop.interactions.len(), shop.items.len(), shop.interactions[2].value), (3, 2, Some(4.0)));
    let (shop, report) = read_case("13-ga4.jsonl", &plan("ga4"));
    assert_eq!((shop.interactions.len(), report.notes.len()), (3, 0), "{:?}", report.notes);
}

#[test]
fn epoch_zero_is_no_time() {
    let (shop, report) = read_case("09-UserBehavior.csv", &operator("taobao"));
    assert_eq!(
        (report.lines, report.accepted, counts(&report)["bad-time"], counts(&report)["type not mapped"]),
        (7, 3, 3, 1)
    );
    assert!(shop.interactions.iter().all(|line| line.at.to_string().starts_with("2017-11-2")));
    assert!(has_note(&report, &["`share` 1 (line 7)"]), "{:?}", report.notes);
}
