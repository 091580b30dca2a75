//! The architecture of an encoder, in the field names of Hugging Face's `config.json`.
//!
//! `mercer-learn` builds its trainable graph from the same struct.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::ModelError;

/// Nonlinearity of the feed-forward block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum HiddenAct {
    /// `x * Phi(x)` with the exact error function (Hendrycks and Gimpel, 2016).
    #[serde(rename = "gelu")]
    Gelu,
    /// The tanh approximation of the same function.
    #[serde(rename = "gelu_new", alias = "gelu_pytorch_tanh", alias = "gelu_approximate")]
    GeluTanh,
    /// `max(x, 0)`.
    #[serde(rename = "relu")]
    Relu,
}

/// Member of the BERT family. All share the graph and differ in how positions are numbered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ModelType {
    /// BERT (Devlin et al., 2018): positions count from 0.
    #[serde(rename = "bert")]
    Bert,
    /// RoBERTa (Liu et al., 2019): positions count from `pad_token_id + 1`.
    #[serde(rename = "roberta")]
    Roberta,
    /// XLM-RoBERTa (Conneau et al., 2019): as RoBERTa.
    #[serde(rename = "xlm-roberta")]
    XlmRoberta,
}

/// Architecture of a BERT-family encoder: the fields of `config.json` that inference needs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BertConfig {
    /// Family member.
    pub model_type: ModelType,
    /// Rows of the word embeddings.
    pub vocab_size: usize,
    /// Width of the residual stream, and of the vectors.
    pub hidden_size: usize,
    /// Transformer layers.
    pub num_hidden_layers: usize,
    /// Attention heads; divides `hidden_size`.
    pub num_attention_heads: usize,
    /// Width inside the feed-forward block.
    pub intermediate_size: usize,
    /// Nonlinearity of the feed-forward block.
    pub hidden_act: HiddenAct,
    /// Rows of the position embeddings.
    pub max_position_embeddings: usize,
    /// Rows of the token type embeddings; type 0 is used throughout.
    pub type_vocab_size: usize,
    /// Added to the variance in every layer norm.
    pub layer_norm_eps: f64,
    /// Token that fills short rows of a batch.
    #[serde(default)]
    pub pad_token_id: u32,
    /// Only `absolute` is supported; anything else is refused by [`BertConfig::check`].
    #[serde(default = "absolute")]
    pub position_embedding_type: String,
}

fn absolute() -> String {
    "absolute".to_owned()
}

impl BertConfig {
    /// Parses and checks the text of a `config.json`.
    ///
    /// # Errors
    /// [`ModelError::Config`] when the JSON is broken, a field is missing, the family is another, or sizes do not fit together.
    pub fn from_json(text: &str, origin: &Path) -> Result<Self, ModelError> {
        let fail = |why: String| ModelError::Config { path: origin.to_owned(), why };
        let value: serde_json::Value = serde_json::from_str(text).map_err(|e| fail(e.to_string()))?;
        match value.get("model_type").and_then(|v| v.as_str()) {
            Some("bert" | "roberta" | "xlm-roberta") => {}
            Some(other) => {
                return Err(fail(format!(
                    "model_type {other:?} is not of the BERT family (bert, roberta, xlm-roberta)"
                )));
            }
            None => return Err(fail("model_type is missing".to_owned())),
        }
        let config: Self = serde_json::from_value(value).map_err(|e| fail(e.to_string()))?;
        config.check().map_err(fail)?;
        Ok(config)
    }

    /// Checks that the sizes fit together.
    ///
    /// # Errors
    /// One sentence naming the first field that does not fit.
    pub fn check(&self) -> Result<(), String> {
        // Limits that no model of this family reaches; they keep a forged file from requesting terabytes.
        let ranges = [
            ("vocab_size", self.vocab_size, 4_000_000),
            ("hidden_size", self.hidden_size, 8_192),
            ("num_hidden_layers", self.num_hidden_layers, 128),
            ("num_attention_heads", self.num_attention_heads, 256),
            ("intermediate_size", self.intermediate_size, 65_536),
            ("max_position_embeddings", self.max_position_embeddings, 65_536),
            ("type_vocab_size", self.type_vocab_size, 1_024),
        ];
        for (name, value, most) in ranges {
            if value == 0 || value > most {
                return Err(format!("{name} is {value}, expected 1 to {most}"));
            }
        }
        if !self.hidden_size.is_multiple_of(self.num_attention_heads) {
            return Err(format!(
                "hidden_size {} is not a multiple of num_attention_heads {}",
                self.hidden_size, self.num_attention_heads
            ));
        }
        if !(self.layer_norm_eps > 0.0 && self.layer_norm_eps < 1.0) {
            return Err(format!("layer_norm_eps {} is not between 0 and 1", self.layer_norm_eps));
        }
        if self.position_embedding_type != "absolute" {
            return Err(format!(
                "position_embedding_type {:?} is not supported, only \"absolute\"",
                self.position_embedding_type
            ));
        }
        if self.max_tokens() < 8 {
            return Err(format!("max_position_embeddings {} leaves no room for text", self.max_position_embeddings));
        }
        if self.pad_token_id as usize >= self.vocab_size {
            return Err(format!(
                "pad_token_id {} lies outside the vocabulary of {}",
                self.pad_token_id, self.vocab_size
            ));
        }
        Ok(())
    }

