//! Blocks of the log. Interactions that were committed together lie together in one record, with what repeats among them
//! (users, sessions, sources) kept once: sled pays per record, not per byte, and a basket of twenty lines names its user
//! once. A single interaction is a block of one.

use mercer_shared::ids::{InteractionId, ItemId};
use mercer_shared::wire::InteractionType;
use serde::{Deserialize, Serialize};

use crate::error::{Result, StoreError};
use crate::interaction::StoredInteraction;
use crate::layout::{log_base, log_key};
use crate::pseudonym::Pseudonym;
use crate::record::{Record, moment};

/// Most interactions of a block.
const MAX_ENTRIES: usize = 256;

/// A block is closed once its entries hold about so many bytes: a page of sled holds up to 17 records, and one of more
/// than a quarter of a segment (512 KiB) goes into a file of its own.
const MAX_BYTES: usize = 24 * 1024;

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
        let base = log_base(key).ok_or_else(|| bad("the key is no block's"))?;
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
        block.encode(&log_key(base))
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
    kind.number()
}

#[cfg(test)]
mod tests {
    use mercer_shared::wire::Interaction;
    use proptest::prelude::*;

    use super::*;
    use crate::interaction::tests::interaction;
    use crate::keys::{Key, Keyring};

    /// Numbers the lines with gaps, as erasures leave them.
    fn numbered(lines: Vec<(Interaction, u64)>) -> Vec<StoredInteraction> {
        let keys = Keyring::new(&Key::from_bytes([3; 32]));
        let mut seq = 0;
        let number = |(line, gap): (Interaction, u64)| {
            seq += gap;
            StoredInteraction { seq, ..StoredInteraction::from_wire(&keys, line).unwrap() }
        };
        lines.into_iter().map(number).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn blocks_give_back_what_they_took(lines in prop::collection::vec((interaction(), 1..500_u64), 1..600)) {
            let lines = numbered(lines);
            let mut back = Vec::new();
            for (base, bytes) in blocks(lines.clone()).unwrap() {
                prop_assert!(bytes.len() < 30 * 1024, "{} bytes make pages that leave the log", bytes.len());
                back.extend(BlockV1::read(&log_key(base), &bytes).unwrap());
            }
            prop_assert_eq!(back, lines);
        }

        #[test]
        fn no_changed_bit_goes_unnoticed(lines in prop::collection::vec((interaction(), 1..9_u64), 1..5), place: prop::sample::Index, bit in 0..8) {
            let lines = numbered(lines);
            let (base, mut bytes) = blocks(lines).unwrap().swap_remove(0);
            let place = place.index(bytes.len());
            bytes[place] ^= 1_u8 << bit;
            prop_assert!(BlockV1::read(&log_key(base), &bytes).is_err());
        }

        #[test]
        fn random_bytes_are_no_block(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let key = log_key(1);
            prop_assert!(BlockV1::read(&key, &bytes).is_err());
            // With a sound checksum in front the decoder itself must hold.
            let _ = BlockV1::read(&key, &crate::record::wrap(&key, 1, &bytes));
        }
    }
}
