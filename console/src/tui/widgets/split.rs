//! Splits areas. Content that does not fit is cut off; no part leaves its area.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use crate::tui::theme;

/// The first `n` rows and the rest.
pub(crate) fn split_top(area: Rect, n: u16) -> (Rect, Rect) {
    let n = n.min(area.height);
    (Rect { height: n, ..area }, Rect { y: area.y + n, height: area.height - n, ..area })
}

/// All but the last `n` rows, and these.
pub(crate) fn split_bottom(area: Rect, n: u16) -> (Rect, Rect) {
    split_top(area, area.height.saturating_sub(n))
}

/// The first `n` columns and the rest.
pub(crate) fn split_left(area: Rect, n: u16) -> (Rect, Rect) {
    let n = n.min(area.width);
    (Rect { width: n, ..area }, Rect { x: area.x + n, width: area.width - n, ..area })
}

/// Two panes with a quiet line between them, a blank column on either side of it: the first takes `n` columns with its
/// blank one, the second the rest.
pub(crate) fn split_with_rule(buf: &mut Buffer, area: Rect, n: u16) -> (Rect, Rect) {
    let (left, rest) = split_left(area, n);
    let (rule, right) = split_left(rest, 1);
    let shown = rule.intersection(buf.area);
    for y in shown.top()..shown.bottom() {
        for x in shown.left()..shown.right() {
            if let Some(cell) = buf.cell_mut(Position::new(x, y)) {
                cell.set_symbol("│").set_style(theme::QUIET);
            }
        }
    }
    (Rect { width: left.width.saturating_sub(1), ..left }, split_left(right, 1).1)
}
