//! Screen 2: finds a shopper; shows the profile with its sources, and the list with its reasons.

use mercer_shared::ids::UserId;
use mercer_shared::problem::Problem;
use mercer_shared::time::Timestamp;
use mercer_shared::wire::{Consent, Event, EventKind, Mode, Page, Profile, ServedList, User};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::{profile, served};
use crate::text;
use crate::tui::ask::{Answer, Ask, Reply};
use crate::tui::command::{Action, Command, FILTER, NEXT_TAB, OPEN, PREVIOUS_TAB, WHY};
use crate::tui::context::Context;
use crate::tui::overlays::prompt::Prompt;
use crate::tui::pane::content;
use crate::tui::remote::Remote;
use crate::tui::screen::{About, Screen};
use crate::tui::theme;
use crate::tui::widgets::draw::{put, say, span};
use crate::tui::widgets::split::{split_top, split_with_rule};
use crate::tui::widgets::table::{Table, wide, words};

const ABOUT: About = About {
    title: "Users",
    name: "users",
    help: "Find shoppers; profile, list and why",
    lists: true,
    commands: &[
        FILTER,
        Command::new(Action::OpenUser, "user", &["o"], "Open a shopper by the exact id")
            .footer("open id")
            .argument("ID"),
        Command::new(
            Action::Mode,
            "mode",
            &["m"],
            "Show all items, or novel ones only: those the shopper never bought",
        )
        .footer("all/novel"),
        WHY,
        OPEN,
        NEXT_TAB,
        PREVIOUS_TAB,
    ],
};

/// Columns from which on the shoppers stand beside the one that is open.
const TWO_PANES: u16 = 96;
/// Columns of the shoppers beside the one that is open.
const LIST_COLUMNS: u16 = 32;
/// Milliseconds between two questions for an open profile while interactions come in.
const REFRESH_MS: i64 = 3000;
/// Columns for which the rows of a profile are counted when it is scrolled.
const PROFILE_COLUMNS: usize = 80;

/// The part of a shopper that is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Tab {
    /// The profile.
    #[default]
    Profile,
    /// The list.
    List,
}

/// The screen.
#[derive(Debug, Default)]
pub(crate) struct Users {
    /// Ids must begin so.
    filter: String,
    /// Shoppers found so far.
    pub found: Remote<Vec<User>>,
    /// The cursor of the next page; `None` after the last.
    cursor: Option<String>,
    /// The selected shopper.
    selected: usize,
    /// The shopper who is open.
    pub open: Option<UserId>,
    /// Whether keys go to the open shopper.
    pub inside: bool,
    /// The part that is shown.
    pub tab: Tab,
    /// The profile.
    pub profile: Remote<Box<Profile>>,
    /// When the profile was asked for.
    profiled: Option<Timestamp>,
    /// Whether interactions came in since.
    touched: bool,
    /// Rows by which the profile is scrolled.
    scroll: usize,
    /// The list.
    list: Remote<Box<ServedList>>,
    /// Whether what the shopper has may appear.
    mode: Mode,
    /// The selected item of the list.
    item: usize,
}

impl Screen for Users {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn load(&mut self, context: &mut Context) {
        context.ask(&mut self.found, Ask::Users { prefix: self.filter.clone(), cursor: None });
        self.load_open(context);
    }

    fn poll(&mut self, context: &mut Context) {
        self.renew_profile(context);
    }

    fn act(&mut self, action: Action, argument: Option<String>, context: &mut Context) {
        match action {
            Action::OpenUser => match argument.map(UserId::new) {
                None => context.open(Prompt::command("shopper id ", Action::OpenUser, "")),
                Some(Ok(user)) => self.show(user, context),
                Some(Err(error)) => context.refuse(error.to_string()),
            },
            Action::Filter => context.open(Prompt::filter("ids that begin with ", &self.filter)),
            Action::Back | Action::Left if self.inside => self.inside = false,
            Action::Back if !self.filter.is_empty() => self.filter(String::new(), context),
            Action::Back => self.open = None,
            Action::Mode | Action::Why if self.open.is_none() => context.refuse("Open a shopper first"),
            Action::Mode => {
                self.mode = if self.mode == Mode::New { Mode::Repeat } else { Mode::New };
                self.item = 0;
                self.tab = Tab::List;
                self.ask_list(false, context);
            }
            Action::Why => {
                (self.tab, self.inside) = (Tab::List, true);
                self.ask_list(true, context);
            }
            Action::NextTab | Action::PreviousTab => {
                if self.open.is_some() {
                    self.inside = true;
                    self.tab = if self.tab == Tab::Profile { Tab::List } else { Tab::Profile };
                }
            }
            Action::Right if self.open.is_some() && !self.inside => self.inside = true,
            Action::Open | Action::Right if !self.inside => {
                let chosen = self.found.value.as_ref().and_then(|found| found.get(self.selected));
                if let Some(user) = chosen.map(|user| user.id.clone()) {
                    self.show(user, context);
                }
            }
            Action::Open if self.tab == Tab::Profile => self.tab = Tab::List,
            Action::Open => self.act(Action::Why, None, context),
            action if self.inside => self.scroll_open(action, context.page()),
            action => self.select(action, context),
        }
    }

