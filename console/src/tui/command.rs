//! A command of the console: its action, its keys, and its words in footer, help and palette.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// A screen, by its place among the screens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ScreenId(pub usize);

/// An action. Commands that take words get them beside the action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Action {
    /// Leave the console; the daemon goes on.
    Quit,
    /// Show the keys.
    Help,
    /// Open the palette.
    Palette,
    /// Go to a screen.
    Screen(ScreenId),
    /// Go to the next screen.
    NextScreen,
    /// Go to the previous screen.
    PreviousScreen,
    /// Ask the daemon again.
    Refresh,
    /// Paint everything again.
    Repaint,
    /// Turn the mouse on or off.
    Mouse,
    /// Leave what is open.
    Back,
    /// Type a filter.
    Filter,
    /// One up.
    Up,
    /// One down.
    Down,
    /// Left.
    Left,
    /// Right.
    Right,
    /// A page up.
    PageUp,
    /// A page down.
    PageDown,
    /// To the first.
    Top,
    /// To the last.
    Bottom,
    /// Open what is selected.
    Open,
    /// Next pane or tab of the screen.
    NextTab,
    /// Previous pane or tab of the screen.
    PreviousTab,
    /// Open a shopper by id.
    OpenUser,
    /// Show all items in the list, or novel ones only.
    Mode,
    /// Show why an item stands where it does.
    Why,
    /// Type a search.
    Query,
    /// Start a training run.
    Train,
    /// Start a run that leaves the encoder alone.
    Refit,
    /// Cancel a run.
    Cancel,
    /// Mark a version for comparison.
    Compare,
    /// Promote a version.
    Promote,
    /// Go back to the version before.
    Rollback,
    /// Keep a version when old ones are deleted, or not.
    Pin,
    /// Show formula and convention.
    Formula,
    /// Follow the newest line or stand still.
    Follow,
    /// Measure what mitigations would cost.
    WhatIf,
    /// Set mitigations.
    SetMitigation,
    /// Bring back the mitigations before.
    UndoMitigation,
    /// Turn mitigations off.
    MitigationOff,
}

impl Action {
    /// The index that a movement leads to in a list of so many rows, `page` rows a page; `None` for what is no movement.
    pub(crate) fn moved(self, index: usize, len: usize, page: usize) -> Option<usize> {
        let last = len.saturating_sub(1);
        Some(match self {
            Self::Up => index.saturating_sub(1),
            Self::Down => (index + 1).min(last),
            Self::PageUp => index.saturating_sub(page),
            Self::PageDown => (index + page).min(last),
            Self::Top => 0,
            Self::Bottom => last,
            _ => return None,
        })
    }
}

/// A command.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Command {
    /// Its action.
    pub action: Action,
    /// Its name in the palette.
    pub name: &'static str,
    /// The keys that run it, as [`key_name`] writes them.
    pub keys: &'static [&'static str],
    /// The word in the footer; empty where the footer leaves it out.
    pub footer: &'static str,
    /// Its description, in a sentence.
    pub help: &'static str,
    /// The argument that it takes in the palette, if any.
    pub argument: Option<&'static str>,
}

impl Command {
    /// A command that the footer leaves out.
    pub(crate) const fn new(
        action: Action,
        name: &'static str,
        keys: &'static [&'static str],
        help: &'static str,
    ) -> Self {
        Self { action, name, keys, footer: "", help, argument: None }
    }

    /// The same with a word in the footer.
    pub(crate) const fn footer(self, footer: &'static str) -> Self {
        Self { footer, ..self }
    }

    /// The same with words to be typed behind its name in the palette.
    pub(crate) const fn argument(self, argument: &'static str) -> Self {
        Self { argument: Some(argument), ..self }
    }
}

/// Filters the rows of a screen.
pub(crate) const FILTER: Command =
    Command::new(Action::Filter, "filter", &["/"], "Show only what contains the words (shoppers: ids)")
        .footer("filter");
/// Opens what is selected.
pub(crate) const OPEN: Command = Command::new(Action::Open, "open", &["enter"], "Open what is selected").footer("open");
/// Explains a list.
pub(crate) const WHY: Command =
    Command::new(Action::Why, "why", &["w"], "Show why the selected item stands where it does").footer("why");
/// Goes to the next pane.
pub(crate) const NEXT_TAB: Command =
    Command::new(Action::NextTab, "next pane", &["tab"], "Go to the next pane of the screen").footer("pane");
/// Goes to the previous pane.
pub(crate) const PREVIOUS_TAB: Command =
    Command::new(Action::PreviousTab, "previous pane", &["shift-tab"], "Go to the previous pane of the screen");

/// The name of a key as tables of commands write it, such as `ctrl-u`, `shift-tab`, `G`.
pub(crate) fn key_name(key: KeyEvent) -> Option<String> {
    let name = match key.code {
        KeyCode::Char(' ') => "space".to_owned(),
        KeyCode::Char(c) => c.to_string(),
        KeyCode::Enter => "enter".to_owned(),
        KeyCode::Esc => "esc".to_owned(),
        KeyCode::Tab => "tab".to_owned(),
        KeyCode::BackTab => return Some("shift-tab".to_owned()),
        KeyCode::Backspace => "backspace".to_owned(),
        KeyCode::Delete => "delete".to_owned(),
        KeyCode::Up => "up".to_owned(),
        KeyCode::Down => "down".to_owned(),
        KeyCode::Left => "left".to_owned(),
        KeyCode::Right => "right".to_owned(),
        KeyCode::Home => "home".to_owned(),
        KeyCode::End => "end".to_owned(),
        KeyCode::PageUp => "pageup".to_owned(),
        KeyCode::PageDown => "pagedown".to_owned(),
        KeyCode::F(n) => format!("f{n}"),
        _ => return None,
    };
    let mut prefix = String::new();
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        prefix.push_str("ctrl-");
    }
    if key.modifiers.contains(KeyModifiers::ALT) {
        prefix.push_str("alt-");
    }
    Some(prefix + &name)
}
