//! What real exports do, and what is right for each: every input of `tests/field_cases`, and others of its kind.

use std::path::{Path, PathBuf};

use mercer_import::{ImportFailure, Kind, Plan, Preset, run};
use mercer_shared::problem::Code;
use mercer_shared::wire::{ImportReport, InteractionType};

use crate::parquet_file::{Values, parquet_file};
use crate::{Shop, counts, plan};

const RETAIL: &str = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n";

fn case(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/field_cases").join(name)
}

/// A preset as an operator writes it, perhaps with words put in after a line.
fn operator_preset(name: &str, after: &str, words: &str) -> Plan {
    let text = std::fs::read_to_string(case(&format!("presets/{name}.toml"))).unwrap();
    assert!(text.contains(after));
    let text = text.replacen(after, &format!("{after}\n{words}"), 1);
    Plan::Preset(name.to_owned(), Preset::parse(name, &text).unwrap())
}

fn operator(name: &str) -> Plan {
    operator_preset(name, "[[file]]", "")
}

fn read_text(text: impl AsRef<[u8]>, plan: &Plan) -> (Shop, Result<ImportReport, ImportFailure>) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("upload.csv");
    std::fs::write(&path, text).unwrap();
    let mut shop = Shop::default();
    let outcome = run(&path, "upload.csv", plan, false, &mut shop, &mut |_| {});
    let report = outcome.as_ref().unwrap_or_else(|failure| &failure.report);
    assert!(report.adds_up(), "{report:#?}");
    (shop, outcome)
}

fn read(text: impl AsRef<[u8]>, plan: &Plan) -> (Shop, ImportReport) {
    let (shop, outcome) = read_text(text, plan);
    (shop, outcome.unwrap())
}

fn read_case(name: &str, plan: &Plan) -> (Shop, ImportReport) {
    read(std::fs::read(case(name)).unwrap(), plan)
}

fn users(shop: &Shop) -> Vec<&str> {
    shop.users.keys().map(String::as_str).collect()
}

fn reason(report: &ImportReport, code: Code) -> &str {
    &report.rejected.iter().find(|reason| reason.code == code).unwrap().reason
}

fn has_note(report: &ImportReport, parts: &[&str]) -> bool {
    report.notes.iter().any(|note| parts.iter().all(|part| note.contains(part)))
}

#[test]
fn nan_is_no_shopper() {
    let (shop, report) = read_case("53-nan.csv", &plan("online-retail"));
    assert_eq!(users(&shop), ["17001", "17002", "17003", "17004", "17005", "17006", "17009"]);
    assert_eq!((report.lines, report.accepted, counts(&report)["no customer"]), (14, 7, 7));
}

#[test]
fn other_words_for_no_value() {
    for word in ["nan", "NULL", "NA", "N/A", "None", "null", "NaN", "-", "\\N", "#N/A", "<NA>", "(not set)"] {
        let text = format!(
            "{RETAIL}1,10001,JUG,1,2020-03-02 09:15:00,2.5,{word},France\n2,10001,JUG,1,2020-03-02 09:15:00,2.5,7,France\n"
        );
        let (shop, report) = read(text, &plan("online-retail"));
        assert_eq!((users(&shop), counts(&report)["no customer"]), (vec!["7"], 1), "{word}");
    }
    let own = "description = \"d\"\n[[file]]\nname = \"f\"\nrequires = [\"id\"]\nnull_words = { add = [\"GUEST\"], remove = [\"na\"] }\n[file.user]\nid = \"id\"\n";
    let plan = Plan::Preset("own".to_owned(), Preset::parse("own", own).unwrap());
    let (shop, report) = read("id,x\nguest,1\nNA,1\nnan,1\n", &plan);
    assert_eq!((users(&shop), report.accepted, counts(&report)["bad-id"]), (vec!["NA"], 1, 2));
}

