//! The mitigations of a placement in full: re-rankers, price, history; or what others would cost.

use mercer_shared::problem::Problem;
use mercer_shared::wire::{Mitigation, MitigationPrice, MitigationRevision, PriceRow, PriceStatus, Reranker};
use ratatui::text::Line;

use crate::mitigations::{MitigationDraft, action, price_difference, price_interval, price_label, reranker, rerankers};
use crate::text;
use crate::tui::overlays::explanation::Explanation;
use crate::tui::remote::Remote;
use crate::tui::theme;
use crate::tui::widgets::draw::{heading, span, wrapped};
use crate::tui::widgets::table::{Column, Table, label, number, wide, words};

/// Most numbers of a price in a question: with them it fits a terminal of 24 rows.
const MOST_IN_A_QUESTION: usize = 10;

/// What is in force at a placement, its price, and what was before.
pub(super) fn in_force(one: &Mitigation, columns: usize) -> Vec<Line<'static>> {
    let MitigationRevision { version, changed, uid, note, .. } = &one.current;
    let by = uid.map(|uid| format!(" by uid {uid}")).unwrap_or_default();
    let since = format!("{} {}{by}", action(&one.current), text::moment(*changed));
    let mut all = vec![heading(format!("{}, version {version}", one.placement), since)];
    if let Some(note) = note {
        all.extend(wrapped(note, columns, theme::QUIET));
    }
    all.extend(reranker_lines(&one.current.rerankers, columns));
    all.push(Line::default());
    match (&one.price, one.price_status) {
        (Some(price), status) => {
            if status == PriceStatus::OtherVersion {
                let old = format!("Measured on {}, which serves no more; w measures it anew", price.model);
                all.extend(wrapped(&old, columns, theme::WARN));
            }
            all.extend(price_lines(price, columns));
        }
        (None, PriceStatus::Off) => {
            all.push(Line::styled("Lists are as the model orders them: no price", theme::QUIET))
        }
        (None, _) => all.push(Line::styled("The price is not measured; w measures it", theme::WARN)),
    }
    if !one.history.is_empty() {
        all.extend([Line::default(), heading("History", "newest first; u brings back what was before")]);
        all.extend(history(&one.history, columns));
    }
    all
}

/// What settings would cost.
pub(super) fn what_if(
    draft: &MitigationDraft,
    price: &Remote<Box<MitigationPrice>>,
    columns: usize,
) -> Vec<Line<'static>> {
    let title = format!("What if, at {}", draft.placement);
    let mut all = vec![heading(title, "nothing is changed; s sets it, esc leaves it")];
    all.extend(reranker_lines(&draft.settings.rerankers, columns));
    all.push(Line::default());
    match (&price.problem, &price.value) {
        (Some(Problem { title, detail, hint, .. }), _) => {
            all.extend(wrapped(&format!("{title}: {detail}"), columns, theme::BAD));
            all.extend(wrapped(hint, columns, theme::QUIET));
        }
        (None, Some(price)) => all.extend(price_lines(price, columns)),
        (None, None) => all.push(Line::styled("Measuring on the validation window", theme::WARN)),
    }
    all
}

/// Re-rankers in the order in which they work, a number before each.
fn reranker_lines(all: &[Reranker], columns: usize) -> Vec<Line<'static>> {
    if all.is_empty() {
        return vec![Line::styled("off", theme::QUIET)];
    }
    let lines = all.iter().enumerate().flat_map(|(place, one)| {
        let mut lines = text::wrap(&reranker(one), columns.saturating_sub(3)).into_iter();
        let first = lines.next().unwrap_or_default();
        let rest = lines.map(|line| Line::from(format!("   {line}")));
        std::iter::once(Line::from(vec![span(format!("{}  ", place + 1), theme::QUIET), span(first, theme::PLAIN)]))
            .chain(rest)
            .collect::<Vec<_>>()
    });
    lines.collect()
}

