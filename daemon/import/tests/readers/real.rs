//! The real logs, where they are at hand: what the presets make of every line of them.

use std::path::{Path, PathBuf};

use mercer_import::{DryRun, Kind, Plan, run};
use mercer_shared::wire::ImportReport;

use crate::{Shop, counts, plan};

fn data() -> PathBuf {
    match std::env::var_os("MERCER_DATA_DIR") {
        Some(dir) => dir.into(),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"),
    }
}

fn dry(file: &str, plan: &Plan) -> ImportReport {
    let name = Path::new(file).file_name().unwrap().to_string_lossy().into_owned();
    let report = run(&data().join(file), &name, plan, true, &mut DryRun::default(), &mut |_| {}).unwrap();
    eprintln!("{}", serde_json::to_string_pretty(&report).unwrap());
    assert!(report.adds_up());
    report
}

#[test]
#[ignore = "needs real data (MERCER_DATA_DIR)"]
fn online_retail() {
    let report = dry("online_retail/online_retail.csv.gz", &plan("online-retail"));
    assert_eq!(report.lines, 541_909);
    let rules = counts(&report);
    assert_eq!(rules["no customer"], 135_080);
    assert_eq!(
        rules.keys().map(String::as_str).collect::<Vec<_>>(),
        ["code is no product", "no customer", "price is zero or negative"]
    );
    assert_eq!(report.duplicates, 0, "equal lines of one invoice are all kept");
    // 9,288 cancelled lines, of which 383 have no customer and 366 are no products.
    assert_eq!(report.interactions["return"], 9_288 - 383 - 366);
    let mut shop = Shop::default();
    shop.read(&data().join("online_retail/online_retail.csv.gz"), &plan("online-retail"));
    eprintln!("{:?} {:?}", shop.items["85123A"], shop.users["17850"]);
    let again = shop.read(&data().join("online_retail/online_retail.csv.gz"), &plan("online-retail"));
    assert_eq!((again.accepted, again.duplicates, again.items, again.users), (0, report.accepted, 0, 0));
    let odd: Vec<&str> =
        shop.items.values().map(|item| item.title.as_str()).filter(|title| title.to_lowercase() == *title).collect();
    assert_eq!(odd, Vec::<&str>::new(), "no title is a note of the warehouse");
}

#[test]
#[ignore = "needs real data (MERCER_DATA_DIR)"]
fn open_ecommerce() {
    let report = dry("open_ecommerce/purchases.csv.gz", &plan("open-ecommerce"));
    assert_eq!((report.lines, report.accepted, report.items), (133_178, 133_178, 101_196));
    let users = dry("open_ecommerce/users.csv", &plan("open-ecommerce"));
    assert_eq!((users.lines, users.users), (440, 440));
}

#[test]
#[ignore = "needs real data (MERCER_DATA_DIR)"]
fn clothing_reviews() {
    let report = dry("clothing_reviews/clothing_reviews.csv.gz", &plan("clothing-reviews"));
    assert_eq!((report.lines, report.accepted), (23_486, 23_486));
}

#[test]
#[ignore = "needs real data (MERCER_DATA_DIR)"]
fn benchmarks_in_our_own_form() {
    for (file, kind) in [("items", Kind::Items), ("users", Kind::Users), ("train", Kind::Interactions)] {
        let report = dry(&format!("benchmarks/online_retail/{file}.ndjson.gz"), &Plan::Ndjson(kind));
        assert_eq!((report.rejected.len(), report.duplicates), (0, 0));
    }
}
