//! The program as it is started from a shell, without a daemon.

use std::process::{Command, Stdio};

fn mercer(arguments: &[&str]) -> std::process::Output {
    Command::new(env!("CARGO_BIN_EXE_mercer"))
        .args(["--socket", "/nonexistent/mercer.sock"])
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("mercer runs")
}

#[test]
fn exit_codes_tell_usage_from_a_missing_daemon() {
    assert_eq!(mercer(&["no-such-command"]).status.code(), Some(2));
    let output = mercer(&["status"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stderr).contains("mercerd --state"), "it says how to start one");
}
