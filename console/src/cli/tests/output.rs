//! What commands print and exit with.

use std::collections::BTreeMap;

use mercer_shared::problem::{Code, Problem};
use mercer_shared::wire::{ImportEvent, ImportReport, ReasonCount, RuleCount, ServedList};
use serde_json::{Value, json};

use super::daemon::{Fake, nobody};

fn list(items: &[(&str, f64)]) -> ServedList {
    let items: Vec<Value> = items
        .iter()
        .map(|(id, score)| {
            json!({"id": id, "title": format!("the \u{1b}[2J{id}"), "score": score,
                   "parts": [{"source": "own", "score": score}], "reasons": [{"text": "because of x"}]})
        })
        .collect();
    serde_json::from_value(json!({"query_id": "q1", "model": "v000001", "items": items, "took_us": 1500})).unwrap()
}

fn run(state: &str, phase: &str) -> Value {
    json!({"id": "r000001", "state": state, "cause": "operator", "phase": phase, "created": "2026-01-01T00:00:00Z",
           "step": 3, "steps": 9, "loss": 0.5, "items_per_second": 12.0, "eta_seconds": 4.0, "device": "cpu",
           "memory_bytes": 1024, "seed": 7, "model": "v000002",
           "gate": {"verdict": "reject", "reason": "not better", "from": "2026-01-01T00:00:00Z",
                    "to": "2026-02-01T00:00:00Z", "users": 50, "alpha": 0.05, "comparisons": [
                        {"against": "v000001", "metric": "ndcg@10", "slice": "repeat", "candidate": 0.25, "other": 0.26,
                         "difference": -0.01, "low": -0.02, "high": 0.0, "p": 0.04, "n": 50, "rule": "better",
                         "passed": false}]}})
}

#[test]
fn without_a_daemon_the_exit_code_says_so() {
    for args in [&["status"][..], &["models"], &["recommend", "u"], &["events"], &["export"]] {
        let ran = nobody(args);
        assert_eq!(ran.code, 3, "{args:?}: {}", ran.err);
        assert!(ran.err.starts_with("mercer: no daemon answers"), "{}", ran.err);
        assert!(ran.err.contains("\nhint: start one: mercerd"), "{}", ran.err);
        assert_eq!(ran.out, "");
    }
}

#[test]
fn problems_decide_the_exit_code_and_are_documents_on_request() {
    for (code, exit) in [(Code::UnknownUser, 1), (Code::BadParameter, 2), (Code::Conflict, 4), (Code::Forbidden, 4)] {
        let ran = Fake::default().refuse("GET /v1/users/u/profile", code, "this time").run(&["profile", "u", "--json"]);
        assert_eq!(ran.code, exit, "{code}");
        let problem: Problem = serde_json::from_str(&ran.err).unwrap();
        assert_eq!((problem.code, problem.detail.as_str()), (code, "this time"));
    }
}

