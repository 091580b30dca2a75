//! Vectors of recent queries under one encoder version: a least-recently-used cache, bounded in entries and in the length of a text.

use std::num::NonZeroUsize;
use std::sync::Arc;

use lru::LruCache;

/// Longer queries are not cached, because they rarely repeat.
const MAX_TEXT_BYTES: usize = 512;

#[derive(Debug)]
pub(crate) struct QueryCache {
    version: Arc<str>,
    /// `None` if caching is switched off.
    vectors: Option<LruCache<String, Arc<[f32]>>>,
}

impl QueryCache {
    /// A cache of at most `entries` vectors; 0 switches caching off.
    pub(crate) fn new(entries: usize) -> Self {
        Self { version: "".into(), vectors: NonZeroUsize::new(entries).map(LruCache::new) }
    }

    pub(crate) fn clear(&mut self) {
        if let Some(vectors) = &mut self.vectors {
            vectors.clear();
        }
    }

    /// The vector of a query under this encoder version.
    pub(crate) fn get(&mut self, version: &str, text: &str) -> Option<Arc<[f32]>> {
        if *self.version != *version {
            return None;
        }
        self.vectors.as_mut()?.get(text).cloned()
    }

    /// Adds a vector; one of another version than the cached ones replaces them all.
    pub(crate) fn put(&mut self, version: &Arc<str>, text: &str, vector: &[f32]) {
        if text.len() > MAX_TEXT_BYTES {
            return;
        }
        if self.version != *version {
            self.clear();
            self.version = Arc::clone(version);
        }
        if let Some(vectors) = &mut self.vectors {
            vectors.put(text.to_owned(), vector.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_is_asked_for_and_stays_bounded() {
        let version: Arc<str> = "a".into();
        let mut cache = QueryCache::new(8);
        cache.put(&version, "kept", &[1.0]);
        for i in 0..100 {
            cache.put(&version, &format!("q{i}"), &[0.0]);
            assert_eq!(cache.get("a", "kept").as_deref(), Some(&[1.0][..]), "after {i}");
            assert!(cache.vectors.as_ref().unwrap().len() <= 8);
        }
        assert!(cache.get("a", "q3").is_none() && cache.get("a", "q99").is_some());
    }

    #[test]
    fn a_vector_of_another_version_is_never_given() {
        let mut cache = QueryCache::new(8);
        cache.put(&"a".into(), "x", &[1.0]);
        assert!(cache.get("b", "x").is_none());
        cache.put(&"b".into(), "y", &[2.0]);
        assert!(cache.get("a", "x").is_none() && cache.get("b", "x").is_none());
    }

    #[test]
    fn without_entries_and_for_long_texts_nothing_is_kept() {
        let long = "x".repeat(MAX_TEXT_BYTES + 1);
        let (mut none, mut some) = (QueryCache::new(0), QueryCache::new(8));
        none.put(&"a".into(), "x", &[1.0]);
        some.put(&"a".into(), &long, &[1.0]);
        assert!(none.get("a", "x").is_none() && some.get("a", &long).is_none());
    }
}
