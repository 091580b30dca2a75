//! What is read of an item: its fields for the lexical index, its passage for the encoder.

use mercer_shared::wire::Item;

use crate::text::clean;

/// The text of an item under its dense number.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Document {
    /// Dense number of the item: its row in the dense index.
    pub item: u32,
    /// Title.
    pub title: String,
    /// Description, or empty.
    pub description: String,
    /// Brand, or empty.
    pub brand: String,
    /// Category path, joined by spaces.
    pub category: String,
    /// Attribute values, joined by spaces.
    pub attributes: String,
}

impl Document {
    /// The document of an item.
    #[must_use]
    pub fn from_item(number: u32, item: &Item) -> Self {
        // A separator that is no word character keeps the end of one value and the start of the next apart.
        let join = |values: &mut dyn Iterator<Item = &str>| values.collect::<Vec<_>>().join(" ; ");
        Self {
            item: number,
            title: item.title.clone(),
            description: item.description.clone().unwrap_or_default(),
            brand: item.brand.clone().unwrap_or_default(),
            category: join(&mut item.category.iter().map(String::as_str)),
            attributes: join(&mut item.attributes.values().map(String::as_str)),
        }
    }
}

/// The passage of an item that the encoder embeds, for search and for training alike: its cleaned title. The encoder adds its own
/// prefix and lower-cases.
#[must_use]
pub fn passage_text(item: &Item) -> String {
    clean(&item.title)
}
