//! A line plot in braille dots with a scale on the left: losses over steps.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::text;
use crate::tui::theme;
use crate::tui::widgets::draw::put;
use crate::tui::widgets::split::{split_bottom, split_left, split_top};

/// Dots of a braille cell by column and row (Unicode chapter 21.1).
const DOTS: [[u32; 4]; 2] = [[0x01, 0x02, 0x04, 0x40], [0x08, 0x10, 0x20, 0x80]];

/// A point of a plot.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Point {
    /// Across: the step.
    pub x: f64,
    /// Upwards: the value.
    pub y: f64,
}

/// Draws points, joined by lines, with the range of y on the left and of x below. Points must be in the order of x.
pub(crate) fn draw(points: &[Point], area: Rect, buf: &mut Buffer) {
    let points: Vec<Point> = points.iter().copied().filter(|p| p.x.is_finite() && p.y.is_finite()).collect();
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return };
    let low = points.iter().map(|p| p.y).fold(f64::INFINITY, f64::min);
    let high = points.iter().map(|p| p.y).fold(f64::NEG_INFINITY, f64::max);
    let labels = [text::value(high), text::value(low)];
    let gutter = labels.iter().map(|label| text::width(label)).max().unwrap_or(0) + 1;
    let (canvas, axis) = split_bottom(area, 1);
    let (left, canvas) = split_left(canvas, u16::try_from(gutter).unwrap_or(u16::MAX));
    if canvas.width < 2 || canvas.height < 1 {
        return;
    }
    put(buf, left, 0, &Line::styled(text::pad_left(&labels[0], gutter - 1), theme::QUIET));
    if left.height > 1 {
        let bottom = usize::from(left.height) - 1;
        put(buf, left, bottom, &Line::styled(text::pad_left(&labels[1], gutter - 1), theme::QUIET));
    }
    let (columns, rows) = (usize::from(canvas.width), usize::from(canvas.height));
    let (wide, tall) = (columns * 2, rows * 4);
    let mut dots = vec![0_u32; columns * rows];
    let mut dot = |x: usize, y: usize| dots[y / 4 * columns + x / 2] |= DOTS[x % 2][y % 4];
    let place = |p: Point| {
        let across = if last.x > first.x { (p.x - first.x) / (last.x - first.x) } else { 0.0 };
        let down = if high > low { (high - p.y) / (high - low) } else { 0.5 };
        let cell = |share: f64, n: usize| (share.clamp(0.0, 1.0) * (n - 1) as f64).round() as usize;
        (cell(across, wide), cell(down, tall))
    };
    let mut before = place(*first);
    dot(before.0, before.1);
    for point in &points[1..] {
        let next = place(*point);
        let steps = next.0.abs_diff(before.0).max(next.1.abs_diff(before.1)).max(1);
        for step in 1..=steps {
            let between = |a: usize, b: usize| (a * (steps - step) + b * step + steps / 2) / steps;
            dot(between(before.0, next.0), between(before.1, next.1));
        }
        before = next;
    }
    for (row, cells) in dots.chunks(columns).enumerate() {
        let text: String =
            cells.iter().map(|bits| char::from_u32(0x2800 + bits).filter(|_| *bits > 0).unwrap_or(' ')).collect();
        put(buf, canvas, row, &Line::styled(text, theme::ACCENT));
    }
    let (axis, _) = split_top(axis, 1);
    let to = text::axis_count(last.x);
    let room = usize::from(axis.width).saturating_sub(gutter + text::width(&to) + 1);
    let from = format!("step {}", text::axis_count(first.x));
    // Where both ends do not fit, the last step is the one that matters.
    let from = if text::width(&from) < room { from } else { "step".to_owned() };
    let text = format!("{}{} {to}", " ".repeat(gutter), text::pad(&from, room));
    put(buf, axis, 0, &Line::from(Span::styled(text, theme::QUIET)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::widgets::draw::rows;

    fn points(all: &[(f64, f64)]) -> Vec<Point> {
        all.iter().map(|&(x, y)| Point { x, y }).collect()
    }

    #[test]
    fn a_falling_line_falls() {
        let area = Rect::new(0, 0, 16, 4);
        let mut buf = Buffer::empty(area);
        draw(&points(&[(0.0, 2.5), (50.0, 1.75), (100.0, 1.0)]), area, &mut buf);
        let rows = rows(&buf);
        assert_eq!(rows[0].trim_end(), "2.5000 ⠑⠢⣀");
        assert!(rows[2].starts_with("1.0000") && rows[2].trim_end().ends_with('⢄'), "{rows:?}");
        assert_eq!(rows[3], "       step  100");
    }

    #[test]
    fn any_size_and_any_points_are_fine() {
        for width in 0..20 {
            for height in 0..6 {
                let area = Rect::new(0, 0, width, height);
                let mut buf = Buffer::empty(area);
                draw(&[], area, &mut buf);
                draw(&points(&[(0.0, 1.0)]), area, &mut buf);
                draw(&points(&[(0.0, f64::NAN), (1.0, f64::INFINITY), (2.0, -3.0), (2.0, 4e12)]), area, &mut buf);
            }
        }
    }
}
