//! Screen 2: find a shopper, read the profile with what it was derived from, see the list and why it is so.

use mercer_shared::ids::UserId;
use mercer_shared::problem::Problem;
use mercer_shared::wire::{Mode, Page, Profile, ServedList, User};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::super::app::{App, Effect, Overlay, Purpose, Remote, moved};
use super::super::asks::Ask;
use super::super::commands::Action;
use super::super::widgets::input::Input;
use super::super::widgets::table::{Table, text, wide};
use super::super::widgets::{content, put, say, span, split_left, split_top, split_with_rule};
use super::super::{texts, theme};
use super::{profile, served};

/// Columns from which on the shoppers stand beside the one that is open.
const TWO_PANES: u16 = 96;
/// Columns of the shoppers beside the one that is open.
const LIST_COLUMNS: u16 = 32;
/// Milliseconds between two questions for an open profile while interactions come in.
const REFRESH_MS: i64 = 3000;

/// What is looked at of a shopper.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Tab {
    /// The profile.
    #[default]
    Profile,
    /// The list.
    List,
}

/// The state of the screen.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// Ids must begin so.
    pub filter: String,
    /// Shoppers found so far.
    pub found: Remote<Vec<User>>,
    /// Where the last page ended; nothing after the last.
    pub cursor: Option<String>,
    /// The selected shopper.
    pub selected: usize,
    /// The shopper who is open.
    pub open: Option<UserId>,
    /// Whether keys go to the open shopper.
    pub inside: bool,
    /// What is looked at.
    pub tab: Tab,
    /// The profile.
    pub profile: Remote<Box<Profile>>,
    /// When the profile was asked for.
    pub profiled: Option<mercer_shared::time::Timestamp>,
    /// Whether interactions came in since.
    pub touched: bool,
    /// Rows by which the profile is scrolled.
    pub scroll: usize,
    /// The list.
    pub list: Remote<Box<ServedList>>,
    /// Whether what the shopper has may appear.
    pub mode: Mode,
    /// The selected item of the list.
    pub item: usize,
}

/// Asks for what is shown.
pub(crate) fn load(app: &mut App) -> Vec<Effect> {
    let users = &mut app.users;
    let ask = Ask::Users { prefix: users.filter.clone(), cursor: None };
    let mut effects = vec![users.found.ask(ask)];
    effects.extend(load_open(app));
    effects
}

fn load_open(app: &mut App) -> Vec<Effect> {
    let now = app.now;
    let users = &mut app.users;
    let Some(user) = users.open.clone() else { return Vec::new() };
    users.profiled = Some(now);
    users.touched = false;
    vec![users.profile.ask(Ask::Profile(user.clone())), ask_list(users, user)]
}

fn ask_list(users: &mut State, user: UserId) -> Effect {
    let mode = users.mode;
    users.list.ask(Ask::Recommend { user, mode, reasons: false })
}

/// Interactions came in: the open profile may be another one now.
pub(crate) fn touched(app: &mut App) -> Vec<Effect> {
    app.users.touched = true;
    refresh(app)
}

/// Asks for the open profile again when interactions came in since.
pub(crate) fn refresh(app: &mut App) -> Vec<Effect> {
    let now = app.now;
    let users = &mut app.users;
    let due = users.profiled.is_none_or(|at| now.millis() - at.millis() >= REFRESH_MS);
    match &users.open {
        Some(user) if users.touched && due && !users.profile.loading => {
            let user = user.clone();
            users.touched = false;
            users.profiled = Some(now);
            vec![users.profile.ask(Ask::Profile(user))]
        }
        _ => Vec::new(),
    }
}

/// A page of shoppers came.
pub(crate) fn page(app: &mut App, prefix: &str, more: bool, result: Result<Page<User>, Problem>) -> Vec<Effect> {
    let users = &mut app.users;
    if users.filter != prefix {
        return Vec::new();
    }
    match result {
        Ok(page) => {
            users.cursor = page.next_cursor;
            let mut all = if more { users.found.value.take().unwrap_or_default() } else { Vec::new() };
            all.extend(page.items);
            users.selected = users.selected.min(all.len().saturating_sub(1));
            users.found.take(Ok(all));
        }
        Err(problem) => users.found.take(Err(problem)),
    }
    Vec::new()
}

