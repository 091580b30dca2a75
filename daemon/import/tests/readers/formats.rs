//! The same log in every form: packed, in other encodings, with other separators, as Parquet.

use std::io::Write;
use std::path::{Path, PathBuf};

use mercer_import::{DryRun, Kind, Plan, run};

use crate::parquet_file::{Values, parquet_file};
use crate::{Shop, fixture, plan};

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

fn write(dir: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = dir.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn packings_and_encodings_read_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string(fixture("online-retail.csv")).unwrap().replace("TEA TIN", "THÉ");
    let mut plain = Shop::default();
    let expected = plain.read(&write(dir.path(), "a.csv", text.as_bytes()), &plan("online-retail"));
    let utf16 = |le: bool| -> Vec<u8> {
        let unit = |unit: u16| if le { unit.to_le_bytes() } else { unit.to_be_bytes() };
        std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(unit).collect()
    };
    let members = [gzip(&text.as_bytes()[..500]), gzip(&text.as_bytes()[500..])].concat();
    let forms: Vec<(&str, Vec<u8>)> = vec![
        ("csv", [b"\xef\xbb\xbf", text.as_bytes()].concat()),
        ("csv", text.replace('\n', "\r\n").into_bytes()),
        ("csv, gzip", gzip(text.as_bytes())),
        ("csv, gzip", members),
        ("csv, zstd", zstd::encode_all(text.as_bytes(), 3).unwrap()),
        ("csv, UTF-16LE", utf16(true)),
        ("csv, UTF-16BE", utf16(false)),
        ("csv, gzip, UTF-16LE", gzip(&utf16(true))),
        ("csv", encoding_rs::WINDOWS_1252.encode(&text).0.into_owned()),
    ];
    for (number, (format, bytes)) in forms.into_iter().enumerate() {
        let mut shop = Shop::default();
        let report = shop.read(&write(dir.path(), &format!("{number}.dat"), &bytes), &plan("online-retail"));
        assert_eq!(report.format, format!("preset online-retail (invoices), {format}"));
        assert_eq!(
            (report.lines, &report.skipped, &report.rejected),
            (expected.lines, &expected.skipped, &expected.rejected)
        );
        assert_eq!(
            (&shop.items, &shop.users, &shop.interactions),
            (&plain.items, &plain.users, &plain.interactions),
            "{number}"
        );
    }
}

#[test]
fn separators_are_found_out() {
    let dir = tempfile::tempdir().unwrap();
    for separator in [";", "\t", "|"] {
        let text =
            ["UserId", "Labels", "Comment"].join(separator) + "\n" + &["ann", "a,b", "c,d,e"].join(separator) + "\n";
        let mut shop = Shop::default();
        shop.read(&write(dir.path(), "users.csv", text.as_bytes()), &plan("gorse"));
        assert_eq!(shop.users["ann"].attributes["labels"], "a,b", "{separator:?}");
    }
}

/// Our retail fixture in miniature as Parquet: numbers as numbers, times as times, row groups of two rows.
fn retail_parquet() -> Vec<u8> {
    let schema = "message retail {
        optional binary Country (UTF8);
        optional binary InvoiceNo (UTF8);
        optional binary StockCode (UTF8);
        optional binary Description (UTF8);
        optional int64 Unused;
        optional int64 Quantity;
        optional int64 InvoiceDate (TIMESTAMP(MILLIS,true));
        optional double UnitPrice;
        optional double CustomerID;
    }";
    let text = |values: [&'static str; 5]| Values::Text(values.map(Some).to_vec());
    let columns = [
        text(["France"; 5]),
        text(["1", "1", "C2", "3", "4"]),
        text(["10001", "10002", "10001", "POST", "10002"]),
        Values::Text(vec![Some("LAMP"), None, Some("LAMP"), None, Some("VASE")]),
        Values::Whole(vec![Some(1); 5]),
        Values::Whole([2, 1, -1, 1, 3].map(Some).to_vec()),
        Values::Whole(vec![Some(1_600_000_000_000); 5]),
        Values::Number([2.5, 4.0, 2.5, 1.0, 4.0].map(Some).to_vec()),
        Values::Number(vec![Some(17.0), Some(17.0), Some(17.0), Some(17.0), None]),
    ];
    parquet_file(schema, &columns, 2)
}

