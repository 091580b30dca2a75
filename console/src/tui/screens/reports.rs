//! Screen 6: quality, diversity and fairness of the serving version: value, interval, n, baseline, verdict, and the
//! formula on request (METRICS.md sections 3, 4 and 10).

use mercer_shared::wire::{GroupTable, Report, ReportKind, ReportRow, Verdict};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::super::app::{App, Effect, Overlay, Remote, moved};
use super::super::asks::Ask;
use super::super::commands::Action;
use super::super::widgets::table::{Column, Table, number, text, wide};
use super::super::widgets::{bars, content, put, say, span, split_bottom, split_top};
use super::super::{texts, theme};

/// Columns of the drawn intervals.
const WHISKER: usize = 24;

/// The state of the screen.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// The report that is shown, as its place in [`ReportKind::ALL`].
    pub tab: usize,
    /// The reports, in the order of [`ReportKind::ALL`].
    pub reports: [Remote<Box<Report>>; 3],
    /// The selected row.
    pub selected: usize,
}

impl State {
    /// The kind that is shown.
    pub(crate) fn kind(&self) -> ReportKind {
        ReportKind::ALL[self.tab % ReportKind::ALL.len()]
    }

    /// The report of a kind.
    pub(crate) fn of(&mut self, kind: ReportKind) -> &mut Remote<Box<Report>> {
        let place = ReportKind::ALL.iter().position(|k| *k == kind).unwrap_or(0);
        &mut self.reports[place]
    }

    fn shown(&self) -> &Remote<Box<Report>> {
        &self.reports[self.tab % self.reports.len()]
    }
}

/// Asks for the report that is shown.
pub(crate) fn load(app: &mut App) -> Vec<Effect> {
    let kind = app.reports.kind();
    vec![app.reports.of(kind).ask(Ask::Report(kind))]
}

