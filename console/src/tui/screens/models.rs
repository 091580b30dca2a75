//! Screen 5: model versions: what each measured, what the gate said; compare, promote, roll back, pin.

use mercer_shared::wire::{GateReport, GateVerdict, MetricValue, ModelState, ModelVersion};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::super::app::{App, Confirm, Effect, Overlay, Purpose, Remote, moved};
use super::super::asks::Ask;
use super::super::commands::Action;
use super::super::widgets::input::Input;
use super::super::widgets::table::{Table, number, text, wide};
use super::super::widgets::{content, say, span, split_top, split_with_rule};
use super::super::{texts, theme};
use super::model_detail;

/// Columns from which on the versions stand beside the selected one.
const TWO_PANES: u16 = 130;
/// Most rows of the versions above the selected one.
const VERSION_ROWS: u16 = 8;

/// Columns of the gate's reason in a question; the screen behind it has all of it.
const REASON: usize = 160;

/// The state of the screen.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// Versions, newest first.
    pub list: Remote<Vec<ModelVersion>>,
    /// The selected one among those that pass the filter.
    pub selected: usize,
    /// What a version, its state or its encoder must contain.
    pub filter: String,
    /// The version marked for comparison.
    pub marked: Option<String>,
    /// Rows by which the detail is scrolled.
    pub scroll: usize,
    /// Whether keys scroll the detail.
    pub inside: bool,
}

/// Versions that pass the filter.
fn shown(app: &App) -> Vec<&ModelVersion> {
    let filter = app.models.filter.to_lowercase();
    let passes = |model: &&ModelVersion| {
        let text = format!(
            "{} {} {} {}",
            model.version,
            texts::word(&model.state),
            model.encoder.name,
            if model.pinned { "pinned" } else { "" }
        );
        text.to_lowercase().contains(&filter)
    };
    app.models.list.value.iter().flatten().filter(passes).collect()
}

fn selected(app: &App) -> Option<&ModelVersion> {
    let shown = shown(app);
    shown.get(app.models.selected.min(shown.len().saturating_sub(1))).copied()
}

/// Asks for the versions.
pub(crate) fn load(app: &mut App) -> Vec<Effect> {
    vec![app.models.list.ask(Ask::Models)]
}

/// A version appeared or changed.
pub(crate) fn update_model(app: &mut App, model: ModelVersion) {
    let Some(list) = &mut app.models.list.value else { return };
    if model.state == ModelState::Serving {
        for other in
            list.iter_mut().filter(|other| other.version != model.version && other.state == ModelState::Serving)
        {
            other.state = ModelState::Retired;
        }
    }
    match list.iter_mut().find(|known| known.version == model.version) {
        Some(known) => *known = model,
        None => list.insert(0, model),
    }
}

/// Lets a command act.
pub(crate) fn act(app: &mut App, action: Action) -> Vec<Effect> {
    match action {
        Action::Promote => promote(app),
        Action::Rollback => rollback(app),
        Action::Pin => pin(app),
        Action::Compare => {
            let Some(version) = selected(app).map(|model| model.version.clone()) else { return Vec::new() };
            if app.models.marked.as_ref() == Some(&version) {
                app.models.marked = None;
            } else if app.models.marked.is_none() {
                app.say(format!("{version} is marked; select another to see both"), false);
                app.models.marked = Some(version);
            } else {
                app.models.marked = Some(version);
            }
            Vec::new()
        }
        Action::Filter => {
            app.overlay = Overlay::Typing(Purpose::Filter, Input::new(&app.models.filter));
            Vec::new()
        }
        Action::NextTab | Action::PreviousTab | Action::Open => {
            app.models.inside = !app.models.inside;
            Vec::new()
        }
        Action::Right => {
            app.models.inside = true;
            Vec::new()
        }
        Action::Back | Action::Left if app.models.inside => {
            app.models.inside = false;
            Vec::new()
        }
        Action::Back if app.models.marked.is_some() => {
            app.models.marked = None;
            Vec::new()
        }
        Action::Back => {
            app.models.filter.clear();
            Vec::new()
        }
        action if app.models.inside => {
            let rows = model_detail::rows(app, selected(app), usize::from(app.size.0)).len();
            app.models.scroll = moved(app.models.scroll, action, rows, app.page()).unwrap_or(app.models.scroll);
            Vec::new()
        }
        action => {
            let (len, page) = (shown(app).len(), app.page());
            if let Some(next) = moved(app.models.selected, action, len, page) {
                app.models.selected = next;
                app.models.scroll = 0;
            }
            Vec::new()
        }
    }
}

fn serving(app: &App) -> Option<&ModelVersion> {
    app.models.list.value.iter().flatten().find(|model| model.state == ModelState::Serving)
}

fn promote(app: &mut App) -> Vec<Effect> {
    let Some(model) = selected(app) else { return Vec::new() };
    if model.state == ModelState::Serving {
        let text = format!("{} serves already", model.version);
        return app.refuse(text);
    }
    let now = serving(app).map_or_else(|| "no version".to_owned(), |model| model.version.clone());
    let mut lines = vec![format!(
        "{} answers every request from the next on, in place of {now}. No request is dropped.",
        model.version
    )];
    match &model.gate {
        Some(gate) if gate.verdict != GateVerdict::Promote => {
            let word = verdict_span(gate.verdict).content;
            lines.push(format!("The gate did not pass it ({word}): {}", texts::cut(&gate.reason, REASON)));
        }
        Some(gate) => lines.push(format!("The gate passed it: {}", texts::cut(&gate.reason, REASON))),
        None => lines.push("The gate has not seen it.".to_owned()),
    }
    lines.push("B goes back. The change is noted in the audit log.".to_owned());
    let confirm = Confirm {
        title: format!("Promote {}?", model.version),
        lines,
        ask: Ask::Promote(model.version.clone()),
        verb: "promote",
    };
    app.confirm(confirm)
}

