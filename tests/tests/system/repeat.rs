//! The same log and the same seed give the same bytes: losses, the version's files, and every list; also where the daemon was killed
//! half way, in the encoder's part or in the ranker's.

use std::collections::BTreeMap;
use std::path::Path;

use mercer_shared::wire::{Run, RunCause, RunPhase, RunState, TrainRequest};
use mercer_tests::shop::{END, Shop};
use mercer_tests::{Daemon, Options};
use serde_json::{Value, json};

const SHOP: Shop = Shop { seed: 9, users: 40, items: 60, interactions: 1_200 };
/// Large enough for a ranker.
const RANKED: Shop = Shop { seed: 9, users: 120, items: 60, interactions: 5_000 };

/// All files below a directory with their bytes.
fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![dir.to_owned()];
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(&next).into_iter().flatten().map(Result::unwrap) {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(dir).unwrap().display().to_string();
                found.insert(name, std::fs::read(&path).unwrap());
            }
        }
    }
    found
}

/// What one shop's cycle and lists come to.
struct Outcome {
    losses: Value,
    gate: Value,
    version: BTreeMap<String, Vec<u8>>,
    lists: String,
    found: String,
}

/// A key that several daemons share.
fn key() -> Vec<u8> {
    let daemon = Daemon::start();
    std::fs::read(daemon.state().join("key")).unwrap()
}

/// A cycle to its end; the daemon is killed once the run has come so far.
fn cycle(daemon: &mut Daemon, encoder: bool, kill: Option<fn(&Run) -> bool>) -> Run {
    let request = TrainRequest {
        budget_seconds: Some(3_600),
        seed: Some(17),
        encoder: Some(encoder),
        promote: Some(false),
        ..TrainRequest::default()
    };
    let run = daemon.ask(async |client| client.train(&request).await).unwrap();
    if let Some(far) = kill {
        let killed = daemon.run_until(&run.id, "it comes so far", |run| run.state.is_final() || far(run));
        assert!(!killed.state.is_final(), "it was over before it could be killed: {:?}", killed.log);
        daemon.kill();
        daemon.launch();
    }
    let run = daemon.run_until(&run.id, "the run ends", |run| run.state.is_final());
    assert_eq!(run.state, RunState::Succeeded, "{:?}: {}", run.error, daemon.log());
    assert_eq!(run.cause == RunCause::Resumed, kill.is_some());
    run
}

fn live(key: &[u8], kill: Option<fn(&Run) -> bool>) -> Outcome {
    let mut daemon = Daemon::start_with(&Options { key: Some(key.to_vec()), ..Options::default() });
    SHOP.open(&daemon);
    let run = json!(cycle(&mut daemon, true, kill));
    let version = run["model"].as_str().unwrap().to_owned();
    daemon.mercer_ok(&["models", "promote", &version]);
    daemon.embedded();
    let users: String = (0..SHOP.users).map(|n| format!("sim-u{n:06}\n")).collect();
    let users = daemon.file("users.txt", users);
    let queries = daemon.file("queries.ndjson", "{\"id\":1,\"text\":\"red dress\"}\n{\"id\":2,\"text\":\"玩具\"}\n");
    // A shopper without a single interaction is refused in both.
    let lists = daemon.mercer(&["recommend", "--users", &users, "-k", "20", "--at", END, "--output", "ndjson"]);
    let found = daemon.mercer_ok(&["search", "--queries", &queries, "-k", "20", "--at", END, "--output", "ndjson"]);
    Outcome {
        losses: run["losses"].clone(),
        gate: run["gate"].clone(),
        version: files(&daemon.state().join("models").join(version)),
        lists: String::from_utf8(lists.stdout).unwrap(),
        found,
    }
}

#[test]
fn two_shops_with_the_same_log_and_seed_are_the_same_byte_for_byte() {
    let key = key();
    let (first, second, killed) = std::thread::scope(|scope| {
        let first = scope.spawn(|| live(&key, None));
        let killed = scope.spawn(|| live(&key, Some(|run| run.phase == RunPhase::Encoder && run.step > 3)));
        let second = live(&key, None);
        (first.join().unwrap(), second, killed.join().unwrap())
    });
    assert!(first.losses.as_array().is_some_and(|losses| losses.len() > 1), "nothing was trained: {}", first.losses);
    assert_eq!(first.losses, second.losses);
    for other in [&second, &killed] {
        assert_eq!(gate_of(&first.gate), gate_of(&other.gate));
        same(&first.version, &other.version);
    }
    assert!(first.version.contains_key("adapter.safetensors") || first.version.contains_key("blend.json"));
    assert!(first.lists.lines().count() == SHOP.users as usize, "{}", first.lists);
    assert_eq!(first.lists, second.lists);
    assert_eq!(first.found, second.found);
    assert_eq!(first.lists, killed.lists);
    assert_eq!(first.found, killed.found);
}

/// A gate without what depends on the clock: the period whose alpha it spent.
fn gate_of(gate: &Value) -> Value {
    let mut gate = gate.clone();
    if let Some(gate) = gate.as_object_mut() {
        gate.remove("spending");
    }
    gate
}

fn same(first: &BTreeMap<String, Vec<u8>>, second: &BTreeMap<String, Vec<u8>>) {
    assert_eq!(first.keys().collect::<Vec<_>>(), second.keys().collect::<Vec<_>>());
    for (name, bytes) in first {
        assert!(second[name] == *bytes, "{name} differs");
    }
}

#[test]
fn a_ranker_whose_training_was_killed_is_the_same_byte_for_byte() {
    let key = key();
    let made = |kill: Option<fn(&Run) -> bool>| {
        let mut daemon = Daemon::start_with(&Options { key: Some(key.clone()), ..Options::default() });
        RANKED.open(&daemon);
        daemon.embedded();
        let run = cycle(&mut daemon, false, kill);
        (json!(run.gate), files(&daemon.state().join("models").join(run.model.unwrap())))
    };
    let whole = made(None);
    let killed = made(Some(|run| run.phase == RunPhase::Ranker && run.step > 0));
    assert!(whole.1.contains_key("judged.json"), "{:?}", whole.1.keys());
    assert_eq!(gate_of(&whole.0), gate_of(&killed.0));
    same(&whole.1, &killed.1);
}
