//! Screen 7: what happens and happened: live events, decisions of the agent, and who changed what.

use std::collections::VecDeque;

use mercer_shared::time::Timestamp;
use mercer_shared::wire::{AuditEntry, Decision, Event, EventKind, ImportPhase};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::super::app::{App, Effect, Overlay, Purpose, Remote, moved};
use super::super::asks::Ask;
use super::super::commands::Action;
use super::super::widgets::input::Input;
use super::super::widgets::{put, say, say_problem, span, split_top};
use super::super::{texts, theme};

/// Lines kept of the live stream.
const KEPT: usize = 1000;
/// Latest lines among which an event may join an earlier one of its kind.
const BURST: usize = 6;
/// Longest time that one line gathers, in milliseconds.
const BURST_MS: i64 = 10_000;

/// What is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Tab {
    /// Everything by time.
    #[default]
    All,
    /// The live stream.
    Events,
    /// Decisions of the agent.
    Decisions,
    /// Who changed what.
    Audit,
}

const TABS: [(Tab, &str); 4] =
    [(Tab::All, "All"), (Tab::Events, "Events"), (Tab::Decisions, "Decisions"), (Tab::Audit, "Changes")];

/// One line.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// When.
    pub at: Timestamp,
    /// The kind in a word.
    pub kind: &'static str,
    /// What.
    pub text: String,
    /// How it looks.
    pub style: Style,
    /// What the events of this line add up to.
    pub sum: u64,
    /// What this line of progress is about.
    pub about: Option<String>,
}

/// The state of the screen.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// The live stream since this console was opened, oldest first.
    pub events: VecDeque<Entry>,
    /// Decisions, newest first.
    pub decisions: Remote<Vec<Decision>>,
    /// Changes, newest first.
    pub audit: Remote<Vec<AuditEntry>>,
    /// What is shown.
    pub tab: usize,
    /// What a line must contain.
    pub filter: String,
    /// How many lines the view is scrolled back from the newest; 0 follows.
    pub back: usize,
}

/// Asks for decisions and changes.
pub(crate) fn load(app: &mut App) -> Vec<Effect> {
    vec![app.log.decisions.ask(Ask::Decisions), app.log.audit.ask(Ask::Audit)]
}

/// Asks again for what the stream does not carry.
pub(crate) fn refresh(app: &mut App) -> Vec<Effect> {
    if app.log.audit.loading { Vec::new() } else { vec![app.log.audit.ask(Ask::Audit)] }
}

/// Notes an event.
pub(crate) fn note(app: &mut App, event: &Event) {
    let Some((kind, text, style)) = words(&event.kind) else { return };
    let about = about(&event.kind);
    let state = &mut app.log;
    // Bursts become one line that counts on, or they would wash everything else away.
    match &event.kind {
        EventKind::Interactions { .. } | EventKind::Items { .. } => {
            let recent = state.events.iter_mut().rev().take(BURST).find(|entry| entry.kind == kind);
            if let Some(last) = recent.filter(|last| event.at.millis() - last.at.millis() < BURST_MS) {
                last.sum = last.sum.saturating_add(sum(&event.kind));
                last.text = match &event.kind {
                    EventKind::Interactions { total, .. } => words_of_interactions(last.sum, *total),
                    EventKind::Items { total, .. } => words_of_items(last.sum, *total),
                    _ => text,
                };
                return;
            }
        }
        // Progress moves on: only the latest word on a run's phase or on a file stays, at its own time.
        EventKind::Run(_) | EventKind::Import(_) => {
            let earlier = state.events.iter().rposition(|entry| about.is_some() && entry.about == about);
            if let Some(place) = earlier {
                state.events.remove(place);
                state.back = state.back.saturating_sub(1);
            }
        }
        _ => {}
    }
    state.events.push_back(Entry { at: event.at, kind, text, style, sum: sum(&event.kind), about });
    if state.back > 0 {
        state.back += 1;
    }
    if state.events.len() > KEPT {
        state.events.pop_front();
    }
}

/// What a line of progress is about; the next word about it takes its place.
fn about(event: &EventKind) -> Option<String> {
    match event {
        EventKind::Run(run) if !run.state.is_final() => Some(format!("{} {}", run.id, texts::word(&run.phase))),
        EventKind::Import(progress) => Some(progress.file.clone()),
        _ => None,
    }
}

/// What a burst of such events adds up.
const fn sum(event: &EventKind) -> u64 {
    match event {
        EventKind::Interactions { accepted, .. } => *accepted,
        EventKind::Items { written, .. } => *written,
        _ => 0,
    }
}

