//! Packing: what the vocabulary keeps, that nothing is lost beyond four bits, and that broken files are refused.

use std::path::Path;

use candle_core::Device;
use mercer_model::packed::{self, Bits};
use mercer_model::scripts::Script;
use mercer_model::{BertEncoder, Checkpoint, Encoder, ModelError, PackOptions, TextKind, hf, pack};

use crate::fixture;

fn options(dir: &Path, bits: Bits) -> PackOptions {
    hf::save(&fixture::checkpoint(1), &dir.join("full")).unwrap();
    std::fs::write(dir.join("texts"), "Red dress\n").unwrap();
    PackOptions {
        source: dir.join("full"),
        output: dir.join("packed.gguf"),
        scripts: vec![Script::Latin, Script::Han],
        used_by: vec![dir.join("texts")],
        bits,
        limit: 1 << 20,
    }
}

#[test]
fn keeps_characters_chinese_words_and_what_is_used() {
    let dir = tempfile::tempdir().unwrap();
    let options = options(dir.path(), Bits::Eight);
    let report = pack(&options).unwrap();
    let cut = Checkpoint::load(&options.output).unwrap();
    let vocab = |json: &str| tokenizers::Tokenizer::from_bytes(json).unwrap().get_vocab(true);
    let before = vocab(&fixture::tokenizer());
    let after = vocab(&cut.tokenizer_json);
    let mut gone: Vec<&str> = before.keys().filter(|p| !after.contains_key(*p)).map(String::as_str).collect();
    gone.sort_unstable();
    assert_eq!(gone, ["ш", "шапка", "\u{2581}lamp", "\u{2581}unused"]);
    assert_eq!(report.kept.total(), before.len() - 4);
    assert_eq!(cut.config.vocab_size, before.len() - 4);
    assert_eq!(report.version, cut.identity.version);
    assert_eq!((report.lines, report.bytes as u64), (1, std::fs::metadata(&options.output).unwrap().len()));
    // Every kept piece still has its own row.
    let full = fixture::checkpoint(1);
    let row = |c: &Checkpoint, id: u32| {
        c.tensors["embeddings.word_embeddings.weight"].get(id as usize).unwrap().to_vec1::<f32>().unwrap()
    };
    for (piece, id) in &after {
        for (a, b) in row(&full, before[piece]).iter().zip(row(&cut, *id)) {
            assert!((a - b).abs() < 0.003, "{piece}");
        }
    }
}

#[test]
fn vectors_of_kept_texts_stay() {
    let dir = tempfile::tempdir().unwrap();
    let options = options(dir.path(), Bits::Eight);
    pack(&options).unwrap();
    let full = BertEncoder::new(fixture::checkpoint(1), &Device::Cpu).unwrap();
    let cut = BertEncoder::new(Checkpoint::load(&options.output).unwrap(), &Device::Cpu).unwrap();
    for text in ["red dress", "红色裙子", "a dress: red"] {
        let (a, b) = (full.embed(&[text], TextKind::Passage).unwrap(), cut.embed(&[text], TextKind::Passage).unwrap());
        let cosine: f32 = a.row(0).iter().zip(b.row(0)).map(|(a, b)| a * b).sum();
        assert!(cosine > 0.9995, "{text}: {cosine}");
    }
}

#[test]
fn packing_what_was_packed_loses_nothing_more() {
    let (first, loss) = packed::write(&fixture::checkpoint(1), Bits::Four).unwrap();
    assert!(loss.exact < loss.blocks / 10, "random weights are no four-bit weights");
    let once = packed::read(&first, Path::new("first")).unwrap();
    let (second, loss) = packed::write(&once, Bits::Four).unwrap();
    assert_eq!(loss.exact, loss.blocks);
    let twice = packed::read(&second, Path::new("second")).unwrap();
    assert_eq!(once.identity.version, twice.identity.version);
    assert_eq!(
        packed::write(&twice, Bits::Four).unwrap().0,
        packed::write(&twice, Bits::Four).unwrap().0,
        "same bytes"
    );
}

#[test]
fn a_file_over_the_limit_is_not_written() {
    let dir = tempfile::tempdir().unwrap();
    let options = PackOptions { limit: 1000, ..options(dir.path(), Bits::Four) };
    assert!(matches!(pack(&options), Err(ModelError::Pack(_))));
    assert!(!options.output.exists());
}

#[test]
fn truncated_and_foreign_files_are_refused() {
    let (bytes, _) = packed::write(&fixture::checkpoint(1), Bits::Four).unwrap();
    for keep in (0..bytes.len()).step_by(997).chain([bytes.len() - 64]) {
        let error = packed::read(&bytes[..keep], Path::new("cut.gguf")).unwrap_err();
        assert!(matches!(error, ModelError::Weights { .. }), "{keep}: {error}");
    }
    let error = packed::read(b"PK\x03\x04 not this", Path::new("x.gguf")).unwrap_err();
    assert!(matches!(error, ModelError::Weights { .. }), "{error}");
}
