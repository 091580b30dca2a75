//! The whole state as lines, out and in again. The lines go through the same doors as everything else.

use mercer_shared::wire::{ExportLine, Interaction, Item, User};

use crate::{Appended, Change, Result, Store};

/// Lines gathered before they are written.
const BATCH: usize = 2_000;

/// What an import did with its lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ImportCounts {
    /// Written, or written anew.
    pub accepted: u64,
    /// There already, just so.
    pub duplicates: u64,
    /// Of erased users, or not to be kept.
    pub refused: u64,
}

impl Store {
    /// Gives the whole state line by line: items in order of id, users in order of pseudonym, interactions in order of the
    /// log. The same state and key give the same lines. Ends at the first error of `line`.
    ///
    /// # Errors
    /// What reading fails with, or what `line` gives.
    pub fn export<E: From<crate::StoreError>>(
        &self,
        mut line: impl FnMut(ExportLine) -> Result<(), E>,
    ) -> Result<(), E> {
        for item in self.items() {
            line(ExportLine::Item(item?))?;
        }
        for user in self.users() {
            line(ExportLine::User(user?))?;
        }
        for interaction in self.scan_interactions(0)?.named() {
            line(ExportLine::Interaction(interaction?.1))?;
        }
        Ok(())
    }

    /// Takes lines of an export, in any order; call [`Importer::finish`] at the end.
    #[must_use]
    pub fn import(&self) -> Importer {
        Importer {
            store: self.clone(),
            items: Vec::new(),
            users: Vec::new(),
            interactions: Vec::new(),
            counts: ImportCounts::default(),
        }
    }
}

/// Takes the lines of an export and writes them in batches.
pub struct Importer {
    store: Store,
    items: Vec<Item>,
    users: Vec<User>,
    interactions: Vec<Interaction>,
    counts: ImportCounts,
}

impl Importer {
    /// Takes one line; it is durable once [`Importer::finish`] returns.
    ///
    /// # Errors
    /// What writing a full batch fails with.
    pub fn line(&mut self, line: ExportLine) -> Result<()> {
        match line {
            ExportLine::Item(item) => self.items.push(item),
            ExportLine::User(user) => self.users.push(user),
            ExportLine::Interaction(interaction) => self.interactions.push(interaction),
        }
        if self.items.len() + self.users.len() + self.interactions.len() >= BATCH { self.write() } else { Ok(()) }
    }

    /// Writes what is left; what became of all lines.
    ///
    /// # Errors
    /// What writing fails with.
    pub fn finish(mut self) -> Result<ImportCounts> {
        self.write()?;
        Ok(self.counts)
    }

    fn write(&mut self) -> Result<()> {
        for change in self.store.put_items(std::mem::take(&mut self.items))? {
            self.count(Ok(change != Change::Same))?;
        }
        for outcome in self.store.put_users(std::mem::take(&mut self.users))? {
            self.count(outcome.map(|change| change != Change::Same))?;
        }
        for outcome in self.store.append(std::mem::take(&mut self.interactions)) {
            self.count(outcome.map(|appended| matches!(appended, Appended::Accepted(_))))?;
        }
        Ok(())
    }

    fn count(&mut self, written: Result<bool>) -> Result<()> {
        use crate::StoreError::{Erased, Invalid};
        match written {
            Ok(true) => self.counts.accepted += 1,
            Ok(false) => self.counts.duplicates += 1,
            Err(Erased | Invalid(_)) => self.counts.refused += 1,
            Err(error) => return Err(error),
        }
        Ok(())
    }
}
