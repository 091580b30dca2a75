//! The account adds up whatever the file holds, and a second reading changes nothing.

use mercer_import::{Kind, Plan, run};
use proptest::prelude::*;

use crate::{Shop, plan};

fn check(bytes: &[u8], plan: &Plan) -> Result<(), TestCaseError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("upload");
    std::fs::write(&path, bytes).unwrap();
    let mut shop = Shop::default();
    let read = |shop: &mut Shop| match run(&path, "upload", plan, false, shop, &mut |_| {}) {
        Ok(report) => (report, true),
        Err(failure) => (*failure.report, false),
    };
    let (first, whole) = read(&mut shop);
    prop_assert!(first.adds_up(), "{first:#?}");
    for lines in first
        .skipped
        .iter()
        .map(|rule| &rule.first_lines)
        .chain(first.rejected.iter().map(|reason| &reason.first_lines))
    {
        prop_assert!(!lines.is_empty() && lines.len() <= 5 && lines.is_sorted());
    }
    let before = (shop.items.clone(), shop.users.clone(), shop.interactions.clone());
    let (again, whole_again) = read(&mut shop);
    prop_assert!(again.adds_up());
    prop_assert_eq!((again.accepted, again.items, again.users, again.lines), (0, 0, 0, first.lines));
    prop_assert_eq!(whole, whole_again);
    prop_assert_eq!((shop.items, shop.users, shop.interactions), before);
    Ok(())
}

/// Cells of a shop's log, good and bad.
fn cell() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "",
            "1",
            "10001",
            "C1",
            "-2",
            "0",
            "2.5",
            "POST",
            "2020-03-02 09:15:00",
            "LAMP",
            "damaged",
            "x\ny",
            "a\"b",
            "NaN"
        ])
        .prop_map(str::to_owned),
        "[ -~]{0,8}",
    ]
}

/// Rows that are mostly those of the preset.
fn row() -> impl Strategy<Value = Vec<String>> {
    let good = (0..3_u8, 0..3_u8, -1..3_i8, 1..4_u8).prop_map(|(invoice, code, quantity, day)| {
        let cancelled = if quantity < 0 { "C" } else { "" };
        let all = [
            format!("{cancelled}{invoice}"),
            format!("1000{code}"),
            "LAMP".to_owned(),
            quantity.to_string(),
            format!("2020-03-0{day} 09:15:00"),
            "2.5".to_owned(),
            "7".to_owned(),
            "France".to_owned(),
        ];
        all.to_vec()
    });
    prop_oneof![6 => good, 2 => prop::collection::vec(cell(), 8), 1 => prop::collection::vec(cell(), 0..10)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn csv_adds_up(rows in prop::collection::vec(row(), 0..40)) {
        let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
        let header = ["InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country"];
        writer.write_record(header).unwrap();
        for row in rows {
            writer.write_record(row).unwrap();
        }
        check(&writer.into_inner().unwrap(), &plan("online-retail"))?;
    }

    #[test]
    fn damaged_csv_adds_up(rows in prop::collection::vec(row(), 0..20), noise in prop::collection::vec((any::<usize>(), any::<u8>()), 0..20)) {
        let mut bytes = b"InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n".to_vec();
        let header = bytes.len();
        for row in rows {
            bytes.extend(row.join(",").bytes().chain([b'\n']));
        }
        for (place, byte) in noise {
            let place = header + place % (bytes.len() - header + 1);
            bytes.insert(place, byte);
        }
        check(&bytes, &plan("online-retail"))?;
    }

    #[test]
    fn anything_adds_up(bytes in prop::collection::vec(any::<u8>(), 0..400), which in 0..4_usize) {
        let plans = [plan("ubi"), plan("movielens-1m"), plan("gorse"), Plan::Ndjson(Kind::Export)];
        check(&bytes, &plans[which])?;
    }

    #[test]
    fn ndjson_adds_up(lines in prop::collection::vec(prop_oneof![
        Just("{\"item\":{\"id\":\"i\",\"title\":\"t\"}}"), Just("{\"interaction\":{\"user\":\"u\",\"type\":\"view\",\"item\":\"i\",\"at\":\"2024-05-01\"}}"),
        Just("{\"user\":{\"id\":\"u\"}}"), Just(""), Just("{"), Just("{\"interaction\":{\"user\":\"u\",\"type\":\"view\",\"item\":\"j\",\"at\":\"2024-05-01\"}}"),
    ], 0..30)) {
        // An item that comes after what names it would be known at the second reading only.
        let text = format!("{{\"item\":{{\"id\":\"i\",\"title\":\"t\"}}}}\n{}", lines.join("\n"));
        check(text.as_bytes(), &Plan::Ndjson(Kind::Export))?;
    }
}
