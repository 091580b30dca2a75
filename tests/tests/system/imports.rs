//! Imports account for every line, can be repeated, and come back out of an export.

use std::collections::BTreeSet;
use std::io::Write;

use mercer_tests::shop::SMALL;
use mercer_tests::{Daemon, eventually, item, lines, purchase};
use serde_json::Value;

/// Whether every line of a report is accounted for.
fn adds_up(report: &Value) -> bool {
    let sum =
        |name: &str| report[name].as_array().unwrap().iter().map(|row| row["count"].as_u64().unwrap()).sum::<u64>();
    let number = |name: &str| report[name].as_u64().unwrap();
    number("lines") == number("accepted") + number("duplicates") + sum("skipped") + sum("rejected")
}

#[test]
fn a_second_import_changes_nothing_and_an_export_makes_the_same_shop() {
    let daemon = Daemon::start();
    let file = SMALL.open(&daemon);
    let export = daemon.mercer_ok(&["export"]);
    let report = daemon.mercer_json(&["import", "--format", "ndjson", file.to_str().unwrap()]);
    assert!(adds_up(&report));
    assert_eq!(report["accepted"], 0, "{report}");
    assert_eq!(report["lines"], report["duplicates"], "{report}");
    assert_eq!(daemon.mercer_ok(&["export"]), export, "the second import changed something");

    let second = Daemon::start();
    let copy = second.file("export.ndjson", &export);
    second.mercer_ok(&["import", "--format", "ndjson", &copy]);
    let set = |text: &str| text.lines().map(str::to_owned).collect::<BTreeSet<_>>();
    let again = second.mercer_ok(&["export"]);
    assert_eq!(set(&again), set(&export));
    assert_eq!(again.lines().count(), export.lines().count());
    assert!(lines(&export).iter().all(|line| line.as_object().is_some_and(|object| object.len() == 1)));
}

#[test]
fn good_and_bad_lines_are_counted_apart() {
    let daemon = Daemon::start();
    let lamp = serde_json::to_string(&item("a", "Lamp")).unwrap();
    let text = [
        lamp.clone(),
        "{broken".to_owned(),
        r#"{"id":"b"}"#.to_owned(),
        lamp,
        r#"{"id":"c","title":"Bag","price":-1}"#.to_owned(),
    ]
    .join("\n");
    let file = daemon.file("items.ndjson", text);
    let arguments = ["import", "--format", "ndjson", &format!("items={file}")];
    let report = daemon.mercer_json(&arguments);
    assert!(adds_up(&report), "{report}");
    assert_eq!(
        (report["lines"].as_u64(), report["accepted"].as_u64(), report["duplicates"].as_u64()),
        (Some(5), Some(1), Some(1))
    );
    let codes: BTreeSet<&str> =
        report["rejected"].as_array().unwrap().iter().map(|row| row["code"].as_str().unwrap()).collect();
    assert_eq!(codes, BTreeSet::from(["bad-number", "broken-json", "wrong-type"]));
    assert_eq!(report["rejected"][0]["first_lines"][0], 2, "{report}");
    assert_eq!(daemon.mercer(&[&arguments[..], &["--strict"]].concat()).status.code(), Some(1));
}

#[test]
fn a_preset_reads_a_shop_log_and_a_dry_run_writes_nothing() {
    let daemon = Daemon::start();
    let csv = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n\
        1,10002A,RED LAMP,6,2010-12-01 08:26:00,2.55,17850,United Kingdom\n\
        C2,10002A,RED LAMP,-1,2010-12-02 09:00:00,2.55,17850,United Kingdom\n\
        3,POST,POSTAGE,1,2010-12-02 09:10:00,18.00,17850,United Kingdom\n\
        4,22222B,BLUE LAMP,1,2010-12-03 09:10:00,3.00,,United Kingdom\n\
        5,10002A,RED LAMP,x,2010-12-03 09:10:00,3.00,17850,United Kingdom\n";
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(csv.as_bytes()).unwrap();
    let file = daemon.file("log.csv.gz", gzip.finish().unwrap());
    let dry = daemon.mercer_json(&["import", "--preset", "online-retail", "--dry-run", &file]);
    assert_eq!(dry["accepted"], 2, "{dry}");
    assert!(daemon.mercer_ok(&["export"]).is_empty(), "a dry run wrote something");
    let report = daemon.mercer_json(&["import", "--preset", "online-retail", &file]);
    assert!(adds_up(&report), "{report}");
    for field in ["lines", "accepted", "duplicates", "skipped", "rejected", "interactions"] {
        assert_eq!(report[field], dry[field], "{field}");
    }
    assert_eq!(report["interactions"]["purchase"], 1, "{report}");
    assert_eq!(report["interactions"]["return"], 1, "{report}");
    assert_eq!(report["skipped"].as_array().unwrap().len(), 2, "{report}");
    assert_eq!(report["rejected"][0]["first_lines"][0], 6, "{report}");
    let again = daemon.mercer_json(&["import", "--preset", "online-retail", &file]);
    assert_eq!((&again["accepted"], &again["duplicates"]), (&0.into(), &2.into()), "{again}");
    // A dry run knows what the shop has already.
    let dry = daemon.mercer_json(&["import", "--preset", "online-retail", "--dry-run", &file]);
    assert_eq!((&dry["accepted"], &dry["duplicates"]), (&0.into(), &2.into()), "{dry}");
}