#[test]
fn parquet_is_read_by_names() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = retail_parquet();
    let packed = [
        ("parquet", bytes.clone()),
        ("parquet, gzip", gzip(&bytes)),
        ("parquet, zstd", zstd::encode_all(&*bytes, 1).unwrap()),
    ];
    for (format, bytes) in packed {
        let mut shop = Shop::default();
        let path = write(dir.path(), "online-retail.x", &bytes);
        let report = shop.read(&path, &plan("online-retail"));
        assert_eq!(report.format, format!("preset online-retail (invoices), {format}"));
        assert_eq!((report.lines, report.accepted, report.items), (5, 3, 2));
        assert_eq!(
            report.skipped.iter().map(|rule| (rule.rule.as_str(), rule.first_lines[0])).collect::<Vec<_>>(),
            [("code is no product", 4), ("no customer", 5)]
        );
        assert_eq!((shop.items["10001"].title.as_str(), shop.items["10002"].title.as_str()), ("LAMP", "10002"));
        assert!(shop.users.contains_key("17"), "a floating id is an id");
        assert_eq!((shop.interactions[2].value, shop.interactions[2].at.millis()), (Some(1.0), 1_600_000_000_000));
        assert_eq!(shop.read(&path, &plan("online-retail")).duplicates, 3);
    }
}

#[test]
fn damaged_parquet_never_panics() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = retail_parquet();
    for step in 0..200 {
        let mut damaged = bytes.clone();
        let place = 4 + step * (bytes.len() - 4) / 200;
        damaged[place] ^= 0x55;
        let path = write(dir.path(), "damaged.parquet", &damaged);
        let outcome = std::panic::catch_unwind(|| {
            match mercer_import::run(
                &path,
                "damaged.parquet",
                &plan("online-retail"),
                false,
                &mut Shop::default(),
                &mut |_| {},
            ) {
                Ok(report) => assert!(report.adds_up()),
                Err(failure) => assert!(failure.report.adds_up()),
            }
        });
        assert!(outcome.is_ok(), "byte {place}");
    }
}

#[test]
fn exports_are_read_in_their_order() {
    let dir = tempfile::tempdir().unwrap();
    let text = "{\"item\":{\"id\":\"i\",\"title\":\"t\"}}\n\n{\"interaction\":{\"user\":\"u\",\"type\":\"view\",\"item\":\"i\",\"at\":\"2024-05-01\"}}\n\
                {\"user\":{\"id\":\"u\",\"attributes\":{\"region\":\"Ohio\"}}}\n{\"interaction\":{\"user\":\"u\",\"type\":\"view\",\"item\":\"j\",\"at\":\"2024-05-01\"}}\n";
    let path = write(dir.path(), "export.ndjson.zst", &zstd::encode_all(text.as_bytes(), 1).unwrap());
    let mut shop = Shop::default();
    let report = shop.read(&path, &Plan::Ndjson(Kind::Export));
    assert_eq!((report.lines, report.accepted, report.items, report.users), (4, 3, 1, 1));
    assert_eq!((report.format.as_str(), report.rejected[0].first_lines[0]), ("ndjson, zstd", 5));
    let again = shop.read(&path, &Plan::Ndjson(Kind::Export));
    assert_eq!((again.accepted, again.duplicates), (0, 3));
}

#[test]
fn a_deleted_item_of_an_export_stays_deleted_and_keeps_its_interactions() {
    let dir = tempfile::tempdir().unwrap();
    let text = "{\"item\":{\"id\":\"i\",\"title\":\"t\"}}\n{\"deleted_item\":{\"id\":\"gone\",\"at\":\"2024-05-02T00:00:00Z\"}}\n\
                {\"interaction\":{\"user\":\"u\",\"type\":\"view\",\"item\":\"gone\",\"at\":\"2024-05-01\"}}\n";
    let path = write(dir.path(), "export.ndjson", text.as_bytes());
    let mut shop = Shop::default();
    let report = shop.read(&path, &Plan::Ndjson(Kind::Export));
    assert_eq!((report.lines, report.accepted, report.items), (3, 3, 1), "{report:#?}");
    assert!(shop.deleted.contains_key("gone") && !shop.items.contains_key("gone"));
    assert_eq!(shop.interactions.len(), 1);
    let again = shop.read(&path, &Plan::Ndjson(Kind::Export));
    assert_eq!((again.accepted, again.duplicates), (0, 3));
    let name = path.file_name().unwrap().to_string_lossy();
    let dry = run(&path, &name, &Plan::Ndjson(Kind::Export), true, &mut DryRun::default(), &mut |_| {}).unwrap();
    assert_eq!((dry.accepted, dry.duplicates), (3, 0));
}
