//! Stored reports, differences of two versions, exports and their signatures, as an operator uses them.

use std::path::Path;

use mercer_shared::problem::Code;
use mercer_tests::shop::Shop;
use mercer_tests::{Daemon, Options, eventually, mercer};
use serde_json::{Value, json};

/// Large enough for intervals, small enough for a test.
const SHOP: Shop = Shop { seed: 11, users: 120, items: 80, interactions: 5_000 };

/// Nothing is trained by itself; two noised exports a day.
const CALM: &str =
    "[train]\nevery_seconds = 0\nafter_interactions = 0\n[reports]\nexport_epsilon = 1.0\nexport_budget = 2.0\n";

fn refused(daemon: &Daemon, arguments: &[&str], code: Code) {
    let output = daemon.mercer(&[arguments, &["--json"]].concat());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains(&format!("\"{code}\"")), "{arguments:?}: {said}");
    assert!(!output.status.success());
}

/// The lines of a CSV file as cells.
fn csv(text: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut cell, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => cell.push(chars.next().unwrap()),
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(std::mem::take(&mut cell)),
            '\r' if !quoted => {}
            '\n' if !quoted => {
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            other => cell.push(other),
        }
    }
    rows
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

#[test]
fn reports_are_stored_listed_and_compared_on_the_same_users() {
    let daemon = Daemon::start();
    SHOP.open(&daemon);
    daemon.embedded();
    daemon.fitted();
    let first = daemon.mercer_json(&["report", "quality"]);
    let again = daemon.mercer_json(&["report", "quality"]);
    assert_eq!(first, again, "the same state is not computed twice");
    daemon.mercer_json(&["report", "diversity"]);
    let all = daemon.mercer_json(&["reports"]);
    let listed = all["items"].as_array().unwrap();
    assert_eq!(listed.len(), 2, "{all}");
    assert_eq!((&listed[0]["kind"], &listed[1]["kind"]), (&json!("diversity"), &json!("quality")));
    assert_eq!(listed[0]["hashes"], listed[1]["hashes"], "the same data and version");
    let one = daemon.mercer_json(&["reports", "--kind", "quality"]);
    assert_eq!(one["items"].as_array().unwrap().len(), 1);
    assert_eq!(daemon.mercer_json(&["reports", "--model", "none"])["items"], json!([]));
    let id = one["items"][0]["id"].as_str().unwrap();
    let stored = daemon.mercer_json(&["report", "show", id]);
    assert_eq!(stored["report"], first);
    refused(&daemon, &["report", "show", "p999999"], Code::NotFound);
    let trend = daemon.mercer_json(&["report", "trend", "quality", "ndcg@10/repeat"]);
    assert_eq!(trend["points"].as_array().unwrap().len(), 1);
    let row = first["rows"].as_array().unwrap().iter().find(|row| row["name"] == "ndcg@10/repeat").unwrap();
    assert_eq!(trend["points"][0]["value"], row["value"]);
    refused(&daemon, &["report", "trend", "quality", "none"], Code::NotFound);

    let made = daemon.mercer_json(&["train", "--wait", "--no-encoder", "--no-promote", "--seed", "1"]);
    let (base, trained) = (first["model"].as_str().unwrap(), made["model"].as_str().unwrap());
    let answer = daemon.mercer_json(&["report", "quality", "--model", trained, "--against", base]);
    assert_eq!((answer["model"].as_str(), answer["difference"]["against"].as_str()), (Some(trained), Some(base)));
    for (row, difference) in
        answer["rows"].as_array().unwrap().iter().zip(answer["difference"]["rows"].as_array().unwrap())
    {
        assert_eq!(row["name"], difference["name"]);
        if row["undefined"].is_string() {
            assert_eq!((&difference["verdict"], &difference["difference"]), (&json!("no_interval"), &Value::Null));
            continue;
        }
        if row["name"] == "auc" || row["name"] == "gauc" {
            // Over all showings at once: there is no value per user to pair.
            assert_eq!(
                (&difference["verdict"], &difference["low"]),
                (&json!("no_interval"), &Value::Null),
                "{difference}"
            );
            assert!(difference["undefined"].as_str().unwrap().contains("no values per user"), "{difference}");
            continue;
        }
        let expected = number(&difference["value"]) - number(&difference["against"]);
        assert!((number(&difference["difference"]) - expected).abs() < 1e-9, "the means are over the same users");
        let (low, high) = (number(&difference["low"]), number(&difference["high"]));
        assert!(low <= expected + 1e-9 && expected <= high + 1e-9, "{difference}");
        assert_eq!(difference["n"], row["n"], "{difference}");
        let word = difference["verdict"].as_str().unwrap();
        let right = match word {
            "higher" => low > 0.0,
            "lower" => high < 0.0,
            "same" => low == 0.0 && high == 0.0,
            "not_measurable" => low <= 0.0 && high >= 0.0,
            _ => false,
        };
        assert!(right, "{difference}");
    }
    let back = daemon.mercer_json(&["report", "quality", "--model", base, "--against", trained]);
    let of = |answer: &Value| number(&answer["difference"]["rows"][0]["difference"]);
    assert!((of(&answer) + of(&back)).abs() < 1e-12, "the other way round has the other sign");
    let diversity = daemon.mercer_json(&["report", "diversity", "--model", trained, "--against", base]);
    let gini = diversity["difference"]["rows"].as_array().unwrap().iter().find(|row| row["name"] == "gini@10").unwrap();
    assert_eq!((&gini["verdict"], &gini["low"]), (&json!("no_interval"), &Value::Null), "{gini}");
    assert!(gini["undefined"].as_str().unwrap().contains("no values per user"));
    refused(&daemon, &["report", "quality", "--against", "v999999"], Code::NotFound);
    refused(&daemon, &["report", "quality", "--against", base], Code::BadParameter);
    let text = daemon.mercer_ok(&["report", "quality", "--model", trained, "--against", base]);
    assert!(text.contains(&format!("{trained} less {base}")) && text.contains("smallest detectable"), "{text}");
}

