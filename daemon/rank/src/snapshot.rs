//! The state that lists are made from: log, catalogue and collaborative index of one moment.
use std::sync::Arc;

use crate::catalogue::Catalogue;
use crate::collaborative_index::CollaborativeIndex;
use crate::dataset::Dataset;
use crate::error::RankError;
use crate::log::{Event, Log};
use crate::mode::Mode;
use crate::request::{Candidates, RankRequest};
use crate::sequence::SequenceScorer;
use crate::user_state::UserState;

/// Log, catalogue and collaborative index of one moment. Cloning shares everything.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// The log.
    pub log: Log,
    /// The items.
    pub catalogue: Catalogue,
    /// What was fitted.
    pub index: Arc<CollaborativeIndex>,
}

/// Whom a list is for.
#[derive(Debug, Clone, Copy)]
pub enum Recipient<'a> {
    /// A user of the log; an unknown number gets popular items.
    User(u32),
    /// Events of a session, sorted by time, that are in no user's log.
    Session(&'a [Event]),
    /// A user of the log as if these, sorted by time, were all their events. Like [`User`](Self::User), they are not their own neighbour.
    UserWith {
        /// The user.
        user: u32,
        /// The events instead of those of the log.
        events: &'a [Event],
    },
}

impl Snapshot {
    /// Log and catalogue.
    #[must_use]
    pub const fn dataset(&self) -> Dataset<'_> {
        Dataset { log: &self.log, catalogue: &self.catalogue }
    }

    /// The same snapshot with a sequence model among the sources; the fitted parts are shared.
    #[must_use]
    pub fn with_sequence(&self, model: Arc<dyn SequenceScorer>) -> Self {
        let index = CollaborativeIndex::clone(&self.index).with_sequence(Some(model));
        Self { index: Arc::new(index), ..self.clone() }
    }

    /// Reads the state of a user or session as of `at`.
    #[must_use]
    pub fn user_state(&self, whom: Recipient<'_>, at: i64) -> UserState {
        self.index.user_state(self.history(whom, at), at)
    }

    /// Events of a user or session up to a moment.
    #[must_use]
    pub fn history<'a>(&'a self, whom: Recipient<'a>, at: i64) -> &'a [Event] {
        match whom {
            Recipient::User(user) => self.log.until(user, at),
            Recipient::Session(events) | Recipient::UserWith { events, .. } => {
                &events[..events.partition_point(|e| e.at <= at)]
            }
        }
    }

    /// Checks that the index holds nothing later than `at`.
    ///
    /// # Errors
    /// [`RankError::FromTheFuture`] when it does.
    pub(crate) fn check(&self, at: i64) -> Result<(), RankError> {
        let fitted = self.index.at();
        if fitted > at { Err(RankError::FromTheFuture { fitted, asked: at }) } else { Ok(()) }
    }

    /// The items that may be listed for a user, ascending by number.
    pub(crate) fn eligible(&self, user: &UserState, r: &RankRequest<'_>) -> Vec<u32> {
        (0..self.catalogue.len() as u32).filter(|&i| self.is_eligible(user, r, i)).collect()
    }

    fn is_eligible(&self, user: &UserState, r: &RankRequest<'_>, item: u32) -> bool {
        let Some(facts) = self.catalogue.get(item) else { return false };
        let warm = self.index.is_warm(item);
        let among_candidates = match r.candidates {
            Candidates::All => true,
            Candidates::Warm => warm,
            Candidates::Cold => !warm,
        };
        among_candidates
            && !facts.hidden
            && (facts.in_stock || !r.in_stock_only)
            && (warm || facts.available_from.is_none_or(|t| t <= r.arriving_by.unwrap_or(user.at)))
            && !(r.mode == Mode::Novel && user.purchases_of(item).is_some())
            && user.dismissed.binary_search(&item).is_err()
            && r.exclude.binary_search(&item).is_err()
            && r.allow.is_none_or(|allow| allow(item))
    }
}
