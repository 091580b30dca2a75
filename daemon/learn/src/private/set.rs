//! The data of a private run: examples by user, and the public catalogue.

use mercer_model::BertConfig;

use crate::contrastive_pairs::ContrastivePair;
use crate::error::{LearnError, Result};
use crate::lora::Adapter;
use crate::run::NothingToLearn;
use crate::texts::{TextId, TextTable};

/// An item of the public catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CatalogueText {
    /// Its text.
    pub text: TextId,
    /// Its number, as in [`ContrastivePair::item`].
    pub item: u32,
}

/// What a private run learns from. The caller guarantees that the pairs of a user are made from this user's own events and from the
/// catalogue alone: then adding or removing a user changes nothing but its own entry.
#[derive(Debug, Clone, Copy)]
pub struct PrivateSet<'a> {
    /// Tokenised texts.
    pub texts: &'a TextTable,
    /// Pairs of each user. Their groups and hard negatives are not used: no item of a user's own pairs is its negative.
    pub users: &'a [Vec<ContrastivePair>],
    /// Items that negatives are drawn from, in an order that does not depend on the log.
    pub catalogue: &'a [CatalogueText],
}

impl PrivateSet<'_> {
    /// # Errors
    /// [`LearnError::Option`] for a pair without anchor text or with a weight that is not positive, [`LearnError::Text`] for a text that
    /// cannot be encoded.
    pub(super) fn check(&self, config: &BertConfig) -> Result<()> {
        for pair in self.users.iter().flatten() {
            if pair.anchor.texts().is_empty() || !(pair.weight.is_finite() && pair.weight > 0.0) {
                let why = "a pair has no anchor text, or a weight that is not positive".to_owned();
                return Err(LearnError::Option { name: "pairs", why });
            }
        }
        let texts = self.users.iter().flatten().flat_map(ContrastivePair::texts);
        let texts = texts.chain(self.catalogue.iter().map(|one| one.text));
        self.texts.check(texts, config.vocab_size, config.max_tokens())
    }

    /// BLAKE3 of texts, pairs, catalogue and starting adapter.
    pub(super) fn hash(&self, start: Option<&Adapter>) -> Result<String> {
        let mut hash = blake3::Hasher::new();
        hash.update(b"private");
        self.texts.hash_into(&mut hash);
        let catalogue: Vec<(TextId, u32)> = self.catalogue.iter().map(|one| (one.text, one.item)).collect();
        hash.update(&serde_json::to_vec(&(self.users, catalogue)).map_err(candle_core::Error::wrap)?);
        if let Some(adapter) = start {
            hash.update(&adapter.to_bytes()?);
        }
        Ok(hash.finalize().to_hex().to_string())
    }

    /// Why nothing can be learned; `None` if something can. A user without pairs is a user like others: it adds nothing to the sum.
    pub(super) fn nothing_to_learn(&self) -> Option<NothingToLearn> {
        if self.users.iter().all(Vec::is_empty) {
            return Some(NothingToLearn::NoPairs);
        }
        (self.catalogue.len() < 2).then_some(NothingToLearn::OneItem)
    }
}
