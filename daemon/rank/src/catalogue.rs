//! The catalogue: facts of items, their vectors and those of search texts, by dense number.
use std::sync::Arc;

use crate::chunked::Chunked;
use crate::error::RankError;
use crate::vectors::Vectors;
use crate::whitening::{WhitenedVectors, Whitening};

/// Facts of one item; a missing value is `None`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ItemFacts {
    /// Price in the shop's currency.
    pub price: Option<f32>,
    /// Dense number of the category.
    pub category: Option<u32>,
    /// Dense number of the brand (or of whatever groups titles, such as their first word).
    pub brand: Option<u32>,
    /// Not before this moment, UTC milliseconds.
    pub available_from: Option<i64>,
    /// Never to be listed.
    pub hidden: bool,
    /// Can be bought.
    pub in_stock: bool,
    /// [`stable_key`] of the item id; 0 for none, the number stands in for it then. It orders equal scores, sums and samples and seeds
    /// factors, so that lists do not depend on how items are numbered.
    pub key: u64,
}

impl Default for ItemFacts {
    fn default() -> Self {
        Self { price: None, category: None, brand: None, available_from: None, hidden: false, in_stock: true, key: 0 }
    }
}

/// Key of the hash in [`stable_key`]. It is public: the order of equal scores must be the same in every installation of a shop.
const KEY: [u8; 32] = *b"mercer item and user order 2026a";

/// Hash of the external id of an item or user (METRICS.md section 0: ties are broken by a keyed hash of the id, never by catalogue order,
/// id order or label). It does not depend on the installation or on the order of an import.
#[must_use]
pub fn stable_key(id: &str) -> u64 {
    let hash = blake3::keyed_hash(&KEY, id.as_bytes());
    let mut first = [0u8; 8];
    first.copy_from_slice(&hash.as_bytes()[..8]);
    u64::from_le_bytes(first)
}

/// All items; `clone` is a cheap snapshot.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    items: Chunked<ItemFacts>,
    vectors: Option<Vectors>,
    whitened: Option<WhitenedVectors>,
    texts: Option<Vectors>,
}

impl Catalogue {
    /// A catalogue of these items, numbered in order.
    pub fn new(items: impl IntoIterator<Item = ItemFacts>) -> Self {
        Self { items: items.into_iter().collect(), vectors: None, whitened: None, texts: None }
    }

    /// Sets or appends an item; gaps are filled with hidden items.
    pub fn set(&mut self, item: u32, facts: ItemFacts) {
        self.items.set(item as usize, facts, || ItemFacts { hidden: true, ..ItemFacts::default() });
    }

    /// Replaces the item vectors and drops the whitened ones: see [`Catalogue::set_whitened`].
    pub fn set_vectors(&mut self, vectors: Option<Vectors>) {
        self.vectors = vectors;
        self.whitened = None;
    }

    /// Sets one item's vector, and its whitened vector where there are whitened ones. Does nothing where there are no vectors at all.
    ///
    /// # Errors
    /// When the vector's length is not that of the others.
    pub fn set_vector(&mut self, item: u32, vector: Arc<[f32]>) -> Result<(), RankError> {
        let Some(vectors) = &mut self.vectors else { return Ok(()) };
        vectors.set(item, Arc::clone(&vector))?;
        let Some(whitened) = &mut self.whitened else { return Ok(()) };
        whitened.set(item, &vector)
    }

    /// The item vectors, if there are any.
    pub fn vectors(&self) -> Option<&Vectors> {
        self.vectors.as_ref()
    }

    /// Sets the whitened vectors by which items are compared; `None` compares the vectors as they are.
    pub fn set_whitened(&mut self, whitened: Option<WhitenedVectors>) {
        self.whitened = whitened;
    }

    /// Whitens the vectors of items that have no whitened one yet.
    ///
    /// # Errors
    /// When the whitening is for vectors of another length.
    pub fn complete_whitened(&mut self) -> Result<(), RankError> {
        match (&self.vectors, &mut self.whitened) {
            (Some(vectors), Some(whitened)) => whitened.complete(vectors),
            _ => Ok(()),
        }
    }