    fn filter(&mut self, text: String, context: &mut Context) {
        self.filter = text;
        self.selected = 0;
        self.cursor = None;
        self.inside = false;
        context.ask(&mut self.found, Ask::Users { prefix: self.filter.clone(), cursor: None });
    }

    fn reply(&mut self, reply: Reply, _context: &mut Context) -> Option<Reply> {
        match &reply.ask {
            Ask::Users { prefix, cursor } => {
                // An answer to an earlier filter comes too late.
                if self.filter == *prefix {
                    self.take_page(reply.result, cursor.is_some());
                }
            }
            Ask::Profile(user) => {
                if self.open.as_ref() == Some(user) {
                    self.profile.take(reply.result);
                }
            }
            Ask::Recommend { user, mode, .. } => {
                if self.open.as_ref() == Some(user) && self.mode == *mode {
                    self.list.take(reply.result);
                }
            }
            _ => return Some(reply),
        }
        None
    }

    fn event(&mut self, event: &Event, shown: bool, context: &mut Context) {
        // Interactions came in: the open profile may be another one now.
        if shown && matches!(event.kind, EventKind::Interactions { .. }) {
            self.touched = true;
            self.renew_profile(context);
        }
    }

    fn view(&self, context: &Context, area: Rect, buf: &mut Buffer) {
        match &self.open {
            None => self.view_found(context, true, area, buf),
            Some(user) if area.width >= TWO_PANES => {
                let (left, right) = split_with_rule(buf, area, LIST_COLUMNS);
                self.view_found(context, !self.inside, left, buf);
                self.view_open(user, context, right, buf);
            }
            Some(user) if self.inside => self.view_open(user, context, area, buf),
            Some(_) => self.view_found(context, true, area, buf),
        }
    }
}

impl Users {
    /// Opens a shopper.
    fn show(&mut self, user: UserId, context: &mut Context) {
        if self.open.as_ref() != Some(&user) {
            self.profile = Remote::default();
            self.list = Remote::default();
            (self.item, self.scroll) = (0, 0);
        }
        self.open = Some(user);
        self.inside = true;
        self.load_open(context);
    }

    /// Asks for profile and list of the open shopper.
    fn load_open(&mut self, context: &mut Context) {
        let Some(user) = self.open.clone() else { return };
        self.profiled = Some(context.now);
        self.touched = false;
        context.ask(&mut self.profile, Ask::Profile(user));
        self.ask_list(false, context);
    }

    fn ask_list(&mut self, reasons: bool, context: &mut Context) {
        if let Some(user) = self.open.clone() {
            context.ask(&mut self.list, Ask::Recommend { user, mode: self.mode, reasons });
        }
    }

    /// Requests the open profile again if interactions came in, but not too often.
    fn renew_profile(&mut self, context: &mut Context) {
        let due = self.profiled.is_none_or(|at| context.now.millis() - at.millis() >= REFRESH_MS);
        if let Some(user) = self.open.clone().filter(|_| self.touched && due && !self.profile.loading) {
            self.touched = false;
            self.profiled = Some(context.now);
            context.ask(&mut self.profile, Ask::Profile(user));
        }
    }

    /// Takes a page of shoppers; `more` says that it follows the ones found so far.
    fn take_page(&mut self, result: Result<Answer, Problem>, more: bool) {
        let page = match result.map(Page::<User>::try_from) {
            Ok(Ok(page)) => page,
            Ok(Err(_)) => return,
            Err(problem) => return self.found.keep(Err(problem)),
        };
        self.cursor = page.next_cursor;
        let mut all = if more { self.found.value.take().unwrap_or_default() } else { Vec::new() };
        all.extend(page.items);
        self.selected = self.selected.min(all.len().saturating_sub(1));
        self.found.keep(Ok(all));
    }

    /// Moves in what is open.
    fn scroll_open(&mut self, action: Action, page: usize) {
        match self.tab {
            Tab::List => {
                let len = self.list.value.as_ref().map_or(0, |list| list.items.len());
                self.item = action.moved(self.item, len, page).unwrap_or(self.item);
            }
            Tab::Profile => {
                let rows = |profile: &Profile| profile::rows(profile, profile.at, PROFILE_COLUMNS).len();
                let len = self.profile.value.as_deref().map_or(0, rows);
                self.scroll = action.moved(self.scroll, len, page).unwrap_or(self.scroll);
            }
        }
    }

