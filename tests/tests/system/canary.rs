//! Versions on trial: a canary answers a sticky share of the shoppers, serves everybody when its time is over, and is taken back by
//! itself when a guardrail breaks, as is a version that serves everybody since lately.

use std::sync::LazyLock;

use mercer_shared::wire::{Decision, ListQuery, ModelState};
use mercer_tests::shop::Shop;
use mercer_tests::{Daemon, Options, eventually};

const SHOP: Shop = Shop { seed: 21, users: 900, items: 80, interactions: 40_000 };

/// A canary on half of the shoppers; how long it is on trial, in hours.
fn config(hours: f64) -> Options {
    // A gate with so much alpha passes what is better at all: this is not about the gate.
    let config = format!(
        "[train]\nevery_seconds = 0\nafter_interactions = 0\n[gate]\nalpha = 0.5\n\
         [serve]\ncanary_share = 0.5\ncanary_hours = {hours}\ngrace_hours = 24.0\n"
    );
    Options { config: Some(config), ..Options::default() }
}

/// A shop whose serving version knows nothing but what is popular, so that whatever is learned is better, and a version on trial that
/// passed the gate. It is trained once; each test gets a copy of the state.
fn shop(hours: f64) -> (Daemon, String) {
    static TRAINED: LazyLock<(Daemon, String)> = LazyLock::new(|| {
        let mut daemon = Daemon::start_with(&config(1_000.0));
        SHOP.open(&daemon);
        daemon.embedded();
        assert!(daemon.terminate());
        let blend = r#"{"any": [["popular30", 1.0]], "unseen": [["popular30", 1.0]]}"#;
        std::fs::write(daemon.state().join("models/v000001/blend.json"), blend).unwrap();
        daemon.launch();
        // So little budget leaves out network and trees, which other tests are about.
        let run = daemon.mercer_json(&["train", "--wait", "--no-encoder", "--promote", "--budget", "120s"]);
        assert_eq!(run["state"], "succeeded", "{run}");
        assert_eq!(run["gate"]["verdict"], "promote", "anything is better than what is popular: {run}");
        let version = run["model"].as_str().unwrap().to_owned();
        assert!(daemon.terminate());
        (daemon, version)
    });
    let (trained, version) = &*TRAINED;
    (Daemon::start_from(&trained.state(), &config(hours)), version.clone())
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

/// A version on trial says how likely what it lists is to be taken; under a filter, which thins the candidates, it says nothing.
fn says_how_likely(daemon: &Daemon, version: &str, user: u32) {
    let list = |filter: Option<&str>| {
        let query = ListQuery { filter: filter.map(str::to_owned), ..ListQuery::default() };
        daemon.ask(async |client| client.recommend(&format!("sim-u{user:06}"), &query).await).unwrap().items
    };
    let likely: Vec<f64> = list(None).iter().map(|item| item.probability.unwrap()).collect();
    assert!(likely.iter().all(|p| (0.0..1.0).contains(p)) && likely.is_sorted_by(|a, b| a >= b), "{likely:?}");
    assert!(likely[0] > likely[likely.len() - 1], "{likely:?}");
    assert!(list(Some("price:0..1000000")).iter().all(|item| item.probability.is_none()));
    let metrics = daemon.ask(async |client| client.model(version).await).unwrap().metrics;
    for slice in ["repeat", "new"] {
        let ece = metrics.iter().find(|metric| metric.name == "ece" && metric.slice == slice).unwrap();
        assert!(ece.value.is_some_and(|value| value < 0.1) && ece.low <= ece.value && ece.n > 30, "{ece:?}");
    }
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
    let (mut daemon, version) = shop(1_000.0);
    assert_eq!((state(&daemon, &version), serving(&daemon).as_str()), (ModelState::Canary, "v000001"));
    let chosen =
        |daemon: &Daemon| -> Vec<bool> { (0..60).map(|user| answers(daemon, user, None) == version).collect() };
    eventually("the canary goes on", || chosen(&daemon).contains(&true).then_some(()));
    let first = chosen(&daemon);
    let share = first.iter().filter(|one| **one).count();
    assert!((15..=45).contains(&share), "{share} of 60 at a share of 0.5");
    // A moment that is named is answered by what serves, or replays would change with a trial.
    let inside = first.iter().position(|one| *one).unwrap() as u32;
    assert_eq!(answers(&daemon, inside, Some(mercer_tests::shop::END)), "v000001");
    says_how_likely(&daemon, &version, inside);
    // Sticky, also over a restart.
    assert!(daemon.terminate());
    daemon.launch();
    eventually("the canary goes on", || (answers(&daemon, inside, None) == version).then_some(()));
    assert_eq!(chosen(&daemon), first);
    // Its time is over.
    assert!(daemon.terminate());
    std::fs::write(daemon.dir.path().join("config.toml"), config(0.0).config.unwrap()).unwrap();
    daemon.launch();
    let decision = decided(&daemon, "serves everybody");
    assert!(decision.saw.contains("no guardrail broke"), "{decision:?}");
    assert_eq!((state(&daemon, &version), serving(&daemon)), (ModelState::Serving, version.clone()));
    assert_eq!(answers(&daemon, first.iter().position(|one| !*one).unwrap() as u32, None), version);
}

#[test]
fn a_broken_canary_is_taken_back_and_its_shoppers_do_not_notice() {
    let (mut daemon, version) = shop(1_000.0);
    let inside = eventually("the canary goes on", || (0..60).find(|user| answers(&daemon, *user, None) == version));
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
    let (mut daemon, version) = shop(0.0);
    decided(&daemon, "serves everybody");
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
                assert!(problem.to_string().contains("not finite"), "{problem}");
            }
        }
        (serving(&daemon) == "v000001").then_some(())
    });
    decided(&daemon, "took");
    assert_eq!(answers(&daemon, 1, None), "v000001");
}

