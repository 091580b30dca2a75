//! Draws the whole picture from the whole state: header, screen, footer, overlay. A pure function.

use mercer_shared::problem::Code;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect, Size};
use ratatui::text::Line;

use super::app::App;
use super::chrome;
use super::context::{Areas, Context};
use super::link::LinkState;
use super::pane::start_command;
use super::theme::{self, Theme};
use super::widgets::draw::{lines, wrapped};
use super::widgets::split::split_left;
use crate::text;

/// Smallest terminal that every screen can be used on.
const SMALLEST: Size = Size::new(60, 16);

/// Draws everything into an empty buffer; returns the position of the cursor, if it is shown.
pub(crate) fn draw(app: &App, theme: Theme, buf: &mut Buffer) -> Option<Position> {
    let cursor = if buf.area.width < SMALLEST.width || buf.area.height < SMALLEST.height {
        too_small(buf.area, buf);
        None
    } else {
        whole(app, buf)
    };
    theme::finish(buf, theme);
    cursor
}

fn whole(app: &App, buf: &mut Buffer) -> Option<Position> {
    let context = &app.context;
    let areas = Areas::of(buf.area);
    chrome::header(app.commands.screens(), app.current, context, areas.header, buf);
    let inner = split_left(areas.body, 1).1;
    let inner = Rect { width: inner.width.saturating_sub(1), ..inner };
    if context.status.value.is_none() && context.link.heard.is_none() {
        unreached(context, inner, buf);
    } else {
        app.screen().view(context, inner, buf);
        if context.stale().is_some() {
            theme::fade(buf, areas.body);
        }
    }
    let overlay = context.overlay.as_ref();
    if !overlay.is_some_and(|overlay| overlay.covers_footer()) {
        chrome::footer(&app.commands, app.current, context, areas.footer, buf);
    }
    overlay.and_then(|overlay| overlay.view(areas.body, areas.footer, buf))
}

fn too_small(area: Rect, buf: &mut Buffer) {
    let words = format!(
        "This terminal has {}x{}; mercer needs {}x{}. Make it larger, or press q.",
        area.width, area.height, SMALLEST.width, SMALLEST.height
    );
    let all: Vec<Line<'_>> = wrapped(&words, usize::from(area.width), theme::PLAIN).collect();
    lines(buf, area, &all);
}

/// Draws the picture before the first answer of a daemon: the problem, the exact command that solves it, and that the
/// console keeps trying.
fn unreached(context: &Context, area: Rect, buf: &mut Buffer) {
    let columns = usize::from(area.width);
    let mut all: Vec<Line<'_>> = vec![Line::default()];
    match &context.link.refusal {
        Some(problem) if problem.code == Code::NotRunning => {
            all.push(Line::styled("No daemon answers", theme::STRONG));
            all.extend(wrapped(&problem.detail, columns, theme::QUIET));
            for (what, command) in [
                ("Start one:", start_command(&context.socket)),
                ("Or look around in a simulated shop:", "mercer demo".to_owned()),
                ("Is it running elsewhere? Name its socket:", "mercer --socket PATH".to_owned()),
            ] {
                all.extend([Line::default(), Line::from(what), Line::styled(format!("  {command}"), theme::ACCENT)]);
            }
        }
        Some(problem) => {
            let unready = problem.code == Code::Unavailable;
            let title = if unready { "The daemon is not ready" } else { "The daemon refuses" };
            all.push(Line::styled(title, theme::STRONG));
            all.extend(wrapped(&format!("{}: {}", problem.title, problem.detail), columns, theme::WARN));
            all.extend(wrapped(&problem.hint, columns, theme::QUIET));
        }
        None => {
            all.push(Line::styled("Connecting to the daemon", theme::STRONG));
            all.extend(wrapped(&context.socket.display().to_string(), columns, theme::QUIET));
        }
    }
    if context.link.refusal.is_some() {
        all.extend([Line::default(), next_attempt(context)]);
    }
    lines(buf, area, &all);
}

/// When the next attempt comes.
fn next_attempt<'a>(context: &Context) -> Line<'a> {
    let when = match context.link.state {
        LinkState::Down { again, .. } => {
            let left = (again.millis() - context.now.millis()).max(0);
            format!("in {}", text::age(left + 999))
        }
        LinkState::Opening { .. } | LinkState::Up => "now".to_owned(),
    };
    Line::styled(format!("Trying again {when}; r tries at once, q leaves"), theme::QUIET)
}
