//! Consent as the store keeps it: one record per scope, and the ledger of every change.

use std::collections::BTreeMap;

use mercer_shared::ids::UserId;
use mercer_shared::time::Timestamp;
use mercer_shared::wire::{
    ConsentBasis, ConsentChange, ConsentChoice, ConsentRecord, ConsentScope, ForgottenInterest, User,
};

/// How the sources of files begin: uploads, and files of the inbox. Every other source is an act of a person, or of a program that speaks
/// for one.
const FILES: [&str; 2] = ["import:", "inbox:"];

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

impl ConsentOrigin {
    /// Whether documents of this origin come from a file. A file may be older than what was said since: it may withdraw consent, and it
    /// never switches on what a person withdrew.
    #[must_use]
    pub fn is_file(&self) -> bool {
        is_of_file(&self.source)
    }
}

fn is_of_file(source: &str) -> bool {
    FILES.iter().any(|prefix| source.starts_with(prefix))
}

/// What a document does to a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DocumentEffect {
    /// Whether anything changes.
    pub changes: bool,
    /// Whether a file asks for what the person withdrew, and does not get it.
    pub consent_kept: bool,
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

    /// Takes over a document: attributes whole, consent as [`StoredConsent::take`] says. Returns whether a file asks for what the person
    /// withdrew; it does not get it, and nothing of that is recorded.
    pub(crate) fn take(&mut self, user: User, is_new: bool, origin: &ConsentOrigin) -> bool {
        self.attributes = user.attributes;
        user.forgotten_interests.into_iter().for_each(|interest| self.forget(interest));
        let withdrawn = |scope: &ConsentScope| origin.is_file() && self.consent.is_withdrawn(*scope);
        let withdrawn: Vec<ConsentScope> = ConsentScope::ALL.into_iter().filter(withdrawn).collect();
        let mut said = ConsentChoice::UNSAID;
        let mut asked = ConsentChoice::UNSAID;
        for scope in ConsentScope::ALL {
            // What an older program recorded stands in no ledger; the rest is told by the ledger.
            let told = user.consent_ledger.iter().rev().find(|change| change.scope == scope).map(|change| change.to);
            let Some(agreed) = user.consent.get(scope).or(told) else { continue };
            asked.set(scope, agreed);
            if told.is_none() && !(agreed && withdrawn.contains(&scope)) {
                said.set(scope, agreed);
            }
        }
        self.consent.take_ledger(user.consent_ledger, &withdrawn, origin.at);
        self.consent.take(said, is_new, origin);
        let is_off = |scope: ConsentScope| self.consent.record(scope).is_some_and(|record| !record.agreed);
        withdrawn.into_iter().any(|scope| asked.get(scope) == Some(true) && is_off(scope))
    }

    /// Removes an interest. The later of two removals of one interest counts.
    pub(crate) fn forget(&mut self, interest: ForgottenInterest) {
        let is_same = |known: &&mut ForgottenInterest| known.kind == interest.kind && known.value == interest.value;
        match self.forgotten.iter_mut().find(is_same) {
            Some(known) => known.at = known.at.max(interest.at),
            None => self.forgotten.push(interest),
        }
    }

    /// What a document would do to this user, who is known.
    #[must_use]
    pub fn effect_of(&self, document: User, origin: &ConsentOrigin) -> DocumentEffect {
        let mut after = self.clone();
        let consent_kept = after.take(document, false, origin);
        DocumentEffect { changes: after != *self, consent_kept }
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

    /// Whether the person withdrew a scope, by anything but a file, and did not agree since.
    #[must_use]
    pub fn is_withdrawn(&self, scope: ConsentScope) -> bool {
        let Some(record) = self.record(scope).filter(|record| !record.agreed) else { return false };
        let is_act = |basis, source: &str| basis == ConsentBasis::Explicit && !is_of_file(source);
        let since = self.ledger.iter().rev().filter(|change| change.scope == scope).take_while(|change| !change.to);
        is_act(record.basis, &record.source) || since.into_iter().any(|change| is_act(change.basis, &change.source))
    }

    /// Records a choice. A scope that it does not name keeps its record; for a new user it gets the default of the source.
    pub(crate) fn take(&mut self, choice: ConsentChoice, is_new: bool, origin: &ConsentOrigin) {
        for scope in ConsentScope::ALL {
            let said = choice.get(scope).map(|agreed| (agreed, ConsentBasis::Explicit));
            let default =
                || origin.defaults.get(scope).filter(|_| is_new).map(|agreed| (agreed, ConsentBasis::Default));
            let Some((to, basis)) = said.or_else(default) else { continue };
            let before = self.record(scope);
            // What was said before is not said again, unless a person now withdraws what so far only a file did: that binds files.
            let binds = !to && basis == ConsentBasis::Explicit && !origin.is_file() && !self.is_withdrawn(scope);
            if !binds && before.is_some_and(|record| record.basis == basis && record.agreed == to) {
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

    /// Takes over the ledger of an export: what this one has already, and what is older than what is recorded, changes nothing. What the
    /// person withdrew is switched on by a later act alone, up to `now`, and not by what a file brought there.
    fn take_ledger(&mut self, ledger: Vec<ConsentChange>, withdrawn: &[ConsentScope], now: Timestamp) {
        for change in ledger {
            let recorded = self.record(change.scope);
            let newer = recorded.is_none_or(|record| record.at.is_none_or(|at| at <= change.at));
            let is_later_act = || {
                let since = recorded.and_then(|record| record.at).is_some_and(|at| at < change.at);
                change.basis == ConsentBasis::Explicit && !is_of_file(&change.source) && since && change.at <= now
            };
            let refused = change.to && withdrawn.contains(&change.scope) && !is_later_act();
            if newer && !refused && !self.ledger.contains(&change) {
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
        new.take_ledger(old.ledger.clone(), &[], Timestamp::default());
        assert_eq!(new, old, "into an empty store everything comes back");
        new.take(only(ConsentScope::Train, false), false, &origin("api", 2));
        let withdrawn = new.clone();
        new.take_ledger(old.ledger, &[], Timestamp::default());
        assert_eq!(new, withdrawn);
    }

    /// What a file asks for with a plain consent, and what the user is then.
    fn imported(before: &StoredUser, consent: ConsentChoice, at: i64) -> (StoredUser, bool) {
        let mut after = before.clone();
        let document = User { consent, ..User::new(before.id.clone()) };
        let kept = after.take(document, false, &origin("import:users", at));
        (after, kept)
    }

    #[test]
    fn a_file_never_switches_on_what_a_person_withdrew() {
        let on = only(ConsentScope::Train, true);
        let mut user = StoredUser::new("ada".parse().unwrap());
        user.consent.take(on, true, &origin("import:users", 1));
        user.consent.take(only(ConsentScope::Train, false), false, &origin("api", 2));
        let (after, kept) = imported(&user, on, 3);
        assert_eq!((&after, kept), (&user, true), "nothing is recorded");
        // A file may withdraw as well; that changes nothing of who withdrew first.
        let (after, kept) = imported(&user, only(ConsentScope::Train, false), 4);
        assert_eq!((&after, kept), (&user, false));
        // The rest of the document applies, and another scope of it as well.
        let both = ConsentChoice { personalise: Some(false), ..on };
        let (after, kept) = imported(&user, both, 5);
        assert!(kept);
        assert_eq!((after.consent.recorded().personalise, after.consent.recorded().train), (Some(false), Some(false)));
        // An act on the socket works at once, and a file may follow it.
        user.consent.take(on, false, &origin("api", 6));
        assert_eq!(user.consent.recorded().train, Some(true));
        assert!(!imported(&user, on, 7).1);
    }

    #[test]
    fn what_only_files_withdrew_a_file_switches_on_until_a_person_withdraws_it() {
        let (on, off) = (only(ConsentScope::Train, true), only(ConsentScope::Train, false));
        let mut user = StoredUser::new("ada".parse().unwrap());
        user.consent.take(off, true, &origin("inbox:users", 1));
        let (after, kept) = imported(&user, on, 2);
        assert_eq!((after.consent.recorded().train, kept), (Some(true), false));
        // The person says what the file said before: from now on it is the person's word.
        user.consent.take(off, false, &origin("api", 3));
        assert_eq!(user.consent.ledger.len(), 2);
        assert!(imported(&user, on, 4).1);
        user.consent.take(off, false, &origin("api", 5));
        assert_eq!(user.consent.ledger.len(), 2, "saying it twice is no change");
        // A later withdrawal in an imported ledger does not take that word away.
        let by_file = ConsentChange {
            at: Timestamp::at(6),
            scope: ConsentScope::Train,
            from: Some(true),
            to: false,
            basis: ConsentBasis::Explicit,
            source: "import:elsewhere".to_owned(),
            uid: None,
        };
        user.consent.take_ledger(vec![by_file], &[ConsentScope::Train], Timestamp::at(9));
        assert!(user.consent.is_withdrawn(ConsentScope::Train));
        assert!(imported(&user, on, 10).1);
    }

    #[test]
    fn a_refusal_from_before_the_ledger_is_kept_too() {
        let mut user = StoredUser::new("ada".parse().unwrap());
        let record = ConsentRecord {
            scope: ConsentScope::Train,
            agreed: false,
            basis: ConsentBasis::Explicit,
            source: "before the ledger".to_owned(),
            at: None,
        };
        user.consent.records.push(record);
        assert_eq!(imported(&user, only(ConsentScope::Train, true), 1), (user, true));
    }

    #[test]
    fn of_an_imported_ledger_a_later_act_counts_and_a_later_file_does_not() {
        let change = |at, source: &str| ConsentChange {
            at: Timestamp::at(at),
            scope: ConsentScope::Train,
            from: Some(false),
            to: true,
            basis: ConsentBasis::Explicit,
            source: source.to_owned(),
            uid: None,
        };
        let mut user = StoredUser::new("ada".parse().unwrap());
        user.consent.take(only(ConsentScope::Train, false), true, &origin("api", 5));
        let with_ledger = |ledger: Vec<ConsentChange>| {
            let mut after = user.clone();
            let document =
                User { consent: only(ConsentScope::Train, true), consent_ledger: ledger, ..User::new(user.id.clone()) };
            let kept = after.take(document, false, &origin("import:ndjson", 20));
            (after.consent.recorded().train, after.consent.ledger.len(), kept)
        };
        assert_eq!(with_ledger(vec![change(9, "api")]), (Some(true), 2, false));
        let kept = (Some(false), 1, true);
        assert_eq!(with_ledger(vec![change(9, "import:x")]), kept);
        assert_eq!(with_ledger(vec![change(4, "api")]), kept, "older than the withdrawal");
        assert_eq!(with_ledger(vec![change(21, "api")]), kept, "not yet");
    }
}
