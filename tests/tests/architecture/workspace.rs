//! The crates of the workspace as they lie on disk: libraries, programs, tests, benchmarks and examples.

use std::collections::BTreeSet;
use std::path::Path;

use mercer_tests::programs::workspace;

use crate::MEMBERS;
use crate::syntax::{Crate, Sources};

/// Path of a file from the root of the workspace.
pub fn relative(path: &Path) -> String {
    path.strip_prefix(workspace()).expect("a path of the workspace").display().to_string()
}

/// All Rust sources below a directory of the workspace, and below no member inside of it.
pub fn sources_of_member(member: &str) -> Sources {
    let mut found = Sources::new();
    let mut open = vec![workspace().join(member)];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(&directory).expect("a directory").map(|entry| entry.expect("an entry")) {
            let path = entry.path();
            let name = relative(&path);
            if path.is_dir() {
                if !MEMBERS.contains(&name.as_str()) {
                    open.push(path);
                }
            } else if path.extension().is_some_and(|end| end == "rs") {
                found.insert(name, std::fs::read_to_string(&path).expect("a readable file"));
            }
        }
    }
    assert!(!found.is_empty(), "{member} has no sources");
    found
}

/// Whether cargo begins a crate with a file of a member: `src/lib.rs`, `tests/NAME.rs`, `tests/NAME/main.rs` and the like.
fn is_root(file_in_member: &str) -> bool {
    let parts: Vec<&str> = file_in_member.split('/').collect();
    match parts[..] {
        ["build.rs"] | ["src", "lib.rs" | "main.rs"] => true,
        ["src", "bin", _] | ["tests" | "benches" | "examples", _] => true,
        ["src", "bin", _, last] | ["tests" | "benches" | "examples", _, last] => last == "main.rs",
        _ => false,
    }
}

/// A crate and the member that it belongs to.
pub struct Built {
    /// Path of its root file.
    pub root: String,
    /// Its modules.
    pub krate: Crate,
}

/// All crates of a member; every source must belong to one.
pub fn crates_of_member(member: &str) -> Vec<Built> {
    let sources = sources_of_member(member);
    let inside = |file: &str| file.strip_prefix(&format!("{member}/")).expect("a file of the member").to_owned();
    let roots = sources.keys().filter(|file| is_root(&inside(file)));
    let crates: Vec<Built> =
        roots.map(|root| Built { root: root.clone(), krate: Crate::read(root, &sources) }).collect();
    let reached: BTreeSet<&String> = crates.iter().flat_map(|built| &built.krate.files).collect();
    let lost: Vec<&String> = sources.keys().filter(|file| !reached.contains(file)).collect();
    assert!(lost.is_empty(), "no crate declares these files: {lost:?}");
    crates
}
