//! The record of a user: attributes, consent and its ledger. The id is not in it.

use std::collections::BTreeMap;

use mercer_shared::ids::UserId;
use mercer_shared::time::Timestamp;
use mercer_shared::wire::{ConsentBasis, ConsentChange, ConsentRecord, ConsentScope, ForgottenInterest, InterestKind};
use serde::{Deserialize, Serialize};

use crate::consent::{StoredConsent, StoredUser};
use crate::error::{Result, StoreError};
use crate::record::{Record, moment, unwrap};

/// What is given as the source of a refusal that an older program stored: it kept neither source nor time.
const BEFORE_THE_LEDGER: &str = "before the ledger";

/// A user as programs up to schema 2 wrote it. They set what a document did not say to true, so that true says nothing of what
/// the user agreed to; false was always said.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct UserV1 {
    attributes: BTreeMap<String, String>,
    personalise: bool,
    train: bool,
    audit_attributes: bool,
}

impl Record for UserV1 {
    const VERSION: u8 = 1;
}

impl Default for UserV1 {
    fn default() -> Self {
        Self { attributes: BTreeMap::new(), personalise: true, train: true, audit_attributes: true }
    }
}

/// A user since schema 3.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct UserV2 {
    attributes: BTreeMap<String, String>,
    consent: Vec<SwitchV2>,
    ledger: Vec<ChangeV2>,
    forgotten: Vec<ForgottenV2>,
}

impl Record for UserV2 {
    const VERSION: u8 = 2;
}

/// What is recorded of one scope.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct SwitchV2 {
    scope: u8,
    agreed: bool,
    explicit: bool,
    source: String,
    at: Option<i64>,
}

/// One entry of the ledger.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct ChangeV2 {
    at: i64,
    scope: u8,
    from: Option<bool>,
    to: bool,
    explicit: bool,
    source: String,
    uid: Option<u32>,
}

/// An interest that the user had removed.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct ForgottenV2 {
    kind: u8,
    value: String,
    at: i64,
}

/// The byte that stands for a scope on disk: its place on the wire's list, to which scopes are only ever appended.
fn scope_byte(scope: ConsentScope) -> u8 {
    ConsentScope::ALL.iter().position(|known| *known == scope).unwrap_or_default() as u8
}

fn scope_of(key: &[u8], byte: u8) -> Result<ConsentScope> {
    let scope = ConsentScope::ALL.get(usize::from(byte)).copied();
    scope.ok_or_else(|| StoreError::corrupt(key, format!("consent scope {byte} is not known")))
}

const fn basis(explicit: bool) -> ConsentBasis {
    if explicit { ConsentBasis::Explicit } else { ConsentBasis::Default }
}

impl UserV1 {
    fn into_stored(self, id: UserId) -> StoredUser {
        let scopes = [
            (ConsentScope::Personalise, self.personalise),
            (ConsentScope::Train, self.train),
            (ConsentScope::AuditAttributes, self.audit_attributes),
        ];
        let refused = scopes.into_iter().filter(|(_, agreed)| !agreed).map(|(scope, _)| ConsentRecord {
            scope,
            agreed: false,
            basis: ConsentBasis::Explicit,
            source: BEFORE_THE_LEDGER.to_owned(),
            at: None,
        });
        let consent = StoredConsent { records: refused.collect(), ledger: Vec::new() };
        StoredUser { consent, attributes: self.attributes, ..StoredUser::new(id) }
    }
}

impl UserV2 {
    /// The record at `key`.
    pub(crate) fn write(key: &[u8], user: &StoredUser) -> Result<Vec<u8>> {
        let switch = |record: &ConsentRecord| SwitchV2 {
            scope: scope_byte(record.scope),
            agreed: record.agreed,
            explicit: record.basis == ConsentBasis::Explicit,
            source: record.source.clone(),
            at: record.at.map(Timestamp::millis),
        };
        let change = |change: &ConsentChange| ChangeV2 {
            at: change.at.millis(),
            scope: scope_byte(change.scope),
            from: change.from,
            to: change.to,
            explicit: change.basis == ConsentBasis::Explicit,
            source: change.source.clone(),
            uid: change.uid,
        };
        let record = Self {
            attributes: user.attributes.clone(),
            consent: user.consent.records.iter().map(switch).collect(),
            ledger: user.consent.ledger.iter().map(change).collect(),
            forgotten: user.forgotten.iter().map(ForgottenV2::of).collect(),
        };
        record.encode(key)
    }

