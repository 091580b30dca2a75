//! Mercer's durable state: items, users, the log of interactions, and the documents of the daemon itself (DESIGN.md
//! section 4). sled types stay inside this crate.
//!
//! # Invariants
//! * An interaction is acknowledged only after it is durable. A crash leaves a whole batch or nothing of it: the log and the
//!   names that belong to it are written as one sled batch.
//! * The index that finds repeated interactions is built from the log when the store is opened, so the two always agree.
//!   Measured on 300,000 interactions of 110 bytes: an index inside sled costs nine tenths of the throughput (81,000 a second
//!   instead of 1,130,000), more than half of the file, and more memory in sled's cache than the map.
//! * There is one writer at a time, behind one lock; readers need no lock.
//! * Every record starts with a version byte and a checksum over its key and its bytes. A record whose checksum does not match
//!   is [`StoreError::Corrupt`].
//! * After a failed write the store refuses further writes: [`Store::is_read_only`] tells the reason.
//! * User and session ids are stored as keyed pseudonyms; the ids themselves are sealed, see [`keys`].
//!
//! # Space
//! sled never overwrites: the bytes of a removed or replaced record stay in the file until sled cleans their segment, which may be
//! never. [`Store::compact`] writes the live records into fresh files and removes the old ones.

mod arrival;
mod audit;
mod audit_chain;
#[cfg(test)]
mod audit_tests;
mod block;
mod commit;
mod compact;
mod compaction_files;
mod consent;
mod core;
mod docs;
mod durable;
mod erase;
mod error;
mod expire;
mod export;
mod interaction;
mod items;
pub mod keys;
mod layout;
mod lock;
mod log;
mod migrate;
#[cfg(test)]
mod migration_tests;
mod names;
mod options;
mod pseudonym;
mod record;
mod recover;
mod served;
mod settings;
mod store;
mod user_record;
mod users;

pub use commit::{Appended, LineOutcome};
pub use compact::Compaction;
pub use consent::{ConsentOrigin, DocumentEffect, StoredConsent, StoredUser};
pub use docs::{DocKind, Order};
pub use erase::Erasure;
pub use error::{Result, StoreError};
pub use expire::Expired;
pub use interaction::StoredInteraction;
pub use items::Change;
pub use keys::{Key, KeyPurpose};
pub use log::Interactions;
pub use migrate::SCHEMA;
pub use options::Options;
pub use pseudonym::Pseudonym;
pub use served::{ServedDay, ServedKind, ServedRecord, ServedRow, ServedTotals};
pub use settings::{Setting, SettingDocument};
pub use store::{Store, StoreCounts};
pub use users::WrittenUser;
