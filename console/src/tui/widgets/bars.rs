//! Bars: progress, weights, stacked parts of a score, sparklines, and intervals on a common scale.

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::tui::theme;

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

/// A part of a score.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part {
    /// The place of its source in the legend.
    pub place: usize,
    /// Its part of the score.
    pub score: f64,
}

/// The positive parts of a score side by side, scaled so that `most` takes all columns. The bar's length is the sum of the
/// parts, and every part is rounded at its own ends, so that nothing drifts.
pub(crate) fn stacked<'a>(parts: &[Part], most: f64, columns: usize) -> Line<'a> {
    if most <= 0.0 || !most.is_finite() {
        return Line::default();
    }
    let mut spans = Vec::new();
    let mut sum = 0.0;
    let mut drawn = 0;
    for part in parts.iter().filter(|part| part.score.is_finite() && part.score > 0.0) {
        sum += part.score;
        let end = (((sum / most).clamp(0.0, 1.0) * columns as f64).round() as usize).min(columns);
        let (fill, style) = theme::PARTS[part.place % theme::PARTS.len()];
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

/// An interval to be drawn, with what stands in it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Whisker {
    /// Its lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
    /// The value, where there is one.
    pub value: Option<f64>,
    /// A mark to compare with, such as a baseline; drawn if it lies on the scale.
    pub mark: Option<f64>,
}

/// A scale on which intervals are drawn.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scale {
    /// The value of the first column.
    pub from: f64,
    /// The value of the last column.
    pub to: f64,
}

impl Scale {
    /// The scale on which all of these numbers lie.
    pub(crate) fn around(numbers: impl IntoIterator<Item = f64>) -> Self {
        let finite = numbers.into_iter().filter(|v| v.is_finite());
        let start = Self { from: f64::INFINITY, to: f64::NEG_INFINITY };
        finite.fold(start, |scale, v| Self { from: scale.from.min(v), to: scale.to.max(v) })
    }

    /// The same with a share of its length free at both ends.
    pub(crate) fn with_margin(self, share: f64) -> Self {
        let margin = (self.to - self.from) * share;
        Self { from: self.from - margin, to: self.to + margin }
    }
}

/// An interval on a scale, with its value: `─●──`.
pub(crate) fn whisker<'a>(whisker: Whisker, scale: Scale, columns: usize) -> Line<'a> {
    let (Whisker { low, high, value, mark }, Scale { from, to }) = (whisker, scale);
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

    fn part(place: usize, score: f64) -> Part {
        Part { place, score }
    }

    #[test]
    fn bars() {
        assert_eq!(text(&Line::from(progress(0.5, 8))), "████────");
        assert_eq!(text(&Line::from(progress(0.001, 4))), "█───");
        assert_eq!(text(&Line::from(progress(f64::NAN, 4))), "────");
        assert_eq!(text(&Line::from(progress(7.0, 0))), "");
        assert_eq!(weight(1.0, 3).content, "███");
        assert_eq!(text(&stacked(&[part(0, 0.5), part(1, 0.25), part(2, -1.0)], 1.0, 8)), "████▒▒");
        assert_eq!(text(&stacked(&[part(0, 0.5)], 0.0, 8)), "");
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
        let whole = Whisker { low: 0.2, high: 0.4, value: Some(0.3), mark: Some(0.9) };
        let unit = Scale { from: 0.0, to: 1.0 };
        assert_eq!(text(&whisker(whole, unit, 11)), "··─●─····│·");
        assert_eq!(text(&whisker(Whisker { value: None, mark: None, ..whole }, unit, 11)), "··───······");
        assert_eq!(text(&whisker(whole, Scale { from: 1.0, to: 1.0 }, 11)), "");
        assert_eq!(text(&whisker(whole, Scale::around([]), 11)), "");
        let scale = Scale::around([0.5, f64::NAN, 0.1]).with_margin(0.25);
        assert!((scale.from - 0.0).abs() < 1e-12 && (scale.to - 0.6).abs() < 1e-12, "{scale:?}");
    }
}
