//! Consent, erasure, export and retention of a running daemon, over its socket and its command line.

use std::path::Path;

use mercer_tests::{Daemon, Options, eventually};
use serde_json::{Value, json};

const JSON: &str = "application/json";
const NDJSON: &str = "application/x-ndjson";
const CALM: &str = "[train]\nevery_seconds = 0\nafter_interactions = 0\n";

fn post(daemon: &Daemon, path: &str, lines: &[Value]) {
    let body: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let answer = daemon.http("POST", path, NDJSON, body.as_bytes());
    assert!(answer.body.contains("\"rejected\":0"), "{}", answer.body);
}

fn get(daemon: &Daemon, path: &str) -> Value {
    let answer = daemon.http("GET", path, JSON, b"");
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    answer.json
}

/// A few goods and shoppers.
fn open(daemon: &Daemon) {
    let items: Vec<Value> =
        (0..6).map(|n| json!({"id": format!("i{n}"), "title": format!("Lamp {n}"), "category": ["Home"]})).collect();
    post(daemon, "/v1/items", &items);
    let buy = |user: &str, item: usize| json!({"user": user, "type": "purchase", "item": format!("i{item}"), "at": "2024-05-01T10:00:00Z"});
    post(daemon, "/v1/interactions", &[buy("ada", 0), buy("ada", 1), buy("bea", 1), buy("bea", 2), buy("cid", 3)]);
    daemon.fitted();
}

fn consent(daemon: &Daemon, user: &str) -> Value {
    get(daemon, &format!("/v1/users/{user}/consent"))["consent"].clone()
}

#[test]
fn withdrawn_consent_stays_withdrawn_whatever_comes_in() {
    let mut daemon = Daemon::start();
    open(&daemon);
    // Two commands in a row lose nothing.
    daemon.mercer_ok(&["user", "consent", "ada", "--train", "off"]);
    daemon.mercer_ok(&["user", "ada", "--personalise", "off"]);
    let withdrawn = json!({"personalise": false, "train": false, "audit_attributes": true, "explanations": true});
    assert_eq!(consent(&daemon, "ada"), withdrawn);
    // PUT, POST, a batch, an import and a file of the inbox without consent.
    let bare = json!({"id": "ada", "attributes": {"region": "north"}});
    let body = bare.to_string();
    assert_eq!(daemon.http("PUT", "/v1/users/ada", JSON, body.as_bytes()).status, 200);
    assert_eq!(daemon.http("POST", "/v1/users", JSON, body.as_bytes()).status, 200);
    post(&daemon, "/v1/users", &[json!({"id": "ada", "attributes": {"region": "south"}})]);
    let file = daemon.file("users.ndjson", format!("{}\n", json!({"id": "ada", "attributes": {"region": "west"}})));
    daemon.mercer_ok(&["import", "--format", "ndjson", &format!("users={file}")]);
    let inbox = daemon.state().join("inbox");
    std::fs::write(inbox.join("users.ndjson"), format!("{}\n", json!({"id": "ada", "attributes": {"region": "east"}})))
        .unwrap();
    eventually("the inbox is read", || inbox.join("done/users.ndjson.report.json").exists().then_some(()));
    assert_eq!(get(&daemon, "/v1/users/ada")["attributes"]["region"], "east");
    assert_eq!(consent(&daemon, "ada"), withdrawn);
    // The list is that of a visitor from the next request on.
    let list = |user: &str| get(&daemon, &format!("/v1/users/{user}/recommendations?k=6"))["items"].clone();
    assert_eq!(list("ada"), list("nobody"));
    let ledger = get(&daemon, "/v1/users/ada/consent")["ledger"].clone();
    assert_eq!(ledger.as_array().unwrap().len(), 2, "{ledger}");
    assert!(daemon.terminate());
    daemon.launch();
    assert_eq!(consent(&daemon, "ada"), withdrawn, "after a restart too");
    let answer = daemon.http("PATCH", "/v1/users/ada/consent", JSON, b"{}");
    assert_eq!((answer.status, answer.code()), (400, "bad-parameter"));
    let answer = daemon.http("PATCH", "/v1/users/nobody/consent", JSON, b"{\"train\":false}");
    assert_eq!(answer.code(), "unknown-user");
}

/// Whether a word is in a file below a directory, as it is or in what a file holds compressed.
fn holds(dir: &Path, word: &str) -> bool {
    let found = |bytes: &[u8]| bytes.windows(word.len()).any(|window| window == word.as_bytes());
    std::fs::read_dir(dir).unwrap().flatten().any(|entry| {
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            return holds(&entry.path(), word);
        }
        // A file may go while it is looked at.
        kind.is_file() && std::fs::read(entry.path()).is_ok_and(|bytes| found(&bytes))
    })
}

