//! The same log and the same seed give the same bytes: losses, the version's files, and every list.

use std::collections::BTreeMap;
use std::path::Path;

use mercer_tests::shop::{END, Shop};
use mercer_tests::{Daemon, Options};
use serde_json::Value;

const SHOP: Shop = Shop { seed: 9, users: 40, items: 60, interactions: 1_200 };

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

fn live(key: &[u8]) -> Outcome {
    let daemon = Daemon::start_with(&Options { key: Some(key.to_vec()), ..Options::default() });
    SHOP.open(&daemon);
    let run = daemon.mercer_json(&["train", "--wait", "--no-promote", "--seed", "17", "--budget", "10m"]);
    assert_eq!(run["state"], "succeeded", "{run}");
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
    let key = {
        let daemon = Daemon::start();
        std::fs::read(daemon.state().join("key")).unwrap()
    };
    let (first, second) = std::thread::scope(|scope| {
        let first = scope.spawn(|| live(&key));
        let second = live(&key);
        (first.join().unwrap(), second)
    });
    assert!(first.losses.as_array().is_some_and(|losses| losses.len() > 1), "nothing was trained: {}", first.losses);
    assert_eq!(first.losses, second.losses);
    assert_eq!(first.gate, second.gate);
    assert_eq!(first.version.keys().collect::<Vec<_>>(), second.version.keys().collect::<Vec<_>>());
    for (name, bytes) in &first.version {
        assert!(second.version[name] == *bytes, "{name} differs");
    }
    eprintln!("files of the version: {:?}", first.version.keys().collect::<Vec<_>>());
    assert!(first.lists.lines().count() == SHOP.users as usize, "{}", first.lists);
    assert_eq!(first.lists, second.lists);
    assert_eq!(first.found, second.found);
}
