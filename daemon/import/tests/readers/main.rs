//! What the readers promise, seen from outside: every shipped preset on a small log of its layout, bad input of every kind, and
//! an account that adds up whatever the file holds.

#![allow(missing_docs, clippy::unwrap_used, reason = "tests: their names say what they hold, and a panic fails them")]

mod accounting;
mod bad_input;
mod field_cases;
mod formats;
mod parquet_file;
mod presets;
mod real;

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use mercer_import::{Outcome, Plan, Preset, Sink, run};
use mercer_shared::ids::ItemId;
use mercer_shared::problem::{Code, Problem};
use mercer_shared::wire::{DeletedItem, ImportReport, Interaction, Item, User};

/// A shop in memory that answers as the daemon does: upserts, idempotent ids, no interaction with an unknown item.
#[derive(Debug, Default)]
pub struct Shop {
    pub items: BTreeMap<String, Item>,
    pub deleted: BTreeMap<String, DeletedItem>,
    pub users: BTreeMap<String, User>,
    pub interactions: Vec<Interaction>,
    ids: HashSet<String>,
    /// Interactions it takes before it ends the import.
    pub room: Option<usize>,
}

fn upsert<T: PartialEq>(known: &mut BTreeMap<String, T>, id: String, document: T) -> Outcome {
    if known.get(&id) == Some(&document) {
        return Outcome::Duplicate;
    }
    known.insert(id, document);
    Outcome::Accepted
}

impl Sink for Shop {
    fn items(&mut self, items: Vec<Item>) -> Vec<Outcome> {
        items.into_iter().map(|item| upsert(&mut self.items, item.id.to_string(), item)).collect()
    }

    fn deleted_items(&mut self, deleted: Vec<DeletedItem>) -> Vec<Outcome> {
        let mut one = |item: DeletedItem| {
            self.items.remove(item.id.as_str());
            upsert(&mut self.deleted, item.id.to_string(), item)
        };
        deleted.into_iter().map(&mut one).collect()
    }

    fn users(&mut self, users: Vec<User>) -> Vec<Outcome> {
        users.into_iter().map(|user| upsert(&mut self.users, user.id.to_string(), user)).collect()
    }

    fn interactions(&mut self, interactions: Vec<Interaction>) -> Vec<Outcome> {
        let mut one = |interaction: Interaction| {
            if let Some(item) = &interaction.item
                && !self.items.contains_key(item.as_str())
                && !self.deleted.contains_key(item.as_str())
            {
                return Outcome::Rejected(Code::UnknownItem, format!("there is no item `{item}`"));
            }
            let identity = interaction.id.as_ref().map_or_else(|| format!("{interaction:?}"), ToString::to_string);
            if !self.ids.insert(identity) {
                return Outcome::Duplicate;
            }
            self.interactions.push(interaction);
            Outcome::Accepted
        };
        interactions.into_iter().map(&mut one).collect()
    }

    fn knows_item(&self, id: &ItemId) -> bool {
        self.items.contains_key(id.as_str())
    }

    fn ends(&mut self) -> Option<Problem> {
        let full = self.room.is_some_and(|room| self.interactions.len() >= room);
        full.then(|| Problem::new(Code::ReadOnly, "the shop is full"))
    }
}

impl Shop {
    /// Reads a file with a plan; panics where it breaks.
    pub fn read(&mut self, path: &Path, plan: &Plan) -> ImportReport {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let report = run(path, &name, plan, false, self, &mut |_| {}).unwrap();
        assert!(report.adds_up(), "{report:#?}");
        report
    }

    /// Reads a fixture with a shipped preset, twice: the second time everything is known.
    pub fn preset(&mut self, preset: &str, file: &str) -> ImportReport {
        let plan = plan(preset);
        let report = self.read(&fixture(file), &plan);
        let before = (self.items.clone(), self.users.clone(), self.interactions.clone());
        let again = self.read(&fixture(file), &plan);
        assert_eq!((again.accepted, again.items, again.users), (0, 0, 0), "{again:#?}");
        assert_eq!(again.duplicates, report.accepted + report.duplicates);
        assert_eq!((&again.skipped, &again.rejected), (&report.skipped, &report.rejected));
        assert_eq!((self.items.clone(), self.users.clone(), self.interactions.clone()), before);
        report
    }
}

pub fn plan(preset: &str) -> Plan {
    Plan::Preset(preset.to_owned(), Preset::find(preset, None).unwrap())
}

pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// Counts of a report by rule and by code.
pub fn counts(report: &ImportReport) -> BTreeMap<String, u64> {
    let rules = report.skipped.iter().map(|rule| (rule.rule.clone(), rule.count));
    rules.chain(report.rejected.iter().map(|reason| (reason.code.to_string(), reason.count))).collect()
}
