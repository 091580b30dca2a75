//! A served list: items with the parts of their scores where they have any, and the reasons of the selected one.

use mercer_shared::wire::{ListItem, Moved, ServedList};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use crate::text;
use crate::tui::theme;
use crate::tui::widgets::bars;
use crate::tui::widgets::draw::{lines, put, say, span};
use crate::tui::widgets::split::{split_bottom, split_top};
use crate::tui::widgets::table::{Column, Table, number, wide, words};

/// Columns of the stacked bar.
const BAR: usize = 16;
/// Most rows for the reasons.
const REASONS: u16 = 7;
/// Most notes shown below a list.
const NOTES: usize = 3;
/// Columns of the label before a reason.
const LABEL: usize = 7;

/// The position in a list.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Selection {
    /// The selected item's place.
    pub item: usize,
    /// Whether keys go to the list.
    pub focused: bool,
}

/// The meaning of an empty list, and the advice.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Empty {
    /// Its meaning.
    pub what: &'static str,
    /// The advice.
    pub next: &'static str,
}

/// The sources of a list, in the order of their weight in it.
fn sources(items: &[ListItem]) -> Vec<String> {
    let mut sums: Vec<(String, f64)> = Vec::new();
    for part in items.iter().flat_map(|item| &item.parts) {
        match sums.iter_mut().find(|(source, _)| *source == part.source) {
            Some((_, sum)) => *sum += part.score.abs(),
            None => sums.push((part.source.clone(), part.score.abs())),
        }
    }
    sums.sort_by(|a, b| b.1.total_cmp(&a.1));
    sums.into_iter().map(|(source, _)| source).collect()
}

/// The legend of the bars.
fn legend<'a>(sources: &[String]) -> Line<'a> {
    let spans = sources.iter().enumerate().flat_map(|(n, source)| {
        let (fill, style) = theme::PARTS[n % theme::PARTS.len()];
        [span(fill.repeat(2), style), span(format!(" {}  ", text::clean(source)), theme::QUIET)]
    });
    Line::from(spans.collect::<Vec<_>>())
}

/// The summary line: number of items, version, time; then the daemon's notes.
fn notes<'a>(list: &ServedList) -> Vec<Line<'a>> {
    let about = format!(
        "{} by {} in {}",
        text::plural(list.items.len() as u64, "item", "items"),
        text::clean(&list.model),
        text::milliseconds(list.took_us as f64 / 1000.0)
    );
    let searched = list.explanation.as_ref().map(|scope| Line::styled(text::scope(scope), theme::QUIET));
    let notes = list.notes.iter().take(NOTES).map(|note| Line::styled(text::clean(note), theme::WARN));
    std::iter::once(Line::styled(about, theme::QUIET)).chain(searched).chain(notes).collect()
}

/// Draws a list.
pub(crate) fn view(list: &ServedList, selection: Selection, empty: Empty, area: Rect, buf: &mut Buffer) {
    let (head, rest) = split_top(area, 1);
    let sources = sources(&list.items);
    put(buf, head, 0, &legend(&sources));
    let notes = notes(list);
    let note_rows = u16::try_from(notes.len()).unwrap_or(0);
    if list.items.is_empty() {
        lines(buf, rest, &notes);
        return say(buf, split_top(rest, note_rows).1, empty.what, empty.next);
    }
    let selection = Selection { item: selection.item.min(list.items.len() - 1), ..selection };
    let why = explanation(&list.items[selection.item], usize::from(area.width));
    let below = u16::try_from(why.len() + notes.len()).unwrap_or(0).min(REASONS + 3).min(rest.height / 2);
    let (table, below) = split_bottom(rest, below);
    let table = if table.height > 12 { split_bottom(table, 1).0 } else { table };
    items(&list.items, &sources, selection, table, buf);
    let (reasons, foot) = split_bottom(below, note_rows.min(below.height));
    lines(buf, reasons, &why);
    lines(buf, foot, &notes);
}

/// Draws the rows of a list.
fn items(items: &[ListItem], sources: &[String], selection: Selection, area: Rect, buf: &mut Buffer) {
    let positive = |item: &ListItem| item.parts.iter().map(|part| part.score.max(0.0)).sum::<f64>();
    let most = items.iter().map(positive).fold(0.0, f64::max);
    // A ranker's scores have no parts.
    let has_parts = !sources.is_empty();
    let bar = Column { min: BAR, ..words("parts", 3) };
    let after = [wide("title", 16), words("id", 4), words("category", 5), number("price", 2)];
    let columns: Vec<Column> =
        [number("#", 0), number("score", 1)].into_iter().chain(has_parts.then_some(bar)).chain(after).collect();
    let rows = items.iter().enumerate().map(|(n, item)| {
        let start = [place(n + 1, item), Line::styled(text::value(item.score), theme::STRONG)];
        let bar = has_parts.then(|| bars::stacked(&parts(item, sources), most, BAR));
        let end = [
            Line::from(text::clean(&item.title)),
            Line::styled(text::cut(&text::clean(item.id.as_str()), 16), theme::QUIET),
            Line::styled(text::cut(&text::clean(&item.category.join(" / ")), 28), theme::QUIET),
            Line::from(item.price.map_or_else(|| "-".to_owned(), text::money)),
        ];
        start.into_iter().chain(bar).chain(end).collect()
    });
    let rows = rows.collect();
    Table { columns: &columns, rows, selected: Some(selection.item), focused: selection.focused }.draw(area, buf);
}

