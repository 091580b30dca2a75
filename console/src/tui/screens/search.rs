//! Screen 3: searches as a shopper would, with the parts of each score, and items related to the selected one.

use mercer_shared::ids::ItemId;
use mercer_shared::wire::{ListItem, PriceBound, ServedList};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::served;
use crate::text;
use crate::tui::ask::{Ask, Reply};
use crate::tui::command::{Action, Command, NEXT_TAB, OPEN, PREVIOUS_TAB, WHY};
use crate::tui::context::Context;
use crate::tui::overlays::prompt::Prompt;
use crate::tui::pane::content;
use crate::tui::remote::Remote;
use crate::tui::screen::{About, Screen};
use crate::tui::theme;
use crate::tui::widgets::draw::{heading, put, say, span};
use crate::tui::widgets::split::{split_bottom, split_top, split_with_rule};
use crate::tui::widgets::table::{Table, number, wide, words};

const ABOUT: About = About {
    title: "Search",
    name: "searching",
    help: "Search as a shopper would, with the parts of each score",
    lists: true,
    commands: &[
        Command::new(Action::Query, "search", &["i", "/"], "Type a search").footer("type").argument("WORDS"),
        WHY,
        OPEN,
        NEXT_TAB,
        PREVIOUS_TAB,
    ],
};

/// Columns from which on related items stand beside the results.
const TWO_PANES: u16 = 150;
/// Rows of the related items below the results.
const RELATED_ROWS: u16 = 7;

/// The screen.
#[derive(Debug, Default)]
pub(crate) struct Search {
    /// The searched text.
    pub text: String,
    /// The results.
    list: Remote<Box<ServedList>>,
    /// The selected result.
    selected: usize,
    /// The item whose related items are shown.
    pub related_to: Option<ItemId>,
    /// Its related items.
    related: Remote<Box<ServedList>>,
}

impl Screen for Search {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn load(&mut self, context: &mut Context) {
        self.search(false, context);
    }

    fn act(&mut self, action: Action, argument: Option<String>, context: &mut Context) {
        match action {
            Action::Query => match argument {
                None => context.open(Prompt::command("search ", Action::Query, &self.text)),
                Some(text) if text.is_empty() => {}
                Some(text) => {
                    *self = Self { text, ..Self::default() };
                    self.search(false, context);
                }
            },
            Action::Open | Action::Right => self.show_related(context),
            Action::NextTab | Action::PreviousTab if self.related_to.is_none() => self.show_related(context),
            Action::Back | Action::Left | Action::NextTab | Action::PreviousTab if self.related_to.is_some() => {
                self.related_to = None;
            }
            Action::Back => *self = Self::default(),
            Action::Why => self.search(true, context),
            action => {
                let len = self.results().len();
                self.selected = action.moved(self.selected, len, context.page()).unwrap_or(self.selected);
            }
        }
    }

    fn reply(&mut self, reply: Reply, _context: &mut Context) -> Option<Reply> {
        match &reply.ask {
            Ask::Search { text, .. } => {
                if self.text == *text {
                    self.list.take(reply.result);
                    self.selected = self.selected.min(self.results().len().saturating_sub(1));
                }
            }
            Ask::Related(item) => {
                if self.related_to.as_ref() == Some(item) {
                    self.related.take(reply.result);
                }
            }
            _ => return Some(reply),
        }
        None
    }

    fn view(&self, context: &Context, area: Rect, buf: &mut Buffer) {
        if self.text.is_empty() {
            let next = "/ begins; words, prices (\"red dress under 50\") and Chinese all work";
            return say(buf, area, "Search as a shopper would", next);
        }
        let (head, rest) = split_top(area, 2);
        put(buf, head, 0, &self.title());
        let results = match &self.related_to {
            None => rest,
            Some(item) if area.width >= TWO_PANES => {
                let (left, right) = split_with_rule(buf, rest, rest.width * 3 / 5);
                self.view_related(item, context, right, buf);
                left
            }
            Some(item) => {
                let (top, bottom) = split_bottom(rest, RELATED_ROWS.min(rest.height / 2));
                self.view_related(item, context, bottom, buf);
                top
            }
        };
        if let Some(list) = content(context, &self.list, "results", results, buf) {
            let shown = served::Selection { item: self.selected, focused: true };
            let empty = served::Empty {
                what: "Nothing was found",
                next: "/ tries other words; a bound such as \"under 50\" may be too tight",
            };
            served::view(list, shown, empty, results, buf);
        }
    }
}

