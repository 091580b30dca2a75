//! Vectors of passages that were embedded before, on disk: a restart, a promotion and a rollback cost a look-up instead of a
//! pass through the encoder. One append-only file per encoder version; a torn tail is cut off at the next start.
//!
//! Record: 32 bytes BLAKE3 of the passage, then `dim` f16 numbers in little-endian order. Half precision moves a cosine by less
//! than 1e-3; what is served right after embedding and after a restart is rounded alike, so lists do not change with a restart.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mercer_model::{BertEncoder, Encoder, ModelError, ModelHandle, Priority, TextKind};
use parking_lot::Mutex;

/// Items embedded between two calls of the caller's check.
pub(crate) const CATALOGUE_SLICE: usize = 512;

/// Texts handed to the model thread at once.
const SLICE: usize = 256;

type Hash = [u8; 32];

struct Table {
    rows: HashMap<Hash, Arc<[f32]>, rustc_hash::FxBuildHasher>,
    file: Option<File>,
}

/// All tables by encoder version.
pub struct VectorCache {
    dir: PathBuf,
    tables: Mutex<HashMap<String, Arc<Mutex<Table>>>>,
}

/// A vector as it is after a look-up.
pub(crate) fn rounded(vector: &[f32]) -> Arc<[f32]> {
    vector.iter().map(|v| half::f16::from_f32(*v).to_f32()).collect()
}

impl VectorCache {
    /// A cache in this directory, made if it is missing.
    ///
    /// # Errors
    /// The directory cannot be made.
    pub fn open(dir: &Path) -> std::io::Result<Self> {
        std::fs::create_dir_all(dir)?;
        Ok(Self { dir: dir.to_owned(), tables: Mutex::default() })
    }

    fn path(&self, version: &str) -> PathBuf {
        let name: String = version.chars().filter(char::is_ascii_alphanumeric).take(64).collect();
        self.dir.join(format!("{name}.f16"))
    }

    fn table(&self, version: &str, dim: usize) -> Arc<Mutex<Table>> {
        let mut tables = self.tables.lock();
        let table = tables.entry(version.to_owned()).or_insert_with(|| {
            let mut table = Table { rows: HashMap::default(), file: None };
            match load(&self.path(version), dim, &mut table.rows) {
                Ok(file) => table.file = Some(file),
                Err(error) => tracing::warn!(%error, version, "vectors are not kept on disk"),
            }
            Arc::new(Mutex::new(table))
        });
        Arc::clone(table)
    }

    /// The stored vectors of passages under an encoder, in order. Embeds nothing.
    #[must_use]
    pub fn known(&self, encoder: &BertEncoder, texts: &[String]) -> Vec<Option<Arc<[f32]>>> {
        let table = self.table(&encoder.identity().version, encoder.dim());
        let table = table.lock();
        texts.iter().map(|text| table.rows.get(blake3::hash(text.as_bytes()).as_bytes()).cloned()).collect()
    }

