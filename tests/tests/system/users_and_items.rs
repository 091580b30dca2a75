//! Users nobody has seen, items that are unknown, deleted or out of stock: what lists, search and export say of them.

use mercer_tests::{Daemon, Options, eventually};
use serde_json::Value;

const JSON: &str = "application/json";
const NDJSON: &str = "application/x-ndjson";

/// Three lamps and a kettle; ada and bob bought two lamps each, the oil lamp is sold out.
fn open(daemon: &Daemon) {
    let items = concat!(
        r#"{"id":"desk","title":"Brass desk lamp","category":["Home","Lighting"]}"#,
        "\n",
        r#"{"id":"floor","title":"Tall floor lamp","category":["Home","Lighting"]}"#,
        "\n",
        r#"{"id":"oil","title":"Old oil lamp","category":["Home","Lighting"],"in_stock":false}"#,
        "\n",
        r#"{"id":"kettle","title":"Steel kettle","category":["Kitchen"]}"#,
        "\n",
    );
    let bought = |id: &str, user: &str, item: &str| {
        format!(r#"{{"id":"{id}","user":"{user}","type":"purchase","item":"{item}","at":"2024-05-01T10:00:00Z"}}"#)
    };
    let log = [
        bought("1", "ada", "desk"),
        bought("2", "ada", "floor"),
        bought("3", "ada", "oil"),
        bought("4", "bob", "desk"),
        bought("5", "bob", "oil"),
        bought("6", "cleo", "kettle"),
    ]
    .join("\n");
    for (path, body) in [("/v1/items", items.as_bytes()), ("/v1/interactions", log.as_bytes())] {
        let answer = daemon.http("POST", path, NDJSON, body);
        assert!(answer.body.contains("\"rejected\":0"), "{}", answer.body);
    }
    // Before they are published there are no items, and so none without a vector.
    eventually("all items have a vector", || (get(daemon, "/v1/status")["counts"]["embedded"] == 4).then_some(()));
}

fn get(daemon: &Daemon, path: &str) -> Value {
    let answer = daemon.http("GET", path, JSON, b"");
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    answer.json
}

fn ids(list: &Value) -> Vec<&str> {
    list["items"].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap()).collect()
}

/// Every path that serves a list without a body.
const LISTS: [&str; 4] = [
    "/v1/users/ada/recommendations",
    "/v1/items/desk/related",
    "/v1/trending?at=2024-05-02T00:00:00Z",
    "/v1/search?q=lamp",
];

fn with(path: &str, parameter: &str) -> String {
    format!("{path}{}{parameter}", if path.contains('?') { '&' } else { '?' })
}

#[test]
fn a_user_nobody_has_seen_gets_the_list_of_an_unknown_visitor() {
    let daemon = Daemon::start();
    open(&daemon);
    let list = get(&daemon, "/v1/users/nobody/recommendations");
    assert_eq!(list["known"], Value::Bool(false), "{list}");
    let visit = daemon.http("POST", "/v1/sessions/recommend", JSON, b"{}").json;
    assert_eq!(list["items"], visit["items"]);
    assert!(!ids(&list).is_empty());
    let found = get(&daemon, "/v1/search?q=lamp&user=nobody");
    assert_eq!(found["known"], Value::Bool(false), "{found}");
    assert_eq!(found["items"], get(&daemon, "/v1/search?q=lamp")["items"]);
    // A user who was seen is known, which goes without saying; a profile needs somebody to be about.
    for path in ["/v1/users/ada/recommendations", "/v1/search?q=lamp&user=ada"] {
        assert_eq!(get(&daemon, path)["known"], Value::Null, "{path}");
    }
    for path in ["/v1/users/nobody/profile", "/v1/users/nobody/similar", "/v1/users/nobody"] {
        let answer = daemon.http("GET", path, JSON, b"");
        assert_eq!((answer.status, answer.code()), (404, "unknown-user"), "{path}: {}", answer.body);
    }
    let counted = get(&daemon, "/v1/status")["counts"]["users"].as_u64();
    assert_eq!(counted, Some(3), "asking for a list makes no user");
}