/// A filter was typed.
pub(crate) fn filtered(app: &mut App, text: String) -> Vec<Effect> {
    let users = &mut app.users;
    users.filter = text;
    users.selected = 0;
    users.cursor = None;
    users.inside = false;
    let prefix = users.filter.clone();
    vec![users.found.ask(Ask::Users { prefix, cursor: None })]
}

fn open(app: &mut App, user: UserId) -> Vec<Effect> {
    let users = &mut app.users;
    if users.open.as_ref() != Some(&user) {
        users.profile = Remote::default();
        users.list = Remote::default();
        (users.item, users.scroll) = (0, 0);
    }
    users.open = Some(user);
    users.inside = true;
    load_open(app)
}

/// Lets a command act.
pub(crate) fn act(app: &mut App, action: Action, argument: Option<String>) -> Vec<Effect> {
    let page = app.page();
    let users = &mut app.users;
    match action {
        Action::OpenUser => match argument.map(UserId::new) {
            None => {
                app.overlay = Overlay::Typing(Purpose::User, Input::default());
                Vec::new()
            }
            Some(Ok(user)) => open(app, user),
            Some(Err(error)) => app.refuse(error.to_string()),
        },
        Action::Filter => {
            app.overlay = Overlay::Typing(Purpose::Filter, Input::new(&app.users.filter));
            Vec::new()
        }
        Action::Back if users.inside => {
            users.inside = false;
            Vec::new()
        }
        Action::Back if !users.filter.is_empty() => filtered(app, String::new()),
        Action::Back if users.open.is_some() => {
            users.open = None;
            Vec::new()
        }
        Action::Mode => {
            users.mode = if users.mode == Mode::New { Mode::Repeat } else { Mode::New };
            users.item = 0;
            users.tab = Tab::List;
            match users.open.clone() {
                Some(user) => vec![ask_list(users, user)],
                None => app.refuse("Open a shopper first"),
            }
        }
        Action::NextTab | Action::PreviousTab if users.open.is_some() => {
            users.inside = true;
            users.tab = if users.tab == Tab::Profile { Tab::List } else { Tab::Profile };
            Vec::new()
        }
        Action::Why => match users.open.clone() {
            None => app.refuse("Open a shopper first"),
            Some(user) => {
                (users.tab, users.inside) = (Tab::List, true);
                let mode = users.mode;
                vec![users.list.ask(Ask::Recommend { user, mode, reasons: true })]
            }
        },
        Action::Left if users.inside => {
            users.inside = false;
            Vec::new()
        }
        Action::Right if users.open.is_some() && !users.inside => {
            users.inside = true;
            Vec::new()
        }
        Action::Open | Action::Right if !users.inside => {
            let chosen =
                users.found.value.as_ref().and_then(|found| found.get(users.selected)).map(|user| user.id.clone());
            chosen.map_or_else(Vec::new, |user| open(app, user))
        }
        Action::Open if users.tab == Tab::Profile => {
            users.tab = Tab::List;
            Vec::new()
        }
        Action::Open => act(app, Action::Why, None),
        action if users.inside && users.tab == Tab::List => {
            let len = users.list.value.as_ref().map_or(0, |list| list.items.len());
            users.item = moved(users.item, action, len, page).unwrap_or(users.item);
            Vec::new()
        }
        action if users.inside => {
            let rows = users.profile.value.as_ref().map_or(0, |profile| profile::rows(profile, profile.at, 80).len());
            users.scroll = moved(users.scroll, action, rows, page).unwrap_or(users.scroll);
            Vec::new()
        }
        action => {
            let len = users.found.value.as_ref().map_or(0, Vec::len);
            let Some(next) = moved(users.selected, action, len, page) else { return Vec::new() };
            let at_end = next + 1 >= len && len > 0;
            users.selected = next;
            // The next page is asked for when the last row is reached.
            match users.cursor.take() {
                Some(cursor) if at_end && !users.found.loading => {
                    let prefix = users.filter.clone();
                    vec![users.found.ask(Ask::Users { prefix, cursor: Some(cursor) })]
                }
                cursor => {
                    users.cursor = cursor;
                    Vec::new()
                }
            }
        }
    }
}

