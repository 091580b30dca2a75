//! Header and footer: where one is, how the daemon is, what just happened, and which keys do something here.

use mercer_shared::wire::Health;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::super::app::{App, Link, Overlay, Purpose};
use super::super::commands::COMMANDS;
use super::super::screens::ScreenId;
use super::super::{texts, theme};
use super::{put, put_at, split_top};

/// Columns from which on every tab shows its title beside its number.
const WIDE: u16 = 78;

/// The tabs with the column each begins at.
fn tabs(app: &App, width: u16) -> Vec<(ScreenId, usize, String)> {
    let mut column = 9;
    ScreenId::ALL
        .into_iter()
        .map(|screen| {
            let number = screen.index() + 1;
            let text = if width >= WIDE || screen == app.screen {
                format!("{number} {}", screen.title())
            } else {
                number.to_string()
            };
            let at = column;
            column += texts::width(&text) + 2;
            (screen, at, text)
        })
        .collect()
}

/// The screen whose tab stands at this column of the first row.
pub(crate) fn tab_at(app: &App, column: u16) -> Option<ScreenId> {
    let column = usize::from(column);
    tabs(app, app.size.0)
        .into_iter()
        .find(|(_, at, text)| (*at..at + texts::width(text)).contains(&column))
        .map(|(screen, ..)| screen)
}

/// How the daemon is, in the fewest words.
fn state(app: &App) -> (String, Style) {
    let stale = app.stale();
    match (&app.link, stale) {
        (Link::Down { again, .. }, Some(age)) => {
            let left = (again.millis() - app.now.millis() + 999).max(0);
            let age = if app.heard.is_some() {
                format!("stale {}, ", texts::duration(age))
            } else {
                "no daemon, ".to_owned()
            };
            (format!("{age}retry in {}", texts::duration(left)), theme::WARN)
        }
        (Link::Opening { .. }, Some(age)) => (format!("stale {}, reconnecting", texts::duration(age)), theme::WARN),
        (Link::Up, Some(age)) => (format!("stale {}, no answer", texts::duration(age)), theme::WARN),
        (Link::Opening { .. }, None) if app.refusal.is_some() => ("no daemon, trying now".to_owned(), theme::WARN),
        (Link::Opening { .. }, None) | (Link::Down { .. }, None) => ("connecting".to_owned(), theme::QUIET),
        (Link::Up, None) => match &app.status.value {
            None => ("connected".to_owned(), theme::QUIET),
            Some(status) => {
                let version = texts::clean(&status.model.version);
                match (status.health, status.alarms.len()) {
                    (Health::ReadOnly, _) => (format!("{version} read-only"), theme::BAD),
                    (_, 1) => (format!("{version} 1 alarm"), theme::WARN),
                    (_, n) if n > 1 => (format!("{version} {n} alarms"), theme::WARN),
                    (Health::Starting, _) => (format!("{version} starting"), theme::WARN),
                    (Health::Degraded, _) => (format!("{version} degraded"), theme::WARN),
                    (Health::Ok, _) => (format!("{version} ok"), theme::GOOD),
                }
            }
        },
    }
}

/// The header: name and tabs; below, a quiet rule with how the daemon is.
pub(crate) fn header(app: &App, area: Rect, buf: &mut Buffer) {
    let (top, rule) = split_top(area, 1);
    put_at(buf, top, 0, 1, &Line::styled("mercer", theme::STRONG));
    for (screen, at, text) in tabs(app, area.width) {
        let style = if screen == app.screen {
            theme::SELECTED.add_modifier(ratatui::style::Modifier::UNDERLINED)
        } else {
            theme::QUIET
        };
        put_at(buf, top, 0, at, &Line::styled(text, style));
    }
    let (text, style) = state(app);
    let columns = usize::from(area.width);
    let text = texts::cut(&text, columns.saturating_sub(6));
    let line = "─".repeat(columns.saturating_sub(texts::width(&text) + 3));
    put(
        buf,
        rule,
        0,
        &Line::from(vec![
            Span::styled(line, theme::QUIET),
            Span::styled(format!(" {text} "), style),
            Span::styled("─", theme::QUIET),
        ]),
    );
}

/// The footer: the line being typed, or what just happened, or the keys of the screen. Returns the cursor of the line.
pub(crate) fn footer(app: &App, area: Rect, buf: &mut Buffer) -> Option<Position> {
    let columns = usize::from(area.width).saturating_sub(2);
    if let Overlay::Typing(purpose, input) = &app.overlay {
        let label = match (purpose, app.screen) {
            (Purpose::Filter, ScreenId::Users) => "ids that begin with ",
            (Purpose::Filter, _) => "filter ",
            (Purpose::Query, _) => "search ",
            (Purpose::User, _) => "shopper id ",
        };
        let room = columns.saturating_sub(label.len());
        let (text, at) = input.visible(room);
        put_at(buf, area, 0, 1, &Line::from(vec![Span::styled(label, theme::ACCENT), Span::raw(text)]));
        let x = area.x + u16::try_from(1 + label.len() + at).unwrap_or(0);
        return Some(Position::new(x.min(area.right().saturating_sub(1)), area.y));
    }
    if let Some(notice) = &app.notice {
        let style = if notice.bad { theme::WARN } else { theme::PLAIN };
        put_at(buf, area, 0, 1, &Line::styled(texts::cut(&texts::clean(&notice.text), columns), style));
        return None;
    }
    put_at(buf, area, 0, 1, &keys(app, columns));
    None
}

/// The keys of the screen as far as they fit; those that work everywhere keep their place at the end.
fn keys<'a>(app: &App, columns: usize) -> Line<'a> {
    let row = |general: bool| {
        COMMANDS
            .iter()
            .filter(move |c| {
                c.applies(app.screen)
                    && !c.footer.is_empty()
                    && (c.scope == super::super::commands::Scope::Everywhere) == general
            })
            .filter_map(|c| c.keys.first().map(|key| (*key, c.footer)))
            // Where a screen takes a key over, the general command is not reachable by it.
            .filter(move |(key, word)| {
                super::super::commands::for_key(app.screen, key).is_none_or(|c| c.footer == *word)
            })
    };
    let width = |(key, word): (&str, &str)| texts::width(key) + 1 + texts::width(word) + 2;
    let general: Vec<_> = row(true).collect();
    let mut room = columns.saturating_sub(general.iter().copied().map(width).sum());
    let mut shown = Vec::new();
    for entry in row(false) {
        if width(entry) > room {
            break;
        }
        room -= width(entry);
        shown.push(entry);
    }
    let spans = shown.into_iter().chain(general).flat_map(|(key, word)| {
        [Span::styled(key.to_owned(), theme::ACCENT), Span::styled(format!(" {word}  "), theme::QUIET)]
    });
    Line::from(spans.collect::<Vec<_>>())
}
