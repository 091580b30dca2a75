//! A change of taste in the log: the agent raises an alarm, has the serving version judged on the newest window, writes both down with
//! their numbers, and trains nothing.

use std::process::Command;

use mercer_shared::wire::Decision;
use mercer_tests::{Daemon, eventually, program};
use serde_json::Value;

/// A shop whose taste changes half way, or does not, in two halves of the log; the season is the same in both.
fn halves(drift: bool) -> (String, String) {
    let mut command = Command::new(program("mercerd"));
    command.args(["simulate", "--end", "2024-06-30T00:00:00Z", "--seed", "2", "--users", "500", "--items", "120"]);
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

fn about_drift(daemon: &Daemon) -> Option<Decision> {
    let page = daemon.ask(async |client| client.decisions(None, Some(50)).await).unwrap();
    page.items.into_iter().find(|decision| decision.rule.starts_with("drift"))
}

#[test]
fn a_change_of_taste_raises_an_alarm_and_an_evaluation_but_no_training() {
    let daemon = Daemon::start();
    let (first, second) = halves(true);
    import(&daemon, "first.ndjson", first);
    daemon.embedded();
    let run = daemon.mercer_json(&["train", "--wait", "--no-encoder", "--no-promote", "--budget", "30s"]);
    daemon.mercer_ok(&["models", "promote", run["model"].as_str().unwrap()]);
    import(&daemon, "second.ndjson", second);
    let decision = eventually("the change is found", || about_drift(&daemon));
    assert!(decision.action.contains("evaluated"), "{decision:?}");
    assert!(decision.saw.contains("PSI") || decision.saw.contains("before"), "{decision:?}");
    let outcome = decision.outcome.as_deref().unwrap();
    assert!(outcome.contains("ndcg@10") && outcome.contains("popularity") && outcome.contains("shoppers"), "{outcome}");
    let status = daemon.ask(async |client| client.status().await).unwrap();
    assert!(status.alarms.iter().any(|alarm| alarm.kind == "drift"), "{:?}", status.alarms);
    let runs = daemon.ask(async |client| client.runs(None, Some(10)).await).unwrap();
    assert_eq!(runs.items.len(), 1, "an alarm trains nothing");
}
