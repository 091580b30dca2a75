//! Consent in memory: what is in force, and what was said explicitly.

use mercer_shared::wire::{Consent, ConsentChoice, ConsentScope};
use mercer_store::StoredConsent;

use crate::state::shop::{ShopState, Who};

/// The consent of a slot of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Agreement {
    /// What is in force.
    pub consent: Consent,
    /// What was said explicitly; the rest is the default of its source.
    pub explicit: ConsentChoice,
}

impl Agreement {
    /// Of a user or visit that said nothing.
    #[must_use]
    pub const fn unsaid(default: Consent) -> Self {
        Self { consent: default, explicit: ConsentChoice::UNSAID }
    }

    /// Of a user, from the store; `default` is the configuration's.
    #[must_use]
    pub fn of(stored: &StoredConsent, default: Consent) -> Self {
        Self { consent: stored.recorded().over(default), explicit: stored.explicit() }
    }
}

/// How many users agreed to a scope, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConsentShare {
    /// The scope.
    pub scope: ConsentScope,
    /// Users in all; visits are not counted.
    pub users: u64,
    /// Users for whom the scope is in force, explicitly or by default.
    pub agreed: u64,
    /// Users who agreed explicitly.
    pub agreed_explicitly: u64,
    /// Users who refused explicitly.
    pub refused_explicitly: u64,
}

/// Counts consent by scope, for reports: what holds by default is no agreement.
#[must_use]
pub fn consent_shares(view: &ShopState) -> Vec<ConsentShare> {
    let mut shares: Vec<ConsentShare> = ConsentScope::ALL
        .map(|scope| ConsentShare { scope, users: 0, agreed: 0, agreed_explicitly: 0, refused_explicitly: 0 })
        .to_vec();
    for subject in view.subjects.iter().filter(|subject| matches!(subject.who, Who::User(_))) {
        for share in &mut shares {
            share.users += 1;
            share.agreed += u64::from(subject.consent.get(share.scope));
            share.agreed_explicitly += u64::from(subject.explicit.get(share.scope) == Some(true));
            share.refused_explicitly += u64::from(subject.explicit.get(share.scope) == Some(false));
        }
    }
    shares
}
