//! Erases a user: every interaction, the document and the names. A keyed tombstone remains and blocks a later import.

use std::sync::atomic::Ordering;

use mercer_shared::ids::{SessionId, UserId};
use mercer_shared::wire::Interaction;
use rustc_hash::FxHashMap;

use crate::block::BlockV1;
use crate::error::Result;
use crate::interaction::{StoredInteraction, identity};
use crate::layout::{LOG, SESSION_NAME, TOMBSTONE, USER, USER_NAME, log_base, log_key, pseudonym_key};
use crate::log::interactions;
use crate::names::find_name;
use crate::pseudonym::Pseudonym;
use crate::record::wrap;
use crate::recover::Erasures;
use crate::served;
use crate::store::Store;

/// What an erasure removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erasure {
    /// Pseudonym of the erased user, for the receipt.
    pub pseudonym: Pseudonym,
    /// Sequence numbers of the removed interactions, ascending.
    pub seqs: Vec<u64>,
    /// Whether the user had a document.
    pub document: bool,
    /// The visits that were the user's alone, whose anonymous interactions went too.
    pub sessions: Vec<SessionId>,
    /// Number of served lists that were kept for the user.
    pub served: u64,
}

impl Erasure {
    /// Number of removed interactions.
    #[must_use]
    pub fn interactions(&self) -> u64 {
        self.seqs.len() as u64
    }

    /// Sequence number of the first removed interaction. A model whose data ends before it has not seen the user.
    #[must_use]
    pub fn first(&self) -> Option<u64> {
        self.seqs.first().copied()
    }
}

/// A session in which the user took part.
#[derive(Default)]
struct Session {
    /// Another user took part, too.
    shared: bool,
}

impl Store {
    /// Erases a user in one atomic write. Anonymous interactions in the user's sessions are erased, too, because the session
    /// links them to the user; a session in which another user took part keeps its anonymous interactions.
    ///
    /// Erasing an unknown user writes the tombstone as well: it blocks a later import.
    ///
    /// Reads the log twice: an index from users to interactions would slow down every write, and erasures are rare.
    ///
    /// # Errors
    /// [`crate::StoreError::ReadOnly`], [`crate::StoreError::Storage`], and [`crate::StoreError::Corrupt`] if part of the log
    /// cannot be read: then nothing is erased, because the erasure might be incomplete.
    pub fn erase_user(&self, id: &UserId) -> Result<Erasure> {
        let core = self.core();
        let mut writer = core.write()?;
        let user = core.keys.user(id);
        let mut sessions = self.sessions_of(&user)?;

        let mut batch = sled::Batch::default();
        let mut removed: Vec<StoredInteraction> = Vec::new();
        let gone = |line: &StoredInteraction, sessions: &FxHashMap<Pseudonym, Session>| {
            line.user == Some(user)
                || line.user.is_none()
                    && line.session.and_then(|session| sessions.get(&session)).is_some_and(|session| !session.shared)
        };
        for entry in core.tree().scan_prefix([LOG]) {
            let (key, bytes) = entry?;
            let lines = BlockV1::read(&key, &bytes)?;
            if !lines.iter().any(|line| gone(line, &sessions)) {
                continue;
            }
            let (out, kept): (Vec<_>, Vec<_>) = lines.into_iter().partition(|line| gone(line, &sessions));
            removed.extend(out);
            match log_base(&key) {
                // The block keeps its key: the sequence numbers in a block lie between its key and the next one.
                Some(base) if !kept.is_empty() => batch.insert(&log_key(base)[..], BlockV1::pack(base, kept)?),
                _ => batch.remove(key),
            }
        }

        sessions.retain(|_, session| !session.shared);
        let mut visits = Vec::new();
        for session in sessions.keys() {
            visits.extend(find_name(core, SESSION_NAME, session)?);
            batch.remove(&pseudonym_key(SESSION_NAME, session)[..]);
        }
        let document = core.tree().contains_key(pseudonym_key(USER, &user))?;
        batch.remove(&pseudonym_key(USER, &user)[..]);
        batch.remove(&pseudonym_key(USER_NAME, &user)[..]);
        let served = served::erase(core, &user, &mut batch)?;
        let tombstone = core.keys.tombstone(&user);
        let tombstone_key = pseudonym_key(TOMBSTONE, &tombstone);
        batch.insert(&tombstone_key[..], wrap(&tombstone_key, 1, &[]));
        let erased = writer.erased + removed.len() as u64;
        let (key, record) = Erasures::record(writer.next_seq, erased)?;
        batch.insert(key, record);
        core.apply(batch)?;
        writer.erased = erased;

        writer.tombstones.insert(tombstone);
        writer.named.remove(&user);
        for session in sessions.keys() {
            writer.named.remove(session);
        }
        for line in &removed {
            writer.identities.remove(&identity(&core.keys, line));
        }
        core.counters.interactions.fetch_sub(removed.len() as u64, Ordering::AcqRel);
        core.counters.users.fetch_sub(u64::from(document), Ordering::AcqRel);
        let seqs = removed.iter().map(|line| line.seq).collect();
        Ok(Erasure { pseudonym: user, seqs, document, sessions: visits, served })
    }

    /// The interactions of a user with their sequence numbers, and the anonymous ones that an erasure would remove with them; in the
    /// order of the log. Reads the log three times.
    ///
    /// # Errors
    /// [`crate::StoreError::Storage`], [`crate::StoreError::Corrupt`].
    pub fn interactions_of(&self, id: &UserId) -> Result<Vec<(u64, Interaction)>> {
        let user = self.core().keys.user(id);
        let sessions = self.sessions_of(&user)?;
        let own = |line: &StoredInteraction| {
            let visit = line.session.and_then(|session| sessions.get(&session));
            line.user == Some(user) || line.user.is_none() && visit.is_some_and(|visit| !visit.shared)
        };
        let mut found = Vec::new();
        for line in interactions(self.core(), 0)? {
            let line = line?;
            if own(&line) {
                let named = line.user.map(|_| id.clone());
                let session = line.session.map(|session| find_name(self.core(), SESSION_NAME, &session)).transpose()?;
                found.push((line.seq, line.into_wire(named, session.flatten())));
            }
        }
        Ok(found)
    }

    /// Finds the sessions in which the user took part.
    fn sessions_of(&self, user: &Pseudonym) -> Result<FxHashMap<Pseudonym, Session>> {
        let mut sessions: FxHashMap<Pseudonym, Session> = FxHashMap::default();
        for line in interactions(self.core(), 0)? {
            let line = line?;
            if line.user == Some(*user)
                && let Some(session) = line.session
            {
                sessions.entry(session).or_default();
            }
        }
        if !sessions.is_empty() {
            for line in interactions(self.core(), 0)? {
                let line = line?;
                if line.user.is_some_and(|other| other != *user)
                    && let Some(found) = line.session.and_then(|session| sessions.get_mut(&session))
                {
                    found.shared = true;
                }
            }
        }
        Ok(sessions)
    }

    /// Whether this user was erased.
    #[must_use]
    pub fn is_erased(&self, id: &UserId) -> bool {
        let core = self.core();
        let tombstone = core.keys.tombstone(&core.keys.user(id));
        core.writer.lock().tombstones.contains(&tombstone)
    }

    /// Whether the user of this pseudonym was erased.
    #[must_use]
    pub fn is_erased_pseudonym(&self, pseudonym: &Pseudonym) -> bool {
        let core = self.core();
        core.writer.lock().tombstones.contains(&core.keys.tombstone(pseudonym))
    }
}
