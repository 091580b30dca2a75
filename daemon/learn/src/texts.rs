//! Tokenised texts by number, the input of every training run. `mercer-model` does the tokenisation (prefixes, case, special tokens).

use rustc_hash::FxHashMap;

use crate::error::{LearnError, Result};

/// Number of a text in its [`TextTable`].
pub type TextId = u32;

/// Token ids of many texts, each with its special tokens. Equal texts are stored once.
#[derive(Debug, Clone, Default)]
pub struct TextTable {
    tokens: Vec<u32>,
    /// `len + 1` ascending positions in `tokens`.
    offsets: Vec<usize>,
    known: FxHashMap<Vec<u32>, TextId>,
}

impl TextTable {
    /// An empty table.
    #[must_use]
    pub fn new() -> Self {
        Self { offsets: vec![0], ..Self::default() }
    }

    /// Adds a text unless the table has it; returns its number.
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

    /// Feeds the length and the tokens of every text to a hash.
    pub(crate) fn hash_into(&self, hash: &mut blake3::Hasher) {
        for id in 0..self.len() as TextId {
            let tokens = self.get(id);
            hash.update(&(tokens.len() as u64).to_le_bytes());
            for t in tokens {
                hash.update(&t.to_le_bytes());
            }
        }
    }

    /// Checks that every text of `ids` can be encoded.
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

/// Tokens around the words of a text: special tokens and the encoder's prefix (`[CLS] query :` and `[SEP]`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TextTemplate {
    /// Tokens in front.
    pub open: Vec<u32>,
    /// Tokens behind.
    pub close: Vec<u32>,
}

impl TextTemplate {
    /// The text without this template; a missing part is ignored.
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
