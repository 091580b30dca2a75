//! Cycles at the edge: cancelled wherever they are, out of time, with nothing new, on logs that hold next to nothing or far too much of
//! one thing. Each ends, leaves a daemon that serves, and says what happened.

use mercer_shared::time::{DAY_MS, Timestamp};
use mercer_shared::wire::{GateVerdict, Run, RunPhase, RunState, TrainRequest};
use mercer_tests::shop::Shop;
use mercer_tests::{Daemon, lines};
use serde_json::{Value, json};

/// Large enough for a ranker.
const SHOP: Shop = Shop { seed: 11, users: 300, items: 80, interactions: 12_000 };
/// What a cycle is asked for where the encoder does not matter.
const PLAIN: TrainRequest = TrainRequest {
    model: None,
    budget_seconds: None,
    seed: None,
    encoder: Some(false),
    tuning: None,
    promote: Some(false),
    holdout: None,
    rebuild: None,
};

fn start(daemon: &Daemon, request: &TrainRequest) -> Run {
    daemon.ask(async |client| client.train(request).await).unwrap()
}

fn end(daemon: &Daemon, run: &Run) -> Run {
    daemon.run_until(&run.id, "the run ends", |run| run.state.is_final())
}

fn cycle(daemon: &Daemon, request: &TrainRequest) -> Run {
    let run = start(daemon, request);
    let run = end(daemon, &run);
    assert_eq!(run.state, RunState::Succeeded, "{:?}: {}", run.error, daemon.log());
    run
}

fn says(run: &Run, what: &str) -> bool {
    run.log.iter().any(|line| line.contains(what))
}

/// Ids of the shop's items.
fn items(daemon: &Daemon) -> Vec<String> {
    let shop = std::fs::read_to_string(daemon.dir.path().join("shop.ndjson")).unwrap();
    lines(&shop).iter().filter_map(|line| Some(line.get("item")?.get("id")?.as_str()?.to_owned())).collect()
}

fn versions(daemon: &Daemon) -> usize {
    daemon.ask(async |client| client.models().await).unwrap().items.len()
}

fn serves(daemon: &Daemon, user: &str) -> Value {
    daemon.mercer_json(&["recommend", user, "-k", "5"])
}

fn item(id: &str, title: &str) -> Value {
    json!({ "item": { "id": id, "title": title } })
}

/// A purchase so many seconds after the first of January 2024.
fn purchase(id: u64, user: &str, item: &str, seconds: u64) -> Value {
    let at = Timestamp::at(19_723 * DAY_MS + seconds as i64 * 1_000);
    json!({ "interaction": { "id": format!("x{id}"), "user": user, "type": "purchase", "item": item, "at": at } })
}

/// Imports lines that must all be taken.
fn import(daemon: &Daemon, name: &str, documents: impl IntoIterator<Item = Value>) {
    let text: String = documents.into_iter().map(|document| format!("{document}\n")).collect();
    let file = daemon.file(name, text);
    let report = daemon.mercer_json(&["import", "--format", "ndjson", &file]);
    assert_eq!(report["accepted"], report["lines"], "{report}");
}

#[test]
fn a_cycle_is_cancelled_wherever_it_is_and_one_with_nothing_new_makes_no_version() {
    let daemon = Daemon::start();
    SHOP.open(&daemon);
    daemon.embedded();
    for phase in [RunPhase::Ranker, RunPhase::Evaluation] {
        let run = start(&daemon, &PLAIN);
        daemon.run_until(&run.id, "it comes so far", |run| run.phase == phase || run.state.is_final());
        daemon.mercer_ok(&["runs", "cancel", &run.id]);
        let run = end(&daemon, &run);
        assert_eq!(run.state, RunState::Cancelled, "{:?}", run.log);
        assert!(says(&run, "cancelled in the phase"), "{:?}", run.log);
        assert!(run.model.is_none() && run.gate.is_none() && run.ended.is_some());
    }
    assert_eq!(versions(&daemon), 1, "cancelled runs leave no version");

    let first = cycle(&daemon, &PLAIN);
    assert!(says(&first, "ranker:") && first.model.is_some(), "{:?}", first.log);
    // What each phase took adds up to about the whole.
    let phases: Vec<RunPhase> = first.phases.iter().map(|cost| cost.phase).collect();
    for phase in [RunPhase::Examples, RunPhase::Embedding, RunPhase::Memory, RunPhase::Ranker, RunPhase::Evaluation] {
        assert!(phases.contains(&phase), "{phases:?}");
    }
    let whole = (first.ended.unwrap().millis() - first.started.unwrap().millis()) as f64 / 1e3;
    let sum: f64 = first.phases.iter().map(|cost| cost.seconds).sum();
    assert!(sum > 0.5 * whole && sum < whole + 0.5, "{sum} of {whole}: {:?}", first.phases);
    assert!(first.phases.iter().map(|cost| cost.cpu_seconds).sum::<f64>() > 0.0);
    let spending = first.gate.as_ref().unwrap().spending.as_ref().unwrap();
    assert!(spending.gates == 1 && spending.spent > 0.0 && spending.spent < spending.total, "{spending:?}");

    // The same again would be the same version: nothing is made and no alpha spent.
    let again = cycle(&daemon, &PLAIN);
    assert!(again.model.is_none() && again.gate.is_none(), "{again:?}");
    assert!(says(&again, "nothing is new since"), "{:?}", again.log);
    assert_eq!(versions(&daemon), 2);
    // One interaction more, and there is.
    import(&daemon, "more.ndjson", [purchase(0, "sim-u000001", &items(&daemon)[0], 181 * 86_400 + 5)]);
    assert!(cycle(&daemon, &PLAIN).model.is_some());
}