    /// Width of one attention head.
    #[must_use]
    pub fn head_size(&self) -> usize {
        self.hidden_size / self.num_attention_heads
    }

    /// Row of the position embeddings that the first token takes: 0 for BERT, `pad_token_id + 1` for the RoBERTa line.
    #[must_use]
    pub fn position_offset(&self) -> usize {
        match self.model_type {
            ModelType::Bert => 0,
            ModelType::Roberta | ModelType::XlmRoberta => self.pad_token_id as usize + 1,
        }
    }

    /// Longest input in tokens, specials included, for which there is a position embedding.
    #[must_use]
    pub fn max_tokens(&self) -> usize {
        self.max_position_embeddings.saturating_sub(self.position_offset())
    }

    /// Every tensor that the graph reads, by Hugging Face name (without a `bert.` or `roberta.` prefix), with its shape, in layer order.
    #[must_use]
    pub fn tensor_shapes(&self) -> Vec<(String, Vec<usize>)> {
        let (h, f) = (self.hidden_size, self.intermediate_size);
        let mut all = vec![
            ("embeddings.word_embeddings.weight".to_owned(), vec![self.vocab_size, h]),
            ("embeddings.position_embeddings.weight".to_owned(), vec![self.max_position_embeddings, h]),
            ("embeddings.token_type_embeddings.weight".to_owned(), vec![self.type_vocab_size, h]),
            ("embeddings.LayerNorm.weight".to_owned(), vec![h]),
            ("embeddings.LayerNorm.bias".to_owned(), vec![h]),
        ];
        for layer in 0..self.num_hidden_layers {
            let parts: [(&str, Vec<usize>); 16] = [
                ("attention.self.query.weight", vec![h, h]),
                ("attention.self.query.bias", vec![h]),
                ("attention.self.key.weight", vec![h, h]),
                ("attention.self.key.bias", vec![h]),
                ("attention.self.value.weight", vec![h, h]),
                ("attention.self.value.bias", vec![h]),
                ("attention.output.dense.weight", vec![h, h]),
                ("attention.output.dense.bias", vec![h]),
                ("attention.output.LayerNorm.weight", vec![h]),
                ("attention.output.LayerNorm.bias", vec![h]),
                ("intermediate.dense.weight", vec![f, h]),
                ("intermediate.dense.bias", vec![f]),
                ("output.dense.weight", vec![h, f]),
                ("output.dense.bias", vec![h]),
                ("output.LayerNorm.weight", vec![h]),
                ("output.LayerNorm.bias", vec![h]),
            ];
            all.extend(parts.into_iter().map(|(name, shape)| (format!("encoder.layer.{layer}.{name}"), shape)));
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINILM: &str = r#"{"architectures":["BertModel"],"model_type":"bert","vocab_size":30522,"hidden_size":384,
        "num_hidden_layers":6,"num_attention_heads":12,"intermediate_size":1536,"hidden_act":"gelu","layer_norm_eps":1e-12,
        "max_position_embeddings":512,"type_vocab_size":2,"pad_token_id":0}"#;

    fn read(text: &str) -> Result<BertConfig, ModelError> {
        BertConfig::from_json(text, Path::new("config.json"))
    }

    #[test]
    fn reads_a_real_configuration() {
        let c = read(MINILM).unwrap();
        assert_eq!((c.head_size(), c.max_tokens(), c.position_offset()), (32, 512, 0));
        assert_eq!(c.tensor_shapes().len(), 5 + 16 * 6);
        let again = read(&serde_json::to_string(&c).unwrap()).unwrap();
        assert_eq!(c, again);
    }

    #[test]
    fn roberta_counts_positions_after_the_padding_token() {
        let c = read(
            &MINILM
                .replace("\"bert\"", "\"xlm-roberta\"")
                .replace("\"pad_token_id\":0", "\"pad_token_id\":1")
                .replace("512", "514"),
        )
        .unwrap();
        assert_eq!((c.position_offset(), c.max_tokens()), (2, 512));
    }

    #[test]
    fn refuses_what_it_cannot_run() {
        for (from, to, word) in [
            ("\"bert\"", "\"t5\"", "t5"),
            ("\"num_attention_heads\":12", "\"num_attention_heads\":7", "multiple"),
            ("\"hidden_size\":384", "\"hidden_size\":0", "hidden_size"),
            ("\"vocab_size\":30522", "\"vocab_size\":99999999999", "vocab_size"),
            ("\"gelu\"", "\"mish\"", "mish"),
            ("\"pad_token_id\":0", "\"position_embedding_type\":\"relative_key\"", "relative_key"),
            ("{", "", "line"),
        ] {
            let error = read(&MINILM.replacen(from, to, 1)).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
    }
}
