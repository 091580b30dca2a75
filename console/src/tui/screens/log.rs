//! Screen 7: live events, decisions of the agent, and the audit log.

use mercer_shared::time::Timestamp;
use mercer_shared::wire::{AuditEntry, Decision, Event};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::text;
use crate::tui::ask::{Ask, Reply};
use crate::tui::command::{Action, Command, FILTER, NEXT_TAB, PREVIOUS_TAB};
use crate::tui::context::Context;
use crate::tui::event_log::{Entry, decision_words};
use crate::tui::overlays::prompt::Prompt;
use crate::tui::pane::say_problem;
use crate::tui::remote::Remote;
use crate::tui::screen::{About, Screen};
use crate::tui::theme;
use crate::tui::widgets::draw::{put, say, span};
use crate::tui::widgets::split::split_top;

const ABOUT: About = About {
    title: "Log",
    name: "log",
    help: "Live events, decisions and who changed what",
    lists: true,
    commands: &[
        FILTER,
        Command::new(Action::Follow, "follow", &["F"], "Follow the newest line, or stand still").footer("follow"),
        NEXT_TAB,
        PREVIOUS_TAB,
    ],
};

/// Columns from which on lines of other days have the room for their date.
const WIDE: usize = 100;

/// The kind of log that is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Tab {
    /// Everything by time.
    #[default]
    All,
    /// The live stream.
    Events,
    /// Decisions of the agent.
    Decisions,
    /// The audit log.
    Audit,
}

impl Tab {
    const ALL: [Self; 4] = [Self::All, Self::Events, Self::Decisions, Self::Audit];

    const fn title(self) -> &'static str {
        match self {
            Self::All => "All",
            Self::Events => "Events",
            Self::Decisions => "Decisions",
            Self::Audit => "Changes",
        }
    }

    /// The tab so many places further, around the end.
    fn step(self, by: usize) -> Self {
        let place = Self::ALL.iter().position(|tab| *tab == self).unwrap_or(0);
        Self::ALL[(place + by) % Self::ALL.len()]
    }
}

/// The screen.
#[derive(Debug, Default)]
pub(crate) struct Log {
    /// Decisions, newest first.
    decisions: Remote<Vec<Decision>>,
    /// Changes, newest first.
    audit: Remote<Vec<AuditEntry>>,
    tab: Tab,
    /// The filter.
    filter: String,
    /// Lines by which the view is scrolled back from the newest; 0 follows.
    pub back: usize,
    /// The value of [`crate::tui::event_log::EventLog::grown`] when the view was last scrolled.
    grown: i64,
}

impl Screen for Log {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn load(&mut self, context: &mut Context) {
        context.ask(&mut self.decisions, Ask::Decisions);
        context.ask(&mut self.audit, Ask::Audit);
    }

    fn poll(&mut self, context: &mut Context) {
        // The stream carries no changes.
        if !self.audit.loading {
            context.ask(&mut self.audit, Ask::Audit);
        }
    }

    fn act(&mut self, action: Action, _argument: Option<String>, context: &mut Context) {
        match action {
            Action::NextTab | Action::Right => (self.tab, self.back) = (self.tab.step(1), 0),
            Action::PreviousTab | Action::Left => (self.tab, self.back) = (self.tab.step(Tab::ALL.len() - 1), 0),
            Action::Follow => self.back = usize::from(self.back == 0),
            Action::Filter => context.open(Prompt::filter("filter ", &self.filter)),
            Action::Back => {
                self.filter.clear();
                self.back = 0;
            }
            action => {
                // Going down goes towards the newest, which is `back` 0.
                let page = context.page();
                let last = self.entries(context).len().saturating_sub(page);
                let top = last - self.back.min(last);
                if let Some(top) = action.moved(top, last + 1, page) {
                    self.back = last - top;
                }
            }
        }
    }

    fn filter(&mut self, text: String, _context: &mut Context) {
        self.filter = text;
        self.back = 0;
    }

    fn reply(&mut self, reply: Reply, _context: &mut Context) -> Option<Reply> {
        match reply.ask {
            Ask::Decisions => self.decisions.take(reply.result),
            Ask::Audit => self.audit.take(reply.result),
            _ => return Some(reply),
        }
        None
    }

    fn event(&mut self, _event: &Event, _shown: bool, context: &mut Context) {
        let grown = context.events.grown();
        if self.back > 0 {
            // New lines do not move what is being read.
            self.back = self.back.saturating_add_signed(isize::try_from(grown - self.grown).unwrap_or(0)).max(1);
        }
        self.grown = grown;
    }

