//! Screen 6: the reports on the serving version: value, interval, n, baseline, verdict, and the formula on request (METRICS.md sections
//! 3, 4 and 10).

use mercer_shared::wire::{GroupFinding, GroupTable, ItemTable, Report, ReportKind, ReportRow, Verdict};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::text;
use crate::tui::ask::{Ask, Reply};
use crate::tui::command::{Action, Command, NEXT_TAB, OPEN, PREVIOUS_TAB};
use crate::tui::context::Context;
use crate::tui::pane::content;
use crate::tui::remote::Remote;
use crate::tui::screen::{About, Screen};
use crate::tui::screens::report_explanations::{explain, explain_kind};
use crate::tui::screens::report_rows::{Row, rows};
use crate::tui::theme;
use crate::tui::widgets::bars::{Scale, Whisker, whisker};
use crate::tui::widgets::draw::{put, say, span};
use crate::tui::widgets::split::{split_bottom, split_top};
use crate::tui::widgets::states::report_verdict;
use crate::tui::widgets::table::{Column, Table, label, number, words};

const ABOUT: About = About {
    title: "Reports",
    name: "reports",
    help: "Quality, diversity, fairness, privacy and data",
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

/// The reports, each with a tab.
const SHOWN: [ReportKind; 5] = ReportKind::ALL;
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
                let row = report.and_then(|report| rows(report).get(self.selected).copied());
                // A report that is still computed has no rows, but what it measures can be read.
                context.open(row.map_or_else(|| explain_kind(SHOWN[self.tab]), explain));
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
        if let Some(warning) = self.mixed() {
            put(buf, head, 1, &Line::styled(warning, theme::WARN));
        }
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

    /// Says which reports are of another version or window than the shown one: side by side they compare nothing.
    fn mixed(&self) -> Option<String> {
        let shown = self.reports[self.tab].value.as_ref()?;
        let others = self.reports.iter().filter_map(|report| report.value.as_ref());
        let names: Vec<String> = others
            .filter(|report| differ(shown, report))
            .map(|report| format!("{} is of {}", report.kind.as_str(), text::clean(&report.model)))
            .collect();
        (!names.is_empty()).then(|| format!("other version or window: {}; r asks again", names.join(", ")))
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
            title.push(span(format!("{}, n {n}{window}", text::clean(&report.model)), theme::QUIET));
        }
        if shown.loading {
            title.push(span("  computing", theme::WARN));
        }
        Line::from(title)
    }
}

/// Whether two reports are of different versions or windows. The report on data is of the log, whatever version serves, and its window
/// is the whole log; that on privacy has no window.
fn differ(one: &Report, other: &Report) -> bool {
    let of_the_log = |report: &Report| report.kind == ReportKind::Data;
    let windowed = |report: &Report| report.kind != ReportKind::Privacy;
    if of_the_log(one) || of_the_log(other) {
        return false;
    }
    one.model != other.model || (windowed(one) && windowed(other) && (one.from, one.to) != (other.from, other.to))
}

fn table(report: &Report, selected: usize, area: Rect, buf: &mut Buffer) {
    // What a number is compared with: the gap that chance makes, the popular items, or what the formula says.
    let baseline = match report.kind {
        ReportKind::Fairness => "noise floor",
        ReportKind::Quality | ReportKind::Diversity => "popular",
        ReportKind::Privacy | ReportKind::Data => "baseline",
    };
    let columns = [
        label("number", 22),
        number("value", 0),
        number("95 % interval", 1),
        Column { min: WHISKER, ..words("", 5) },
        number("n", 4),
        number(baseline, 3),
        words("verdict", 2),
    ];
    let rows: Vec<_> = rows(report)
        .into_iter()
        .map(|row| match row {
            Row::Head(title) => vec![Line::styled(title, theme::STRONG)],
            Row::Number(row) => number_row(row, report.unreliable),
            Row::Table(table) => table_row(table),
            Row::Group(table, n) => group_row(table, n),
            Row::Items(table) => items_row(table),
            Row::ItemGroup(table, n) => item_group_row(table, n),
        })
        .collect();
    let selected = Some(selected.min(rows.len().saturating_sub(1)));
    Table { columns: &columns, rows, selected, focused: true }.draw(area, buf);
}