fn rollback(app: &mut App) -> Vec<Effect> {
    let Some(current) = serving(app).map(|model| model.version.clone()) else { return app.refuse("No version serves") };
    let before = app
        .models
        .list
        .value
        .iter()
        .flatten()
        .filter(|model| model.state == ModelState::Retired)
        .max_by_key(|model| model.promoted)
        .map(|model| model.version.clone());
    let Some(before) = before else { return app.refuse("No version served before this one") };
    let lines = vec![
        format!(
            "The version that served before {current} answers from the next request on: {before}. No request is dropped."
        ),
        format!("{current} stays and can be promoted again. The change is noted in the audit log."),
    ];
    app.confirm(Confirm { title: "Roll back?".to_owned(), lines, ask: Ask::Rollback, verb: "roll back" })
}

fn pin(app: &mut App) -> Vec<Effect> {
    let Some(model) = selected(app) else { return Vec::new() };
    let version = model.version.clone();
    let (title, line, verb) = if model.pinned {
        (format!("Stop keeping {version}?"), "It may be deleted when it is old.", "unpin")
    } else {
        (format!("Keep {version}?"), "It stays when old versions are deleted.", "pin")
    };
    let ask = Ask::Pin(version, !model.pinned);
    app.confirm(Confirm { title, lines: vec![line.to_owned()], ask, verb })
}

/// The gate's word with its colour.
pub(crate) fn verdict_span<'a>(verdict: GateVerdict) -> Span<'a> {
    let (word, style) = match verdict {
        GateVerdict::Promote => ("passed", theme::GOOD),
        GateVerdict::Reject => ("rejected", theme::WARN),
        GateVerdict::InsufficientData => ("too few users", theme::QUIET),
    };
    span(word, style)
}

/// The state of a version with its colour.
pub(crate) fn state_span<'a>(state: ModelState) -> Span<'a> {
    let style = match state {
        ModelState::Serving => theme::GOOD,
        ModelState::Candidate | ModelState::Canary => theme::ACCENT,
        ModelState::Retired => theme::QUIET,
        ModelState::Rejected => theme::WARN,
    };
    span(texts::word(&state), style)
}

fn metric<'a>(model: &'a ModelVersion, slice: &str) -> Option<&'a MetricValue> {
    model.metrics.iter().find(|metric| metric.slice == slice && metric.name.starts_with("ndcg"))
}

/// The deciding difference of a gate.
fn difference(gate: &GateReport) -> Option<f64> {
    gate.comparisons.first().map(|comparison| comparison.difference)
}

/// Draws it.
pub(crate) fn view(app: &App, area: Rect, buf: &mut Buffer) {
    let Some(all) = content(app, &app.models.list, area, buf, "versions") else { return };
    let shown = shown(app);
    if all.is_empty() {
        return say(buf, area, "No version yet", "The first is built when items are loaded; 4 trains the next");
    }
    if shown.is_empty() {
        return say(buf, area, "No version contains these words", "esc clears the filter");
    }
    let index = app.models.selected.min(shown.len() - 1);
    let detail = if area.width >= TWO_PANES {
        let (left, right) = split_with_rule(buf, area, area.width * 9 / 20);
        versions(app, &shown, index, Rect { width: left.width.saturating_sub(1), ..left }, buf);
        right
    } else {
        let (top, bottom) = split_top(area, VERSION_ROWS.min(shown.len() as u16 + 2).min(area.height / 2));
        versions(app, &shown, index, top, buf);
        bottom
    };
    model_detail::view(app, shown[index], detail, buf);
}

fn versions(app: &App, shown: &[&ModelVersion], selected: usize, area: Rect, buf: &mut Buffer) {
    let now = app.daemon_now();
    let columns = [
        text("version", 0),
        text("state", 0),
        text("kept", 5),
        number("ndcg repeat", 1),
        number("ndcg new", 2),
        number("vs serving", 3),
        text("gate", 2),
        wide("made", 8),
        number("size", 6),
    ];
    let rows = shown.iter().map(|model| {
        let value = |slice: &str| Line::from(texts::maybe(metric(model, slice).and_then(|metric| metric.value)));
        let mark = if app.models.marked.as_ref() == Some(&model.version) { " ●" } else { "" };
        vec![
            Line::from(vec![span(texts::clean(&model.version), theme::PLAIN), span(mark, theme::WARN)]),
            Line::from(state_span(model.state)),
            Line::styled(if model.pinned { "kept" } else { "" }, theme::ACCENT),
            value("repeat"),
            value("new"),
            Line::from(model.gate.as_ref().and_then(difference).map_or_else(|| "–".to_owned(), texts::signed)),
            model
                .gate
                .as_ref()
                .map_or_else(|| Line::styled("–", theme::QUIET), |gate| Line::from(verdict_span(gate.verdict))),
            Line::styled(texts::ago(model.created, now), theme::QUIET),
            Line::styled(texts::bytes(model.bytes), theme::QUIET),
        ]
    });
    Table { columns: &columns, rows: rows.collect(), selected: Some(selected), focused: !app.models.inside }
        .draw(area, buf);
}
