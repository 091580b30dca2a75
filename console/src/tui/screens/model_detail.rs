//! One version in full, or two side by side: metrics with intervals, the gate's comparisons, blend, data.

use std::collections::BTreeSet;

use mercer_shared::wire::{GateReport, MetricValue, ModelVersion};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::super::app::App;
use super::super::widgets::table::{Column, Table, number, text, wide};
use super::super::widgets::{field, heading, lines, span};
use super::super::{texts, theme};
use super::models::{state_span, verdict_span};

/// Columns of the labels.
const LABEL: usize = 14;
/// Columns from which on intervals have columns of their own in a comparison.
const WIDE: usize = 110;

/// Draws the selected version, or it beside the marked one.
pub(crate) fn view(app: &App, model: &ModelVersion, area: Rect, buf: &mut Buffer) {
    let all = rows(app, Some(model), usize::from(area.width));
    let first = app.models.scroll.min(all.len().saturating_sub(usize::from(area.height)));
    lines(buf, area, &all[first..]);
}

/// The rows of the detail.
pub(crate) fn rows<'a>(app: &App, model: Option<&ModelVersion>, columns: usize) -> Vec<Line<'a>> {
    let Some(model) = model else { return Vec::new() };
    let marked = app.models.marked.as_ref().filter(|marked| **marked != model.version);
    let other = marked.and_then(|marked| app.models.list.value.iter().flatten().find(|m| m.version == *marked));
    match other {
        Some(other) => side_by_side(other, model, columns),
        None => single(app, model, columns),
    }
}

fn single<'a>(app: &App, model: &ModelVersion, columns: usize) -> Vec<Line<'a>> {
    let now = app.daemon_now();
    let mut first =
        vec![span(texts::clean(&model.version), theme::STRONG), span(" ", theme::PLAIN), state_span(model.state)];
    if let Some(parent) = &model.parent {
        first.push(span(format!("  from {}", texts::clean(parent)), theme::QUIET));
    }
    if let Some(run) = &model.run {
        first.push(span(format!("  by {}", texts::clean(run)), theme::QUIET));
    }
    if let Some(promoted) = model.promoted {
        first.push(span(format!("  promoted {}", texts::ago(promoted, now)), theme::QUIET));
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
        verdict_span(gate.verdict),
        span(format!("  {}, alpha {:.3}", texts::plural(gate.users, "user", "users"), gate.alpha), theme::QUIET),
        span(gate.minimum_detectable.map(|d| format!(", could have seen {d:.4}")).unwrap_or_default(), theme::QUIET),
    ])];
    let columns_of = [
        text("", 0),
        text("against", 0),
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
            Line::from(texts::clean(&format!("{} {}", c.against, c.slice))),
            Line::from(texts::value(c.candidate)),
            Line::styled(texts::signed(c.difference), theme::STRONG),
            Line::from(format!("{} to {}", texts::signed(c.low), texts::signed(c.high))),
            Line::from(texts::p_value(c.p)),
            Line::styled(texts::count(c.n), theme::QUIET),
            Line::styled(texts::clean(&c.rule), theme::QUIET),
        ]
    });
    all.extend(Table { columns: &columns_of, rows: rows.collect(), selected: None, focused: false }.lines(columns));
    // The numbers say it shorter than the sentence, which repeats them.
    all.extend(
        texts::wrap(&texts::clean(&gate.reason), columns).into_iter().map(|line| Line::styled(line, theme::QUIET)),
    );
    all
}

fn metric_row<'a>(metric: &MetricValue) -> Line<'a> {
    let name = format!("{} {}", texts::clean(&metric.name), texts::clean(&metric.slice));
    Line::from(vec![
        span(texts::pad(&name, 24), theme::PLAIN),
        span(texts::pad_left(&texts::maybe(metric.value), 9), theme::STRONG),
        span(format!("  {}", texts::interval(metric.low, metric.high)), theme::PLAIN),
        span(format!("  n {}", texts::count(metric.n)), theme::QUIET),
    ])
}

