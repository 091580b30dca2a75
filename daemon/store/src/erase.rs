//! Erasing a user: every interaction, the document, the names, and a keyed mark that keeps the user from coming back.

use std::sync::atomic::Ordering;

use mercer_shared::ids::UserId;
use rustc_hash::FxHashMap;

use crate::block::{BlockV1, identity};
use crate::keys::Pseudonym;
use crate::layout::{LOG, SESSION_NAME, TOMBSTONE, USER, USER_NAME, log_key, pseudonym_key};
use crate::log::StoredInteraction;
use crate::record::wrap;
use crate::recover::Erasures;
use crate::store::Writer;
use crate::{Result, Store};

/// What an erasure removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erasure {
    /// The pseudonym that is gone from the store; for the receipt.
    pub pseudonym: Pseudonym,
    /// Interactions removed.
    pub interactions: u64,
    /// Sequence numbers of the first and the last of them: a model whose data reaches into this range may have seen the
    /// user.
    pub range: Option<(u64, u64)>,
    /// Whether the user had a document.
    pub document: bool,
    /// The sequence numbers removed, ascending, for whoever keeps copies.
    pub seqs: Vec<u64>,
}

/// What the store has of the sessions of a user.
#[derive(Default)]
struct Visit {
    /// Somebody else was in it, too.
    shared: bool,
}

impl Store {
    /// Erases a user in one atomic write. Anonymous interactions of the user's sessions go, too, because those sessions
    /// name the user to whoever saw both; a session in which another user took part keeps its anonymous lines.
    ///
    /// Erasing somebody unknown leaves the mark as well: it blocks a later import.
    ///
    /// The log is read twice for it, because an index from users to lines would cost every write for the sake of a rare one.
    ///
    /// # Errors
    /// [`crate::StoreError::ReadOnly`], [`crate::StoreError::Storage`], and [`crate::StoreError::Corrupt`] if part of the log
    /// cannot be read: then nothing is erased, since it could not be said to be complete.
    pub fn erase_user(&self, id: &UserId) -> Result<Erasure> {
        let core = self.core();
        let mut writer = core.write()?;
        let user = core.keys.user(id);
        let mut visits = self.visits_of(&user)?;

        let mut batch = sled::Batch::default();
        let mut removed: Vec<StoredInteraction> = Vec::new();
        let gone = |line: &StoredInteraction, visits: &FxHashMap<Pseudonym, Visit>| {
            line.user == Some(user)
                || line.user.is_none()
                    && line.session.and_then(|session| visits.get(&session)).is_some_and(|visit| !visit.shared)
        };
        for entry in core.tree.scan_prefix([LOG]) {
            let (key, bytes) = entry?;
            let lines = BlockV1::read(&key, &bytes)?;
            if !lines.iter().any(|line| gone(line, &visits)) {
                continue;
            }
            let (out, kept): (Vec<_>, Vec<_>) = lines.into_iter().partition(|line| gone(line, &visits));
            removed.extend(out);
            match crate::layout::log_base(&key) {
                // The block keeps its key, so that every block's lines stay between its key and the next.
                Some(base) if !kept.is_empty() => batch.insert(&log_key(base)[..], BlockV1::pack(base, kept)?),
                _ => batch.remove(key),
            }
        }

        visits.retain(|_, visit| !visit.shared);
        for session in visits.keys() {
            batch.remove(&pseudonym_key(SESSION_NAME, session)[..]);
        }
        let document = core.tree.contains_key(pseudonym_key(USER, &user))?;
        batch.remove(&pseudonym_key(USER, &user)[..]);
        batch.remove(&pseudonym_key(USER_NAME, &user)[..]);
        let mark = core.keys.tombstone(&user);
        batch.insert(&pseudonym_key(TOMBSTONE, &mark)[..], wrap(&pseudonym_key(TOMBSTONE, &mark), 1, &[]));
        let erased = writer.erased + removed.len() as u64;
        let (key, record) = Erasures::record(writer.next_seq, erased)?;
        batch.insert(key, record);
        core.apply(batch)?;
        writer.erased = erased;

        let sessions: Vec<Pseudonym> = visits.into_keys().collect();
        forget(&mut writer, &sessions, user, mark);
        for line in &removed {
            writer.identities.remove(&identity(&core.keys, line));
        }
        core.counters.interactions.fetch_sub(removed.len() as u64, Ordering::AcqRel);
        core.counters.users.fetch_sub(u64::from(document), Ordering::AcqRel);
        let seqs: Vec<u64> = removed.iter().map(|line| line.seq).collect();
        let range = seqs.first().copied().zip(seqs.last().copied());
        Ok(Erasure { pseudonym: user, interactions: seqs.len() as u64, range, document, seqs })
    }

    /// The sessions in which the user took part.
    fn visits_of(&self, user: &Pseudonym) -> Result<FxHashMap<Pseudonym, Visit>> {
        let mut visits: FxHashMap<Pseudonym, Visit> = FxHashMap::default();
        for line in self.core().interactions(0)? {
            let line = line?;
            if line.user == Some(*user)
                && let Some(session) = line.session
            {
                visits.entry(session).or_default();
            }
        }
        if !visits.is_empty() {
            for line in self.core().interactions(0)? {
                let line = line?;
                if line.user.is_some_and(|other| other != *user)
                    && let Some(visit) = line.session.and_then(|session| visits.get_mut(&session))
                {
                    visit.shared = true;
                }
            }
        }
        Ok(visits)
    }

    /// Whether this user was erased.
    #[must_use]
    pub fn is_erased(&self, id: &UserId) -> bool {
        let core = self.core();
        let mark = core.keys.tombstone(&core.keys.user(id));
        core.writer.lock().tombstones.contains(&mark)
    }
}

fn forget(writer: &mut Writer, sessions: &[Pseudonym], user: Pseudonym, mark: Pseudonym) {
    writer.tombstones.insert(mark);
    writer.named.remove(&user);
    for session in sessions {
        writer.named.remove(session);
    }
}
