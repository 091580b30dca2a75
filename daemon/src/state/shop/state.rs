//! The state of the shop that readers take: immutable and cheap to clone.

use std::sync::Arc;

use mercer_rank::{Event, Snapshot};
use mercer_search::{DenseIndex, LexicalReader};
use mercer_shared::ids::{ItemId, SessionId, UserId};
use mercer_shared::wire::{Consent, ConsentChoice, ForgottenInterest, Item, User};

use crate::state::shop::model::Model;
use crate::state::shop::texts::Texts;

/// Latest queries kept per user for the profile.
pub const RECENT_QUERIES: usize = 50;

/// Who an event belongs to: a user, or the session of an unknown visitor.
#[derive(Debug, Clone)]
pub enum Who {
    /// A user.
    User(UserId),
    /// A visit.
    Session(SessionId),
    /// Was erased; the number is not given again.
    Erased,
}

/// A query that a shopper typed.
#[derive(Debug, Clone)]
pub struct TypedQuery {
    /// UTC milliseconds.
    pub at: i64,
    /// What was typed.
    pub text: Arc<str>,
}

/// A slot of the log.
#[derive(Debug, Clone)]
pub struct Subject {
    /// Who.
    pub who: Who,
    /// Declared attributes.
    pub attributes: std::collections::BTreeMap<String, String>,
    /// Consent in force.
    pub consent: Consent,
    /// What of it was said explicitly; the rest is the default of its source.
    pub explicit: ConsentChoice,
    /// Latest queries, oldest first.
    pub queries: Vec<TypedQuery>,
    /// Interests that the user had removed.
    pub forgotten: Vec<ForgottenInterest>,
    /// Events that nothing may be derived from; see [`crate::state::shop::withheld`].
    pub withheld: Vec<Event>,
    /// Searches that nothing may be derived from. Their texts are not kept in memory.
    pub withheld_searches: u64,
}

impl Subject {
    /// A slot of which nothing is known, with the default consent.
    #[must_use]
    pub fn empty(who: Who) -> Self {
        Self {
            who,
            attributes: Default::default(),
            consent: Consent::default(),
            explicit: ConsentChoice::UNSAID,
            queries: Vec::new(),
            forgotten: Vec::new(),
            withheld: Vec::new(),
            withheld_searches: 0,
        }
    }
}

/// One state of the shop with one model.
#[derive(Debug, Clone)]
pub struct ShopState {
    /// Counts up with every change that readers can see.
    pub generation: u64,
    /// Items by dense number.
    pub items: imbl::Vector<Arc<Item>>,
    /// Dense number of an item that is not deleted.
    pub item_index: imbl::HashMap<ItemId, u32>,
    /// Numbers of deleted items. Their slots hold hidden items without a title.
    pub deleted: imbl::HashSet<u32>,
    /// Numbers of items of sensitive categories.
    pub sensitive: imbl::HashSet<u32>,
    /// Slots of the log by dense number.
    pub subjects: imbl::Vector<Arc<Subject>>,
    /// Slot of a user.
    pub user_index: imbl::HashMap<UserId, u32>,
    /// Slot of a visit.
    pub session_index: imbl::HashMap<SessionId, u32>,
    /// Log, item facts, vectors of texts and collaborative index.
    pub rank: Snapshot,
    /// Query texts by the numbers that the log uses.
    pub texts: Texts,
    /// Lexical index.
    pub lexical: LexicalReader,
    /// Item vectors of the model's encoder.
    pub dense: DenseIndex,
    /// The model that answers.
    pub model: Arc<Model>,
    /// Moment of the latest event, UTC milliseconds; 0 without any.
    pub last_event: i64,
    /// Sequence number in the store of the latest event.
    pub last_seq: u64,
    /// Events since the collaborative index was last fitted.
    pub unfitted: u64,
    /// A version on trial, which answers a share of the users.
    pub canary: Option<Arc<Canary>>,
}

