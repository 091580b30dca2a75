//! Exports the whole state as lines of the wire.

use mercer_shared::wire::ExportLine;

use crate::error::{Result, StoreError};
use crate::store::Store;

impl Store {
    /// Gives the whole state line by line: items and users in order of arrival, tombstones of deleted items in order of id,
    /// interactions in order of the log. Imported into an empty store with the same key, the lines give a store that exports
    /// the same lines. Stops at the first error of `line`.
    ///
    /// # Errors
    /// What reading fails with, or what `line` returns.
    pub fn export<E: From<StoreError>>(&self, mut line: impl FnMut(ExportLine) -> Result<(), E>) -> Result<(), E> {
        for item in self.items() {
            line(ExportLine::Item(item?))?;
        }
        for deleted in self.deleted_items() {
            line(ExportLine::DeletedItem(deleted?))?;
        }
        for user in self.users() {
            line(ExportLine::User(user?.into_export()))?;
        }
        for interaction in self.scan_interactions(0)?.named() {
            line(ExportLine::Interaction(interaction?.1))?;
        }
        Ok(())
    }
}
