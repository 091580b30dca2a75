//! What the daemon notes about itself: models, runs, decisions, audit, reports, settings. Kept as JSON in a versioned
//! envelope, because their wire types grow often and unknown fields must not cost a migration. Also cursors and counters.

use std::ops::Bound;

use mercer_shared::wire::{AuditEntry, Decision, ModelVersion, Page, Run};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::layout::{CURSOR, DOCUMENT, META, key};
use crate::record::{unwrap, wrap};
use crate::{Result, Store, StoreError};

/// Version byte of envelopes.
const VERSION: u8 = 1;

/// A collection of documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DocKind {
    /// [`ModelVersion`]s, by version.
    Model,
    /// [`Run`]s, by id.
    Run,
    /// [`Decision`]s of the agent, by number.
    Decision,
    /// [`AuditEntry`]s, by number.
    Audit,
    /// Reports, by a key of the caller's.
    Report,
    /// Evaluations, by their run's id.
    Evaluation,
    /// Anything else that must outlive a restart, by name.
    Setting,
}

impl DocKind {
    /// The byte in the key, and the word in the name of the counter.
    const fn names(self) -> (u8, &'static str) {
        match self {
            Self::Model => (b'm', "model"),
            Self::Run => (b'r', "run"),
            Self::Decision => (b'd', "decision"),
            Self::Audit => (b'a', "audit"),
            Self::Report => (b'p', "report"),
            Self::Evaluation => (b'e', "evaluation"),
            Self::Setting => (b's', "setting"),
        }
    }

    fn key(self, id: &str) -> Vec<u8> {
        let mut key = vec![DOCUMENT, self.names().0];
        key.extend_from_slice(id.as_bytes());
        key
    }
}

/// The direction of a listing, by key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// From the first key on.
    Oldest,
    /// From the last key back.
    Newest,
}

/// The key of a numbered document: twenty digits, so that keys sort as numbers do.
fn number_key(number: u64) -> String {
    format!("{number:020}")
}

fn parse<T: DeserializeOwned>(key: &[u8], bytes: &[u8]) -> Result<T> {
    match unwrap(key, bytes)? {
        (VERSION, json) => serde_json::from_slice(json).map_err(|error| StoreError::corrupt(key, error.to_string())),
        (version, _) => Err(StoreError::corrupt(key, format!("version {version} is not known"))),
    }
}

impl Store {
    /// Writes a document; it replaces the one with the same id.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] if it cannot be written as JSON, [`StoreError::ReadOnly`], [`StoreError::Storage`].
    pub fn put_doc<T: Serialize>(&self, kind: DocKind, id: &str, document: &T) -> Result<()> {
        let json = serde_json::to_vec(document).map_err(|error| StoreError::Invalid(format!("no JSON: {error}")))?;
        self.put_record(&kind.key(id), &json)
    }

    /// Writes an envelope, unless it stands there already.
    fn put_record(&self, key: &[u8], payload: &[u8]) -> Result<()> {
        let core = self.core();
        let _writer = core.write()?;
        let bytes = wrap(key, VERSION, payload);
        if core.tree.get(key)?.is_some_and(|before| *before == *bytes) {
            return Ok(());
        }
        let mut batch = sled::Batch::default();
        batch.insert(key, bytes);
        core.apply(batch)
    }

    /// A document by its id.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if it is damaged or of another shape than `T`.
    pub fn get_doc<T: DeserializeOwned>(&self, kind: DocKind, id: &str) -> Result<Option<T>> {
        let key = kind.key(id);
        self.core().tree.get(&key)?.map(|bytes| parse(&key, &bytes)).transpose()
    }

    /// Removes a document; whether it was there.
    ///
    /// # Errors
    /// [`StoreError::ReadOnly`], [`StoreError::Storage`].
    pub fn remove_doc(&self, kind: DocKind, id: &str) -> Result<bool> {
        let core = self.core();
        let _writer = core.write()?;
        let key = kind.key(id);
        if !core.tree.contains_key(&key)? {
            return Ok(false);
        }
        let mut batch = sled::Batch::default();
        batch.remove(key);
        core.apply(batch)?;
        Ok(true)
    }

