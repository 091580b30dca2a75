//! Consent as the store keeps it: one record per scope, and the ledger of every change.

use std::collections::BTreeMap;

use mercer_shared::ids::UserId;
use mercer_shared::time::Timestamp;
use mercer_shared::wire::{
    ConsentBasis, ConsentChange, ConsentChoice, ConsentRecord, ConsentScope, ForgottenInterest, User,
};

/// Where a document comes from, for the records and the ledger of consent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConsentOrigin {
    /// What said it, such as `api` or `import:gorse`.
    pub source: String,
    /// User id of the process that said it; none for the daemon's own doing.
    pub uid: Option<u32>,
    /// When.
    pub at: Timestamp,
    /// What holds for a new user of this source who says nothing; the daemon's configuration decides the rest.
    pub defaults: ConsentChoice,
}

/// The consent of a user.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoredConsent {
    /// At most one record per scope, in the order of the scopes. A scope without one has the default of the configuration.
    pub records: Vec<ConsentRecord>,
    /// Every change, oldest first.
    pub ledger: Vec<ConsentChange>,
}

/// A user as the store keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredUser {
    /// The id.
    pub id: UserId,
    /// Declared attributes.
    pub attributes: BTreeMap<String, String>,
    /// Consent.
    pub consent: StoredConsent,
    /// Interests that the user had removed, oldest first.
    pub forgotten: Vec<ForgottenInterest>,
}

impl StoredUser {
    /// A user of whom nothing is known but the id.
    #[must_use]
    pub fn new(id: UserId) -> Self {
        Self { id, attributes: BTreeMap::new(), consent: StoredConsent::default(), forgotten: Vec::new() }
    }

    /// The document of an export. A store without a ledger of this user shows in `consent` what was said.
    #[must_use]
    pub fn into_export(self) -> User {
        let consent = self.consent.recorded();
        User {
            id: self.id,
            attributes: self.attributes,
            consent,
            consent_ledger: self.consent.ledger,
            forgotten_interests: self.forgotten,
        }
    }

    /// Takes over a document: attributes whole, consent as [`StoredConsent::take`] says.
    pub(crate) fn take(&mut self, user: User, is_new: bool, origin: &ConsentOrigin) {
        self.attributes = user.attributes;
        user.forgotten_interests.into_iter().for_each(|interest| self.forget(interest));
        let mut said = ConsentChoice::UNSAID;
        for scope in ConsentScope::ALL {
            // What an older program recorded stands in no ledger; the rest is told by the ledger.
            let told = user.consent_ledger.iter().any(|change| change.scope == scope);
            if let (false, Some(agreed)) = (told, user.consent.get(scope)) {
                said.set(scope, agreed);
            }
        }
        self.consent.take_ledger(user.consent_ledger);
        self.consent.take(said, is_new, origin);
    }

    /// Removes an interest. The later of two removals of one interest counts.
    pub(crate) fn forget(&mut self, interest: ForgottenInterest) {
        let is_same = |known: &&mut ForgottenInterest| known.kind == interest.kind && known.value == interest.value;
        match self.forgotten.iter_mut().find(is_same) {
            Some(known) => known.at = known.at.max(interest.at),
            None => self.forgotten.push(interest),
        }
    }

    /// Whether a document would change this user.
    #[must_use]
    pub fn is_changed_by(&self, document: User, origin: &ConsentOrigin) -> bool {
        let mut after = self.clone();
        after.take(document, false, origin);
        after != *self
    }
}

impl StoredConsent {
    /// What is recorded, by default or explicitly.
    #[must_use]
    pub fn recorded(&self) -> ConsentChoice {
        self.choice(|_| true)
    }

    /// What was said explicitly.
    #[must_use]
    pub fn explicit(&self) -> ConsentChoice {
        self.choice(|record| record.basis == ConsentBasis::Explicit)
    }

    fn choice(&self, counts: impl Fn(&ConsentRecord) -> bool) -> ConsentChoice {
        let mut choice = ConsentChoice::UNSAID;
        for record in self.records.iter().filter(|record| counts(record)) {
            choice.set(record.scope, record.agreed);
        }
        choice
    }

    /// The record of a scope.
    #[must_use]
    pub fn record(&self, scope: ConsentScope) -> Option<&ConsentRecord> {
        self.records.iter().find(|record| record.scope == scope)
    }

