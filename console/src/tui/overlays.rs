//! What the state is made of beside the screens: the line to the daemon, what lies over a screen, notices.

use mercer_shared::time::Timestamp;

use super::asks::Ask;
use super::widgets::input::Input;

/// The line to the daemon.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Link {
    /// Being opened.
    Opening {
        /// How often it was tried in vain.
        attempt: u32,
    },
    /// Open.
    Up,
    /// Down; to be tried again.
    Down {
        /// How often it was tried in vain.
        attempt: u32,
        /// When to try again.
        again: Timestamp,
    },
}

/// A word about what just happened.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Notice {
    /// The word.
    pub text: String,
    /// Whether it tells of a failure.
    pub bad: bool,
    /// When it goes.
    pub until: Timestamp,
}

/// What a line of text is typed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A filter of the current screen.
    Filter,
    /// A search.
    Query,
    /// The id of a shopper.
    User,
}

/// What lies over the screen and takes the keys.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) enum Overlay {
    /// Nothing.
    #[default]
    None,
    /// The keys, scrolled by so many rows.
    Help(usize),
    /// The palette: what was typed, and which of the commands found is selected.
    Palette(Input, usize),
    /// A line being typed.
    Typing(Purpose, Input),
    /// A question before an order is given.
    Confirm(Confirm),
    /// Text to read, such as a formula.
    Text {
        /// Its title.
        title: String,
        /// Its paragraphs.
        paragraphs: Vec<String>,
    },
}

/// A question before an order is given.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Confirm {
    /// What is asked.
    pub title: String,
    /// What will happen.
    pub lines: Vec<String>,
    /// The order.
    pub ask: Ask,
    /// What Enter does, in a word.
    pub verb: &'static str,
}
