//! Bad input: a clear error, a stable code, and everything good around it is kept.

use std::io::{Read, Write};
use std::path::Path;

use mercer_import::{DryRun, ImportFailure, Kind, Plan, run};
use mercer_shared::problem::Code;
use mercer_shared::wire::{ImportPhase, ImportReport};

use crate::formats::gzip;
use crate::{Shop, counts, fixture, plan};

fn read(bytes: &[u8], plan: &Plan, shop: &mut Shop) -> Result<ImportReport, ImportFailure> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("upload");
    std::fs::write(&path, bytes).unwrap();
    let outcome = run(&path, "upload", plan, false, shop, &mut |_| {});
    let report = match &outcome {
        Ok(report) => report,
        Err(failure) => &failure.report,
    };
    assert!(report.adds_up(), "{report:#?}");
    outcome
}

#[test]
fn good_and_bad_lines() {
    let lines = [
        r#"{"user":"u","type":"view","item":"i","at":"2024-05-01"}"#,
        r#"{"user":"u","type":"view","item":"i","at":"2024-05-01""#,
        r#"{"user":"u","type":"view","item":1,"at":"2024-05-01"}"#,
        r#"{"user":"","type":"view","item":"i","at":"2024-05-01"}"#,
        r#"{"user":"u","type":"view","item":"i","at":"2999-05-01"}"#,
        r#"{"user":"u","type":"view","item":"i","at":"1969-05-01"}"#,
        r#"{"user":"u","type":"view","item":"i","value":NaN,"at":"2024-05-01"}"#,
        r#"{"user":"u","type":"view","item":"i","value":-1,"at":"2024-05-01"}"#,
        r#"{"type":"view","item":"i","at":"2024-05-01"}"#,
        r#"{"user":"u","type":"view","item":"unknown","at":"2024-05-01"}"#,
        r#"{"user":"u","type":"click","item":"i","at":"2024-05-01"}"#,
    ];
    let mut shop = Shop::default();
    read(b"{\"id\":\"i\",\"title\":\"t\"}\n", &Plan::Ndjson(Kind::Items), &mut shop).unwrap();
    let report = read(lines.join("\n").as_bytes(), &Plan::Ndjson(Kind::Interactions), &mut shop).unwrap();
    assert_eq!((report.lines, report.accepted), (11, 2));
    let expected = [
        ("broken-json", 1),
        ("wrong-type", 1),
        ("bad-id", 1),
        ("bad-time", 2),
        ("bad-number", 2),
        ("bad-interaction", 1),
        ("unknown-item", 1),
    ];
    assert_eq!(counts(&report), expected.into_iter().map(|(word, count)| (word.to_owned(), count)).collect());
    let times = report.rejected.iter().find(|reason| reason.code == Code::BadTime).unwrap();
    assert_eq!(times.first_lines, [5, 6]);
}

/// A line of a gigabyte, packed to a megabyte: it is refused, costs no memory, and the lines around it are read.
#[test]
fn a_line_of_a_gigabyte() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("items.ndjson.gz");
    let mut packed = flate2::write::GzEncoder::new(std::fs::File::create(&path).unwrap(), flate2::Compression::fast());
    packed.write_all(b"{\"id\":\"a\",\"title\":\"t\"}\n{\"id\":\"").unwrap();
    std::io::copy(&mut std::io::repeat(b'x').take(1 << 30), &mut packed).unwrap();
    packed.write_all(b"\"}\n{\"id\":\"b\",\"title\":\"t\"}\n").unwrap();
    packed.finish().unwrap();
    let mut shop = Shop::default();
    let report = shop.read(&path, &Plan::Ndjson(Kind::Items));
    assert_eq!((report.lines, report.accepted, counts(&report)["line-too-long"]), (3, 2, 1));
    assert_eq!(report.rejected[0].first_lines, [2]);
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(peak < 400 * 1024, "peak {peak} kB");
}

#[test]
fn missing_columns_are_named() {
    let problem = read(b"InvoiceNo,StockCode,Quantity\n1,2,3\n", &plan("online-retail"), &mut Shop::default())
        .unwrap_err()
        .problem;
    assert_eq!(problem.code, Code::MissingColumns);
    assert!(problem.detail.contains("Description") && problem.detail.contains("CustomerID"), "{problem}");
    let empty = read(b"", &plan("online-retail"), &mut Shop::default()).unwrap_err().problem;
    assert_eq!(empty.code, Code::MissingColumns);
    let other = read(b"1,2,3,4,5,6,7\n", &plan("movielens-1m"), &mut Shop::default()).unwrap_err().problem;
    assert!(other.code == Code::MissingColumns && other.detail.contains("ratings"), "{other}");
}

#[test]
fn what_is_no_log_is_said() {
    for bytes in [b"PK\x03\x04 rest of a workbook".as_slice(), b"%PDF-1.7", b"GIF89a\x00\x01"] {
        let problem = read(bytes, &plan("online-retail"), &mut Shop::default()).unwrap_err().problem;
        assert_eq!(problem.code, Code::UnknownFormat, "{problem}");
    }
    let parquet = read(b"PAR1 and nothing more", &plan("online-retail"), &mut Shop::default()).unwrap_err().problem;
    assert_eq!(parquet.code, Code::BadFile);
    let missing = run(Path::new("/nonexistent/file"), "file", &plan("gorse"), false, &mut Shop::default(), &mut |_| {})
        .unwrap_err()
        .problem;
    assert_eq!(missing.code, Code::BadFile);
}

