//! How the audit log names users: by the keyed hash that also stands for them after an erasure. So nothing in the log has to change
//! when a user is erased, and without the key no entry can be matched with the store.

use mercer_shared::ids::UserId;

use crate::state::app::App;
use crate::state::problems::{Answer, store_problem};

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
    app.store.rename_audit_target(pseudonym, tombstone).map_err(|error| store_problem(&error))
}
