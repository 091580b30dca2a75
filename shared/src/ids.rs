//! External identifiers: what a shop calls its items, shoppers, sessions and interactions.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Longest external id in bytes.
pub const MAX_ID_BYTES: usize = 256;

/// Why a string is no id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// The string is empty.
    #[error("an id must not be empty")]
    Empty,
    /// Longer than [`MAX_ID_BYTES`]; carries the length in bytes.
    #[error("an id has at most {MAX_ID_BYTES} bytes, this one has {0}")]
    TooLong(usize),
    /// Holds a control character (U+0000..U+001F, U+007F..U+009F).
    #[error("an id must not hold control characters")]
    Control,
}

/// Checks the rules every external id obeys: 1 to 256 bytes of UTF-8, no control characters.
///
/// # Errors
/// The rule that is broken.
pub fn check_id(id: &str) -> Result<(), IdError> {
    if id.is_empty() {
        Err(IdError::Empty)
    } else if id.len() > MAX_ID_BYTES {
        Err(IdError::TooLong(id.len()))
    } else if id.chars().any(char::is_control) {
        Err(IdError::Control)
    } else {
        Ok(())
    }
}

macro_rules! external_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
        #[serde(try_from = "String", into = "String")]
        #[schema(value_type = String, min_length = 1, max_length = 256)]
        pub struct $name(String);

        impl $name {
            /// Takes a string that obeys [`check_id`].
            ///
            /// # Errors
            /// The rule that is broken.
            pub fn new(id: impl Into<String>) -> Result<Self, IdError> {
                let id = id.into();
                check_id(&id)?;
                Ok(Self(id))
            }

            /// The id as the shop wrote it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(id: String) -> Result<Self, IdError> {
                Self::new(id)
            }
        }

        impl std::str::FromStr for $name {
            type Err = IdError;
            fn from_str(id: &str) -> Result<Self, IdError> {
                Self::new(id)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}

external_id!(
    /// What the shop calls an item.
    ItemId
);
external_id!(
    /// What the shop calls a shopper.
    UserId
);
external_id!(
    /// An anonymous visit.
    SessionId
);
external_id!(
    /// Makes the retry of an interaction idempotent.
    InteractionId
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules() {
        assert_eq!(ItemId::new(""), Err(IdError::Empty));
        assert_eq!(ItemId::new("x".repeat(257)), Err(IdError::TooLong(257)));
        assert!(ItemId::new("x".repeat(256)).is_ok());
        assert_eq!(ItemId::new("a\u{7}b"), Err(IdError::Control));
        assert_eq!(ItemId::new("a\u{85}b"), Err(IdError::Control));
        assert!(ItemId::new("红裙 42/α").is_ok());
    }

    #[test]
    fn json_checks_too() {
        assert!(serde_json::from_str::<UserId>("\"u1\"").is_ok());
        let error = serde_json::from_str::<UserId>("\"\"").unwrap_err().to_string();
        assert!(error.contains("must not be empty"), "{error}");
    }
}
