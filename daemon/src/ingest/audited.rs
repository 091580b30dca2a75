//! How the audit log names users: by the keyed hash that also stands for them after an erasure. So nothing in the log has to change
//! when a user is erased, and without the key no entry can be matched with the store.

use mercer_shared::ids::UserId;
use mercer_shared::wire::{AuditEntry, Page};
use mercer_store::{DocKind, Order};

use crate::state::app::App;
use crate::state::problems::{Answer, store_problem};

/// Entries that are read at once.
const PAGE: usize = 1_000;

/// The name of a user in the audit log.
#[must_use]
pub fn name(app: &App, user: &UserId) -> String {
    app.store.tombstone(user).hex()
}

/// Renames a user in entries of programs that named users by their pseudonym. Returns how many there were.
///
/// # Errors
/// The store's.
pub(super) fn forget(app: &App, pseudonym: &str, tombstone: &str) -> Answer<u64> {
    let (mut renamed, mut cursor) = (0, None::<String>);
    loop {
        let page: Page<AuditEntry> = app
            .store
            .list_docs(DocKind::Audit, Order::Oldest, cursor.as_deref(), PAGE)
            .map_err(|error| store_problem(&error))?;
        for mut entry in page.items.into_iter().filter(|entry| entry.target == pseudonym) {
            tombstone.clone_into(&mut entry.target);
            app.store.replace_audit(&entry).map_err(|error| store_problem(&error))?;
            renamed += 1;
        }
        cursor = page.next_cursor;
        if cursor.is_none() {
            return Ok(renamed);
        }
    }
}
