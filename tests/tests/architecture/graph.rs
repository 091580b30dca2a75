//! Which file needs which, and the circles among them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::resolve::Target;
use crate::syntax::Crate;

/// A place in the code that needs another file.
#[derive(Debug, Clone)]
pub struct Cause {
    /// Line, from 1.
    pub line: usize,
    /// The path that is written there.
    pub path: String,
    /// Top-level module of the code, and of what it names; empty for the crate's root.
    pub from: String,
    /// Top-level module of what the path names.
    pub to: String,
}

/// Files and what each needs of which other.
pub type Graph = BTreeMap<String, BTreeMap<String, Vec<Cause>>>;

/// The edges of a crate: from the file that mentions a name to the file that defines it.
pub fn edges(krate: &Crate) -> Graph {
    let mut graph = Graph::new();
    for (index, module) in krate.modules.iter().enumerate().filter(|(_, module)| krate.nodes.contains(&module.file)) {
        let needs = graph.entry(module.file.clone()).or_default();
        for mention in &module.mentions {
            let Target::Item(found) = krate.resolve(index, &mention.segments) else { continue };
            let definer = &krate.modules[found];
            if definer.file != module.file && krate.nodes.contains(&definer.file) {
                let top = |path: &[String]| path.first().cloned().unwrap_or_default();
                needs.entry(definer.file.clone()).or_default().push(Cause {
                    line: mention.line,
                    path: mention.segments.join("::"),
                    from: top(&module.path),
                    to: top(&definer.path),
                });
            }
        }
    }
    graph
}

/// Files that need each other, with the edges among them.
#[derive(Debug)]
pub struct Circle {
    /// Its files in order.
    pub files: Vec<String>,
    edges: Vec<String>,
}

impl fmt::Display for Circle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "circle of {} files:", self.files.len())?;
        self.edges.iter().try_for_each(|edge| writeln!(f, "  {edge}"))
    }
}

/// The circles of a graph: its strongly connected components of more than one file.
pub fn circles(graph: &Graph) -> Vec<Circle> {
    let plain: Plain =
        graph.iter().map(|(from, to)| (from.as_str(), to.keys().map(String::as_str).collect())).collect();
    let mut found: Vec<Circle> = components(&plain)
        .into_iter()
        .map(|component| {
            let inside = |file: &str| component.binary_search(&file).is_ok();
            let edges = component.iter().flat_map(|from| {
                graph[*from].iter().filter(|(to, _)| inside(to)).map(move |(to, causes)| {
                    let Cause { line, path, .. } = &causes[0];
                    format!("{from}:{line} -> {to} ({path}, {} in all)", causes.len())
                })
            });
            Circle { files: component.iter().map(|file| (*file).to_owned()).collect(), edges: edges.collect() }
        })
        .collect();
    found.sort_by(|a, b| a.files.cmp(&b.files));
    found
}

/// Names and the names that each leads to.
pub type Plain<'a> = BTreeMap<&'a str, BTreeSet<&'a str>>;

/// Strongly connected components of more than one name, each in order: names that reach each other (Tarjan 1972).
pub fn components<'a>(graph: &Plain<'a>) -> Vec<Vec<&'a str>> {
    let mut search =
        Search { graph, order: BTreeMap::new(), low: BTreeMap::new(), stack: Vec::new(), found: Vec::new() };
    for name in graph.keys() {
        if !search.order.contains_key(name) {
            search.visit(name);
        }
    }
    search.found
}

struct Search<'g, 'a> {
    graph: &'g Plain<'a>,
    /// When each name was first seen.
    order: BTreeMap<&'a str, usize>,
    /// The earliest name on the stack that each one reaches.
    low: BTreeMap<&'a str, usize>,
    stack: Vec<&'a str>,
    found: Vec<Vec<&'a str>>,
}

impl<'a> Search<'_, 'a> {
    fn visit(&mut self, name: &'a str) {
        let number = self.order.len();
        self.order.insert(name, number);
        self.low.insert(name, number);
        self.stack.push(name);
        for next in self.graph.get(name).into_iter().flatten() {
            if !self.order.contains_key(next) {
                self.visit(next);
                self.lower(name, self.low[next]);
            } else if self.stack.contains(next) {
                self.lower(name, self.order[next]);
            }
        }
        if self.low[name] == number {
            let from = self.stack.iter().position(|one| *one == name).unwrap_or_default();
            let mut component = self.stack.split_off(from);
            if component.len() > 1 {
                component.sort_unstable();
                self.found.push(component);
            }
        }
    }

    fn lower(&mut self, name: &'a str, to: usize) {
        let low = self.low.entry(name).or_insert(to);
        *low = to.min(*low);
    }
}
