//! The learning cycle as an operator drives it: it comes to a verdict with numbers, can be cancelled, and survives a kill.

use mercer_shared::wire::{ListQuery, Mode, ModelState, RunCause, RunPhase, RunState, TrainRequest, Tuning};
use mercer_tests::shop::{END, Shop};
use mercer_tests::{Daemon, Options, at};

/// A cycle on it takes some ten steps.
const SHORT: Shop = Shop { seed: 7, users: 60, items: 80, interactions: 2_000 };
/// A cycle on it takes long enough to be stopped in the middle.
const LONG: Shop = Shop { seed: 3, users: 100, items: 100, interactions: 4_000 };
/// A cycle on it takes a handful of steps.
const TINY: Shop = Shop { seed: 3, users: 40, items: 60, interactions: 900 };
/// Steps between checkpoints where a run is killed.
const CHECKPOINT: u64 = 1;

#[test]
fn a_cycle_comes_to_a_verdict_with_its_numbers() {
    let mut daemon = Daemon::start();
    SHORT.open(&daemon);
    let run = daemon.mercer_json(&["train", "--wait", "--budget", "60s"]);
    assert_eq!(run["state"], "succeeded", "{run}");
    assert!(run["losses"].as_array().is_some_and(|losses| !losses.is_empty()), "{run}");
    let gate = &run["gate"];
    assert!(["promote", "reject", "insufficient_data"].contains(&gate["verdict"].as_str().unwrap()), "{gate}");
    assert!(gate["reason"].as_str().is_some_and(|reason| !reason.is_empty()));
    assert!(gate["users"].as_u64() > Some(0), "{gate}");
    let comparisons = gate["comparisons"].as_array().unwrap();
    for against in ["v000001", "popularity", "own repeats", "item kNN"] {
        let comparison = comparisons.iter().find(|one| one["against"] == against);
        let comparison = comparison.unwrap_or_else(|| panic!("not compared with {against}: {gate}"));
        let number = |name: &str| comparison[name].as_f64().unwrap();
        assert!(number("low") <= number("difference") && number("difference") <= number("high"), "{comparison}");
        assert!((number("candidate") - number("other") - number("difference")).abs() < 1e-9, "{comparison}");
    }
    // Training saw nothing of what it was judged on.
    let version = daemon.ask(async |client| client.model(run["model"].as_str().unwrap()).await).unwrap();
    let gate = version.gate.unwrap();
    assert_eq!(version.parent.as_deref(), Some("v000001"));
    assert!(gate.from < gate.to);
    // Promoted if and only if the numbers say so.
    let serving = daemon.ask(async |client| client.status().await).unwrap().model.version;
    let promoted = gate.verdict == mercer_shared::wire::GateVerdict::Promote;
    assert_eq!(version.state == ModelState::Serving, promoted);
    assert_eq!(serving == version.version, promoted);
    // The version's numbers come from the same window as the reports'.
    let report = daemon.mercer_json(&["report", "quality"]);
    assert!(report.to_string().contains("ndcg@10"), "{report}");
    // It is all in its directory: the same lists after a restart.
    if !promoted {
        daemon.mercer_ok(&["models", "promote", &version.version]);
    }
    let lists = |daemon: &Daemon| -> Vec<Vec<String>> {
        let query = ListQuery { k: Some(20), at: Some(at(END)), mode: Some(Mode::New), ..ListQuery::default() };
        let list = |user: u32| daemon.ask(async |client| client.recommend(&format!("sim-u{user:06}"), &query).await);
        (0..10).map(|user| list(user).unwrap().items.iter().map(|row| row.id.to_string()).collect()).collect()
    };
    let before = lists(&daemon);
    assert!(daemon.terminate());
    daemon.launch();
    daemon.embedded();
    assert_eq!(lists(&daemon), before);
}

#[test]
fn a_run_can_be_cancelled_and_another_started() {
    let daemon = Daemon::start();
    LONG.open(&daemon);
    let run = daemon.ask(async |client| client.train(&TrainRequest::default()).await).unwrap();
    let second = daemon.mercer(&["train", "--json"]);
    assert_eq!(second.status.code(), Some(4));
    assert!(String::from_utf8_lossy(&second.stderr).contains("training-runs"), "{second:?}");
    daemon.run_until(&run.id, "the encoder is trained", |run| run.phase == RunPhase::Encoder && run.step >= 1);
    daemon.mercer_ok(&["runs", "cancel", &run.id]);
    let ended = daemon.run_until(&run.id, "the run ends", |run| run.state.is_final());
    assert_eq!(ended.state, RunState::Cancelled);
    assert!(ended.model.is_none() && ended.ended.is_some());
    let models = daemon.ask(async |client| client.models().await).unwrap();
    assert_eq!(models.items.len(), 1, "a cancelled run leaves no version");
    assert_eq!(daemon.mercer(&["runs", "cancel", &run.id]).status.code(), Some(4), "it has ended");
    let run = daemon.mercer_json(&["train", "--wait", "--no-encoder", "--no-promote"]);
    assert_eq!(run["state"], "succeeded", "{run}");
}

#[test]
fn a_killed_run_goes_on_from_its_last_checkpoint() {
    let config = format!("[train]\nevery_seconds = 0\nafter_interactions = 0\ncheckpoint_steps = {CHECKPOINT}\n");
    let mut daemon = Daemon::start_with(&Options { config: Some(config), ..Options::default() });
    TINY.open(&daemon);
    let request = TrainRequest { promote: Some(false), ..TrainRequest::default() };
    let run = daemon.ask(async |client| client.train(&request).await).unwrap();
    let before = daemon
        .run_until(&run.id, "some steps were taken", |run| run.phase == RunPhase::Encoder && run.step > CHECKPOINT);
    daemon.kill();
    daemon.launch();
    let resumed = daemon.run_until(&run.id, "the encoder is trained again", |run| {
        run.state.is_final() || (run.phase == RunPhase::Encoder && run.step >= 1)
    });
    assert_eq!(resumed.cause, RunCause::Resumed);
    assert!(resumed.step + CHECKPOINT >= before.step, "killed at step {}, went on at {}", before.step, resumed.step);
    let ended = daemon.run_until(&run.id, "the run ends", |run| run.state.is_final());
    assert_eq!(ended.state, RunState::Succeeded, "{:?}: {}", ended.error, daemon.log());
    assert!(ended.model.is_some() && ended.gate.is_some());
}

#[test]
fn the_encoder_is_tuned_as_asked() {
    let daemon = Daemon::start();
    TINY.open(&daemon);
    for (tuning, setting) in [("adalora", "encoder.method.ada_lora.initial"), ("full", "encoder.method")] {
        let run = daemon.mercer_json(&["train", "--wait", "--no-promote", "--budget", "20s", "--tuning", tuning]);
        assert_eq!(run["state"], "succeeded", "{run}");
        assert!(run["losses"].as_array().is_some_and(|losses| !losses.is_empty()), "{run}");
        assert!(!run["record"]["config"][setting].is_null(), "{}", run["record"]);
    }
    let contradiction = TrainRequest { encoder: Some(false), tuning: Some(Tuning::Full), ..TrainRequest::default() };
    let refused = daemon.ask(async |client| client.train(&contradiction).await).unwrap_err().to_string();
    assert!(refused.contains("left alone"), "{refused}");
}

#[test]
fn an_empty_log_is_refused() {
    let daemon = Daemon::start();
    let refused = daemon.mercer(&["train", "--wait", "--json"]);
    assert_eq!(refused.status.code(), Some(4));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("not-enough-data"), "{refused:?}");
}
