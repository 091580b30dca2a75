//! Bad input: a clear error with a stable code and a hint, and nothing half applied.

use std::path::Path;
use std::process::Command;

use mercer_tests::{Daemon, lines, program};

const JSON: &str = "application/json";
const NDJSON: &str = "application/x-ndjson";
const GIGABYTE: u64 = 1 << 30;

/// An interaction with one field replaced.
fn with(field: &str, value: &str) -> String {
    let fields = [("user", "\"u\""), ("type", "\"view\""), ("item", "\"a\""), ("at", "\"2024-01-01T00:00:00Z\"")];
    let mut all: Vec<String> =
        fields.iter().filter(|(name, _)| *name != field).map(|(name, value)| format!("\"{name}\":{value}")).collect();
    if !value.is_empty() {
        all.push(format!("\"{field}\":{value}"));
    }
    format!("{{{}}}", all.join(","))
}

#[test]
fn single_documents() {
    let daemon = Daemon::start();
    let item = r#"{"id":"a","title":"Lamp","price":3.5}"#;
    assert_eq!(daemon.http("PUT", "/v1/items/a", JSON, item.as_bytes()).status, 200);
    let long = format!("\"{}\"", "x".repeat(257));
    let cases: Vec<(&str, String, u16, &str)> = vec![
        ("broken JSON", "{\"user\":".into(), 400, "broken-json"),
        ("nothing", String::new(), 400, "broken-json"),
        ("two documents", format!("{}{}", with("x", ""), with("x", "")), 400, "broken-json"),
        ("wrong type", with("user", "5"), 422, "wrong-type"),
        ("unknown kind", with("type", "\"steal\""), 422, "wrong-type"),
        ("unknown field", with("colour", "1"), 422, "wrong-type"),
        ("missing field", with("at", ""), 422, "wrong-type"),
        ("id too long", with("user", &long), 422, "bad-id"),
        ("empty id", with("user", "\"\""), 422, "bad-id"),
        ("control character", with("user", r#""u\u0007""#), 422, "bad-id"),
        ("before 1970", with("at", "\"1960-01-01T00:00:00Z\""), 422, "bad-time"),
        ("far future", with("at", "\"2999-01-01T00:00:00Z\""), 422, "bad-time"),
        ("no time", with("at", "\"soon\""), 422, "bad-time"),
        ("NaN", with("value", "NaN"), 422, "bad-number"),
        ("negative", with("value", "-1"), 422, "bad-number"),
        ("nobody", with("user", ""), 422, "bad-interaction"),
        ("no item", with("item", ""), 422, "bad-interaction"),
        ("unknown item", with("item", "\"b\""), 404, "unknown-item"),
    ];
    for (what, body, status, code) in cases {
        let answer = daemon.http("POST", "/v1/interactions", JSON, body.as_bytes());
        assert_eq!((answer.status, answer.code()), (status, code), "{what}: {}", answer.body);
        assert!(answer.json["hint"].as_str().is_some_and(|hint| !hint.is_empty()), "{what}");
        assert!(answer.head.to_lowercase().contains("application/problem+json"), "{what}: {}", answer.head);
    }
    assert_eq!(daemon.ask(async |client| client.status().await).unwrap().counts.interactions, 0);
    let title = format!(r#"{{"id":"b","title":"{}"}}"#, "x".repeat(1_001));
    assert_eq!(daemon.http("PUT", "/v1/items/b", JSON, title.as_bytes()).code(), "too-long");
    assert_eq!(daemon.http("GET", "/v1/items/b", JSON, b"").code(), "unknown-item");
}

#[test]
fn paths_and_parameters() {
    let daemon = Daemon::start();
    assert_eq!(daemon.http("PUT", "/v1/items/a", JSON, br#"{"id":"a","title":"Lamp"}"#).status, 200);
    let long = "x".repeat(300);
    for (path, status, code) in [
        ("/v1/users/nobody/profile", 404, "unknown-user"),
        ("/v1/users/nobody/similar", 404, "unknown-user"),
        ("/v1/items/b/related", 404, "unknown-item"),
        (&format!("/v1/items/{long}"), 422, "bad-id"),
        ("/v1/items/%00", 422, "bad-id"),
        ("/v1/search?q=lamp&k=0", 400, "bad-parameter"),
        ("/v1/search?q=lamp&k=many", 400, "bad-parameter"),
        ("/v1/search?q=lamp&filter=colour:red", 400, "bad-parameter"),
        ("/v1/search?q=", 400, "bad-parameter"),
        ("/v1/trending?at=soon", 400, "bad-parameter"),
        ("/v1/trending?mode=old", 400, "bad-parameter"),
        ("/v1/trending?colour=red", 400, "bad-parameter"),
        ("/v1/items?cursor=x", 400, "bad-cursor"),
        ("/v1/items?limit=0", 400, "bad-parameter"),
        ("/v1/models/v9", 404, "not-found"),
        ("/v1/runs/r9", 404, "not-found"),
        ("/v1/reports/weather", 404, "not-found"),
        ("/v1/nothing", 404, "no-such-path"),
    ] {
        let answer = daemon.http("GET", path, JSON, b"");
        assert_eq!((answer.status, answer.code()), (status, code), "{path}: {}", answer.body);
    }
    assert_eq!(daemon.http("DELETE", "/v1/status", JSON, b"").code(), "no-such-method");
}

/// A path of the OpenAPI document with its parameters filled in.
fn filled(path: &str) -> String {
    path.replace("{id}", "a").replace("{version}", "v000001").replace("{kind}", "quality")
}

#[test]
fn every_route_refuses_a_parameter_that_it_does_not_take() {
    let daemon = Daemon::start();
    let document = daemon.http("GET", "/v1/openapi.json", JSON, b"").json;
    let refused = |method: &str, path: &str, name: &str| {
        let answer = daemon.http(method, path, JSON, b"{}");
        assert_eq!((answer.status, answer.code()), (400, "bad-parameter"), "{method} {path}: {}", answer.body);
        let detail = answer.json["detail"].as_str().unwrap();
        assert!(detail.contains(&format!("`{name}`")), "{method} {path}: {detail}");
    };
    let mut operations = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            refused(&method.to_uppercase(), &format!("{}?nonsense=1", filled(path)), "nonsense");
            operations += 1;
        }
    }
    assert!(operations >= 48, "the document has lost its operations: {operations}");
    for (path, name) in [
        ("/v1/search?q=lamp&filters=stock", "filters"),
        ("/v1/users/a/profile?k=5", "k"),
        ("/v1/runs?q=r1", "q"),
        ("/v1/models?cursor=c1", "cursor"),
        ("/v1/items/a?at=2024-01-01T00:00:00Z", "at"),
    ] {
        refused("GET", path, name);
    }
}

#[test]
fn a_batch_with_good_and_bad_lines_is_answered_line_by_line() {
    let daemon = Daemon::start();
    assert_eq!(daemon.http("PUT", "/v1/items/a", JSON, br#"{"id":"a","title":"Lamp"}"#).status, 200);
    let long = format!(r#"{{"id":"3","user":"{}"}}"#, "x".repeat(1 << 20));
    let batch = [
        r#"{"id":"1","user":"u","type":"purchase","item":"a","at":"2024-01-01T00:00:00Z"}"#,
        "{broken",
        r#"{"id":"1","user":"u","type":"purchase","item":"a","at":"2024-01-01T00:00:00Z"}"#,
        r#"{"id":"2","user":"u","type":"purchase","item":"zzz","at":"2024-01-01T00:00:00Z"}"#,
        &long,
    ]
    .join("\n");
    let answers = daemon.ask(async |client| {
        let mut stream = client.batch("interactions", batch.into_bytes()).await.unwrap();
        let mut answers = Vec::new();
        while let Some(line) = stream.next().await {
            answers.push(serde_json::to_value(line.unwrap()).unwrap());
        }
        answers
    });
    let words: Vec<_> = answers.iter().filter_map(|line| line["status"].as_str()).collect();
    assert_eq!(words, ["accepted", "rejected", "duplicate", "rejected", "rejected"]);
    let codes: Vec<_> = answers.iter().filter_map(|line| line["code"].as_str()).collect();
    assert_eq!(codes, ["broken-json", "unknown-item", "line-too-long"]);
    assert_eq!(answers[5]["summary"]["accepted"], 1);
    assert_eq!(daemon.ask(async |client| client.status().await).unwrap().counts.interactions, 1);
}

#[test]
fn a_gigabyte_is_refused_without_being_held() {
    let daemon = Daemon::start();
    let before = daemon.ask(async |client| client.status().await).unwrap().memory_bytes;
    let chunk = vec![b'x'; 1 << 20];
    let answer = daemon.http_long("POST", "/v1/interactions", NDJSON, GIGABYTE, &chunk);
    assert_eq!((answer.status, answer.code()), (413, "body-too-large"), "{answer:?}");
    let path = "/v1/imports?file=items.ndjson&format=ndjson&kind=items";
    let answer = daemon.http_long("POST", path, "application/octet-stream", GIGABYTE, &chunk);
    assert!(answer.body.contains("line-too-long"), "{answer:?}");
    let after = daemon.ask(async |client| client.status().await).unwrap();
    let grown = after.memory_bytes.saturating_sub(before);
    assert!(grown < 256 << 20, "memory grew by {} MiB", grown >> 20);
    assert_eq!(after.counts.items, 0);
}

#[test]
fn files_that_cannot_be_imported_say_why() {
    let daemon = Daemon::start();
    let check = |arguments: &[&str], code: &str| {
        let output = daemon.mercer(arguments);
        assert!(!output.status.success(), "{arguments:?}: {output:?}");
        let problem = lines(&String::from_utf8(output.stderr).unwrap()).pop().unwrap();
        assert_eq!(problem["code"], code, "{arguments:?}: {problem}");
    };
    let csv = daemon.file("x.csv", "InvoiceNo,StockCode\n1,2\n");
    check(&["import", "--json", "--preset", "online-retail", &csv], "missing-columns");
    check(&["import", "--json", "--preset", "nothing", &csv], "unknown-preset");
    check(&["import", "--json", "--format", "ndjson", "/nonexistent/file"], "bad-file");
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    for n in 0..20_000u64 {
        use std::io::Write;
        let noise = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        writeln!(gzip, r#"{{"id":"i{n}","title":"Thing {noise}"}}"#).unwrap();
    }
    let mut gzip = gzip.finish().unwrap();
    gzip.truncate(gzip.len() / 2);
    let cut = daemon.file("items.ndjson.gz", gzip);
    check(&["import", "--json", "--format", "ndjson", &format!("items={cut}")], "bad-file");
}

#[test]
fn encoders_that_cannot_be_used_are_refused() {
    let daemon = Daemon::start();
    let refused = |dir: &Path, what: &str| {
        let output = daemon.mercer(&["encoder", "add", dir.to_str().unwrap(), "--json"]);
        assert_eq!(output.status.code(), Some(1), "{what}: {output:?}");
        let problem = lines(&String::from_utf8(output.stderr).unwrap()).pop().unwrap();
        assert_eq!(problem["code"], "bad-encoder", "{what}: {problem}");
    };
    let dir = daemon.dir.path().join("encoder");
    std::fs::create_dir(&dir).unwrap();
    refused(&dir, "an empty directory");
    let config = r#"{"model_type":"bert","hidden_size":8,"num_hidden_layers":1,"num_attention_heads":2,"intermediate_size":16,
        "vocab_size":10,"max_position_embeddings":16,"type_vocab_size":2,"layer_norm_eps":1e-12,"hidden_act":"gelu"}"#;
    std::fs::write(dir.join("config.json"), config).unwrap();
    std::fs::write(dir.join("tokenizer.json"), "{}").unwrap();
    std::fs::write(dir.join("pytorch_model.bin"), b"\x80\x02}q\x00.").unwrap();
    refused(&dir, "a pickle");
    std::fs::write(dir.join("model.safetensors"), [0xff; 100]).unwrap();
    refused(&dir, "a truncated safetensors file");
    let encoders = daemon.ask(async |client| client.encoders().await).unwrap();
    assert_eq!(encoders.len(), 1, "only the embedded one is installed");
}

/// Starts a daemon that must not start: exit code and what it says.
fn refused(state: &Path, socket: &Path) -> (Option<i32>, String) {
    let output = Command::new(program("mercerd"))
        .args(["--state", state.to_str().unwrap(), "--socket", socket.to_str().unwrap()])
        .output()
        .unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn a_second_daemon_a_taken_socket_and_impossible_places_are_refused() {
    let daemon = Daemon::start();
    let dir = daemon.dir.path();
    let (code, text) = refused(&daemon.state(), &dir.join("other"));
    assert_eq!(code, Some(4), "{text}");
    assert!(text.contains("another daemon uses this state directory"), "{text}");
    let (code, text) = refused(&dir.join("other-state"), &daemon.socket());
    assert_eq!(code, Some(4), "{text}");
    assert!(text.contains("already listens"), "{text}");
    let (code, text) = refused(&dir.join("other-state"), Path::new(&format!("/tmp/{}", "x".repeat(120))));
    assert_eq!(code, Some(2), "{text}");
    let file = daemon.file("file", "kept");
    let (code, text) = refused(&dir.join("other-state"), Path::new(&file));
    assert_eq!(code, Some(2), "{text}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "kept", "whatever is no socket stays");
    let (code, text) = refused(Path::new(&file), &dir.join("other"));
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("state directory"), "{text}");
    // None of it touched the daemon that was there first.
    daemon.ask(async |client| client.status().await).unwrap();
}

#[test]
fn the_socket_of_a_dead_daemon_is_no_obstacle() {
    let mut daemon = Daemon::start();
    daemon.kill();
    assert!(daemon.socket().exists(), "a kill leaves the socket behind");
    daemon.launch();
}
