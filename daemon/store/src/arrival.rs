//! Arrival numbers: the order in which items and users were first stored. Their keys do not show it.
//!
//! Since schema 2 the record of an item and of a user's name starts with the number that the store gave it when the
//! record was first written (version 2 of the record). Records of schema 1 (version 1) have none: they count as 0 and
//! come first, in order of their keys.

use crate::core::{Core, Writer};
use crate::error::{Result, StoreError};
use crate::record::{unwrap, wrap};

/// Version byte of a record without an arrival number.
const UNNUMBERED: u8 = 1;
/// Version byte of a record that starts with an arrival number.
const NUMBERED: u8 = 2;
/// Bytes of an arrival number, little-endian.
const NUMBER_BYTES: usize = 8;

/// An arrival number and what follows it in the record.
pub(crate) struct Numbered<'a> {
    /// The number; 0 if the record is older than schema 2.
    pub(crate) arrival: u64,
    /// The rest of the payload.
    pub(crate) payload: &'a [u8],
}

impl<'a> Numbered<'a> {
    /// Reads the record at `key`.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`].
    pub(crate) fn read(key: &[u8], bytes: &'a [u8]) -> Result<Self> {
        match unwrap(key, bytes)? {
            (UNNUMBERED, payload) => Ok(Self { arrival: 0, payload }),
            (NUMBERED, numbered) => {
                let (number, payload) = numbered
                    .split_first_chunk::<NUMBER_BYTES>()
                    .ok_or_else(|| StoreError::corrupt(key, "the arrival number is missing"))?;
                Ok(Self { arrival: u64::from_le_bytes(*number), payload })
            }
            (version, _) => Err(StoreError::corrupt(key, format!("version {version} is not known"))),
        }
    }

    /// Bytes of the record at `key`.
    pub(crate) fn write(&self, key: &[u8]) -> Vec<u8> {
        wrap(key, NUMBERED, &[&self.arrival.to_le_bytes(), self.payload].concat())
    }
}

impl Writer {
    /// The number of an item or user that is new.
    pub(crate) const fn next_arrival(&mut self) -> u64 {
        let number = self.next_arrival;
        self.next_arrival += 1;
        number
    }
}

/// Finds the largest arrival number under a prefix; 0 if there is none. Damaged records are passed over: reading them reports
/// the damage.
pub(crate) fn largest(tree: &sled::Tree, prefix: u8) -> Result<u64> {
    let mut largest = 0;
    for entry in tree.scan_prefix([prefix]) {
        let (key, bytes) = entry?;
        largest = largest.max(Numbered::read(&key, &bytes).map_or(0, |record| record.arrival));
    }
    Ok(largest)
}

/// Lists the keys under a prefix in order of arrival. A damaged record comes last, so that the walk reports it and loses
/// nothing else.
pub(crate) fn keys(core: &Core, prefix: u8) -> Result<Vec<sled::IVec>> {
    let mut found = Vec::new();
    for entry in core.tree().scan_prefix([prefix]) {
        let (key, bytes) = entry?;
        let arrival = Numbered::read(&key, &bytes).map_or(u64::MAX, |record| record.arrival);
        found.push((arrival, key));
    }
    // Stable: equal numbers stay in order of their keys.
    found.sort_by_key(|(arrival, _)| *arrival);
    Ok(found.into_iter().map(|(_, key)| key).collect())
}
