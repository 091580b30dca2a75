//! Blocks of the log. Interactions that were committed together lie together in one record, with what repeats among them
//! (users, sessions, sources) kept once: sled pays per record, not per byte, and a basket of twenty lines names its user
//! once. A single interaction is a block of one.

use mercer_shared::ids::{InteractionId, ItemId};
use mercer_shared::wire::{Interaction, InteractionType};
use serde::{Deserialize, Serialize};

use crate::keys::{Keyring, Pseudonym};
use crate::log::StoredInteraction;
use crate::record::{Record, finite, moment};
use crate::{Result, StoreError};

/// Most interactions of a block.
const MAX_ENTRIES: usize = 256;

/// A block is closed once its entries hold about so many bytes: sled puts records of more than a quarter of a segment
/// (128 KiB) into files of their own.
const MAX_BYTES: usize = 48 * 1024;

/// A block, first version. Sequence numbers are the base in the block's key plus the offset of the entry; an erased entry
/// leaves a gap.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct BlockV1 {
    users: Vec<[u8; 32]>,
    sessions: Vec<[u8; 32]>,
    sources: Vec<String>,
    entries: Vec<EntryV1>,
}

impl Record for BlockV1 {
    const VERSION: u8 = 1;
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct EntryV1 {
    offset: u32,
    id: Option<String>,
    user: Option<u32>,
    session: Option<u32>,
    kind: u8,
    item: Option<String>,
    query: Option<String>,
    query_id: Option<String>,
    value: Option<f64>,
    text: Option<String>,
    position: Option<u32>,
    at: i64,
    source: Option<u32>,
}

/// Position of a value in a small table, added if it is not there. Tables are short (a block has at most 256 entries) and
/// repetition is local, so the search starts at the end.
fn intern<T: PartialEq>(table: &mut Vec<T>, value: T) -> u32 {
    let index = table.iter().rposition(|known| *known == value).unwrap_or_else(|| {
        table.push(value);
        table.len() - 1
    });
    index as u32
}

impl BlockV1 {
    /// Adds an interaction at `base + offset`.
    fn push(&mut self, offset: u32, line: StoredInteraction) {
        let entry = EntryV1 {
            offset,
            id: line.id.map(String::from),
            user: line.user.map(|user| intern(&mut self.users, user.0)),
            session: line.session.map(|session| intern(&mut self.sessions, session.0)),
            kind: kind_byte(line.kind),
            item: line.item.map(String::from),
            query: line.query,
            query_id: line.query_id,
            value: line.value,
            text: line.text,
            position: line.position,
            at: line.at.millis(),
            source: line.source.map(|source| intern(&mut self.sources, source)),
        };
        self.entries.push(entry);
    }

    /// The interactions of the block at `key`, in order.
    pub(crate) fn lines(self, key: &[u8]) -> Result<Vec<StoredInteraction>> {
        let bad = |what: &str| StoreError::corrupt(key, what);
        let base = crate::layout::log_base(key).ok_or_else(|| bad("the key is no block's"))?;
        let Self { users, sessions, sources, entries } = self;
        let mut lines = Vec::with_capacity(entries.len());
        for entry in entries {
            let name = |table: &[[u8; 32]], index: Option<u32>| match index {
                None => Ok(None),
                Some(index) => table
                    .get(index as usize)
                    .map(|bytes| Some(Pseudonym(*bytes)))
                    .ok_or_else(|| bad("an entry names nobody")),
            };
            let source = match entry.source {
                None => None,
                Some(index) => {
                    Some(sources.get(index as usize).ok_or_else(|| bad("an entry names no source"))?.clone())
                }
            };
            lines.push(StoredInteraction {
                seq: base + u64::from(entry.offset),
                id: entry.id.map(InteractionId::new).transpose().map_err(|error| bad(&error.to_string()))?,
                user: name(&users, entry.user)?,
                session: name(&sessions, entry.session)?,
                kind: *InteractionType::ALL.get(usize::from(entry.kind)).ok_or_else(|| bad("the type is not known"))?,
                item: entry.item.map(ItemId::new).transpose().map_err(|error| bad(&error.to_string()))?,
                query: entry.query,
                query_id: entry.query_id,
                value: entry.value,
                text: entry.text,
                position: entry.position,
                at: moment(key, entry.at)?,
                source,
            });
        }
        Ok(lines)
    }

