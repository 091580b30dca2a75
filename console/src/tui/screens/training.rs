//! Screen 4: training runs with live losses; start, cancel.

use mercer_shared::wire::{Run, RunPhase, TrainRequest};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::super::app::{App, Confirm, Effect, Overlay, Purpose, Remote, moved};
use super::super::asks::Ask;
use super::super::commands::Action;
use super::super::widgets::input::Input;
use super::super::widgets::table::{Table, number, text, wide};
use super::super::widgets::{bars, content, field, heading, lines, plot, put, say, span, split_top, split_with_rule};
use super::super::{texts, theme};
use super::{models, overview};

/// Columns from which on the runs stand beside the selected one.
const TWO_PANES: u16 = 110;
/// Columns of the labels.
const LABEL: usize = 12;
/// Rows of the runs above the selected one.
const RUN_ROWS: u16 = 6;

/// The state of the screen.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// Runs, newest first.
    pub runs: Remote<Vec<Run>>,
    /// The selected one among those that pass the filter.
    pub selected: usize,
    /// What a run's id, state, cause or model must contain.
    pub filter: String,
}

/// Runs that pass the filter.
fn shown(app: &App) -> Vec<&Run> {
    let filter = app.training.filter.to_lowercase();
    let passes = |run: &&Run| {
        let text = format!(
            "{} {} {} {}",
            run.id,
            texts::word(&run.state),
            texts::word(&run.cause),
            run.model.as_deref().unwrap_or_default()
        );
        text.to_lowercase().contains(&filter)
    };
    app.training.runs.value.iter().flatten().filter(passes).collect()
}

/// Asks for the runs.
pub(crate) fn load(app: &mut App) -> Vec<Effect> {
    vec![app.training.runs.ask(Ask::Runs)]
}

/// Asks for a run in progress again, in case the stream left something out.
pub(crate) fn refresh(app: &mut App) -> Vec<Effect> {
    let live = app.training.runs.value.iter().flatten().find(|run| !run.state.is_final());
    live.map(|run| vec![Effect::Ask(Ask::Run(run.id.clone()))]).unwrap_or_default()
}

/// The runs came: lists may leave out losses, so the selected one is asked for itself.
pub(crate) fn select(app: &mut App) -> Vec<Effect> {
    let len = shown(app).len();
    app.training.selected = app.training.selected.min(len.saturating_sub(1));
    let missing = shown(app)
        .get(app.training.selected)
        .filter(|run| run.losses.is_empty() && run.started.is_some())
        .map(|run| run.id.clone());
    missing.map(|id| vec![Effect::Ask(Ask::Run(id))]).unwrap_or_default()
}

/// A run moved.
pub(crate) fn update_run(app: &mut App, mut run: Run) {
    let runs = app.training.runs.value.get_or_insert_default();
    match runs.iter_mut().find(|known| known.id == run.id) {
        Some(known) => {
            // Events may come without the losses so far; what is known already stays.
            if run.losses.len() < known.losses.len() {
                let mut losses = std::mem::take(&mut known.losses);
                let last = losses.last().map_or(0, |point| point.step);
                losses.extend(run.losses.iter().filter(|point| point.step > last));
                run.losses = losses;
            }
            *known = run;
        }
        None => {
            runs.insert(0, run);
            if app.training.selected > 0 {
                app.training.selected += 1;
            }
        }
    }
}

/// Lets a command act.
pub(crate) fn act(app: &mut App, action: Action) -> Vec<Effect> {
    match action {
        Action::Train | Action::Refit => start(app, action == Action::Train),
        Action::Cancel => cancel(app),
        Action::Filter => {
            app.overlay = Overlay::Typing(Purpose::Filter, Input::new(&app.training.filter));
            Vec::new()
        }
        Action::Back => {
            app.training.filter.clear();
            Vec::new()
        }
        action => {
            let (len, page) = (shown(app).len(), app.page());
            match moved(app.training.selected, action, len, page) {
                Some(next) => {
                    app.training.selected = next;
                    select(app)
                }
                None => Vec::new(),
            }
        }
    }
}

