//! The order of the daemon's services (DESIGN.md section 1): who may import whom.

use std::collections::{BTreeMap, BTreeSet};

use crate::graph::{Cause, Graph, Plain, components};

/// An order of the top-level modules of a crate.
#[derive(Debug, Clone, Copy)]
pub struct Layers {
    /// From the top: a module may import those of its own level and of every level below.
    pub levels: &'static [&'static [&'static str]],
    /// Modules that import nothing of their crate.
    pub apart: &'static [&'static str],
}

/// The daemon's services. The root (`lib.rs`) puts them together and stands above all.
pub const DAEMON: Layers = Layers {
    levels: &[
        &[""],
        &["http", "inbox", "agent"],
        // Tells by what a run was asked to do which of the services below does it.
        &["jobs"],
        &["training", "evaluation", "cross_encoder"],
        &["gate", "runs", "reports"],
        &["serving", "ingest", "versions"],
        &["background"],
        &["state"],
    ],
    apart: &["simulate"],
};

impl Layers {
    fn level(&self, module: &str) -> Option<usize> {
        self.levels.iter().position(|level| level.contains(&module))
    }

    /// What breaks the order, one sentence each.
    pub fn violations(&self, graph: &Graph) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut same: Plain = BTreeMap::new();
        for (file, needs) in graph {
            for (needed, causes) in needs {
                for cause in causes.iter().filter(|cause| cause.from != cause.to) {
                    match self.judge(cause) {
                        Verdict::Fine => {}
                        Verdict::Same => drop(same.entry(&cause.from).or_default().insert(&cause.to)),
                        Verdict::Wrong(why) => {
                            let Cause { line, path, .. } = cause;
                            found.insert(format!("{file}:{line} {why}: {path} of {needed}"));
                        }
                    }
                }
            }
        }
        let circles = components(&same).into_iter();
        found.extend(circles.map(|circle| format!("modules of one level need each other: {}", circle.join(", "))));
        found
    }

    fn judge(&self, cause: &Cause) -> Verdict {
        let Cause { from, to, .. } = cause;
        let name = |module: &str| if module.is_empty() { "the root".to_owned() } else { format!("`{module}`") };
        let (above, below) = (name(from), name(to));
        if self.apart.contains(&from.as_str()) {
            return Verdict::Wrong(format!("{above} stands apart and imports {below}"));
        }
        if self.apart.contains(&to.as_str()) {
            return Verdict::Fine;
        }
        match (self.level(from), self.level(to)) {
            (None, _) => Verdict::Wrong(format!("{above} has no place in the order and imports {below}")),
            (_, None) => Verdict::Wrong(format!("{above} imports {below}, which has no place in the order")),
            (Some(high), Some(low)) if high < low => Verdict::Fine,
            (Some(high), Some(low)) if high == low => Verdict::Same,
            _ => Verdict::Wrong(format!("{above} imports {below}, which stands above it")),
        }
    }
}

enum Verdict {
    Fine,
    /// Allowed between modules of one level, as long as no circle comes of it.
    Same,
    Wrong(String),
}
