//! Screen 6: quality, diversity and fairness of the serving version: value, interval, n, baseline, verdict, and the
//! formula on request (METRICS.md sections 3, 4 and 10).

use mercer_shared::wire::{GroupTable, Report, ReportKind, ReportRow};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::text;
use crate::tui::ask::{Ask, Reply};
use crate::tui::command::{Action, Command, NEXT_TAB, OPEN, PREVIOUS_TAB};
use crate::tui::context::Context;
use crate::tui::overlays::explanation::Explanation;
use crate::tui::pane::content;
use crate::tui::remote::Remote;
use crate::tui::screen::{About, Screen};
use crate::tui::theme;
use crate::tui::widgets::bars::{Scale, Whisker, whisker};
use crate::tui::widgets::draw::{put, say, span};
use crate::tui::widgets::split::{split_bottom, split_top};
use crate::tui::widgets::states::report_verdict;
use crate::tui::widgets::table::{Column, Table, number, wide, words};

const ABOUT: About = About {
    title: "Reports",
    name: "reports",
    help: "Quality, diversity and fairness",
    lists: true,
    commands: &[
        Command::new(
            Action::Formula,
            "formula",
            &["f", "?"],
            "Show formula and convention of the selected number; ? again shows the keys",
        )
        .footer("formula"),
        OPEN,
        NEXT_TAB,
        PREVIOUS_TAB,
    ],
};

/// The reports that have a tab. The others are read on the command line.
const SHOWN: [ReportKind; 3] = [ReportKind::Quality, ReportKind::Diversity, ReportKind::Fairness];
/// Columns of the drawn intervals.
const WHISKER: usize = 24;
/// Share of a scale that stays free at its ends.
const MARGIN: f64 = 0.1;
/// Most notes shown below a report.
const NOTES: usize = 2;

/// The screen.
#[derive(Debug, Default)]
pub(crate) struct Reports {
    /// The report that is shown, as its place in [`SHOWN`].
    tab: usize,
    /// The reports, in the order of [`SHOWN`].
    reports: [Remote<Box<Report>>; SHOWN.len()],
    /// The selected row.
    selected: usize,
}

/// One row of the screen: a number of the report, a table of groups, or a group of one.
#[derive(Debug, Clone, Copy)]
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

impl Screen for Reports {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn load(&mut self, context: &mut Context) {
        context.ask(&mut self.reports[self.tab], Ask::Report(SHOWN[self.tab]));
    }

    fn act(&mut self, action: Action, _argument: Option<String>, context: &mut Context) {
        match action {
            Action::NextTab | Action::Right => self.turn(1, context),
            Action::PreviousTab | Action::Left => self.turn(self.reports.len() - 1, context),
            Action::Formula | Action::Open => {
                let report = self.reports[self.tab].value.as_deref();
                if let Some(row) = report.and_then(|report| rows(report).get(self.selected).copied()) {
                    context.open(explain(row));
                }
            }
            action => {
                let len = self.reports[self.tab].value.as_ref().map_or(0, |report| rows(report).len());
                self.selected = action.moved(self.selected, len, context.page()).unwrap_or(self.selected);
            }
        }
    }

    fn reply(&mut self, reply: Reply, _context: &mut Context) -> Option<Reply> {
        let Ask::Report(kind) = reply.ask else { return Some(reply) };
        if let Some(place) = SHOWN.iter().position(|known| *known == kind) {
            self.reports[place].take(reply.result);
        }
        None
    }

    fn view(&self, context: &Context, area: Rect, buf: &mut Buffer) {
        let (head, rest) = split_top(area, 2);
        put(buf, head, 0, &self.title());
        let Some(report) = content(context, &self.reports[self.tab], "report", rest, buf) else { return };
        if rows(report).is_empty() {
            let why = report.notes.first().map_or("The report has no numbers", String::as_str);
            let next = "It needs later interactions of shoppers whom the model knows; 4 trains, then r";
            return say(buf, rest, why, next);
        }
        let notes: Vec<_> = report.notes.iter().take(NOTES).collect();
        let (rest, foot) = split_bottom(rest, u16::try_from(notes.len()).unwrap_or(0));
        for (row, note) in notes.into_iter().enumerate() {
            let note = text::cut(&text::clean(note), usize::from(foot.width));
            put(buf, foot, row, &Line::styled(note, theme::QUIET));
        }
        table(report, self.selected, rest, buf);
    }
}

impl Reports {
    /// Turns to another report. A report takes the daemon a while: what is there already is shown, and `r` asks again.
    fn turn(&mut self, by: usize, context: &mut Context) {
        self.tab = (self.tab + by) % self.reports.len();
        self.selected = 0;
        if self.reports[self.tab].value.is_none() {
            self.load(context);
        }
    }

    /// The kinds of reports, and what the shown one was computed from.
    fn title<'a>(&self) -> Line<'a> {
        let mut title: Vec<Span<'_>> = Vec::new();
        for (n, kind) in SHOWN.iter().enumerate() {
            let mut name = kind.as_str().to_owned();
            name[..1].make_ascii_uppercase();
            title.push(span(name, if n == self.tab { theme::SELECTED } else { theme::QUIET }));
            title.push(span("  ", theme::PLAIN));
        }
        let shown = &self.reports[self.tab];
        if let Some(report) = &shown.value {
            let window = match (report.from, report.to) {
                (Some(from), Some(to)) => format!(", {} to {}", text::date(from), text::date(to)),
                _ => String::new(),
            };
            let n = text::count(report.users);
            title.push(span(format!(" {}, n {n}{window}", text::clean(&report.model)), theme::QUIET));
        }
        if shown.loading {
            title.push(span("  computing", theme::WARN));
        }
        Line::from(title)
    }
}