#[test]
fn nan_in_parquet_is_no_shopper() {
    let schema = "message retail {
        optional int64 InvoiceNo;
        optional binary StockCode (UTF8);
        optional binary Description (UTF8);
        optional int64 Quantity;
        optional binary InvoiceDate (UTF8);
        optional double UnitPrice;
        optional double CustomerID;
        optional binary Country (UTF8);
    }";
    let text = |value: &'static str| Values::Text(vec![Some(value); 4]);
    let columns = [
        Values::Whole([1, 2, 3, 4].map(Some).to_vec()),
        text("10001"),
        text("LAMP"),
        Values::Whole(vec![Some(1); 4]),
        text("2020-03-02 09:15:00"),
        Values::Number([2.5, 2.5, 2.5, f64::NAN].map(Some).to_vec()),
        Values::Number(vec![Some(17.0), Some(f64::NAN), None, Some(18.0)]),
        text("France"),
    ];
    let bytes = parquet_file(schema, &columns, 4);
    let (shop, report) = read(bytes, &plan("online-retail"));
    assert_eq!((users(&shop), counts(&report)["no customer"]), (vec!["17", "18"], 2));
    assert_eq!(shop.items["10001"].price, Some(2.5), "a price that is NaN is no price");
}

#[test]
fn shortened_numbers_are_no_shoppers() {
    let row = |customer: &str| format!("1,10001,JUG,1,2020-03-02 09:15:00,2.5,{customer},France\n");
    let (shop, report) = read(format!("{RETAIL}{}{}", row("1.7009E+04"), row("1.23457E+11")), &plan("online-retail"));
    assert_eq!((users(&shop), report.accepted), (vec!["17009"], 1));
    assert!(reason(&report, Code::BadId).contains("1.23457E+11"), "{report:?}");
}

#[test]
fn a_stray_quote_spoils_its_own_record() {
    let (shop, report) = read_case("03-swallow2.csv", &plan("online-retail"));
    assert_eq!((report.lines, report.accepted, &report.rejected[0].first_lines[..]), (5, 4, &[2][..]), "{report:?}");
    assert_eq!(shop.items.keys().collect::<Vec<_>>(), ["34002", "34003", "34004", "34005"]);
    let last = shop.interactions.last().unwrap();
    assert_eq!((last.user.as_ref().unwrap().as_str(), last.item.as_ref().unwrap().as_str()), ("18002", "34005"));
}

#[test]
fn ten_thousand_rows_between_two_stray_quotes() {
    let row =
        |n: u32, title: &str| format!("{n},1{:04},{title},1,2020-03-02 09:15:00,2.5,{},France\n", n % 50, n % 97 + 1);
    // Whatever comes next: a quoted field, a quoted last field, a quote that ends an open field, an inch, nothing.
    for next in ["\"JUG LAST\"", "JUG LAST\"", "JUG 5\" LAST", "\"\"", "\"JUG, LAST\"", "JUG LAST"] {
        for stray in ["\"STRAY JUG", "\"STRAY, JUG", "\"", "\"5\"\" JUG"] {
            let mut text = format!("{RETAIL}{}", row(0, stray));
            (1..=10_000).for_each(|n| text += &row(n, "PLAIN JUG"));
            text += &row(10_001, next);
            let (shop, report) = read(text, &plan("online-retail"));
            assert_eq!((report.lines, report.accepted), (10_002, 10_001), "{stray} then {next}: {report:?}");
            assert_eq!(report.rejected[0].first_lines, [2], "{stray} then {next}");
            assert!(shop.interactions.iter().all(|line| line.user.is_some()));
        }
    }
}

#[test]
fn a_stray_quote_anywhere_in_a_row() {
    let good = "1,10001,JUG,1,2020-03-02 09:15:00,2.5,7,France";
    for place in 0..8 {
        let mut fields: Vec<String> = good.split(',').map(str::to_owned).collect();
        fields[place].insert(0, '"');
        let text = format!(
            "{RETAIL}{good}\n{}\n{good}\n{good}\n5,10002,\"LAMP, RED\",1,2020-03-02 09:15:00,2.5,8,France\n",
            fields.join(",")
        );
        let (shop, report) = read(text, &plan("online-retail"));
        assert_eq!((report.lines, report.accepted, &report.rejected[0].first_lines[..]), (5, 4, &[3][..]), "{place}");
        assert_eq!(shop.items["10002"].title, "LAMP, RED");
    }
}

