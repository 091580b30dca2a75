//! Text rules of an encoder: prefixes, lower-casing, pooling, length. Read from the encoder's files, never assumed from its name.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::config::BertConfig;
use crate::error::ModelError;

/// Role of a text. Asymmetric encoders (E5, Wang et al. 2022) mark the two roles with different prefixes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TextKind {
    /// A search query.
    Query,
    /// A text to be found: item titles, descriptions, reviews.
    Passage,
}

/// How token states are pooled to one vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pooling {
    /// Mean over all tokens, specials included (Reimers and Gurevych, 2019).
    Mean,
    /// State of the first token.
    Cls,
    /// Component-wise maximum over all tokens.
    Max,
}

/// Rules from a text to the encoder's input, and from its output to a vector. Vectors are always L2-normalised.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextRules {
    /// Put before a query.
    pub query_prefix: String,
    /// Put before a passage.
    pub passage_prefix: String,
    /// Lower-case the text (not the prefix) before tokenising.
    pub lowercase: bool,
    /// Pooling of the token states.
    pub pooling: Pooling,
    /// Longest input in tokens, specials included; longer texts are cut.
    pub max_tokens: usize,
}

/// `mercer.json` of an encoder directory: settings that the other files lack, or that override them. Every field is optional.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Overrides {
    /// Name shown to operators.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// SPDX identifier of the weights' licence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licence: Option<String>,
    /// Where the weights come from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// See [`TextRules::query_prefix`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query_prefix: Option<String>,
    /// See [`TextRules::passage_prefix`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passage_prefix: Option<String>,
    /// See [`TextRules::lowercase`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lowercase: Option<bool>,
    /// See [`TextRules::pooling`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pooling: Option<Pooling>,
    /// See [`TextRules::max_tokens`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<usize>,
}

impl Overrides {
    /// Overrides that fix every rule and name of a checkpoint; written beside exported weights.
    #[must_use]
    pub fn pinning(rules: &TextRules, name: &str, licence: &str, source: &str) -> Self {
        Self {
            name: Some(name.to_owned()),
            licence: Some(licence.to_owned()),
            source: Some(source.to_owned()),
            query_prefix: Some(rules.query_prefix.clone()),
            passage_prefix: Some(rules.passage_prefix.clone()),
            lowercase: Some(rules.lowercase),
            pooling: Some(rules.pooling),
            max_tokens: Some(rules.max_tokens),
        }
    }
}

impl TextRules {
    /// Reads the rules of a directory in sentence-transformers layout. Later sources win: the configuration's own limits,
    /// `tokenizer_config.json`, `sentence_bert_config.json`, `config_sentence_transformers.json` (prompts), the pooling
    /// module that `modules.json` names (else `1_Pooling`), `mercer.json`.
    ///
    /// # Errors
    /// [`ModelError::Config`] when one of the files is broken or asks for a pooling this crate does not have.
    pub fn from_dir(dir: &Path, config: &BertConfig, overrides: &Overrides) -> Result<Self, ModelError> {
        let mut rules = Self {
            query_prefix: String::new(),
            passage_prefix: String::new(),
            lowercase: false,
            pooling: Pooling::Mean,
            max_tokens: config.max_tokens(),
        };
        rules.read_lengths(dir, config)?;
        rules.read_prompts(dir)?;
        rules.read_pooling(dir)?;
        rules.apply(overrides);
        rules.max_tokens = rules.max_tokens.clamp(1, config.max_tokens());
        Ok(rules)
    }

    /// Length and case, from `tokenizer_config.json` and `sentence_bert_config.json`.
    fn read_lengths(&mut self, dir: &Path, config: &BertConfig) -> Result<(), ModelError> {
        if let Some(v) = read_json(&dir.join("tokenizer_config.json"))? {
            // Tokenizers without a limit write a number of thirty digits here, hence the float.
            if let Some(n) = v.get("model_max_length").and_then(serde_json::Value::as_f64)
                && n >= 1.0
                && n < config.max_tokens() as f64
            {
                self.max_tokens = n as usize;
            }
        }
        if let Some(v) = read_json(&dir.join("sentence_bert_config.json"))? {
            if let Some(n) = v.get("max_seq_length").and_then(serde_json::Value::as_u64) {
                self.max_tokens = usize::try_from(n).unwrap_or(usize::MAX);
            }
            self.lowercase = v.get("do_lower_case").and_then(serde_json::Value::as_bool).unwrap_or(false);
        }
        Ok(())
    }

