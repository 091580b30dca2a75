//! Every package in the build may be used and passed on: licence expressions of `cargo metadata`, checked without a network.
//! Security advisories need a network; `.ci/run` says what it did about them.

use std::path::Path;
use std::process::Command;

use mercer_tests::programs::workspace;
use serde_json::Value;

/// Licences that ask for no more than a notice (MPL-2.0 beyond that only for changes to its own files).
const ALLOWED: [&str; 16] = [
    "0BSD",
    "Apache-2.0",
    "BSD-1-Clause",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "MPL-2.0",
    "Unicode-3.0",
    "Unicode-DFS-2016",
    "Unlicense",
    "Zlib",
];

/// Whether an SPDX expression can be satisfied with allowed licences alone: `OR` below `AND`, parentheses, `WITH`
/// exceptions (which only permit more), and the old `/` for `OR`.
fn satisfiable(expression: &str) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut place = 0;
    let value = either(&words, &mut place);
    value && place == words.len()
}

fn either(words: &[&str], place: &mut usize) -> bool {
    let mut value = both(words, place);
    while words.get(*place) == Some(&"OR") {
        *place += 1;
        value |= both(words, place);
    }
    value
}

fn both(words: &[&str], place: &mut usize) -> bool {
    let mut value = one(words, place);
    while words.get(*place) == Some(&"AND") {
        *place += 1;
        value &= one(words, place);
    }
    value
}

fn one(words: &[&str], place: &mut usize) -> bool {
    let Some(word) = words.get(*place) else { return false };
    *place += 1;
    if *word == "(" {
        let value = either(words, place);
        *place += 1;
        return value;
    }
    if words.get(*place) == Some(&"WITH") {
        *place += 2;
    }
    // `+` is `or any later version`: this one will do.
    ALLOWED.contains(&word.trim_end_matches('+'))
}

/// Whether a package that names no licence ships the text of the MIT licence.
fn has_mit_text(package: &Value) -> bool {
    let (Some(file), Some(manifest)) = (package["license_file"].as_str(), package["manifest_path"].as_str()) else {
        return false;
    };
    let file = Path::new(manifest).with_file_name(file);
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let words: Vec<&str> = text.split_whitespace().collect();
    let text = words.join(" ");
    package["license"].is_null()
        && text.contains("MIT License")
        && text.contains("Permission is hereby granted, free of charge, to any person obtaining a copy")
        && text.contains("to deal in the Software without restriction")
}

#[test]
fn expressions_are_read() {
    for good in [
        "MIT",
        "MIT/Apache-2.0",
        "GPL-3.0 OR MIT",
        "(MIT OR GPL-2.0) AND Unicode-3.0",
        "Apache-2.0 WITH LLVM-exception",
        "MPL-2.0+",
    ] {
        assert!(satisfiable(good), "{good}");
    }
    for bad in ["GPL-3.0", "MIT AND GPL-3.0", "AGPL-3.0 OR SSPL-1.0", "", "(MIT", "MIT GPL-3.0"] {
        assert!(!satisfiable(bad), "{bad}");
    }
}

#[test]
fn every_package_may_be_used() {
    let version = Command::new("rustc").arg("-vV").output().expect("rustc runs");
    let version = String::from_utf8(version.stdout).unwrap();
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).expect("a host");
    let output = Command::new(env!("CARGO"))
        .current_dir(workspace())
        .args(["metadata", "--format-version", "1", "--offline", "--locked", "--filter-platform", host])
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    assert!(packages.len() > 100, "only {} packages", packages.len());
    let refused: Vec<String> = packages
        .iter()
        .filter(|package| !package["license"].as_str().is_some_and(satisfiable) && !has_mit_text(package))
        .map(|package| format!("{} {}: {}", package["name"], package["version"], package["license"]))
        .collect();
    assert!(refused.is_empty(), "{refused:#?}");
}
