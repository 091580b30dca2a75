//! No two files import each other, directly or by way of others, and the daemon's services import only downwards.

use crate::MEMBERS;
use crate::graph::{circles, edges};
use crate::layers::DAEMON;
use crate::workspace::crates_of_member;

#[test]
fn no_files_import_each_other() {
    let built = MEMBERS.iter().flat_map(|member| crates_of_member(member));
    let circles: String = built.flat_map(|built| circles(&edges(&built.krate))).map(|one| one.to_string()).collect();
    assert!(circles.is_empty(), "{circles}");
}

#[test]
fn the_daemons_services_import_only_downwards() {
    let crates = crates_of_member("daemon");
    let library = crates.iter().find(|built| built.root == "daemon/src/lib.rs").expect("the library");
    let violations = DAEMON.violations(&edges(&library.krate));
    assert!(violations.is_empty(), "{}", violations.iter().map(|one| format!("{one}\n")).collect::<String>());
}