#[test]
fn the_state_directory_holds_no_trace_of_an_erased_user() {
    let config = format!("{CALM}[erase]\ncompact_within_minutes = 0\n");
    let daemon = Daemon::start_with(&Options { config: Some(config), ..Options::default() });
    open(&daemon);
    let words = ["review-of-vera", "search-of-vera", "order-of-vera", "region-of-vera", "mail-of-vera"];
    post(&daemon, "/v1/users", &[json!({"id": "zq8812", "attributes": {"region": words[3]}})]);
    let at = "2024-05-01T10:00:00Z";
    post(
        &daemon,
        "/v1/interactions",
        &[
            json!({"user": "zq8812", "type": "review", "item": "i0", "text": words[0], "at": at}),
            json!({"user": "zq8812", "type": "search", "query": words[1], "at": at}),
            json!({"user": "zq8812", "type": "purchase", "item": "i1", "id": words[2], "at": at}),
        ],
    );
    let inbox = daemon.state().join("inbox");
    let line = json!({"user": "zq8812", "type": "review", "item": "i2", "text": words[4], "at": at});
    std::fs::write(inbox.join("interactions.ndjson"), format!("{line}\n")).unwrap();
    eventually("the inbox is read", || inbox.join("done/interactions.ndjson.report.json").exists().then_some(()));
    for word in words {
        assert!(holds(&daemon.state(), word), "{word} is what is looked for");
    }
    let receipt = daemon.mercer_json(&["user", "erase", "zq8812", "--yes"]);
    assert_eq!(receipt["interactions"], 4);
    assert!(
        receipt["signature"]["value"].is_string() && receipt["places"].as_array().unwrap().len() >= 10,
        "{receipt}"
    );
    for word in words.into_iter().chain(["zq8812"]) {
        assert!(!holds(&daemon.state(), word), "{word} is left");
    }
    for path in ["/v1/users/zq8812", "/v1/users/zq8812/export", "/v1/users/zq8812/consent"] {
        assert_ne!(daemon.http("GET", path, JSON, b"").status, 200, "{path}");
    }
    assert!(get(&daemon, "/v1/users/ada/recommendations")["items"].as_array().is_some_and(|rows| !rows.is_empty()));
}

#[test]
fn a_shopper_gets_everything_and_may_remove_an_interest() {
    let daemon = Daemon::start();
    open(&daemon);
    let export = daemon.mercer_json(&["user", "export", "ada"]);
    assert_eq!(export["portable"]["interactions"].as_array().unwrap().len(), 2);
    assert_eq!(export["inferred"]["profile"]["categories"][0]["name"], "Home");
    let page = daemon.http("GET", "/v1/users/ada/export?format=html", JSON, b"");
    assert!(page.status == 200 && page.body.starts_with("<!DOCTYPE html>"), "{}", page.body);
    assert_eq!(daemon.http("GET", "/v1/users/ada/export?format=pdf", JSON, b"").code(), "bad-parameter");
    assert_eq!(daemon.http("GET", "/v1/users/nobody/export", JSON, b"").code(), "unknown-user");
    let audit = get(&daemon, "/v1/audit");
    let actions: Vec<&str> =
        audit["items"].as_array().unwrap().iter().map(|entry| entry["action"].as_str().unwrap()).collect();
    assert_eq!(actions.iter().filter(|action| **action == "export-user").count(), 2, "{actions:?}");
    daemon.mercer_ok(&["user", "forget-interest", "ada", "Home"]);
    let profile = get(&daemon, "/v1/users/ada/profile");
    assert!(profile["categories"].as_array().unwrap().is_empty() && profile["withheld"] == 2, "{profile}");
    let again = daemon.http("DELETE", "/v1/users/ada/interests/category/Home", JSON, b"");
    assert_eq!(again.code(), "not-found");
}

#[test]
fn retention_is_applied_at_the_start() {
    let mut daemon = Daemon::start();
    open(&daemon);
    post(
        &daemon,
        "/v1/interactions",
        &[json!({"user": "ada", "type": "search", "query": "old words", "at": "2024-05-01T10:00:00Z"})],
    );
    assert!(daemon.terminate());
    std::fs::write(daemon.dir.path().join("config.toml"), format!("{CALM}[retention]\nsearch_days = 30\n")).unwrap();
    daemon.launch();
    let counts = get(&daemon, "/v1/users/ada/profile")["lifecycle"]["counts"].clone();
    assert_eq!(counts, json!({"purchase": 2}));
    let audit = get(&daemon, "/v1/audit");
    let entry = audit["items"].as_array().unwrap().iter().find(|entry| entry["action"] == "retention").unwrap();
    assert_eq!(entry["detail"], "1 search");
}