impl Search {
    fn results(&self) -> &[ListItem] {
        self.list.value.as_ref().map_or(&[], |list| &list.items)
    }

    /// Asks for the results of what was typed, if anything was.
    fn search(&mut self, reasons: bool, context: &mut Context) {
        if !self.text.is_empty() {
            context.ask(&mut self.list, Ask::Search { text: self.text.clone(), reasons });
        }
    }

    /// Asks for what goes with the selected item.
    fn show_related(&mut self, context: &mut Context) {
        let Some(item) = self.results().get(self.selected).map(|item| item.id.clone()) else { return };
        if self.related_to.as_ref() != Some(&item) {
            self.related = Remote::default();
        }
        self.related_to = Some(item.clone());
        context.ask(&mut self.related, Ask::Related(item));
    }

    /// The typed text, and the daemon's reading of it.
    fn title<'a>(&self) -> Line<'a> {
        let mut title = vec![span(text::clean(&self.text), theme::STRONG)];
        if let Some(understood) = self.list.value.as_ref().and_then(|list| list.understood.as_ref()) {
            if text::clean(&understood.text) != text::clean(&self.text) {
                title.push(span(format!("  read as {}", text::clean(&understood.text)), theme::QUIET));
            }
            if let Some(price) = &understood.price {
                title.push(span(format!("  {}", price_words(price)), theme::ACCENT));
            }
        }
        if self.list.loading {
            title.push(span("  searching", theme::QUIET));
        }
        Line::from(title)
    }

    fn view_related(&self, item: &ItemId, context: &Context, area: Rect, buf: &mut Buffer) {
        let title = self.results().iter().find(|result| result.id == *item);
        let title = title.map_or_else(|| item.to_string(), |result| result.title.clone());
        let title = text::cut(&text::clean(&title), usize::from(area.width).saturating_sub(10));
        let (head, rest) = split_top(area, 1);
        put(buf, head, 0, &heading("Related", title));
        let Some(list) = content(context, &self.related, "related items", rest, buf) else { return };
        if list.items.is_empty() {
            return say(buf, rest, "Nothing is related to it yet", "esc closes this");
        }
        let columns = [number("#", 0), number("score", 1), wide("title", 16), words("from", 3), number("price", 2)];
        let rows = list.items.iter().enumerate().map(|(n, item)| related_row(n + 1, item)).collect();
        Table { columns: &columns, rows, selected: None, focused: false }.draw(rest, buf);
    }
}

fn price_words(price: &PriceBound) -> String {
    match (price.min, price.max) {
        (Some(min), Some(max)) => format!("price {} to {}", text::money(min), text::money(max)),
        (Some(min), None) => format!("price from {}", text::money(min)),
        (None, Some(max)) => format!("price up to {}", text::money(max)),
        (None, None) => String::new(),
    }
}

fn related_row<'a>(rank: usize, item: &ListItem) -> Vec<Line<'a>> {
    let strongest = item.parts.iter().max_by(|a, b| a.score.total_cmp(&b.score));
    vec![
        Line::styled(rank.to_string(), theme::QUIET),
        Line::from(text::value(item.score)),
        Line::from(text::clean(&item.title)),
        Line::styled(strongest.map(|part| text::clean(&part.source)).unwrap_or_default(), theme::QUIET),
        Line::from(item.price.map_or_else(|| "-".to_owned(), text::money)),
    ]
}