fn words_of_interactions(accepted: u64, total: u64) -> String {
    format!("{} more, {} in all", texts::count(accepted), texts::count(total))
}

fn words_of_items(written: u64, total: u64) -> String {
    format!("{} written, {} in all", texts::count(written), texts::count(total))
}

fn words(event: &EventKind) -> Option<(&'static str, String, Style)> {
    let shown = |text: String| texts::clean(&text);
    Some(match event {
        EventKind::Heartbeat => return None,
        EventKind::Lagged { missed } => (
            "lagged",
            format!("{} were left out: this console was too slow", texts::plural(*missed, "event", "events")),
            theme::WARN,
        ),
        EventKind::Interactions { accepted, total } => {
            ("interactions", words_of_interactions(*accepted, *total), theme::PLAIN)
        }
        EventKind::Items { written, total } => ("items", words_of_items(*written, *total), theme::PLAIN),
        EventKind::Erased { pseudonym } => {
            ("erased", shown(format!("a shopper, pseudonym {}", texts::cut(pseudonym, 16))), theme::WARN)
        }
        EventKind::Import(p) => {
            let share = if p.total_bytes > 0 {
                format!(", {:.0} % of the file", 100.0 * p.bytes as f64 / p.total_bytes as f64)
            } else {
                String::new()
            };
            let verb = if p.phase == ImportPhase::Scanning { "scanned" } else { "read" };
            (
                "import",
                shown(format!("{}: {} {verb}{share}", p.file, texts::plural(p.lines, "line", "lines"))),
                theme::PLAIN,
            )
        }
        EventKind::Imported(report) => (
            "imported",
            shown(format!(
                "{}: {} of {} accepted, {} known, in {}",
                report.file,
                texts::count(report.accepted),
                texts::plural(report.lines, "line", "lines"),
                texts::count(report.duplicates),
                texts::eta(report.seconds)
            )),
            theme::GOOD,
        ),
        EventKind::Run(run) => {
            let at = if run.state.is_final() {
                String::new()
            } else if run.steps == 0 {
                format!(", {}", texts::word(&run.phase))
            } else {
                format!(", {} {}/{}", texts::word(&run.phase), texts::count(run.step), texts::count(run.steps))
            };
            let gate = run
                .gate
                .as_ref()
                .filter(|_| run.state.is_final())
                .map(|gate| format!(", gate: {}", gate.reason))
                .unwrap_or_default();
            let error = run.error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
            let style = if run.error.is_some() { theme::BAD } else { theme::ACCENT };
            ("run", shown(format!("{} {}{at}{gate}{error}", run.id, texts::word(&run.state))), style)
        }
        EventKind::Model(model) => {
            ("model", shown(format!("{} {}", model.version, texts::word(&model.state))), theme::ACCENT)
        }
        EventKind::Decision(decision) => return Some(("decision", decision_text(decision), theme::PLAIN)),
        EventKind::Alarm(alarm) => ("alarm", shown(format!("{}: {}", alarm.kind, alarm.text)), theme::BAD),
        EventKind::Stopping => ("stopping", "the daemon stops".to_owned(), theme::WARN),
    })
}

fn decision_text(decision: &Decision) -> String {
    let outcome = decision.outcome.as_ref().map(|outcome| format!("; {outcome}")).unwrap_or_default();
    texts::clean(&format!("{} because {} (saw {}){outcome}", decision.action, decision.rule, decision.saw))
}

fn audit_text(entry: &AuditEntry) -> String {
    let who = match (entry.uid, entry.pid) {
        (Some(uid), Some(pid)) => format!("uid {uid}, pid {pid}"),
        (Some(uid), None) => format!("uid {uid}"),
        _ => "the daemon".to_owned(),
    };
    texts::clean(&format!("{} {} by {who}  {}", entry.action, entry.target, entry.detail))
}

/// Everything that is shown, oldest first.
fn entries(app: &App) -> Vec<Entry> {
    let state = &app.log;
    let tab = TABS[state.tab % TABS.len()].0;
    let mut all: Vec<Entry> = Vec::new();
    if matches!(tab, Tab::All | Tab::Events) {
        // Decisions come from their own list where both are shown.
        all.extend(state.events.iter().filter(|entry| tab == Tab::Events || entry.kind != "decision").cloned());
    }
    if matches!(tab, Tab::All | Tab::Decisions) {
        let list = state.decisions.value.iter().flatten();
        all.extend(list.map(|d| Entry {
            at: d.at,
            kind: "decision",
            text: decision_text(d),
            style: theme::PLAIN,
            sum: 0,
            about: None,
        }));
        if state.decisions.value.is_none() {
            all.extend(state.events.iter().filter(|entry| entry.kind == "decision").cloned());
        }
    }
    if matches!(tab, Tab::All | Tab::Audit) {
        let list = state.audit.value.iter().flatten();
        all.extend(list.map(|a| Entry {
            at: a.at,
            kind: "change",
            text: audit_text(a),
            style: theme::PLAIN,
            sum: 0,
            about: None,
        }));
    }
    if !state.filter.is_empty() {
        let filter = state.filter.to_lowercase();
        all.retain(|entry| entry.kind.contains(&filter) || entry.text.to_lowercase().contains(&filter));
    }
    all.sort_by_key(|entry| entry.at);
    all
}

