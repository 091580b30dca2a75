//! The socket as others use it: the README's examples as they stand, live events, metrics, the wire's own description.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};

use mercer_tests::{Daemon, PATIENCE, program, purchase, readme};

#[test]
fn the_tour_of_the_readme_works_as_it_stands() {
    let dir = tempfile::Builder::new().prefix("mercer").tempdir_in("/tmp").unwrap();
    let bin = program("mercer").parent().unwrap().to_owned();
    let blocks = readme::blocks(&readme::text());
    assert!(blocks.iter().filter(|block| block.run).count() >= 8, "the README has lost its examples");
    let mut tour = String::from(
        "set -euo pipefail\ntrap '[ -z \"${daemon:-}\" ] || kill -9 \"$daemon\" 2> /dev/null || true' EXIT\n",
    );
    for block in blocks.iter().filter(|block| block.run) {
        tour.push_str(&format!("echo '== README.md line {}'\n{}", block.line, block.text));
        // After each block: a curl that ends its answer without a line end.
        tour.push_str("echo\n");
    }
    let output = Command::new("bash")
        .args(["-c", &tour])
        .current_dir(dir.path())
        .env("PATH", format!("{}:{}", bin.display(), std::env::var("PATH").unwrap()))
        .env("HOME", dir.path())
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .output()
        .expect("bash runs");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let log = std::fs::read_to_string(dir.path().join("mercerd.log")).unwrap_or_default();
    assert!(output.status.success(), "{out}\n{err}\n{log}");
    // Not only without an error, but with what the text around the examples says.
    for promised in [
        "the sum is right",
        "Red ceramic mug",
        "\"query_id\"",
        "\"duplicate\"",
        "unknown-item",
        "\"max\":10.0",
        "v000002",
    ] {
        assert!(out.contains(promised), "`{promised}` is missing:\n{out}\n{err}");
    }
    let export = std::fs::read_to_string(dir.path().join("everything.ndjson")).unwrap();
    assert!(export.lines().any(|line| line.contains("\"ada\"")));
    assert!(!dir.path().join("mercer.sock").exists(), "a stopped daemon takes its socket away");
}

#[test]
fn events_tell_of_an_interaction() {
    let daemon = Daemon::start();
    daemon.ask(async |client| client.put_item(&mercer_tests::item("a", "Lamp")).await).unwrap();
    let mut stream = UnixStream::connect(daemon.socket()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(b"GET /v1/events HTTP/1.1\r\nhost: m\r\n\r\n").unwrap();
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    // The stream is open once its head is here; what happens from now on is told.
    while line.trim() != "" || line.is_empty() {
        line.clear();
        reader.read_line(&mut line).unwrap();
    }
    daemon.ask(async |client| client.interact(&purchase("1", "u", "a")).await).unwrap();
    let told = reader.lines().map(Result::unwrap).find(|line| line.contains("\"interactions\"")).unwrap();
    assert!(told.contains("\"accepted\":1"), "{told}");
}

#[test]
fn the_wire_describes_itself() {
    let daemon = Daemon::start();
    let served = daemon.http("GET", "/v1/openapi.json", "", b"");
    let kept = std::fs::read_to_string(mercer_tests::programs::workspace().join("shared/openapi.json")).unwrap();
    assert_eq!(served.json, serde_json::from_str::<serde_json::Value>(&kept).unwrap(), "shared/openapi.json is stale");
    let metrics = daemon.http("GET", "/metrics", "", b"").body;
    assert!(metrics.lines().any(|line| line.starts_with("mercer_")), "{metrics}");
    // Every path of the description that takes no parameter answers a GET.
    for (path, methods) in served.json["paths"].as_object().unwrap() {
        if methods.get("get").is_some()
            && !path.contains('{')
            && !path.ends_with("/events")
            && !path.ends_with("/search")
        {
            assert_eq!(daemon.http("GET", path, "", b"").status, 200, "{path}");
        }
    }
}