/// One row of the screen: a number of the report, or a group with its table.
enum Row<'a> {
    Number(&'a ReportRow),
    Table(&'a GroupTable),
    Group(&'a GroupTable, usize),
}

fn rows(report: &Report) -> Vec<Row<'_>> {
    let mut rows: Vec<Row<'_>> = report.rows.iter().map(Row::Number).collect();
    for table in &report.groups {
        rows.push(Row::Table(table));
        rows.extend((0..table.groups.len()).map(|n| Row::Group(table, n)));
    }
    rows
}

/// Lets a command act.
pub(crate) fn act(app: &mut App, action: Action) -> Vec<Effect> {
    let page = app.page();
    let kinds = ReportKind::ALL.len();
    let state = &mut app.reports;
    match action {
        Action::NextTab | Action::Right | Action::PreviousTab | Action::Left => {
            let step = if matches!(action, Action::NextTab | Action::Right) { 1 } else { kinds - 1 };
            state.tab = (state.tab + step) % kinds;
            state.selected = 0;
            // A report takes the daemon a while: what is there already is shown, and `r` asks again.
            if state.shown().value.is_none() { load(app) } else { Vec::new() }
        }
        Action::Formula | Action::Open => {
            let row = state.shown().value.as_ref().and_then(|report| explain(report, state.selected));
            match row {
                Some((title, paragraphs)) => app.overlay = Overlay::Text { title, paragraphs },
                None if action == Action::Formula => app.overlay = Overlay::Help(0),
                None => {}
            }
            Vec::new()
        }
        action => {
            let len = state.shown().value.as_ref().map_or(0, |report| rows(report).len());
            state.selected = moved(state.selected, action, len, page).unwrap_or(state.selected);
            Vec::new()
        }
    }
}

/// Formula and convention of a row, in words.
fn explain(report: &Report, selected: usize) -> Option<(String, Vec<String>)> {
    Some(match rows(report).get(selected)? {
        Row::Number(row) => {
            let mut paragraphs = vec![row.formula.clone()];
            match (&row.undefined, row.value) {
                (Some(reason), _) => paragraphs.push(format!("It has no value: {reason}")),
                (None, Some(value)) => {
                    let interval = texts::interval(row.low, row.high);
                    paragraphs.push(format!(
                        "{} ({interval}) over {}, {}.",
                        texts::value(value),
                        texts::count(row.n),
                        row.name
                    ));
                }
                (None, None) => {}
            }
            if let Some(baseline) = row.baseline {
                paragraphs.push(format!("Recommending what is popular has {}.", texts::value(baseline)));
            }
            (row.label.clone(), paragraphs)
        }
        Row::Table(table) | Row::Group(table, _) => {
            let gap = match (table.gap, table.noise_floor) {
                (Some(gap), Some(floor)) => format!(
                    "The largest difference between groups is {}; where groups do not differ, chance alone makes up to {} in 95 of 100 cases.",
                    texts::value(gap),
                    texts::value(floor)
                ),
                _ => "No two groups are large enough to be compared.".to_owned(),
            };
            let mut paragraphs = vec![gap];
            if let Some(p) = table.p {
                let holm = table
                    .p_holm
                    .map(|p| format!(", {} after Holm over all attributes", texts::p_value(p)))
                    .unwrap_or_default();
                paragraphs.push(format!("Permutation p {}{holm}.", texts::p_value(p)));
            }
            paragraphs.push(
                "Groups are declared by the shoppers, never inferred. Of 10 to 99 shoppers only the interval is shown, and they do not count for the largest difference; fewer than 10 are not shown."
                    .to_owned(),
            );
            (format!("{} by {}", table.metric, table.attribute), paragraphs)
        }
    })
}

/// A verdict with its colour.
fn verdict<'a>(verdict: Verdict) -> Span<'a> {
    let style = match verdict {
        Verdict::AboveNoise => theme::WARN,
        Verdict::WithinNoise => theme::GOOD,
        _ => theme::QUIET,
    };
    span(texts::word(&verdict), style)
}

/// Draws it.
pub(crate) fn view(app: &App, area: Rect, buf: &mut Buffer) {
    let state = &app.reports;
    let (head, rest) = split_top(area, 2);
    let mut title: Vec<Span<'_>> = Vec::new();
    for (n, kind) in ReportKind::ALL.iter().enumerate() {
        let mut name = kind.as_str().to_owned();
        name[..1].make_ascii_uppercase();
        title.push(span(name, if n == state.tab { theme::SELECTED } else { theme::QUIET }));
        title.push(span("  ", theme::PLAIN));
    }
    let shown = state.shown();
    if let Some(report) = &shown.value {
        let window = match (report.from, report.to) {
            (Some(from), Some(to)) => format!(", {} to {}", texts::date(from), texts::date(to)),
            _ => String::new(),
        };
        title.push(span(
            format!(" {}, {}{window}", texts::clean(&report.model), texts::plural(report.users, "user", "users")),
            theme::QUIET,
        ));
    }
    if shown.loading {
        title.push(span("  computing", theme::WARN));
    }
    put(buf, head, 0, &Line::from(title));
    let Some(report) = content(app, shown, rest, buf, "the report") else { return };
    if rows(report).is_empty() {
        let why = report.notes.first().map_or("The report has no numbers", String::as_str);
        return say(buf, rest, why, "It needs later interactions of shoppers the model knows; 4 trains, then r");
    }
    let foot = report.notes.len().min(2);
    let (rest, notes) = split_bottom(rest, u16::try_from(foot).unwrap_or(0));
    for (row, note) in report.notes.iter().take(foot).enumerate() {
        put(buf, notes, row, &Line::styled(texts::cut(&texts::clean(note), usize::from(notes.width)), theme::QUIET));
    }
    table(report, state.selected, rest, buf);
}

fn table(report: &Report, selected: usize, area: Rect, buf: &mut Buffer) {
    // What a number is held against: the popular items, or the gap that chance makes.
    let baseline = if report.kind == ReportKind::Fairness { "noise floor" } else { "popular" };
    let columns = [
        wide("number", 22),
        number("value", 0),
        number("95 % interval", 1),
        Column { title: "", right: false, min: WHISKER, grows: false, drop: 5 },
        number("n", 4),
        number(baseline, 3),
        text("verdict", 2),
    ];
    let rows = rows(report).into_iter().map(|row| match row {
        Row::Number(row) => numbers(row),
        Row::Table(table) => vec![
            Line::styled(texts::clean(&format!("{} by {}", table.metric, table.attribute)), theme::STRONG),
            Line::from(table.gap.map_or_else(|| "–".to_owned(), |gap| format!("gap {}", texts::value(gap)))),
            Line::styled(
                table.noise_floor.map_or_else(String::new, |floor| format!("noise {}", texts::value(floor))),
                theme::QUIET,
            ),
            Line::styled(
                table.p_holm.map_or_else(String::new, |p| format!("p {} (Holm)", texts::p_value(p))),
                theme::QUIET,
            ),
            Line::default(),
            Line::default(),
            Line::from(verdict(table.verdict)),
        ],
        Row::Group(table, n) => group(table, n),
    });
    let rows: Vec<_> = rows.collect();
    let selected = Some(selected.min(rows.len().saturating_sub(1)));
    Table { columns: &columns, rows, selected, focused: true }.draw(area, buf);
}

fn numbers<'a>(row: &ReportRow) -> Vec<Line<'a>> {
    let drawn = match (row.low, row.value, row.high) {
        (Some(low), Some(value), Some(high)) => {
            let ends = [low, high, row.baseline.unwrap_or(value)];
            let (least, most) =
                ends.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(*v), b.max(*v)));
            let margin = (most - least) * 0.1;
            bars::whisker((low, high), Some(value), row.baseline, (least - margin, most + margin), WHISKER)
        }
        _ => Line::default(),
    };
    let value = match (&row.undefined, row.value) {
        (Some(_), _) => Line::styled("undefined", theme::QUIET),
        (None, value) => Line::styled(texts::maybe(value), theme::STRONG),
    };
    vec![
        Line::from(texts::clean(&row.label)),
        value,
        Line::from(texts::interval(row.low, row.high)),
        drawn,
        Line::styled(texts::count(row.n), theme::QUIET),
        Line::from(row.baseline.map(texts::value).unwrap_or_default()),
        row.verdict.map_or_else(Line::default, |word| Line::from(verdict(word))),
    ]
}

fn group<'a>(table: &GroupTable, n: usize) -> Vec<Line<'a>> {
    let row = &table.groups[n];
    // All groups of an attribute share one scale, so that their intervals can be compared by eye.
    let ends = table.groups.iter().flat_map(|g| [g.low, g.high]).flatten().filter(|v| v.is_finite());
    let scale = ends.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(v), b.max(v)));
    let drawn = match (row.low, row.high) {
        (Some(low), Some(high)) => bars::whisker((low, high), row.mean, None, scale, WHISKER),
        _ => Line::default(),
    };
    let worst = table.worst.as_ref() == Some(&row.group);
    let name = if row.group.is_empty() { "(none)".to_owned() } else { texts::clean(&row.group) };
    vec![
        Line::from(format!("  {name}")),
        Line::from(if row.suppressed { "too few".to_owned() } else { texts::maybe(row.mean) }),
        Line::from(if row.suppressed { String::new() } else { texts::interval(row.low, row.high) }),
        drawn,
        Line::styled(texts::count(row.n), theme::QUIET),
        Line::default(),
        if worst { Line::styled("served worst", theme::QUIET) } else { Line::default() },
    ]
}