/// The rank of an item, marked where mitigations moved it: `3 ^` came up, `9 v` fell.
fn place<'a>(rank: usize, item: &ListItem) -> Line<'a> {
    match &item.moved {
        Some(moved) => Line::styled(format!("{rank} {}", if moved.to < moved.from { "^" } else { "v" }), theme::WARN),
        None => Line::styled(rank.to_string(), theme::QUIET),
    }
}

/// The parts of an item's score in the order of the legend.
fn parts(item: &ListItem, sources: &[String]) -> Vec<bars::Part> {
    let place_of = |source: &str| sources.iter().position(|known| known == source);
    let part = |part: &mercer_shared::wire::ScorePart| {
        place_of(&part.source).map(|place| bars::Part { place, score: part.score })
    };
    let mut parts: Vec<bars::Part> = item.parts.iter().filter_map(part).collect();
    parts.sort_by_key(|part| part.place);
    parts
}

/// The explanation of an item's rank: the parts in numbers, then the reasons in words.
fn explanation<'a>(item: &ListItem, columns: usize) -> Vec<Line<'a>> {
    // The sum stands first: where the line is cut, only small parts are missing.
    let mut spans = vec![span(text::pad("Score", LABEL), theme::QUIET), span(text::value(item.score), theme::STRONG)];
    if let Some(probability) = item.probability {
        spans.push(span(format!(" (probability {})", text::percent(probability)), theme::QUIET));
    }
    let mut parts: Vec<_> = item.parts.iter().collect();
    parts.sort_by(|a, b| b.score.abs().total_cmp(&a.score.abs()));
    for (n, part) in parts.into_iter().enumerate() {
        let sign = if n > 0 { " + " } else { " = " };
        spans.push(span(format!("{sign}{} ", text::clean(&part.source)), theme::QUIET));
        spans.push(span(text::value(part.score), theme::PLAIN));
    }
    let mut all = vec![Line::from(spans)];
    if let Some(Moved { from, to, by }) = &item.moved {
        let moved = format!("from rank {from} to {to} by {}", text::clean(by));
        for (n, row) in text::wrap(&moved, columns.saturating_sub(LABEL)).into_iter().enumerate() {
            let label = if n == 0 { "Moved" } else { "" };
            all.push(Line::from(vec![span(text::pad(label, LABEL), theme::QUIET), span(row, theme::WARN)]));
        }
    }
    let reasons_from = all.len();
    let reasons = item.reasons.iter().map(|reason| (Some(reason.category.words()), &reason.text));
    let none = item.unexplained.iter().map(|none| (None, &none.text));
    for (category, why) in reasons.chain(none) {
        let why = text::clean(why);
        let said = category.map_or_else(|| why.clone(), |category| format!("{category}: {why}"));
        for row in text::wrap(&said, columns.saturating_sub(LABEL)) {
            let label = if all.len() == reasons_from { "Why" } else { "" };
            all.push(Line::from(vec![span(text::pad(label, LABEL), theme::QUIET), span(row, theme::PLAIN)]));
        }
    }
    if item.reasons.is_empty() && item.unexplained.is_none() {
        all.push(Line::styled(format!("{}w asks for the reasons", text::pad("Why", LABEL)), theme::QUIET));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moved_item_is_marked_and_says_by_what() {
        let text = r#"{"id": "a", "title": "Lamp", "score": 0.5, "parts": [], "reasons": [{"text": "without it"}],
            "moved": {"from": 9, "to": 3, "by": "exposure floor for seller Acme"}}"#;
        let mut item: ListItem = serde_json::from_str(text).unwrap();
        let words = |item: &ListItem| explanation(item, 80).iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(place(3, &item).to_string(), "3 ^");
        let said = words(&item);
        assert!(said[1].contains("Moved") && said[1].contains("from rank 9 to 3 by exposure floor for seller Acme"));
        assert!(said[2].starts_with("Why") && said[2].contains("without it"), "{said:?}");
        item.moved = None;
        assert_eq!(place(3, &item).to_string(), "3");
        assert!(words(&item)[1].starts_with("Why"));
    }
}
