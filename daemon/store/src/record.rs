//! The format of records on disk: version byte, checksum, postcard. The structs are separate from the wire types,
//! because a wire type may gain and rename fields and a record may not.

use std::collections::BTreeMap;

use mercer_shared::ids::ItemId;
use mercer_shared::time::Timestamp;
use mercer_shared::wire::{DeletedItem, Item};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::{Result, StoreError};

/// Bytes before the payload: version and checksum.
const HEADER: usize = 5;

/// Checksum over key, version and payload. sled checks its own pages; this one finds a record under the wrong key, a foreign
/// program's writes, and our own bugs.
fn checksum(key: &[u8], version: u8, payload: &[u8]) -> [u8; 4] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&[version]).update(&(key.len() as u64).to_le_bytes()).update(key).update(payload);
    let mut sum = [0; 4];
    sum.copy_from_slice(&hasher.finalize().as_bytes()[..4]);
    sum
}

/// Wraps a payload for the record at `key`.
pub(crate) fn wrap(key: &[u8], version: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER + payload.len());
    bytes.push(version);
    bytes.extend_from_slice(&checksum(key, version, payload));
    bytes.extend_from_slice(payload);
    bytes
}

/// Splits the record at `key` into version and payload, if its checksum matches.
pub(crate) fn unwrap<'a>(key: &[u8], bytes: &'a [u8]) -> Result<(u8, &'a [u8])> {
    let (Some(&version), Some(sum), Some(payload)) = (bytes.first(), bytes.get(1..HEADER), bytes.get(HEADER..)) else {
        return Err(StoreError::corrupt(key, format!("{} bytes are no record", bytes.len())));
    };
    if sum != checksum(key, version, payload) {
        return Err(StoreError::corrupt(key, "the checksum does not match"));
    }
    Ok((version, payload))
}

/// A record of one version, encoded by postcard.
pub(crate) trait Record: Serialize + DeserializeOwned {
    /// Version byte of what this program writes.
    const VERSION: u8;

    /// Encodes the payload of the record.
    fn payload(&self) -> Result<Vec<u8>> {
        postcard::to_stdvec(self).map_err(|error| StoreError::Invalid(format!("cannot be encoded: {error}")))
    }

    /// Decodes the payload of the record at `key`.
    fn from_payload(key: &[u8], payload: &[u8]) -> Result<Self> {
        let (record, rest) =
            postcard::take_from_bytes(payload).map_err(|error| StoreError::corrupt(key, error.to_string()))?;
        if rest.is_empty() { Ok(record) } else { Err(StoreError::corrupt(key, "bytes are left over")) }
    }

    /// Encodes the whole record at `key`.
    fn encode(&self, key: &[u8]) -> Result<Vec<u8>> {
        Ok(wrap(key, Self::VERSION, &self.payload()?))
    }

    /// Decodes the whole record at `key`.
    fn decode(key: &[u8], bytes: &[u8]) -> Result<Self> {
        let (version, payload) = unwrap(key, bytes)?;
        if version != Self::VERSION {
            return Err(StoreError::corrupt(key, format!("version {version} is not known")));
        }
        Self::from_payload(key, payload)
    }
}

/// Refuses NaN and infinity, which JSON cannot represent.
pub(crate) fn finite(name: &str, value: Option<f64>) -> Result<Option<f64>> {
    match value {
        Some(number) if !number.is_finite() => Err(StoreError::Invalid(format!("{name} is not a finite number"))),
        _ => Ok(value),
    }
}

/// Converts stored milliseconds to a time.
pub(crate) fn moment(key: &[u8], ms: i64) -> Result<Timestamp> {
    Timestamp::from_millis(ms).map_err(|error| StoreError::corrupt(key, error.to_string()))
}

/// The payload of an item; the id is in the key. In the store an arrival number precedes it, see [`crate::arrival`].
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ItemV1 {
    title: String,
    description: Option<String>,
    brand: Option<String>,
    category: Vec<String>,
    price: Option<f64>,
    currency: Option<String>,
    seller: Option<String>,
    attributes: BTreeMap<String, String>,
    image_embedding: Option<Vec<f32>>,
    available_from: Option<i64>,
    in_stock: bool,
    hidden: bool,
}

impl Record for ItemV1 {
    const VERSION: u8 = 1;
}

