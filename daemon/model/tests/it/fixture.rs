//! A small encoder in memory: random weights from a fixed seed, a Unigram tokenizer with English and Chinese pieces.

use std::collections::HashMap;

use candle_core::{Device, Tensor};
use mercer_model::{BertConfig, Checkpoint, HiddenAct, ModelType, Origin, Pooling, TextRules};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Uniform numbers in -1..1.
pub(crate) fn noise(seed: u64, n: usize) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..n).map(|_| rng.random_range(-1.0f32..1.0)).collect()
}

const PIECES: [&str; 40] = [
    "<s>",
    "<pad>",
    "</s>",
    "<unk>",
    "\u{2581}",
    "\u{2581}red",
    "\u{2581}dress",
    "\u{2581}lamp",
    "\u{2581}query",
    "\u{2581}passage",
    ":",
    "a",
    "b",
    "c",
    "d",
    "e",
    "f",
    "g",
    "h",
    "i",
    "l",
    "m",
    "n",
    "o",
    "p",
    "q",
    "r",
    "s",
    "t",
    "u",
    "w",
    "y",
    "红",
    "色",
    "红色",
    "裙",
    "子",
    "ш",
    "шапка",
    "\u{2581}unused",
];

pub(crate) fn tokenizer() -> String {
    let vocab: Vec<_> = PIECES
        .iter()
        .enumerate()
        .map(|(i, p)| serde_json::json!([p, -(p.chars().count() as f64).recip() * 10.0 - i as f64 * 1e-3]))
        .collect();
    let special = |content: &str, id: u32| serde_json::json!({"id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true});
    let metaspace =
        serde_json::json!({"type": "Metaspace", "replacement": "\u{2581}", "prepend_scheme": "always", "split": false});
    serde_json::json!({
        "version": "1.0", "truncation": null, "padding": null,
        "added_tokens": [special("<s>", 0), special("<pad>", 1), special("</s>", 2), special("<unk>", 3)],
        "normalizer": {"type": "NFKC"}, "pre_tokenizer": metaspace, "decoder": metaspace,
        "post_processor": {"type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}}],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
            "special_tokens": {"<s>": {"id": "<s>", "ids": [0], "tokens": ["<s>"]}, "</s>": {"id": "</s>", "ids": [2], "tokens": ["</s>"]}}},
        "model": {"type": "Unigram", "unk_id": 3, "vocab": vocab, "byte_fallback": false}
    })
    .to_string()
}

pub(crate) fn config() -> BertConfig {
    BertConfig {
        model_type: ModelType::Bert,
        vocab_size: PIECES.len(),
        hidden_size: 64,
        num_hidden_layers: 3,
        num_attention_heads: 2,
        intermediate_size: 128,
        hidden_act: HiddenAct::Gelu,
        max_position_embeddings: 48,
        type_vocab_size: 2,
        layer_norm_eps: 1e-6,
        pad_token_id: 1,
        position_embedding_type: "absolute".to_owned(),
    }
}

pub(crate) fn rules() -> TextRules {
    TextRules {
        query_prefix: "query: ".to_owned(),
        passage_prefix: "passage: ".to_owned(),
        lowercase: true,
        pooling: Pooling::Mean,
        max_tokens: 32,
    }
}

pub(crate) fn tensors(config: &BertConfig, seed: u64) -> HashMap<String, Tensor> {
    let mut all = HashMap::new();
    for (i, (name, shape)) in config.tensor_shapes().into_iter().enumerate() {
        let n = shape.iter().product();
        let values = noise(seed * 1000 + i as u64, n);
        // Norm weights around one, as in trained models; the rest small enough that attention does not saturate.
        let values: Vec<f32> = if name.ends_with("LayerNorm.weight") {
            values.iter().map(|v| 1.0 + 0.2 * v).collect()
        } else {
            values.iter().map(|v| 0.25 * v).collect()
        };
        all.insert(name, Tensor::from_vec(values, shape, &Device::Cpu).unwrap());
    }
    all
}

pub(crate) fn checkpoint(seed: u64) -> Checkpoint {
    let config = config();
    let tensors = tensors(&config, seed);
    let origin = Origin { name: format!("small-{seed}"), licence: "CC0-1.0".to_owned(), ..Origin::default() };
    Checkpoint::assemble(config, tensors, tokenizer(), rules(), origin).unwrap()
}