    /// The whitening of the vectors by which items are compared; `None` where they are compared as they are.
    pub fn whitening(&self) -> Option<&Arc<Whitening>> {
        self.whitened.as_ref().map(WhitenedVectors::whitening)
    }

    /// The vectors by which items are compared: the whitened ones where there are any.
    pub fn similarity_vectors(&self) -> Option<&Vectors> {
        self.whitened.as_ref().map(WhitenedVectors::vectors).or(self.vectors.as_ref())
    }

    /// Replaces the vectors of search texts, by the number of the text. They come from the encoder that the sequence model was trained with,
    /// which may differ from that of the item vectors.
    pub fn set_texts(&mut self, texts: Option<Vectors>) {
        self.texts = texts;
    }

    /// Vectors of search texts, if there are any.
    pub fn texts(&self) -> Option<&Vectors> {
        self.texts.as_ref()
    }

    /// Vectors of search texts, to change.
    pub fn texts_mut(&mut self) -> Option<&mut Vectors> {
        self.texts.as_mut()
    }

    /// Number of items.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there is no item.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Facts of an item.
    pub fn get(&self, item: u32) -> Option<&ItemFacts> {
        self.items.get(item as usize)
    }

    /// Facts of all items in order.
    pub fn iter(&self) -> impl Iterator<Item = &ItemFacts> {
        self.items.iter()
    }

    /// Stable keys of all items.
    pub(crate) fn keys(&self) -> Vec<u64> {
        (0..self.len() as u32).map(|item| self.key(item)).collect()
    }

    /// Stable key of an item; its number where it has none.
    pub(crate) fn key(&self, item: u32) -> u64 {
        match self.get(item) {
            Some(facts) if facts.key != 0 => facts.key,
            _ => u64::from(item),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_compared_by_whitened_vectors_until_the_vectors_are_replaced() {
        let row = |n: u32| -> Arc<[f32]> { [1.0 + (n % 7) as f32 / 50.0, (n % 5) as f32 / 20.0, 0.1].into() };
        let vectors = Vectors::from_rows(3, (0..40).map(|n| (n, row(n)))).unwrap();
        let whitening = Arc::new(Whitening::fit(&vectors).unwrap());
        let mut catalogue = Catalogue::new((0..42).map(|_| ItemFacts::default()));
        catalogue.set_vectors(Some(vectors.clone()));
        assert_eq!(catalogue.similarity_vectors().unwrap().get(3), vectors.get(3));
        catalogue.set_whitened(Some(WhitenedVectors::new(&Vectors::new(3), Arc::clone(&whitening)).unwrap()));
        assert!(catalogue.similarity_vectors().unwrap().get(3).is_none());
        catalogue.complete_whitened().unwrap();
        let compared =
            |catalogue: &Catalogue, n: u32| catalogue.similarity_vectors().unwrap().get(n).map(<[f32]>::to_vec);
        assert_eq!(compared(&catalogue, 3).unwrap(), *whitening.apply(&row(3)));
        assert!(compared(&catalogue, 41).is_none());
        // New and changed items are whitened at once.
        catalogue.set_vector(41, row(17)).unwrap();
        catalogue.set_vector(3, row(4)).unwrap();
        assert_eq!(compared(&catalogue, 41), compared(&catalogue, 17));
        assert_eq!(compared(&catalogue, 3), compared(&catalogue, 4));
        assert!(catalogue.set_vector(3, vec![1.0; 2].into()).is_err());
        assert!(WhitenedVectors::new(&Vectors::new(2), whitening).is_err());
        // Whitened vectors of the old vectors are not used for new ones.
        catalogue.set_vectors(Some(vectors.clone()));
        assert_eq!(catalogue.similarity_vectors().unwrap().get(3), vectors.get(3));
    }
}
