//! One order of commit and apply for each user and visit.
//!
//! A write is durable before it is applied to the shop in memory. Without an order between the two, a write and an erasure of the
//! same user may be committed one way round and applied the other: the store has forgotten the user, and memory has not.

use std::hash::{BuildHasher, BuildHasherDefault};

use mercer_shared::ids::{SessionId, UserId};
use mercer_shared::wire::Interaction;
use parking_lot::{Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};
use rustc_hash::FxHasher;

/// Locks among which users and visits are distributed. Two that share one wait for each other, which costs time only.
const STRIPES: usize = 1_024;

/// The order of writes. Whoever commits holds the locks of the users and visits concerned until the write is applied.
pub struct WriteOrder {
    /// Held by erasures alone: which visits are a user's is known only once the log was read.
    whole: RwLock<()>,
    stripes: Box<[Mutex<()>]>,
}

impl Default for WriteOrder {
    fn default() -> Self {
        Self { whole: RwLock::new(()), stripes: (0..STRIPES).map(|_| Mutex::new(())).collect() }
    }
}

/// The right to commit and apply writes of some users and visits.
pub struct InOrder<'a> {
    _whole: RwLockReadGuard<'a, ()>,
    _stripes: Vec<MutexGuard<'a, ()>>,
}

fn stripe(kind: u8, id: &str) -> usize {
    BuildHasherDefault::<FxHasher>::default().hash_one((kind, id)) as usize % STRIPES
}

fn user_stripe(id: &UserId) -> usize {
    stripe(b'u', id.as_str())
}

fn session_stripe(id: &SessionId) -> usize {
    stripe(b's', id.as_str())
}

impl WriteOrder {
    /// Waits until nobody else writes for these users.
    pub fn users<'a>(&'a self, users: impl Iterator<Item = &'a UserId>) -> InOrder<'a> {
        self.take(users.map(user_stripe).collect())
    }

    /// Waits until nobody else writes for the users and visits of these interactions.
    pub fn interactions(&self, lines: &[Interaction]) -> InOrder<'_> {
        let users = lines.iter().filter_map(|line| line.user.as_ref().map(user_stripe));
        let sessions = lines.iter().filter_map(|line| line.session.as_ref().map(session_stripe));
        self.take(users.chain(sessions).collect())
    }

    /// Waits until nobody else writes at all.
    pub fn alone(&self) -> RwLockWriteGuard<'_, ()> {
        self.whole.write()
    }

    /// Locks stripes in ascending order, so that two writers never wait for each other.
    fn take(&self, mut stripes: Vec<usize>) -> InOrder<'_> {
        stripes.sort_unstable();
        stripes.dedup();
        let whole = self.whole.read();
        let stripes = stripes.into_iter().map(|stripe| self.stripes[stripe].lock()).collect();
        InOrder { _whole: whole, _stripes: stripes }
    }
}
