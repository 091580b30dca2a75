//! `mercer eval`, `mercer sweep`, `mercer runs compare` and `export` as an operator uses them.

use mercer_shared::problem::Code;
use mercer_tests::shop::Shop;
use mercer_tests::{Daemon, lines, mercer};
use serde_json::{Value, json};

/// Large enough for rankers and intervals, small enough for a test.
const SHOP: Shop = Shop { seed: 11, users: 120, items: 80, interactions: 5_000 };

const SLICES: [&str; 7] = ["repeat-all", "repeat-warm", "new-all", "new-warm", "cold", "light", "heavy"];
const ARMS: [&str; 8] =
    ["Mercer", "popularity 30 d", "own repeats", "ItemKNN", "EASE", "iALS", "sequence model", "blend of three"];

fn slice<'a>(evaluation: &'a Value, name: &str) -> &'a Value {
    let all = evaluation["slices"].as_array().unwrap();
    all.iter().find(|slice| slice["name"] == name).unwrap_or_else(|| panic!("no {name}: {evaluation}"))
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

/// Every number lies where it must.
fn check(evaluation: &Value) {
    let names = |of: &Value| -> Vec<String> {
        of.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&evaluation["slices"]), SLICES);
    assert_eq!(names(&evaluation["arms"]), ARMS);
    assert_eq!(evaluation["verdict"].as_array().unwrap().len(), SLICES.len());
    for name in SLICES {
        let slice = slice(evaluation, name);
        if number(&slice["n"]) < 10.0 {
            assert!(slice["arms"].as_array().unwrap().is_empty(), "so few are not shown: {slice}");
            continue;
        }
        assert_eq!(slice["arms"].as_array().unwrap().len(), ARMS.len());
        for arm in slice["arms"].as_array().unwrap() {
            let values = arm["values"].as_array().unwrap();
            assert_eq!(values.len(), 6);
            for value in values {
                let (low, mean, high) = (number(&value["low"]), number(&value["value"]), number(&value["high"]));
                assert!(0.0 <= low && low <= mean && mean <= high && high <= 1.0, "{value}");
            }
        }
        let mine = number(&slice["arms"][0]["values"][0]["value"]);
        for (place, other) in slice["against"].as_array().unwrap().iter().enumerate() {
            let theirs = number(&slice["arms"][place + 1]["values"][0]["value"]);
            assert!((mine - theirs - number(&other["difference"])).abs() < 1e-9, "{other}");
            assert!(number(&other["low"]) <= number(&other["high"]), "{other}");
        }
    }
    let (light, heavy) = (slice(evaluation, "light"), slice(evaluation, "heavy"));
    let whole = number(&slice(evaluation, "repeat-all")["n"]);
    assert_eq!(number(&light["n"]) + number(&heavy["n"]), whole);
}