#[test]
fn a_cycle_keeps_to_its_budget_and_says_what_it_left_out() {
    let daemon = Daemon::start();
    SHOP.open(&daemon);
    daemon.embedded();
    let run =
        cycle(&daemon, &TrainRequest { budget_seconds: Some(1), promote: Some(false), ..TrainRequest::default() });
    assert!(says(&run, "no time for the encoder"), "{:?}", run.log);
    assert!(says(&run, "instead of"), "{:?}", run.log);
    assert!(
        says(&run, "what was judged serves") || says(&run, "gate: Reject") || says(&run, "budget was used up"),
        "{:?}",
        run.log
    );
    assert!(run.gate.is_some() && run.losses.is_empty());
    serves(&daemon, "sim-u000001");
}

#[test]
fn next_to_nothing_to_learn_from_is_said_and_served() {
    // One shopper and one item, over and over.
    let daemon = Daemon::start();
    import(&daemon, "items.ndjson", [item("i0", "Green tea")]);
    import(&daemon, "log.ndjson", (0..60).map(|n| purchase(n, "u0", "i0", n * 86_400)));
    let run = cycle(&daemon, &TrainRequest { promote: Some(false), ..TrainRequest::default() });
    assert_eq!(run.gate.as_ref().unwrap().verdict, GateVerdict::InsufficientData, "{:?}", run.log);
    assert!(run.gate.as_ref().unwrap().spending.is_none(), "one shopper decides nothing and costs nothing");
    assert_eq!(serves(&daemon, "u0")["items"][0]["id"], "i0");

    // Everything bought on one day.
    let daemon = Daemon::start();
    import(&daemon, "items.ndjson", (0..20).map(|n| item(&format!("i{n}"), &format!("Tea number {n}"))));
    let bought = |n: u64| purchase(n, &format!("u{}", n % 40), &format!("i{}", n % 19), 30 * 86_400 + n);
    import(&daemon, "log.ndjson", (0..200).map(bought));
    let run = cycle(&daemon, &PLAIN);
    assert!(run.model.is_none(), "{:?}", run.log);
    assert!(says(&run, "shorter than two windows"), "{:?}", run.log);
    assert_eq!(run.gate.as_ref().unwrap().verdict, GateVerdict::InsufficientData);
    assert_eq!(serves(&daemon, "u0")["items"].as_array().unwrap().len(), 5);

    // A long log, in which nobody ever comes back.
    import(&daemon, "later.ndjson", (0..60).map(|n| purchase(1_000 + n, &format!("w{n}"), "i3", n * 86_400)));
    let run = cycle(&daemon, &PLAIN);
    assert!(run.model.is_none() && says(&run, "no shopper who had bought before came back"), "{:?}", run.log);
}

#[test]
fn a_shopper_with_fifty_thousand_interactions_is_served_and_learned_from() {
    let daemon = Daemon::start();
    SHOP.open(&daemon);
    let ids = items(&daemon);
    let bought = |n: u64| purchase(n, "heavy", &ids[n as usize * 7 % ids.len()], 60 * 86_400 + n * 200);
    import(&daemon, "heavy.ndjson", (0..50_000).map(bought));
    daemon.embedded();
    let run = cycle(&daemon, &PLAIN);
    assert!(says(&run, "ranker:"), "{:?}", run.log);
    assert_eq!(serves(&daemon, "heavy")["items"].as_array().unwrap().len(), 5);
    assert_eq!(serves(&daemon, "sim-u000001")["items"].as_array().unwrap().len(), 5);
}