    /// Moves among the shoppers found; reaching the last one asks for the next page.
    fn select(&mut self, action: Action, context: &mut Context) {
        let len = self.found.value.as_ref().map_or(0, Vec::len);
        let Some(next) = action.moved(self.selected, len, context.page()) else { return };
        self.selected = next;
        let at_end = next + 1 >= len && len > 0;
        if at_end
            && !self.found.loading
            && let Some(cursor) = self.cursor.take()
        {
            context.ask(&mut self.found, Ask::Users { prefix: self.filter.clone(), cursor: Some(cursor) });
        }
    }

    /// Number of shoppers found, and of all.
    fn found_words(&self, loaded: u64, context: &Context) -> String {
        let total = context.status.value.as_ref().map(|status| status.counts.users).filter(|total| *total > loaded);
        match (self.cursor.is_some(), self.filter.is_empty(), total) {
            (true, true, Some(total)) => {
                format!("{} of {}", text::count(loaded), text::plural(total, "shopper", "shoppers"))
            }
            (true, ..) => format!("{} or more", text::plural(loaded, "shopper", "shoppers")),
            (false, ..) => text::plural(loaded, "shopper", "shoppers"),
        }
    }

    fn view_found(&self, context: &Context, focused: bool, area: Rect, buf: &mut Buffer) {
        let (head, rest) = split_top(area, 1);
        let Some(all) = content(context, &self.found, "shoppers", rest, buf) else { return };
        let mut title = vec![span(self.found_words(all.len() as u64, context), theme::STRONG)];
        if !self.filter.is_empty() {
            title.push(span(format!("  ids that begin with {}", text::clean(&self.filter)), theme::WARN));
        }
        put(buf, head, 0, &Line::from(title));
        if all.is_empty() {
            return if self.filter.is_empty() {
                say(buf, rest, "The shop has no shoppers yet", "Load some: mercer import --preset NAME FILE");
            } else {
                say(buf, rest, "No id begins with these letters", "esc clears the filter, o opens an exact id");
            };
        }
        let columns = [words("id", 0), wide("declared", 16), words("consent", 1)];
        let row = |user: &User| {
            let declared: Vec<String> = user.attributes.iter().map(|(k, v)| format!("{k} {v}")).collect();
            vec![
                Line::from(text::cut(&text::clean(user.id.as_str()), 28)),
                Line::styled(text::clean(&declared.join(", ")), theme::QUIET),
                Line::styled(profile::consent(&user.consent.over(Consent::NONE)), theme::QUIET),
            ]
        };
        let rows = all.iter().map(row).collect();
        Table { columns: &columns, rows, selected: Some(self.selected), focused }.draw(rest, buf);
    }

    /// Draws the open shopper: tabs, then the profile or the list.
    fn view_open(&self, user: &UserId, context: &Context, area: Rect, buf: &mut Buffer) {
        let (head, rest) = split_top(area, 2);
        let mut spans: Vec<Span<'_>> = vec![span(text::cut(&text::clean(user.as_str()), 40), theme::STRONG)];
        for (tab, title) in [(Tab::Profile, "Profile"), (Tab::List, "List")] {
            let style = if self.tab == tab { theme::SELECTED } else { theme::QUIET };
            spans.extend([span("  ", theme::PLAIN), span(title, style)]);
        }
        let note = match (self.tab, self.mode) {
            (Tab::Profile, _) => "tab shows the list".to_owned(),
            (Tab::List, mode @ Mode::Repeat) => format!("{} items", text::mode(mode)),
            (Tab::List, mode @ Mode::New) => format!("{} items only: what the shopper never bought", text::mode(mode)),
        };
        spans.push(span(format!("   {note}"), theme::QUIET));
        put(buf, head, 0, &Line::from(spans));
        match self.tab {
            Tab::Profile => {
                if let Some(profile) = content(context, &self.profile, "profile", rest, buf) {
                    profile::view(profile, context.daemon_now(), self.scroll, rest, buf);
                }
            }
            Tab::List => {
                if let Some(list) = content(context, &self.list, "list", rest, buf) {
                    let shown = served::Selection { item: self.item, focused: self.inside };
                    let empty = served::Empty {
                        what: "No item can be recommended",
                        next: "Is the catalogue loaded, and does the shopper consent?",
                    };
                    served::view(list, shown, empty, rest, buf);
                }
            }
        }
    }
}
