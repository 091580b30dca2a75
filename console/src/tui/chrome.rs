//! Header and footer: the screen, the state of the daemon, the latest notice, and the keys that work here.

use mercer_shared::wire::Health;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};

use super::command::{Command, ScreenId};
use super::commands::{Commands, FooterCommands};
use super::context::Context;
use super::link::LinkState;
use super::screen::About;
use super::theme;
use super::widgets::draw::{put, put_at};
use super::widgets::split::split_top;
use crate::text;

/// Column of the first tab, behind the program's name; and where there is no room for the name.
const FIRST_TAB: usize = 9;
const FIRST_TAB_WITHOUT_NAME: usize = 1;
/// Blank columns between two tabs; and where there is no room for two.
const TAB_GAP: usize = 2;
const NARROW_TAB_GAP: usize = 1;

/// A tab of the header.
struct Tab {
    screen: ScreenId,
    /// The column it begins at.
    column: usize,
    text: String,
}

fn tabs(screens: &[&'static About], current: ScreenId, columns: u16) -> Vec<Tab> {
    let titled = |(place, about): (usize, &&'static About)| format!("{} {}", place + 1, about.title);
    let titles: usize = screens.iter().enumerate().map(|tab| text::width(&titled(tab))).sum();
    let fits =
        |first: usize, gap: usize| first + titles + gap * screens.len().saturating_sub(1) <= usize::from(columns);
    // The name of the program goes before a title does. Where the titles do not all fit, the current screen's tab alone has one.
    let (first, gap, all_fit) = match (fits(FIRST_TAB, TAB_GAP), fits(FIRST_TAB_WITHOUT_NAME, NARROW_TAB_GAP)) {
        (true, _) => (FIRST_TAB, TAB_GAP, true),
        (false, true) => (FIRST_TAB_WITHOUT_NAME, NARROW_TAB_GAP, true),
        (false, false) => (FIRST_TAB, TAB_GAP, false),
    };
    let mut column = first;
    let tab = |(place, about): (usize, &&'static About)| {
        let screen = ScreenId(place);
        let text = if all_fit || screen == current { titled((place, about)) } else { (place + 1).to_string() };
        let tab = Tab { screen, column, text };
        column += text::width(&tab.text) + gap;
        tab
    };
    screens.iter().enumerate().map(tab).collect()
}

/// The screen whose tab stands at this column of the first row of a terminal with so many columns.
pub(crate) fn tab_at(screens: &[&'static About], current: ScreenId, columns: u16, column: u16) -> Option<ScreenId> {
    let column = usize::from(column);
    let hit = |tab: &Tab| (tab.column..tab.column + text::width(&tab.text)).contains(&column);
    tabs(screens, current, columns).into_iter().find(hit).map(|tab| tab.screen)
}

/// The state of the daemon in few words.
fn daemon_state(context: &Context) -> (String, Style) {
    let link = &context.link;
    match (link.state, context.stale()) {
        (LinkState::Down { again, .. }, Some(age)) => {
            let left = text::age((again.millis() - context.now.millis() + 999).max(0));
            match link.heard {
                Some(_) => (format!("stale {}, retry in {left}", text::age(age)), theme::WARN),
                None => (format!("no daemon, retry in {left}"), theme::WARN),
            }
        }
        (LinkState::Opening { .. }, Some(age)) => (format!("stale {}, reconnecting", text::age(age)), theme::WARN),
        (LinkState::Up, Some(age)) => (format!("stale {}, no answer", text::age(age)), theme::WARN),
        (LinkState::Opening { .. }, None) if link.refusal.is_some() => {
            ("no daemon, trying now".to_owned(), theme::WARN)
        }
        (LinkState::Opening { .. } | LinkState::Down { .. }, None) => ("connecting".to_owned(), theme::QUIET),
        (LinkState::Up, None) => serving_state(context),
    }
}

/// The serving version and its health.
fn serving_state(context: &Context) -> (String, Style) {
    let Some(status) = &context.status.value else { return ("connected".to_owned(), theme::QUIET) };
    let version = text::clean(&status.model.version);
    match (status.health, status.alarms.len()) {
        (Health::ReadOnly, _) => (format!("{version} read-only"), theme::BAD),
        (_, n) if n > 0 => (format!("{version} {}", text::plural(n as u64, "alarm", "alarms")), theme::WARN),
        (Health::Starting, _) => (format!("{version} starting"), theme::WARN),
        (Health::Degraded, _) => (format!("{version} degraded"), theme::WARN),
        (Health::Ok, _) => (format!("{version} ok"), theme::GOOD),
    }
}

/// Draws the header: name and tabs; below, a quiet rule with the state of the daemon.
pub(crate) fn header(screens: &[&'static About], current: ScreenId, context: &Context, area: Rect, buf: &mut Buffer) {
    let (top, rule) = split_top(area, 1);
    let tabs = tabs(screens, current, area.width);
    if tabs.first().is_none_or(|tab| tab.column >= FIRST_TAB) {
        put_at(buf, top, Position::new(1, 0), &Line::styled("mercer", theme::STRONG));
    }
    for tab in tabs {
        let style =
            if tab.screen == current { theme::SELECTED.add_modifier(Modifier::UNDERLINED) } else { theme::QUIET };
        let column = u16::try_from(tab.column).unwrap_or(u16::MAX);
        put_at(buf, top, Position::new(column, 0), &Line::styled(tab.text, style));
    }
    let (state, style) = daemon_state(context);
    let columns = usize::from(area.width);
    let state = text::cut(&state, columns.saturating_sub(6));
    let line = "─".repeat(columns.saturating_sub(text::width(&state) + 3));
    let parts =
        [Span::styled(line, theme::QUIET), Span::styled(format!(" {state} "), style), Span::styled("─", theme::QUIET)];
    put(buf, rule, 0, &Line::from(parts.to_vec()));
}

/// Draws the footer: what just happened, or the keys of the screen.
pub(crate) fn footer(commands: &Commands, current: ScreenId, context: &Context, area: Rect, buf: &mut Buffer) {
    let columns = usize::from(area.width).saturating_sub(2);
    let line = match &context.notice {
        Some(notice) => {
            let style = if notice.failure { theme::WARN } else { theme::PLAIN };
            Line::styled(text::cut(&text::clean(&notice.text), columns), style)
        }
        None => keys(&commands.footer(current), columns),
    };
    put_at(buf, area, Position::new(1, 0), &line);
}

/// The keys of the screen as far as they fit; those that work everywhere stay at the end.
fn keys<'a>(commands: &FooterCommands, columns: usize) -> Line<'a> {
    let key = |command: &Command| command.keys.first().copied().unwrap_or_default();
    let width = |command: &Command| text::width(key(command)) + 1 + text::width(command.footer) + 2;
    let mut room = columns.saturating_sub(commands.everywhere.iter().map(width).sum());
    let own = commands.own.iter().take_while(|command| {
        let fits = width(command) <= room;
        room = room.saturating_sub(width(command));
        fits
    });
    let spans = own.chain(&commands.everywhere).flat_map(|command| {
        [
            Span::styled(key(command).to_owned(), theme::ACCENT),
            Span::styled(format!(" {}  ", command.footer), theme::QUIET),
        ]
    });
    Line::from(spans.collect::<Vec<_>>())
}