fn start(app: &mut App, encoder: bool) -> Vec<Effect> {
    if let Some(run) = app.training.runs.value.iter().flatten().find(|run| !run.state.is_final()) {
        let text = format!("{} is in progress already; x cancels it", run.id);
        return app.refuse(text);
    }
    let new = app.status.value.as_ref().map_or(0, |status| status.counts.new_interactions);
    let what = if encoder {
        "The encoder is fine-tuned, memory and blend are refitted, and the catalogue is embedded anew."
    } else {
        "Memory and blend are refitted; the encoder stays as it is."
    };
    let lines = vec![
        what.to_owned(),
        format!("{} came since the serving model was trained.", texts::plural(new, "interaction", "interactions")),
        "The candidate is then compared with the serving model on later interactions, and the gate decides. Serving goes on and comes first.".to_owned(),
    ];
    let title = if encoder { "Start a training run?" } else { "Start a refit?" };
    let request = TrainRequest { encoder: Some(encoder), ..TrainRequest::default() };
    app.confirm(Confirm { title: title.to_owned(), lines, ask: Ask::Train(request), verb: "start" })
}

fn cancel(app: &mut App) -> Vec<Effect> {
    let live = shown(app)
        .get(app.training.selected)
        .copied()
        .filter(|run| !run.state.is_final())
        .or_else(|| app.training.runs.value.iter().flatten().find(|run| !run.state.is_final()));
    let Some(run) = live else { return app.refuse("No run is in progress; s starts one") };
    let confirm = Confirm {
        title: format!("Cancel {}?", run.id),
        lines: vec![
            format!(
                "It is at {} ({} of {}).",
                texts::word(&run.phase),
                texts::count(run.step),
                texts::count(run.steps)
            ),
            "What it learned so far is thrown away; the serving model stays.".to_owned(),
        ],
        ask: Ask::Cancel(run.id.clone()),
        verb: "cancel the run",
    };
    app.confirm(confirm)
}

/// Draws it.
pub(crate) fn view(app: &App, area: Rect, buf: &mut Buffer) {
    let Some(all) = content(app, &app.training.runs, area, buf, "runs") else { return };
    let shown = shown(app);
    if all.is_empty() {
        return say(
            buf,
            area,
            "No run yet",
            "s starts one; the daemon also starts runs by schedule and when enough is new",
        );
    }
    if shown.is_empty() {
        return say(buf, area, "No run contains these words", "esc clears the filter");
    }
    let selected = app.training.selected.min(shown.len() - 1);
    let detail = if area.width >= TWO_PANES {
        let (left, right) = split_with_rule(buf, area, area.width * 9 / 20);
        runs(app, &shown, selected, Rect { width: left.width.saturating_sub(1), ..left }, buf);
        right
    } else {
        let (top, bottom) = split_top(area, RUN_ROWS.min(shown.len() as u16 + 2).min(area.height / 2));
        runs(app, &shown, selected, top, buf);
        bottom
    };
    run(app, shown[selected], detail, buf);
}

fn runs(app: &App, shown: &[&Run], selected: usize, area: Rect, buf: &mut Buffer) {
    let now = app.daemon_now();
    let columns = [
        text("run", 0),
        text("state", 0),
        text("phase", 1),
        number("loss", 4),
        text("gate", 2),
        text("made", 3),
        wide("asked for", 10),
    ];
    let rows = shown.iter().map(|run| {
        let gate =
            run.gate.as_ref().map(|gate| models::verdict_span(gate.verdict)).unwrap_or_else(|| span("–", theme::QUIET));
        vec![
            Line::from(texts::clean(&run.id)),
            Line::from(overview::state_span(run.state)),
            Line::styled(if run.state.is_final() { "–".to_owned() } else { texts::word(&run.phase) }, theme::QUIET),
            Line::from(texts::maybe(run.loss)),
            Line::from(gate),
            Line::from(run.model.as_deref().map_or_else(|| "–".to_owned(), texts::clean)),
            Line::styled(format!("{}, {}", texts::ago(run.created, now), texts::word(&run.cause)), theme::QUIET),
        ]
    });
    Table { columns: &columns, rows: rows.collect(), selected: Some(selected), focused: true }.draw(area, buf);
}

