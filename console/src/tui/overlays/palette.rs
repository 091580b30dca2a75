//! The palette: finds a command by a few letters of its name and runs it, with words behind the name where it takes some.
//! The search is our own: forty names need no library of fuzzy matching.

use crossterm::event::KeyEvent;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};

use crate::text;
use crate::tui::command::Command;
use crate::tui::overlay::{Outcome, Overlay};
use crate::tui::theme;
use crate::tui::widgets::draw::{put, window};
use crate::tui::widgets::frame;
use crate::tui::widgets::input::Input;
use crate::tui::widgets::split::split_top;

/// Columns of the names.
const NAME: usize = 18;
/// Columns of the keys.
const KEY: usize = 9;
/// Fewest and most rows of the frame's inside.
const FEWEST_ROWS: usize = 4;
const MOST_ROWS: usize = 16;
/// Cost of a letter that neither follows the one before nor begins a word.
const SCATTERED: u32 = 2;
/// Cost of a command that is found by its help instead of its name.
const BY_HELP: u32 = 20;
/// Fewest letters that are looked for in the help.
const LETTERS_FOR_HELP: usize = 3;

/// A command that was found, with the words behind its name.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Found {
    /// Its place among the palette's commands.
    place: usize,
    argument: Option<String>,
}

/// The palette.
#[derive(Debug)]
pub(crate) struct Palette {
    commands: Vec<Command>,
    input: Input,
    /// The selected one of those found.
    selected: usize,
}

impl Palette {
    /// A palette of these commands, in the order in which an empty text lists them.
    pub(crate) fn new(commands: Vec<Command>) -> Self {
        Self { commands, input: Input::default(), selected: 0 }
    }

    fn found(&self) -> Vec<Found> {
        find(&self.commands, &self.input.text())
    }
}

impl Overlay for Palette {
    fn key(&mut self, key: KeyEvent, name: &str, _page: usize) -> Outcome {
        let found = self.found();
        match name {
            "esc" => return Outcome::Close,
            "backspace" if self.input.text().is_empty() => return Outcome::Close,
            "enter" => {
                return match found.into_iter().nth(self.selected) {
                    Some(found) => Outcome::Run(self.commands[found.place].action, found.argument),
                    None => Outcome::Close,
                };
            }
            "up" | "ctrl-p" => self.selected = self.selected.saturating_sub(1),
            "down" | "ctrl-n" | "tab" => self.selected = (self.selected + 1).min(found.len().saturating_sub(1)),
            _ => {
                if self.input.key(key) {
                    self.selected = 0;
                }
            }
        }
        Outcome::Stay
    }

    fn paste(&mut self, text: &str) {
        self.input.paste(text);
        self.selected = 0;
    }

    fn view(&self, screen: Rect, _footer: Rect, buf: &mut Buffer) -> Option<Position> {
        let found = self.found();
        let inner = frame::draw("Commands", (found.len() + 2).clamp(FEWEST_ROWS, MOST_ROWS), screen, buf);
        let (head, list) = split_top(inner, 2);
        let shown = self.input.visible(usize::from(head.width).saturating_sub(3));
        put(buf, head, 0, &Line::from(vec![Span::styled(": ", theme::ACCENT), Span::raw(shown.text)]));
        if found.is_empty() {
            put(buf, list, 0, &Line::styled("no command has this name; esc closes", theme::QUIET));
        }
        let selected = self.selected.min(found.len().saturating_sub(1));
        for (row, n) in window(selected, found.len(), usize::from(list.height)).enumerate() {
            let command = &self.commands[found[n].place];
            let line = entry(command, found[n].argument.as_deref(), n == selected, usize::from(list.width));
            put(buf, list, row, &line);
        }
        let x = head.x + u16::try_from(2 + shown.cursor).unwrap_or(0);
        Some(Position::new(x.min(head.right().saturating_sub(1)), head.y))
    }
}

fn entry<'a>(command: &Command, argument: Option<&str>, selected: bool, columns: usize) -> Line<'a> {
    let name = match argument.or(command.argument) {
        Some(argument) => format!("{} {argument}", command.name),
        None => command.name.to_owned(),
    };
    let key = command.keys.first().copied().unwrap_or_default();
    let help = columns.saturating_sub(2 + NAME + 2 + KEY);
    Line::from(vec![
        Span::styled(if selected { "▌ " } else { "  " }, theme::SELECTED),
        Span::styled(text::pad(&name, NAME), if selected { theme::SELECTED } else { theme::PLAIN }),
        Span::raw("  "),
        Span::styled(text::pad(command.help, help), theme::QUIET),
        Span::styled(text::pad_left(key, KEY), theme::ACCENT),
    ])
}

/// Match cost of the letters of `needle` in `text`, in order and ignoring case; lower is better, `None` if they do not
/// occur. Letters that follow each other or begin a word cost nothing.
fn fuzzy(needle: &str, text: &str) -> Option<u32> {
    let mut cost = 0;
    let mut last: Option<usize> = None;
    let text: Vec<char> = text.to_lowercase().chars().collect();
    let mut from = 0;
    for wanted in needle.to_lowercase().chars().filter(|c| !c.is_whitespace()) {
        let starts_word = |n: usize| n == 0 || text[n - 1] == ' ';
        let next = (from..text.len()).filter(|&n| text[n] == wanted).min_by_key(|&n| {
            let adjacent = last.is_some_and(|last| n == last + 1);
            (!(adjacent || starts_word(n)), n)
        })?;
        let adjacent = last.is_some_and(|last| next == last + 1);
        if !adjacent && !starts_word(next) {
            cost += SCATTERED;
        }
        if !adjacent {
            // A later word is a little worse than the first.
            cost += u32::from(next > 0);
        }
        last = Some(next);
        from = next + 1;
    }
    Some(cost)
}

/// The commands that a text finds, best first.
fn find(commands: &[Command], text: &str) -> Vec<Found> {
    let text = text.trim_start();
    if let Some((name, argument)) = text.split_once(' ')
        && let Some(place) = commands.iter().position(|c| c.argument.is_some() && c.name == name)
        && !argument.trim().is_empty()
    {
        return vec![Found { place, argument: Some(argument.trim().to_owned()) }];
    }
    let mut found: Vec<_> = commands
        .iter()
        .enumerate()
        .filter_map(|(place, command)| {
            let by_name = fuzzy(text, command.name);
            let by_help =
                || fuzzy(text, command.help).filter(|_| text.len() >= LETTERS_FOR_HELP).map(|cost| cost + BY_HELP);
            by_name.or_else(by_help).map(|cost| (cost, command.name.len(), place))
        })
        .collect();
    found.sort_by_key(|(cost, length, place)| (*cost, if text.is_empty() { 0 } else { *length }, *place));
    found.into_iter().map(|(.., place)| Found { place, argument: None }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::command::Action;

    #[test]
    fn words_behind_a_name_are_its_argument() {
        let commands = [
            Command::new(Action::Back, "back", &["esc"], "Close what is open"),
            Command::new(Action::OpenUser, "user", &["o"], "Open a shopper").argument("ID"),
        ];
        let with = |argument: &str| vec![Found { place: 1, argument: Some(argument.to_owned()) }];
        assert_eq!(find(&commands, "user 17850"), with("17850"));
        assert_eq!(find(&commands, " user red dress "), with("red dress"));
        assert_eq!(find(&commands, "user "), [Found { place: 1, argument: None }]);
        assert_eq!(find(&commands, "").len(), commands.len());
        assert!(find(&commands, "zzzz").is_empty());
    }
}