/// Formula and convention of a row, in words.
fn explain(row: Row<'_>) -> Explanation {
    match row {
        Row::Number(row) => explain_number(row),
        Row::Table(table) | Row::Group(table, _) => explain_groups(table),
    }
}

fn explain_number(row: &ReportRow) -> Explanation {
    let mut paragraphs = vec![row.formula.clone()];
    match (&row.undefined, row.value) {
        (Some(reason), _) => paragraphs.push(format!("It has no value: {reason}")),
        (None, Some(value)) => paragraphs.push(format!(
            "{} {} over {}, {}.",
            text::value(value),
            text::interval(row.low, row.high),
            text::count(row.n),
            row.name
        )),
        (None, None) => {}
    }
    if let Some(baseline) = row.baseline {
        paragraphs.push(format!("Recommending popular items has {}.", text::value(baseline)));
    }
    Explanation { title: row.label.clone(), paragraphs }
}

fn explain_groups(table: &GroupTable) -> Explanation {
    let gap = match (table.gap, table.noise_floor) {
        (Some(gap), Some(floor)) => format!(
            "The largest difference between groups is {}; where groups do not differ, chance alone makes up to {} in 95 of 100 cases.",
            text::value(gap),
            text::value(floor)
        ),
        _ => "No two groups are large enough to be compared.".to_owned(),
    };
    let mut paragraphs = vec![gap];
    if let Some(p) = table.p {
        let holm = table.p_holm.map(|p| format!(", {} after Holm over all attributes", text::p_value(p)));
        paragraphs.push(format!("Permutation p {}{}.", text::p_value(p), holm.unwrap_or_default()));
    }
    paragraphs.push(
        "Groups are declared by the shoppers, never inferred. Of 10 to 99 shoppers only the interval is shown, and they do not count for the largest difference; fewer than 10 are not shown."
            .to_owned(),
    );
    Explanation { title: format!("{} by {}", table.metric, table.attribute), paragraphs }
}

fn table(report: &Report, selected: usize, area: Rect, buf: &mut Buffer) {
    // What a number is compared with: the popular items, or the gap that chance makes.
    let baseline = if report.kind == ReportKind::Fairness { "noise floor" } else { "popular" };
    let columns = [
        wide("number", 22),
        number("value", 0),
        number("95 % interval", 1),
        Column { title: "", right: false, min: WHISKER, grows: false, drop: 5 },
        number("n", 4),
        number(baseline, 3),
        words("verdict", 2),
    ];
    let rows: Vec<_> = rows(report)
        .into_iter()
        .map(|row| match row {
            Row::Number(row) => number_row(row),
            Row::Table(table) => table_row(table),
            Row::Group(table, n) => group_row(table, n),
        })
        .collect();
    let selected = Some(selected.min(rows.len().saturating_sub(1)));
    Table { columns: &columns, rows, selected, focused: true }.draw(area, buf);
}

fn table_row<'a>(table: &GroupTable) -> Vec<Line<'a>> {
    let quiet = |text: Option<String>| Line::styled(text.unwrap_or_default(), theme::QUIET);
    vec![
        Line::styled(text::clean(&format!("{} by {}", table.metric, table.attribute)), theme::STRONG),
        Line::from(table.gap.map_or_else(|| "-".to_owned(), |gap| format!("gap {}", text::value(gap)))),
        quiet(table.noise_floor.map(|floor| format!("noise {}", text::value(floor)))),
        quiet(table.p_holm.map(|p| format!("p {} (Holm)", text::p_value(p)))),
        Line::default(),
        Line::default(),
        Line::from(report_verdict(table.verdict)),
    ]
}

fn number_row<'a>(row: &ReportRow) -> Vec<Line<'a>> {
    let drawn = match (row.low, row.value, row.high) {
        (Some(low), Some(value), Some(high)) => {
            let scale = Scale::around([low, high, row.baseline.unwrap_or(value)]).with_margin(MARGIN);
            whisker(Whisker { low, high, value: Some(value), mark: row.baseline }, scale, WHISKER)
        }
        _ => Line::default(),
    };
    let value = match &row.undefined {
        Some(_) => Line::styled("undefined", theme::QUIET),
        None => Line::styled(text::maybe(row.value), theme::STRONG),
    };
    vec![
        Line::from(text::clean(&row.label)),
        value,
        Line::from(text::interval(row.low, row.high)),
        drawn,
        Line::styled(text::count(row.n), theme::QUIET),
        Line::from(row.baseline.map(text::value).unwrap_or_default()),
        row.verdict.map_or_else(Line::default, |verdict| Line::from(report_verdict(verdict))),
    ]
}

fn group_row<'a>(table: &GroupTable, n: usize) -> Vec<Line<'a>> {
    let row = &table.groups[n];
    // All groups of an attribute share one scale, so that their intervals can be compared by eye.
    let scale = Scale::around(table.groups.iter().flat_map(|group| [group.low, group.high]).flatten());
    let drawn = match (row.low, row.high) {
        (Some(low), Some(high)) => whisker(Whisker { low, high, value: row.mean, mark: None }, scale, WHISKER),
        _ => Line::default(),
    };
    let worst = table.worst.as_ref() == Some(&row.group);
    let name = if row.group.is_empty() { "(none)".to_owned() } else { text::clean(&row.group) };
    vec![
        Line::from(format!("  {name}")),
        Line::from(if row.suppressed { "too few".to_owned() } else { text::maybe(row.mean) }),
        Line::from(if row.suppressed { String::new() } else { text::interval(row.low, row.high) }),
        drawn,
        Line::styled(text::count(row.n), theme::QUIET),
        Line::default(),
        if worst { Line::styled("served worst", theme::QUIET) } else { Line::default() },
    ]
}