fn run(app: &App, run: &Run, area: Rect, buf: &mut Buffer) {
    let now = app.daemon_now();
    let columns = usize::from(area.width);
    let mut all: Vec<Line<'_>> = Vec::new();
    let mut title = overview::run_line(run, now);
    if let Some(model) = &run.model {
        title.push(span(format!("  made {}", texts::clean(model)), theme::ACCENT));
    }
    all.push(Line::from(title));
    if !run.state.is_final() && run.steps > 0 {
        let share = run.step as f64 / run.steps as f64;
        let mut spans = bars::progress(share, columns.saturating_sub(LABEL + 8).clamp(8, 60));
        spans.push(span(format!(" {:>3.0} %", share.min(1.0) * 100.0), theme::STRONG));
        all.push(field(&texts::word(&run.phase), LABEL, spans));
    } else if let (false, Some(started)) = (run.state.is_final(), run.started) {
        let since = texts::eta((now.millis() - started.millis()) as f64 / 1000.0);
        all.push(field(
            &texts::word(&run.phase),
            LABEL,
            vec![span("at work", theme::PLAIN), span(format!(", the run for {since}"), theme::QUIET)],
        ));
    }
    let mut pace = Vec::new();
    if let Some(rate) = run.items_per_second {
        pace.push(span(texts::rate(rate).replace(" /s", " texts a second"), theme::PLAIN));
        pace.push(span("   ", theme::PLAIN));
    }
    if let Some(eta) = run.eta_seconds.filter(|_| !run.state.is_final()) {
        pace.push(span(texts::eta(eta), theme::STRONG));
        pace.push(span(" left of the phase", theme::QUIET));
    }
    if let (Some(started), Some(ended)) = (run.started, run.ended) {
        pace.push(span(
            format!("took {}", texts::eta((ended.millis() - started.millis()) as f64 / 1000.0)),
            theme::PLAIN,
        ));
    }
    if !pace.is_empty() {
        all.push(field("Pace", LABEL, pace));
    }
    all.push(field(
        "Device",
        LABEL,
        vec![
            span(texts::clean(&run.device), theme::PLAIN),
            span(format!("   memory {}   seed {}", texts::bytes(run.memory_bytes), run.seed), theme::QUIET),
        ],
    ));
    if let Some(gate) = &run.gate {
        all.push(field("Gate", LABEL, vec![models::verdict_span(gate.verdict)]));
        let reason = texts::wrap(&texts::clean(&gate.reason), columns.saturating_sub(LABEL));
        all.extend(reason.into_iter().take(3).map(|line| field("", LABEL, vec![span(line, theme::PLAIN)])));
    }
    if let Some(error) = &run.error {
        all.extend(texts::wrap(&texts::clean(error), columns).into_iter().map(|line| Line::styled(line, theme::BAD)));
    }
    let height = usize::from(area.height);
    let log = run.log.len().min(if height > 24 { 8 } else { 2 });
    let used = lines(buf, area, &all);
    let rest = split_top(area, u16::try_from(used + usize::from(height > 18)).unwrap_or(u16::MAX)).1;
    let rows = usize::from(rest.height);
    let plot_rows = rows.saturating_sub(if log > 0 { log + 1 } else { 0 }).min(24);
    let (losses, below) = split_top(rest, u16::try_from(plot_rows).unwrap_or(u16::MAX));
    draw_losses(run, losses, buf);
    if log > 0 && below.height > 1 {
        let first = run.log.len() - log;
        put(buf, below, 0, &heading("Log", ""));
        for (row, line) in run.log[first..].iter().enumerate() {
            put(buf, below, row + 1, &Line::styled(texts::cut(&texts::clean(line), columns), theme::QUIET));
        }
    }
}

fn draw_losses(run: &Run, area: Rect, buf: &mut Buffer) {
    if area.height < 3 {
        return;
    }
    let (head, rest) = split_top(area, 1);
    match run.losses.last() {
        None => {
            let text = match run.phase {
                RunPhase::Examples | RunPhase::Encoder if !run.state.is_final() => {
                    "no loss yet; the plot begins with the encoder phase"
                }
                _ => "this run has no losses",
            };
            put(buf, head, 0, &Line::styled(text, theme::QUIET));
        }
        Some(last) => {
            let note = format!("{:.4} at step {}", last.loss, texts::count(last.step));
            put(buf, head, 0, &heading("Loss", note));
            let points: Vec<(f64, f64)> = run.losses.iter().map(|point| (point.step as f64, point.loss)).collect();
            plot::plot(&points, rest, buf);
        }
    }
}
