//! Directories in Hugging Face layout: what is read from which file, and what is refused.

use std::path::Path;

use mercer_model::{Checkpoint, ModelError, Pooling, hf};
use tempfile::TempDir;

use crate::fixture;

fn directory() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    hf::save(&fixture::checkpoint(1), dir.path()).unwrap();
    dir
}

fn write(dir: &Path, name: &str, text: &str) {
    let path = dir.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

#[test]
fn what_is_saved_reads_back_as_the_same_version() {
    let dir = directory();
    let back = Checkpoint::load(dir.path()).unwrap();
    assert_eq!(back.identity.version, fixture::checkpoint(1).identity.version);
    assert_eq!(back.identity.licence, "CC0-1.0");
    assert_ne!(back.identity.version, fixture::checkpoint(2).identity.version);
}

#[test]
fn text_rules_come_from_the_encoders_own_files() {
    let dir = directory();
    std::fs::remove_file(dir.path().join("mercer.json")).unwrap();
    let plain = Checkpoint::load(dir.path()).unwrap().rules;
    assert_eq!(
        (plain.pooling, plain.lowercase, plain.max_tokens, plain.query_prefix.as_str()),
        (Pooling::Mean, false, 48, "")
    );
    write(dir.path(), "sentence_bert_config.json", r#"{"max_seq_length": 20, "do_lower_case": true}"#);
    write(
        dir.path(),
        "modules.json",
        r#"[{"path": "", "type": "sentence_transformers.models.Transformer"}, {"path": "2_Pooling", "type": "sentence_transformers.models.Pooling"}]"#,
    );
    write(
        dir.path(),
        "2_Pooling/config.json",
        r#"{"word_embedding_dimension": 64, "pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false}"#,
    );
    write(dir.path(), "config_sentence_transformers.json", r#"{"prompts": {"query": "find: ", "document": "text: "}}"#);
    let rules = Checkpoint::load(dir.path()).unwrap().rules;
    assert_eq!((rules.pooling, rules.lowercase, rules.max_tokens), (Pooling::Cls, true, 20));
    assert_eq!((rules.query_prefix.as_str(), rules.passage_prefix.as_str()), ("find: ", "text: "));
    write(dir.path(), "mercer.json", r#"{"query_prefix": "q: ", "max_tokens": 9999}"#);
    let rules = Checkpoint::load(dir.path()).unwrap().rules;
    assert_eq!(
        (rules.query_prefix.as_str(), rules.max_tokens),
        ("q: ", 48),
        "overridden, and never beyond the positions there are"
    );
    write(dir.path(), "2_Pooling/config.json", r#"{"pooling_mode_weightedmean_tokens": true}"#);
    assert!(matches!(Checkpoint::load(dir.path()), Err(ModelError::Config { .. })));
}

#[test]
fn a_prefix_of_task_heads_is_taken_off() {
    let dir = directory();
    let named = fixture::checkpoint(1).tensors.iter().map(|(k, v)| (format!("bert.{k}"), v.clone())).collect();
    candle_core::safetensors::save(&named, dir.path().join("model.safetensors")).unwrap();
    assert_eq!(Checkpoint::load(dir.path()).unwrap().identity.version, fixture::checkpoint(1).identity.version);
}

#[test]
fn truncated_weights_are_refused_at_any_length() {
    let dir = directory();
    let path = dir.path().join("model.safetensors");
    let bytes = std::fs::read(&path).unwrap();
    for keep in [0, 4, 8, 100, bytes.len() / 2, bytes.len() - 1] {
        std::fs::write(&path, &bytes[..keep]).unwrap();
        assert!(matches!(Checkpoint::load(dir.path()), Err(ModelError::Weights { .. })), "{keep} bytes");
    }
}

#[test]
fn wrong_shapes_missing_tensors_and_nan_are_named() {
    let dir = directory();
    let save = |change: &dyn Fn(&mut std::collections::HashMap<String, candle_core::Tensor>)| {
        let mut tensors = (*fixture::checkpoint(1).tensors).clone();
        change(&mut tensors);
        candle_core::safetensors::save(&tensors, dir.path().join("model.safetensors")).unwrap();
        Checkpoint::load(dir.path()).unwrap_err()
    };
    const NAME: &str = "encoder.layer.1.output.dense.weight";
    let error = save(&|t| {
        let turned = t[NAME].t().unwrap().contiguous().unwrap();
        t.insert(NAME.to_owned(), turned);
    });
    assert!(
        matches!(&error, ModelError::TensorShape { name, expected, found } if name == NAME && *expected == [64, 128] && *found == [128, 64]),
        "{error}"
    );
    let error = save(&|t| drop(t.remove(NAME)));
    assert!(matches!(&error, ModelError::TensorMissing { name } if name == NAME), "{error}");
    let error = save(&|t| {
        let nan = (t[NAME].clone() * f64::NAN).unwrap();
        t.insert(NAME.to_owned(), nan);
    });
    assert!(matches!(&error, ModelError::TensorNotFinite { name } if name == NAME), "{error}");
}

#[test]
fn pickles_missing_files_and_foreign_tokenizers_are_refused() {
    let dir = directory();
    write(dir.path(), "tokenizer.json", "{\"model\": 1}");
    assert!(matches!(Checkpoint::load(dir.path()), Err(ModelError::Tokenizer(_))));
    let mut larger: serde_json::Value = serde_json::from_str(&fixture::tokenizer()).unwrap();
    larger["model"]["vocab"].as_array_mut().unwrap().push(serde_json::json!(["beyond", -3.0]));
    let larger = larger.to_string();
    write(dir.path(), "tokenizer.json", &larger);
    let error = Checkpoint::load(dir.path()).unwrap_err().to_string();
    assert!(error.contains("word embeddings"), "{error}");
    std::fs::remove_file(dir.path().join("model.safetensors")).unwrap();
    write(dir.path(), "tokenizer.json", &fixture::tokenizer());
    assert!(matches!(Checkpoint::load(dir.path()), Err(ModelError::Missing { .. })));
    write(dir.path(), "pytorch_model.bin", "cos\nsystem\n");
    assert!(matches!(Checkpoint::load(dir.path()), Err(ModelError::Pickle { .. })));
    std::fs::remove_file(dir.path().join("config.json")).unwrap();
    assert!(matches!(Checkpoint::load(dir.path()), Err(ModelError::Missing { .. })));
}
