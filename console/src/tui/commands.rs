//! Every command of the console in one table: what it is called, which keys run it, where it applies and what it does.
//! Footer, help, palette and manual are made from this table and from nothing else.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::screens::ScreenId::{self, Log, Models, Overview, Reports, Search, Training, Users};

/// What can be done. Commands that take words get them beside the action.
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
    /// Leave out what the shopper has, or not.
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
}

/// Where a command applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// On every screen.
    Everywhere,
    /// On these screens.
    On(&'static [ScreenId]),
}

/// One row of the table.
#[derive(Debug)]
pub(crate) struct Command {
    /// What it does to the state.
    pub action: Action,
    /// Its name in the palette.
    pub name: &'static str,
    /// The keys that run it, as [`key_name`] writes them.
    pub keys: &'static [&'static str],
    /// Where it applies.
    pub scope: Scope,
    /// The word in the footer; empty where the footer leaves it out.
    pub footer: &'static str,
    /// What it does, in a sentence.
    pub help: &'static str,
    /// What it takes in the palette, if anything.
    pub argument: Option<&'static str>,
}

impl Command {
    /// Whether it applies on this screen.
    pub(crate) fn applies(&self, screen: ScreenId) -> bool {
        match self.scope {
            Scope::Everywhere => true,
            Scope::On(screens) => screens.contains(&screen),
        }
    }
}

const EVERYWHERE: Scope = Scope::Everywhere;
/// On every screen with a list.
pub(crate) const LISTS: Scope = Scope::On(&[Users, Search, Training, Models, Reports, Log]);

macro_rules! command {
    ($action:expr, $name:literal, [$($key:literal),*], $scope:expr, $footer:literal, $help:literal) => {
        Command { action: $action, name: $name, keys: &[$($key),*], scope: $scope, footer: $footer, help: $help, argument: None }
    };
    ($action:expr, $name:literal, [$($key:literal),*], $scope:expr, $footer:literal, $help:literal, $argument:literal) => {
        Command { action: $action, name: $name, keys: &[$($key),*], scope: $scope, footer: $footer, help: $help, argument: Some($argument) }
    };
}

