//! What each crate may depend on, and where the types of other crates may stand: from manifests and from the names in the code.

use mercer_tests::programs::workspace;

use crate::MEMBERS;
use crate::workspace::sources_of_member;

/// A source file: its path from the root, and its code without comments.
struct Source {
    path: String,
    code: String,
}

/// The Rust sources of a member, without comments.
fn sources(member: &str) -> Vec<Source> {
    let all = sources_of_member(member).into_iter();
    all.map(|(path, text)| Source { path, code: uncommented(&text) }).collect()
}

fn uncommented(code: &str) -> String {
    code.lines().filter(|line| !line.trim_start().starts_with("//")).map(|line| format!("{line}\n")).collect()
}

/// Whether code names a crate or module as the start of a path: `name::`, `use name;`, `use name as`.
fn names(code: &str, name: &str) -> bool {
    code.match_indices(name).any(|(at, _)| {
        let before = code[..at].chars().next_back().unwrap_or(' ');
        let after = &code[at + name.len()..];
        let starts = !before.is_alphanumeric() && before != '_' && before != '"' && before != '-';
        let imported = code[..at].trim_end_matches("::").ends_with("use ")
            && (after.starts_with(';') || after.starts_with(" as "));
        starts && (after.starts_with("::") || imported)
    })
}

/// Dependencies of a member, by kind.
struct Manifest {
    normal: Vec<String>,
    all: Vec<String>,
}

fn manifest(part: &str) -> Manifest {
    let text = std::fs::read_to_string(workspace().join(part).join("Cargo.toml")).unwrap();
    let (mut normal, mut all, mut section) = (Vec::new(), Vec::new(), String::new());
    for line in text.lines() {
        if let Some(name) = line.strip_prefix('[') {
            name.trim_end_matches(']').clone_into(&mut section);
        } else if section.ends_with("dependencies")
            && let Some(name) =
                line.split(['.', ' ', '=']).next().filter(|name| !name.is_empty() && !name.starts_with('#'))
        {
            all.push(name.to_owned());
            if section == "dependencies" {
                normal.push(name.to_owned());
            }
        }
    }
    Manifest { normal, all }
}

/// Says which members and sources name a crate outside the places where it may stand.
fn confined(krate: &str, manifests: &[&str], places: &[&str]) {
    let module = krate.replace('-', "_");
    for member in MEMBERS {
        let depends = manifest(member).all.iter().any(|name| name == krate);
        assert!(!depends || manifests.contains(&member), "{member}/Cargo.toml depends on {krate}");
    }
    // The tests name such crates in words; their manifest is what holds them.
    for source in MEMBERS.iter().filter(|member| **member != "tests").flat_map(|member| sources(member)) {
        let allowed = places.iter().any(|place| source.path.starts_with(place));
        assert!(allowed || !names(&source.code, &module), "{} names {module}", source.path);
    }
}

#[test]
fn the_scanner_sees_imports_and_not_words() {
    assert!(names("use sled::Db;", "sled") && names("let x: sled::Db;", "sled") && names("pub use sled;", "sled"));
    assert!(!names("let unsled = 1; assembled::x(); // sled", "sled") && !names("\"sled::x\"", "sled"));
    assert!(names("fn f() -> crate::http::X {}", "crate::http"));
}

#[test]
fn the_top_level_is_what_the_design_says() {
    let expected = ["Cargo.lock", "Cargo.toml", "LICENSE", "README.md", "console", "daemon", "data", "shared", "tests"];
    let mut found: Vec<String> = std::fs::read_dir(workspace())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.starts_with('.') && name != "target")
        .collect();
    found.sort();
    assert_eq!(found, expected);
}

#[test]
fn every_member_is_known_to_these_rules() {
    let text = std::fs::read_to_string(workspace().join("Cargo.toml")).unwrap();
    let (_, rest) = text.split_once("members = [").unwrap();
    let (list, _) = rest.split_once(']').unwrap();
    let members: Vec<&str> =
        list.split(',').map(|name| name.trim().trim_matches('"')).filter(|n| !n.is_empty()).collect();
    assert_eq!(members, MEMBERS);
}

