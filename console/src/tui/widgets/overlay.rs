//! What lies over a screen: keys, palette, questions and texts. One quiet frame, as large as its content needs.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};

use super::super::app::{App, Overlay};
use super::super::commands::{COMMANDS, Command, Scope};
use super::super::palette;
use super::super::{texts, theme};
use super::{put, put_at, split_top, window};

/// Widest frame; longer lines are hard to read.
const WIDEST: u16 = 76;

/// Clears a region in the middle of `area` and frames it; returns the inside.
fn frame(title: &str, rows: usize, area: Rect, buf: &mut Buffer) -> Rect {
    let width = area.width.saturating_sub(2).min(WIDEST);
    let height = u16::try_from(rows + 2).unwrap_or(u16::MAX).min(area.height);
    let outer = Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 2, width, height };
    // A column on either side stays free, so that the frame does not touch words.
    let free = Rect { x: outer.x.saturating_sub(1), width: outer.width + 2, ..outer }.intersection(area);
    for position in free.positions() {
        if let Some(cell) = buf.cell_mut(position) {
            cell.reset();
        }
    }
    // A wide character cut by the left edge would leave half of itself outside.
    for y in free.top()..free.bottom() {
        if let Some(cell) = free.x.checked_sub(1).and_then(|x| buf.cell_mut((x, y)))
            && texts::width(cell.symbol()) > 1
        {
            cell.reset();
        }
    }
    let bar = usize::from(width.saturating_sub(2));
    put(buf, outer, 0, &Line::styled(format!("┌{}┐", "─".repeat(bar)), theme::QUIET));
    put(
        buf,
        outer,
        usize::from(height.saturating_sub(1)),
        &Line::styled(format!("└{}┘", "─".repeat(bar)), theme::QUIET),
    );
    for row in 1..usize::from(height.saturating_sub(1)) {
        put(buf, outer, row, &Line::styled("│", theme::QUIET));
        put_at(buf, outer, row, bar + 1, &Line::styled("│", theme::QUIET));
    }
    put_at(buf, outer, 0, 2, &Line::styled(texts::cut(&format!(" {title} "), bar.saturating_sub(2)), theme::STRONG));
    Rect {
        x: outer.x + 2.min(width),
        y: outer.y + 1.min(height),
        width: width.saturating_sub(4),
        height: height.saturating_sub(2),
    }
}

/// Draws what lies over the screen; returns the cursor, if a text is being typed in it.
pub(crate) fn draw(app: &App, area: Rect, buf: &mut Buffer) -> Option<Position> {
    match &app.overlay {
        Overlay::None | Overlay::Typing(..) => None,
        Overlay::Help(scroll) => {
            let rows = help(app);
            let inner = frame(&format!("Keys of {}", app.screen.title()), rows.len(), area, buf);
            let first = (*scroll).min(rows.len().saturating_sub(usize::from(inner.height)));
            super::lines(buf, inner, &rows[first..]);
            None
        }
        Overlay::Text { title, paragraphs } => {
            let columns = usize::from(area.width.saturating_sub(2).min(WIDEST)).saturating_sub(4);
            let mut rows = Vec::new();
            for paragraph in paragraphs {
                rows.extend(texts::wrap(&texts::clean(paragraph), columns).into_iter().map(Line::from));
                rows.push(Line::default());
            }
            rows.push(Line::styled("any key closes, ? shows the keys", theme::QUIET));
            let inner = frame(&texts::clean(title), rows.len(), area, buf);
            super::lines(buf, inner, &rows);
            None
        }
        Overlay::Confirm(confirm) => {
            let columns = usize::from(area.width.saturating_sub(2).min(WIDEST)).saturating_sub(4);
            let mut rows = vec![Line::default()];
            for line in &confirm.lines {
                rows.extend(texts::wrap(&texts::clean(line), columns).into_iter().map(Line::from));
            }
            rows.push(Line::default());
            rows.push(Line::from(vec![
                Span::styled("y", theme::ACCENT),
                Span::styled(format!(" {}   ", confirm.verb), theme::STRONG),
                Span::styled("n", theme::ACCENT),
                Span::styled(" leave it", theme::QUIET),
            ]));
            let inner = frame(&texts::clean(&confirm.title), rows.len(), area, buf);
            // The question to answer stays in sight even where its text is cut.
            let (text, answer) = super::split_bottom(inner, 1);
            super::lines(buf, text, &rows[..rows.len() - 1]);
            put(buf, answer, 0, &rows[rows.len() - 1]);
            None
        }
        Overlay::Palette(input, selected) => {
            let found = palette::find(&input.text());
            let inner = frame("Commands", (found.len() + 2).clamp(4, 16), area, buf);
            let (head, list) = split_top(inner, 2);
            let (text, at) = input.visible(usize::from(head.width).saturating_sub(3));
            put(buf, head, 0, &Line::from(vec![Span::styled(": ", theme::ACCENT), Span::raw(text)]));
            if found.is_empty() {
                put(buf, list, 0, &Line::styled("no command is called so; esc closes", theme::QUIET));
            }
            let selected = (*selected).min(found.len().saturating_sub(1));
            for (row, n) in window(selected, found.len(), usize::from(list.height)).enumerate() {
                let (command, argument) = &found[n];
                put(buf, list, row, &entry(command, argument.as_deref(), n == selected, usize::from(list.width)));
            }
            let x = head.x + u16::try_from(2 + at).unwrap_or(0);
            Some(Position::new(x.min(head.right().saturating_sub(1)), head.y))
        }
    }
}

fn entry<'a>(command: &Command, argument: Option<&str>, selected: bool, columns: usize) -> Line<'a> {
    let name = match argument.or(command.argument) {
        Some(argument) => format!("{} {argument}", command.name),
        None => command.name.to_owned(),
    };
    let key = command.keys.first().copied().unwrap_or_default();
    let help = columns.saturating_sub(2 + 18 + 2 + 9);
    Line::from(vec![
        Span::styled(if selected { "▌ " } else { "  " }, theme::SELECTED),
        Span::styled(texts::pad(&name, 18), if selected { theme::SELECTED } else { theme::PLAIN }),
        Span::raw("  "),
        Span::styled(texts::pad(command.help, help), theme::QUIET),
        Span::styled(texts::pad_left(key, 9), theme::ACCENT),
    ])
}

/// Rows of the help of the current screen.
pub(crate) fn help_rows(app: &App) -> usize {
    help(app).len()
}

/// The keys of the screen, then those that work everywhere.
fn help<'a>(app: &App) -> Vec<Line<'a>> {
    let mut rows = Vec::new();
    let own = |c: &&Command| c.applies(app.screen) && c.scope != Scope::Everywhere;
    let everywhere = |c: &&Command| c.scope == Scope::Everywhere;
    for (n, commands) in [COMMANDS.iter().filter(own).collect::<Vec<_>>(), COMMANDS.iter().filter(everywhere).collect()]
        .iter()
        .enumerate()
    {
        if n > 0 && !rows.is_empty() {
            rows.push(Line::default());
        }
        for command in commands {
            let keys = if command.keys.is_empty() { format!(":{}", command.name) } else { command.keys.join(" ") };
            rows.push(Line::from(vec![
                Span::styled(texts::pad(&keys, 16), theme::ACCENT),
                Span::raw(" "),
                Span::raw(command.help),
            ]));
        }
    }
    rows
}