/// Each number before and after, with the difference and its interval.
fn price_lines(price: &MitigationPrice, columns: usize) -> Vec<Line<'static>> {
    let window = match (price.from, price.to) {
        (Some(from), Some(to)) => format!(", {} to {}", text::date(from), text::date(to)),
        _ => String::new(),
    };
    let users = text::plural(price.users, "shopper", "shoppers");
    let lists = text::plural(price.lists_changed, "list", "lists");
    let mut all = vec![
        heading(format!("Price on {}", text::clean(&price.model)), format!("{users}{window}, {lists} changed")),
        Line::styled(format!("measured {}", text::moment(price.created)), theme::QUIET),
    ];
    let columns_of = [
        label("number", 18),
        number("before", 0),
        number("after", 0),
        number("difference", 0),
        number("95 % interval", 1),
        number("p", 3),
        number("n", 2),
    ];
    let rows = price.rows.iter().map(|row| {
        vec![
            Line::from(price_label(row)),
            Line::from(text::maybe(row.before)),
            Line::from(text::maybe(row.after)),
            Line::styled(row.difference.map_or_else(|| "-".to_owned(), price_difference), beyond_noise(row)),
            Line::from(price_interval(row)),
            Line::from(row.p.map(text::p_value).unwrap_or_default()),
            Line::styled(text::count(row.n), theme::QUIET),
        ]
    });
    all.extend(Table { columns: &columns_of, rows: rows.collect(), selected: None, focused: false }.lines(columns));
    for note in &price.notes {
        all.extend(wrapped(note, columns, theme::QUIET));
    }
    all
}

/// A difference whose interval holds nothing is strong, another one quiet.
fn beyond_noise(row: &PriceRow) -> ratatui::style::Style {
    match (row.low, row.high) {
        (Some(low), Some(high)) if low > 0.0 || high < 0.0 => theme::STRONG,
        _ => theme::QUIET,
    }
}

/// A price in short lines with the stable names of the numbers, for the question before it is paid: all of it is to be in sight.
pub(super) fn price_sentences(price: &MitigationPrice) -> Vec<String> {
    let row = |row: &PriceRow| {
        let (before, after) = (text::maybe(row.before), text::maybe(row.after));
        let change = row.difference.map(|value| format!(" ({} {})", price_difference(value), price_interval(row)));
        match &row.undefined {
            Some(why) => format!("{}: undefined, {why}", row.name),
            None => format!("{}: {before} to {after}{}", row.name, change.unwrap_or_default()),
        }
    };
    let mut lines: Vec<String> = price.rows.iter().take(MOST_IN_A_QUESTION).map(row).collect();
    let left = price.rows.len() - lines.len();
    if left > 0 {
        lines.push(format!(
            "{} on the screen behind this question",
            text::plural(left as u64, "more number", "more numbers")
        ));
    }
    lines
}

fn history(revisions: &[MitigationRevision], columns: usize) -> Vec<Line<'static>> {
    let columns_of = [
        number("version", 0),
        words("by", 0),
        words("changed, UTC", 2),
        words("uid", 3),
        label("re-rankers", 18),
        Column { drop: 1, ..wide("why", 8) },
    ];
    let rows = revisions.iter().map(|revision| {
        vec![
            Line::from(revision.version.to_string()),
            Line::from(action(revision)),
            Line::styled(text::unmarked_moment(revision.changed), theme::QUIET),
            Line::styled(revision.uid.map(|uid| uid.to_string()).unwrap_or_default(), theme::QUIET),
            Line::from(rerankers(&revision.rerankers)),
            Line::styled(text::clean(revision.note.as_deref().unwrap_or_default()), theme::QUIET),
        ]
    });
    Table { columns: &columns_of, rows: rows.collect(), selected: None, focused: false }.lines(columns)
}

/// How the numbers of a price are computed.
pub(super) fn formulas(price: &MitigationPrice) -> Explanation {
    let row = |row: &PriceRow| format!("{} ({}): {}.", row.label, row.name, row.formula);
    Explanation {
        title: "How the price is computed".to_owned(),
        paragraphs: price.rows.iter().map(row).collect(),
        ..Explanation::default()
    }
}
