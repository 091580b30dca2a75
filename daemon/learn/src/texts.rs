//! Tokenised texts by number: what training reads. Tokenisation itself (prefixes, case, special tokens) is `mercer-model`'s.

use rustc_hash::FxHashMap;

use crate::error::{LearnError, Result};

/// Number of a text in its [`TextTable`].
pub type TextId = u32;

/// Token ids of many texts, each with its special tokens, equal texts stored once.
#[derive(Debug, Clone, Default)]
pub struct TextTable {
    tokens: Vec<u32>,
    /// `len + 1` rising positions in `tokens`.
    offsets: Vec<usize>,
    known: FxHashMap<Vec<u32>, TextId>,
}

impl TextTable {
    /// An empty table.
    #[must_use]
    pub fn new() -> Self {
        Self { offsets: vec![0], ..Self::default() }
    }

    /// The number of this text, which is added if it is new.
    pub fn push(&mut self, tokens: &[u32]) -> TextId {
        if let Some(id) = self.known.get(tokens) {
            return *id;
        }
        let id = self.len() as TextId;
        self.tokens.extend_from_slice(tokens);
        self.offsets.push(self.tokens.len());
        self.known.insert(tokens.to_vec(), id);
        id
    }

    /// Tokens of a text; empty for an unknown number.
    #[must_use]
    pub fn get(&self, id: TextId) -> &[u32] {
        let at = id as usize;
        match (self.offsets.get(at), self.offsets.get(at + 1)) {
            (Some(&from), Some(&to)) => &self.tokens[from..to],
            _ => &[],
        }
    }

    /// Number of texts.
    #[must_use]
    pub fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Whether there is no text.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds one text made of several: the bodies of `parts` (frame `from` taken off) below each other inside frame `to`, the first parts
    /// kept when `max_tokens` (frame included) is reached. Put the most recent first.
    pub fn concat(&mut self, parts: &[TextId], from: &Frame, to: &Frame, max_tokens: usize) -> TextId {
        let room = max_tokens.saturating_sub(to.open.len() + to.close.len());
        let mut text = to.open.clone();
        for part in parts {
            text.extend_from_slice(from.body(self.get(*part)));
        }
        text.truncate(to.open.len() + room);
        text.extend_from_slice(&to.close);
        self.push(&text)
    }

    /// Whether every text named can be encoded.
    ///
    /// # Errors
    /// [`LearnError::Text`] for the first that is unknown, empty, longer than `max_tokens` or holds a token of `vocabulary` or more.
    pub fn check(&self, ids: impl IntoIterator<Item = TextId>, vocabulary: usize, max_tokens: usize) -> Result<()> {
        for id in ids {
            let tokens = self.get(id);
            let why = if id as usize >= self.len() {
                format!("unknown, the table holds {}", self.len())
            } else if tokens.is_empty() {
                "has no tokens".to_owned()
            } else if tokens.len() > max_tokens {
                format!("has {} tokens, at most {max_tokens} fit", tokens.len())
            } else if let Some(t) = tokens.iter().find(|t| **t as usize >= vocabulary) {
                format!("token {t} lies outside the vocabulary of {vocabulary}")
            } else {
                continue;
            };
            return Err(LearnError::Text { id, why });
        }
        Ok(())
    }
}

/// What surrounds the words of a text: special tokens and the encoder's prefix (`[CLS] query :` and `[SEP]`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frame {
    /// Tokens in front.
    pub open: Vec<u32>,
    /// Tokens behind.
    pub close: Vec<u32>,
}

impl Frame {
    /// The text without this frame; parts of the frame that are not there are not taken off.
    #[must_use]
    pub fn body<'a>(&self, tokens: &'a [u32]) -> &'a [u32] {
        let tokens = tokens.strip_prefix(&self.open[..]).unwrap_or(tokens);
        tokens.strip_suffix(&self.close[..]).unwrap_or(tokens)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_are_stored_once() {
        let mut t = TextTable::new();
        assert_eq!((t.push(&[1, 5, 2]), t.push(&[1, 6, 2]), t.push(&[1, 5, 2])), (0, 1, 0));
        assert_eq!((t.len(), t.get(1), t.get(9)), (2, &[1, 6, 2][..], &[][..]));
    }

    #[test]
    fn concatenation_takes_frames_off_and_keeps_the_first() {
        let mut t = TextTable::new();
        let passage = Frame { open: vec![1, 90], close: vec![2] };
        let query = Frame { open: vec![1, 91], close: vec![2] };
        let (a, b) = (t.push(&[1, 90, 5, 6, 2]), t.push(&[1, 90, 7, 2]));
        let c = t.concat(&[a, b], &passage, &query, 10);
        assert_eq!(t.get(c), [1, 91, 5, 6, 7, 2]);
        let c = t.concat(&[a, b], &passage, &query, 5);
        assert_eq!(t.get(c), [1, 91, 5, 6, 2]);
        let c = t.concat(&[], &passage, &query, 1);
        assert_eq!(t.get(c), [1, 91, 2]);
    }

    #[test]
    fn texts_that_cannot_be_encoded_are_named() {
        let mut t = TextTable::new();
        t.push(&[1, 2]);
        t.push(&[]);
        t.push(&[1, 99]);
        t.push(&[1; 9]);
        assert!(t.check([0], 50, 8).is_ok());
        for (id, word) in [(1, "no tokens"), (2, "99"), (3, "9 tokens"), (4, "unknown")] {
            let error = t.check([0, id], 50, 8).unwrap_err().to_string();
            assert!(error.contains(word) && error.contains(&id.to_string()), "{error}");
        }
    }
}
