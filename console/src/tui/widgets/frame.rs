//! One quiet frame in the middle of an area, as large as its content needs.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::text::Line;

use crate::text;
use crate::tui::theme;
use crate::tui::widgets::draw::{put, put_at};

/// Widest frame; longer lines are hard to read.
const WIDEST: u16 = 76;

/// Columns of the inside of the widest frame.
pub(crate) const WIDEST_INSIDE: usize = WIDEST as usize - 4;

fn outer_columns(area: Rect) -> u16 {
    area.width.saturating_sub(2).min(WIDEST)
}

/// Columns of the inside of a frame in this area.
pub(crate) fn inner_columns(area: Rect) -> usize {
    usize::from(outer_columns(area)).saturating_sub(4)
}

/// Clears a region in the middle of `area` and frames it around so many rows; returns the inside.
pub(crate) fn draw(title: &str, rows: usize, area: Rect, buf: &mut Buffer) -> Rect {
    let width = outer_columns(area);
    let height = u16::try_from(rows + 2).unwrap_or(u16::MAX).min(area.height);
    let outer = Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 2, width, height };
    clear(outer, area, buf);
    let bar = usize::from(width.saturating_sub(2));
    let bottom = usize::from(height.saturating_sub(1));
    put(buf, outer, 0, &Line::styled(format!("┌{}┐", "─".repeat(bar)), theme::QUIET));
    put(buf, outer, bottom, &Line::styled(format!("└{}┘", "─".repeat(bar)), theme::QUIET));
    for y in 1..height.saturating_sub(1) {
        put_at(buf, outer, Position::new(0, y), &Line::styled("│", theme::QUIET));
        put_at(buf, outer, Position::new(width.saturating_sub(1), y), &Line::styled("│", theme::QUIET));
    }
    let title = text::cut(&format!(" {title} "), bar.saturating_sub(2));
    put_at(buf, outer, Position::new(2, 0), &Line::styled(title, theme::STRONG));
    Rect {
        x: outer.x + 2.min(width),
        y: outer.y + 1.min(height),
        width: width.saturating_sub(4),
        height: height.saturating_sub(2),
    }
}

/// Clears the frame's region and a column on either side, so that the frame does not touch words.
fn clear(outer: Rect, area: Rect, buf: &mut Buffer) {
    let free = Rect { x: outer.x.saturating_sub(1), width: outer.width + 2, ..outer }.intersection(area);
    for position in free.positions() {
        if let Some(cell) = buf.cell_mut(position) {
            cell.reset();
        }
    }
    // A wide character cut by the left edge would leave half of itself outside.
    for y in free.top()..free.bottom() {
        if let Some(cell) = free.x.checked_sub(1).and_then(|x| buf.cell_mut((x, y)))
            && text::width(cell.symbol()) > 1
        {
            cell.reset();
        }
    }
}