    /// A page of at most `limit` documents. `cursor` is the last page's `next_cursor`.
    ///
    /// # Errors
    /// [`StoreError::BadCursor`], and [`StoreError::Corrupt`] if a document is damaged.
    pub fn list_docs<T: DeserializeOwned>(
        &self,
        kind: DocKind,
        order: Order,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<T>> {
        let after = cursor.map(|cursor| read_cursor(kind, cursor)).transpose()?;
        let first = kind.key("");
        let end = vec![DOCUMENT, kind.names().0 + 1];
        let (low, high) = match (order, after) {
            (Order::Oldest, Some(after)) => (Bound::Excluded(after), Bound::Excluded(end)),
            (Order::Newest, Some(after)) => (Bound::Included(first), Bound::Excluded(after)),
            (_, None) => (Bound::Included(first), Bound::Excluded(end)),
        };
        let mut range = self.core().tree.range::<Vec<u8>, _>((low, high));
        let mut step = || match order {
            Order::Oldest => range.next(),
            Order::Newest => range.next_back(),
        };
        let mut page = Page { items: Vec::new(), next_cursor: None };
        let mut last = Vec::new();
        while let Some(entry) = step() {
            let (key, bytes) = entry?;
            if page.items.len() == limit.max(1) {
                page.next_cursor = Some(write_cursor(&last));
                break;
            }
            page.items.push(parse(&key, &bytes)?);
            last = key.to_vec();
        }
        Ok(page)
    }

    /// Writes a model version.
    ///
    /// # Errors
    /// As [`Store::put_doc`].
    pub fn put_model(&self, model: &ModelVersion) -> Result<()> {
        self.put_doc(DocKind::Model, &model.version, model)
    }

    /// A model version by its name.
    ///
    /// # Errors
    /// As [`Store::get_doc`].
    pub fn get_model(&self, version: &str) -> Result<Option<ModelVersion>> {
        self.get_doc(DocKind::Model, version)
    }

    /// Writes a run. Live runs should be written every few seconds, not every step: the file grows with each.
    ///
    /// # Errors
    /// As [`Store::put_doc`].
    pub fn put_run(&self, run: &Run) -> Result<()> {
        self.put_doc(DocKind::Run, &run.id, run)
    }

    /// A run by its id.
    ///
    /// # Errors
    /// As [`Store::get_doc`].
    pub fn get_run(&self, id: &str) -> Result<Option<Run>> {
        self.get_doc(DocKind::Run, id)
    }

    /// Writes a decision under its number; take a fresh one from [`Store::next_number`].
    ///
    /// # Errors
    /// As [`Store::put_doc`].
    pub fn put_decision(&self, decision: &Decision) -> Result<()> {
        self.put_doc(DocKind::Decision, &number_key(decision.seq), decision)
    }

    /// A decision by its number.
    ///
    /// # Errors
    /// As [`Store::get_doc`].
    pub fn get_decision(&self, seq: u64) -> Result<Option<Decision>> {
        self.get_doc(DocKind::Decision, &number_key(seq))
    }

    /// Writes an entry of the audit log under the next number, which the returned entry carries; its own `seq` is ignored.
    ///
    /// # Errors
    /// As [`Store::put_doc`].
    pub fn audit(&self, mut entry: AuditEntry) -> Result<AuditEntry> {
        entry.seq = self.next_number(DocKind::Audit)?;
        self.put_doc(DocKind::Audit, &number_key(entry.seq), &entry)?;
        Ok(entry)
    }

    /// The next number of a collection, from 1; durable before it is given out, never given twice.
    ///
    /// # Errors
    /// [`StoreError::ReadOnly`], [`StoreError::Storage`].
    pub fn next_number(&self, kind: DocKind) -> Result<u64> {
        let core = self.core();
        let _writer = core.write()?;
        let key = key(META, format!("number:{}", kind.names().1).as_bytes());
        let next = read_number(&key, core.tree.get(&key)?)?.unwrap_or(0) + 1;
        let mut batch = sled::Batch::default();
        batch.insert(key.as_slice(), wrap(&key, VERSION, &next.to_le_bytes()));
        core.apply(batch)?;
        Ok(next)
    }

    /// Remembers how far a reader of the log came.
    ///
    /// # Errors
    /// [`StoreError::ReadOnly`], [`StoreError::Storage`].
    pub fn put_cursor(&self, name: &str, seq: u64) -> Result<()> {
        self.put_record(&key(CURSOR, name.as_bytes()), &seq.to_le_bytes())
    }

    /// How far a reader of the log came.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if the record is damaged.
    pub fn get_cursor(&self, name: &str) -> Result<Option<u64>> {
        let key = key(CURSOR, name.as_bytes());
        read_number(&key, self.core().tree.get(&key)?)
    }
}

fn read_number(key: &[u8], bytes: Option<sled::IVec>) -> Result<Option<u64>> {
    let Some(bytes) = bytes else { return Ok(None) };
    let raw = unwrap(key, &bytes)?.1.try_into().map_err(|_| StoreError::corrupt(key, "this is no number"))?;
    Ok(Some(u64::from_le_bytes(raw)))
}

/// A cursor is the last key in hexadecimal: opaque, safe in a URL, and good for as long as the collection exists.
fn write_cursor(key: &[u8]) -> String {
    key.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn read_cursor(kind: DocKind, cursor: &str) -> Result<Vec<u8>> {
    let digits = cursor.as_bytes();
    if !digits.len().is_multiple_of(2) || digits.len() > 2048 || !digits.iter().all(u8::is_ascii_hexdigit) {
        return Err(StoreError::BadCursor);
    }
    let byte = |pair: &[u8]| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok());
    let key: Vec<u8> = digits.chunks(2).map(byte).collect::<Option<_>>().ok_or(StoreError::BadCursor)?;
    if key.starts_with(&kind.key("")) { Ok(key) } else { Err(StoreError::BadCursor) }
}