#[test]
fn texts_of_several_lines_stay_whole() {
    let text = format!(
        "{RETAIL}1,10001,\"JUG\nred, blue, green\n\nand \"\"more\"\"\",1,2020-03-02 09:15:00,2.5,7,France\n2,10002,LAMP,1,2020-03-02 09:15:00,2.5,7,France\n"
    );
    let (shop, report) = read(&text, &plan("online-retail"));
    assert_eq!((report.lines, report.accepted), (2, 2), "{report:?}");
    assert_eq!(shop.items["10001"].title, "JUG red, blue, green and \"more\"");
    assert!(has_note(&report, &["6 lines of the file", "3 further lines of records"]), "{:?}", report.notes);
    let (_, report) = read(text.replace('\n', "\r\n"), &plan("online-retail"));
    assert_eq!(report.accepted, 2);
}

#[test]
fn line_ends_of_old_spreadsheets() {
    let (shop, report) = read_case("02-cronly.csv", &plan("online-retail"));
    assert_eq!((report.lines, report.accepted, shop.items["30005"].title.as_str()), (1, 1, "CAFÉ CRÈME BOWL"));
    let row = |n: u32| format!("{n},10001,JUG,1,2020-03-02 09:15:00,2.5,7,France");
    let header = RETAIL.trim_end();
    for ends in [
        ["\r"; 4],
        ["\r\n"; 4],
        ["\n", "\r\n", "\n", "\r\n"],
        ["\r\n", "\r", "\r\n", "\n"],
        ["\n", "\r", "\n", "\n"],
        ["\r", "\r\n", "\r", "\r"],
    ] {
        let lines = [header.to_owned(), row(1), row(2), row(3)];
        let text: String = lines.iter().zip(ends).flat_map(|(line, end)| [line.as_str(), end]).collect();
        let (_, report) = read(text, &plan("online-retail"));
        assert_eq!((report.lines, report.accepted), (3, 3), "{ends:?}: {report:?}");
    }
    // A break inside a cell of an old spreadsheet is an LF among bare CRs.
    let (shop, report) = read(
        format!("{header}\r1,10001,\"JUG\nRED\",1,2020-03-02 09:15:00,2.5,7,France\r{}\r", row(2)),
        &plan("online-retail"),
    );
    assert_eq!((report.accepted, shop.items["10001"].title.as_str()), (2, "JUG RED"));
}

#[test]
fn the_separator_of_a_spreadsheet_is_read() {
    let (shop, report) = read_case("02-sep.csv", &plan("online-retail"));
    assert_eq!((report.lines, report.accepted, shop.items["30006"].title.as_str()), (1, 1, "CAFÉ CRÈME BOWL"));
    for (first, separator) in [("sep=;", ";"), ("\u{feff}SEP=\t", "\t"), ("\"sep=|\"", "|"), ("sep=,,,,", ",")] {
        let text = format!("{first}\r\nUserId{separator}Labels\r\nann{separator}x\r\n");
        let (shop, _) = read(text, &plan("gorse"));
        assert_eq!(shop.users["ann"].attributes["labels"], "x", "{first:?}");
    }
}

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

#[test]
fn null_is_absent_and_a_price_that_is_none_costs_the_price() {
    let (shop, report) = read_case("06-meta.jsonl", &operator("amazon23"));
    assert_eq!((report.lines, report.accepted), (6, 6), "{report:#?}");
    let prices: Vec<Option<f64>> = shop.items.values().map(|item| item.price).collect();
    assert_eq!(prices, [Some(25.99), None, None, Some(19.5), None, None]);
    assert_eq!((shop.items["B0FC11"].brand.as_deref(), shop.items["B0FC12"].title.as_str()), (None, "Lamp"));
    assert!(has_note(&report, &["1 prices are no numbers", "`from 12.99` in line 3"]), "{:?}", report.notes);
    let (_, failure) = read_text("{\"parent_asin\": \"B1\", \"main_category\": \"Home\"}\n", &operator("amazon23"));
    let report = failure.unwrap_err().report;
    assert!(report.rejected[0].reason.contains("no `title`, which section `meta`"), "{:?}", report.rejected);
}

