//! Versions on trial: a canary answers a sticky share of the shoppers, serves everybody when its time is over, and is taken back by
//! itself when a guardrail breaks, as is a version that serves everybody since lately.

use mercer_shared::wire::{Decision, ListQuery, ModelState};
use mercer_tests::shop::Shop;
use mercer_tests::{Daemon, Options, eventually};

const SHOP: Shop = Shop { seed: 21, users: 900, items: 80, interactions: 40_000 };

fn config(share: f64, hours: f64, grace: f64) -> Options {
    // A gate with so much alpha passes what is better at all: this is not about the gate.
    let config = format!(
        "[train]\nevery_seconds = 0\nafter_interactions = 0\n[gate]\nalpha = 0.5\n\
         [serve]\ncanary_share = {share}\ncanary_hours = {hours}\ngrace_hours = {grace}\n"
    );
    Options { config: Some(config), ..Options::default() }
}

/// A daemon with a shop whose serving version knows nothing but what is popular: whatever is learned is better.
fn shop(options: &Options) -> Daemon {
    let mut daemon = Daemon::start_with(options);
    SHOP.open(&daemon);
    daemon.embedded();
    assert!(daemon.terminate());
    let blend = r#"{"any": [["popular30", 1.0]], "unseen": [["popular30", 1.0]]}"#;
    std::fs::write(daemon.state().join("models/v000001/blend.json"), blend).unwrap();
    daemon.launch();
    daemon
}

/// Trains a version that passes the gate and goes to work; the version.
fn candidate(daemon: &Daemon) -> String {
    let run = daemon.mercer_json(&["train", "--wait", "--no-encoder", "--promote"]);
    assert_eq!(run["state"], "succeeded", "{run}");
    assert_eq!(run["gate"]["verdict"], "promote", "anything is better than what is popular: {run}");
    run["model"].as_str().unwrap().to_owned()
}

fn state(daemon: &Daemon, version: &str) -> ModelState {
    daemon.ask(async |client| client.model(version).await).unwrap().state
}

fn serving(daemon: &Daemon) -> String {
    daemon.ask(async |client| client.status().await).unwrap().model.version
}

/// The version that answers a shopper.
fn answers(daemon: &Daemon, user: u32, at: Option<&str>) -> String {
    let query = ListQuery { at: at.map(mercer_tests::at), ..ListQuery::default() };
    let list = daemon.ask(async |client| client.recommend(&format!("sim-u{user:06}"), &query).await).unwrap();
    assert!(!list.items.is_empty(), "{list:?}");
    list.model
}

fn decided(daemon: &Daemon, action: &str) -> Decision {
    eventually(action, || {
        let page = daemon.ask(async |client| client.decisions(None, Some(20)).await).unwrap();
        page.items.into_iter().find(|decision| decision.action.contains(action))
    })
}

/// Makes the ranker of a version give scores that are no numbers, as a fault in its making would.
fn break_ranker(daemon: &Daemon, version: &str) {
    let path = daemon.state().join("models").join(version).join("ranker.json");
    let mut ranker: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    for head in ["any", "unseen"] {
        for net in ranker[head]["nets"].as_array_mut().unwrap() {
            net["p"].as_array_mut().unwrap().iter_mut().for_each(|p| *p = serde_json::json!(3e38));
        }
    }
    std::fs::write(path, serde_json::to_vec(&ranker).unwrap()).unwrap();
}

#[test]
fn a_canary_answers_its_shoppers_and_then_everybody() {
    let mut daemon = shop(&config(0.3, 1_000.0, 24.0));
    let version = candidate(&daemon);
    assert_eq!((state(&daemon, &version), serving(&daemon).as_str()), (ModelState::Canary, "v000001"));
    let chosen =
        |daemon: &Daemon| -> Vec<bool> { (0..60).map(|user| answers(daemon, user, None) == version).collect() };
    let first = chosen(&daemon);
    let share = first.iter().filter(|one| **one).count();
    assert!((6..=32).contains(&share), "{share} of 60 at a share of 0.3");
    // A moment that is named is answered by what serves, or replays would change with a trial.
    let inside = first.iter().position(|one| *one).unwrap() as u32;
    assert_eq!(answers(&daemon, inside, Some(mercer_tests::shop::END)), "v000001");
    // Sticky, also over a restart.
    assert!(daemon.terminate());
    daemon.launch();
    eventually("the canary goes on", || (answers(&daemon, inside, None) == version).then_some(()));
    assert_eq!(chosen(&daemon), first);
    // Its time is over.
    assert!(daemon.terminate());
    std::fs::write(daemon.dir.path().join("config.toml"), config(0.3, 0.0, 24.0).config.unwrap()).unwrap();
    daemon.launch();
    let decision = decided(&daemon, "serves everybody");
    assert!(decision.saw.contains("no guardrail broke"), "{decision:?}");
    assert_eq!((state(&daemon, &version), serving(&daemon)), (ModelState::Serving, version.clone()));
    assert_eq!(answers(&daemon, first.iter().position(|one| !*one).unwrap() as u32, None), version);
}

#[test]
fn a_broken_canary_is_taken_back_and_its_shoppers_do_not_notice() {
    let mut daemon = shop(&config(0.5, 1_000.0, 24.0));
    let version = candidate(&daemon);
    let inside = (0..60).find(|user| answers(&daemon, *user, None) == version).unwrap();
    assert!(daemon.terminate());
    break_ranker(&daemon, &version);
    daemon.launch();
    // Every list is answered, by whichever version can.
    eventually("the guardrail breaks", || {
        (0..60).for_each(|user| drop(answers(&daemon, user, None)));
        (state(&daemon, &version) == ModelState::Rejected).then_some(())
    });
    assert_eq!(answers(&daemon, inside, None), "v000001");
    let decision = decided(&daemon, "took");
    assert!(decision.saw.contains("no numbers") && decision.rule.contains("guardrail"), "{decision:?}");
    let status = daemon.ask(async |client| client.status().await).unwrap();
    assert!(status.alarms.iter().any(|alarm| alarm.kind == "rolled-back"), "{status:?}");
    assert_eq!(status.model.version, "v000001");
}

#[test]
fn a_version_that_breaks_in_its_first_hours_is_rolled_back() {
    let mut daemon = shop(&config(0.0, 1.0, 24.0));
    let version = candidate(&daemon);
    assert_eq!(serving(&daemon), version);
    assert!(daemon.terminate());
    break_ranker(&daemon, &version);
    daemon.launch();
    eventually("it is rolled back", || {
        // Nobody can answer in its place; the failure is an error in words and counts.
        for user in 0..20 {
            let query = ListQuery::default();
            let list = daemon.ask(async |client| client.recommend(&format!("sim-u{user:06}"), &query).await);
            if let Err(problem) = list {
                assert!(problem.to_string().contains("no numbers"), "{problem}");
            }
        }
        (serving(&daemon) == "v000001").then_some(())
    });
    decided(&daemon, "took");
    assert_eq!(answers(&daemon, 1, None), "v000001");
}
