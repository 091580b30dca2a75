//! Reading the log of interactions in order.

use std::ops::Bound;
use std::sync::Arc;

use mercer_shared::ids::{InteractionId, ItemId, SessionId, UserId};
use mercer_shared::time::Timestamp;
use mercer_shared::wire::{Interaction, InteractionType};
use rustc_hash::FxHashMap;

use crate::block::BlockV1;
use crate::keys::Pseudonym;
use crate::layout::{LOG, SESSION_NAME, USER_NAME, log_key, pseudonym_key};
use crate::record::unwrap;
use crate::store::Core;
use crate::{Result, Store, StoreError};

/// An interaction as the log keeps it: user and session are pseudonyms.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredInteraction {
    /// Place in the log: counts up, is never given twice, and has gaps where a user was erased.
    pub seq: u64,
    /// The shop's id of the interaction.
    pub id: Option<InteractionId>,
    /// The shopper.
    pub user: Option<Pseudonym>,
    /// The visit.
    pub session: Option<Pseudonym>,
    /// What happened.
    pub kind: InteractionType,
    /// To which item.
    pub item: Option<ItemId>,
    /// What was searched for.
    pub query: Option<String>,
    /// The served list it belongs to.
    pub query_id: Option<String>,
    /// Quantity, rating or dwell time.
    pub value: Option<f64>,
    /// Text of a review.
    pub text: Option<String>,
    /// Rank in the served list, from 1.
    pub position: Option<u32>,
    /// When.
    pub at: Timestamp,
    /// Where it came from.
    pub source: Option<String>,
}

impl StoredInteraction {
    /// About how many bytes it takes in a block.
    pub(crate) fn size_hint(&self) -> usize {
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        48 + self.id.as_ref().map_or(0, |id| id.as_str().len())
            + self.item.as_ref().map_or(0, |id| id.as_str().len())
            + text(&self.query)
            + text(&self.query_id)
            + text(&self.text)
    }

    /// Back to the wire, with the names that belong to its pseudonyms.
    fn into_wire(self, user: Option<UserId>, session: Option<SessionId>) -> Interaction {
        Interaction {
            id: self.id,
            user,
            session,
            kind: self.kind,
            item: self.item,
            query: self.query,
            query_id: self.query_id,
            value: self.value,
            text: self.text,
            position: self.position,
            at: self.at,
            source: self.source,
        }
    }
}

/// Walks the log in order; a damaged block is one error, after which the walk goes on with the next block.
pub struct Interactions {
    blocks: sled::Iter,
    from: u64,
    lines: std::vec::IntoIter<StoredInteraction>,
    // Keeps the store's files and lock for as long as somebody reads.
    core: Arc<Core>,
    users: FxHashMap<Pseudonym, UserId>,
    sessions: FxHashMap<Pseudonym, SessionId>,
}

impl Interactions {
    /// The same walk with users and sessions named: pairs of sequence number and interaction. Each name is unsealed once.
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

/// Names remembered during a walk; beyond that it starts over, so that a log of many million visits does not fill memory.
const REMEMBERED: usize = 1 << 20;

fn resolve<T>(core: &Core, known: &mut FxHashMap<Pseudonym, T>, prefix: u8, pseudonym: Pseudonym) -> Result<T>
where
    T: Clone + TryFrom<String, Error: std::fmt::Display>,
{
    if let Some(name) = known.get(&pseudonym) {
        return Ok(name.clone());
    }
    let name: T = core.unsealed(prefix, &pseudonym)?.ok_or_else(|| {
        StoreError::corrupt(&pseudonym_key(prefix, &pseudonym), "the log names somebody whose sealed id is missing")
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

impl Core {
    /// The walk from the block that holds `from` on.
    pub(crate) fn interactions(self: &Arc<Self>, from: u64) -> Result<Interactions> {
        let holder = self.tree.get_lt(log_key(from.saturating_add(1)))?;
        let start = match holder {
            Some((key, _)) if key.first() == Some(&LOG) => key.to_vec(),
            _ => log_key(from).to_vec(),
        };
        let blocks = self.tree.range::<Vec<u8>, _>((Bound::Included(start), Bound::Excluded(vec![LOG + 1])));
        Ok(Interactions {
            blocks,
            from,
            lines: Vec::new().into_iter(),
            core: Arc::clone(self),
            users: FxHashMap::default(),
            sessions: FxHashMap::default(),
        })
    }

    /// The sealed name at a pseudonym.
    pub(crate) fn unsealed<T>(&self, prefix: u8, pseudonym: &Pseudonym) -> Result<Option<T>>
    where
        T: TryFrom<String, Error: std::fmt::Display>,
    {
        let key = pseudonym_key(prefix, pseudonym);
        let Some(bytes) = self.tree.get(key)? else { return Ok(None) };
        self.open_name(&key, pseudonym, &bytes).map(Some)
    }

    /// Opens the record of a name.
    pub(crate) fn open_name<T>(&self, key: &[u8], pseudonym: &Pseudonym, bytes: &[u8]) -> Result<T>
    where
        T: TryFrom<String, Error: std::fmt::Display>,
    {
        let (version, sealed) = unwrap(key, bytes)?;
        if version != NAME_VERSION {
            return Err(StoreError::corrupt(key, format!("version {version} is not known")));
        }
        let name =
            self.keys.open(pseudonym, sealed).ok_or_else(|| StoreError::corrupt(key, "the sealed id does not open"))?;
        T::try_from(name).map_err(|error| StoreError::corrupt(key, error.to_string()))
    }
}

/// Version byte of the records of sealed names.
pub(crate) const NAME_VERSION: u8 = 1;

impl Store {
    /// The log from sequence number `from` on, in order, with pseudonyms; [`Interactions::named`] gives names.
    ///
    /// # Errors
    /// [`StoreError::Storage`] if the log cannot be read; damaged blocks are errors of the walk.
    pub fn scan_interactions(&self, from: u64) -> Result<Interactions> {
        self.core().interactions(from)
    }

    /// One interaction with its names, if it is there.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if its block is damaged.
    pub fn get_interaction(&self, seq: u64) -> Result<Option<Interaction>> {
        match self.scan_interactions(seq)?.named().next() {
            Some(Ok((found, interaction))) if found == seq => Ok(Some(interaction)),
            Some(Err(error)) => Err(error),
            _ => Ok(None),
        }
    }
}