/// The table. What a screen adds stands first, so that the footer names it first; keys of a screen win over general ones.
#[rustfmt::skip]
pub(crate) const COMMANDS: &[Command] = &[
    command!(Action::Train, "train", ["s"], Scope::On(&[Training]), "start", "Start a training run with the encoder; asks first"),
    command!(Action::Refit, "refit", ["S"], Scope::On(&[Training]), "refit", "Start a run that refits memory and blend only; asks first"),
    command!(Action::Cancel, "cancel run", ["x"], Scope::On(&[Training]), "cancel", "Cancel the run in progress; asks first"),
    command!(Action::Compare, "compare", ["c", "space"], Scope::On(&[Models]), "compare", "Mark a version, then another, to see both side by side"),
    command!(Action::Promote, "promote", ["P"], Scope::On(&[Models]), "promote", "Let the selected version answer; asks first"),
    command!(Action::Rollback, "roll back", ["B"], Scope::On(&[Models]), "roll back", "Go back to the version that served before; asks first"),
    command!(Action::Pin, "pin", ["p"], Scope::On(&[Models]), "pin", "Keep the selected version for good, or stop keeping it; asks"),
    command!(Action::Filter, "filter", ["/"], Scope::On(&[Users, Models, Training, Log]), "filter", "Show only what contains the words (shoppers: ids)"),
    command!(Action::Query, "search", ["i", "/"], Scope::On(&[Search]), "type", "Type a search", "WORDS"),
    command!(Action::OpenUser, "user", ["o"], Scope::On(&[Users]), "open id", "Open a shopper by the exact id", "ID"),
    command!(Action::Mode, "mode", ["m"], Scope::On(&[Users]), "new/repeat", "Leave out of the list what the shopper has, or let it in"),
    command!(Action::Why, "why", ["w"], Scope::On(&[Users, Search]), "why", "Show why the selected item stands where it does"),
    command!(Action::Formula, "formula", ["f", "?"], Scope::On(&[Reports]), "formula", "Show formula and convention of the selected number; once more for the keys"),
    command!(Action::Follow, "follow", ["F"], Scope::On(&[Log]), "follow", "Follow the newest line, or stand still"),
    command!(Action::Open, "open", ["enter"], Scope::On(&[Users, Search, Models, Reports]), "open", "Open what is selected"),
    command!(Action::NextTab, "next pane", ["tab"], Scope::On(&[Users, Search, Models, Reports, Log]), "pane", "Go to the next pane of the screen"),
    command!(Action::PreviousTab, "previous pane", ["shift-tab"], Scope::On(&[Users, Search, Models, Reports, Log]), "", "Go to the previous pane of the screen"),
    command!(Action::Up, "up", ["k", "up"], LISTS, "", "One up"),
    command!(Action::Down, "down", ["j", "down"], LISTS, "", "One down"),
    command!(Action::Left, "left", ["h", "left"], LISTS, "", "Left, or back"),
    command!(Action::Right, "right", ["l", "right"], LISTS, "", "Right, or open"),
    command!(Action::PageUp, "page up", ["ctrl-u", "pageup"], LISTS, "", "A page up"),
    command!(Action::PageDown, "page down", ["ctrl-d", "pagedown"], LISTS, "", "A page down"),
    command!(Action::Top, "top", ["g", "home"], LISTS, "", "To the first"),
    command!(Action::Bottom, "bottom", ["G", "end"], LISTS, "", "To the last"),
    command!(Action::Screen(Overview), "overview", ["1"], EVERYWHERE, "", "What serves, traffic, latency, training, alarms"),
    command!(Action::Screen(Users), "users", ["2"], EVERYWHERE, "", "Find shoppers; profile, list and why"),
    command!(Action::Screen(Search), "searching", ["3"], EVERYWHERE, "", "Search as a shopper would, with the parts of each score"),
    command!(Action::Screen(Training), "training", ["4"], EVERYWHERE, "", "Runs, losses, start and cancel"),
    command!(Action::Screen(Models), "models", ["5"], EVERYWHERE, "", "Versions: compare, promote, roll back, pin"),
    command!(Action::Screen(Reports), "reports", ["6"], EVERYWHERE, "", "Quality, diversity and fairness"),
    command!(Action::Screen(Log), "log", ["7"], EVERYWHERE, "", "Live events, decisions and who changed what"),
    command!(Action::NextScreen, "next screen", ["]", "ctrl-right"], EVERYWHERE, "", "Go to the next screen"),
    command!(Action::PreviousScreen, "previous screen", ["[", "ctrl-left"], EVERYWHERE, "", "Go to the previous screen"),
    command!(Action::Back, "back", ["esc"], EVERYWHERE, "", "Close what is open, clear the filter, or go back"),
    command!(Action::Refresh, "refresh", ["r", "f5"], EVERYWHERE, "", "Ask the daemon again"),
    command!(Action::Repaint, "repaint", ["ctrl-l"], EVERYWHERE, "", "Paint the whole screen again"),
    command!(Action::Mouse, "mouse", [], EVERYWHERE, "", "Turn the mouse on or off; off, the terminal can select text"),
    command!(Action::Palette, "palette", [":"], EVERYWHERE, "commands", "Find a command by its name"),
    command!(Action::Help, "help", ["?"], EVERYWHERE, "help", "Show the keys"),
    command!(Action::Quit, "quit", ["q", "ctrl-c"], EVERYWHERE, "quit", "Leave the console; the daemon goes on"),
];

/// The name of a key as the table writes it, such as `ctrl-u`, `shift-tab`, `G`.
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

/// The command that this key runs on this screen.
pub(crate) fn for_key(screen: ScreenId, name: &str) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.applies(screen) && command.keys.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn the_table_is_sound() {
        let mut names = HashSet::new();
        for command in COMMANDS {
            assert!(names.insert(command.name), "{} twice", command.name);
            assert!(!command.help.is_empty() && !command.help.ends_with('.'));
        }
        // A key may be taken over by a screen, but never by two commands of equal reach.
        for screen in ScreenId::ALL {
            let mut seen = HashSet::new();
            for command in COMMANDS.iter().filter(|c| c.applies(screen) && c.scope != Scope::Everywhere) {
                for key in command.keys {
                    assert!(seen.insert(*key), "{key} twice on {screen:?}");
                }
            }
        }
    }
}