/// Truncated at any place, a packed file gives an error that names the line, and a beginning of what the whole file gives.
#[test]
fn truncated_files_keep_their_beginning() {
    let mut text = String::from("InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n");
    for line in 0..20_000_u32 {
        // A multiplicative hash keeps it from packing too well.
        let noise = line.wrapping_mul(2_654_435_761);
        text += &format!("{line},1{:04},LAMP {noise},1,2020-03-02 09:15:00,2.5,{},France\n", line % 50, noise % 97);
    }
    for packed in [gzip(text.as_bytes()), zstd::encode_all(text.as_bytes(), 1).unwrap()] {
        let mut whole = Shop::default();
        read(&packed, &plan("online-retail"), &mut whole).unwrap();
        assert_eq!(whole.interactions.len(), 20_000);
        for share in [50, 90, 99] {
            let mut shop = Shop::default();
            let ImportFailure { problem, report } =
                read(&packed[..packed.len() * share / 100], &plan("online-retail"), &mut shop).unwrap_err();
            assert_eq!(problem.code, Code::BadFile);
            let expected = format!("line {}", report.lines + 2);
            assert!(problem.detail.contains(&expected), "{problem}, expected {expected}");
            assert!(report.accepted > 0 && report.accepted == shop.interactions.len() as u64);
            assert_eq!(shop.interactions[..], whole.interactions[..shop.interactions.len()]);
        }
    }
    // Cut inside the last line of the text, before the checksum: what may be half a line is not taken.
    let ImportFailure { problem, report } = read(
        &gzip(b"{\"id\":\"a\",\"title\":\"t\"}\n{\"id\":\"b\",\"title\":\"t\"}")[..40],
        &Plan::Ndjson(Kind::Items),
        &mut Shop::default(),
    )
    .unwrap_err();
    assert!(problem.code == Code::BadFile && report.lines <= 1, "{problem} {}", report.lines);
}

#[test]
fn an_open_quote_spoils_one_line() {
    let header = "UserId,Labels\n";
    let report =
        read(format!("{header}ann,\"open\nbob,x\ncid,y\n").as_bytes(), &plan("gorse"), &mut Shop::default()).unwrap();
    assert_eq!((report.lines, report.accepted, report.rejected[0].first_lines[0]), (3, 2, 2));
    assert!(report.rejected[0].reason.contains("quote"), "{}", report.rejected[0].reason);
    // The same before a line that is too long, and over more than the limit.
    let long = "x".repeat(2 << 20);
    let report =
        read(format!("{header}ann,\"open\n{long}\ncid,y\n").as_bytes(), &plan("gorse"), &mut Shop::default()).unwrap();
    assert_eq!(
        (report.lines, report.accepted, counts(&report)["line-too-long"], counts(&report)["wrong-type"]),
        (3, 1, 1, 1)
    );
    let many = "bob,x\n".repeat(400_000);
    let report = read(format!("{header}ann,\"open\n{many}").as_bytes(), &plan("gorse"), &mut Shop::default()).unwrap();
    assert_eq!((report.lines, report.accepted), (400_001, 400_000));
}

#[test]
fn lines_count_as_the_file_does() {
    let text = "UserId,Labels\n\n\"ann\",\"two\nlines\"\nbob,x,y\n";
    let mut shop = Shop::default();
    let report = read(text.as_bytes(), &plan("gorse"), &mut shop).unwrap();
    assert_eq!((report.lines, report.accepted, &report.rejected[0].first_lines[..]), (2, 1, &[5][..]));
    assert_eq!(shop.users["ann"].attributes["labels"], "two lines");
}

#[test]
fn bad_values_of_a_log_are_refused() {
    let rows = [
        "1,10001,LAMP,x,2020-03-02 09:15:00,2.5,7,France",
        "1,10001,LAMP,inf,2020-03-02 09:15:00,2.5,7,France",
        "1,10001,LAMP,1,2999-03-02 09:15:00,2.5,7,France",
        &format!("1,10001,LAMP,1,2020-03-02 09:15:00,2.5,{},France", "7".repeat(257)),
        &format!("1,10001,{},1,2020-03-02 09:15:00,2.5,7,France", "L".repeat(1_001)),
    ];
    let text = format!(
        "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n{}\n",
        rows.join("\n")
    );
    let mut shop = Shop::default();
    let report = read(text.as_bytes(), &plan("online-retail"), &mut shop).unwrap_err().report;
    let expected = [("bad-number", 2), ("bad-time", 1), ("bad-id", 1), ("too-long", 1)];
    assert_eq!(counts(&report), expected.into_iter().map(|(word, count)| (word.to_owned(), count)).collect());
    assert!(shop.items.is_empty() && shop.users.is_empty());
}

#[test]
fn a_shop_that_takes_no_more_ends_it() {
    let lines: String = (0..10_000)
        .map(|n| format!("{{\"type\":\"search\",\"query\":\"q\",\"user\":\"u{n}\",\"at\":\"2024-05-01\"}}\n"))
        .collect();
    let mut shop = Shop { room: Some(3_000), ..Shop::default() };
    let ImportFailure { problem, report } =
        read(lines.as_bytes(), &Plan::Ndjson(Kind::Interactions), &mut shop).unwrap_err();
    assert_eq!(problem.code, Code::ReadOnly);
    assert_eq!((report.accepted, shop.interactions.len()), (4_000, 4_000), "whole batches, and none after");
}

#[test]
fn progress_moves_and_ends() {
    let mut seen = Vec::new();
    let path = fixture("online-retail.csv");
    let report =
        run(&path, "online-retail.csv", &plan("online-retail"), true, &mut DryRun::default(), &mut |p| seen.push(p))
            .unwrap();
    assert!(report.dry_run && report.adds_up() && report.accepted == 6);
    let last = seen.last().unwrap();
    assert_eq!((last.phase, last.bytes, last.lines, last.accepted), (ImportPhase::Done, last.total_bytes, 13, 6));
    assert_eq!(seen[0].phase, ImportPhase::Scanning);
}
