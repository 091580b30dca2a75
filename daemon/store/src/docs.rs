//! Documents of the daemon itself: models, runs, decisions, audit, reports, settings, and their counters. They are JSON in a
//! versioned envelope, so that a new field of a wire type needs no migration.

use std::ops::Bound;

use mercer_shared::hex::{from_hex, to_hex};
use mercer_shared::wire::{Decision, ModelVersion, Page, Run};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::core::Core;
use crate::error::{Result, StoreError};
use crate::layout::{DOCUMENT, META, key};
use crate::record::{unwrap, wrap};
use crate::store::Store;

/// Version byte of envelopes.
pub(crate) const VERSION: u8 = 1;

/// A collection of documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DocKind {
    /// [`ModelVersion`]s, by version.
    Model,
    /// [`Run`]s, by id.
    Run,
    /// [`Decision`]s of the agent, by number.
    Decision,
    /// Entries of the audit log, by number.
    Audit,
    /// Reports, by a key that the caller chooses.
    Report,
    /// Evaluations, by their run's id.
    Evaluation,
    /// Prices of mitigations, by placement and re-rankers.
    MitigationPrice,
}

impl DocKind {
    /// The byte in the key.
    const fn byte(self) -> u8 {
        match self {
            Self::Model => b'm',
            Self::Run => b'r',
            Self::Decision => b'd',
            Self::Audit => b'a',
            Self::Report => b'p',
            Self::Evaluation => b'e',
            Self::MitigationPrice => b'w',
        }
    }

    /// The word in the name of the counter.
    const fn word(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Run => "run",
            Self::Decision => "decision",
            Self::Audit => "audit",
            Self::Report => "report",
            Self::Evaluation => "evaluation",
            Self::MitigationPrice => "mitigation-price",
        }
    }

    pub(crate) fn key(self, id: &str) -> Vec<u8> {
        let mut key = vec![DOCUMENT, self.byte()];
        key.extend_from_slice(id.as_bytes());
        key
    }
}

/// The order of a listing, by key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Ascending.
    Oldest,
    /// Descending.
    Newest,
}

/// The key of a numbered document: twenty digits, so that keys sort like the numbers.
pub(crate) fn number_key(number: u64) -> String {
    format!("{number:020}")
}

pub(crate) fn parse<T: DeserializeOwned>(key: &[u8], bytes: &[u8]) -> Result<T> {
    match unwrap(key, bytes)? {
        (VERSION, json) => serde_json::from_slice(json).map_err(|error| StoreError::corrupt(key, error.to_string())),
        (version, _) => Err(StoreError::corrupt(key, format!("version {version} is not known"))),
    }
}

impl Store {
    /// Writes a document and replaces the one with the same id.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] if it cannot be written as JSON, [`StoreError::ReadOnly`], [`StoreError::Storage`].
    pub fn put_doc<T: Serialize>(&self, kind: DocKind, id: &str, document: &T) -> Result<()> {
        self.put_json(&kind.key(id), document)
    }

    /// Writes the document at `key`, unless the store has the same bytes already.
    pub(crate) fn put_json<T: Serialize>(&self, key: &[u8], document: &T) -> Result<()> {
        let json = serde_json::to_vec(document).map_err(|error| StoreError::Invalid(format!("no JSON: {error}")))?;
        let core = self.core();
        let _writer = core.write()?;
        let bytes = wrap(key, VERSION, &json);
        if core.tree().get(key)?.is_some_and(|before| *before == *bytes) {
            return Ok(());
        }
        let mut batch = sled::Batch::default();
        batch.insert(key, bytes);
        core.apply(batch)
    }

    /// How many documents of a collection there are.
    ///
    /// # Errors
    /// [`StoreError::Storage`].
    pub fn count_docs(&self, kind: DocKind) -> Result<u64> {
        let mut count = 0;
        for key in self.core().tree().scan_prefix(kind.key("")).keys() {
            key?;
            count += 1;
        }
        Ok(count)
    }