#[test]
fn shared_imports_neither_program_and_programs_not_each_other() {
    for name in manifest("shared").all {
        assert!(!name.starts_with("mercer-"), "shared depends on {name}");
    }
    for name in manifest("console").all {
        assert!(!name.starts_with("mercer-") || name == "mercer-shared", "console depends on {name}");
    }
    for name in manifest("tests").all {
        assert!(
            !name.starts_with("mercer-") || name == "mercer-shared",
            "the tests look inside: they depend on {name}"
        );
    }
    for part in MEMBERS.iter().filter(|part| part.starts_with("daemon")) {
        assert!(!manifest(part).all.iter().any(|name| name == "mercer-console"), "{part} depends on the console");
    }
}

#[test]
fn foreign_types_stay_in_their_rooms() {
    confined("sled", &["daemon/store"], &["daemon/store/"]);
    for krate in ["candle-core", "candle-nn", "candle-transformers", "safetensors", "tokenizers"] {
        confined(krate, &["daemon/model", "daemon/learn"], &["daemon/model/", "daemon/learn/"]);
    }
    confined("frostem", &["daemon/search"], &["daemon/search/"]);
    confined("parquet", &["daemon/import"], &["daemon/import/"]);
    confined("axum", &["daemon"], &["daemon/src/http/", "daemon/src/lib.rs"]);
    confined("ratatui", &["console"], &["console/"]);
    confined("crossterm", &["console"], &["console/"]);
}

#[test]
fn inside_the_daemon_nothing_below_the_wire_knows_http() {
    for source in sources("daemon").iter().filter(|source| source.path.starts_with("daemon/src/")) {
        let knows = ["http/", "lib.rs", "main.rs", "commands.rs"];
        let may = knows.iter().any(|place| source.path.starts_with(&format!("daemon/src/{place}")));
        assert!(may || !names(&source.code, "crate::http"), "{} knows HTTP", source.path);
        assert!(may || !names(&source.code, "hyper"), "{} knows HTTP", source.path);
    }
    for part in MEMBERS.iter().filter(|part| part.starts_with("daemon/")) {
        for name in manifest(part).all {
            assert!(
                !["axum", "hyper", "hyper-util", "tower", "mercer-daemon"].contains(&name.as_str()),
                "{part} depends on {name}"
            );
        }
    }
}

#[test]
fn parts_of_the_daemon_meet_only_in_its_services() {
    let may: [(&str, &[&str]); 7] = [
        ("daemon/store", &["mercer-shared"]),
        ("daemon/model", &[]),
        ("daemon/search", &["mercer-shared"]),
        ("daemon/rank", &["mercer-shared"]),
        ("daemon/reports", &[]),
        ("daemon/learn", &["mercer-model", "mercer-shared"]),
        ("daemon/import", &["mercer-shared"]),
    ];
    for (part, allowed) in may {
        for name in manifest(part).normal.iter().filter(|name| name.starts_with("mercer-")) {
            assert!(allowed.contains(&name.as_str()), "{part} depends on {name}");
        }
    }
}

#[test]
fn arithmetic_has_no_store_no_clock_and_no_tensors() {
    for part in ["daemon/rank", "daemon/reports"] {
        for name in manifest(part).normal {
            let foreign = ["tokio", "jiff", "candle", "sled", "mercer-store", "mercer-model", "tracing"];
            assert!(!foreign.iter().any(|word| name.starts_with(word)), "{part} depends on {name}");
        }
        let code = format!("{part}/src/");
        for source in sources(part).iter().filter(|source| source.path.starts_with(&code)) {
            for clock in ["SystemTime::now", "Instant::now", "Timestamp::now"] {
                assert!(!source.code.contains(clock), "{} reads a clock", source.path);
            }
        }
    }
}

#[test]
fn every_file_says_what_it_is_for() {
    let sources = MEMBERS.iter().flat_map(|member| sources_of_member(member));
    let silent: Vec<String> = sources.filter(|(_, text)| !text.starts_with("//!")).map(|(path, _)| path).collect();
    assert!(silent.is_empty(), "no opening words: {silent:?}");
}