    /// Records a choice. A scope that it does not name keeps its record; for a new user it gets the default of the source.
    pub(crate) fn take(&mut self, choice: ConsentChoice, is_new: bool, origin: &ConsentOrigin) {
        for scope in ConsentScope::ALL {
            let said = choice.get(scope).map(|agreed| (agreed, ConsentBasis::Explicit));
            let default =
                || origin.defaults.get(scope).filter(|_| is_new).map(|agreed| (agreed, ConsentBasis::Default));
            let Some((to, basis)) = said.or_else(default) else { continue };
            let before = self.record(scope);
            // What was said before is not said again.
            if before.is_some_and(|record| record.basis == basis && record.agreed == to) {
                continue;
            }
            self.append(ConsentChange {
                at: origin.at,
                scope,
                from: before.map(|record| record.agreed),
                to,
                basis,
                source: origin.source.clone(),
                uid: origin.uid,
            });
        }
    }

    /// Takes over the ledger of an export: what this one has already, and what is older than what is recorded, changes nothing.
    fn take_ledger(&mut self, ledger: Vec<ConsentChange>) {
        for change in ledger {
            let newer = self.record(change.scope).is_none_or(|record| record.at.is_none_or(|at| at <= change.at));
            if newer && !self.ledger.contains(&change) {
                self.append(change);
            }
        }
    }

    fn append(&mut self, change: ConsentChange) {
        let record = ConsentRecord {
            scope: change.scope,
            agreed: change.to,
            basis: change.basis,
            source: change.source.clone(),
            at: Some(change.at),
        };
        self.records.retain(|known| known.scope != change.scope);
        let place = self.records.partition_point(|known| known.scope < change.scope);
        self.records.insert(place, record);
        self.ledger.push(change);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(source: &str, at: i64) -> ConsentOrigin {
        ConsentOrigin { source: source.to_owned(), at: Timestamp::from_millis(at).unwrap(), ..ConsentOrigin::default() }
    }

    fn only(scope: ConsentScope, agreed: bool) -> ConsentChoice {
        let mut choice = ConsentChoice::UNSAID;
        choice.set(scope, agreed);
        choice
    }

    #[test]
    fn what_is_not_named_does_not_change() {
        let mut consent = StoredConsent::default();
        consent.take(only(ConsentScope::Train, false), true, &origin("api", 1));
        let before = consent.clone();
        consent.take(ConsentChoice::UNSAID, false, &origin("import:x", 2));
        assert_eq!(consent, before, "a document without consent changes nothing");
        consent.take(only(ConsentScope::Personalise, false), false, &origin("api", 3));
        assert_eq!(consent.recorded().train, Some(false), "nor does one that names another scope");
        consent.take(only(ConsentScope::Train, false), false, &origin("import:x", 4));
        assert_eq!(consent.ledger.len(), 2, "what was said before is no change");
        consent.take(only(ConsentScope::Train, true), false, &origin("api", 5));
        let last = consent.ledger.last().unwrap();
        assert_eq!((last.from, last.to, last.source.as_str()), (Some(false), true, "api"));
    }

    #[test]
    fn a_default_is_for_new_users_and_says_so() {
        let defaults = only(ConsentScope::AuditAttributes, false);
        let origin = ConsentOrigin { defaults, ..origin("import:x", 1) };
        let mut consent = StoredConsent::default();
        consent.take(ConsentChoice::UNSAID, false, &origin);
        assert!(consent.records.is_empty(), "the user was there before");
        consent.take(ConsentChoice::UNSAID, true, &origin);
        let record = consent.record(ConsentScope::AuditAttributes).unwrap();
        assert_eq!((record.agreed, record.basis), (false, ConsentBasis::Default));
        assert!(consent.explicit().is_empty());
        // Who agrees to what is the default already has agreed explicitly from then on.
        consent.take(defaults, false, &origin);
        assert_eq!(consent.explicit(), defaults);
        assert_eq!(consent.ledger.len(), 2);
    }

    #[test]
    fn an_older_ledger_brings_nothing_back() {
        let (mut old, mut new) = (StoredConsent::default(), StoredConsent::default());
        old.take(only(ConsentScope::Train, true), true, &origin("api", 1));
        new.take_ledger(old.ledger.clone());
        assert_eq!(new, old, "into an empty store everything comes back");
        new.take(only(ConsentScope::Train, false), false, &origin("api", 2));
        let withdrawn = new.clone();
        new.take_ledger(old.ledger);
        assert_eq!(new, withdrawn);
    }
}
