//! One version in full, or two side by side: metrics with intervals, the gate's comparisons, blend, data.

use std::collections::BTreeSet;

use mercer_shared::time::Timestamp;
use mercer_shared::wire::{GateReport, MetricValue, ModelVersion};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use crate::text;
use crate::tui::theme;
use crate::tui::widgets::draw::{field, heading, lines, span, wrapped};
use crate::tui::widgets::states::{gate_verdict, model_state};
use crate::tui::widgets::table::{Column, Table, number, wide, words};

/// Columns of the labels.
const LABEL: usize = 14;
/// Columns from which on intervals have columns of their own in a comparison.
const WIDE: usize = 110;

/// Draws a version, or it beside another one, scrolled by so many rows.
pub(crate) fn view(shown: Shown<'_>, now: Timestamp, scroll: usize, area: Rect, buf: &mut Buffer) {
    let all = rows(shown, now, usize::from(area.width));
    let first = scroll.min(all.len().saturating_sub(usize::from(area.height)));
    lines(buf, area, &all[first..]);
}

/// The subject of the detail.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shown<'a> {
    /// The selected version.
    pub version: &'a ModelVersion,
    /// The version it is compared with.
    pub marked: Option<&'a ModelVersion>,
}

/// The rows of the detail.
pub(crate) fn rows<'a>(shown: Shown<'_>, now: Timestamp, columns: usize) -> Vec<Line<'a>> {
    match shown.marked {
        Some(marked) => side_by_side(marked, shown.version, columns),
        None => single(shown.version, now, columns),
    }
}

fn single<'a>(model: &ModelVersion, now: Timestamp, columns: usize) -> Vec<Line<'a>> {
    let mut first = vec![span(text::clean(&model.version), theme::STRONG), span(" ", theme::PLAIN), model_state(model)];
    if let Some(parent) = &model.parent {
        first.push(span(format!("  from {}", text::clean(parent)), theme::QUIET));
    }
    if let Some(run) = &model.run {
        first.push(span(format!("  by {}", text::clean(run)), theme::QUIET));
    }
    if let Some(promoted) = model.promoted {
        first.push(span(format!("  promoted {}", text::ago(promoted, now)), theme::QUIET));
    }
    let mut all = vec![Line::from(first), Line::default()];
    if let Some(gate) = &model.gate {
        all.extend(gate_rows(gate, columns));
        all.push(Line::default());
    }
    if !model.metrics.is_empty() {
        all.push(heading("Measured", "95 % intervals"));
        all.extend(model.metrics.iter().map(metric_row));
        all.push(Line::default());
    }
    all.extend(origin(model, columns));
    all
}

/// Verdict, reason, then a row for each paired comparison.
fn gate_rows<'a>(gate: &GateReport, columns: usize) -> Vec<Line<'a>> {
    let mut all = vec![Line::from(vec![
        span("Gate  ", theme::STRONG),
        gate_verdict(gate.verdict),
        span(format!("  {}, alpha {:.3}", text::plural(gate.users, "user", "users"), gate.alpha), theme::QUIET),
        span(gate.minimum_detectable.map(|d| format!(", could have seen {d:.4}")).unwrap_or_default(), theme::QUIET),
    ])];
    let columns_of = [
        words("", 0),
        words("against", 0),
        number("this", 3),
        number("differs", 0),
        number("95 % interval", 1),
        number("p", 4),
        number("n", 5),
        Column { drop: 2, ..wide("asked", 8) },
    ];
    let rows = gate.comparisons.iter().map(|c| {
        let (mark, style) = if c.passed { ("✓", theme::GOOD) } else { ("✗", theme::WARN) };
        vec![
            Line::styled(mark, style),
            Line::from(text::clean(&format!("{} {}", c.against, text::slice(&c.slice)))),
            Line::from(text::value(c.candidate)),
            Line::styled(text::signed(c.difference), theme::STRONG),
            Line::from(format!("[{}, {}]", text::signed(c.low), text::signed(c.high))),
            Line::from(text::p_value(c.p)),
            Line::styled(text::count(c.n), theme::QUIET),
            Line::styled(text::clean(&c.rule), theme::QUIET),
        ]
    });
    all.extend(Table { columns: &columns_of, rows: rows.collect(), selected: None, focused: false }.lines(columns));
    // The numbers say it shorter than the sentence, which repeats them.
    all.extend(wrapped(&gate.reason, columns, theme::QUIET));
    all
}

fn metric_row<'a>(metric: &MetricValue) -> Line<'a> {
    let name = text::clean(&format!("{} {}", metric.name, text::slice(&metric.slice)));
    Line::from(vec![
        span(text::pad(&name, 24), theme::PLAIN),
        span(text::pad_left(&text::maybe(metric.value), 9), theme::STRONG),
        span(format!("  {}", text::interval(metric.low, metric.high)), theme::PLAIN),
        span(format!("  n {}", text::count(metric.n)), theme::QUIET),
    ])
}

