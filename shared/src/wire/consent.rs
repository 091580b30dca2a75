//! Consent: what a shopper agreed to, scope by scope, and every change of it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::ids::UserId;
use crate::time::Timestamp;

/// A use of a shopper's data that the shopper agrees to or refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConsentScope {
    /// History may shape this shopper's lists.
    Personalise,
    /// History may train models.
    Train,
    /// Declared attributes may be used in fairness reports.
    AuditAttributes,
    /// Explanations may name this shopper's own events.
    Explanations,
}

impl ConsentScope {
    /// All scopes.
    pub const ALL: [Self; 4] = [Self::Personalise, Self::Train, Self::AuditAttributes, Self::Explanations];

    /// The name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Personalise => "personalise",
            Self::Train => "train",
            Self::AuditAttributes => "audit_attributes",
            Self::Explanations => "explanations",
        }
    }
}

impl std::fmt::Display for ConsentScope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// The consent in force; each scope is a switch of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Consent {
    /// History may shape this shopper's lists.
    pub personalise: bool,
    /// History may train models.
    pub train: bool,
    /// Declared attributes may be used in fairness reports.
    pub audit_attributes: bool,
    /// Explanations may name this shopper's own events.
    pub explanations: bool,
}

impl Default for Consent {
    fn default() -> Self {
        Self { personalise: true, train: true, audit_attributes: true, explanations: true }
    }
}

impl Consent {
    /// Nothing is agreed to.
    pub const NONE: Self = Self { personalise: false, train: false, audit_attributes: false, explanations: false };

    /// The switch of a scope.
    #[must_use]
    pub const fn get(self, scope: ConsentScope) -> bool {
        match scope {
            ConsentScope::Personalise => self.personalise,
            ConsentScope::Train => self.train,
            ConsentScope::AuditAttributes => self.audit_attributes,
            ConsentScope::Explanations => self.explanations,
        }
    }

    /// Sets the switch of a scope.
    pub const fn set(&mut self, scope: ConsentScope, agreed: bool) {
        match scope {
            ConsentScope::Personalise => self.personalise = agreed,
            ConsentScope::Train => self.train = agreed,
            ConsentScope::AuditAttributes => self.audit_attributes = agreed,
            ConsentScope::Explanations => self.explanations = agreed,
        }
    }
}

/// What is said of some scopes; nothing is said of those that are absent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ConsentChoice {
    /// History may shape this shopper's lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub personalise: Option<bool>,
    /// History may train models.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train: Option<bool>,
    /// Declared attributes may be used in fairness reports.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audit_attributes: Option<bool>,
    /// Explanations may name this shopper's own events.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explanations: Option<bool>,
}

impl ConsentChoice {
    /// Nothing is said.
    pub const UNSAID: Self = Self { personalise: None, train: None, audit_attributes: None, explanations: None };

    /// What is said of a scope.
    #[must_use]
    pub const fn get(self, scope: ConsentScope) -> Option<bool> {
        match scope {
            ConsentScope::Personalise => self.personalise,
            ConsentScope::Train => self.train,
            ConsentScope::AuditAttributes => self.audit_attributes,
            ConsentScope::Explanations => self.explanations,
        }
    }

    /// Says something of a scope.
    pub const fn set(&mut self, scope: ConsentScope, agreed: bool) {
        match scope {
            ConsentScope::Personalise => self.personalise = Some(agreed),
            ConsentScope::Train => self.train = Some(agreed),
            ConsentScope::AuditAttributes => self.audit_attributes = Some(agreed),
            ConsentScope::Explanations => self.explanations = Some(agreed),
        }
    }

    /// Whether nothing is said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::UNSAID
    }

    /// The consent in force where `default` stands for what is not said.
    #[must_use]
    pub fn over(self, mut default: Consent) -> Consent {
        for scope in ConsentScope::ALL {
            if let Some(agreed) = self.get(scope) {
                default.set(scope, agreed);
            }
        }
        default
    }

    /// This choice, and `other` for what it does not say.
    #[must_use]
    pub fn or(mut self, other: Self) -> Self {
        for scope in ConsentScope::ALL {
            if let (None, Some(agreed)) = (self.get(scope), other.get(scope)) {
                self.set(scope, agreed);
            }
        }
        self
    }
}

impl From<Consent> for ConsentChoice {
    fn from(consent: Consent) -> Self {
        let mut choice = Self::UNSAID;
        for scope in ConsentScope::ALL {
            choice.set(scope, consent.get(scope));
        }
        choice
    }
}

/// Where a switch comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConsentBasis {
    /// A document or a request said it.
    Explicit,
    /// Nobody said it: the default of the source holds.
    Default,
}

/// What is recorded of one scope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConsentRecord {
    /// The scope.
    pub scope: ConsentScope,
    /// Whether the shopper agreed.
    pub agreed: bool,
    /// Whether it was said or is a default.
    pub basis: ConsentBasis,
    /// What said it, such as `api`, `import:gorse` or `configuration`.
    pub source: String,
    /// Since when; absent where the daemon's configuration decides, and for records that are older than the ledger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
}

/// One entry of the consent ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConsentChange {
    /// When.
    pub at: Timestamp,
    /// Which scope.
    pub scope: ConsentScope,
    /// What was recorded before; absent where nothing was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<bool>,
    /// What is recorded since.
    pub to: bool,
    /// Whether it was said or is a default.
    pub basis: ConsentBasis,
    /// What said it, such as `api`, `import:gorse` or `inbox:gorse`.
    pub source: String,
    /// User id of the process that said it; absent for the daemon's own doing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
}

/// The consent of a shopper with its history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConsentReport {
    /// The shopper.
    pub user: UserId,
    /// What is in force from the next request on.
    pub consent: Consent,
    /// Each scope with its basis, in a fixed order.
    pub scopes: Vec<ConsentRecord>,
    /// Every change, oldest first.
    pub ledger: Vec<ConsentChange>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_says_only_what_it_names() {
        let choice: ConsentChoice = serde_json::from_str(r#"{"train":false}"#).unwrap();
        assert_eq!(choice.over(Consent::default()), Consent { train: false, ..Consent::default() });
        assert_eq!(choice.over(Consent::NONE), Consent::NONE);
        assert_eq!(choice.or(Consent::NONE.into()), Consent::NONE.into());
        assert_eq!(serde_json::to_string(&choice).unwrap(), r#"{"train":false}"#);
        assert!(serde_json::from_str::<ConsentChoice>(r#"{"trian":false}"#).is_err());
    }

    #[test]
    fn names_are_those_of_the_wire() {
        let whole = serde_json::to_value(Consent::default()).unwrap();
        for scope in ConsentScope::ALL {
            assert_eq!(serde_json::to_value(scope).unwrap(), scope.name());
            assert_eq!(whole[scope.name()], true);
            let (mut consent, mut choice) = (Consent::default(), ConsentChoice::default());
            consent.set(scope, false);
            choice.set(scope, false);
            assert!(!consent.get(scope) && choice.get(scope) == Some(false));
            assert_eq!(ConsentScope::ALL.iter().filter(|other| !consent.get(**other)).count(), 1);
        }
    }
}
