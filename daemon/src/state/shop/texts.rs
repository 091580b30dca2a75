//! Query texts by number. An event of the log names its text by number, and the sequence model reads the text's vector. A text is kept while
//! a search in the log names it; the texts of erased users are removed with their searches.

use std::num::NonZeroUsize;
use std::sync::Arc;

use lru::LruCache;
use mercer_rank::{Log, Vectors};
use mercer_search::clean;
use rustc_hash::FxHashMap;

/// Texts whose vectors are kept: the most recently searched. A vector takes 1.5 kB at a width of 384, which makes 15 MB. Searches for other
/// texts are skipped until the text is searched for again.
const MOST_TEXTS: NonZeroUsize = NonZeroUsize::new(10_000).unwrap();

/// A text and how many searches in the log ask for it.
#[derive(Debug, Clone)]
struct Asked {
    text: Arc<str>,
    searches: u32,
}

/// The texts by number and the other way round; `clone` is a snapshot.
#[derive(Debug, Clone, Default)]
pub struct Texts {
    numbers: imbl::HashMap<Arc<str>, u32>,
    asked: imbl::Vector<Option<Asked>>,
}

/// The normalised text of a query: without case, HTML entities and surplus spaces. `None` for an empty one.
fn normal(query: &str) -> Option<Arc<str>> {
    let text = clean(query).to_lowercase();
    (!text.is_empty()).then(|| text.into())
}

impl Texts {
    /// The text of a number, while it is in the log.
    #[must_use]
    pub fn get(&self, number: u32) -> Option<&Arc<str>> {
        self.asked.get(number as usize)?.as_ref().map(|asked| &asked.text)
    }

    /// The number of a query that was searched for before.
    #[must_use]
    pub fn number(&self, query: &str) -> Option<u32> {
        self.numbers.get(&normal(query)?).copied()
    }

    /// Adds a search and returns the number of its text.
    pub(crate) fn take(&mut self, query: &str) -> Option<u32> {
        let text = normal(query)?;
        if let Some(&number) = self.numbers.get(&text) {
            if let Some(Some(asked)) = self.asked.get_mut(number as usize) {
                asked.searches = asked.searches.saturating_add(1);
            }
            return Some(number);
        }
        let number = self.asked.len() as u32;
        self.numbers.insert(Arc::clone(&text), number);
        self.asked.push_back(Some(Asked { text, searches: 1 }));
        Some(number)
    }

    /// Removes a search. True if it was the last one for its text; the text is then removed too.
    pub(crate) fn release(&mut self, number: u32) -> bool {
        let Some(slot) = self.asked.get_mut(number as usize) else { return false };
        let Some(asked) = slot else { return false };
        asked.searches = asked.searches.saturating_sub(1);
        if asked.searches > 0 {
            return false;
        }
        if let Some(asked) = slot.take() {
            self.numbers.remove(&asked.text);
        }
        true
    }

    /// The latest searched texts of a log, ten thousand at most, by their last search, newest first, then by text. The
    /// order does not depend on the shop's numbers.
    #[must_use]
    pub fn latest(&self, log: &Log) -> Vec<u32> {
        let mut last: FxHashMap<u32, i64> = FxHashMap::default();
        for user in 0..log.users() as u32 {
            for (number, at) in log.events(user).iter().filter_map(|event| Some((event.text?, event.at))) {
                let latest = last.entry(number).or_insert(at);
                *latest = at.max(*latest);
            }
        }
        let mut all: Vec<(i64, &Arc<str>, u32)> =
            last.into_iter().filter_map(|(number, at)| Some((at, self.get(number)?, number))).collect();
        all.sort_unstable_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(b.1)));
        all.truncate(MOST_TEXTS.get());
        all.into_iter().map(|(.., number)| number).collect()
    }
}

/// Which texts have vectors in the shop, and which wait for one; the latest of both.
#[derive(Debug)]
pub(crate) struct Embedding {
    /// Texts without a vector; the latest is embedded first.
    waiting: LruCache<u32, ()>,
    /// Texts with a vector; the least recently searched is evicted first.
    done: LruCache<u32, ()>,
}

impl Default for Embedding {
    fn default() -> Self {
        Self { waiting: LruCache::new(MOST_TEXTS), done: LruCache::new(MOST_TEXTS) }
    }
}

