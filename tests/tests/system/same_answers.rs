//! A version's lists are the same to the bit after a restart, on a restored state, and in a fresh state that the same log was imported
//! into, in whatever order; and after a restart they are the promoted version's from the first answer on.

use mercer_shared::problem::Problem;
use mercer_shared::wire::{ListQuery, Mode, SearchRequest, ServedList, UNTRAINED};
use mercer_tests::shop::{END, Shop};
use mercer_tests::{Daemon, Options, at, eventually};

/// Large enough for a ranker with all its components.
const SHOP: Shop = Shop { seed: 9, users: 120, items: 60, interactions: 5_000 };
/// Shoppers whose lists are compared.
const USERS: u32 = 60;
/// The key of every state: it breaks ties.
const KEY: &[u8; 32] = b"the key of tests/same_answers.rs";

fn options() -> Options {
    Options { key: Some(KEY.to_vec()), ..Options::default() }
}

/// One list.
#[derive(Debug, PartialEq)]
struct List {
    /// Who or what it is for.
    name: String,
    /// The version that made it.
    model: String,
    /// Items with the bits of their scores.
    items: Vec<(String, u64)>,
}

/// Lists of every kind as of a moment after the last event.
fn lists(daemon: &Daemon) -> Vec<List> {
    daemon.fitted();
    let mut lists = Vec::new();
    let mut keep = |name: String, list: Result<ServedList, Problem>| match list {
        Ok(list) => {
            let items = list.items.into_iter().map(|row| (row.id.to_string(), row.score.to_bits())).collect();
            lists.push(List { name, model: list.model, items });
        }
        // The simulated log has shoppers without an event.
        Err(problem) => assert_eq!(problem.code.as_str(), "unknown-user", "{name}: {problem}"),
    };
    for mode in [Mode::Repeat, Mode::New] {
        let query = ListQuery { k: Some(20), at: Some(at(END)), mode: Some(mode), ..ListQuery::default() };
        for user in (0..USERS).map(|user| format!("sim-u{user:06}")) {
            keep(format!("{user} {mode:?}"), daemon.ask(async |client| client.recommend(&user, &query).await));
        }
        for item in (0..10).map(|item| format!("sim-i{item:06}")) {
            keep(format!("{item} {mode:?}"), daemon.ask(async |client| client.related(&item, &query).await));
        }
        keep(format!("trending {mode:?}"), daemon.ask(async |client| client.trending(&query).await));
    }
    for q in ["red dress", "ceramic mug", "木质玩具"] {
        let request = SearchRequest { q: q.into(), k: Some(20), at: Some(at(END)), ..SearchRequest::default() };
        keep(q.to_owned(), daemon.ask(async |client| client.search(&request).await));
    }
    assert!(lists.len() > USERS as usize && lists.iter().filter(|list| list.items.len() == 20).count() > 20);
    lists
}

/// Says which lists differ, not all of both.
fn assert_same(before: &[List], after: &[List], what: &str) {
    let differs: Vec<_> = before.iter().zip(after).filter(|(a, b)| a != b).collect();
    assert!(
        before.len() == after.len() && differs.is_empty(),
        "{what}: {} of {} lists differ, such as {:?}",
        differs.len(),
        before.len(),
        differs.first()
    );
}

/// A state with a trained version that serves.
fn trained() -> (Daemon, String) {
    let daemon = Daemon::start_with(&options());
    SHOP.open(&daemon);
    daemon.embedded();
    let arguments = ["train", "--wait", "--no-encoder", "--no-promote", "--seed", "17", "--budget", "1h"];
    let run = daemon.mercer_json(&arguments);
    let version = run["model"].as_str().unwrap_or_else(|| panic!("no version: {run}")).to_owned();
    daemon.mercer_ok(&["models", "promote", &version]);
    daemon.embedded();
    (daemon, version)
}

/// An answer to one request by hand.
struct Raw {
    status: u16,
    head: String,
    list: List,
}

