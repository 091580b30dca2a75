//! Formula and convention of the numbers of a report, in words.

use mercer_shared::wire::{GroupTable, ItemTable, ReportKind, ReportRow};
use ratatui::text::{Line, Span};

use crate::text;
use crate::tui::overlays::explanation::Explanation;
use crate::tui::screens::report_rows::Row;
use crate::tui::theme;
use crate::tui::widgets::bars::{Scale, Whisker, whisker};

/// Columns of the moment of a report, to the minute.
const COMPUTED: usize = 16;
/// Most columns of a version.
const VERSION: usize = 12;
/// Columns of the scale on which earlier values stand.
const TREND: usize = 24;

/// Formula and convention of a row, in words.
pub(super) fn explain(row: Row<'_>) -> Explanation {
    match row {
        Row::Number(row) => explain_number(row),
        Row::Table(table) | Row::Group(table, _) => explain_groups(table),
        Row::Items(table) | Row::ItemGroup(table, _) => explain_items(table),
        Row::Head(title) => Explanation {
            title: title.to_owned(),
            paragraphs: vec![
                "Each number has a value, an interval, the number of shoppers it rests on, a baseline and a verdict. If number 12, the health of the report, is unhealthy, the others are grey.".to_owned(),
            ],
            ..Explanation::default()
        },
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
        let noise = row.name.starts_with("gap/") || row.name == "heavy-minus-new";
        let what = if noise { "Chance alone makes up to" } else { "Recommending popular items has" };
        paragraphs.push(format!("{what} {}.", text::value(baseline)));
    }
    if let Some(reference) = &row.reference {
        paragraphs.push(format!("To read it against: {}, {}.", reference.label, text::value(reference.value)));
    }
    if let Some(previous) = &row.previous {
        let window =
            if previous.same_window { "on the same window" } else { "on another window, so the two are no comparison" };
        paragraphs.push(format!("{} had {} {window}.", previous.model, text::value(previous.value)));
    }
    Explanation { title: row.label.clone(), paragraphs, lines: trend_lines(row), ..Explanation::default() }
}

/// The number in earlier reports, a line each: date and version on the left, the value on a common scale. Time runs downwards.
fn trend_lines(row: &ReportRow) -> Vec<Line<'static>> {
    if row.trend.len() < 2 {
        return Vec::new();
    }
    let scale = Scale::around(row.trend.iter().map(|point| point.value));
    let version = row.trend.iter().map(|point| text::width(&text::clean(&point.model))).max().unwrap_or(0);
    let version = version.clamp("version".len(), VERSION);
    let value = row.trend.iter().map(|point| text::width(&text::value(point.value))).max().unwrap_or(0);
    let ends = format!("{} to {}", text::value(scale.from), text::value(scale.to));
    let head = format!(
        "{}  {}  {}  {ends}",
        text::pad("computed, UTC", COMPUTED),
        text::pad("version", version),
        text::pad_left("value", value.max("value".len()))
    );
    let points = row.trend.iter().map(|point| {
        let at = text::unmarked_moment(point.created).chars().take(COMPUTED).collect::<String>();
        let model = text::pad(&text::clean(&point.model), version);
        let shown = text::pad_left(&text::value(point.value), value.max("value".len()));
        let mut line = Line::from(vec![
            Span::styled(format!("{at}  {model}  "), theme::QUIET),
            Span::styled(shown, theme::STRONG),
            Span::raw("  "),
        ]);
        let (low, high) = (point.value, point.value);
        line.spans.extend(whisker(Whisker { low, high, value: Some(point.value), mark: None }, scale, TREND).spans);
        line
    });
    let title = Line::styled("In earlier reports, oldest first; windows may differ", theme::PLAIN);
    [title, Line::styled(head, theme::QUIET)].into_iter().chain(points).collect()
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
        "Groups are declared by the shoppers, never inferred. Groups of 30 and more are tested: in the gap, and each against all others. Of 10 to 29 only bounds are shown, rounded to .05, and judged by themselves. Fewer than 10 are merged or suppressed. Sizes are rounded at random to tens and means to steps that one shopper cannot change for certain, so a group shown as 30 may have a few fewer."
            .to_owned(),
    );
    if !table.not_compared.is_empty() {
        paragraphs.push(format!("Not compared: {}.", table.not_compared.join(", ")));
    }
    Explanation { title: format!("{} by {}", table.metric, table.attribute), paragraphs, ..Explanation::default() }
}

fn explain_items(table: &ItemTable) -> Explanation {
    let largest = match (&table.top, table.top_share) {
        (Some(top), Some(share)) => format!("The largest is {top} with {} of the exposure.", text::percent(share)),
        _ => "Nothing was shown.".to_owned(),
    };
    Explanation {
        title: format!("Merit ratio by {}", table.by.replace('_', " ")),
        paragraphs: vec![
            format!(
                "Exposure per relevance over that of all other groups (DTR); 1 is parity. Exposure: {}; relevance: purchases of the window. Under the other exposure model, {}, a finding that turns round is marked.",
                table.exposure_model, table.other_model
            ),
            largest,
            format!(
                "{} fewer than 30 purchases and so no comparison.",
                text::plural(table.not_compared, "group has", "groups have")
            ),
        ],
        ..Explanation::default()
    }
}

/// What a report measures, for one that is still computed.
pub(super) fn explain_kind(kind: ReportKind) -> Explanation {
    let about = match kind {
        ReportKind::Quality => {
            "How well lists of the beginning of the window hold what shoppers bought within it, beside popularity; and the 12 numbers."
        }
        ReportKind::Diversity => {
            "How much of the catalogue is shown, how unequally, how alike the items of a list are, and whom it pushes to hits."
        }
        ReportKind::Fairness => {
            "Which groups of shoppers are served worse, and which groups of items get less exposure than their relevance earns."
        }
        ReportKind::Privacy => "Whose data is used for what, and who agreed to it.",
        ReportKind::Data => "What the log holds, and how unevenly.",
    };
    Explanation {
        title: format!("The {} report", kind.as_str()),
        paragraphs: vec![
            about.to_owned(),
            "It is not there yet. With it, this key shows the formula of the selected number.".to_owned(),
        ],
        ..Explanation::default()
    }
}
