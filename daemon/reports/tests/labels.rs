//! Every test vector and every defect of METRICS.md has a test named by its label: `tv_r1_...`, `defect_3_...`.

use std::fs;
use std::path::{Path, PathBuf};

/// The labels of METRICS.md.
const VECTORS: [&str; 24] = [
    "r1", "r2", "r3", "r4", "s1", "s2", "s3", "s4", "d1", "d2", "d3", "f0", "f1", "f2", "f3", "f4", "f5", "f6", "p1",
    "p2", "p3", "p4", "e1", "c1",
];
/// The number of the last defect.
const DEFECTS: usize = 9;

fn sources() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    ["src", "tests"]
        .iter()
        .flat_map(|folder| fs::read_dir(root.join(folder)).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}

/// Names of test functions that are not ignored.
fn tests() -> Vec<String> {
    let mut names = Vec::new();
    for path in sources() {
        let text = fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        for (place, line) in lines.iter().enumerate() {
            if let Some(name) = line.strip_prefix("fn ").and_then(|rest| rest.split('(').next()) {
                let attributes = lines[..place].iter().rev().take_while(|line| line.starts_with("#["));
                let attributes: Vec<&&str> = attributes.collect();
                if attributes.contains(&&"#[test]") && !attributes.iter().any(|line| line.contains("ignore")) {
                    names.push(name.to_owned());
                }
            }
        }
    }
    names
}

#[test]
fn every_label_has_a_test() {
    let names = tests();
    let missing: Vec<String> = VECTORS
        .iter()
        .map(|label| format!("tv_{label}_"))
        .chain((1..=DEFECTS).map(|number| format!("defect_{number}_")))
        .filter(|prefix| !names.iter().any(|name| name.starts_with(prefix)))
        .collect();
    assert!(missing.is_empty(), "no test is named {missing:?}; the tests with a label are {:?}", labelled(&names));
}

/// The tests with a label, in the order of the labels; printed with `cargo test -p mercer-reports --test labels -- --nocapture`.
fn labelled(names: &[String]) -> Vec<&String> {
    let mut found: Vec<&String> =
        names.iter().filter(|name| name.starts_with("tv_") || name.starts_with("defect_")).collect();
    found.sort();
    found
}

#[test]
fn the_search_finds_tests_and_nothing_else() {
    let names = tests();
    assert!(names.iter().any(|name| name == "every_label_has_a_test"));
    assert!(!names.iter().any(|name| name == "labelled" || name == "sources"), "helpers are no tests");
    assert!(labelled(&names).len() >= VECTORS.len());
}
