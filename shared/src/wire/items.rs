//! Items of the catalogue.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use crate::ids::ItemId;
use crate::time::Timestamp;

/// An item as the shop sells it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// What the shop calls it.
    pub id: ItemId,
    /// Title for people; at most 1,000 bytes.
    pub title: String,
    /// Longer text; at most 20,000 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Brand or maker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub brand: Option<String>,
    /// Path from the widest to the narrowest category; a single string is a path of one.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "one_or_many")]
    pub category: Vec<String>,
    /// Price in `currency`, finite and not negative.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<f64>,
    /// ISO 4217 code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// Who sells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seller: Option<String>,
    /// Anything else that is known; numbers and truth values are kept as text.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "scalars")]
    pub attributes: BTreeMap<String, String>,
    /// Vector of a picture, made elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_embedding: Option<Vec<f32>>,
    /// From when on it can be bought; unknown is unknown, not new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub available_from: Option<Timestamp>,
    /// Whether it can be bought now.
    #[serde(default = "yes")]
    pub in_stock: bool,
    /// Whether it must not be shown in any list.
    #[serde(default)]
    pub hidden: bool,
}

impl Item {
    /// An item with nothing but id and title.
    #[must_use]
    pub fn new(id: ItemId, title: impl Into<String>) -> Self {
        Self {
            id,
            title: title.into(),
            description: None,
            brand: None,
            category: Vec::new(),
            price: None,
            currency: None,
            seller: None,
            attributes: BTreeMap::new(),
            image_embedding: None,
            available_from: None,
            in_stock: true,
            hidden: false,
        }
    }
}

/// The tombstone of an item that was deleted from the catalogue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeletedItem {
    /// The item.
    pub id: ItemId,
    /// When it was deleted.
    pub at: Timestamp,
}

/// A partial update: an absent field stays, `null` clears an optional one.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ItemPatch {
    /// New title.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// New description, or `null`.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub description: Option<Option<String>>,
    /// New brand, or `null`.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub brand: Option<Option<String>>,
    /// New category path.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "maybe_path")]
    pub category: Option<Vec<String>>,
    /// New price, or `null`.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub price: Option<Option<f64>>,
    /// New currency, or `null`.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub currency: Option<Option<String>>,
    /// New seller, or `null`.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub seller: Option<Option<String>>,
    /// Attributes to set; `null` removes one.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, Option<String>>,
    /// New moment from which it can be bought, or `null`.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub available_from: Option<Option<Timestamp>>,
    /// Whether it can be bought now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_stock: Option<bool>,
    /// Whether it must not be shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hidden: Option<bool>,
}

impl ItemPatch {
    /// Applies the patch.
    pub fn apply(self, item: &mut Item) {
        fn set<T>(slot: &mut T, new: Option<T>) {
            if let Some(new) = new {
                *slot = new;
            }
        }
        set(&mut item.title, self.title);
        set(&mut item.description, self.description);
        set(&mut item.brand, self.brand);
        set(&mut item.category, self.category);
        set(&mut item.price, self.price);
        set(&mut item.currency, self.currency);
        set(&mut item.seller, self.seller);
        set(&mut item.available_from, self.available_from);
        set(&mut item.in_stock, self.in_stock);
        set(&mut item.hidden, self.hidden);
        for (key, value) in self.attributes {
            match value {
                Some(value) => {
                    item.attributes.insert(key, value);
                }
                None => {
                    item.attributes.remove(&key);
                }
            }
        }
    }
}

fn yes() -> bool {
    true
}

/// Tells `null` (clear it) from an absent field (leave it).
fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::<T>::deserialize(deserializer).map(Some)
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a string or a list of strings")]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl From<OneOrMany> for Vec<String> {
    fn from(value: OneOrMany) -> Self {
        match value {
            OneOrMany::One(one) if one.is_empty() => Vec::new(),
            OneOrMany::One(one) => vec![one],
            OneOrMany::Many(many) => many,
        }
    }
}

fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    Ok(Option::<OneOrMany>::deserialize(deserializer)?.map(Vec::from).unwrap_or_default())
}

fn maybe_path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<String>>, D::Error> {
    one_or_many(deserializer).map(Some)
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a string, a number or a truth value")]
enum Scalar {
    Text(String),
    Flag(bool),
    Number(serde_json::Number),
}

/// Attribute maps: scalars of any type, kept as text.
pub(super) fn scalars<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    let raw = Option::<BTreeMap<String, Option<Scalar>>>::deserialize(deserializer)?.unwrap_or_default();
    Ok(raw
        .into_iter()
        .filter_map(|(key, value)| {
            let text = match value? {
                Scalar::Text(text) => text,
                Scalar::Flag(flag) => flag.to_string(),
                Scalar::Number(number) => number.to_string(),
            };
            Some((key, text))
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn category_may_be_a_string() {
        let item: Item = serde_json::from_str(
            r#"{"id":"1","title":"t","category":"SOCKS","attributes":{"size":42,"new":true,"gone":null}}"#,
        )
        .unwrap();
        assert_eq!(item.category, ["SOCKS"]);
        assert_eq!(item.attributes["size"], "42");
        assert_eq!(item.attributes.len(), 2);
        assert!(item.in_stock && !item.hidden);
        assert!(serde_json::from_str::<Item>(r#"{"id":"1","title":"t","colour":"red"}"#).is_err());
    }

    #[test]
    fn null_clears_and_absent_stays() {
        let mut item = Item::new(ItemId::new("1").unwrap(), "old");
        item.brand = Some("Acme".into());
        item.price = Some(2.0);
        let patch: ItemPatch = serde_json::from_str(r#"{"price":null,"title":"new"}"#).unwrap();
        patch.apply(&mut item);
        assert_eq!((item.price, item.brand.as_deref(), item.title.as_str()), (None, Some("Acme"), "new"));
    }
}