    /// The vectors of passages under an encoder, in order. Missing ones are embedded on the model thread, in slices,
    /// and stored.
    ///
    /// # Errors
    /// The model thread's; what was embedded before the error is kept.
    pub fn embed(
        &self,
        model: &ModelHandle,
        encoder: &Arc<BertEncoder>,
        texts: &[String],
        priority: Priority,
    ) -> Result<Vec<Arc<[f32]>>, ModelError> {
        let version = encoder.identity().version.clone();
        let dim = encoder.dim();
        let table = self.table(&version, dim);
        let hashes: Vec<Hash> = texts.iter().map(|text| *blake3::hash(text.as_bytes()).as_bytes()).collect();
        let mut missing: Vec<usize> = Vec::new();
        {
            let table = table.lock();
            let mut queued = std::collections::HashSet::new();
            for (place, hash) in hashes.iter().enumerate() {
                if !table.rows.contains_key(hash) && queued.insert(hash) {
                    missing.push(place);
                }
            }
        }
        for slice in missing.chunks(SLICE) {
            let batch: Vec<String> = slice.iter().map(|&place| texts[place].clone()).collect();
            let named: Arc<dyn Encoder> = Arc::clone(encoder) as Arc<dyn Encoder>;
            let answer = submit_patiently(model, batch, TextKind::Passage, priority, named)?;
            let mut table = table.lock();
            let mut bytes = Vec::with_capacity(slice.len() * (32 + 2 * dim));
            for (&place, row) in slice.iter().zip(answer.vectors.rows()) {
                bytes.extend_from_slice(&hashes[place]);
                bytes.extend(row.iter().flat_map(|v| half::f16::from_f32(*v).to_le_bytes()));
                table.rows.insert(hashes[place], rounded(row));
            }
            if let Some(file) = &mut table.file
                && let Err(error) = file.write_all(&bytes)
            {
                tracing::warn!(%error, "vectors are not kept on disk any more");
                table.file = None;
            }
        }
        let table = table.lock();
        Ok(hashes.iter().map(|hash| table.rows.get(hash).cloned().unwrap_or_else(|| vec![0.0; dim].into())).collect())
    }

    /// Deletes the tables of all encoder versions but these.
    pub fn keep_only(&self, versions: &[String]) {
        let keep: Vec<PathBuf> = versions.iter().map(|version| self.path(version)).collect();
        self.tables.lock().retain(|version, _| versions.contains(version));
        let Ok(entries) = std::fs::read_dir(&self.dir) else { return };
        for path in entries.flatten().map(|entry| entry.path()).filter(|path| !keep.contains(path)) {
            if let Err(error) = std::fs::remove_file(&path) {
                tracing::warn!(%error, path = %path.display(), "an old vector table stays");
            }
        }
    }
}

/// Submits texts to the model thread and waits. Background work is retried when the queue is full; work for a request
/// is refused at once.
pub(crate) fn submit_patiently(
    model: &ModelHandle,
    texts: Vec<String>,
    kind: TextKind,
    priority: Priority,
    encoder: Arc<dyn Encoder>,
) -> Result<mercer_model::Embedded, ModelError> {
    loop {
        match model.submit(texts.clone(), kind, priority, Some(Arc::clone(&encoder))) {
            Ok(pending) => return pending.wait(),
            Err(ModelError::Overloaded { retry_after }) if priority == Priority::Background => {
                std::thread::sleep(retry_after);
            }
            Err(error) => return Err(error),
        }
    }
}

fn load(
    path: &Path,
    dim: usize,
    rows: &mut HashMap<Hash, Arc<[f32]>, rustc_hash::FxBuildHasher>,
) -> std::io::Result<File> {
    let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let record = 32 + 2 * dim;
    for chunk in bytes.chunks_exact(record) {
        let (hash, numbers) = chunk.split_at(32);
        let Ok(hash) = Hash::try_from(hash) else { continue };
        let row: Arc<[f32]> =
            numbers.chunks_exact(2).map(|b| half::f16::from_le_bytes([b[0], b[1]]).to_f32()).collect();
        rows.insert(hash, row);
    }
    let whole = bytes.len() - bytes.len() % record;
    if whole < bytes.len() {
        file.set_len(whole as u64)?;
        file.seek(SeekFrom::End(0))?;
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_tail_is_cut_off() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.f16");
        let mut bytes = vec![7u8; 32];
        bytes.extend(half::f16::from_f32(0.5).to_le_bytes());
        bytes.extend(half::f16::from_f32(-0.25).to_le_bytes());
        bytes.extend([1, 2, 3]);
        std::fs::write(&path, &bytes).unwrap();
        let mut rows = HashMap::default();
        load(&path, 2, &mut rows).unwrap();
        assert_eq!(&*rows[&[7u8; 32]], [0.5, -0.25]);
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 36);
    }
}