    /// Prefixes, from the prompts of `config_sentence_transformers.json`.
    fn read_prompts(&mut self, dir: &Path) -> Result<(), ModelError> {
        let Some(v) = read_json(&dir.join("config_sentence_transformers.json"))? else { return Ok(()) };
        let prompt = |names: [&str; 3]| {
            let prompts = v.get("prompts")?;
            names.iter().find_map(|n| prompts.get(n)?.as_str()).map(str::to_owned)
        };
        self.query_prefix = prompt(["query", "search_query", "s2p_query"]).unwrap_or_default();
        self.passage_prefix = prompt(["passage", "document", "search_document"]).unwrap_or_default();
        Ok(())
    }

    /// Pooling, from the module that `modules.json` names.
    fn read_pooling(&mut self, dir: &Path) -> Result<(), ModelError> {
        let modules = read_json(&dir.join("modules.json"))?;
        let pooling_dir = modules
            .as_ref()
            .and_then(serde_json::Value::as_array)
            .and_then(|all| {
                all.iter().find(|m| m.get("type").and_then(|t| t.as_str()).is_some_and(|t| t.ends_with("Pooling")))
            })
            .and_then(|m| m.get("path")?.as_str())
            // A module path must stay inside the encoder's directory.
            .filter(|p| !p.is_empty() && !p.contains("..") && !p.starts_with('/'))
            .unwrap_or("1_Pooling");
        let pooling_file = dir.join(pooling_dir).join("config.json");
        if let Some(v) = read_json(&pooling_file)? {
            self.pooling = pooling_of(&v).map_err(|why| ModelError::Config { path: pooling_file, why })?;
        }
        Ok(())
    }

    fn apply(&mut self, o: &Overrides) {
        if let Some(v) = &o.query_prefix {
            self.query_prefix.clone_from(v);
        }
        if let Some(v) = &o.passage_prefix {
            self.passage_prefix.clone_from(v);
        }
        self.lowercase = o.lowercase.unwrap_or(self.lowercase);
        self.pooling = o.pooling.unwrap_or(self.pooling);
        self.max_tokens = o.max_tokens.unwrap_or(self.max_tokens);
    }

    /// The tokenizer's input for a text.
    #[must_use]
    pub fn prepare(&self, text: &str, kind: TextKind) -> String {
        let prefix = match kind {
            TextKind::Query => &self.query_prefix,
            TextKind::Passage => &self.passage_prefix,
        };
        // Tokens are rarely longer than 16 characters, so text beyond this limit cannot reach the encoder. A megabyte of text then costs no more than a page.
        let most = self.max_tokens.saturating_mul(32);
        let end = text.char_indices().nth(most).map_or(text.len(), |(at, _)| at);
        let text = &text[..end];
        let mut out = String::with_capacity(prefix.len() + text.len());
        out.push_str(prefix);
        if self.lowercase {
            out.push_str(&text.to_lowercase());
        } else {
            out.push_str(text);
        }
        out
    }
}

/// The pooling mode that a pooling module switches on.
fn pooling_of(v: &serde_json::Value) -> Result<Pooling, String> {
    let on = |name: &str| v.get(name).and_then(serde_json::Value::as_bool).unwrap_or(false);
    let asked: Vec<&str> = v
        .as_object()
        .map(|o| {
            o.iter()
                .filter(|(k, v)| k.starts_with("pooling_mode_") && v.as_bool() == Some(true))
                .map(|(k, _)| k.as_str())
                .collect()
        })
        .unwrap_or_default();
    match asked.as_slice() {
        [_] if on("pooling_mode_mean_tokens") => Ok(Pooling::Mean),
        [_] if on("pooling_mode_cls_token") => Ok(Pooling::Cls),
        [_] if on("pooling_mode_max_tokens") => Ok(Pooling::Max),
        [] => Err("no pooling mode is switched on".to_owned()),
        other => Err(format!("pooling {} is not supported, only one of mean, cls and max", other.join(" + "))),
    }
}

/// A JSON file that may be absent.
pub(crate) fn read_json(path: &Path) -> Result<Option<serde_json::Value>, ModelError> {
    match std::fs::read_to_string(path) {
        Ok(text) => serde_json::from_str(&text)
            .map(Some)
            .map_err(|e| ModelError::Config { path: path.to_owned(), why: e.to_string() }),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(ModelError::Io { path: path.to_owned(), source }),
    }
}
