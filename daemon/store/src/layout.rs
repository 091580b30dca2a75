//! Keys of the one sled tree. All records share one tree, because a batch on one tree is the cheapest atomic write: after a
//! crash, both the log and the names of a commit are there, or neither.
//!
//! | first byte | rest | value |
//! |---|---|---|
//! | `M` | name | schema, key check, counters |
//! | `L` | sequence number of the block's base, big-endian | block of interactions |
//! | `N` | pseudonym of a user | arrival number and sealed id |
//! | `S` | pseudonym of a session | sealed id |
//! | `X` | tombstone of an erased user | nothing |
//! | `T` | item id | arrival number and item |
//! | `R` | item id | tombstone of a deleted item |
//! | `U` | pseudonym | user |
//! | `D` | kind, key | JSON document |
//! | `V` | pseudonym of a user or zeros, milliseconds, query id | served list |
//! | `Q` | milliseconds, pseudonym of a user or zeros, query id | marks of the served list of that moment |
//! | `W` | day, part | what the lists of a day showed |

use mercer_shared::hex::to_hex;

use crate::pseudonym::Pseudonym;

pub(crate) const META: u8 = b'M';
pub(crate) const LOG: u8 = b'L';
pub(crate) const USER_NAME: u8 = b'N';
pub(crate) const SESSION_NAME: u8 = b'S';
pub(crate) const TOMBSTONE: u8 = b'X';
pub(crate) const ITEM: u8 = b'T';
pub(crate) const DELETED_ITEM: u8 = b'R';
pub(crate) const USER: u8 = b'U';
pub(crate) const DOCUMENT: u8 = b'D';
pub(crate) const SERVED: u8 = b'V';
pub(crate) const SERVED_TIME: u8 = b'Q';
pub(crate) const SERVED_DAY: u8 = b'W';

/// Joins prefix and rest to a key.
pub(crate) fn key(prefix: u8, rest: &[u8]) -> Vec<u8> {
    let mut key = Vec::with_capacity(1 + rest.len());
    key.push(prefix);
    key.extend_from_slice(rest);
    key
}

/// Key of a record that belongs to a pseudonym.
pub(crate) fn pseudonym_key(prefix: u8, pseudonym: &Pseudonym) -> [u8; 33] {
    let mut key = [prefix; 33];
    key[1..].copy_from_slice(&pseudonym.0);
    key
}

/// Pseudonym in the key of a record that belongs to one.
pub(crate) fn key_pseudonym(key: &[u8]) -> Option<Pseudonym> {
    key.get(1..)?.try_into().ok().map(Pseudonym)
}

/// Key of the block with this base.
pub(crate) fn log_key(base: u64) -> [u8; 9] {
    let mut key = [LOG; 9];
    key[1..].copy_from_slice(&base.to_be_bytes());
    key
}

/// Base of a block, from its key.
pub(crate) fn log_base(key: &[u8]) -> Option<u64> {
    key.get(1..)?.try_into().ok().map(u64::from_be_bytes)
}

/// Names a key in error messages; pseudonyms are shortened.
pub(crate) fn describe(key: &[u8]) -> String {
    let Some((prefix, rest)) = key.split_first() else { return "(empty key)".to_owned() };
    let hex = |bytes: &[u8]| to_hex(&bytes[..bytes.len().min(6)]);
    match *prefix {
        LOG => log_base(key).map_or_else(|| "log block (bad key)".to_owned(), |base| format!("log block {base}")),
        USER_NAME => format!("user name {}", hex(rest)),
        SESSION_NAME => format!("session name {}", hex(rest)),
        USER => format!("user {}", hex(rest)),
        TOMBSTONE => format!("tombstone {}", hex(rest)),
        SERVED => format!("served list {}", hex(rest)),
        SERVED_TIME => format!("moment of a served list {}", hex(rest)),
        SERVED_DAY => format!("day of served lists {}", hex(rest)),
        META => format!("meta {}", String::from_utf8_lossy(rest)),
        ITEM => format!("item {}", String::from_utf8_lossy(rest)),
        DELETED_ITEM => format!("tombstone of item {}", String::from_utf8_lossy(rest)),
        DOCUMENT => format!("document {}", String::from_utf8_lossy(rest)),
        _ => format!("unknown {}", hex(key)),
    }
}
