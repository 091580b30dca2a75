//! Mercer's durable state: items, users, the log of interactions, and what the daemon notes about itself (DESIGN.md
//! section 4). sled stays inside this crate.
//!
//! # What holds
//! * An interaction is acknowledged only after it is durable; a batch that was cut off by a crash is there as a whole or
//!   not at all: the log and the names that belong to it are written as one sled batch.
//! * The index that finds repeated interactions is derived from the log when the store is opened, so the two agree by
//!   construction. Measured on 300,000 interactions of 110 bytes: an index inside sled costs nine tenths of the throughput
//!   (81,000 a second instead of 1,130,000), more than half of the file, and more memory in sled's cache than the map.
//! * One writer at a time, under one lock; readers need none.
//! * Every record opens with a version byte and a checksum over its key and its bytes. What does not check is
//!   [`StoreError::Corrupt`], never a guess.
//! * Once a write has failed nothing more is written: [`Store::is_read_only`] says why.
//! * User and session ids are stored as keyed pseudonyms; the ids themselves only sealed, see [`keys`].
//!
//! # Space
//! sled never overwrites: a removed or replaced record leaves the file when its segment is cleaned. Until then its bytes
//! are on disk, though nothing reads them.

mod block;
mod commit;
mod docs;
mod durable;
mod erase;
mod error;
mod items;
pub mod keys;
mod layout;
mod lock;
mod log;
mod migrate;
mod record;
mod recover;
mod store;
mod transfer;
mod users;

pub use commit::{Appended, LineOutcome};
pub use docs::{DocKind, Order};
pub use erase::Erasure;
pub use error::StoreError;
pub use items::Change;
pub use keys::{Key, Pseudonym};
pub use log::{Interactions, StoredInteraction};
pub use migrate::SCHEMA;
pub use store::{Options, Store, StoreCounts};
pub use transfer::{ImportCounts, Importer};

/// What every call of this crate that can fail returns.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;
