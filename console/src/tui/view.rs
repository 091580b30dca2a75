//! The whole picture from the whole state: header, screen, footer, and what lies over them. A pure function.

use mercer_shared::problem::Code;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use ratatui::text::Line;

use super::app::{App, Link, Overlay};
use super::theme::{self, Theme};
use super::widgets::{chrome, lines, overlay, put, split_bottom, split_left, split_top};
use super::{screens, texts};

/// Smallest terminal that every screen can be used on, columns and rows.
pub(crate) const SMALLEST: (u16, u16) = (60, 16);

/// Where the current screen draws: all but the header with its rule and the footer with its rule.
pub(crate) fn body(area: Rect) -> Rect {
    let (_, rest) = split_top(area, 2);
    split_bottom(rest, 1).0
}

/// Draws everything into an empty buffer; returns where the cursor stands, if anywhere.
pub(crate) fn draw(app: &App, theme: Theme, buf: &mut Buffer) -> Option<Position> {
    let area = buf.area;
    let cursor = if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        too_small(area, buf);
        None
    } else {
        let (header, _) = split_top(area, 2);
        chrome::header(app, header, buf);
        let screen = body(area);
        let inner = split_left(screen, 1).1;
        let inner = Rect { width: inner.width.saturating_sub(1), ..inner };
        if app.status.value.is_none() && app.heard.is_none() {
            unreached(app, inner, buf);
        } else {
            screens::view(app, inner, buf);
            if app.stale().is_some() {
                theme::fade(buf, screen);
            }
        }
        let (_, footer) = split_bottom(area, 1);
        let typing = chrome::footer(app, footer, buf);
        let over = match &app.overlay {
            Overlay::None | Overlay::Typing(..) => None,
            _ => overlay::draw(app, screen, buf),
        };
        over.or(typing)
    };
    theme::finish(buf, theme);
    cursor
}

fn too_small(area: Rect, buf: &mut Buffer) {
    let text = format!(
        "This terminal has {}x{}; mercer needs {}x{}. Make it larger, or press q.",
        area.width, area.height, SMALLEST.0, SMALLEST.1
    );
    let wrapped: Vec<Line<'_>> = texts::wrap(&text, usize::from(area.width)).into_iter().map(Line::from).collect();
    lines(buf, area, &wrapped);
}

/// What is shown before a daemon has ever answered: what is the case, the exact command that changes it, and that the
/// console keeps trying.
fn unreached(app: &App, area: Rect, buf: &mut Buffer) {
    let columns = usize::from(area.width);
    let wrapped = |text: &str, style: Style| {
        texts::wrap(&texts::clean(text), columns).into_iter().map(move |line| Line::styled(line, style))
    };
    let mut all: Vec<Line<'_>> = vec![Line::default()];
    match &app.refusal {
        Some(problem) if problem.code == Code::NotRunning => {
            all.push(Line::styled("No daemon answers", theme::STRONG));
            all.extend(wrapped(&problem.detail, theme::QUIET));
            for (what, command) in [
                ("Start one:", start_command(app)),
                ("Or look around in a simulated shop:", "mercer demo".to_owned()),
                ("Is it running elsewhere? Name its socket:", "mercer --socket PATH".to_owned()),
            ] {
                all.extend([Line::default(), Line::from(what), Line::styled(format!("  {command}"), theme::ACCENT)]);
            }
        }
        Some(problem) => {
            let title =
                if problem.code == Code::Unavailable { "The daemon is not ready" } else { "The daemon refuses" };
            all.push(Line::styled(title, theme::STRONG));
            all.extend(wrapped(&format!("{}: {}", problem.title, problem.detail), theme::WARN));
            all.extend(wrapped(&problem.hint, theme::QUIET));
        }
        None => {
            all.push(Line::styled("Reaching the daemon", theme::STRONG));
            all.extend(wrapped(&app.socket.display().to_string(), theme::QUIET));
        }
    }
    if app.refusal.is_some() {
        all.extend([Line::default(), waiting(app)]);
    }
    for (row, line) in all.iter().enumerate() {
        put(buf, area, row, line);
    }
}

/// When the next attempt comes.
fn waiting<'a>(app: &App) -> Line<'a> {
    let when = match app.link {
        Link::Down { again, .. } => {
            let left = (again.millis() - app.now.millis()).max(0);
            format!("in {}", texts::duration(left + 999))
        }
        Link::Opening { .. } | Link::Up => "now".to_owned(),
    };
    Line::styled(format!("Trying again {when}; r tries at once, q leaves"), theme::QUIET)
}

/// The command that starts a daemon on the socket that this console looks at.
pub(crate) fn start_command(app: &App) -> String {
    let state = std::path::Path::new(&app.socket)
        .parent()
        .filter(|dir| !dir.starts_with("/run") && !dir.as_os_str().is_empty() && dir.join("store").exists())
        .map_or_else(mercer_shared::socket::default_state, std::path::Path::to_path_buf);
    let quote = |path: &std::path::Path| {
        let text = texts::clean(&path.display().to_string());
        let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || "/._-+:@%".contains(c));
        if plain { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
    };
    format!("mercerd --state {} --socket {}", quote(&state), quote(&app.socket))
}
