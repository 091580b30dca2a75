//! The learning cycle as an operator drives it: it comes to the verdict that its data deserve, with numbers, can be cancelled, and
//! survives a kill.

use mercer_shared::time::DAY_MS;
use mercer_shared::wire::{
    GateVerdict, ListQuery, Mode, ModelState, ModelVersion, RunCause, RunPhase, RunState, TrainRequest, Tuning,
};
use mercer_tests::shop::{END, Shop};
use mercer_tests::{Daemon, Options, at};
use serde_json::json;

/// A cycle on it takes some ten steps.
const SHORT: Shop = Shop { seed: 7, users: 60, items: 80, interactions: 2_000 };
/// A cycle on it takes long enough to be stopped in the middle.
const LONG: Shop = Shop { seed: 3, users: 100, items: 100, interactions: 4_000 };
/// A cycle on it takes a handful of steps.
const TINY: Shop = Shop { seed: 3, users: 40, items: 60, interactions: 900 };
/// Steps between checkpoints where a run is killed.
const CHECKPOINT: u64 = 1;

/// Weeks of the planted shops; each shopper buys on one day of a week.
const WEEKS: usize = 12;
/// Shoppers and items of the planted shops.
const SHOPPERS: usize = 120;
const ITEMS: usize = 60;

/// Numbers by a linear congruential generator (Knuth's MMIX).
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % n
    }
}

/// A shop whose shoppers buy four items a week each: always the same ones of their own, or any by chance.
fn planted(favourites: bool) -> String {
    let id = |item: usize| format!("i{item}");
    let items = (0..ITEMS).map(|item| json!({ "item": { "id": id(item), "title": format!("Article number {item}") } }));
    let mut dice = Dice(1);
    let own: Vec<Vec<usize>> = (0..SHOPPERS).map(|_| (0..4).map(|_| dice.below(ITEMS)).collect()).collect();
    let mut bought = Vec::new();
    for week in 0..WEEKS {
        for (shopper, own) in own.iter().enumerate() {
            let day = 7 * week + dice.below(7);
            for favourite in own {
                let item = if favourites { *favourite } else { dice.below(ITEMS) };
                bought.push((day, shopper, item));
            }
        }
    }
    bought.sort_unstable();
    let begin = at("2024-01-01T10:00:00Z");
    let interactions = bought.iter().enumerate().map(|(n, (day, shopper, item))| {
        let at = begin.plus_millis(*day as i64 * DAY_MS + 1_000 * n as i64);
        json!({ "interaction": { "id": format!("e{n}"), "user": format!("u{shopper}"), "type": "purchase", "item": id(*item), "at": at } })
    });
    items.chain(interactions).map(|document| format!("{document}\n")).collect()
}

/// A daemon with a planted shop whose serving version knows nothing but what is popular, and the gate of a cycle on it.
fn judged(favourites: bool) -> (Daemon, ModelVersion) {
    let config = "[train]\nevery_seconds = 0\nafter_interactions = 0\n[serve]\ncanary_share = 0.0\n";
    let mut daemon = Daemon::start_with(&Options { config: Some(config.to_owned()), ..Options::default() });
    assert!(daemon.terminate());
    let blend = r#"{"any": [["popular30", 1.0]], "unseen": [["popular30", 1.0]]}"#;
    std::fs::write(daemon.state().join("models/v000001/blend.json"), blend).unwrap();
    daemon.launch();
    let file = daemon.file("planted.ndjson", planted(favourites));
    daemon.mercer_ok(&["import", "--format", "ndjson", &file]);
    daemon.embedded();
    let run = daemon.mercer_json(&["train", "--wait", "--no-encoder", "--promote", "--seed", "5", "--budget", "60s"]);
    assert_eq!(run["state"], "succeeded", "{run}");
    let version = daemon.ask(async |client| client.model(run["model"].as_str().unwrap()).await).unwrap();
    (daemon, version)
}

#[test]
fn a_version_that_is_better_is_promoted_and_serves() {
    let (daemon, version) = judged(true);
    let gate = version.gate.as_ref().unwrap();
    assert_eq!(gate.verdict, GateVerdict::Promote, "{gate:?}");
    let first = &gate.comparisons[0];
    assert!(first.against == "v000001" && first.low > 0.0 && first.n > 100, "{first:?}");
    assert!(gate.comparisons.iter().all(|one| one.passed), "{gate:?}");
    assert_eq!(version.state, ModelState::Serving);
    assert_eq!(daemon.ask(async |client| client.status().await).unwrap().model.version, version.version);
}

#[test]
fn a_version_that_learned_from_chance_is_rejected() {
    let (daemon, version) = judged(false);
    let gate = version.gate.as_ref().unwrap();
    assert_eq!(gate.verdict, GateVerdict::Reject, "{gate:?}");
    assert!(gate.users > 100 && gate.comparisons.iter().any(|one| !one.passed), "{gate:?}");
    assert_eq!(version.state, ModelState::Rejected);
    assert_eq!(daemon.ask(async |client| client.status().await).unwrap().model.version, "v000001");
}

#[test]
fn a_cycle_on_too_few_shoppers_gives_its_numbers_and_decides_nothing() {
    let mut daemon = Daemon::start();
    SHORT.open(&daemon);
    let run = daemon.mercer_json(&["train", "--wait", "--budget", "60s"]);
    assert_eq!(run["state"], "succeeded", "{run}");
    assert!(run["losses"].as_array().is_some_and(|losses| !losses.is_empty()), "{run}");
    let gate = &run["gate"];
    assert_eq!(gate["verdict"], "insufficient_data", "{gate}");
    assert_eq!(gate["alpha"], 0.0, "what decides nothing spends nothing: {gate}");
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
    assert_ne!(version.state, ModelState::Serving);
    assert_eq!(daemon.ask(async |client| client.status().await).unwrap().model.version, "v000001");
    // The version's numbers come from the same window as the reports'.
    let report = daemon.mercer_json(&["report", "quality"]);
    assert!(report.to_string().contains("ndcg@10"), "{report}");
    // It is all in its directory: the same lists after a restart.
    daemon.mercer_ok(&["models", "promote", &version.version]);
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
