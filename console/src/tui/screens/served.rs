//! A served list: items with their scores and the parts of them, and the reasons of the selected one.

use mercer_shared::wire::{ListItem, ServedList};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::super::widgets::table::{Column, Table, number, text, wide};
use super::super::widgets::{bars, lines, put, say, span, split_bottom, split_top};
use super::super::{texts, theme};
use super::profile::money;

/// Columns of the stacked bar.
const BAR: usize = 16;
/// Most rows for the reasons.
const REASONS: u16 = 7;

/// The sources of a list, in the order of their weight in it.
pub(crate) fn sources(items: &[ListItem]) -> Vec<String> {
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

/// What the fills of the bars stand for.
fn legend<'a>(sources: &[String]) -> Line<'a> {
    let spans = sources.iter().enumerate().flat_map(|(n, source)| {
        let (fill, style) = theme::PARTS[n % theme::PARTS.len()];
        [span(fill.repeat(2), style), span(format!(" {}  ", texts::clean(source)), theme::QUIET)]
    });
    Line::from(spans.collect::<Vec<_>>())
}

/// Draws a list; `empty` says what an empty one means and what to do.
pub(crate) fn view(
    list: &ServedList,
    selected: usize,
    focused: bool,
    empty: (&str, &str),
    area: Rect,
    buf: &mut Buffer,
) {
    let (head, rest) = split_top(area, 1);
    let sources = sources(&list.items);
    put(buf, head, 0, &legend(&sources));
    let mut notes: Vec<Line<'_>> = Vec::new();
    let about = format!(
        "{} by {} in {}",
        texts::plural(list.items.len() as u64, "item", "items"),
        texts::clean(&list.model),
        texts::millis(list.took_us as f64 / 1000.0)
    );
    notes.push(Line::styled(about, theme::QUIET));
    notes.extend(list.notes.iter().take(3).map(|note| Line::styled(texts::clean(note), theme::WARN)));
    if list.items.is_empty() {
        lines(buf, rest, &notes);
        say(buf, split_top(rest, u16::try_from(notes.len()).unwrap_or(0)).1, empty.0, empty.1);
        return;
    }
    let selected = selected.min(list.items.len() - 1);
    let why = explanation(&list.items[selected], usize::from(area.width));
    let below = u16::try_from(why.len() + notes.len()).unwrap_or(0).min(REASONS + 3).min(rest.height / 2);
    let (table, below) = split_bottom(rest, below);
    let table = if table.height > 12 { split_bottom(table, 1).0 } else { table };
    items(&list.items, &sources, selected, focused, table, buf);
    let (reasons, foot) = split_bottom(below, u16::try_from(notes.len()).unwrap_or(0).min(below.height));
    lines(buf, reasons, &why);
    lines(buf, foot, &notes);
}

/// Draws the rows of a list.
pub(crate) fn items(
    items: &[ListItem],
    sources: &[String],
    selected: usize,
    focused: bool,
    area: Rect,
    buf: &mut Buffer,
) {
    let most =
        items.iter().map(|item| item.parts.iter().map(|part| part.score.max(0.0)).sum::<f64>()).fold(0.0, f64::max);
    let columns = [
        number("#", 0),
        number("score", 1),
        Column { title: "parts", right: false, min: BAR, grows: false, drop: 3 },
        wide("title", 16),
        text("id", 4),
        text("category", 5),
        number("price", 2),
    ];
    let rows = items
        .iter()
        .enumerate()
        .map(|(n, item)| {
            let mut parts: Vec<(usize, f64)> = item
                .parts
                .iter()
                .filter_map(|part| {
                    sources.iter().position(|source| *source == part.source).map(|place| (place, part.score))
                })
                .collect();
            parts.sort_by_key(|(place, _)| *place);
            vec![
                Line::styled((n + 1).to_string(), theme::QUIET),
                Line::styled(texts::value(item.score), theme::STRONG),
                bars::stacked(&parts, most, BAR),
                Line::from(texts::clean(&item.title)),
                Line::styled(texts::cut(&texts::clean(item.id.as_str()), 16), theme::QUIET),
                Line::styled(texts::cut(&texts::clean(&item.category.join(" / ")), 28), theme::QUIET),
                Line::from(item.price.map_or_else(|| "–".to_owned(), money)),
            ]
        })
        .collect();
    Table { columns: &columns, rows, selected: Some(selected), focused }.draw(area, buf);
}

/// Why an item stands where it does: the parts in numbers, then the reasons in words.
fn explanation<'a>(item: &ListItem, columns: usize) -> Vec<Line<'a>> {
    // The sum stands first: where the line is cut, only small parts are missing.
    let mut spans = vec![span("Score  ", theme::QUIET), span(texts::value(item.score), theme::STRONG)];
    let mut parts: Vec<_> = item.parts.iter().collect();
    parts.sort_by(|a, b| b.score.abs().total_cmp(&a.score.abs()));
    for (n, part) in parts.into_iter().enumerate() {
        let sign = if n > 0 { " + " } else { " = " };
        spans.push(span(format!("{sign}{} ", texts::clean(&part.source)), theme::QUIET));
        spans.push(span(texts::value(part.score), theme::PLAIN));
    }
    if let Some(p) = item.probability {
        spans.insert(2, span(format!(" (probability {})", texts::percent(p)), theme::QUIET));
    }
    let mut all = vec![Line::from(spans)];
    let mut label = "Why    ";
    for reason in &item.reasons {
        for text in texts::wrap(&texts::clean(&reason.text), columns.saturating_sub(7)) {
            all.push(Line::from(vec![
                span(std::mem::replace(&mut label, "       "), theme::QUIET),
                span(text, theme::PLAIN),
            ]));
        }
    }
    if item.reasons.is_empty() {
        all.push(Line::styled("Why    w asks for the reasons", theme::QUIET));
    }
    all
}
