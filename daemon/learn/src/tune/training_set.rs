//! The data of one fine-tuning run: texts, pairs, known positives and an optional teacher.

use mercer_model::BertConfig;

use crate::contrastive_pairs::{ContrastivePair, KnownPositives};
use crate::error::{LearnError, Result};
use crate::lora::Adapter;
use crate::run::NothingToLearn;
use crate::texts::{TextId, TextTable};

/// What a run learns from.
#[derive(Debug, Clone, Copy)]
pub struct TrainingSet<'a> {
    /// Tokenised texts.
    pub texts: &'a TextTable,
    /// Pairs of texts; their order matters for repeatability only.
    pub pairs: &'a [ContrastivePair],
    /// Known positives beyond those of the pairs.
    pub known: &'a KnownPositives,
    /// Margins of a slower model, taught besides the in-batch softmax.
    pub teacher: Option<Teacher<'a>>,
}

/// Scores of a slower model (usually the cross-encoder), taught by margin-MSE ([`crate::losses::margin_mse`]).
#[derive(Debug, Clone, Copy)]
pub struct Teacher<'a> {
    /// One entry per pair of the set.
    pub margins: &'a [Option<TeacherMargin>],
    /// Teacher units per unit of cosine.
    pub scale: f64,
    /// Weight of the margins in the loss.
    pub weight: f64,
}

/// How much higher the teacher scores the positive of a pair than another text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TeacherMargin {
    /// The other text.
    pub text: TextId,
    /// Teacher score of the positive minus that of `text`.
    pub margin: f32,
}

impl Teacher<'_> {
    fn check(&self, set: &TrainingSet<'_>, config: &BertConfig) -> Result<()> {
        let name = "teacher";
        if self.margins.len() != set.pairs.len() {
            let why = format!("{} margins for {} pairs", self.margins.len(), set.pairs.len());
            return Err(LearnError::Option { name, why });
        }
        let known = self.margins.iter().flatten();
        if !known.clone().all(|m| m.margin.is_finite()) || !(self.scale * self.weight).is_finite() {
            return Err(LearnError::Option { name, why: "a margin, scale or weight is not finite".to_owned() });
        }
        set.texts.check(known.map(|m| m.text), config.vocab_size, config.max_tokens())
    }
}

impl TrainingSet<'_> {
    /// # Errors
    /// [`LearnError::Option`] for a pair without anchor text or with a weight that is not positive, [`LearnError::Text`] for a text that
    /// cannot be encoded.
    pub(super) fn check(&self, config: &BertConfig) -> Result<()> {
        for p in self.pairs {
            if p.anchor.texts().is_empty() {
                let why = "a pair's anchor has no text".to_owned();
                return Err(LearnError::Option { name: "pairs", why });
            }
            if !(p.weight.is_finite() && p.weight > 0.0) {
                let why = format!("a weight is {}", p.weight);
                return Err(LearnError::Option { name: "pairs", why });
            }
        }
        let ids = self.pairs.iter().flat_map(ContrastivePair::texts);
        self.texts.check(ids, config.vocab_size, config.max_tokens())?;
        self.teacher.map_or(Ok(()), |teacher| teacher.check(self, config))
    }

    /// BLAKE3 of texts, pairs, known positives, teacher and starting adapter.
    pub(super) fn hash(&self, start: Option<&Adapter>) -> Result<String> {
        let mut hash = blake3::Hasher::new();
        self.texts.hash_into(&mut hash);
        let json = serde_json::to_vec(&(self.pairs, self.known)).map_err(candle_core::Error::wrap)?;
        hash.update(&json);
        if let Some(t) = &self.teacher {
            let margins: Vec<_> = t.margins.iter().map(|m| m.map(|m| (m.text, m.margin))).collect();
            let json = serde_json::to_vec(&(margins, t.scale, t.weight)).map_err(candle_core::Error::wrap)?;
            hash.update(&json);
        }
        if let Some(a) = start {
            hash.update(&a.to_bytes()?);
        }
        Ok(hash.finalize().to_hex().to_string())
    }

    /// Why the pairs cannot teach anything; `None` if they can.
    pub(super) fn nothing_to_learn(&self) -> Option<NothingToLearn> {
        let first = self.pairs.first().map(|p| p.item);
        match first {
            None => Some(NothingToLearn::NoPairs),
            Some(item) if self.pairs.iter().all(|p| p.item == item) => Some(NothingToLearn::OneItem),
            Some(_) => None,
        }
    }

    /// Distinct texts of a batch, shortest first: micro-batches then hold texts of similar length, which reduces padding on a GPU.
    pub(super) fn texts_of_batch(&self, batch: &[u32]) -> Vec<TextId> {
        let mut ids: Vec<TextId> = batch.iter().flat_map(|i| self.pairs[*i as usize].texts()).collect();
        if let Some(teacher) = &self.teacher {
            ids.extend(batch.iter().filter_map(|i| teacher.margins[*i as usize]).map(|m| m.text));
        }
        ids.sort_unstable_by_key(|id| (self.texts.get(*id).len(), *id));
        ids.dedup();
        ids
    }
}