#[test]
fn an_evaluation_is_checked_kept_and_sees_nothing_later() {
    let daemon = Daemon::start();
    SHOP.open(&daemon);
    let file = daemon.file("values.parquet", "");
    let first = daemon.mercer_json(&["eval", "--per-user", &file]);
    check(&first);
    assert!(first["tuned_from"].as_str() < first["at"].as_str() && first["at"].as_str() < first["to"].as_str());
    // Whatever a shopper buys again is found by a method for repeats, and tells it from popularity.
    let repeat = slice(&first, "repeat-all");
    let ndcg = |place: usize| number(&repeat["arms"][place]["values"][0]["value"]);
    assert!(ndcg(2) > 0.0 && ndcg(1) > 0.0, "{repeat}");
    let bytes = std::fs::read(&file).unwrap();
    assert!(bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1"));
    assert!(!bytes.windows(7).any(|window| window == b"sim-u00"), "the shop's ids stay inside");
    let audit = daemon.mercer_json(&["audit"]).to_string();
    assert!(audit.contains("read-evaluation-shoppers"), "{audit}");

    let id = first["id"].as_str().unwrap();
    assert_eq!(daemon.mercer_json(&["eval", "show", id]), first);
    assert_eq!(daemon.mercer_json(&["eval", "list"])["items"][0]["id"], first["id"]);
    let text = daemon.mercer_ok(&["eval", "show", id]);
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    assert!(SLICES.iter().all(|name| text.contains(&format!("{name}: "))), "{text}");

    // What comes after the window changes nothing of an evaluation as of the same moment.
    let later: Vec<String> = (0..300)
        .map(|n| {
            let user = format!("sim-u{:06}", n % 90);
            json!({"id": format!("later-{n}"), "user": user, "type": "purchase", "item": "sim-i000001", "at": "2024-07-20T12:00:00Z"})
                .to_string()
        })
        .collect();
    let at = first["at"].as_str().unwrap();
    let before = daemon.mercer_json(&["eval", "--at", at]);
    let ndjson = daemon.file("later.ndjson", later.join("\n"));
    daemon.mercer_ok(&["import", "--format", "ndjson", &format!("interactions={ndjson}")]);
    let after = daemon.mercer_json(&["eval", "--at", at]);
    assert_eq!((&before["to"], &before["slices"]), (&after["to"], &after["slices"]));
    assert_eq!(slice(&before, "repeat-all")["arms"], slice(&first, "repeat-all")["arms"]);

    daemon.mercer_ok(&["erase", "sim-u000001", "--yes"]);
    let refused = mercer(&daemon.socket(), &["eval", "show", id, "--per-user", &file, "--json"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains(Code::NotFound.as_str()));
    let early = mercer(&daemon.socket(), &["eval", "--at", "2001-01-01", "--json"]);
    assert!(String::from_utf8_lossy(&early.stderr).contains(Code::NotEnoughData.as_str()));
}

#[test]
fn a_replay_has_every_arm_and_claims_nothing_from_little() {
    let daemon = Daemon::start();
    Shop { seed: 3, users: 40, items: 40, interactions: 1_500 }.open(&daemon);
    let replay = daemon.mercer_json(&["eval", "--replay", "--windows", "2", "--steps", "2"]);
    let names: Vec<&str> = replay["arms"].as_array().unwrap().iter().map(|arm| arm["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["F0", "F1", "F2", "F4", "P1", "S1", "B1", "B2"]);
    let windows = replay["windows"].as_array().unwrap();
    assert_eq!(windows.len(), 2);
    assert_eq!(windows[0]["to"], windows[1]["from"], "windows follow one another");
    // Before the first window has passed nobody has learned from it, and nothing is stale yet.
    for mode in ["repeat", "new"] {
        let first = &windows[0]["ndcg"][mode];
        for arm in ["F2", "F4", "P1", "S1"] {
            assert_eq!(first[arm], first["F1"], "{arm}, {mode}: {first}");
        }
    }
    // The placebo works as much as what it stands beside.
    let steps = |name: &str| number(&replay["arms"][names.iter().position(|n| *n == name).unwrap()]["steps"]);
    assert!(steps("F2") == steps("P1") && steps("F2") > steps("F1") && steps("F0") == 0.0);
    let verdict = replay["verdict"].as_array().unwrap();
    assert!(verdict[verdict.len() - 1].as_str().unwrap().contains("a claim needs 8 windows and 5 seeds"), "{replay}");
    let id = replay["id"].as_str().unwrap();
    assert_eq!(daemon.mercer_json(&["eval", "replay", id]), replay);
    let text = daemon.mercer_ok(&["eval", "replay", id]);
    assert!(text.lines().all(|line| line.chars().count() <= 90), "{text}");
}

#[test]
fn runs_are_recorded_compared_and_exported_and_a_sweep_states_its_budget() {
    let daemon = Daemon::start();
    SHOP.open(&daemon);
    let train = |seed: &str| daemon.mercer_json(&["train", "--wait", "--no-encoder", "--no-promote", "--seed", seed]);
    let (first, second) = (train("1"), train("2"));
    let record = &first["record"];
    assert_eq!((&record["kind"], &record["config"]["ranker.hidden"]), (&json!("train"), &json!(64.0)), "{record}");
    assert!(record["code_version"].as_str().is_some_and(|version| version.starts_with(char::is_numeric)));
    assert!(number(&record["data"]["interactions"]) > 0.0);
    let curve = record["curves"]["ranker/repeat"].as_array().unwrap_or_else(|| panic!("no curve: {first}"));
    assert!(number(&curve[0]["loss"]) > number(&curve[curve.len() - 1]["loss"]), "{curve:?}");

    let (a, b) = (first["id"].as_str().unwrap(), second["id"].as_str().unwrap());
    let compared = daemon.mercer_json(&["runs", "compare", a, b]);
    let differs = compared["config"].as_array().unwrap();
    let seed = differs.iter().find(|row| row["name"] == "seed").unwrap_or_else(|| panic!("{compared}"));
    assert_eq!((&seed["first"], &seed["second"]), (&json!("1"), &json!("2")));
    assert!(number(&compared["shared_settings"]) > 20.0);
    assert!(daemon.mercer_ok(&["runs", "compare", a, b]).contains("other settings are the same"));

    let rows = lines(&daemon.mercer_ok(&["runs", "export", a, "--ndjson", "-"]));
    assert_eq!(rows[0]["run"]["id"], first["id"]);
    let points = rows.iter().filter(|row| row["curve"] == "loss/ranker/repeat").count();
    assert_eq!(points, curve.len());
    let dir = daemon.dir.path().join("tb");
    daemon.mercer_ok(&["runs", "export", a, "--tensorboard", dir.to_str().unwrap()]);
    let file = std::fs::read_dir(dir.join(a)).unwrap().next().unwrap().unwrap();
    assert!(file.file_name().to_str().unwrap().starts_with("events.out.tfevents."));
    let events = std::fs::read(file.path()).unwrap();
    assert!(events.windows(13).any(|window| window == b"brain.Event:2"));

    let sweep =
        daemon.mercer_json(&["sweep", "--set", "ranker.hidden=4,8", "--set", "ranker.epochs=1", "--budget", "1s"]);
    let points = sweep["points"].as_array().unwrap();
    assert!(!points.is_empty() && points.len() <= 3, "{sweep}");
    assert!(points.iter().all(|point| point["record"]["sweep"] == sweep["sweep"]["id"]), "{sweep}");
    assert_eq!(points[0]["record"]["config"]["ranker.hidden"], 64.0, "the settings as they are come first");
    let log = sweep["sweep"]["log"].to_string();
    assert!(log.contains("3 points") && log.contains("no further point after 1 s"), "{log}");
    assert_eq!(points.len() < 3, log.contains("were not reached"), "{log}");
    let refused = mercer(&daemon.socket(), &["sweep", "--set", "ranker.depth=2", "--json"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("ranker.hidden"), "it names what there is");
}