impl Embedding {
    /// A text was asked for.
    pub(crate) fn ask(&mut self, number: u32) {
        // One that has a vector is the latest of them now.
        if self.done.get(&number).is_none() {
            self.waiting.put(number, ());
        }
    }

    /// Up to `most` that wait.
    pub(crate) fn take(&mut self, most: usize) -> Vec<u32> {
        std::iter::from_fn(|| self.waiting.pop_mru()).map(|(number, ())| number).take(most).collect()
    }

    /// A text has its vector now; gives the one that is let go for it.
    pub(crate) fn set(&mut self, number: u32) -> Option<u32> {
        self.waiting.pop(&number);
        self.done.push(number, ()).map(|(gone, ())| gone).filter(|gone| *gone != number)
    }

    /// A text is gone.
    pub(crate) fn forget(&mut self, number: u32) {
        self.waiting.pop(&number);
        self.done.pop(&number);
    }

    /// Drops all vectors: all texts wait again, the last one to be embedded first.
    pub(crate) fn begin(&mut self, numbers: impl Iterator<Item = u32>) {
        *self = Self::default();
        numbers.for_each(|number| self.ask(number));
    }
}

/// Takes a vector away.
pub(crate) fn clear(vectors: &mut Vectors, number: u32) {
    if vectors.get(number).is_some() {
        // The width is the table's own, so this cannot be refused.
        let _ = vectors.set(number, vec![0.0; vectors.dim()].into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mercer_rank::{Event, InteractionType};

    #[test]
    fn a_text_is_kept_for_as_long_as_somebody_asks_for_it() {
        let mut texts = Texts::default();
        assert_eq!(texts.take("Red  Mug "), Some(0));
        assert_eq!(texts.take("teapot"), Some(1));
        assert_eq!(texts.take("red mug"), Some(0));
        assert_eq!(texts.take("  "), None);
        assert!(!texts.release(0) && texts.get(0).is_some());
        assert!(texts.release(0) && texts.get(0).is_none() && texts.number("red mug").is_none());
        assert!(!texts.release(0), "gone once");
        // Its number is not given to another text.
        assert_eq!(texts.take("red mug"), Some(2));
        assert_eq!(texts.number(" TEAPOT"), Some(1));
    }

    #[test]
    fn the_latest_do_not_depend_on_the_numbering() {
        let latest = |order: [&str; 3]| {
            let (mut texts, mut log) = (Texts::default(), Log::new());
            let numbers = order.map(|text| texts.take(text).unwrap());
            for (text, at) in [("a", 5), ("b", 9), ("c", 5), ("a", 3)] {
                let number = numbers[order.iter().position(|known| *known == text).unwrap()];
                log.push(0, Event { item: None, text: Some(number), kind: InteractionType::Search, value: 1.0, at });
            }
            texts.latest(&log).iter().map(|number| texts.get(*number).unwrap().to_string()).collect::<Vec<_>>()
        };
        assert_eq!(latest(["a", "b", "c"]), ["b", "a", "c"]);
        assert_eq!(latest(["c", "a", "b"]), ["b", "a", "c"]);
    }

    #[test]
    fn what_is_asked_for_now_comes_first_and_what_nobody_asks_for_is_let_go() {
        let most = MOST_TEXTS.get() as u32;
        let mut embedding = Embedding::default();
        embedding.begin(0..most + 2);
        embedding.ask(7);
        assert_eq!(embedding.take(3), [7, most + 1, most]);
        assert_eq!(embedding.take(2 * MOST_TEXTS.get()).len(), MOST_TEXTS.get() - 3, "the two oldest wait no more");
        for number in 2..most + 2 {
            assert_eq!(embedding.set(number), None);
        }
        embedding.ask(2);
        assert!(embedding.take(9).is_empty(), "it has a vector");
        // The second was just asked for, so the third makes room; and when that comes back it is not itself what goes.
        assert_eq!(embedding.set(most + 2), Some(3));
        embedding.ask(3);
        assert_eq!(embedding.take(9), [3]);
        assert_eq!(embedding.set(3), Some(4));
        embedding.forget(3);
        embedding.ask(3);
        assert_eq!(embedding.take(9), [3]);
    }
}