/// Encoder, blend and data of a version.
fn origin<'a>(model: &ModelVersion, columns: usize) -> Vec<Line<'a>> {
    let short = |hash: &str| texts::clean(hash).chars().take(12).collect::<String>();
    let adapter = model
        .encoder
        .adapter
        .as_deref()
        .map_or_else(|| "untuned".to_owned(), |hash| format!("adapter {}", short(hash)));
    let mut all = vec![field(
        "Encoder",
        LABEL,
        vec![
            span(texts::clean(&model.encoder.name), theme::PLAIN),
            span(
                format!("  {} components, {adapter}, sha256 {}", model.encoder.dim, short(&model.encoder.sha256)),
                theme::QUIET,
            ),
        ],
    )];
    for (head, weights) in &model.blend {
        let mut sorted: Vec<_> = weights.iter().collect();
        sorted.sort_by(|a, b| b.1.total_cmp(a.1));
        let text: Vec<String> =
            sorted.iter().map(|(source, weight)| format!("{} {weight:.3}", texts::clean(source))).collect();
        for (n, line) in texts::wrap(&text.join(", "), columns.saturating_sub(LABEL)).into_iter().enumerate() {
            let label = if n == 0 { format!("Blend, {}", texts::clean(head)) } else { String::new() };
            all.push(field(&label, LABEL, vec![span(line, theme::PLAIN)]));
        }
    }
    let data = &model.data;
    let span_of_time = match (data.from, data.to) {
        (Some(from), Some(to)) => format!(", {} to {}", texts::date(from), texts::date(to)),
        _ => String::new(),
    };
    all.push(field(
        "Data",
        LABEL,
        vec![span(
            format!("{}{span_of_time}", texts::plural(data.interactions, "interaction", "interactions")),
            theme::PLAIN,
        )],
    ));
    if !data.consent_rule.is_empty() {
        all.push(field(
            "Consent",
            LABEL,
            vec![span(texts::cut(&texts::clean(&data.consent_rule), columns.saturating_sub(LABEL)), theme::PLAIN)],
        ));
    }
    all.push(field(
        "Made",
        LABEL,
        vec![span(
            format!(
                "{}, seed {}, by version {}, {}",
                texts::moment(model.created),
                model.seed,
                texts::clean(&model.code_version),
                texts::bytes(model.bytes)
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
            Line::styled(texts::clean(&left.version), theme::SELECTED),
            Line::styled(texts::clean(&right.version), theme::SELECTED),
        ],
        row("state", texts::word(&left.state), texts::word(&right.state)),
        row("made", texts::moment(left.created), texts::moment(right.created)),
        row("interactions", texts::count(left.data.interactions), texts::count(right.data.interactions)),
        row("gate", gate_word(left), gate_word(right)),
    ];
    let metrics = left.metrics.iter().chain(&right.metrics);
    let names: BTreeSet<(&str, &str)> = metrics.map(|m| (m.slice.as_str(), m.name.as_str())).collect();
    for (slice, name) in names {
        let find = |model: &'_ ModelVersion| model.metrics.iter().find(|m| m.slice == slice && m.name == name).cloned();
        let (a, b) = (find(left), find(right));
        let text = |m: &Option<MetricValue>| m.as_ref().map_or_else(|| "–".to_owned(), |m| beside(m, columns < WIDE));
        let mut cells = row(&texts::clean(&format!("{name} {slice}")), text(&a), text(&b));
        cells.push(match (a.as_ref().and_then(|m| m.value), b.as_ref().and_then(|m| m.value)) {
            (Some(a), Some(b)) => Line::styled(texts::signed(b - a), theme::STRONG),
            _ => Line::default(),
        });
        if columns >= WIDE {
            let interval =
                |m: &Option<MetricValue>| m.as_ref().map_or_else(String::new, |m| texts::interval(m.low, m.high));
            cells.extend([&a, &b].map(|metric| Line::styled(interval(metric), theme::QUIET)));
        }
        rows.push(cells);
    }
    let weighted = [left, right].into_iter().flat_map(|m| m.blend.iter());
    let sources: BTreeSet<(&str, &str)> =
        weighted.flat_map(|(head, weights)| weights.keys().map(|source| (head.as_str(), source.as_str()))).collect();
    for (head, source) in sources {
        let weight = |m: &ModelVersion| {
            m.blend.get(head).and_then(|w| w.get(source)).map_or_else(|| "–".to_owned(), |w| format!("{w:.3}"))
        };
        rows.push(row(&texts::clean(&format!("{source}, {head}")), weight(left), weight(right)));
    }
    let shape = [
        text(if columns < WIDE { "95 % intervals as ±" } else { "" }, 0),
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
        let text = "They were measured on different windows: the differences are no test.";
        all.extend(texts::wrap(text, columns).into_iter().map(|line| Line::styled(line, theme::WARN)));
    }
    all.push(Line::styled("esc ends the comparison", theme::QUIET));
    all
}

/// A metric's value; where there is no room for its interval in a column of its own, with the larger half of it.
fn beside(metric: &MetricValue, narrow: bool) -> String {
    let value = texts::maybe(metric.value);
    match (metric.low, metric.value, metric.high) {
        (Some(low), Some(middle), Some(high)) if narrow => {
            format!("{value} ±{}", texts::value((middle - low).max(high - middle)))
        }
        _ => value,
    }
}

fn gate_word(model: &ModelVersion) -> String {
    model.gate.as_ref().map_or_else(|| "–".to_owned(), |gate| verdict_span(gate.verdict).content.to_string())
}
