//! The structure of the workspace (DESIGN.md section 1): what each crate may depend on, where foreign types may stand, that no two
//! files import each other, and that the daemon's services import only downwards.
//!
//! Sources are parsed, nothing is built. `cargo test -p mercer-tests --test architecture -- --ignored --nocapture` prints figures:
//! lines and files of each module, the longest functions, and the parameters that are tuples.

mod borders;
mod figures;
mod graph;
mod imports;
mod layers;
mod pages;
mod planted;
mod resolve;
mod syntax;
mod workspace;

/// The members of the workspace.
pub const MEMBERS: [&str; 11] = [
    "shared",
    "daemon",
    "daemon/store",
    "daemon/model",
    "daemon/search",
    "daemon/rank",
    "daemon/learn",
    "daemon/reports",
    "daemon/import",
    "console",
    "tests",
];