#[test]
fn exports_are_read_back_verified_and_refused_when_the_budget_is_spent() {
    let mut daemon = Daemon::start_with(&Options { config: Some(CALM.to_owned()), ..Options::default() });
    SHOP.open(&daemon);
    daemon.embedded();
    daemon.fitted();
    let report = daemon.mercer_json(&["report", "diversity"]);
    let rows = report["rows"].as_array().unwrap().len();
    let dir = daemon.dir.path().to_owned();
    let path = |name: &str| dir.join(name).display().to_string();
    let files = ["report.json", "report.csv", "report.parquet", "report.html"].map(path);
    for file in &files {
        daemon.mercer_ok(&["report", "diversity", "--export", file, "--exact"]);
        let good = daemon.mercer_json(&["report", "verify", file]);
        assert_eq!((&good["statement"]["kind"], &good["statement"]["model"]), (&json!("diversity"), &report["model"]));
    }
    refused(&daemon, &["report", "diversity", "--export", &files[1], "--exact"], Code::FileExists);
    refused(&daemon, &["report", "diversity", "--export", &path("report.txt"), "--exact"], Code::BadParameter);
    daemon.mercer_ok(&["report", "diversity", "--export", &files[1], "--exact", "--force"]);

    // JSON: the whole report.
    let exported: Value = serde_json::from_slice(&std::fs::read(&files[0]).unwrap()).unwrap();
    assert_eq!((&exported["report"], &exported["privacy"]["exact"]), (&report, &json!(true)));
    assert_eq!(exported["id"], daemon.mercer_json(&["reports"])["items"][0]["id"]);
    // CSV: a line for each number.
    let table = csv(&std::fs::read_to_string(&files[1]).unwrap());
    let place = |name: &str| table[0].iter().position(|head| head == name).unwrap();
    assert_eq!(table.len(), 1 + rows);
    for (line, row) in table[1..].iter().zip(report["rows"].as_array().unwrap()) {
        assert_eq!(line.len(), table[0].len());
        assert_eq!(line[place("name")], row["name"].as_str().unwrap());
        assert_eq!(line[place("value")].parse::<f64>().ok(), row["value"].as_f64());
    }
    // Parquet: the table's own test reads it back; here that the file is whole.
    let bytes = std::fs::read(&files[2]).unwrap();
    assert!(bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1"));
    // HTML: one page that loads nothing.
    let html = std::fs::read_to_string(&files[3]).unwrap();
    assert!(html.starts_with("<!DOCTYPE html>") && html.trim_end().ends_with("</html>"));
    assert!(html.contains("<svg") && !html.contains("<script") && !html.contains("https://"));

    // Noised: two a day.
    for (n, file) in ["noised.json", "noised.html"].into_iter().enumerate() {
        daemon.mercer_ok(&["report", "diversity", "--export", &path(file)]);
        daemon.mercer_ok(&["report", "verify", &path(file)]);
        if n == 0 {
            let noised: Value = serde_json::from_slice(&std::fs::read(path(file)).unwrap()).unwrap();
            let privacy = &noised["privacy"];
            assert_eq!((&privacy["unit"], &privacy["exact"]), (&json!("user"), &json!(false)));
            assert!((number(&privacy["epsilon"]) - 1.0).abs() < 1e-6 && number(&privacy["spent_today"]) == 1.0);
        }
    }
    let page = std::fs::read_to_string(path("noised.html")).unwrap();
    assert!(page.contains("epsilon 1.0000") && page.contains("unit: user") && page.contains("not noised"), "{page}");
    refused(&daemon, &["report", "diversity", "--export", &path("third.csv")], Code::ExportBudgetSpent);
    assert!(!Path::new(&path("third.csv")).exists(), "nothing half written");
    let audit = daemon.mercer_json(&["audit"]).to_string();
    assert!(audit.contains("export-report") && audit.contains("diversity as html, epsilon 1"), "{audit}");
    let key = daemon.mercer_json(&["report", "key"]);
    daemon.terminate();
    daemon.launch();
    refused(&daemon, &["report", "diversity", "--export", &path("third.csv")], Code::ExportBudgetSpent);
    assert_eq!(daemon.mercer_json(&["report", "key"]), key, "the key survives a restart");
}

#[test]
fn a_changed_byte_another_installation_and_a_missing_signature_have_codes_of_their_own() {
    let (daemon, other) = (Daemon::start(), Daemon::start());
    let path = |name: &str| daemon.dir.path().join(name).display().to_string();
    let files = ["r.json", "r.csv", "r.parquet", "r.html"].map(path);
    for file in &files {
        daemon.mercer_ok(&["report", "quality", "--export", file]);
    }
    let key = daemon.mercer_ok(&["report", "key"]).trim().to_owned();
    let foreign = other.mercer_ok(&["report", "key"]).trim().to_owned();
    assert_ne!(key, foreign);
    let nobody = daemon.dir.path().join("nobody");
    let verify = |file: &str, key: &str| {
        let output = mercer(&nobody, &["report", "verify", file, "--key", key, "--json"]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.success(), said)
    };
    for file in &files {
        assert_eq!(verify(file, &key), (true, String::new()), "without a daemon");
        let (good, said) = verify(file, &foreign);
        assert!(!good && said.contains(&format!("\"{}\"", Code::ForeignSignature)), "{said}");
        refused(&other, &["report", "verify", file], Code::ForeignSignature);
        let whole = std::fs::read(file).unwrap();
        let mut changed = whole.clone();
        // Of the JSON document the last digit, so that it stays JSON.
        let digit = changed.iter().rposition(u8::is_ascii_digit).filter(|_| file.ends_with(".json"));
        let place = digit.unwrap_or(changed.len() / 2);
        changed[place] ^= 1;
        std::fs::write(file, &changed).unwrap();
        let (good, said) = verify(file, &key);
        assert!(!good && said.contains(&format!("\"{}\"", Code::BadSignature)), "{file}: {said}");
        std::fs::write(file, &whole).unwrap();
    }
    let mut bare: Value = serde_json::from_slice(&std::fs::read(&files[0]).unwrap()).unwrap();
    bare.as_object_mut().unwrap().remove("signature");
    std::fs::write(&files[0], bare.to_string()).unwrap();
    std::fs::remove_file(format!("{}.sig", files[1])).unwrap();
    for file in &files[..2] {
        let (good, said) = verify(file, &key);
        assert!(!good && said.contains(&format!("\"{}\"", Code::Unsigned)), "{said}");
    }
    let (good, said) = verify(&files[2], "abc");
    assert!(!good && said.contains(&format!("\"{}\"", Code::BadParameter)), "{said}");
}

#[test]
fn the_main_parameters_are_told_in_two_languages_with_what_was_measured() {
    let daemon = Daemon::start();
    let empty = daemon.mercer_json(&["report", "parameters"]);
    assert!(empty["introduction"][0].as_str().unwrap().contains("Nothing is trained yet"), "{empty}");
    assert!(
        empty["parameters"].as_array().unwrap().iter().all(|one| one["change"].is_null() && one["weight"].is_number())
    );
    SHOP.open(&daemon);
    daemon.embedded();
    daemon.fitted();
    let english = daemon.mercer_json(&["report", "parameters"]);
    let parameters = english["parameters"].as_array().unwrap();
    let change = |one: &Value| number(&one["change"]);
    assert!(parameters.len() >= 4, "{english}");
    assert!(parameters.windows(2).all(|pair| change(&pair[0]) <= change(&pair[1])), "the weightiest first");
    // The simulated shoppers buy again what they bought.
    assert_eq!(parameters[0]["source"], "own", "{english}");
    let low = number(&parameters[0]["low"]);
    assert!(change(&parameters[0]) < 0.0 && low <= change(&parameters[0]), "{english}");
    let chinese = daemon.mercer_json(&["report", "parameters", "--language", "zh"]);
    assert_eq!(chinese["parameters"].as_array().unwrap().len(), parameters.len());
    assert!(chinese["introduction"][0].as_str().unwrap().contains("还没有训练"));
    let text = daemon.mercer_ok(&["report", "parameters"]);
    assert!(text.contains("without it NDCG@10 changes by -"), "{text}");
    let output = daemon.mercer(&["report", "parameters", "--language", "fr"]);
    assert!(!output.status.success());
}

#[test]
fn nightly_reports_are_made_once_a_night() {
    let config =
        "[train]\nevery_seconds = 0\nafter_interactions = 0\n[reports]\nnightly = [\"diversity\"]\nnightly_hour = 0\n";
    let daemon = Daemon::start_with(&Options { config: Some(config.to_owned()), ..Options::default() });
    let reports = eventually("a nightly report is stored", || {
        let reports = daemon.mercer_json(&["reports"]);
        (!reports["items"].as_array().unwrap().is_empty()).then_some(reports)
    });
    assert_eq!(reports["items"][0]["kind"], "diversity");
    let decision = eventually("it is a decision", || {
        let decisions = daemon.mercer_json(&["decisions"]).to_string();
        decisions.contains("reports.nightly").then_some(decisions)
    });
    assert!(decision.contains(reports["items"][0]["id"].as_str().unwrap()), "{decision}");
}
