//! The command line as scripts use it: exit codes, documents, and the forms that are a contract.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};

use mercer_tests::shop::{END, SMALL};
use mercer_tests::{Daemon, eventually, lines, mercer, program};
use serde_json::Value;

#[test]
fn exit_codes_say_what_went_wrong() {
    let daemon = Daemon::start();
    let code = |arguments: &[&str]| daemon.mercer(arguments).status.code();
    assert_eq!(code(&["status"]), Some(0));
    assert_eq!(code(&["profile", "nobody"]), Some(1));
    // An unknown shopper gets the list of an unknown visitor.
    assert_eq!(code(&["recommend", "nobody", "-k", "5"]), Some(0));
    assert_eq!(code(&["search"]), Some(2));
    assert_eq!(code(&["recommend", "u", "-k", "0"]), Some(2));
    assert_eq!(code(&["recommend", "u", "--mode", "old"]), Some(2));
    assert_eq!(code(&["recommend", "u", "--at", "yesterday-ish"]), Some(2));
    assert_eq!(code(&["search", "x", "--filter", "colour:red"]), Some(2));
    assert_eq!(code(&["import", "--preset", "nothing", "/dev/null"]), Some(2));
    assert_eq!(code(&["models", "rollback"]), Some(4));
    assert_eq!(code(&["models", "promote", "v000001"]), Some(4));
    assert_eq!(code(&["models", "show", "v000009"]), Some(1));
    assert_eq!(code(&["runs", "cancel", "r000009"]), Some(1));
    let nobody = mercer(&daemon.dir.path().join("nobody"), &["status", "--json"]);
    assert_eq!(nobody.status.code(), Some(3));
    let problem = lines(&String::from_utf8(nobody.stderr).unwrap()).pop().unwrap();
    assert_eq!(problem["code"], "not-running", "{problem}");
    let long = mercer(std::path::Path::new(&"x".repeat(120)), &["status"]);
    assert_eq!(long.status.code(), Some(2));
}

#[test]
fn every_subcommand_has_its_document() {
    let daemon = Daemon::start();
    SMALL.open(&daemon);
    daemon.embedded();
    let user = some_user(&daemon);
    let cases: Vec<(Vec<&str>, &str)> = vec![
        (vec!["status"], "/counts/items"),
        (vec!["users"], "/items/0/id"),
        (vec!["user", &user], "/consent/train"),
        (vec!["items"], "/items/0/title"),
        (vec!["items", "--id", "sim-i000001"], "/title"),
        (vec!["profile", &user], "/recent_events/0/type"),
        (vec!["recommend", &user, "-k", "5"], "/items/0/parts/0/source"),
        (vec!["search", "dress", "-k", "5"], "/items/0/score"),
        (vec!["related", "sim-i000001", "-k", "5"], "/items/0/id"),
        (vec!["trending", "-k", "5"], "/query_id"),
        (vec!["models"], "/items/0/version"),
        (vec!["models", "show", "v000001"], "/encoder/sha256"),
        (vec!["runs"], "/items"),
        (vec!["report", "quality"], "/model"),
        (vec!["report", "diversity"], "/model"),
        (vec!["report", "fairness"], "/model"),
        (vec!["decisions"], "/items"),
        (vec!["audit"], "/items/0/action"),
        (vec!["encoder", "list"], "/0/name"),
        (vec!["import", "--list"], "/0/columns"),
    ];
    for (arguments, pointer) in cases {
        let document = daemon.mercer_json(&arguments);
        assert!(document.pointer(pointer).is_some(), "mercer {arguments:?} has no {pointer}: {document}");
        assert!(!daemon.mercer_ok(&arguments).is_empty(), "mercer {arguments:?} says nothing to people");
    }
    // The parts of a score add up to it.
    let list = daemon.mercer_json(&["recommend", &user, "-k", "20"]);
    for row in list["items"].as_array().unwrap() {
        let parts: f64 = row["parts"].as_array().unwrap().iter().map(|part| part["score"].as_f64().unwrap()).sum();
        assert!((parts - row["score"].as_f64().unwrap()).abs() < 1e-6, "{row}");
    }
}

/// A shopper with at least one purchase.
fn some_user(daemon: &Daemon) -> String {
    let export = lines(&daemon.mercer_ok(&["export"]));
    let buys = |line: &&Value| line["interaction"]["type"] == "purchase" && line["interaction"]["user"].is_string();
    export.iter().find(buys).expect("somebody buys")["interaction"]["user"].as_str().unwrap().to_owned()
}

