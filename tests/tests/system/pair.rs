//! The cross-encoder as an operator drives it: trained over the socket, with its numbers, cancelled, resumed, and re-scoring lists only
//! where it was better.

use mercer_shared::problem::Code;
use mercer_shared::wire::{ListQuery, PairSource, Run, RunCause, RunPhase, RunState, TrainModel, TrainRequest};
use mercer_tests::shop::Shop;
use mercer_tests::{Daemon, Options};

/// Few enough rows for some dozen steps.
const SMALL: Shop = Shop { seed: 7, users: 60, items: 80, interactions: 2_500 };

fn request() -> TrainRequest {
    TrainRequest { model: Some(TrainModel::Pair), budget_seconds: Some(20), ..TrainRequest::default() }
}

fn config(extra: &str) -> Options {
    let config = format!("[train]\nevery_seconds = 0\nafter_interactions = 0\n{extra}");
    Options { config: Some(config), ..Options::default() }
}

fn metric(run: &Run, slice: &str, name: &str) -> f64 {
    let all = &run.pair.as_ref().unwrap().metrics;
    let found = all.iter().find(|m| m.slice == slice && m.name == name);
    found.and_then(|m| m.value).unwrap_or_else(|| panic!("no {name} of {slice}: {all:?}"))
}

#[test]
fn a_run_gives_the_numbers_of_later_events() {
    let daemon = Daemon::start_with(&config("[serve]\npair_budget_ms = 2000\n"));
    SMALL.open(&daemon);
    let printed = daemon.mercer_ok(&["train", "--model", "pair", "--wait", "--budget", "20s"]);
    for word in ["Cross-encoder pair-r000001", "log_loss", "gauc", "threshold", "negatives", "s a step", "ms a pair"] {
        assert!(printed.contains(word), "{word} is missing: {printed}");
    }
    let run = daemon.ask(async |client| client.run("r000001").await).unwrap();
    assert_eq!(run.state, RunState::Succeeded, "{:?}", run.error);
    assert!(!run.losses.is_empty() && run.gate.is_none() && run.model.is_none());
    let report = run.pair.clone().unwrap();
    // The simulated shop writes impressions, so those are the rows.
    assert_eq!(report.source, PairSource::Impressions);
    assert!(report.negatives.contains("impressions"), "{}", report.negatives);
    for part in [&report.train, &report.validation, &report.later] {
        assert!(part.rows > 0 && part.users > 0 && part.positives > 0.0 && part.positives < 1.0, "{part:?}");
    }
    // In time one after the other, nothing of what is judged on was learned from or chosen by.
    assert!(report.train.to < report.validation.from && report.validation.to <= Some(report.cut));
    assert!(report.later.from > Some(report.cut));
    for name in ["precision", "recall", "f1", "auc", "brier", "ece"] {
        let value = metric(&run, "later", name);
        assert!((0.0..=1.0).contains(&value), "{name} is {value}");
    }
    assert!(metric(&run, "later", "gauc") >= 0.0 && metric(&run, "later", "log_loss") > 0.0);
    assert!(metric(&run, "untrained", "auc") > 0.0);
    assert!(report.threshold.is_some() && report.calibration.is_some());
    assert!(report.steps > 0 && report.seconds > 0.0 && report.ms_per_pair > 0.0);
    // Re-scoring follows the check and nothing else.
    let check = &report.check;
    if let Some(comparison) = &check.comparison {
        assert_eq!(check.serves, comparison.low > 0.0, "{comparison:?}");
    } else {
        assert!(!check.serves, "{check:?}");
    }
    let user = daemon.ask(async |client| client.users(None, None, Some(1)).await).unwrap().items[0].id.clone();
    let list = daemon.ask(async |client| client.recommend(user.as_str(), &ListQuery::default()).await).unwrap();
    let said = list.notes.iter().any(|note| note.contains("re-scored"));
    assert!(said, "{:?}", list.notes);
    let scored = list.notes.iter().any(|note| note.contains("re-scored the first"));
    assert!(!scored || check.serves, "re-scored although the check was against it");
    // One that was erased was seen by it.
    let receipt = daemon.ask(async |client| client.erase(user.as_str()).await).unwrap();
    assert!(receipt.models.contains(&"pair-r000001".to_owned()), "{receipt:?}");
    // The next one takes its place.
    let next = daemon.ask(async |client| client.train(&request()).await).unwrap();
    let next = daemon.run_until(&next.id, "it ends", |run| run.state.is_final());
    assert_eq!(next.state, RunState::Succeeded, "{:?}", next.error);
    let files: Vec<String> = std::fs::read_dir(daemon.state().join("pair"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(files, ["pair-r000002.safetensors"]);
}

#[test]
fn a_killed_run_goes_on_and_a_cancelled_one_leaves_nothing() {
    let mut daemon = Daemon::start_with(&config("checkpoint_steps = 1\n"));
    SMALL.open(&daemon);
    let stepping = |run: &Run| run.phase == RunPhase::Encoder && run.step > 1;
    let run = daemon.ask(async |client| client.train(&request()).await).unwrap();
    let before = daemon.run_until(&run.id, "some steps were taken", stepping);
    daemon.kill();
    daemon.launch();
    let resumed = daemon.run_until(&run.id, "it trains again", |run| run.state.is_final() || stepping(run));
    assert_eq!(resumed.cause, RunCause::Resumed);
    assert!(resumed.step + 1 >= before.step, "killed at step {}, went on at {}", before.step, resumed.step);
    daemon.mercer_ok(&["runs", "cancel", &run.id]);
    let ended = daemon.run_until(&run.id, "it ends", |run| run.state.is_final());
    assert_eq!(ended.state, RunState::Cancelled);
    assert!(ended.pair.is_none() && !daemon.state().join("pair").exists());
}

#[test]
fn what_belongs_to_the_cycle_is_refused() {
    let daemon = Daemon::start();
    let wrong = TrainRequest { promote: Some(true), ..request() };
    let refused = daemon.ask(async |client| client.train(&wrong).await).unwrap_err();
    assert_eq!(refused.code, Code::BadParameter, "{refused:?}");
}
