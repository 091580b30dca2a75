//! `encoder pack`: shrinks an encoder below a size limit. Keeps the vocabulary of a shop's scripts and texts, and stores weights in blocks of 4 or
//! 8 bits.

use std::io::BufRead;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};

use crate::checkpoint::{Checkpoint, Origin};
use crate::error::ModelError;
use crate::hf::sha256_hex;
use crate::packed::{self, Bits};
use crate::rules::TextKind;
use crate::scripts::Script;
use crate::vocabulary::{KeptPieces, Vocabulary};

/// Settings of [`pack`].
#[derive(Debug, Clone)]
pub struct PackOptions {
    /// Encoder directory in Hugging Face layout.
    pub source: PathBuf,
    /// File to write.
    pub output: PathBuf,
    /// Scripts to keep; empty keeps the whole vocabulary. Cutting needs a Unigram tokenizer.
    pub scripts: Vec<Script>,
    /// Text files (UTF-8, one text per line) like those that the encoder will read. Pieces of several characters that occur in none of them are dropped.
    pub used_by: Vec<PathBuf>,
    /// Bits per stored weight.
    pub bits: Bits,
    /// Maximum size of the file, bytes.
    pub limit: usize,
}

/// Result of [`pack`].
#[derive(Debug, Clone)]
pub struct PackReport {
    /// Pieces of the source's vocabulary.
    pub pieces_before: usize,
    /// Pieces kept, by reason.
    pub kept: KeptPieces,
    /// Lines read from the `used_by` files.
    pub lines: usize,
    /// Weights of the packed encoder.
    pub parameters: usize,
    /// Blocks written, and those that read back exactly.
    pub loss: packed::QuantisationLoss,
    /// Size of the file.
    pub bytes: usize,
    /// SHA-256 (hex) of the file.
    pub sha256: String,
    /// Version of the encoder that the file holds.
    pub version: String,
}

/// Packs an encoder. Reads the bytes back and checks them before the file gets its name.
///
/// # Errors
/// Those of [`Checkpoint::load`]; [`ModelError::Pack`] when the tokenizer cannot be cut or the file would pass the limit; [`ModelError::Io`].
pub fn pack(options: &PackOptions) -> Result<PackReport, ModelError> {
    let full = Checkpoint::load(&options.source)?;
    let pieces_before = full.config.vocab_size;
    let mut lines = 0;
    let (cut, kept) = if options.scripts.is_empty() {
        (full, KeptPieces { used: pieces_before, ..KeptPieces::default() })
    } else {
        let used = used_pieces(&full, &options.used_by, &mut lines)?;
        cut_vocabulary(&full, &options.scripts, &used)?
    };
    let (bytes, loss) = packed::write(&cut, options.bits)?;
    if bytes.len() > options.limit {
        return Err(ModelError::Pack(format!(
            "the file would have {} bytes, the limit is {}; name fewer scripts, give files with the texts in use, or use fewer bits",
            bytes.len(),
            options.limit
        )));
    }
    let back = packed::read(&bytes, &options.output)?;
    let io = |source| ModelError::Io { path: options.output.clone(), source };
    let partial = options.output.with_extension("partial");
    std::fs::write(&partial, &bytes).map_err(io)?;
    std::fs::rename(&partial, &options.output).map_err(io)?;
    Ok(PackReport {
        pieces_before,
        kept,
        lines,
        parameters: back.parameters(),
        loss,
        bytes: bytes.len(),
        sha256: sha256_hex(&bytes),
        version: back.identity.version,
    })
}

/// Tokens that the encoder uses for the given texts, by token id.
fn used_pieces(full: &Checkpoint, files: &[PathBuf], lines: &mut usize) -> Result<Vec<bool>, ModelError> {
    let tokens = full.tokens()?;
    let mut used = vec![false; full.config.vocab_size];
    let mut mark = |texts: &[String], kind: TextKind| -> Result<(), ModelError> {
        for id in tokens.encode(texts, kind)?.into_iter().flatten() {
            used[id as usize] = true;
        }
        Ok(())
    };
    // The prefixes are used even if there is no text.
    mark(&[String::new()], TextKind::Query)?;
    mark(&[String::new()], TextKind::Passage)?;
    for path in files {
        for chunk in chunks_of_lines(path, 1024)? {
            *lines += chunk.len();
            mark(&chunk, TextKind::Passage)?;
        }
    }
    Ok(used)
}

/// Lines of a file in chunks of `size`.
fn chunks_of_lines(path: &Path, size: usize) -> Result<Vec<Vec<String>>, ModelError> {
    let io = |source| ModelError::Io { path: path.to_owned(), source };
    let file = std::fs::File::open(path).map_err(io)?;
    let mut chunks: Vec<Vec<String>> = Vec::new();
    for line in std::io::BufReader::new(file).lines() {
        let line = line.map_err(io)?;
        match chunks.last_mut() {
            Some(chunk) if chunk.len() < size => chunk.push(line),
            _ => chunks.push(vec![line]),
        }
    }
    Ok(chunks)
}

/// The checkpoint with only the wanted pieces.
fn cut_vocabulary(
    full: &Checkpoint,
    scripts: &[Script],
    used: &[bool],
) -> Result<(Checkpoint, KeptPieces), ModelError> {
    const WORDS: &str = "embeddings.word_embeddings.weight";
    let vocabulary = Vocabulary::parse(&full.tokenizer_json)?;
    let (ids, kept) = vocabulary.select(scripts, used);
    let tokenizer = vocabulary.cut(&ids)?;
    let mut config = full.config.clone();
    config.vocab_size = ids.len();
    config.pad_token_id = ids.binary_search(&full.config.pad_token_id).map_err(|_| {
        ModelError::Pack(format!("the padding token {} is not in the vocabulary", full.config.pad_token_id))
    })? as u32;
    let mut tensors = (*full.tensors).clone();
    let words = tensors.get(WORDS).ok_or_else(|| ModelError::TensorMissing { name: WORDS.to_owned() })?;
    let rows = words.index_select(&Tensor::new(ids.as_slice(), &Device::Cpu)?, 0)?;
    tensors.insert(WORDS.to_owned(), rows);
    let origin = Origin {
        name: full.identity.name.clone(),
        licence: full.identity.licence.clone(),
        source: full.identity.source.clone(),
        sha256: String::new(),
    };
    Ok((Checkpoint::assemble(config, tensors, tokenizer, full.rules.clone(), origin)?, kept))
}
