//! Names: the sealed ids of users and sessions, stored under their pseudonyms.

use crate::arrival::Numbered;
use crate::core::{Core, Writer};
use crate::error::{Result, StoreError};
use crate::layout::{USER_NAME, key_pseudonym, pseudonym_key};
use crate::pseudonym::Pseudonym;
use crate::record::{unwrap, wrap};

/// Version byte of the record of a session's name; a user's name is a [`Numbered`] record.
const SESSION_NAME_VERSION: u8 = 1;

/// Pseudonyms kept in memory before the set is cleared, so that a log of many million sessions does not fill memory.
const REMEMBERED: usize = 1 << 20;

/// A record to be written.
pub(crate) struct NameRecord {
    /// Key of the record.
    pub(crate) key: [u8; 33],
    /// Bytes of the record.
    pub(crate) bytes: Vec<u8>,
}

/// Makes the record of a name, if it is not in the store yet. `prefix` is that of users or of sessions.
///
/// # Errors
/// [`StoreError::Storage`], [`StoreError::Invalid`] if the id cannot be sealed.
pub(crate) fn name_record(
    core: &Core,
    writer: &mut Writer,
    prefix: u8,
    pseudonym: Pseudonym,
    id: &str,
) -> Result<Option<NameRecord>> {
    if writer.named.len() >= REMEMBERED {
        writer.named.clear();
    }
    if !writer.named.insert(pseudonym) {
        return Ok(None);
    }
    let key = pseudonym_key(prefix, &pseudonym);
    if core.tree().contains_key(key)? {
        return Ok(None);
    }
    let sealed = core.keys.seal(&pseudonym, id)?;
    let bytes = if prefix == USER_NAME {
        Numbered { arrival: writer.next_arrival(), payload: &sealed }.write(&key)
    } else {
        wrap(&key, SESSION_NAME_VERSION, &sealed)
    };
    Ok(Some(NameRecord { key, bytes }))
}

/// Reads the id behind a pseudonym; `None` if the store has no name for it.
///
/// # Errors
/// [`StoreError::Corrupt`] if the record is damaged or sealed with another key.
pub(crate) fn find_name<T>(core: &Core, prefix: u8, pseudonym: &Pseudonym) -> Result<Option<T>>
where
    T: TryFrom<String, Error: std::fmt::Display>,
{
    let key = pseudonym_key(prefix, pseudonym);
    core.tree().get(key)?.map(|bytes| open_name(core, &key, &bytes)).transpose()
}

/// Opens the record of a name.
///
/// # Errors
/// [`StoreError::Corrupt`] if the record is damaged or sealed with another key.
pub(crate) fn open_name<T>(core: &Core, key: &[u8], bytes: &[u8]) -> Result<T>
where
    T: TryFrom<String, Error: std::fmt::Display>,
{
    let sealed = if key.first() == Some(&USER_NAME) {
        Numbered::read(key, bytes)?.payload
    } else {
        match unwrap(key, bytes)? {
            (SESSION_NAME_VERSION, sealed) => sealed,
            (version, _) => return Err(StoreError::corrupt(key, format!("version {version} is not known"))),
        }
    };
    let pseudonym = key_pseudonym(key).ok_or_else(|| StoreError::corrupt(key, "the key is no pseudonym"))?;
    let name =
        core.keys.open(&pseudonym, sealed).ok_or_else(|| StoreError::corrupt(key, "the sealed id does not open"))?;
    T::try_from(name).map_err(|error| StoreError::corrupt(key, error.to_string()))
}
