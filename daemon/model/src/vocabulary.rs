//! Reduces the vocabulary of a Unigram tokenizer (Kudo, 2018).
//!
//! A Unigram model can lose any piece: text that used it falls back to shorter pieces of the same characters. As long as every single wanted
//! character stays, no text becomes unknown.

use serde_json::Value;

use crate::error::ModelError;
use crate::scripts::{Script, wanted};

/// The mark that SentencePiece writes for a space.
const SPACE: char = '\u{2581}';

/// Number of pieces kept, each counted under the first reason that applies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KeptPieces {
    /// Special tokens and byte pieces.
    pub special: usize,
    /// Single characters of the wanted scripts, digits, punctuation, symbols, with or without a space before.
    pub single: usize,
    /// Several Chinese characters and nothing else.
    pub han: usize,
    /// Used by the given texts.
    pub used: usize,
}

impl KeptPieces {
    /// All pieces kept.
    #[must_use]
    pub fn total(&self) -> usize {
        self.special + self.single + self.han + self.used
    }
}

/// The vocabulary inside a `tokenizer.json`.
#[derive(Debug)]
pub struct Vocabulary {
    json: Value,
    pieces: Vec<String>,
}

impl Vocabulary {
    /// Reads the vocabulary.
    ///
    /// # Errors
    /// [`ModelError::Tokenizer`] for broken JSON, [`ModelError::Pack`] for a tokenizer that is not Unigram.
    pub fn parse(tokenizer_json: &str) -> Result<Self, ModelError> {
        let json: Value = serde_json::from_str(tokenizer_json).map_err(|e| ModelError::Tokenizer(e.to_string()))?;
        let kind = json.pointer("/model/type").and_then(Value::as_str).unwrap_or("unknown");
        if kind != "Unigram" {
            return Err(ModelError::Pack(format!(
                "the vocabulary of a {kind} tokenizer cannot be cut, only that of a Unigram one; pack it without scripts"
            )));
        }
        let pieces = json
            .pointer("/model/vocab")
            .and_then(Value::as_array)
            .and_then(|all| all.iter().map(|p| Some(p.get(0)?.as_str()?.to_owned())).collect::<Option<Vec<_>>>())
            .ok_or_else(|| ModelError::Tokenizer("model.vocab is not a list of [piece, score]".to_owned()))?;
        Ok(Self { json, pieces })
    }

    /// Ids to keep, ascending: specials, every single wanted character, every piece of Chinese characters alone (if wanted),
    /// and the pieces of wanted characters that are `used` (by token id).
    #[must_use]
    pub fn select(&self, scripts: &[Script], used: &[bool]) -> (Vec<u32>, KeptPieces) {
        let special = self.special_ids();
        let han = scripts.contains(&Script::Han);
        let mut kept = KeptPieces::default();
        let mut ids = Vec::new();
        for (id, piece) in self.pieces.iter().enumerate() {
            let text = piece.strip_prefix(SPACE).unwrap_or(piece);
            let id32 = id as u32;
            let counter = if special.contains(&id32) || is_byte(piece) {
                &mut kept.special
            } else if !text.chars().all(|c| wanted(c, scripts)) {
                continue;
            } else if text.chars().nth(1).is_none() {
                &mut kept.single
            } else if han && text.chars().all(|c| Script::Han.contains(c)) {
                &mut kept.han
            } else if used.get(id).copied().unwrap_or(false) {
                &mut kept.used
            } else {
                continue;
            };
            *counter += 1;
            ids.push(id32);
        }
        (ids, kept)
    }

    /// The `tokenizer.json` with only the given pieces; piece `ids[i]` becomes token `i`.
    ///
    /// # Errors
    /// [`ModelError::Pack`] when the file refers to a token by a number that is not kept.
    pub fn cut(&self, ids: &[u32]) -> Result<String, ModelError> {
        let mut json = self.json.clone();
        let renumber = |value: &mut Value| -> Result<(), ModelError> {
            let old = value.as_u64().and_then(|v| u32::try_from(v).ok());
            let new = old.and_then(|old| ids.binary_search(&old).ok());
            let new = new.ok_or_else(|| {
                ModelError::Pack(format!("tokenizer.json refers to token {value}, which is not in its vocabulary"))
            })?;
            *value = Value::from(new);
            Ok(())
        };
        if let Some(vocab) = json.pointer_mut("/model/vocab").and_then(Value::as_array_mut) {
            *vocab = ids.iter().filter_map(|&id| vocab.get(id as usize).cloned()).collect();
        }
        if let Some(unknown) = json.pointer_mut("/model/unk_id").filter(|v| !v.is_null()) {
            renumber(unknown)?;
        }
        for token in json.get_mut("added_tokens").and_then(Value::as_array_mut).into_iter().flatten() {
            renumber(&mut token["id"])?;
        }
        for special in json
            .pointer_mut("/post_processor/special_tokens")
            .and_then(Value::as_object_mut)
            .into_iter()
            .flat_map(|m| m.values_mut())
        {
            for id in special.get_mut("ids").and_then(Value::as_array_mut).into_iter().flatten() {
                renumber(id)?;
            }
        }
        // Padding and truncation are set by Mercer, and padding would hold an old number.
        json["padding"] = Value::Null;
        json["truncation"] = Value::Null;
        serde_json::to_string(&json).map_err(|e| ModelError::Tokenizer(e.to_string()))
    }

    fn special_ids(&self) -> Vec<u32> {
        let id = |v: Option<&Value>| v.and_then(Value::as_u64).and_then(|v| u32::try_from(v).ok());
        let added = self
            .json
            .get("added_tokens")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(|t| id(t.get("id")));
        added.chain(id(self.json.pointer("/model/unk_id"))).collect()
    }
}

/// Whether a piece is a byte of the byte fallback, `<0x00>` to `<0xFF>`.
fn is_byte(piece: &str) -> bool {
    piece.len() == 6 && piece.starts_with("<0x") && piece.ends_with('>')
}
