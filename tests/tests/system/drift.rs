//! A change of taste in the log: the agent raises an alarm, has the serving version judged on the newest window, writes both down with
//! their numbers, and trains nothing. A log that goes on as it was raises none.

use std::process::Command;

use mercer_shared::wire::Decision;
use mercer_tests::{Daemon, at, eventually, program};
use serde_json::{Value, json};

/// When the simulated log ends.
const END: &str = "2024-06-30T00:00:00Z";
/// Purchases of what costs ten thousand times as much, after that end.
const DEAR: usize = 1_500;

/// A shop whose taste changes half way, or does not, in two halves of the log; the season is the same in both.
fn halves(drift: bool) -> (String, String) {
    let mut command = Command::new(program("mercerd"));
    command.args(["simulate", "--end", END, "--seed", "2", "--users", "500", "--items", "120"]);
    command.args(["--interactions", "60000", "--days", "60"]);
    if !drift {
        command.arg("--no-drift");
    }
    let output = command.output().unwrap();
    let (mut first, mut second) = (String::new(), String::new());
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let document: Value = serde_json::from_str(line).unwrap();
        let late = document["interaction"]["at"].as_str().is_some_and(|at| at >= "2024-05-31");
        let half = if late { &mut second } else { &mut first };
        half.push_str(line);
        half.push('\n');
    }
    (first, second)
}

fn import(daemon: &Daemon, name: &str, text: String) {
    let file = daemon.file(name, text);
    daemon.mercer_ok(&["import", "--format", "ndjson", &file]);
}

/// What was decided about drift, the newest first.
fn about_drift(daemon: &Daemon) -> Vec<Decision> {
    let page = daemon.ask(async |client| client.decisions(None, Some(50)).await).unwrap();
    page.items.into_iter().filter(|decision| decision.rule.starts_with("drift")).collect()
}

/// A daemon that serves what it learned from the first half of a shop's log, with the second half imported after that.
fn followed(drift: bool) -> Daemon {
    let daemon = Daemon::start();
    let (first, second) = halves(drift);
    import(&daemon, "first.ndjson", first);
    daemon.embedded();
    let run = daemon.mercer_json(&["train", "--wait", "--no-encoder", "--no-promote", "--budget", "30s"]);
    daemon.mercer_ok(&["models", "promote", run["model"].as_str().unwrap()]);
    import(&daemon, "second.ndjson", second);
    daemon
}

#[test]
fn a_change_of_taste_raises_an_alarm_and_an_evaluation_but_no_training() {
    let daemon = followed(true);
    let decision = eventually("the change is found", || about_drift(&daemon).pop());
    assert!(decision.action.contains("evaluated"), "{decision:?}");
    assert!(decision.saw.contains("PSI") || decision.saw.contains("before"), "{decision:?}");
    let outcome = decision.outcome.as_deref().unwrap();
    assert!(outcome.contains("ndcg@10") && outcome.contains("popularity") && outcome.contains("shoppers"), "{outcome}");
    let status = daemon.ask(async |client| client.status().await).unwrap();
    assert!(status.alarms.iter().any(|alarm| alarm.kind == "drift"), "{:?}", status.alarms);
    let runs = daemon.ask(async |client| client.runs(None, Some(10)).await).unwrap();
    assert_eq!(runs.items.len(), 1, "an alarm trains nothing");
}

/// Items ten thousand times as dear as the shop's, and purchases of them after its log ended.
fn dear() -> String {
    let item =
        json!({ "item": { "id": "yacht", "title": "Motor yacht", "price": 1_000_000.0, "category": ["Boats"] } });
    let purchases = (0..DEAR).map(|n| {
        let at = at(END).plus_millis(3_600_000 + 60_000 * n as i64);
        let user = format!("sim-u{:06}", n % 500);
        // Each shopper takes an item once: what is bought again says nothing about prices.
        json!({ "interaction": { "id": format!("dear-{n}"), "user": user, "type": "purchase", "item": format!("yacht-{}", n / 500), "at": at } })
    });
    let items = (0..DEAR.div_ceil(500)).map(|n| {
        let mut item = item.clone();
        item["item"]["id"] = json!(format!("yacht-{n}"));
        item
    });
    items.chain(purchases).map(|document| format!("{document}\n")).collect()
}

#[test]
fn a_log_that_goes_on_as_it_was_raises_no_alarm() {
    let daemon = followed(false);
    // The log is read in its order, and so are changes told. When the change that is planted behind the second half is found, all of
    // that half was read, and whatever had moved in it would stand before it or in an earlier decision.
    import(&daemon, "dear.ndjson", dear());
    let first = eventually("the planted change is found", || about_drift(&daemon).pop());
    let planted = first.saw.split(';').next().unwrap();
    assert!(planted.starts_with("price: about") && planted.ends_with("1000000.00 now"), "{first:?}");
}