#[test]
fn lists_are_tables_documents_or_lines() {
    let fake = || Fake::default().on("GET /v1/users/a%2Fb/recommendations", list(&[("i1", 0.5), ("i2", 0.25)]));
    let ran = fake().run(&["recommend", "a/b", "-k", "2", "--at", "2011-11-09", "--reasons"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(
        ran.asked,
        ["GET /v1/users/a%2Fb/recommendations?k=2&at=2011-11-09T00%3A00%3A00Z&reasons=true&preview=true"]
    );
    assert!(!ran.out.contains('\u{1b}'), "titles must not steer the terminal");
    assert!(ran.out.contains("own 0.5000") && ran.out.contains("because of x"), "{}", ran.out);
    let ran = fake().run(&["recommend", "a/b", "--json"]);
    assert_eq!(serde_json::from_str::<ServedList>(&ran.out).unwrap(), list(&[("i1", 0.5), ("i2", 0.25)]));
    let ran = fake().run(&["recommend", "a/b", "--output", "ndjson"]);
    assert_eq!(
        serde_json::from_str::<Value>(&ran.out).unwrap(),
        json!({"user": "a/b", "items": [{"id": "i1", "score": 0.5}, {"id": "i2", "score": 0.25}]})
    );
}

#[test]
fn many_shoppers_are_answered_in_order_and_one_unknown_does_not_stop_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("users.txt");
    let mut fake = Fake::default().refuse("GET /v1/users/nobody/recommendations", Code::UnknownUser, "nobody");
    let mut names = Vec::new();
    for n in 0..30 {
        let name = if n == 17 { "nobody".to_owned() } else { format!("u{n}") };
        if n != 17 {
            fake = fake.on(&format!("GET /v1/users/{name}/recommendations"), list(&[(&name, 1.0)]));
        }
        names.push(name);
    }
    std::fs::write(&file, names.join("\r\n") + "\n\n").unwrap();
    let ran = fake.run(&["recommend", "--users", file.to_str().unwrap(), "--output", "ndjson"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.starts_with("mercer: nobody: unknown-user"), "{}", ran.err);
    let lines: Vec<Value> = ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 30);
    for (name, line) in names.iter().zip(&lines) {
        let expected = if name == "nobody" {
            json!({"user": name, "items": [], "code": "unknown-user"})
        } else {
            json!({"user": name, "items": [{"id": name, "score": 1.0}]})
        };
        assert_eq!(line, &expected);
    }
}

#[test]
fn many_queries_keep_their_ids_and_an_overloaded_daemon_is_asked_again() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("queries.ndjson");
    std::fs::write(&file, "{\"id\":\"q1\",\"text\":\"红裙\"}\n{\"id\":2,\"text\":\"lamp\"}\n").unwrap();
    let path = file.to_str().unwrap();
    let ran = Fake::default()
        .refuse("GET /v1/search?q=lamp&k=30&preview=true", Code::Overloaded, "too much")
        .on("GET /v1/search?q=lamp&k=30&preview=true", list(&[("i", 1.0)]))
        .on("GET /v1/search", list(&[("j", 2.0)]))
        .run(&["search", "--queries", path, "-k", "30", "--output", "ndjson"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(
        ran.out,
        "{\"query\":\"q1\",\"items\":[{\"id\":\"j\",\"score\":2.0}]}\n{\"query\":2,\"items\":[{\"id\":\"i\",\"score\":1.0}]}\n"
    );
    assert!(nobody(&["search", "--queries", path]).code == 3);
    std::fs::write(&file, "{\"id\":\"q1\"}\n").unwrap();
    let ran = Fake::default().run(&["search", "--queries", path]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("line 1"), "{}", ran.err);
}

fn report() -> ImportReport {
    ImportReport {
        file: "a.csv".into(),
        format: "preset p, csv".into(),
        lines: 541_909,
        accepted: 401_604,
        duplicates: 5_225,
        skipped: vec![RuleCount { rule: "no-customer".into(), count: 135_080, first_lines: vec![1, 2, 3, 4, 5] }],
        interactions: BTreeMap::from([("purchase".to_owned(), 401_604)]),
        seconds: 2.0,
        ..ImportReport::default()
    }
}

#[test]
fn an_import_shows_its_sum() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a.csv");
    std::fs::write(&file, "x,y\n1,2\n").unwrap();
    let path = file.to_str().unwrap();
    let line = |event: ImportEvent| serde_json::to_string(&event).unwrap() + "\n";
    let ran = Fake::default()
        .text("POST /v1/imports", 200, line(ImportEvent::Report(Box::new(report()))))
        .run(&["import", "--preset", "p", path]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(ran.asked, ["POST /v1/imports?file=a.csv&preset=p&dry_run=false x,y\n1,2"]);
    for part in ["541,909", "401,604", "5,225", "135,080", "line 1, 2, 3, 4, 5, ...", "the sum is right", "270,955"] {
        assert!(ran.out.contains(part), "{part} is missing in\n{}", ran.out);
    }

    let kept = ImportReport { consent_kept: 3, ..report() };
    let answer = line(ImportEvent::Report(Box::new(kept)));
    let kept = Fake::default().text("POST /v1/imports", 200, answer).run(&["import", "--preset", "p", path]);
    for part in ["consent kept: for 3 shoppers", "mercer user consent ID --SCOPE on"] {
        assert!(kept.out.contains(part) && !ran.out.contains(part), "{part}: {}", kept.out);
    }

    let rejected = ReasonCount { code: Code::BadTime, reason: "in 2199".into(), count: 2, first_lines: vec![7, 9] };
    let bad = ImportReport { lines: 541_911, rejected: vec![rejected], ..report() };
    let answer = line(ImportEvent::Report(Box::new(bad.clone())));
    let told = |args: &[&str]| Fake::default().text("POST /v1/imports", 200, answer.clone()).run(args);
    assert_eq!(told(&["import", "--preset", "p", path]).code, 0);
    let ran = told(&["import", "--preset", "p", path, "--strict"]);
    assert_eq!(ran.code, 1);
    assert!(ran.out.contains("rejected as bad-time") && ran.out.contains("line 7, 9: in 2199"), "{}", ran.out);

    // A file without a single good line has failed, whatever was asked for; a line known already is a good one.
    let rejected =
        vec![ReasonCount { code: Code::BadTime, reason: "in 2199".into(), count: 2, first_lines: vec![1, 2] }];
    let hopeless = ImportReport { lines: 2, rejected, ..ImportReport::default() };
    for (duplicates, code) in [(0, 1), (1, 0)] {
        let answer = line(ImportEvent::Report(Box::new(ImportReport { duplicates, ..hopeless.clone() })));
        let ran = Fake::default().text("POST /v1/imports", 200, answer).run(&["import", "--preset", "p", path]);
        assert_eq!(ran.code, code, "{}", ran.out);
    }

    let problem = Problem::new(Code::BadFile, "cut off at byte 9");
    let failed = line(ImportEvent::Failed { problem, report: Box::new(report()) });
    let ran = Fake::default().text("POST /v1/imports", 200, failed).run(&["import", "--preset", "p", path]);
    assert_eq!(ran.code, 1);
    assert!(ran.out.contains("541,909") && ran.err.contains("cut off at byte 9"), "{}{}", ran.out, ran.err);

    let wrong = ImportReport { lines: 1, ..report() };
    let answer = line(ImportEvent::Report(Box::new(wrong)));
    let ran = Fake::default().text("POST /v1/imports", 200, answer).run(&["import", "--preset", "p", path]);
    assert!(ran.out.contains("THE SUM IS WRONG"), "{}", ran.out);
    assert_eq!(Fake::default().run(&["import", "--preset", "p", "/no/such/file"]).code, 1);
}

#[test]
fn training_is_followed_to_its_end() {
    for (state, exit) in [("succeeded", 0), ("failed", 1), ("cancelled", 4)] {
        let ran = Fake::default()
            .on("POST /v1/runs", run("queued", "examples"))
            .on("GET /v1/runs/r000001", run("running", "encoder"))
            .on("GET /v1/runs/r000001", run(state, "done"))
            .run(&["train", "--wait", "--budget", "10m", "--no-encoder", "--no-promote"]);
        assert_eq!(ran.code, exit, "{state}: {}", ran.err);
        assert_eq!(ran.asked[0], "POST /v1/runs {\"budget_seconds\":600,\"encoder\":false,\"promote\":false}");
        assert!(
            ran.err.contains("encoder, step 3 of 9, loss 0.5000, 12.0 items/s, 4 s left of the phase"),
            "{}",
            ran.err
        );
        assert!(ran.out.contains("Gate: reject") && ran.out.contains("-0.0100"), "{}", ran.out);
    }
    let ran = Fake::default().refuse("POST /v1/runs", Code::NotEnoughData, "3 of 100").run(&["train"]);
    assert_eq!(ran.code, 4);
}

#[test]
fn a_run_shows_the_earlier_end_and_what_follows() {
    let mut live = run("running", "encoder");
    live["eta_seconds"] = json!(780.0);
    live["phase_ends_by"] = json!("2026-01-01T00:00:09Z");
    live["phases_ahead"] = json!(["embedding", "gate"]);
    let ran = Fake::default().on("GET /v1/runs/r000001", live).run(&["runs", "show", "r000001"]);
    assert!(ran.out.contains("left of the phase (budget), then embedding, gate"), "{}", ran.out);
    assert!(!ran.out.contains("13 min"), "{}", ran.out);
}

#[test]
fn collections_are_read_page_by_page() {
    let user = |id: &str| json!({"id": id});
    let ran = Fake::default()
        .on("GET /v1/users?limit=3&q=u", json!({"items": [user("u1"), user("u2")], "next_cursor": "c"}))
        .on("GET /v1/users?cursor=c&limit=1&q=u", json!({"items": [user("u3")], "next_cursor": "d"}))
        .run(&["users", "u", "-n", "3"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.contains("u3") && ran.out.contains("-n shows more"), "{}", ran.out);
}

#[test]
fn a_shopper_is_changed_and_erased() {
    let known = json!({"id": "u", "attributes": {"region": "north", "gender": "f"}, "consent": {"train": true}});
    let ran = Fake::default().on("GET /v1/users/u", &known).on("PUT /v1/users/u", &known).run(&[
        "user",
        "u",
        "--set",
        "region=south",
        "--set",
        "gender=",
        "--train",
        "off",
    ]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let sent: Value = serde_json::from_str(ran.asked[1].strip_prefix("PUT /v1/users/u ").unwrap()).unwrap();
    assert_eq!(
        sent,
        json!({"id": "u", "attributes": {"region": "south"}, "consent": {"train": false}}),
        "what is not named is left to the daemon"
    );
    let report = json!({"user": "u", "consent": {"train": false}, "scopes": [], "ledger": []});
    let ran = Fake::default()
        .on("PATCH /v1/users/u/consent", &report)
        .on("GET /v1/users/u", &known)
        .run(&["user", "u", "--train", "off"]);
    assert_eq!((ran.code, ran.asked[0].as_str()), (0, r#"PATCH /v1/users/u/consent {"train":false}"#), "{}", ran.err);
    let ran = Fake::default()
        .refuse("PATCH /v1/users/u/consent", mercer_shared::problem::Code::UnknownUser, "there is no user `u`")
        .on("PUT /v1/users/u", &known)
        .run(&["user", "u", "--train", "off"]);
    assert_eq!(ran.asked[1], r#"PUT /v1/users/u {"id":"u","consent":{"train":false}}"#, "{}", ran.err);
    let report = json!({"user": "u", "consent": {"train": false},
        "scopes": [{"scope": "train", "agreed": false, "basis": "explicit", "source": "api", "at": "2026-01-01T00:00:00Z"},
                   {"scope": "personalise", "agreed": true, "basis": "default", "source": "configuration"}],
        "ledger": [{"at": "2026-01-01T00:00:00Z", "scope": "train", "from": true, "to": false, "basis": "explicit",
                    "source": "api", "uid": 7}]});
    let ran = Fake::default().on("GET /v1/users/u/consent", &report).run(&["user", "consent", "u"]);
    assert!(ran.out.contains("by default") && ran.out.contains("user 7"), "{} {}", ran.out, ran.err);
    let ran = Fake::default().run(&["erase", "u"]);
    assert_eq!((ran.code, ran.asked.len()), (2, 0), "{}", ran.err);
    let receipt = json!({"pseudonym": "ab12", "at": "2026-01-01T00:00:00Z", "interactions": 3, "models": ["v000001"]});
    let ran = Fake::default().on("DELETE /v1/users/u", receipt).run(&["erase", "u", "--yes"]);
    assert!(ran.code == 0 && ran.out.contains("3 interactions") && ran.out.contains("v000001"), "{}", ran.out);
}

#[test]
fn events_are_lines() {
    let stream = "{\"seq\":1,\"at\":\"2026-01-01T00:00:00Z\",\"event\":\"heartbeat\"}\n\
                  {\"seq\":2,\"at\":\"2026-01-01T00:00:01Z\",\"event\":\"interactions\",\"data\":{\"accepted\":2,\"total\":1200}}\n";
    let ran = Fake::default().text("GET /v1/events", 200, stream).run(&["events"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, "2026-01-01 00:00:01 UTC  interactions: 2 more, 1,200 in all\n"));
    let ran = Fake::default().text("GET /v1/events", 200, stream).run(&["events", "--json"]);
    assert_eq!(ran.out.lines().count(), 2);
}

#[test]
fn the_manual_names_every_command_and_code() {
    let ran = nobody(&["manual"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    for part in ["## mercer models promote", "## mercer demo", "`not-enough-data`", "--candidates"] {
        assert!(ran.out.contains(part), "{part} is missing");
    }
}

/// With `MERCER_WRITE_DOCS` in the environment it writes the page.
#[test]
fn the_kept_page_of_commands_is_up_to_date() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../data/docs/commands.md");
    let manual = nobody(&["manual"]).out;
    if std::env::var_os("MERCER_WRITE_DOCS").is_some() {
        std::fs::write(path, &manual).unwrap();
    }
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    assert!(kept == manual, "{path} is stale: MERCER_WRITE_DOCS=1 cargo test -p mercer-console page writes it");
}

#[test]
fn a_report_shows_intervals_and_verdicts() {
    let report = json!({"kind": "fairness", "model": "v000001", "created": "2026-01-01T00:00:00Z", "users": 40,
        "rows": [{"name": "gap", "label": "largest gap", "undefined": "one group only", "n": 40, "formula": "f"}],
        "groups": [{"attribute": "gender", "metric": "ndcg@10", "gap": 0.1, "noise_floor": 0.05, "p": 0.01, "worst": "f",
            "verdict": "above_noise", "groups": [
                {"group": "f", "n": 20, "share": 0.5, "suppressed": false, "mean": 0.2, "low": 0.1, "high": 0.3},
                {"group": "x", "n": 4, "share": 0.1, "suppressed": true}]}],
        "notes": ["few users"]});
    let ran = Fake::default().on("GET /v1/reports/fairness", report).run(&["report", "fairness"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    for part in ["undefined: one group only", "above noise", "[0.1000, 0.3000]", "suppressed", "note: few users"] {
        assert!(ran.out.contains(part), "{part} is missing in\n{}", ran.out);
    }
}

#[test]
fn reports_print_suppressed_never_zero_and_the_value_of_the_version_before() {
    let report = json!({"kind": "fairness", "model": "v000002", "created": "2026-01-01T00:00:00Z", "users": 1101,
        "rows": [{"name": "effective-items@10", "label": "effective items", "value": 354.0, "low": 330.0, "high": 380.0, "n": 900,
                  "n_total": 1101, "formula": "f", "verdict": "worse_than_popularity", "number": 6,
                  "reference": {"label": "random pairs", "value": 0.82},
                  "previous": {"model": "v000001", "value": 435.0, "same_window": true, "verdict": "lower_than_before"}}],
        "groups": [{"attribute": "gender", "metric": "ndcg@10", "verdict": "above_noise", "gap": 0.36, "noise_floor": 0.13,
                    "p": 0.0002, "p_holm": 0.0004, "worst": "x", "not_compared": ["few"], "rounded": true, "groups": [
            {"group": "x", "n": 80, "share": 0.07, "suppressed": false, "mean": 0.04, "low": 0.02, "high": 0.06,
             "compared": true, "p": 0.0002, "p_holm": 0.0004, "finding": "below"},
            {"group": "few", "n": 12, "share": 0.01, "suppressed": false, "low": 0.1, "high": 0.45, "compared": false},
            {"group": "other, small groups", "suppressed": true, "compared": false}]}],
        "items": [{"by": "seller", "exposure_model": "1/log2(1+rank)", "other_model": "0.85^(rank-1)", "not_compared": 3,
                   "worst": "hidden", "top": "big", "top_share": 0.6, "hhi": 0.5, "groups": [
            {"group": "hidden", "items": 9, "relevant": 40, "exposure_share": 0.0, "relevance_share": 0.2,
             "catalogue_share": 0.1, "merit_ratio": 0.0, "low": 0.0, "high": 0.1, "other_ratio": 0.0,
             "verdict": "below_merit"}]}]});
    let ran = Fake::default().on("GET /v1/reports/fairness", report).run(&["report", "fairness"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let row = |name: &str| ran.out.lines().find(|line| line.contains(name)).unwrap_or_default().to_owned();
    let hidden = row("other, small groups");
    assert!(hidden.contains("suppressed") && !hidden.contains('0'), "{hidden}");
    assert!(ran.out.contains("below the others") && row("few").contains("not compared"), "{}", ran.out);
    assert!(ran.out.contains("not compared, fewer than 30 shoppers: few"));
    let effective = row("effective-items@10");
    for part in ["435 (v000001)", "worse than popularity; lower than before", "900/1,101"] {
        assert!(effective.contains(part), "{part} is not in {effective}");
    }
    assert!(ran.out.contains("random pairs 0.82") && ran.out.contains("below merit"), "{}", ran.out);
}
