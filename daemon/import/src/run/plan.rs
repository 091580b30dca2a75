//! The plan of an import: as Mercer's own documents of one kind, or by a preset.

use crate::preset::Preset;

/// How a file is read.
#[derive(Debug, Clone)]
pub enum Plan {
    /// By a preset of this name.
    Preset(String, Preset),
    /// Mercer's own documents, one a line.
    Ndjson(Kind),
}

impl Plan {
    /// Whether persons are taken out of the log while it is read, so that the file must not be kept.
    #[must_use]
    pub fn anonymises(&self) -> bool {
        match self {
            Self::Preset(_, preset) => preset.file.iter().any(|file| !file.anonymise.is_empty()),
            Self::Ndjson(_) => false,
        }
    }
}

/// What an NDJSON file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Items.
    Items,
    /// Users.
    Users,
    /// Interactions.
    Interactions,
    /// Lines that say themselves what they are.
    Export,
}

impl std::str::FromStr for Kind {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        match word {
            "items" => Ok(Self::Items),
            "users" => Ok(Self::Users),
            "interactions" => Ok(Self::Interactions),
            "export" => Ok(Self::Export),
            _ => Err(format!("`{word}` is none of items, users, interactions, export")),
        }
    }
}