    /// A document by its id.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if it is damaged or not a `T`.
    pub fn get_doc<T: DeserializeOwned>(&self, kind: DocKind, id: &str) -> Result<Option<T>> {
        self.get_json(&kind.key(id))
    }

    /// Reads the document at `key`.
    pub(crate) fn get_json<T: DeserializeOwned>(&self, key: &[u8]) -> Result<Option<T>> {
        self.core().tree().get(key)?.map(|bytes| parse(key, &bytes)).transpose()
    }

    /// Removes a document; returns whether it was there.
    ///
    /// # Errors
    /// [`StoreError::ReadOnly`], [`StoreError::Storage`].
    pub fn remove_doc(&self, kind: DocKind, id: &str) -> Result<bool> {
        self.remove_key(kind.key(id))
    }

    /// Removes the document at `key`; returns whether it was there.
    pub(crate) fn remove_key(&self, key: Vec<u8>) -> Result<bool> {
        let core = self.core();
        let _writer = core.write()?;
        if !core.tree().contains_key(&key)? {
            return Ok(false);
        }
        let mut batch = sled::Batch::default();
        batch.remove(key);
        core.apply(batch)?;
        Ok(true)
    }

    /// A page of at most `limit` documents. `cursor` is the `next_cursor` of the page before.
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
        let end = vec![DOCUMENT, kind.byte() + 1];
        let (low, high) = match (order, after) {
            (Order::Oldest, Some(after)) => (Bound::Excluded(after), Bound::Excluded(end)),
            (Order::Newest, Some(after)) => (Bound::Included(first), Bound::Excluded(after)),
            (_, None) => (Bound::Included(first), Bound::Excluded(end)),
        };
        let mut range = self.core().tree().range::<Vec<u8>, _>((low, high));
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

    /// Writes a decision under its number, which comes from [`Store::next_number`].
    ///
    /// # Errors
    /// As [`Store::put_doc`].
    pub fn put_decision(&self, decision: &Decision) -> Result<()> {
        self.put_doc(DocKind::Decision, &number_key(decision.seq), decision)
    }

    /// Assigns the next number of a collection, from 1. It is durable before it is returned, so it is never assigned twice.
    ///
    /// # Errors
    /// [`StoreError::ReadOnly`], [`StoreError::Storage`].
    pub fn next_number(&self, kind: DocKind) -> Result<u64> {
        let core = self.core();
        let _writer = core.write()?;
        let mut batch = sled::Batch::default();
        let next = count_up(core, kind, &mut batch)?;
        core.apply(batch)?;
        Ok(next)
    }
}

/// Adds the next number of a collection to a batch. The caller holds the writer's lock.
pub(crate) fn count_up(core: &Core, kind: DocKind, batch: &mut sled::Batch) -> Result<u64> {
    let key = key(META, format!("number:{}", kind.word()).as_bytes());
    let next = read_number(&key, core.tree().get(&key)?)?.unwrap_or(0) + 1;
    batch.insert(key.as_slice(), wrap(&key, VERSION, &next.to_le_bytes()));
    Ok(next)
}

fn read_number(key: &[u8], bytes: Option<sled::IVec>) -> Result<Option<u64>> {
    let Some(bytes) = bytes else { return Ok(None) };
    let raw = unwrap(key, &bytes)?.1.try_into().map_err(|_| StoreError::corrupt(key, "this is no number"))?;
    Ok(Some(u64::from_le_bytes(raw)))
}

/// Writes the last key in hexadecimal, which is safe in a URL.
fn write_cursor(key: &[u8]) -> String {
    to_hex(key)
}

fn read_cursor(kind: DocKind, cursor: &str) -> Result<Vec<u8>> {
    let key = if cursor.len() > 2048 { None } else { from_hex(cursor) };
    let key = key.ok_or(StoreError::BadCursor)?;
    if key.starts_with(&kind.key("")) { Ok(key) } else { Err(StoreError::BadCursor) }
}
