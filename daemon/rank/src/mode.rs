//! List modes: all items, or only items that are novel to the user.
use serde::{Deserialize, Serialize};

/// Which items a list may hold with regard to the user's own purchases. The wire calls `all` `repeat` and `novel` `new`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// All items, those that the user bought before included.
    #[default]
    #[serde(alias = "repeat")]
    All,
    /// Only items that the user never bought.
    #[serde(alias = "new")]
    Novel,
}

/// One value for each [`Mode`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PerMode<T> {
    /// For [`Mode::All`].
    pub all: T,
    /// For [`Mode::Novel`].
    pub novel: T,
}

impl<T> PerMode<T> {
    /// The value for a mode.
    pub const fn get(&self, mode: Mode) -> &T {
        match mode {
            Mode::All => &self.all,
            Mode::Novel => &self.novel,
        }
    }

    /// The value for a mode, to change.
    pub const fn get_mut(&mut self, mode: Mode) -> &mut T {
        match mode {
            Mode::All => &mut self.all,
            Mode::Novel => &mut self.novel,
        }
    }

    /// Applies `f` to both values.
    pub fn map<U>(self, mut f: impl FnMut(T) -> U) -> PerMode<U> {
        PerMode { all: f(self.all), novel: f(self.novel) }
    }

    /// Both values with their modes.
    pub fn iter(&self) -> impl Iterator<Item = (Mode, &T)> {
        [(Mode::All, &self.all), (Mode::Novel, &self.novel)].into_iter()
    }
}

impl<T: Copy> PerMode<T> {
    /// The same value for both modes.
    pub const fn both(value: T) -> Self {
        Self { all: value, novel: value }
    }
}
