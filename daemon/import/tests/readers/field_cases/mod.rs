//! Real exports and how they must be read: every input of `tests/field_cases`, and others of its kind.

mod layout;
mod times;
mod values;

use std::path::{Path, PathBuf};

use mercer_import::{ImportFailure, Plan, Preset, run};
use mercer_shared::problem::Code;
use mercer_shared::wire::ImportReport;

use crate::Shop;

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
