//! Shoppers that are held out: neither the gate nor training sees them, and a look at them is noted with its numbers.

use mercer_shared::wire::{ModelVersion, Run, RunState, TrainRequest};
use mercer_tests::shop::Shop;
use mercer_tests::{Daemon, Options};

const SHOP: Shop = Shop { seed: 31, users: 400, items: 80, interactions: 12_000 };

fn cycle(key: Option<Vec<u8>>, gate: &str) -> (Vec<u8>, Run, ModelVersion) {
    let config = format!("[train]\nevery_seconds = 0\nafter_interactions = 0\n[gate]\n{gate}\n");
    let daemon = Daemon::start_with(&Options { config: Some(config), key });
    SHOP.open(&daemon);
    daemon.embedded();
    let request =
        TrainRequest { encoder: Some(false), promote: Some(false), holdout: Some(true), ..TrainRequest::default() };
    let run = daemon.ask(async |client| client.train(&request).await).unwrap();
    let run = daemon.run_until(&run.id, "the run ends", |run| run.state.is_final());
    assert_eq!(run.state, RunState::Succeeded, "{:?}: {}", run.error, daemon.log());
    let model = daemon.ask(async |client| client.model(run.model.as_ref().unwrap()).await).unwrap();
    (std::fs::read(daemon.state().join("key")).unwrap(), run, model)
}

#[test]
fn gate_and_holdout_share_the_shoppers_between_them() {
    let (key, all, whole) = cycle(None, "");
    assert!(whole.metrics.iter().all(|metric| !metric.slice.starts_with("holdout")), "a small shop holds nobody out");
    assert!(!whole.data.consent_rule.contains("held out"));
    let (_, run, model) = cycle(Some(key), "holdout = 0.4\nholdout_shoppers = 100");
    let held = model.metrics.iter().find(|metric| metric.slice == "holdout repeat").expect("they were looked at");
    assert!(held.low <= held.value && held.value <= held.high && held.value.is_some(), "{held:?}");
    // Whoever came back in the window was judged by the gate or is held out, and nobody is both.
    let (gated, everybody) = (run.gate.unwrap().users, all.gate.unwrap().users);
    assert_eq!(gated + held.n, everybody, "{:?}", run.log);
    assert!(held.n > everybody / 5 && gated > everybody / 3, "{gated} and {}", held.n);
    assert!(run.log.iter().any(|line| line.contains("no training and no gate has seen")), "{:?}", run.log);
    assert!(model.data.consent_rule.contains("40.0 % held out"), "{}", model.data.consent_rule);
}