/// The heading of a table of groups: what is compared, and what came of it.
fn table_row<'a>(table: &GroupTable) -> Vec<Line<'a>> {
    let mut heading = vec![span(text::clean(&format!("{} by {}", table.metric, table.attribute)), theme::STRONG)];
    let gap = table.gap.map_or_else(|| "-".to_owned(), text::value);
    heading.push(span(format!("gap {gap}"), theme::PLAIN));
    heading.extend(table.noise_floor.map(|floor| span(format!("noise {}", text::value(floor)), theme::QUIET)));
    heading.extend(table.p_holm.map(|p| span(format!("p {} (Holm)", text::p_value(p)), theme::QUIET)));
    heading.push(report_verdict(table.verdict));
    vec![Line::from(heading)]
}

/// A number; grey where number 12 says that the others do not carry far.
fn number_row<'a>(row: &ReportRow, unreliable: bool) -> Vec<Line<'a>> {
    let grey = unreliable && row.number != Some(12);
    let drawn = match (row.low, row.value, row.high) {
        (Some(low), Some(value), Some(high)) => {
            let scale = Scale::around([low, high, row.baseline.unwrap_or(value)]).with_margin(MARGIN);
            whisker(Whisker { low, high, value: Some(value), mark: row.baseline }, scale, WHISKER)
        }
        _ => Line::default(),
    };
    let value = match &row.undefined {
        Some(_) => Line::styled("undefined", theme::QUIET),
        None => Line::styled(text::maybe(row.value), if grey { theme::QUIET } else { theme::STRONG }),
    };
    let number = row.number.map(|number| format!("{number:>2} ")).unwrap_or_default();
    vec![
        Line::styled(format!("{number}{}", text::clean(&row.label)), if grey { theme::QUIET } else { theme::PLAIN }),
        value,
        Line::from(text::interval(row.low, row.high)),
        drawn,
        Line::styled(text::count(row.n), theme::QUIET),
        Line::from(row.baseline.map(text::value).unwrap_or_default()),
        verdict_line(row),
    ]
}

/// The verdict, and a change against the version before.
fn verdict_line<'a>(row: &ReportRow) -> Line<'a> {
    let change = row.previous.as_ref().and_then(|previous| previous.verdict);
    let change = change.filter(|verdict| matches!(verdict, Verdict::HigherThanBefore | Verdict::LowerThanBefore));
    let mut spans: Vec<Span<'_>> = Vec::new();
    for verdict in row.verdict.into_iter().chain(change) {
        if !spans.is_empty() {
            spans.push(span(", ", theme::QUIET));
        }
        spans.push(report_verdict(verdict));
    }
    Line::from(spans)
}

fn items_row<'a>(table: &ItemTable) -> Vec<Line<'a>> {
    let top = table.top.as_deref().map_or_else(|| "-".to_owned(), text::clean);
    let share = table.top_share.map_or_else(|| "-".to_owned(), text::percent);
    let title = format!("Merit ratio by {}", text::clean(&table.by.replace('_', " ")));
    vec![Line::from(vec![span(title, theme::STRONG), span(format!("{share} of the exposure: {top}"), theme::QUIET)])]
}

fn item_group_row<'a>(table: &ItemTable, n: usize) -> Vec<Line<'a>> {
    let row = &table.groups[n];
    let scale = Scale::around(table.groups.iter().flat_map(|group| [group.low, group.high]).flatten());
    let drawn = match (row.low, row.high) {
        (Some(low), Some(high)) => {
            whisker(Whisker { low, high, value: row.merit_ratio, mark: Some(1.0) }, scale, WHISKER)
        }
        _ => Line::default(),
    };
    vec![
        Line::from(format!("  {}", text::clean(&row.group))),
        Line::from(text::maybe(row.merit_ratio)),
        Line::from(text::interval(row.low, row.high)),
        drawn,
        Line::styled(row.relevant.map(text::count).unwrap_or_default(), theme::QUIET),
        Line::default(),
        Line::from(report_verdict(row.verdict)),
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
        Line::from(if row.suppressed { "suppressed".to_owned() } else { text::maybe(row.mean) }),
        Line::from(if row.suppressed { String::new() } else { text::interval(row.low, row.high) }),
        drawn,
        Line::styled(row.n.filter(|_| !row.suppressed).map(text::count).unwrap_or_default(), theme::QUIET),
        Line::default(),
        match row.finding {
            GroupFinding::Below => Line::styled(if worst { "served worst" } else { "below the others" }, theme::WARN),
            _ if worst => Line::styled("lowest", theme::QUIET),
            GroupFinding::Above => Line::styled("above the others", theme::QUIET),
            _ if row.compared == Some(false) => Line::styled("not compared", theme::QUIET),
            _ => Line::default(),
        },
    ]
}