/// Encoder, blend and data of a version.
fn origin<'a>(model: &ModelVersion, columns: usize) -> Vec<Line<'a>> {
    let short = |hash: &str| text::clean(hash).chars().take(12).collect::<String>();
    let adapter = model
        .encoder
        .adapter
        .as_deref()
        .map_or_else(|| "untuned".to_owned(), |hash| format!("adapter {}", short(hash)));
    let mut all = vec![field(
        "Encoder",
        LABEL,
        vec![
            span(text::clean(&model.encoder.name), theme::PLAIN),
            span(
                format!("  {} components, {adapter}, sha256 {}", model.encoder.dim, short(&model.encoder.sha256)),
                theme::QUIET,
            ),
        ],
    )];
    for (head, weights) in &model.blend {
        let mut sorted: Vec<_> = weights.iter().collect();
        sorted.sort_by(|a, b| b.1.total_cmp(a.1));
        let weights: Vec<String> =
            sorted.iter().map(|(source, weight)| format!("{} {weight:.3}", text::clean(source))).collect();
        for (n, line) in text::wrap(&weights.join(", "), columns.saturating_sub(LABEL)).into_iter().enumerate() {
            let label = if n == 0 { format!("Blend, {}", text::clean(&text::slice(head))) } else { String::new() };
            all.push(field(&label, LABEL, vec![span(line, theme::PLAIN)]));
        }
    }
    let data = &model.data;
    let span_of_time = match (data.from, data.to) {
        (Some(from), Some(to)) => format!(", {} to {}", text::date(from), text::date(to)),
        _ => String::new(),
    };
    all.push(field(
        "Data",
        LABEL,
        vec![span(
            format!("{}{span_of_time}", text::plural(data.interactions, "interaction", "interactions")),
            theme::PLAIN,
        )],
    ));
    if !data.consent_rule.is_empty() {
        all.push(field(
            "Consent",
            LABEL,
            vec![span(text::cut(&text::clean(&data.consent_rule), columns.saturating_sub(LABEL)), theme::PLAIN)],
        ));
    }
    all.push(field(
        "Made",
        LABEL,
        vec![span(
            format!(
                "{}, seed {}, by version {}, {}",
                text::moment(model.created),
                model.seed,
                text::clean(&model.code_version),
                text::bytes(model.bytes)
            ),
            theme::QUIET,
        )],
    ));
    all
}

/// Two versions, metric by metric, with the difference.
fn side_by_side<'a>(left: &ModelVersion, right: &ModelVersion, columns: usize) -> Vec<Line<'a>> {
    let row = |label: &str, a: String, b: String| {
        vec![Line::styled(label.to_owned(), theme::QUIET), Line::from(a), Line::from(b)]
    };
    let mut rows = vec![
        vec![
            Line::styled("Compare", theme::STRONG),
            Line::styled(text::clean(&left.version), theme::SELECTED),
            Line::styled(text::clean(&right.version), theme::SELECTED),
        ],
        row("state", text::model_state(left), text::model_state(right)),
        row("made, UTC", text::unmarked_moment(left.created), text::unmarked_moment(right.created)),
        row("interactions", text::count(left.data.interactions), text::count(right.data.interactions)),
        row("gate", gate_word(left), gate_word(right)),
    ];
    let metrics = left.metrics.iter().chain(&right.metrics);
    let names: BTreeSet<(&str, &str)> = metrics.map(|m| (m.slice.as_str(), m.name.as_str())).collect();
    for (slice, name) in names {
        let find = |model: &'_ ModelVersion| model.metrics.iter().find(|m| m.slice == slice && m.name == name).cloned();
        let (a, b) = (find(left), find(right));
        let shown = |m: &Option<MetricValue>| m.as_ref().map_or_else(|| "-".to_owned(), |m| beside(m, columns < WIDE));
        let mut cells = row(&text::clean(&format!("{name} {}", text::slice(slice))), shown(&a), shown(&b));
        cells.push(match (a.as_ref().and_then(|m| m.value), b.as_ref().and_then(|m| m.value)) {
            (Some(a), Some(b)) => Line::styled(text::signed(b - a), theme::STRONG),
            _ => Line::default(),
        });
        if columns >= WIDE {
            let interval =
                |m: &Option<MetricValue>| m.as_ref().map_or_else(String::new, |m| text::interval(m.low, m.high));
            cells.extend([&a, &b].map(|metric| Line::styled(interval(metric), theme::QUIET)));
        }
        rows.push(cells);
    }
    let weighted = [left, right].into_iter().flat_map(|m| m.blend.iter());
    let sources: BTreeSet<(&str, &str)> =
        weighted.flat_map(|(head, weights)| weights.keys().map(|source| (head.as_str(), source.as_str()))).collect();
    for (head, source) in sources {
        let weight = |m: &ModelVersion| {
            m.blend.get(head).and_then(|w| w.get(source)).map_or_else(|| "-".to_owned(), |w| format!("{w:.3}"))
        };
        rows.push(row(&text::clean(&format!("{source}, {}", text::slice(head))), weight(left), weight(right)));
    }
    let shape = [
        words(if columns < WIDE { "95 % intervals as ±" } else { "" }, 0),
        number("", 0),
        number("", 0),
        number("difference", 0),
        number("95 % of the first", 2),
        number("95 % of the second", 2),
    ];
    let shape = if columns < WIDE { &shape[..4] } else { &shape[..] };
    let mut all = Table { columns: shape, rows, selected: None, focused: false }.lines(columns);
    all.push(Line::default());
    let window = |m: &ModelVersion| m.gate.as_ref().map(|gate| (gate.from, gate.to));
    if window(left) != window(right) {
        let warning = "They were measured on different windows: the differences are no test.";
        all.extend(wrapped(warning, columns, theme::WARN));
    }
    all.push(Line::styled("esc ends the comparison", theme::QUIET));
    all
}

/// A metric's value; where there is no room for its interval in a column of its own, with the larger half of it.
fn beside(metric: &MetricValue, narrow: bool) -> String {
    let value = text::maybe(metric.value);
    match (metric.low, metric.value, metric.high) {
        (Some(low), Some(middle), Some(high)) if narrow => {
            format!("{value} ±{}", text::value((middle - low).max(high - middle)))
        }
        _ => value,
    }
}

fn gate_word(model: &ModelVersion) -> String {
    model.gate.as_ref().map_or_else(|| "-".to_owned(), |gate| gate_verdict(gate.verdict).content.to_string())
}
