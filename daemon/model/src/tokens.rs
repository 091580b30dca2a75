//! Tokenises texts by the encoder's own tokenizer and text rules.

use tokenizers::{Tokenizer, TruncationDirection, TruncationParams, TruncationStrategy};

use crate::config::BertConfig;
use crate::error::ModelError;
use crate::rules::{TextKind, TextRules};

/// Tokenizer of one encoder with its text rules: prefix, case, truncation, no padding.
#[derive(Debug, Clone)]
pub struct Tokens {
    tokenizer: Tokenizer,
    rules: TextRules,
}

impl Tokens {
    /// Builds the tokenizer from the text of a `tokenizer.json`.
    ///
    /// # Errors
    /// [`ModelError::Tokenizer`] when the file is broken or can produce ids outside the vocabulary of `config`.
    pub fn new(json: &str, rules: &TextRules, config: &BertConfig) -> Result<Self, ModelError> {
        let fail = |e: tokenizers::Error| ModelError::Tokenizer(e.to_string());
        let mut tokenizer = Tokenizer::from_bytes(json).map_err(fail)?;
        let largest = tokenizer.get_vocab(true).into_values().max().unwrap_or(0);
        if largest as usize >= config.vocab_size {
            return Err(ModelError::Tokenizer(format!(
                "it knows token {largest}, but the encoder has only {} word embeddings",
                config.vocab_size
            )));
        }
        let truncation = TruncationParams {
            max_length: rules.max_tokens,
            strategy: TruncationStrategy::LongestFirst,
            stride: 0,
            direction: TruncationDirection::Right,
        };
        tokenizer.with_truncation(Some(truncation)).map_err(fail)?;
        tokenizer.with_padding(None);
        Ok(Self { tokenizer, rules: rules.clone() })
    }

    /// The text rules.
    #[must_use]
    pub fn rules(&self) -> &TextRules {
        &self.rules
    }

    /// Token ids of each text, specials included, at most `max_tokens` each and at least one.
    ///
    /// # Errors
    /// [`ModelError::Tokenizer`] when the tokenizer fails on a text.
    pub fn encode<S: AsRef<str> + Sync>(&self, texts: &[S], kind: TextKind) -> Result<Vec<Vec<u32>>, ModelError> {
        let prepared: Vec<String> = texts.iter().map(|t| self.rules.prepare(t.as_ref(), kind)).collect();
        let encodings =
            self.tokenizer.encode_batch_fast(prepared, true).map_err(|e| ModelError::Tokenizer(e.to_string()))?;
        encodings
            .into_iter()
            .map(|e| {
                let ids = e.get_ids().to_vec();
                if ids.is_empty() {
                    // Happens only with a tokenizer that adds no special tokens, on an empty text.
                    return Err(ModelError::Tokenizer("a text yields no token at all".to_owned()));
                }
                Ok(ids)
            })
            .collect()
    }
}