    fn into_stored(self, key: &[u8], id: UserId) -> Result<StoredUser> {
        let record = |switch: SwitchV2| {
            Ok(ConsentRecord {
                scope: scope_of(key, switch.scope)?,
                agreed: switch.agreed,
                basis: basis(switch.explicit),
                source: switch.source,
                at: switch.at.map(|at| moment(key, at)).transpose()?,
            })
        };
        let change = |change: ChangeV2| {
            Ok(ConsentChange {
                at: moment(key, change.at)?,
                scope: scope_of(key, change.scope)?,
                from: change.from,
                to: change.to,
                basis: basis(change.explicit),
                source: change.source,
                uid: change.uid,
            })
        };
        let records = self.consent.into_iter().map(record).collect::<Result<_>>()?;
        let ledger = self.ledger.into_iter().map(change).collect::<Result<_>>()?;
        let forgotten = self.forgotten.into_iter().map(|one| one.into_wire(key)).collect::<Result<_>>()?;
        Ok(StoredUser { id, attributes: self.attributes, consent: StoredConsent { records, ledger }, forgotten })
    }
}

impl ForgottenV2 {
    /// The byte of the kind is its place on the wire's list, to which kinds are only ever appended.
    fn of(interest: &ForgottenInterest) -> Self {
        let place = InterestKind::ALL.iter().position(|kind| *kind == interest.kind).unwrap_or_default();
        Self { kind: place as u8, value: interest.value.clone(), at: interest.at.millis() }
    }

    fn into_wire(self, key: &[u8]) -> Result<ForgottenInterest> {
        let kind = InterestKind::ALL.get(usize::from(self.kind)).copied();
        let kind = kind.ok_or_else(|| StoreError::corrupt(key, format!("interest {} is not known", self.kind)))?;
        Ok(ForgottenInterest { kind, value: self.value, at: moment(key, self.at)? })
    }
}

/// Reads the user at `key`, of either version.
///
/// # Errors
/// [`StoreError::Corrupt`].
pub(crate) fn read_user(key: &[u8], bytes: &[u8], id: UserId) -> Result<StoredUser> {
    match unwrap(key, bytes)? {
        (UserV1::VERSION, payload) => Ok(UserV1::from_payload(key, payload)?.into_stored(id)),
        (UserV2::VERSION, payload) => UserV2::from_payload(key, payload)?.into_stored(key, id),
        (version, _) => Err(StoreError::corrupt(key, format!("version {version} is not known"))),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    prop_compose! {
        fn change()(scope in 0..4_usize, flags in any::<[bool; 3]>(), source in ".{0,9}", at in 0..1_i64 << 40) -> ConsentChange {
            ConsentChange {
                at: Timestamp::from_millis(at).unwrap(),
                scope: ConsentScope::ALL[scope],
                from: flags[0].then_some(flags[1]),
                to: flags[1],
                basis: basis(flags[2]),
                source,
                uid: flags[0].then_some(7),
            }
        }
    }

    proptest! {
        #[test]
        fn users_come_back(
            attributes in prop::collection::btree_map(".{1,5}", ".{0,9}", 0..4),
            ledger in prop::collection::vec(change(), 0..5),
        ) {
            let record = |change: &ConsentChange| ConsentRecord {
                scope: change.scope,
                agreed: change.to,
                basis: change.basis,
                source: change.source.clone(),
                at: change.from.map(|_| change.at),
            };
            let id = UserId::new("u").unwrap();
            let records = ledger.iter().map(record).collect();
            let forget = |(value, change): (usize, &ConsentChange)| ForgottenInterest {
                kind: InterestKind::ALL[value % 4],
                value: change.source.clone(),
                at: change.at,
            };
            let forgotten = ledger.iter().enumerate().map(forget).collect();
            let user = StoredUser { id: id.clone(), attributes, consent: StoredConsent { records, ledger }, forgotten };
            let bytes = UserV2::write(b"U", &user).unwrap();
            prop_assert_eq!(read_user(b"U", &bytes, id).unwrap(), user);
        }
    }

    #[test]
    fn what_an_older_program_stored_counts_as_said_only_where_it_is_a_refusal() {
        let old = UserV1 { train: false, ..UserV1::default() }.encode(b"U").unwrap();
        let user = read_user(b"U", &old, UserId::new("u").unwrap()).unwrap();
        assert_eq!(user.consent.recorded().train, Some(false));
        assert_eq!(user.consent.explicit().train, Some(false));
        assert_eq!(user.consent.recorded().personalise, None, "true was the default of what nobody said");
        assert!(user.consent.ledger.is_empty());
    }
}