    /// The interactions of an encoded block.
    pub(crate) fn read(key: &[u8], bytes: &[u8]) -> Result<Vec<StoredInteraction>> {
        Self::decode(key, bytes)?.lines(key)
    }

    /// Packs lines, in order and none of them before `base`, into one record for the block at `base`.
    pub(crate) fn pack(base: u64, lines: Vec<StoredInteraction>) -> Result<Vec<u8>> {
        let mut block = Self::default();
        for line in lines {
            let offset = line.seq.checked_sub(base).and_then(|offset| u32::try_from(offset).ok());
            block.push(
                offset.ok_or_else(|| StoreError::Invalid("an interaction lies outside its block".to_owned()))?,
                line,
            );
        }
        block.encode(&crate::layout::log_key(base))
    }
}

/// Cuts lines into blocks: base and record of each.
pub(crate) fn blocks(lines: Vec<StoredInteraction>) -> Result<Vec<(u64, Vec<u8>)>> {
    let mut out = Vec::new();
    let mut open: Vec<StoredInteraction> = Vec::new();
    let mut bytes = 0;
    for line in lines {
        let size = line.size_hint();
        if !open.is_empty() && (open.len() == MAX_ENTRIES || bytes + size > MAX_BYTES) {
            out.push((open[0].seq, BlockV1::pack(open[0].seq, std::mem::take(&mut open))?));
            bytes = 0;
        }
        bytes += size;
        open.push(line);
    }
    if let Some(first) = open.first() {
        out.push((first.seq, BlockV1::pack(first.seq, open)?));
    }
    Ok(out)
}

/// The byte that stands for a type on disk: its place on the wire's list, to which types are only ever appended.
fn kind_byte(kind: InteractionType) -> u8 {
    InteractionType::ALL.iter().position(|known| *known == kind).unwrap_or_default() as u8
}

/// What the log keeps of an interaction from the wire. `seq` is 0 until the committer gives one.
pub(crate) fn from_wire(keys: &Keyring, interaction: Interaction) -> Result<StoredInteraction> {
    Ok(StoredInteraction {
        seq: 0,
        id: interaction.id,
        user: interaction.user.as_ref().map(|id| keys.user(id)),
        session: interaction.session.as_ref().map(|id| keys.session(id)),
        kind: interaction.kind,
        item: interaction.item,
        query: interaction.query,
        query_id: interaction.query_id,
        value: finite("value", interaction.value)?,
        text: interaction.text,
        position: interaction.position,
        at: interaction.at,
        source: interaction.source,
    })
}

/// What makes two interactions the same: the id, or without one all of the content. The bytes hashed here are fixed for
/// good; they do not follow the record format.
pub(crate) fn identity(keys: &Keyring, line: &StoredInteraction) -> [u8; 16] {
    if let Some(id) = &line.id {
        return keys.identity("id", id.as_str().as_bytes());
    }
    let mut bytes = Vec::with_capacity(160);
    let mut field = |value: Option<&[u8]>| match value {
        None => bytes.push(0),
        Some(value) => {
            bytes.push(1);
            bytes.extend_from_slice(&(value.len() as u64).to_le_bytes());
            bytes.extend_from_slice(value);
        }
    };
    field(line.user.as_ref().map(|user| user.0.as_slice()));
    field(line.session.as_ref().map(|session| session.0.as_slice()));
    field(Some(line.kind.as_str().as_bytes()));
    field(line.item.as_ref().map(|item| item.as_str().as_bytes()));
    field(line.query.as_deref().map(str::as_bytes));
    field(line.query_id.as_deref().map(str::as_bytes));
    field(line.value.map(|value| value.to_bits().to_le_bytes()).as_ref().map(<[u8; 8]>::as_slice));
    field(line.text.as_deref().map(str::as_bytes));
    field(line.position.map(u32::to_le_bytes).as_ref().map(<[u8; 4]>::as_slice));
    field(Some(&line.at.millis().to_le_bytes()));
    field(line.source.as_deref().map(str::as_bytes));
    keys.identity("content", &bytes)
}
