//! Finds the module that defines what a path names, through imports and re-exports.

use std::collections::BTreeSet;

use crate::syntax::Crate;

/// What a path leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// A module of the crate.
    Module(usize),
    /// Something that this module of the crate defines.
    Item(usize),
    /// Something of another crate, or a local name.
    Outside,
}

/// Names that are being looked up, so that a re-export of itself ends.
type Open<'a> = BTreeSet<(usize, &'a str)>;

impl Crate {
    /// What a path names that stands in a module.
    pub fn resolve(&self, module: usize, segments: &[String]) -> Target {
        self.follow(module, segments, &mut Open::new())
    }

    fn follow<'a>(&'a self, module: usize, segments: &'a [String], open: &mut Open<'a>) -> Target {
        let mut at = module;
        for (place, segment) in segments.iter().enumerate() {
            let last = place + 1 == segments.len();
            let next = match segment.as_str() {
                "crate" => Some(Target::Module(0)),
                "self" if place == 0 => Some(Target::Module(at)),
                "super" => Some(Target::Module(self.modules[at].parent.unwrap_or(0))),
                name => self.lookup(at, name, last, open),
            };
            match next {
                Some(Target::Module(found)) => at = found,
                Some(found) => return found,
                // A first segment that nobody defines is another crate or a local name. What a module of ours is asked for and
                // does not show was made by a macro there.
                None if place == 0 => return Target::Outside,
                None => return Target::Item(at),
            }
        }
        Target::Module(at)
    }

    /// A name in the scope of a module. At the end of a path an item hides a module of the same name, before it the other way round.
    fn lookup<'a>(&'a self, at: usize, name: &'a str, last: bool, open: &mut Open<'a>) -> Option<Target> {
        let module = &self.modules[at];
        let child = module.children.get(name).map(|child| Target::Module(*child));
        let item = module.items.contains(name).then_some(Target::Item(at));
        if let Some(found) = if last { item.or(child) } else { child.or(item) } {
            return Some(found);
        }
        if !open.insert((at, name)) {
            return None;
        }
        let imported = module.imports.get(name).map(|path| self.follow(at, path, open));
        let found = imported.or_else(|| {
            module.globs.iter().find_map(|path| match self.follow(at, path, open) {
                Target::Module(source) if source != at => self.lookup(source, name, last, open),
                _ => None,
            })
        });
        open.remove(&(at, name));
        found
    }
}