#[test]
fn files_in_the_inbox_are_taken_and_put_away() {
    let daemon = Daemon::start();
    let inbox = daemon.state().join("inbox");
    eventually("the inbox is there", || inbox.join("rejected").is_dir().then_some(()));
    daemon.ask(async |client| client.put_item(&item("a", "Lamp")).await).unwrap();
    std::fs::write(inbox.join("interactions-1.ndjson"), purchase_lines(50)).unwrap();
    std::fs::write(inbox.join("riddle.bin"), b"\x00\x01").unwrap();
    eventually("the good file is done", || inbox.join("done/interactions-1.ndjson").exists().then_some(()));
    eventually("the bad file is rejected", || inbox.join("rejected/riddle.bin.report.json").exists().then_some(()));
    let beside = inbox.join("done/interactions-1.ndjson.report.json");
    let report: Value =
        eventually("the report is there", || serde_json::from_slice(&std::fs::read(&beside).ok()?).ok());
    assert_eq!(report["accepted"], 50, "{report}");
    assert_eq!(daemon.ask(async |client| client.status().await).unwrap().counts.interactions, 50);
}

/// The 300 rows of a log, as many as `parts` says in each part; the first has the header.
fn log_parts(parts: [usize; 2]) -> [String; 2] {
    let row = |n: usize| format!("76{n:04},36{n:03},PLAIN JUG NO {n},1,2011-01-05 10:00:00,4.25,18001,France\n");
    let header = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n";
    let rows: Vec<String> = (1..=parts[0] + parts[1]).map(row).collect();
    [header.to_owned() + &rows[..parts[0]].concat(), rows[parts[0]..].concat()]
}

/// The report beside a file that was read, once it tells of so many lines.
fn report_of_lines(path: &std::path::Path, lines: u64) -> Value {
    eventually("the report tells of all lines", || {
        let report: Value = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
        (report["lines"] == lines).then_some(report)
    })
}

#[test]
fn a_file_of_the_inbox_is_read_when_its_writer_has_closed_it() {
    use std::io::Write as _;

    let daemon = Daemon::start();
    let inbox = daemon.state().join("inbox");
    eventually("the inbox is there", || inbox.join("rejected").is_dir().then_some(()));
    let [first, rest] = log_parts([129, 171]);
    let slow = inbox.join("online-retail.slow.csv");
    let mut file = std::fs::File::create(&slow).unwrap();
    file.write_all(first.as_bytes()).unwrap();
    // Another file that comes later, and is whole, is read before it.
    std::fs::write(inbox.join("online-retail.whole.csv"), log_parts([1, 0])[0].as_bytes()).unwrap();
    eventually("the whole file is done", || inbox.join("done/online-retail.whole.csv").exists().then_some(()));
    assert!(slow.exists(), "a file was read while it was written");
    file.write_all(rest.as_bytes()).unwrap();
    drop(file);
    let report = report_of_lines(&inbox.join("done/online-retail.slow.csv.report.json"), 300);
    assert!(adds_up(&report), "{report}");
    assert_eq!(daemon.ask(async |client| client.status().await).unwrap().counts.interactions, 300);
}

#[test]
fn a_file_of_the_inbox_that_goes_on_after_it_was_read_is_read_as_a_whole() {
    let daemon = Daemon::start();
    let inbox = daemon.state().join("inbox");
    eventually("the inbox is there", || inbox.join("rejected").is_dir().then_some(()));
    let parts = log_parts([129, 171]);
    let report = inbox.join("done/online-retail.slow.csv.report.json");
    for (part, lines) in parts.iter().zip([129, 300]) {
        std::fs::write(inbox.join("online-retail.slow.csv"), part).unwrap();
        let report = report_of_lines(&report, lines);
        assert!(adds_up(&report), "{report}");
    }
    assert_eq!(std::fs::read_to_string(inbox.join("done/online-retail.slow.csv")).unwrap(), parts.concat());
    assert!(!inbox.join("online-retail.slow.csv").exists() && !inbox.join("rejected/online-retail.slow.csv").exists());
    assert_eq!(daemon.ask(async |client| client.status().await).unwrap().counts.interactions, 300);
}

fn purchase_lines(count: usize) -> String {
    (0..count).map(|n| serde_json::to_string(&purchase(&format!("p{n}"), "u", "a")).unwrap() + "\n").collect()
}
