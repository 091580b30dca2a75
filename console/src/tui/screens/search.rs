//! Screen 3: search as a shopper would, see what each score is made of, and what goes with the selected item.

use mercer_shared::ids::ItemId;
use mercer_shared::wire::ServedList;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::super::app::{App, Effect, Overlay, Purpose, Remote, moved};
use super::super::asks::Ask;
use super::super::commands::Action;
use super::super::widgets::input::Input;
use super::super::widgets::table::{Table, number, text, wide};
use super::super::widgets::{content, heading, put, say, span, split_bottom, split_top, split_with_rule};
use super::super::{texts, theme};
use super::{profile::money, served};

/// Columns from which on related items stand beside the results.
const TWO_PANES: u16 = 150;
/// Rows of the related items below the results.
const RELATED_ROWS: u16 = 7;

/// The state of the screen.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// What was searched for.
    pub text: String,
    /// The results.
    pub list: Remote<Box<ServedList>>,
    /// The selected result.
    pub selected: usize,
    /// The item whose company is shown.
    pub related_to: Option<ItemId>,
    /// Its company.
    pub related: Remote<Box<ServedList>>,
}

/// Asks again for what is shown.
pub(crate) fn load(app: &mut App) -> Vec<Effect> {
    if app.search.text.is_empty() {
        return Vec::new();
    }
    let text = app.search.text.clone();
    vec![app.search.list.ask(Ask::Search { text, reasons: false })]
}

/// Results came: the selection holds, and related items of it follow when they are shown.
pub(crate) fn found(app: &mut App) -> Vec<Effect> {
    let search = &mut app.search;
    let len = search.list.value.as_ref().map_or(0, |list| list.items.len());
    search.selected = search.selected.min(len.saturating_sub(1));
    Vec::new()
}

fn related(app: &mut App) -> Vec<Effect> {
    let search = &mut app.search;
    let chosen =
        search.list.value.as_ref().and_then(|list| list.items.get(search.selected)).map(|item| item.id.clone());
    let Some(item) = chosen else { return Vec::new() };
    if search.related_to.as_ref() != Some(&item) {
        search.related = Remote::default();
    }
    search.related_to = Some(item.clone());
    vec![search.related.ask(Ask::Related(item))]
}

/// Lets a command act.
pub(crate) fn act(app: &mut App, action: Action, argument: Option<String>) -> Vec<Effect> {
    let page = app.page();
    let search = &mut app.search;
    match action {
        Action::Query => match argument {
            None => {
                app.overlay = Overlay::Typing(Purpose::Query, Input::new(&app.search.text));
                Vec::new()
            }
            Some(text) if text.is_empty() => Vec::new(),
            Some(text) => {
                *search = State { text, ..State::default() };
                load(app)
            }
        },
        Action::Open | Action::Right => related(app),
        Action::NextTab | Action::PreviousTab if search.related_to.is_none() => related(app),
        Action::Back | Action::Left | Action::NextTab | Action::PreviousTab if search.related_to.is_some() => {
            search.related_to = None;
            Vec::new()
        }
        Action::Back if !search.text.is_empty() => {
            *search = State::default();
            Vec::new()
        }
        Action::Why if !search.text.is_empty() => {
            let text = search.text.clone();
            vec![search.list.ask(Ask::Search { text, reasons: true })]
        }
        action => {
            let len = search.list.value.as_ref().map_or(0, |list| list.items.len());
            search.selected = moved(search.selected, action, len, page).unwrap_or(search.selected);
            Vec::new()
        }
    }
}

/// Draws it.
pub(crate) fn view(app: &App, area: Rect, buf: &mut Buffer) {
    let search = &app.search;
    if search.text.is_empty() {
        say(
            buf,
            area,
            "Search as a shopper would",
            "/ begins; words, prices (\"red dress under 50\") and Chinese all work",
        );
        return;
    }
    let (head, rest) = split_top(area, 2);
    let mut title = vec![span(texts::clean(&search.text), theme::STRONG)];
    if let Some(understood) = search.list.value.as_ref().and_then(|list| list.understood.as_ref()) {
        if texts::clean(&understood.text) != texts::clean(&search.text) {
            title.push(span(format!("  read as {}", texts::clean(&understood.text)), theme::QUIET));
        }
        if let Some(price) = &understood.price {
            let bound = match (price.min, price.max) {
                (Some(min), Some(max)) => format!("price {} to {}", money(min), money(max)),
                (Some(min), None) => format!("price from {}", money(min)),
                (None, Some(max)) => format!("price up to {}", money(max)),
                (None, None) => String::new(),
            };
            title.push(span(format!("  {bound}"), theme::ACCENT));
        }
    }
    if search.list.loading {
        title.push(span("  searching", theme::QUIET));
    }
    put(buf, head, 0, &Line::from(title));
    let results = match search.related_to {
        None => rest,
        Some(_) if area.width >= TWO_PANES => {
            let (left, right) = split_with_rule(buf, rest, rest.width * 3 / 5);
            company(app, right, buf);
            Rect { width: left.width.saturating_sub(1), ..left }
        }
        Some(_) => {
            let (top, bottom) = split_bottom(rest, RELATED_ROWS.min(rest.height / 2));
            company(app, bottom, buf);
            top
        }
    };
    if let Some(list) = content(app, &search.list, results, buf, "results") {
        let empty = ("Nothing was found", "/ tries other words; a bound such as \"under 50\" may be too tight");
        served::view(list, search.selected, true, empty, results, buf);
    }
}

/// What goes with the selected item.
fn company(app: &App, area: Rect, buf: &mut Buffer) {
    let Some(item) = &app.search.related_to else { return };
    let title = app
        .search
        .list
        .value
        .as_ref()
        .and_then(|list| list.items.iter().find(|i| i.id == *item))
        .map_or_else(|| item.to_string(), |i| i.title.clone());
    let (head, rest) = split_top(area, 1);
    put(
        buf,
        head,
        0,
        &heading("Related", texts::cut(&texts::clean(&title), usize::from(area.width).saturating_sub(10))),
    );
    let Some(list) = content(app, &app.search.related, rest, buf, "related items") else { return };
    if list.items.is_empty() {
        say(buf, rest, "Nothing is related to it yet", "esc closes this");
        return;
    }
    let columns = [number("#", 0), number("score", 1), wide("title", 16), text("from", 3), number("price", 2)];
    let rows = list.items.iter().enumerate().map(|(n, item)| {
        let from = item
            .parts
            .iter()
            .max_by(|a, b| a.score.total_cmp(&b.score))
            .map(|part| texts::clean(&part.source))
            .unwrap_or_default();
        vec![
            Line::styled((n + 1).to_string(), theme::QUIET),
            Line::from(texts::value(item.score)),
            Line::from(texts::clean(&item.title)),
            Line::styled(from, theme::QUIET),
            Line::from(item.price.map_or_else(|| "–".to_owned(), money)),
        ]
    });
    Table { columns: &columns, rows: rows.collect(), selected: None, focused: false }.draw(rest, buf);
}
