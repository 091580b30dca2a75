//! What operators rely on: durability, freshness, idempotent imports, exports that come back, lists in the contract's form.

use std::collections::BTreeSet;

use mercer_shared::wire::{Interaction, InteractionType, Item, ListQuery, SearchRequest};
use mercer_tests::{Daemon, eventually};

fn purchase(id: &str, user: &str, item: &str) -> Interaction {
    serde_json::from_value(serde_json::json!({
        "id": id, "user": user, "type": "purchase", "item": item, "at": "2024-05-01T10:00:00Z"
    }))
    .unwrap()
}

fn item(id: &str, title: &str) -> Item {
    serde_json::from_value(serde_json::json!({ "id": id, "title": title })).unwrap()
}

#[test]
fn nothing_acknowledged_is_lost_or_doubled_by_a_kill() {
    let mut daemon = Daemon::start();
    daemon.ask(async |client| client.put_item(&item("a", "Lamp")).await).unwrap();
    let mut acknowledged = BTreeSet::new();
    for round in 0..4 {
        for n in 0..25 {
            let id = format!("r{round}-{n}");
            daemon.ask(async |client| client.interact(&purchase(&id, "u", "a")).await).unwrap();
            acknowledged.insert(id);
        }
        daemon.kill();
        daemon.launch();
        let exported = daemon.mercer_ok(&["export"]);
        let kept: Vec<String> = exported
            .lines()
            .filter_map(|line| {
                serde_json::from_str::<serde_json::Value>(line).ok()?["interaction"]["id"].as_str().map(str::to_owned)
            })
            .collect();
        let unique: BTreeSet<String> = kept.iter().cloned().collect();
        assert_eq!(unique.len(), kept.len(), "something is there twice");
        assert_eq!(unique, acknowledged);
    }
    assert!(daemon.terminate(), "a drained daemon ends well");
}

#[test]
fn a_new_interaction_and_a_new_item_show_at_once() {
    let daemon = Daemon::start();
    for (id, title) in [("a", "Red ceramic mug"), ("b", "Garden hose"), ("c", "Blue ceramic mug")] {
        daemon.ask(async |client| client.put_item(&item(id, title)).await).unwrap();
    }
    daemon.ask(async |client| client.interact(&purchase("1", "u", "b")).await).unwrap();
    let first = |daemon: &Daemon| {
        let list = daemon.ask(async |client| client.recommend("u", &ListQuery::default()).await).ok()?;
        list.items.first().map(|row| row.id.as_str().to_owned())
    };
    eventually("the purchase shows in the list", || first(&daemon).filter(|id| id == "b"));
    let profile = daemon.ask(async |client| client.profile("u", None).await).unwrap();
    assert_eq!(profile.recent_events[0].kind, InteractionType::Purchase);
    daemon.ask(async |client| client.put_item(&item("d", "Walnut chessboard")).await).unwrap();
    let request = SearchRequest { q: "chessboard".into(), ..SearchRequest::default() };
    eventually("the new item is found", || {
        let list = daemon.ask(async |client| client.search(&request).await).ok()?;
        list.items.iter().any(|row| row.id.as_str() == "d").then_some(())
    });
}

#[test]
fn imports_are_idempotent_and_exports_come_back() {
    let daemon = Daemon::start();
    let file = daemon.simulate(5, 40, 60);
    let export = daemon.mercer_ok(&["export"]);
    let again = daemon.mercer_ok(&["import", "--format", "ndjson", "--json", file.to_str().unwrap()]);
    let report: serde_json::Value = serde_json::from_str(again.lines().last().unwrap()).unwrap();
    let report = report.as_array().map_or(report.clone(), |reports| reports[0].clone());
    assert_eq!(report["accepted"], 0, "{report}");
    assert_eq!(report["lines"], report["duplicates"], "{report}");
    assert_eq!(daemon.mercer_ok(&["export"]), export, "the second import changed nothing");

    let second = Daemon::start();
    let copy = second.dir.path().join("export.ndjson");
    std::fs::write(&copy, &export).unwrap();
    second.mercer_ok(&["import", "--format", "ndjson", copy.to_str().unwrap()]);
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<BTreeSet<_>>();
    assert_eq!(lines(&second.mercer_ok(&["export"])), lines(&export));
}

#[test]
fn lists_for_many_have_the_form_of_the_contract() {
    let daemon = Daemon::start();
    daemon.simulate(6, 30, 50);
    let users = daemon.ask(async |client| client.users(None, None, Some(3)).await).unwrap();
    let ids: Vec<String> = users.items.iter().map(|user| user.id.to_string()).collect();
    let file = daemon.dir.path().join("users.txt");
    std::fs::write(&file, ids.join("\n")).unwrap();
    let arguments = ["recommend", "--users", file.to_str().unwrap(), "-k", "5", "--output", "ndjson"];
    let text = daemon.mercer_ok(&arguments);
    let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.iter().map(|line| line["user"].as_str().unwrap().to_owned()).collect::<Vec<_>>(), ids);
    assert!(
        lines.iter().all(|line| line["items"].as_array().unwrap().len() == 5 && line["items"][0]["score"].is_number())
    );

    let queries = daemon.dir.path().join("queries.ndjson");
    std::fs::write(&queries, "{\"id\":\"q1\",\"text\":\"shoes\"}\n{\"id\":\"q2\",\"text\":\"茶\"}\n").unwrap();
    let text = daemon.mercer_ok(&["search", "--queries", queries.to_str().unwrap(), "-k", "3", "--output", "ndjson"]);
    let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((lines[0]["query"].as_str(), lines[1]["query"].as_str()), (Some("q1"), Some("q2")));
    assert!(lines.iter().all(|line| line["items"].as_array().is_some_and(|items| !items.is_empty())));
}

#[test]
fn an_erased_user_leaves_nothing_and_cannot_come_back() {
    let daemon = Daemon::start();
    daemon.ask(async |client| client.put_item(&item("a", "Lamp")).await).unwrap();
    daemon.ask(async |client| client.interact(&purchase("1", "someone-special", "a")).await).unwrap();
    let receipt = daemon.ask(async |client| client.erase("someone-special").await).unwrap();
    assert_eq!(receipt.interactions, 1);
    assert!(!daemon.mercer_ok(&["export"]).contains("someone-special"));
    let refused = daemon.ask(async |client| client.interact(&purchase("2", "someone-special", "a")).await);
    assert_eq!(refused.unwrap_err().code.as_str(), "erased");
    let unknown = daemon.ask(async |client| client.profile("someone-special", None).await);
    assert_eq!(unknown.unwrap_err().code.as_str(), "unknown-user");
}