#[test]
fn a_header_where_none_should_be_is_said() {
    let failure = |name: &str, text: &str, plan: &Plan| -> String {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("upload");
        std::fs::write(&path, text).unwrap();
        let failure = run(&path, name, plan, false, &mut Shop::default(), &mut |_| {}).unwrap_err();
        assert_eq!((failure.problem.code, failure.report.lines), (Code::MissingColumns, 0));
        failure.problem.detail
    };
    let ratings = std::fs::read_to_string(case("07-ratings.csv")).unwrap();
    for name in ["ratings.csv", "upload.csv"] {
        let said = failure(name, &ratings, &plan("movielens-1m"));
        assert!(said.contains("preset movielens-25m") && said.contains("userId, movieId, rating, timestamp"), "{said}");
    }
    let said = failure(
        "x.csv",
        "user_id,item_id,category_id,behavior_type,timestamp\n1,2,3,pv,1511544070\n",
        &operator("taobao"),
    );
    assert!(said.contains("has a header (user_id, item_id"), "{said}");
    // A header with the names of the preset is read by its names.
    let (shop, report) = read("time,behaviour,category,item,user\n1511544070,pv,3,2,1\n", &operator("taobao"));
    assert_eq!((report.accepted, shop.interactions[0].user.as_ref().unwrap().as_str()), (1, "1"));
    let (shop, report) = read_case("07-ratings.csv", &plan("movielens-25m"));
    assert_eq!((report.accepted, report.duplicates, shop.interactions[0].value), (3, 1, Some(4.5)), "{report:?}");
}

#[test]
fn a_file_without_a_good_line_fails() {
    for (text, plan) in [("{\n", Plan::Ndjson(Kind::Items)), ("UserId,Labels\n1,2,3\n4\n", plan("gorse"))] {
        let failure = read_text(text, &plan).1.unwrap_err();
        assert_eq!(failure.problem.code, Code::NothingImported);
        assert!(failure.problem.detail.contains("rejected"), "{}", failure.problem);
    }
    for (text, plan) in [("UserId,Labels\n", plan("gorse")), ("", Plan::Ndjson(Kind::Items))] {
        assert_eq!(read(text, &plan).1.lines, 0, "a file without lines is no failure");
    }
    let skipped = format!("{RETAIL}1,POST,POSTAGE,1,2020-03-02 09:15:00,2.5,7,France\nx\n");
    assert_eq!(read(skipped, &plan("online-retail")).1.lines, 2, "a line that a rule leaves out was understood");
}

#[test]
fn decimal_commas() {
    let (shop, report) = read_case("10-woo.csv", &operator("woo"));
    assert_eq!((report.lines, report.accepted, counts(&report)["bad-id"]), (4, 3, 1), "{report:#?}");
    let prices: Vec<Option<f64>> = ["W-1", "W-2", "W-4"].iter().map(|id| shop.items[*id].price).collect();
    assert_eq!(prices, [Some(29.9), Some(1299.0), Some(7.5)]);
    assert_eq!(shop.items["W-1"].description.as_deref(), Some("Zeile eins Zeile zwei"));
    assert_eq!(["W-1", "W-2", "W-4"].map(|id| shop.items[id].in_stock), [true, false, true]);
    // What one number does not tell, a word of the preset does.
    let rows = "ID;SKU;Name;Regular price\n1;A;a;1.299\n2;B;b;1,299\n";
    let (shop, report) = read(rows, &operator("woo"));
    assert_eq!((shop.items["A"].price, shop.items["B"].price), (Some(1.299), None));
    assert!(has_note(&report, &["1 prices may have a decimal comma", "`1,299` in line 3"]), "{:?}", report.notes);
    let (shop, report) = read(rows, &operator_preset("woo", "[[file]]", "decimal = \",\""));
    assert_eq!((shop.items["A"].price, shop.items["B"].price, report.notes.len()), (Some(1299.0), Some(1.299), 0));
}