/// Takes, for each of these shoppers, a row of the compared version from a list of their own.
fn take_from_the_other(daemon: &Daemon, users: std::ops::Range<usize>) {
    let query = ListQuery { k: Some(6), ..ListQuery::default() };
    for user in users {
        let id = format!("sim-u{user:06}");
        let list = daemon.ask(async |client| client.recommend(&id, &query).await).unwrap();
        let teams: Vec<u8> = list.items.iter().map(|row| row.team.unwrap()).collect();
        assert_eq!(teams.iter().filter(|team| **team == 1).count(), 3, "each version has half of the rows");
        let row = list.items.iter().find(|row| row.team == Some(1)).unwrap();
        let mut click = mercer_tests::interaction(&format!("click-{user}"), &id, "click", row.id.as_str());
        click.query_id = Some(list.query_id);
        daemon.ask(async |client| client.interact(&click).await).unwrap();
    }
}

#[test]
fn two_versions_are_interleaved_until_the_operator_ends_it() {
    let (mut daemon, version) = shop(1_000.0);
    eventually("the canary is loaded", || (0..200).find(|user| answers(&daemon, *user, None) == version));
    let refused = daemon.mercer(&["interleave", "start", "v000001"]);
    assert_eq!(refused.status.code(), Some(4), "a canary is on");
    daemon.mercer_ok(&["models", "promote", &version]);
    assert_eq!(daemon.mercer(&["interleave", "start", &version]).status.code(), Some(4), "it serves");
    daemon.mercer_ok(&["interleave", "start", "v000001", "--share", "1"]);
    let both = format!("{version}+v000001");
    assert_eq!(answers(&daemon, 3, None), both);
    take_from_the_other(&daemon, 0..20);
    let verdict = daemon.mercer_json(&["interleave", "status"]);
    // Shoppers who refused to be personalised are logged without a name.
    assert!(verdict["wins"].as_u64() > Some(14) && verdict["losses"] == 0, "{verdict}");
    assert_eq!(verdict["delta"], 0.5);
    assert!(verdict["p"].as_f64().unwrap() < 1e-3, "{verdict}");
    assert!(daemon.terminate());
    daemon.launch();
    eventually("it goes on after a restart", || (answers(&daemon, 3, None) == both).then_some(()));
    daemon.mercer_ok(&["interleave", "stop"]);
    assert_eq!(answers(&daemon, 3, None), version);
    assert_eq!(daemon.mercer(&["interleave", "stop"]).status.code(), Some(1), "nothing is interleaved");
}