#[test]
fn an_unknown_item_of_a_visit_is_passed_over_and_named() {
    let daemon = Daemon::start();
    open(&daemon);
    let visit = |events: &str| {
        let body = format!(r#"{{"events":[{events}]}}"#);
        let answer = daemon.http("POST", "/v1/sessions/recommend", JSON, body.as_bytes());
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json
    };
    let seen = |item: &str| format!(r#"{{"session":"s","type":"view","item":"{item}","at":"2024-05-01T11:00:00Z"}}"#);
    let list = visit(&[seen("gone"), seen("desk"), seen("never"), seen("gone")].join(","));
    let notes = list["notes"].to_string();
    assert!(notes.contains("`gone`") && notes.contains("`never`"), "{notes}");
    assert_eq!(notes.matches("`gone`").count(), 1, "an item is named once: {notes}");
    let known = visit(&seen("desk"));
    assert_eq!(list["items"], known["items"], "the rest of the visit counts");
    assert!(!known["notes"].to_string().contains("unknown"), "{known}");
}

#[test]
fn items_out_of_stock_are_left_out_unless_the_request_or_the_configuration_says_otherwise() {
    let daemon = Daemon::start();
    open(&daemon);
    for path in LISTS {
        let list = get(&daemon, path);
        assert!(!ids(&list).contains(&"oil"), "{path}: {list}");
        assert!(ids(&get(&daemon, &with(path, "out_of_stock=show"))).contains(&"oil"), "{path}");
        let demoted = get(&daemon, &with(path, "out_of_stock=demote"));
        assert_eq!(ids(&demoted).last(), Some(&"oil"), "{path}: {demoted}");
        assert_eq!(ids(&demoted).len(), ids(&list).len() + 1, "{path}");
        // What is in stock comes first even where the list is full.
        let one = get(&daemon, &with(path, "out_of_stock=demote&k=1"));
        assert_eq!(ids(&one), ids(&list)[..1], "{path}");
        let answer = daemon.http("GET", &with(path, "out_of_stock=maybe"), JSON, b"");
        assert_eq!((answer.status, answer.code()), (400, "bad-parameter"), "{path}: {}", answer.body);
    }
    let visit = |list: &str| {
        let body = format!(r#"{{"events":[],"list":{list}}}"#);
        daemon.http("POST", "/v1/sessions/recommend", JSON, body.as_bytes()).json
    };
    assert!(!ids(&visit("{}")).contains(&"oil"));
    assert!(ids(&visit(r#"{"out_of_stock":"show"}"#)).contains(&"oil"));
    // Back in stock, and seen at once.
    let patch = daemon.http("PATCH", "/v1/items/oil", JSON, br#"{"in_stock":true}"#);
    assert_eq!(patch.status, 200, "{}", patch.body);
    eventually("the oil lamp is back", || {
        LISTS.iter().all(|path| ids(&get(&daemon, path)).contains(&"oil")).then_some(())
    });

    let config = "[train]\nevery_seconds = 0\nafter_interactions = 0\n[serve]\nout_of_stock = \"show\"\n";
    let daemon = Daemon::start_with(&Options { config: Some(config.to_owned()), ..Options::default() });
    open(&daemon);
    for path in LISTS {
        assert!(ids(&get(&daemon, path)).contains(&"oil"), "{path}");
        assert!(!ids(&get(&daemon, &with(path, "out_of_stock=hide"))).contains(&"oil"), "{path}");
    }
}

/// What must hold while the desk lamp is deleted.
fn is_gone(daemon: &Daemon) {
    for path in
        ["/v1/users/bob/recommendations", "/v1/items/floor/related", "/v1/trending", "/v1/search?q=brass%20desk%20lamp"]
    {
        let list = get(daemon, &with(path, "out_of_stock=show"));
        assert!(!ids(&list).contains(&"desk"), "{path}: {list}");
        assert!(!ids(&list).is_empty(), "{path}");
    }
    let visit = daemon.http(
        "POST",
        "/v1/sessions/recommend",
        JSON,
        br#"{"events":[{"session":"s","type":"view","item":"floor","at":"2024-05-01T11:00:00Z"}]}"#,
    );
    assert!(!ids(&visit.json).contains(&"desk"), "{}", visit.body);
    assert!(!ids(&get(daemon, "/v1/items")).contains(&"desk"));
    for (method, path, body) in [
        ("GET", "/v1/items/desk", ""),
        ("GET", "/v1/items/desk/related", ""),
        ("PATCH", "/v1/items/desk", r#"{"title":"Lamp"}"#),
        ("DELETE", "/v1/items/desk", ""),
    ] {
        let answer = daemon.http(method, path, JSON, body.as_bytes());
        assert_eq!((answer.status, answer.code()), (404, "unknown-item"), "{method} {path}: {}", answer.body);
    }
    let export = daemon.http("GET", "/v1/export", JSON, b"").body;
    let documents: Vec<Value> = export.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    assert!(documents.iter().all(|line| line["item"]["id"] != "desk"), "{export}");
    assert!(documents.iter().any(|line| line["deleted_item"]["id"] == "desk"), "no tombstone in {export}");
    let status = get(daemon, "/v1/status");
    assert_eq!(status["counts"]["items"], 3, "{status}");
    assert_eq!(status["health"], "ok", "{status}");
}

#[test]
fn a_deleted_item_is_gone_at_once_stays_gone_after_a_restart_and_comes_back_when_it_is_written_again() {
    let mut daemon = Daemon::start();
    open(&daemon);
    let deleted = daemon.mercer_json(&["items", "delete", "desk"]);
    assert_eq!(deleted["id"], "desk");
    assert!(deleted["at"].is_string(), "{deleted}");
    is_gone(&daemon);
    // What happened with it stays in the history, and may go on: a lamp that is no longer sold can be returned.
    let history = get(&daemon, "/v1/users/ada/profile")["lifecycle"]["counts"].clone();
    let returned = br#"{"id":"7","user":"bob","type":"return","item":"desk","at":"2024-05-03T10:00:00Z"}"#;
    assert_eq!(daemon.http("POST", "/v1/interactions", JSON, returned).status, 200);
    assert!(get(&daemon, "/v1/audit").to_string().contains("delete-item"));

    daemon.kill();
    daemon.launch();
    daemon.embedded();
    eventually("it is warm", || (get(&daemon, "/v1/status")["health"] != "starting").then_some(()));
    is_gone(&daemon);
    assert_eq!(get(&daemon, "/v1/users/ada/profile")["lifecycle"]["counts"], history);

    // Writing it whole is the explicit way back; its history is its own again.
    let again = br#"{"id":"desk","title":"Brass desk lamp","category":["Home","Lighting"]}"#;
    assert_eq!(daemon.http("PUT", "/v1/items/desk", JSON, again).status, 200);
    daemon.embedded();
    eventually("it is found again", || {
        ids(&get(&daemon, "/v1/search?q=brass%20desk%20lamp")).contains(&"desk").then_some(())
    });
    let related = get(&daemon, "/v1/items/desk/related?out_of_stock=show");
    assert!(ids(&related).contains(&"oil"), "ada and bob bought both: {related}");
    let export = daemon.http("GET", "/v1/export", JSON, b"").body;
    assert!(!export.contains("deleted_item"), "{export}");
}