#[test]
fn words_for_stock() {
    let (shop, report) = read_case("11-feed.tsv", &operator("feed"));
    let stock: Vec<bool> = shop.items.values().map(|item| item.in_stock).collect();
    assert_eq!((report.accepted, stock), (5, vec![true, false, false, true, false]));
    assert_eq!((shop.items["F-4"].price, shop.items["F-4"].currency.as_deref()), (Some(15.0), Some("USD")));
    let (shop, report) =
        read("id,title,availability,price\n1,a,soonish,1\n2,b,soonish,1\n3,c,0,1\n4,d,12,1\n", &operator("feed"));
    assert!(has_note(&report, &["in_stock: 2 words are not known", "`soonish` 2 (line 2)"]), "{:?}", report.notes);
    assert_eq!((shop.items["3"].in_stock, shop.items["4"].in_stock), (false, true));
}

#[test]
fn fields_of_an_order_are_filled_down() {
    let (_, report) = read_case("12-orders.csv", &operator("shopify"));
    assert_eq!((report.accepted, counts(&report)["bad-interaction"]), (2, 2), "without the word nothing is filled");
    let words = "fill_down = { by = \"Name\", columns = [\"Email\", \"Financial Status\"] }";
    let (shop, report) = read_case("12-orders.csv", &operator_preset("shopify", "[[file]]", words));
    assert_eq!((report.accepted, &report.rejected[0].first_lines[..]), (3, &[4][..]), "{report:#?}");
    let bought: Vec<(&str, &str)> = shop
        .interactions
        .iter()
        .map(|line| (line.user.as_ref().unwrap().as_str(), line.item.as_ref().unwrap().as_str()))
        .collect();
    assert_eq!(
        bought,
        [("shopper-a@example.com", "SC-1"), ("shopper-a@example.com", "HT-1"), ("Shopper-A@example.com", "BL-1")]
    );
    // The preset that ships takes one address in any spelling.
    let (shop, _) = read_case("12-orders.csv", &plan("shopify-orders"));
    assert!(shop.interactions.iter().all(|line| line.user.as_ref().unwrap().as_str() == "shopper-a@example.com"));
    assert_eq!(shop.interactions.len(), 3);
}

#[test]
fn words_for_types() {
    let (shop, report) = read_case("15-words.csv", &plan("gorse"));
    assert_eq!((report.accepted, counts(&report)["type not mapped"]), (2, 1));
    assert!(shop.interactions.iter().all(|line| line.kind == InteractionType::Purchase));
    assert!(has_note(&report, &["`add-to-cart` 1 (line 4)"]), "{:?}", report.notes);
}

#[test]
fn lists_and_byte_order_marks() {
    for (name, format) in [("50-array.ndjson", "json"), ("50-bom.ndjson", "ndjson")] {
        let (shop, report) = read_case(name, &Plan::Ndjson(Kind::Items));
        assert_eq!((report.lines, report.accepted, shop.items.len(), report.format.as_str()), (2, 2, 2, format));
    }
    let (_, report) = read(
        "[{\"id\":\"a\",\"title\":\"t\"}, 5,\n{\"id\":\"\",\"title\":\"t\"}, {\"id\":\"b\",\"title\":\"t\"}]",
        &Plan::Ndjson(Kind::Items),
    );
    assert_eq!((report.lines, report.accepted), (4, 2));
    assert!(
        reason(&report, Code::WrongType).starts_with("[1]: ") && reason(&report, Code::BadId).starts_with("[2]: "),
        "{report:?}"
    );
    let (_, report) =
        read("\u{feff}{\"id\":\"a\",\"title\":\"t\"}\r{\"id\":\"b\",\"title\":\"t\"}\r", &Plan::Ndjson(Kind::Items));
    assert_eq!(report.accepted, 2, "bare CRs end lines here too");
    let (_, report) =
        read("{\"id\":\"a\",\"title\":\"t\"}\n\u{feff}{\"id\":\"b\",\"title\":\"t\"}\n", &Plan::Ndjson(Kind::Items));
    assert_eq!(report.accepted, 2, "two files put together");
}
