//! The table of all commands: those of the screens, those that move in lists, and those that work everywhere. Footer,
//! help, palette and manual are generated from it alone.

use super::command::{Action, Command, ScreenId};
use super::screen::About;

/// Commands that move in lists.
const LISTS: &[Command] = &[
    Command::new(Action::Up, "up", &["k", "up"], "One up"),
    Command::new(Action::Down, "down", &["j", "down"], "One down"),
    Command::new(Action::Left, "left", &["h", "left"], "Left, or back"),
    Command::new(Action::Right, "right", &["l", "right"], "Right, or open"),
    Command::new(Action::PageUp, "page up", &["ctrl-u", "pageup"], "A page up"),
    Command::new(Action::PageDown, "page down", &["ctrl-d", "pagedown"], "A page down"),
    Command::new(Action::Top, "top", &["g", "home"], "To the first"),
    Command::new(Action::Bottom, "bottom", &["G", "end"], "To the last"),
];

/// What works everywhere.
const EVERYWHERE: &[Command] = &[
    Command::new(Action::NextScreen, "next screen", &["]", "ctrl-right"], "Go to the next screen"),
    Command::new(Action::PreviousScreen, "previous screen", &["[", "ctrl-left"], "Go to the previous screen"),
    Command::new(Action::Back, "back", &["esc"], "Close what is open, clear the filter, or go back"),
    Command::new(Action::Refresh, "refresh", &["r", "f5"], "Ask the daemon again"),
    Command::new(Action::Repaint, "repaint", &["ctrl-l"], "Paint the whole screen again"),
    Command::new(Action::Mouse, "mouse", &[], "Turn the mouse on or off; off, the terminal can select text"),
    Command::new(Action::Palette, "palette", &[":"], "Find a command by its name").footer("commands"),
    Command::new(Action::Help, "help", &["?"], "Show the keys").footer("help"),
    Command::new(Action::Quit, "quit", &["q", "ctrl-c"], "Leave the console; the daemon goes on").footer("quit"),
];

/// The keys that lead to screens, by the screens' places.
const NUMBERS: [&[&str]; 9] = [&["1"], &["2"], &["3"], &["4"], &["5"], &["6"], &["7"], &["8"], &["9"]];

/// All commands.
#[derive(Debug)]
pub(crate) struct Commands {
    screens: Vec<&'static About>,
}

impl Commands {
    /// The table for these screens, in the order of their numbers.
    pub(crate) const fn new(screens: Vec<&'static About>) -> Self {
        Self { screens }
    }

    /// The descriptions of the screens, in the order of their numbers.
    pub(crate) fn screens(&self) -> &[&'static About] {
        &self.screens
    }

    fn screen(&self, screen: ScreenId) -> &'static About {
        self.screens[screen.0]
    }

    /// A command for each screen that leads to it.
    fn screen_commands(&self) -> impl Iterator<Item = Command> {
        let keys = NUMBERS.into_iter().chain(std::iter::repeat(&[][..]));
        self.screens
            .iter()
            .zip(keys)
            .enumerate()
            .map(|(place, (about, keys))| Command::new(Action::Screen(ScreenId(place)), about.name, keys, about.help))
    }

    /// The commands of this screen: its own, then those that move in lists.
    pub(crate) fn own(&self, screen: ScreenId) -> Vec<Command> {
        let about = self.screen(screen);
        let lists = if about.lists { LISTS } else { &[] };
        about.commands.iter().chain(lists).copied().collect()
    }

    /// What works everywhere.
    pub(crate) fn everywhere(&self) -> Vec<Command> {
        self.screen_commands().chain(EVERYWHERE.iter().copied()).collect()
    }

    /// All commands, each once: for the palette.
    pub(crate) fn all(&self) -> Vec<Command> {
        let mut all: Vec<Command> = Vec::new();
        for command in self.screens.iter().flat_map(|about| about.commands).chain(LISTS) {
            if all.iter().all(|known| known.action != command.action) {
                all.push(*command);
            }
        }
        all.extend(self.everywhere());
        all
    }

    /// The command that this key runs on this screen.
    pub(crate) fn for_key(&self, screen: ScreenId, key: &str) -> Option<Command> {
        let mut all = self.own(screen).into_iter().chain(self.everywhere());
        all.find(|command| command.keys.contains(&key))
    }

    /// The screen on which a command runs: this one if it has the command, else the first that has it. `None` for a
    /// command of no screen.
    pub(crate) fn screen_of(&self, action: Action, current: ScreenId) -> Option<ScreenId> {
        let has = |screen: &ScreenId| self.screen(*screen).commands.iter().any(|command| command.action == action);
        let others = (0..self.screens.len()).map(ScreenId);
        std::iter::once(current).chain(others).find(has)
    }

    /// The commands that the footer names on this screen: its own, then those that work everywhere.
    pub(crate) fn footer(&self, screen: ScreenId) -> FooterCommands {
        let named = |command: &Command| !command.footer.is_empty();
        let reachable = |command: &Command| {
            let first = command.keys.first().and_then(|key| self.for_key(screen, key));
            first.is_some_and(|first| first.action == command.action)
        };
        let own: Vec<Command> = self.own(screen).into_iter().filter(named).collect();
        // Where a screen takes a key over, the general command is not reachable by it.
        let everywhere = self.everywhere().into_iter().filter(|c| named(c) && reachable(c)).collect();
        FooterCommands { own, everywhere }
    }

    /// The manual of the keys in Markdown, from third-level headings on.
    pub(crate) fn manual(&self) -> String {
        let mut out = String::from("Keys of the console, by screen.\n");
        section("Everywhere", &self.everywhere(), &mut out);
        section("Lists", LISTS, &mut out);
        for about in &self.screens {
            section(about.title, about.commands, &mut out);
        }
        out
    }
}

/// The commands that a footer names.
#[derive(Debug)]
pub(crate) struct FooterCommands {
    /// The screen's own.
    pub own: Vec<Command>,
    /// Those that work everywhere.
    pub everywhere: Vec<Command>,
}

fn section(title: &str, commands: &[Command], out: &mut String) {
    if commands.is_empty() {
        return;
    }
    out.push_str(&format!("\n### {title}\n\n| keys | `:` name | what it does |\n|---|---|---|\n"));
    for command in commands {
        let keys: Vec<_> = command.keys.iter().map(|key| format!("`{key}`")).collect();
        let name = match command.argument {
            Some(argument) => format!("{} {argument}", command.name),
            None => command.name.to_owned(),
        };
        out.push_str(&format!("| {} | {name} | {} |\n", keys.join(" "), command.help));
    }
}
