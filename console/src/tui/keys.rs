//! What keys, pasted text and the mouse mean: to what lies over the screen first, then to the table of commands.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};

use super::app::{App, Effect, Overlay, Purpose};
use super::commands::{self, Action, key_name};
use super::palette;
use super::screens::{self, ScreenId};
use super::widgets::chrome;

/// A key was pressed.
pub(crate) fn key(app: &mut App, key: KeyEvent) -> Vec<Effect> {
    if key.kind == KeyEventKind::Release {
        return Vec::new();
    }
    // Leaving always works, whatever is open.
    if key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL) {
        return vec![Effect::Quit];
    }
    let Some(name) = key_name(key) else { return Vec::new() };
    match std::mem::take(&mut app.overlay) {
        Overlay::None => plain(app, &name),
        Overlay::Help(row) => {
            let row = match name.as_str() {
                "j" | "down" => Some(row.saturating_add(1)),
                "k" | "up" => Some(row.saturating_sub(1)),
                "ctrl-d" | "pagedown" | "space" => Some(row.saturating_add(app.page())),
                "ctrl-u" | "pageup" => Some(row.saturating_sub(app.page())),
                _ => None,
            };
            if let Some(row) = row {
                app.overlay = Overlay::Help(row.min(super::widgets::overlay::help_rows(app).saturating_sub(1)));
            }
            Vec::new()
        }
        Overlay::Text { .. } => match name.as_str() {
            // The second `?` leads from the formula to the keys.
            "?" => app.act(Action::Help, None),
            _ => Vec::new(),
        },
        Overlay::Palette(mut input, selected) => {
            let found = palette::find(&input.text());
            match name.as_str() {
                "esc" => {}
                "enter" => {
                    if let Some((command, argument)) = found.into_iter().nth(selected) {
                        return app.act(command.action, argument);
                    }
                }
                "up" | "ctrl-p" => app.overlay = Overlay::Palette(input, selected.saturating_sub(1)),
                "down" | "ctrl-n" | "tab" => {
                    app.overlay = Overlay::Palette(input, (selected + 1).min(found.len().saturating_sub(1)));
                }
                "backspace" if input.text().is_empty() => {}
                _ => {
                    let selected = if input.key(key) { 0 } else { selected };
                    app.overlay = Overlay::Palette(input, selected);
                }
            }
            Vec::new()
        }
        Overlay::Typing(purpose, mut input) => match name.as_str() {
            "esc" => Vec::new(),
            "enter" => typed(app, purpose, input.text().trim().to_owned()),
            _ => {
                input.key(key);
                app.overlay = Overlay::Typing(purpose, input);
                Vec::new()
            }
        },
        Overlay::Confirm(confirm) => match name.as_str() {
            "y" | "enter" => {
                app.say("Asked; waiting for the daemon", false);
                vec![Effect::Ask(confirm.ask)]
            }
            "n" | "esc" | "q" => {
                app.say("Nothing was changed", false);
                Vec::new()
            }
            _ => {
                app.overlay = Overlay::Confirm(confirm);
                Vec::new()
            }
        },
    }
}

fn plain(app: &mut App, name: &str) -> Vec<Effect> {
    match commands::for_key(app.screen, name) {
        Some(command) => app.act(command.action, None),
        None => Vec::new(),
    }
}

/// What was typed is done.
fn typed(app: &mut App, purpose: Purpose, text: String) -> Vec<Effect> {
    match purpose {
        Purpose::User => app.act(Action::OpenUser, Some(text)),
        Purpose::Query => app.act(Action::Query, Some(text)),
        Purpose::Filter => match app.screen {
            ScreenId::Users => screens::users::filtered(app, text),
            ScreenId::Training => {
                app.training.filter = text;
                app.training.selected = 0;
                Vec::new()
            }
            ScreenId::Models => {
                app.models.filter = text;
                app.models.selected = 0;
                Vec::new()
            }
            ScreenId::Log => {
                app.log.filter = text;
                app.log.back = 0;
                Vec::new()
            }
            _ => Vec::new(),
        },
    }
}

/// Text was pasted: it goes where text is being typed and nowhere else, so that a paste never runs commands.
pub(crate) fn paste(app: &mut App, text: &str) -> Vec<Effect> {
    match &mut app.overlay {
        Overlay::Typing(_, input) => input.paste(text),
        Overlay::Palette(input, selected) => {
            input.paste(text);
            *selected = 0;
        }
        _ => {}
    }
    Vec::new()
}

/// The mouse: the wheel moves, a click on a tab goes to its screen.
pub(crate) fn mouse(app: &mut App, event: MouseEvent) -> Vec<Effect> {
    if app.overlay != Overlay::None {
        return Vec::new();
    }
    match event.kind {
        MouseEventKind::ScrollUp => app.act(Action::Up, None),
        MouseEventKind::ScrollDown => app.act(Action::Down, None),
        MouseEventKind::Down(MouseButton::Left) if event.row == 0 => match chrome::tab_at(app, event.column) {
            Some(screen) => app.go(screen),
            None => Vec::new(),
        },
        _ => Vec::new(),
    }
}