impl ItemV1 {
    /// Splits an item into its id and its record.
    pub(crate) fn from_wire(item: Item) -> Result<(ItemId, Self)> {
        if item.image_embedding.iter().flatten().any(|component| !component.is_finite()) {
            return Err(StoreError::Invalid("image_embedding holds a number that is not finite".to_owned()));
        }
        let record = Self {
            title: item.title,
            description: item.description,
            brand: item.brand,
            category: item.category,
            price: finite("price", item.price)?,
            currency: item.currency,
            seller: item.seller,
            attributes: item.attributes,
            image_embedding: item.image_embedding,
            available_from: item.available_from.map(Timestamp::millis),
            in_stock: item.in_stock,
            hidden: item.hidden,
        };
        Ok((item.id, record))
    }

    /// Converts back to the wire.
    pub(crate) fn into_wire(self, key: &[u8], id: ItemId) -> Result<Item> {
        Ok(Item {
            id,
            title: self.title,
            description: self.description,
            brand: self.brand,
            category: self.category,
            price: self.price,
            currency: self.currency,
            seller: self.seller,
            attributes: self.attributes,
            image_embedding: self.image_embedding,
            available_from: self.available_from.map(|ms| moment(key, ms)).transpose()?,
            in_stock: self.in_stock,
            hidden: self.hidden,
        })
    }
}

/// The tombstone of a deleted item, first version; the id is in the key.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct DeletedItemV1 {
    at: i64,
}

impl Record for DeletedItemV1 {
    const VERSION: u8 = 1;
}

impl DeletedItemV1 {
    /// The tombstone of an item that was deleted at this time.
    pub(crate) const fn new(at: Timestamp) -> Self {
        Self { at: at.millis() }
    }

    /// Converts back to the wire.
    pub(crate) fn into_wire(self, key: &[u8], id: ItemId) -> Result<DeletedItem> {
        Ok(DeletedItem { id, at: moment(key, self.at)? })
    }
}

#[cfg(test)]
mod tests {
    use proptest::option::of;
    use proptest::prelude::*;

    use super::*;

    prop_compose! {
        fn item()(
            title in ".{0,60}",
            texts in (of(".{0,60}"), of(".{0,9}"), of("[A-Z]{3}"), of(".{0,9}")),
            category in prop::collection::vec(".{1,9}", 0..4),
            price in of(0.0..1e9),
            attributes in prop::collection::btree_map(".{1,5}", ".{0,9}", 0..4),
            image_embedding in of(prop::collection::vec(-1.0..1.0_f32, 0..9)),
            available_from in of(0..=Timestamp::MAX.millis()),
            flags in any::<(bool, bool)>(),
        ) -> Item {
            Item {
                description: texts.0,
                brand: texts.1,
                category,
                price,
                currency: texts.2,
                seller: texts.3,
                attributes,
                image_embedding,
                available_from: available_from.map(|ms| Timestamp::from_millis(ms).unwrap()),
                in_stock: flags.0,
                hidden: flags.1,
                ..Item::new(ItemId::new("1").unwrap(), title)
            }
        }
    }

    proptest! {
        #[test]
        fn items_come_back(item in item()) {
            let (id, record) = ItemV1::from_wire(item.clone()).unwrap();
            let bytes = record.encode(b"T1").unwrap();
            let back = ItemV1::decode(b"T1", &bytes).unwrap().into_wire(b"T1", id).unwrap();
            prop_assert_eq!(back, item);
            prop_assert!(ItemV1::decode(b"T2", &bytes).is_err(), "a record belongs to its key");
            prop_assert!(ItemV1::decode(b"T1", &bytes[..bytes.len() - 1]).is_err());
        }
    }

    #[test]
    fn later_versions_and_left_over_bytes_are_refused() {
        let payload = postcard::to_stdvec(&DeletedItemV1 { at: 1 }).unwrap();
        assert!(DeletedItemV1::decode(b"R", &wrap(b"R", 1, &payload)).is_ok());
        assert!(DeletedItemV1::decode(b"R", &wrap(b"R", 2, &payload)).unwrap_err().to_string().contains("version 2"));
        assert!(DeletedItemV1::decode(b"R", &wrap(b"R", 1, &[payload, vec![0]].concat())).is_err());
    }
}
