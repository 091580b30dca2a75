//! The content of a pane without data: that it is being fetched, or the problem and what to do about it.

use std::path::Path;

use mercer_shared::problem::{Code, Problem};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::context::Context;
use super::remote::Remote;
use super::theme;
use super::widgets::draw::{lines, say, wrapped};
use super::widgets::split::{split_left, split_top};
use crate::text;

/// Writes a problem: what happened, what to do.
pub(crate) fn say_problem(context: &Context, buf: &mut Buffer, area: Rect, problem: &Problem) {
    let columns = usize::from(area.width).saturating_sub(2);
    let what = format!("{}: {}", problem.title, problem.detail);
    let mut all: Vec<Line<'_>> = wrapped(&what, columns, theme::BAD).collect();
    // The table's hint names no paths; here they are known.
    let hint = match problem.code {
        Code::NotRunning => format!("start one: {}", start_command(&context.socket)),
        _ => format!("{}; r asks again", problem.hint),
    };
    all.extend(wrapped(&hint, columns, theme::QUIET));
    let area = split_left(split_top(area, 1).1, 1).1;
    lines(buf, area, &all);
}

/// The content of a pane; if it is missing, draws the reason. `what` is a noun without an article.
pub(crate) fn content<'a, T>(
    context: &Context,
    remote: &'a Remote<T>,
    what: &str,
    area: Rect,
    buf: &mut Buffer,
) -> Option<&'a T> {
    if remote.value.is_none() {
        let none = format!("No {what} yet");
        match &remote.problem {
            Some(problem) => say_problem(context, buf, area, problem),
            None if remote.loading => say(buf, area, &format!("Fetching the {what}"), "This takes a moment"),
            None if context.stale().is_some() => say(buf, area, &none, "The daemon does not answer"),
            None => say(buf, area, &none, "r asks for it"),
        }
    }
    remote.value.as_ref()
}

/// The shell command that starts a daemon on the socket that this console looks at.
pub(crate) fn start_command(socket: &Path) -> String {
    let state = socket
        .parent()
        .filter(|dir| !dir.starts_with("/run") && !dir.as_os_str().is_empty() && dir.join("store").exists())
        .map_or_else(mercer_shared::socket::default_state, Path::to_path_buf);
    let quote = |path: &Path| {
        let path = text::clean(&path.display().to_string());
        let plain = path.chars().all(|c| c.is_ascii_alphanumeric() || "/._-+:@%".contains(c));
        if plain { path } else { format!("'{}'", path.replace('\'', "'\\''")) }
    };
    format!("mercerd --state {} --socket {}", quote(&state), quote(socket))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_to_start_a_daemon_can_be_pasted_into_a_shell() {
        let command = start_command(Path::new("/tmp/a shop's/mercer.sock"));
        assert!(command.ends_with(r"--socket '/tmp/a shop'\''s/mercer.sock'"), "{command}");
    }
}
