//! Retention: removes interactions that are older than their type is kept, and the names that nothing refers to any more.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use mercer_shared::ids::{SessionId, UserId};
use mercer_shared::time::Timestamp;
use mercer_shared::wire::InteractionType;
use rustc_hash::FxHashSet;

use crate::block::BlockV1;
use crate::core::Writer;
use crate::error::Result;
use crate::interaction::{StoredInteraction, identity};
use crate::layout::{LOG, SESSION_NAME, USER, USER_NAME, log_base, log_key, pseudonym_key};
use crate::log::interactions;
use crate::names::find_name;
use crate::pseudonym::Pseudonym;
use crate::recover::Erasures;
use crate::store::Store;

/// Blocks that are rewritten in one atomic write: the whole log would be too much for memory.
const BLOCKS: usize = 256;

/// What retention removed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expired {
    /// Interactions by type.
    pub counts: BTreeMap<InteractionType, u64>,
    /// Users without a document of whom nothing is left.
    pub users: Vec<UserId>,
    /// Visits of which nothing is left.
    pub sessions: Vec<SessionId>,
}

impl Expired {
    /// Number of removed interactions.
    #[must_use]
    pub fn interactions(&self) -> u64 {
        self.counts.values().sum()
    }
}

/// Users and visits of removed interactions.
#[derive(Default)]
struct Concerned {
    users: FxHashSet<Pseudonym>,
    sessions: FxHashSet<Pseudonym>,
}

impl Store {
    /// Removes the interactions that `keeps` does not keep, and the names of users and visits that nothing refers to any more. A
    /// crash leaves a part of it removed; the next call removes the rest.
    ///
    /// # Errors
    /// [`crate::StoreError::ReadOnly`], [`crate::StoreError::Storage`], [`crate::StoreError::Corrupt`]; what was removed before stays
    /// removed.
    pub fn expire(&self, keeps: impl Fn(InteractionType, Timestamp) -> bool) -> Result<Expired> {
        let core = self.core();
        let mut writer = core.write()?;
        let (mut expired, mut concerned) = (Expired::default(), Concerned::default());
        let mut rewrite = Rewrite::default();
        for entry in core.tree().scan_prefix([LOG]) {
            let (key, bytes) = entry?;
            let lines = BlockV1::read(&key, &bytes)?;
            if lines.iter().all(|line| keeps(line.kind, line.at)) {
                continue;
            }
            let (kept, gone): (Vec<_>, Vec<_>) = lines.into_iter().partition(|line| keeps(line.kind, line.at));
            match log_base(&key) {
                // The block keeps its key: the sequence numbers in a block lie between its key and the next one.
                Some(base) if !kept.is_empty() => rewrite.batch.insert(&log_key(base)[..], BlockV1::pack(base, kept)?),
                _ => rewrite.batch.remove(key),
            }
            for line in &gone {
                *expired.counts.entry(line.kind).or_default() += 1;
                concerned.users.extend(line.user);
                concerned.sessions.extend(line.session);
            }
            rewrite.gone.extend(gone);
            rewrite.blocks += 1;
            if rewrite.blocks == BLOCKS {
                self.write(&mut writer, std::mem::take(&mut rewrite))?;
            }
        }
        self.write(&mut writer, rewrite)?;
        self.remove_names(&mut writer, concerned, &mut expired)?;
        Ok(expired)
    }

    /// Applies a part of it.
    fn write(&self, writer: &mut Writer, rewrite: Rewrite) -> Result<()> {
        let Rewrite { mut batch, gone, blocks } = rewrite;
        if blocks == 0 {
            return Ok(());
        }
        let core = self.core();
        let erased = writer.erased + gone.len() as u64;
        let (key, record) = Erasures::record(writer.next_seq, erased)?;
        batch.insert(key, record);
        core.apply(batch)?;
        writer.erased = erased;
        for line in &gone {
            writer.identities.remove(&identity(&core.keys, line));
        }
        core.counters.interactions.fetch_sub(gone.len() as u64, Ordering::AcqRel);
        Ok(())
    }

    /// Removes the names of those of whom nothing is left, after the log was rewritten.
    fn remove_names(&self, writer: &mut Writer, mut concerned: Concerned, expired: &mut Expired) -> Result<()> {
        if concerned.users.is_empty() && concerned.sessions.is_empty() {
            return Ok(());
        }
        let core = self.core();
        for line in interactions(core, 0)? {
            let StoredInteraction { user, session, .. } = line?;
            if let Some(user) = user {
                concerned.users.remove(&user);
            }
            if let Some(session) = session {
                concerned.sessions.remove(&session);
            }
        }
        let mut batch = sled::Batch::default();
        for user in concerned.users {
            if core.tree().contains_key(pseudonym_key(USER, &user))? {
                continue;
            }
            expired.users.extend(find_name(core, USER_NAME, &user)?);
            batch.remove(&pseudonym_key(USER_NAME, &user)[..]);
            writer.named.remove(&user);
        }
        for session in concerned.sessions {
            expired.sessions.extend(find_name(core, SESSION_NAME, &session)?);
            batch.remove(&pseudonym_key(SESSION_NAME, &session)[..]);
            writer.named.remove(&session);
        }
        core.apply(batch)
    }
}

/// Blocks that are rewritten together.
#[derive(Default)]
struct Rewrite {
    batch: sled::Batch,
    gone: Vec<StoredInteraction>,
    blocks: usize,
}
