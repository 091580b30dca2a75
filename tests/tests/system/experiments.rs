//! What was really served: exposure is counted as lists go out and leaves with an erased user; explored places tell what another order
//! would have earned.

use mercer_shared::time::Timestamp;
use mercer_tests::{Daemon, Options, eventually};
use serde_json::Value;

const JSON: &str = "application/json";
const NDJSON: &str = "application/x-ndjson";

/// Thirty lamps of three sellers; each of the users bought two.
fn open(daemon: &Daemon, users: usize) {
    let item =
        |n: usize| format!(r#"{{"id":"i{n:02}","title":"Lamp number {n}","seller":"s{}","category":["Home"]}}"#, n % 3);
    let items: Vec<String> = (0..30).map(item).collect();
    let bought = |user: usize, n: usize| {
        let item = (user * 7 + n * n) % 30;
        format!(
            r#"{{"id":"{user}-{n}","user":"u{user}","type":"purchase","item":"i{item:02}","at":"2024-05-0{}T10:00:00Z"}}"#,
            n + 1
        )
    };
    let log: Vec<String> = (0..users).flat_map(|user| (0..2).map(move |n| bought(user, n))).collect();
    for (path, body) in [("/v1/items", items.join("\n")), ("/v1/interactions", log.join("\n"))] {
        let answer = daemon.http("POST", path, NDJSON, body.as_bytes());
        assert!(answer.body.contains("\"rejected\":0"), "{}", answer.body);
    }
    eventually("all items have a vector", || (get(daemon, "/v1/status")["counts"]["embedded"] == 30).then_some(()));
    daemon.fitted();
}

fn get(daemon: &Daemon, path: &str) -> Value {
    let answer = daemon.http("GET", path, JSON, b"");
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    answer.json
}

fn exposure(daemon: &Daemon) -> Value {
    get(daemon, "/v1/exposure?days=1&limit=30")
}

/// Sum over the named items.
fn total(report: &Value) -> f64 {
    report["items"].as_array().unwrap().iter().filter_map(|item| item["exposure"].as_f64()).sum()
}

#[test]
fn exposure_counts_what_went_out_and_forgets_the_erased() {
    let mut daemon = Daemon::start();
    open(&daemon, 6);
    assert_eq!(exposure(&daemon)["lists"], 0);
    // Attention to the places of a list of three.
    let three = 1.0 + 1.0 / 3f64.log2() + 0.5;
    get(&daemon, "/v1/users/u0/recommendations?k=3");
    get(&daemon, "/v1/users/u1/recommendations?k=3");
    get(&daemon, "/v1/users/stranger/recommendations?k=3");
    get(&daemon, "/v1/search?q=lamp&k=3&user=u1");
    get(&daemon, "/v1/items/i03/related?k=1");
    // Nobody is shown these.
    get(&daemon, "/v1/users/u0/recommendations?k=3&preview=true");
    get(&daemon, "/v1/users/u0/recommendations?k=3&at=2024-06-01T00:00:00Z");
    daemon.mercer_ok(&["recommend", "u0"]);
    let shown = exposure(&daemon);
    assert_eq!(shown["lists"], 5, "{shown}");
    assert!((total(&shown) - 4.0 * three - 1.0).abs() < 1e-9, "{shown}");
    assert_eq!(shown["eligible"], 30);
    let sellers = shown["sellers"].as_array().unwrap();
    assert_eq!(sellers.len(), 3);
    let shares: f64 = sellers.iter().filter_map(|seller| seller["share"].as_f64()).sum();
    assert!((shares - 1.0).abs() < 1e-9, "{shown}");

    assert!(daemon.terminate());
    daemon.launch();
    assert_eq!(exposure(&daemon), shown, "it is kept over a restart");

    let erased = daemon.http("DELETE", "/v1/users/u1", JSON, b"");
    assert_eq!(erased.status, 200, "{}", erased.body);
    let left = exposure(&daemon);
    assert_eq!(left["lists"], 3, "two lists were for the erased user: {left}");
    assert!((total(&left) - 2.0 * three - 1.0).abs() < 1e-9, "{left}");
    assert!(daemon.mercer_ok(&["exposure"]).contains("3 lists"));
    for path in ["/v1/exposure?days=0", "/v1/exposure?limit=0", "/v1/exposure?days=4000"] {
        assert_eq!(daemon.http("GET", path, JSON, b"").code(), "bad-parameter", "{path}");
    }
    assert_eq!(get(&daemon, "/v1/interleaving"), Value::Null);
    assert_eq!(daemon.http("DELETE", "/v1/interleaving", JSON, b"").code(), "not-found");
}

#[test]
fn explored_places_tell_what_another_order_would_have_earned() {
    let config = "[train]\nevery_seconds = 0\nafter_interactions = 0\n[serve]\nexplore_slots = 2\nexplore_pool = 5\n";
    let daemon = Daemon::start_with(&Options { config: Some(config.to_owned()), ..Options::default() });
    open(&daemon, 40);
    let nothing = get(&daemon, "/v1/counterfactual");
    assert!(nothing["refused"].as_str().unwrap().contains("serve.explore_slots"), "{nothing}");
    let why = get(&daemon, "/v1/users/u0/recommendations?k=4&reasons=true&preview=false");
    let category = |place: usize| why["items"][place]["reasons"][0]["category"].as_str();
    assert_eq!((category(2), category(3)), (Some("exploration"), Some("exploration")), "{why}");
    assert_ne!(category(0), Some("exploration"), "{why}");
    // A shopper clicks exactly on what the version itself would have put at the first explored place.
    // The list above went out too.
    let (mut clicks, mut lists) = (Vec::new(), 1);
    for round in 0..5 {
        for user in 0..40 {
            let list = get(&daemon, &format!("/v1/users/u{user}/recommendations?k=4"));
            let rows = list["items"].as_array().unwrap();
            let chances: Vec<f64> = rows.iter().filter_map(|row| row["propensity"].as_f64()).collect();
            assert_eq!(chances, [1.0, 1.0, 0.2, 0.25], "{list}");
            let plain = get(&daemon, &format!("/v1/users/u{user}/recommendations?k=4&preview=true"));
            assert!(plain["items"][0]["propensity"].is_null(), "a preview draws nothing");
            assert_eq!(rows[0]["id"], plain["items"][0]["id"]);
            lists += 1;
            if rows[2]["id"] == plain["items"][2]["id"] {
                let (item, query) = (&rows[2]["id"], &list["query_id"]);
                clicks.push(format!(
                    r#"{{"id":"c{round}-{user}","user":"u{user}","type":"click","item":{item},"query_id":{query},"at":"{}"}}"#,
                    Timestamp::now()
                ));
            }
        }
    }
    let answer = daemon.http("POST", "/v1/interactions", NDJSON, clicks.join("\n").as_bytes());
    assert!(answer.body.contains("\"rejected\":0"), "{}", answer.body);
    daemon.fitted();
    let found = get(&daemon, "/v1/counterfactual");
    assert_eq!(found["decisions"], lists, "{found}");
    let reward = found["logged_reward"].as_f64().unwrap();
    assert!((reward - clicks.len() as f64 / f64::from(lists)).abs() < 1e-12, "{found}");
    assert!(found["effective"].as_f64().unwrap() > 0.0, "{found}");
    let refused = found["refused"].is_string();
    assert_ne!(refused, found["snips"].is_number(), "an estimate or a reason: {found}");
    assert!(daemon.mercer_ok(&["counterfactual"]).contains("201 explored places"));
}
