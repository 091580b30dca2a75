//! Bars: progress, weights, stacked parts of a score, sparklines, and intervals on a common scale.

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::super::theme;

const EIGHTHS: [&str; 9] = [" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];

/// A share between 0 and 1 as cells of `columns`, rounded; anything above 0 shows at least one.
fn cells(share: f64, columns: usize) -> usize {
    if !share.is_finite() || share <= 0.0 {
        return 0;
    }
    // Rounding within 0..=columns.
    ((share.min(1.0) * columns as f64).round() as usize).clamp(1, columns.max(1)).min(columns)
}

/// A bar of a share between 0 and 1, filled to `columns` with a quiet track.
pub(crate) fn progress<'a>(share: f64, columns: usize) -> Vec<Span<'a>> {
    let full = cells(share, columns);
    vec![Span::styled("█".repeat(full), theme::ACCENT), Span::styled("─".repeat(columns - full), theme::QUIET)]
}

/// A bar of a weight between 0 and 1, without a track.
pub(crate) fn weight<'a>(share: f64, columns: usize) -> Span<'a> {
    Span::styled("█".repeat(cells(share, columns)), theme::ACCENT)
}

/// The positive parts of a score side by side, scaled so that `most` takes all columns. Each part is `(place in the
/// legend, score)`; the bar's length is the sum of the parts and every part is rounded at its own ends, so that nothing
/// drifts.
pub(crate) fn stacked<'a>(parts: &[(usize, f64)], most: f64, columns: usize) -> Line<'a> {
    if most <= 0.0 || !most.is_finite() {
        return Line::default();
    }
    let mut spans = Vec::new();
    let mut sum = 0.0;
    let mut drawn = 0;
    for (place, score) in parts.iter().filter(|(_, score)| score.is_finite() && *score > 0.0) {
        sum += score;
        let end = (((sum / most).clamp(0.0, 1.0) * columns as f64).round() as usize).min(columns);
        let (fill, style) = theme::PARTS[place % theme::PARTS.len()];
        spans.push(Span::styled(fill.repeat(end.saturating_sub(drawn)), style));
        drawn = drawn.max(end);
    }
    Line::from(spans)
}

/// The latest values as rows of eighth blocks, newest on the right; the tallest reaches `height` rows.
pub(crate) fn sparkline<'a>(values: &[f64], columns: usize, height: usize, style: Style) -> Vec<Line<'a>> {
    let shown = &values[values.len().saturating_sub(columns)..];
    let most = shown.iter().copied().filter(|v| v.is_finite()).fold(0.0, f64::max);
    let level = |v: f64| -> usize {
        if most <= 0.0 || !v.is_finite() || v <= 0.0 {
            0
        } else {
            ((v / most * (height * 8) as f64).round() as usize).max(1)
        }
    };
    (0..height)
        .rev()
        .map(|row| {
            let text: String = shown.iter().map(|v| EIGHTHS[level(*v).saturating_sub(row * 8).min(8)]).collect();
            let blank = " ".repeat(columns.saturating_sub(shown.len()));
            // An idle line still shows where time has passed.
            let text = if row == 0 { text.replace(' ', "▁") } else { text };
            let idle = most <= 0.0;
            Line::from(vec![Span::raw(blank), Span::styled(text, if idle { theme::QUIET } else { style })])
        })
        .collect()
}

/// An interval on a scale from `from` to `to`, with its value where there is one: `─●──`, and a mark at `mark` (a
/// baseline) if it lies on the scale.
pub(crate) fn whisker<'a>(
    (low, high): (f64, f64),
    value: Option<f64>,
    mark: Option<f64>,
    (from, to): (f64, f64),
    columns: usize,
) -> Line<'a> {
    if columns == 0 || to <= from || ![from, to, low, high].iter().all(|v| v.is_finite()) {
        return Line::default();
    }
    let place = |v: f64| (((v - from) / (to - from)).clamp(0.0, 1.0) * (columns - 1) as f64).round() as usize;
    let value = value.filter(|v| v.is_finite()).map(place);
    let mark = mark.filter(|m| m.is_finite() && (from..=to).contains(m)).map(place);
    let spans = (0..columns).map(|n| {
        if value == Some(n) {
            Span::styled("●", theme::ACCENT)
        } else if mark == Some(n) {
            Span::styled("│", theme::WARN)
        } else if (place(low)..=place(high)).contains(&n) {
            Span::styled("─", theme::ACCENT)
        } else {
            Span::styled("·", theme::QUIET)
        }
    });
    Line::from(spans.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(line: &Line<'_>) -> String {
        line.spans.iter().map(|span| span.content.as_ref()).collect()
    }

    #[test]
    fn bars() {
        assert_eq!(text(&Line::from(progress(0.5, 8))), "████────");
        assert_eq!(text(&Line::from(progress(0.001, 4))), "█───");
        assert_eq!(text(&Line::from(progress(f64::NAN, 4))), "────");
        assert_eq!(text(&Line::from(progress(7.0, 0))), "");
        assert_eq!(weight(1.0, 3).content, "███");
        assert_eq!(text(&stacked(&[(0, 0.5), (1, 0.25), (2, -1.0)], 1.0, 8)), "████▒▒");
        assert_eq!(text(&stacked(&[(0, 0.5)], 0.0, 8)), "");
    }

    #[test]
    fn sparklines() {
        let lines = sparkline(&[0.0, 1.0, 2.0, 4.0, 8.0], 7, 1, theme::PLAIN);
        assert_eq!(text(&lines[0]), "  ▁▁▂▄█");
        let lines = sparkline(&[4.0, 8.0], 2, 2, theme::PLAIN);
        assert_eq!((text(&lines[0]), text(&lines[1])), (" █".into(), "██".into()));
        assert_eq!(text(&sparkline(&[1.0, 2.0, 3.0], 2, 1, theme::PLAIN)[0]), "▅█", "the newest stay");
    }

    #[test]
    fn whiskers() {
        assert_eq!(text(&whisker((0.2, 0.4), Some(0.3), Some(0.9), (0.0, 1.0), 11)), "··─●─····│·");
        assert_eq!(text(&whisker((0.2, 0.4), None, None, (0.0, 1.0), 11)), "··───······");
        assert_eq!(text(&whisker((0.2, 0.4), Some(0.3), None, (1.0, 1.0), 11)), "");
    }
}
