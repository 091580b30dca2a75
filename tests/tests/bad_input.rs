//! Bad input: a clear error with a stable code, and nothing half applied.

use mercer_tests::Daemon;

const JSON: &str = "application/json";

#[test]
fn single_documents() {
    let daemon = Daemon::start();
    let item = r#"{"id":"a","title":"Lamp","price":3.5}"#;
    assert_eq!(daemon.http("PUT", "/v1/items/a", JSON, item.as_bytes()).0, 200);
    let long = "x".repeat(257);
    let cases: Vec<(&str, String, u16, &str)> = vec![
        ("broken JSON", "{\"user\":".into(), 400, "broken-json"),
        ("wrong type", r#"{"user":5,"type":"view","item":"a","at":"2024-01-01T00:00:00Z"}"#.into(), 422, "wrong-type"),
        (
            "unknown field",
            r#"{"user":"u","type":"view","item":"a","at":"2024-01-01T00:00:00Z","colour":1}"#.into(),
            422,
            "wrong-type",
        ),
        (
            "id too long",
            format!(r#"{{"user":"{long}","type":"view","item":"a","at":"2024-01-01T00:00:00Z"}}"#),
            422,
            "bad-id",
        ),
        (
            "control character",
            r#"{"user":"u\u0007","type":"view","item":"a","at":"2024-01-01T00:00:00Z"}"#.into(),
            422,
            "bad-id",
        ),
        ("before 1970", r#"{"user":"u","type":"view","item":"a","at":"1960-01-01T00:00:00Z"}"#.into(), 422, "bad-time"),
        ("far future", r#"{"user":"u","type":"view","item":"a","at":"2999-01-01T00:00:00Z"}"#.into(), 422, "bad-time"),
        (
            "NaN",
            r#"{"user":"u","type":"view","item":"a","at":"2024-01-01T00:00:00Z","value":NaN}"#.into(),
            422,
            "bad-number",
        ),
        (
            "negative",
            r#"{"user":"u","type":"view","item":"a","at":"2024-01-01T00:00:00Z","value":-1}"#.into(),
            422,
            "bad-number",
        ),
        ("nobody", r#"{"type":"view","item":"a","at":"2024-01-01T00:00:00Z"}"#.into(), 422, "bad-interaction"),
        (
            "unknown item",
            r#"{"user":"u","type":"view","item":"b","at":"2024-01-01T00:00:00Z"}"#.into(),
            404,
            "unknown-item",
        ),
    ];
    for (what, body, status, code) in cases {
        let (answered, problem) = daemon.http("POST", "/v1/interactions", JSON, body.as_bytes());
        assert_eq!((answered, problem["code"].as_str()), (status, Some(code)), "{what}: {problem}");
        assert!(problem["hint"].as_str().is_some_and(|hint| !hint.is_empty()), "{what}");
    }
    assert_eq!(daemon.ask(async |client| client.status().await).unwrap().counts.interactions, 0);
    for (path, status, code) in [
        ("/v1/users/nobody/profile", 404, "unknown-user"),
        ("/v1/users/nobody/recommendations", 404, "unknown-user"),
        ("/v1/items/b/related", 404, "unknown-item"),
        ("/v1/search?q=lamp&k=0", 400, "bad-parameter"),
        ("/v1/search?q=lamp&filter=colour:red", 400, "bad-parameter"),
        ("/v1/search?q=", 400, "bad-parameter"),
        ("/v1/items?cursor=x", 400, "bad-cursor"),
        ("/v1/models/v9", 404, "not-found"),
        ("/v1/nothing", 404, "no-such-path"),
    ] {
        let (answered, problem) = daemon.http("GET", path, JSON, b"");
        assert_eq!((answered, problem["code"].as_str()), (status, Some(code)), "{path}: {problem}");
    }
    assert_eq!(daemon.http("DELETE", "/v1/status", JSON, b"").1["code"], "no-such-method");
}

#[test]
fn a_batch_with_good_and_bad_lines_is_answered_line_by_line() {
    let daemon = Daemon::start();
    let item = r#"{"id":"a","title":"Lamp"}"#;
    assert_eq!(daemon.http("PUT", "/v1/items/a", JSON, item.as_bytes()).0, 200);
    let batch = [
        r#"{"id":"1","user":"u","type":"purchase","item":"a","at":"2024-01-01T00:00:00Z"}"#,
        "{broken",
        r#"{"id":"1","user":"u","type":"purchase","item":"a","at":"2024-01-01T00:00:00Z"}"#,
        r#"{"id":"2","user":"u","type":"purchase","item":"zzz","at":"2024-01-01T00:00:00Z"}"#,
    ]
    .join("\n");
    let lines = daemon.ask(async |client| {
        let mut stream = client.batch("interactions", batch.into_bytes()).await.unwrap();
        let mut lines = Vec::new();
        while let Some(line) = stream.next().await {
            lines.push(serde_json::to_value(line.unwrap()).unwrap());
        }
        lines
    });
    let words: Vec<_> = lines.iter().filter_map(|line| line["status"].as_str()).collect();
    assert_eq!(words, ["accepted", "rejected", "duplicate", "rejected"]);
    assert_eq!(lines[1]["code"], "broken-json");
    assert_eq!(lines[3]["code"], "unknown-item");
    assert_eq!(lines[4]["summary"]["accepted"], 1);
}

#[test]
fn files_that_cannot_be_imported_say_why() {
    let daemon = Daemon::start();
    let write = |name: &str, bytes: &[u8]| {
        let path = daemon.dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let check = |arguments: &[&str], code: &str| {
        let output = daemon.mercer(arguments);
        let all = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(!output.status.success(), "{arguments:?}: {all}");
        assert!(all.contains(code), "{arguments:?}: {all}");
    };
    let csv = write("x.csv", b"InvoiceNo,StockCode\n1,2\n");
    check(&["import", "--json", "--preset", "online-retail", &csv], "missing-columns");
    check(&["import", "--json", "--preset", "nothing", &csv], "unknown-preset");
    let mut gzip = Vec::new();
    {
        use std::io::Write;
        let mut encoder = flate2::write::GzEncoder::new(&mut gzip, flate2::Compression::default());
        for n in 0..20_000u64 {
            let noise = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            writeln!(encoder, r#"{{"id":"i{n}","title":"Thing {noise}"}}"#).unwrap();
        }
        encoder.finish().unwrap();
    }
    gzip.truncate(gzip.len() / 2);
    let cut = write("items.ndjson.gz", &gzip);
    check(&["import", "--json", "--format", "ndjson", &format!("items={cut}")], "bad-file");
}

#[test]
fn a_second_daemon_and_a_taken_socket_are_refused() {
    let daemon = Daemon::start();
    let run = |state: &std::path::Path, socket: &std::path::Path| {
        let output = std::process::Command::new(mercer_tests::program("mercerd"))
            .args(["--state", state.to_str().unwrap(), "--socket", socket.to_str().unwrap()])
            .output()
            .unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, text) = run(&daemon.dir.path().join("state"), &daemon.dir.path().join("other"));
    assert_eq!(code, Some(4), "{text}");
    let (code, text) = run(&daemon.dir.path().join("other-state"), &daemon.socket());
    assert_eq!(code, Some(4), "{text}");
}
