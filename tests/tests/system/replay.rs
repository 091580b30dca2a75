//! `at` answers as of a moment: what came later changes nothing.

use mercer_shared::problem::Problem;
use mercer_shared::wire::{Interaction, ListQuery, Profile, SearchRequest, ServedList};
use mercer_tests::shop::SMALL;
use mercer_tests::{Daemon, at, eventually};
use serde_json::json;

/// In the middle of the simulated log, and in the middle of what comes later.
const THEN: &str = "2024-03-01T00:00:00Z";
const LATER: &str = "2024-04-02T00:00:00Z";

fn print(list: ServedList) -> Vec<(String, u64)> {
    list.items.into_iter().map(|row| (row.id.to_string(), row.score.to_bits())).collect()
}

/// All kinds of lists as of a moment.
fn lists(daemon: &Daemon) -> Vec<Vec<(String, u64)>> {
    let query = ListQuery { k: Some(20), at: Some(at(THEN)), ..ListQuery::default() };
    let search = SearchRequest { q: "dress".into(), at: query.at, k: query.k, ..SearchRequest::default() };
    let ask = |list: Result<ServedList, Problem>| print(list.unwrap());
    vec![
        ask(daemon.ask(async |client| client.recommend("sim-u000001", &query).await)),
        ask(daemon.ask(async |client| client.related("sim-i000001", &query).await)),
        ask(daemon.ask(async |client| client.trending(&query).await)),
        ask(daemon.ask(async |client| client.search(&search).await)),
    ]
}

fn profile(daemon: &Daemon) -> Profile {
    daemon.ask(async |client| client.profile("sim-u000001", Some(at(THEN))).await).unwrap()
}

#[test]
fn what_comes_later_does_not_change_the_past() {
    let daemon = Daemon::start();
    SMALL.open(&daemon);
    daemon.embedded();
    let (before, known) = (lists(&daemon), profile(&daemon));
    assert!(before.iter().all(|list| !list.is_empty()));
    let later: Vec<String> = (0..400)
        .map(|n| {
            let interaction: Interaction = serde_json::from_value(json!({
                "id": format!("later-{n}"), "user": format!("sim-u{:06}", n % 7), "type": "purchase",
                "item": format!("sim-i{:06}", n % 3), "at": LATER,
            }))
            .unwrap();
            serde_json::to_string(&interaction).unwrap()
        })
        .collect();
    let file = daemon.file("later.ndjson", later.join("\n"));
    daemon.mercer_ok(&["import", "--format", "ndjson", &format!("interactions={file}")]);
    let now = ListQuery { at: Some(at(LATER)), ..ListQuery::default() };
    eventually("what came later shows later", || {
        let list = daemon.ask(async |client| client.trending(&now).await).ok()?;
        list.items.iter().take(3).all(|row| row.id.as_str() < "sim-i000003").then_some(())
    });
    assert_eq!(lists(&daemon), before);
    let again = profile(&daemon);
    assert_eq!(again.recent_events, known.recent_events);
    assert_eq!(serde_json::to_value(&again).unwrap()["interests"], serde_json::to_value(&known).unwrap()["interests"]);
}