    fn view(&self, context: &Context, area: Rect, buf: &mut Buffer) {
        let (head, rest) = split_top(area, 2);
        put(buf, head, 0, &self.title());
        let all = self.entries(context);
        if all.is_empty() {
            return self.nothing(context, rest, buf);
        }
        let height = usize::from(rest.height);
        let last = all.len().saturating_sub(height);
        let first = last - self.back.min(last);
        let now = context.daemon_now();
        for (row, entry) in all[first..].iter().take(height).enumerate() {
            put(buf, rest, row, &line(entry, now, usize::from(rest.width)));
        }
    }
}

impl Log {
    /// Everything that is shown, oldest first.
    fn entries(&self, context: &Context) -> Vec<Entry> {
        let mut all: Vec<Entry> = Vec::new();
        let is_decision = |entry: &&Entry| entry.kind == "decision";
        if matches!(self.tab, Tab::All | Tab::Events) {
            // Decisions come from their own list where both are shown.
            let streamed = context.events.entries().filter(|entry| self.tab == Tab::Events || !is_decision(entry));
            all.extend(streamed.cloned());
        }
        if matches!(self.tab, Tab::All | Tab::Decisions) {
            match &self.decisions.value {
                Some(list) => {
                    all.extend(list.iter().map(|d| Entry::new(d.at, "decision", decision_words(d), theme::PLAIN)))
                }
                None => all.extend(context.events.entries().filter(is_decision).cloned()),
            }
        }
        if matches!(self.tab, Tab::All | Tab::Audit) {
            let list = self.audit.value.iter().flatten();
            all.extend(list.map(|a| Entry::new(a.at, "change", change_words(a), theme::PLAIN)));
        }
        if !self.filter.is_empty() {
            let filter = self.filter.to_lowercase();
            all.retain(|entry| entry.kind.contains(&filter) || entry.text.to_lowercase().contains(&filter));
        }
        all.sort_by_key(|entry| entry.at);
        all
    }

    /// The tabs, and how the view stands to the newest line.
    fn title<'a>(&self) -> Line<'a> {
        let mut title: Vec<Span<'_>> = Vec::new();
        for tab in Tab::ALL {
            title.push(span(tab.title(), if tab == self.tab { theme::SELECTED } else { theme::QUIET }));
            title.push(span("  ", theme::PLAIN));
        }
        let follow = if self.back == 0 { "follows the newest" } else { "stands still; G follows again" };
        title.push(span(format!(" {follow}; times in UTC"), theme::QUIET));
        if !self.filter.is_empty() {
            title.push(span(format!("   only {}", text::clean(&self.filter)), theme::WARN));
        }
        Line::from(title)
    }

    /// Draws the reason why there are no lines.
    fn nothing(&self, context: &Context, area: Rect, buf: &mut Buffer) {
        let problem = match self.tab {
            Tab::Decisions => self.decisions.problem.as_ref(),
            Tab::Audit => self.audit.problem.as_ref(),
            _ => None,
        };
        match problem {
            Some(problem) => say_problem(context, buf, area, problem),
            None if !self.filter.is_empty() => {
                say(buf, area, "No line contains these words", "esc clears the filter");
            }
            None => say(buf, area, "Nothing yet", "Interactions, imports, runs and changes appear here as they happen"),
        }
    }
}

fn change_words(entry: &AuditEntry) -> String {
    let who = match (entry.uid, entry.pid) {
        (Some(uid), Some(pid)) => format!("uid {uid}, pid {pid}"),
        (Some(uid), None) => format!("uid {uid}"),
        _ => "the daemon".to_owned(),
    };
    text::clean(&format!("{} {} by {who}  {}", entry.action, entry.target, entry.detail))
}

fn line<'a>(entry: &Entry, now: Timestamp, columns: usize) -> Line<'a> {
    let today = text::date(entry.at) == text::date(now);
    let at = match (today, columns >= WIDE) {
        (true, _) => text::clock(entry.at),
        (false, true) => text::unmarked_moment(entry.at),
        (false, false) => text::date(entry.at),
    };
    let at = text::pad(&at, if columns >= WIDE { 20 } else { 11 });
    let room = columns.saturating_sub(text::width(&at) + 14);
    Line::from(vec![
        span(at, theme::QUIET),
        span(text::pad(entry.kind, 13), theme::QUIET),
        span(" ", theme::PLAIN),
        span(text::cut(&entry.text, room), entry.style),
    ])
}
