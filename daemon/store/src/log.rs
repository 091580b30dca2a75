//! The log of interactions: appends to it and reads it in order.

use std::ops::Bound;
use std::sync::Arc;

use mercer_shared::ids::{SessionId, UserId};
use mercer_shared::wire::Interaction;
use rustc_hash::FxHashMap;

use crate::block::BlockV1;
use crate::commit::LineOutcome;
use crate::core::Core;
use crate::error::{Result, StoreError};
use crate::interaction::{StoredInteraction, identity};
use crate::layout::{LOG, SESSION_NAME, USER_NAME, log_key, pseudonym_key};
use crate::names::find_name;
use crate::pseudonym::Pseudonym;
use crate::store::Store;

/// Reads the log in order. A damaged block is one error; the iterator goes on with the next block.
pub struct Interactions {
    blocks: sled::Iter,
    from: u64,
    lines: std::vec::IntoIter<StoredInteraction>,
    /// Keeps the store's files and lock while the iterator lives.
    core: Arc<Core>,
    users: FxHashMap<Pseudonym, UserId>,
    sessions: FxHashMap<Pseudonym, SessionId>,
}

impl Interactions {
    /// The same interactions with the ids of users and sessions, each with its sequence number. Each id is unsealed once.
    pub fn named(mut self) -> impl Iterator<Item = Result<(u64, Interaction)>> {
        std::iter::from_fn(move || {
            let line = self.next()?;
            Some(line.and_then(|line| self.name(line)))
        })
    }

    fn name(&mut self, line: StoredInteraction) -> Result<(u64, Interaction)> {
        let user = line.user.map(|user| resolve(&self.core, &mut self.users, USER_NAME, user)).transpose()?;
        let session =
            line.session.map(|session| resolve(&self.core, &mut self.sessions, SESSION_NAME, session)).transpose()?;
        Ok((line.seq, line.into_wire(user, session)))
    }
}

/// Ids kept in memory while the log is read; the map is cleared at this size, so that a log of many million sessions does not
/// fill memory.
const REMEMBERED: usize = 1 << 20;

fn resolve<T>(core: &Core, known: &mut FxHashMap<Pseudonym, T>, prefix: u8, pseudonym: Pseudonym) -> Result<T>
where
    T: Clone + TryFrom<String, Error: std::fmt::Display>,
{
    if let Some(name) = known.get(&pseudonym) {
        return Ok(name.clone());
    }
    let name: T = find_name(core, prefix, &pseudonym)?.ok_or_else(|| {
        StoreError::corrupt(&pseudonym_key(prefix, &pseudonym), "the log refers to it, but the sealed id is missing")
    })?;
    if known.len() >= REMEMBERED {
        known.clear();
    }
    known.insert(pseudonym, name.clone());
    Ok(name)
}

impl Iterator for Interactions {
    type Item = Result<StoredInteraction>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(line) = self.lines.next() {
                if line.seq >= self.from {
                    return Some(Ok(line));
                }
                continue;
            }
            let read = match self.blocks.next()? {
                Ok((key, bytes)) => BlockV1::read(&key, &bytes),
                Err(error) => Err(error.into()),
            };
            match read {
                Ok(lines) => self.lines = lines.into_iter(),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

/// Reads the log from the block on that holds `from`.
pub(crate) fn interactions(core: &Arc<Core>, from: u64) -> Result<Interactions> {
    let holder = core.tree().get_lt(log_key(from.saturating_add(1)))?;
    let start = match holder {
        Some((key, _)) if key.first() == Some(&LOG) => key.to_vec(),
        _ => log_key(from).to_vec(),
    };
    let blocks = core.tree().range::<Vec<u8>, _>((Bound::Included(start), Bound::Excluded(vec![LOG + 1])));
    Ok(Interactions {
        blocks,
        from,
        lines: Vec::new().into_iter(),
        core: Arc::clone(core),
        users: FxHashMap::default(),
        sessions: FxHashMap::default(),
    })
}

impl Store {
    /// Appends interactions and waits until they are durable: one answer for each, in order. Waits while the commit queue is
    /// full.
    #[must_use]
    pub fn append(&self, batch: Vec<Interaction>) -> Vec<LineOutcome> {
        self.committer().commit(batch)
    }

    /// Whether the log has this interaction; false for one that would be refused.
    #[must_use]
    pub fn holds(&self, interaction: &Interaction) -> bool {
        let core = self.core();
        StoredInteraction::from_wire(&core.keys, interaction.clone())
            .is_ok_and(|line| core.writer.lock().identities.contains_key(&identity(&core.keys, &line)))
    }

    /// The log from sequence number `from` on, in order, with pseudonyms; [`Interactions::named`] adds the ids.
    ///
    /// # Errors
    /// [`StoreError::Storage`] if the log cannot be read; a damaged block is an error of the iterator.
    pub fn scan_interactions(&self, from: u64) -> Result<Interactions> {
        interactions(self.core(), from)
    }
}