/// Lets a command act.
pub(crate) fn act(app: &mut App, action: Action) -> Vec<Effect> {
    let (len, page) = (entries(app).len(), app.page());
    let state = &mut app.log;
    match action {
        Action::NextTab | Action::Right => (state.tab, state.back) = ((state.tab + 1) % TABS.len(), 0),
        Action::PreviousTab | Action::Left => (state.tab, state.back) = ((state.tab + TABS.len() - 1) % TABS.len(), 0),
        Action::Follow => state.back = if state.back == 0 { 1 } else { 0 },
        Action::Filter => app.overlay = Overlay::Typing(Purpose::Filter, Input::new(&app.log.filter)),
        Action::Back => {
            state.filter.clear();
            state.back = 0;
        }
        action => {
            // Going down goes towards the newest, which is `back` 0.
            let last = len.saturating_sub(page);
            let top = last - state.back.min(last);
            if let Some(top) = moved(top, action, last + 1, page) {
                state.back = last - top;
            }
        }
    }
    Vec::new()
}

fn line<'a>(entry: &Entry, now: Timestamp, columns: usize) -> Line<'a> {
    let today = texts::date(entry.at) == texts::date(now);
    let at = if today { texts::clock(entry.at) } else { texts::moment(entry.at) };
    let at = texts::pad(&at, if columns >= 100 { 17 } else { 9 });
    let room = columns.saturating_sub(texts::width(&at) + 14);
    Line::from(vec![
        span(at, theme::QUIET),
        span(texts::pad(entry.kind, 13), theme::QUIET),
        span(" ", theme::PLAIN),
        span(texts::cut(&entry.text, room), entry.style),
    ])
}

/// The latest events of the stream, newest first, for the overview.
pub(crate) fn draw_events(app: &App, area: Rect, buf: &mut Buffer) {
    for (row, entry) in app.log.events.iter().rev().take(usize::from(area.height)).enumerate() {
        let columns = usize::from(area.width);
        let at = texts::clock(entry.at);
        let spans: Vec<Span<'_>> = vec![
            span(format!("{at} "), theme::QUIET),
            span(texts::pad(entry.kind, 13), theme::QUIET),
            span(texts::cut(&entry.text, columns.saturating_sub(22)), entry.style),
        ];
        put(buf, area, row, &Line::from(spans));
    }
}

/// Draws it.
pub(crate) fn view(app: &App, area: Rect, buf: &mut Buffer) {
    let state = &app.log;
    let (head, rest) = split_top(area, 2);
    let all = entries(app);
    let mut title: Vec<Span<'_>> = Vec::new();
    for (n, (_, name)) in TABS.iter().enumerate() {
        title.push(span(*name, if n == state.tab % TABS.len() { theme::SELECTED } else { theme::QUIET }));
        title.push(span("  ", theme::PLAIN));
    }
    let follow = if state.back == 0 { " follows the newest" } else { " stands still; G follows again" };
    title.push(span(follow, theme::QUIET));
    if !state.filter.is_empty() {
        title.push(span(format!("   only {}", texts::clean(&state.filter)), theme::WARN));
    }
    put(buf, head, 0, &Line::from(title));
    if all.is_empty() {
        let problem = match TABS[state.tab % TABS.len()].0 {
            Tab::Decisions => state.decisions.problem.as_ref(),
            Tab::Audit => state.audit.problem.as_ref(),
            _ => None,
        };
        return match problem {
            Some(problem) => say_problem(app, buf, rest, problem),
            None if !state.filter.is_empty() => say(buf, rest, "No line contains these words", "esc clears the filter"),
            None => say(buf, rest, "Nothing yet", "Interactions, imports, runs and changes appear here as they happen"),
        };
    }
    let height = usize::from(rest.height);
    let last = all.len().saturating_sub(height);
    let first = last - state.back.min(last);
    let now = app.daemon_now();
    for (row, entry) in all[first..].iter().take(height).enumerate() {
        put(buf, rest, row, &line(entry, now, usize::from(rest.width)));
    }
}