/// The same state of the shop with the model of a version on trial.
#[derive(Debug)]
pub struct Canary {
    /// The state that its users are served from.
    pub view: Arc<ShopState>,
    /// Share of the users.
    pub share: f64,
    /// Whether its lists are interleaved with the serving version's, instead of answering its share alone.
    pub interleave: bool,
}

impl ShopState {
    /// The item of a dense number.
    #[must_use]
    pub fn item(&self, number: u32) -> Option<&Arc<Item>> {
        self.items.get(number as usize)
    }

    /// The item of a dense number, if it is not deleted.
    #[must_use]
    pub fn live_item(&self, number: u32) -> Option<&Arc<Item>> {
        self.item(number).filter(|_| !self.deleted.contains(&number))
    }

    /// Items that are not deleted.
    #[must_use]
    pub fn item_count(&self) -> usize {
        self.item_index.len()
    }

    /// Dense number of an item id.
    #[must_use]
    pub fn item_number(&self, id: &str) -> Option<u32> {
        ItemId::new(id).ok().and_then(|id| self.item_index.get(&id).copied())
    }

    /// Slot of a user.
    #[must_use]
    pub fn user_number(&self, id: &str) -> Option<u32> {
        UserId::new(id).ok().and_then(|id| self.user_index.get(&id).copied())
    }

    /// The slot itself.
    #[must_use]
    pub fn subject(&self, number: u32) -> Option<&Arc<Subject>> {
        self.subjects.get(number as usize)
    }

    /// The user's id of a slot.
    #[must_use]
    pub fn user_id(&self, number: u32) -> Option<&UserId> {
        match &self.subject(number)?.who {
            Who::User(id) => Some(id),
            _ => None,
        }
    }

    /// The user document of a slot.
    #[must_use]
    pub fn user(&self, number: u32) -> Option<User> {
        let subject = self.subject(number)?;
        let Who::User(id) = &subject.who else { return None };
        let (attributes, consent) = (subject.attributes.clone(), subject.consent.into());
        Some(User { attributes, consent, ..User::new(id.clone()) })
    }

    /// The moment that "now" means for lists; see [`now_of`].
    #[must_use]
    pub fn now(&self) -> i64 {
        now_of(mercer_shared::time::Timestamp::now().millis(), self.last_event)
    }

    /// The log without users who did not consent to training. Collaborative index and models are fitted on it.
    #[must_use]
    pub fn training_log(&self) -> mercer_rank::Log {
        let mut log = self.rank.log.clone();
        for (number, subject) in self.subjects.iter().enumerate() {
            if !subject.consent.train {
                log.erase(number as u32);
            }
        }
        log
    }
}

/// The moment that "now" means for lists, from the clock and the latest event (0 without any), all UTC milliseconds.
///
/// Not later than a day after the latest event: a log that was imported years after its time is read as of its own end, or every
/// window of "the last 30 days" would be empty. Not earlier than the latest event either: a sender's clock may run ahead of ours by as much as
/// validation tolerates (a day), and a list of now must not be one of the past, for which an index is fitted of its own.
#[must_use]
pub const fn now_of(clock: i64, last_event: i64) -> i64 {
    let latest = last_event + mercer_rank::DAY_MS;
    if last_event == 0 || (clock >= last_event && clock <= latest) {
        clock
    } else if clock < last_event {
        last_event
    } else {
        latest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn now_lies_between_the_latest_event_and_a_day_after_it() {
        let day = mercer_rank::DAY_MS;
        assert_eq!(now_of(5 * day, 0), 5 * day);
        assert_eq!(now_of(5 * day, 5 * day - 7), 5 * day);
        assert_eq!(now_of(50 * day, 5 * day), 6 * day, "an old log is read as of its end");
        assert_eq!(
            now_of(5 * day, 5 * day + 120_000),
            5 * day + 120_000,
            "a clock that runs ahead is no list of the past"
        );
    }
}
