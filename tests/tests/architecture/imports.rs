//! No two files import each other, directly or by way of others, and the daemon's services import only downwards.

use crate::MEMBERS;
use crate::graph::{circles, edges};
use crate::layers::DAEMON;
use crate::workspace::crates_of_member;

/// Directories in which files still form a circle. Each must hold one, so that this list only gets shorter.
const KNOWN_CIRCLES: &[&str] = &[
    "daemon/src/http/",
    "daemon/rank/src/features/",
    "daemon/import/src/",
    "daemon/import/src/mapping/",
    "daemon/import/src/records/",
];

#[test]
fn no_files_import_each_other() {
    let mut open: Vec<&str> = KNOWN_CIRCLES.to_vec();
    let mut unknown = String::new();
    for built in MEMBERS.iter().flat_map(|member| crates_of_member(member)) {
        for circle in circles(&edges(&built.krate)) {
            let known = |place: &&&str| circle.files.iter().all(|file| file.starts_with(**place));
            match KNOWN_CIRCLES.iter().filter(known).max_by_key(|place| place.len()) {
                Some(place) => open.retain(|one| one != place),
                None => unknown.push_str(&circle.to_string()),
            }
        }
    }
    assert!(unknown.is_empty(), "{unknown}");
    assert!(open.is_empty(), "no circle is left in {open:?}: take it off the list");
}

#[test]
fn the_daemons_services_import_only_downwards() {
    let crates = crates_of_member("daemon");
    let library = crates.iter().find(|built| built.root == "daemon/src/lib.rs").expect("the library");
    let violations = DAEMON.violations(&edges(&library.krate));
    assert!(violations.is_empty(), "{}", violations.iter().map(|one| format!("{one}\n")).collect::<String>());
}