#[test]
fn lists_for_many_have_the_form_of_the_contract() {
    let daemon = Daemon::start();
    SMALL.open(&daemon);
    daemon.embedded();
    let users = daemon.ask(async |client| client.users(None, None, Some(6)).await).unwrap();
    let ids: Vec<String> = users.items.iter().map(|user| user.id.to_string()).collect();
    let file = daemon.file("users.txt", ids.join("\n"));
    let text = daemon.mercer_ok(&["recommend", "--users", &file, "-k", "5", "--at", END, "--output", "ndjson"]);
    let rows = lines(&text);
    assert_eq!(rows.iter().map(|row| row["user"].as_str().unwrap().to_owned()).collect::<Vec<_>>(), ids);
    for row in &rows {
        assert_eq!(row.as_object().unwrap().len(), 2, "{row}");
        let items = row["items"].as_array().unwrap();
        assert_eq!(items.len(), 5);
        assert!(
            items.iter().all(|item| item["id"].is_string()
                && item["score"].is_number()
                && item.as_object().unwrap().len() == 2)
        );
        let scores: Vec<f64> = items.iter().map(|item| item["score"].as_f64().unwrap()).collect();
        assert!(scores.is_sorted_by(|a, b| a >= b), "best first: {scores:?}");
    }
    let queries = daemon.file("queries.ndjson", "{\"id\":\"q1\",\"text\":\"shoes\"}\n{\"id\":7,\"text\":\"茶\"}\n");
    let text = daemon.mercer_ok(&["search", "--queries", &queries, "-k", "3", "--output", "ndjson"]);
    let rows = lines(&text);
    assert_eq!((&rows[0]["query"], &rows[1]["query"]), (&"q1".into(), &7.into()));
    assert!(rows.iter().all(|row| row["items"].as_array().is_some_and(|items| !items.is_empty() && items.len() <= 3)));
}

#[test]
fn modes_candidates_and_filters_keep_their_word() {
    let daemon = Daemon::start();
    SMALL.open(&daemon);
    daemon.embedded();
    let user = some_user(&daemon);
    let export = lines(&daemon.mercer_ok(&["export"]));
    let record = |name: &'static str| export.iter().map(move |line| &line[name]).filter(|record| record.is_object());
    // Whoever does not agree to it trains nothing, not even what is warm.
    let silent: BTreeSet<&str> = record("user")
        .filter(|user| user["consent"]["train"] == false)
        .filter_map(|user| user["id"].as_str())
        .collect();
    let bought = |by: Option<&str>| -> BTreeSet<String> {
        let purchases = record("interaction").filter(|one| one["type"] == "purchase");
        let counted = purchases.filter(|one| match by {
            Some(user) => one["user"] == user,
            None => !one["user"].as_str().is_some_and(|user| silent.contains(user)),
        });
        counted.map(|one| one["item"].as_str().unwrap().to_owned()).collect()
    };
    let list = |arguments: &[&str]| -> Vec<String> {
        let base = ["recommend", user.as_str(), "-k", "1000", "--at", END];
        let answer = daemon.mercer_json(&[&base, arguments].concat());
        answer["items"].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
    };
    let (own, warm) = (bought(Some(&user)), bought(None));
    assert!(list(&[]).iter().any(|id| own.contains(id)), "own repeats may appear");
    assert!(list(&["--mode", "new"]).iter().all(|id| !own.contains(id)));
    let (warm_list, cold_list) = (list(&["--candidates", "warm"]), list(&["--candidates", "cold"]));
    assert!(!warm_list.is_empty() && warm_list.iter().all(|id| warm.contains(id)));
    assert!(cold_list.iter().all(|id| !warm.contains(id)));
    let cheap = daemon.mercer_json(&["trending", "-k", "100", "--filter", "price:0..20,stock"]);
    assert!(cheap["items"].as_array().unwrap().iter().all(|row| row["price"].as_f64().unwrap() <= 20.0), "{cheap}");
}

#[test]
fn a_state_directory_is_enough_for_both_programs() {
    let dir = tempfile::Builder::new().prefix("mercer").tempdir_in("/tmp").unwrap();
    let mut child = Command::new(program("mercerd"))
        .env("MERCER_STATE", dir.path())
        .env_remove("MERCER_SOCKET")
        .stderr(Stdio::null())
        .spawn()
        .expect("mercerd starts");
    let status = || {
        let mut mercer = Command::new(program("mercer"));
        mercer.env("MERCER_STATE", dir.path()).env_remove("MERCER_SOCKET").args(["status", "--json"]);
        mercer.output().expect("mercer runs")
    };
    let output = eventually("mercer finds the daemon", || Some(status()).filter(|output| output.status.success()));
    let state: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(state["state"].as_str(), dir.path().to_str());
    child.kill().unwrap();
    child.wait().unwrap();
}