fn raw_list(daemon: &Daemon, user: &str) -> Raw {
    let path = format!("/v1/users/{user}/recommendations?k=20&at={END}&mode=new");
    let answer = daemon.http("GET", &path, "application/json", b"");
    let rows = answer.json["items"].as_array().cloned().unwrap_or_default();
    let item =
        |row: serde_json::Value| (row["id"].as_str().unwrap().to_owned(), row["score"].as_f64().unwrap().to_bits());
    let model = answer.json["model"].as_str().unwrap_or_default().to_owned();
    let list = List { name: user.to_owned(), model, items: rows.into_iter().map(item).collect() };
    Raw { status: answer.status, head: answer.head.to_lowercase(), list }
}

#[test]
fn a_trained_version_answers_the_same_after_restarts_and_on_a_restored_state() {
    let (mut daemon, version) = trained();
    let before = lists(&daemon);
    assert!(before.iter().filter(|list| list.name.starts_with("sim-u")).all(|list| list.model == version));
    assert!(daemon.terminate());
    daemon.launch();
    daemon.embedded();
    assert_same(&before, &lists(&daemon), "after a restart");
    daemon.kill();
    daemon.launch();
    daemon.embedded();
    assert_same(&before, &lists(&daemon), "after a kill");
    assert!(daemon.terminate());
    let restored = Daemon::start_from(&daemon.state(), &options());
    restored.embedded();
    assert_same(&before, &lists(&restored), "on a restored state");
}

#[test]
fn after_a_restart_the_first_answer_is_the_promoted_versions() {
    let (mut daemon, version) = trained();
    let users: Vec<String> = (0..20).map(|user| format!("sim-u{user:06}")).collect();
    let before: Vec<Raw> = users.iter().map(|user| raw_list(&daemon, user)).collect();
    assert!(before.iter().all(|raw| raw.status == 200 && raw.list.items.len() == 20 && raw.list.model == version));
    for _ in 0..3 {
        assert!(daemon.terminate());
        daemon.launch();
        for (user, before) in users.iter().zip(&before) {
            // Until it is warm it may say that it is not yet there, and when to ask again; it never answers with something else.
            let first = eventually("a list", || {
                let answer = raw_list(&daemon, user);
                assert!(answer.status != 503 || answer.head.contains("retry-after:"), "{}", answer.head);
                (answer.status != 503).then_some(answer)
            });
            assert_eq!((first.status, &first.list), (before.status, &before.list), "the first list of {user}");
        }
    }
}

#[test]
fn a_list_of_the_past_names_what_ordered_it() {
    let (daemon, version) = trained();
    let model = |moment: &str| {
        let query = ListQuery { at: Some(at(moment)), ..ListQuery::default() };
        daemon.ask(async |client| client.recommend("sim-u000001", &query).await).unwrap().model
    };
    assert_eq!(model(END), version);
    // The version has learned from what came after, so that its ranker may not answer for this moment.
    assert_eq!(model("2024-03-01T00:00:00Z"), UNTRAINED);
}

#[test]
fn the_order_of_an_import_changes_no_list() {
    let first = Daemon::start_with(&options());
    SHOP.open(&first);
    first.embedded();
    let before = lists(&first);
    let export = first.mercer_ok(&["export"]);
    let import = |name: &str, text: &str| {
        let daemon = Daemon::start_with(&options());
        let file = daemon.file(name, text);
        let report = daemon.mercer_json(&["import", "--format", "ndjson", &file]);
        assert_eq!(report["accepted"], report["lines"], "{report}");
        daemon.embedded();
        daemon
    };
    assert_same(&before, &lists(&import("export.ndjson", &export)), "after an import of the export");
    // Items and users come before the interactions that name them, each kind from its end.
    let mut lines: Vec<&str> = export.lines().rev().collect();
    lines.sort_by_key(|line| line.starts_with("{\"interaction\""));
    let mut second = import("reversed.ndjson", &lines.join("\n"));
    assert_same(&before, &lists(&second), "after an import in the opposite order");
    assert!(second.terminate());
    second.launch();
    second.embedded();
    assert_same(&before, &lists(&second), "after an import in the opposite order and a restart");
}
