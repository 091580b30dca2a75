//! The table behind the configuration. `settings!` makes a section's struct, its defaults and its [`Setting`]s from one list, so that
//! key, type, default, limits and explanation of a setting stand in one place. The reference page and the configuration file that
//! `mercerd docs` prints are made from the same table.

use std::fmt::{self, Display, Formatter};

/// One configuration key.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// Key within its section.
    pub key: &'static str,
    /// What it sets: the lines of its doc comment.
    pub doc: &'static [&'static str],
    /// Numbers that it takes.
    pub limits: Limits,
    /// For a setting without a fixed default: a value to show, as TOML.
    pub example: Option<&'static str>,
}

/// A section of the configuration file.
#[derive(Debug, Clone, Copy)]
pub struct Section {
    /// Its name; empty for the keys before the first section.
    pub name: &'static str,
    /// What it holds: the lines of its doc comment.
    pub doc: &'static [&'static str],
    /// Its keys in the order of the struct.
    pub settings: &'static [Setting],
}

/// Range of a number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Limits {
    /// Everything that the type takes.
    None,
    /// At least this.
    AtLeast(f64),
    /// From the first to the second, both included.
    Within(f64, f64),
    /// Above the first, at most the second.
    AboveUpTo(f64, f64),
}

impl Limits {
    /// Whether a value lies in the range; NaN lies in none.
    #[must_use]
    pub fn contain(self, value: f64) -> bool {
        match self {
            Self::None => true,
            Self::AtLeast(low) => value >= low,
            Self::Within(low, high) => (low..=high).contains(&value),
            Self::AboveUpTo(low, high) => value > low && value <= high,
        }
    }
}

impl Display for Limits {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => Ok(()),
            Self::AtLeast(low) => write!(f, "at least {low}"),
            Self::Within(low, high) => write!(f, "{low} to {high}"),
            Self::AboveUpTo(low, high) => write!(f, "above {low}, at most {high}"),
        }
    }
}

impl Section {
    /// The key as it is written in texts, such as `train.seed`.
    #[must_use]
    pub fn path(&self, setting: &Setting) -> String {
        if self.name.is_empty() { setting.key.to_owned() } else { format!("{}.{}", self.name, setting.key) }
    }

    /// Checks the numbers of the section's TOML table.
    ///
    /// # Errors
    /// A sentence that names the first key out of its range.
    pub fn check(&self, values: &toml::Table) -> Result<(), String> {
        for setting in self.settings {
            let number = match values.get(setting.key) {
                Some(toml::Value::Integer(number)) => *number as f64,
                Some(toml::Value::Float(number)) => *number,
                _ => continue,
            };
            if !setting.limits.contain(number) {
                return Err(format!("{} is {number}, it takes {}", self.path(setting), setting.limits));
            }
        }
        Ok(())
    }
}

/// Makes the struct of a section with its defaults and its table. A line is `key: type = default;`, with `in LIMITS` before the
/// semicolon for a number that does not take every value, or `like "TOML"` for a setting without a fixed default.
macro_rules! settings {
    (
        $(#[doc = $about:literal])+
        pub struct $name:ident in $section:literal {
            $($(#[doc = $doc:literal])+ $key:ident: $type:ty = $default:expr
                $(, in $limits:expr)? $(, like $example:literal)?;)*
        }
        $(sections { $($(#[doc = $sub_doc:literal])+ $sub:ident: $sub_type:ty;)* })?
    ) => {
        $(#[doc = $about])+
        #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct $name {
            $($(#[doc = $doc])+ pub $key: $type,)*
            $($($(#[doc = $sub_doc])+ pub $sub: $sub_type,)*)?
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($key: $default,)* $($($sub: <$sub_type>::default(),)*)? }
            }
        }

        impl $name {
            /// The section's keys.
            pub const SECTION: $crate::state::settings::Section = $crate::state::settings::Section {
                name: $section,
                doc: &[$($about),+],
                settings: &[$($crate::state::settings::Setting {
                    key: stringify!($key),
                    doc: &[$($doc),+],
                    limits: $crate::state::settings::settings!(@limits $($limits)?),
                    example: $crate::state::settings::settings!(@example $($example)?),
                },)*],
            };

            $(
            /// All sections of the file: the keys before the first one, then each in its order.
            pub const SECTIONS: &[$crate::state::settings::Section] = &[Self::SECTION, $(<$sub_type>::SECTION),*];
            )?
        }
    };
    (@limits) => { $crate::state::settings::Limits::None };
    (@limits $limits:expr) => { $limits };
    (@example) => { None };
    (@example $example:literal) => { Some($example) };
}
pub(crate) use settings;
