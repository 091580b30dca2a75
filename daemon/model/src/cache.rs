//! Vectors of recent queries. Two generations stand in for an exact least-recently-used order: a hit moves to the young one, and when that is full
//! it becomes the old one and the former old one is forgotten. Bounded in entries and in the length of a remembered text.

use std::collections::HashMap;
use std::sync::Arc;

/// Longer queries are not remembered: they seldom come twice.
const LONGEST: usize = 512;

#[derive(Debug)]
pub(crate) struct QueryCache {
    /// Entries of one generation at most.
    half: usize,
    version: Arc<str>,
    young: HashMap<String, Arc<[f32]>>,
    old: HashMap<String, Arc<[f32]>>,
}

impl QueryCache {
    pub(crate) fn new(entries: usize) -> Self {
        Self { half: entries.div_ceil(2), version: "".into(), young: HashMap::new(), old: HashMap::new() }
    }

    pub(crate) fn clear(&mut self) {
        self.young.clear();
        self.old.clear();
    }

    pub(crate) fn get(&mut self, version: &str, text: &str) -> Option<Arc<[f32]>> {
        if *self.version != *version {
            return None;
        }
        if let Some(hit) = self.young.get(text) {
            return Some(Arc::clone(hit));
        }
        let (key, hit) = self.old.remove_entry(text)?;
        self.insert(key, Arc::clone(&hit));
        Some(hit)
    }

    pub(crate) fn put(&mut self, version: &Arc<str>, text: &str, vector: &[f32]) {
        if self.half == 0 || text.len() > LONGEST {
            return;
        }
        if self.version != *version {
            self.clear();
            self.version = Arc::clone(version);
        }
        self.insert(text.to_owned(), vector.into());
    }

    fn insert(&mut self, text: String, vector: Arc<[f32]>) {
        if self.young.len() >= self.half {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(text, vector);
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
            assert!(cache.young.len() + cache.old.len() <= 9);
        }
        assert!(cache.get("a", "q3").is_none());
    }

    #[test]
    fn a_vector_of_another_version_is_never_given() {
        let mut cache = QueryCache::new(8);
        cache.put(&"a".into(), "x", &[1.0]);
        assert!(cache.get("b", "x").is_none());
        cache.put(&"b".into(), "y", &[2.0]);
        assert!(cache.get("a", "x").is_none() && cache.get("b", "x").is_none());
    }
}
