//! Values: missing ones, numbers, prices, stock, types, fields that an order names once.

use mercer_import::{Plan, Preset};
use mercer_shared::problem::Code;
use mercer_shared::wire::InteractionType;

use super::{RETAIL, has_note, operator, operator_preset, read, read_case, read_text, reason, users};
use crate::parquet_file::{Values, parquet_file};
use crate::{counts, plan};

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