/// Draws it.
pub(crate) fn view(app: &App, area: Rect, buf: &mut Buffer) {
    let users = &app.users;
    if users.open.is_none() {
        return found(app, area, buf, true);
    }
    if area.width >= TWO_PANES {
        let (left, right) = split_with_rule(buf, area, LIST_COLUMNS);
        found(app, Rect { width: left.width.saturating_sub(1), ..left }, buf, !users.inside);
        shopper(app, right, buf);
    } else if users.inside {
        shopper(app, area, buf);
    } else {
        found(app, area, buf, true);
    }
}

fn found(app: &App, area: Rect, buf: &mut Buffer, focused: bool) {
    let users = &app.users;
    let (head, rest) = split_top(area, 1);
    let Some(all) = content(app, &users.found, rest, buf, "shoppers") else { return };
    let loaded = all.len() as u64;
    let total = app.status.value.as_ref().map(|status| status.counts.users).filter(|total| *total > loaded);
    let count = match (users.cursor.is_some(), users.filter.is_empty(), total) {
        (true, true, Some(total)) => {
            format!("{} of {}", texts::count(loaded), texts::plural(total, "shopper", "shoppers"))
        }
        (true, ..) => format!("{} or more", texts::plural(loaded, "shopper", "shoppers")),
        (false, ..) => texts::plural(loaded, "shopper", "shoppers"),
    };
    let mut title = vec![span(count, theme::STRONG)];
    if !users.filter.is_empty() {
        title.push(span(format!("  ids that begin with {}", texts::clean(&users.filter)), theme::WARN));
    }
    put(buf, head, 0, &Line::from(title));
    if all.is_empty() {
        if users.filter.is_empty() {
            say(buf, rest, "The shop has no shoppers yet", "Load some: mercer import --preset NAME FILE");
        } else {
            say(buf, rest, "No id begins so", "esc clears the filter, o opens an exact id");
        }
        return;
    }
    let columns = [text("id", 0), wide("declared", 16), text("consent", 1)];
    let rows = all
        .iter()
        .map(|user| {
            let declared: Vec<String> = user.attributes.iter().map(|(k, v)| format!("{k} {v}")).collect();
            vec![
                Line::from(texts::cut(&texts::clean(user.id.as_str()), 28)),
                Line::styled(texts::clean(&declared.join(", ")), theme::QUIET),
                Line::styled(profile::consent(&user.consent), theme::QUIET),
            ]
        })
        .collect();
    Table { columns: &columns, rows, selected: Some(users.selected), focused }.draw(rest, buf);
}

/// The open shopper: tabs, then the profile or the list.
fn shopper(app: &App, area: Rect, buf: &mut Buffer) {
    let users = &app.users;
    let Some(user) = &users.open else { return };
    let (head, rest) = split_top(area, 2);
    let tab = |tab: Tab, title: &str| {
        let style = if users.tab == tab { theme::SELECTED } else { theme::QUIET };
        [span("  ", theme::PLAIN), span(title.to_owned(), style)]
    };
    let mut spans: Vec<Span<'_>> = vec![span(texts::cut(&texts::clean(user.as_str()), 40), theme::STRONG)];
    spans.extend(tab(Tab::Profile, "Profile"));
    spans.extend(tab(Tab::List, "List"));
    match users.tab {
        Tab::Profile => {
            spans.push(span("   tab shows the list", theme::QUIET));
            put(buf, head, 0, &Line::from(spans));
            if let Some(profile) = content(app, &users.profile, rest, buf, "the profile") {
                let columns = usize::from(rest.width);
                profile::view(profile, app.daemon_now(), users.scroll, columns, rest, buf);
            }
        }
        Tab::List => {
            let mode = if users.mode == Mode::New { "only what is new to the shopper" } else { "repeats allowed" };
            spans.push(span(format!("   {mode}"), theme::QUIET));
            put(buf, head, 0, &Line::from(spans));
            if let Some(list) = content(app, &users.list, rest, buf, "the list") {
                let empty = ("No item can be recommended", "Is the catalogue loaded, and does the shopper consent?");
                served::view(list, users.item, users.inside, empty, split_left(rest, 0).1, buf);
            }
        }
    }
}
