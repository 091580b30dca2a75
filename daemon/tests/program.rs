//! The program as it is started from a shell.

use std::process::Command;

fn mercerd(arguments: &[&str]) -> std::process::Output {
    Command::new(env!("CARGO_BIN_EXE_mercerd")).args(arguments).output().expect("mercerd runs")
}

#[test]
fn a_socket_path_that_is_too_long_is_a_usage_error() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    let output = mercerd(&["--state", state.to_str().unwrap(), "--socket", &format!("/tmp/{}", "x".repeat(120))]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("socket path"));
}

#[test]
fn an_unknown_key_of_the_configuration_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("mercer.toml");
    std::fs::write(&config, "[train]\nbudget = 5\n").unwrap();
    let output = mercerd(&["--state", dir.path().to_str().unwrap(), "--config", config.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("budget"));
}

#[test]
fn the_simulated_shop_is_the_same_for_the_same_seed_and_labelled() {
    let arguments = ["simulate", "--seed", "3", "--users", "10", "--items", "20"];
    let first = mercerd(&arguments);
    assert!(first.status.success());
    let text = String::from_utf8(first.stdout).unwrap();
    assert!(text.lines().any(|line| line.contains("\"source\":\"simulated\"")));
    assert!(text.lines().all(|line| line.starts_with("{\"item\"")
        || line.starts_with("{\"user\"")
        || line.starts_with("{\"interaction\"")));
}
