//! Screen 4: training runs with live losses; start, cancel.

use mercer_shared::time::Timestamp;
use mercer_shared::wire::{Event, EventKind, Run, RunPhase, TrainRequest};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::progress::Remaining;
use crate::text;
use crate::tui::ask::{Answer, Ask, Reply};
use crate::tui::command::{Action, Command, FILTER};
use crate::tui::context::Context;
use crate::tui::message::Effect;
use crate::tui::overlays::confirm::Confirm;
use crate::tui::overlays::prompt::Prompt;
use crate::tui::pane::content;
use crate::tui::remote::Remote;
use crate::tui::screen::{About, Screen};
use crate::tui::theme;
use crate::tui::widgets::draw::{field, heading, lines, put, say, span, wrapped};
use crate::tui::widgets::split::{split_top, split_with_rule};
use crate::tui::widgets::table::{Table, number, wide, words};
use crate::tui::widgets::{bars, plot, states};

const ABOUT: About = About {
    title: "Training",
    name: "training",
    help: "Runs, losses, start and cancel",
    lists: true,
    commands: &[
        Command::new(Action::Train, "train", &["s"], "Start a training run with the encoder; asks first")
            .footer("start"),
        Command::new(Action::Refit, "refit", &["S"], "Start a run that leaves the encoder as it is; asks first")
            .footer("refit"),
        Command::new(Action::Cancel, "cancel run", &["x"], "Cancel the run in progress; asks first").footer("cancel"),
        FILTER,
    ],
};

/// Columns from which on the runs stand beside the selected one.
const TWO_PANES: u16 = 110;
/// Columns of the labels.
const LABEL: usize = 12;
/// Rows of the runs above the selected one.
const RUN_ROWS: u16 = 6;
/// Most rows of the plot of losses.
const PLOT_ROWS: usize = 24;
/// Rows of the gate's reason.
const REASON_ROWS: usize = 3;

/// The screen.
#[derive(Debug, Default)]
pub(crate) struct Training {
    /// Runs, newest first.
    pub runs: Remote<Vec<Run>>,
    /// The selected one among those that pass the filter.
    selected: usize,
    /// The filter on id, state, cause and model.
    filter: String,
}

impl Screen for Training {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn load(&mut self, context: &mut Context) {
        context.ask(&mut self.runs, Ask::Runs);
    }

    fn poll(&mut self, context: &mut Context) {
        // The stream may have left something out.
        if let Some(run) = self.live() {
            context.effect(Effect::Ask(Ask::Run(run.id.clone())));
        }
    }

    fn act(&mut self, action: Action, _argument: Option<String>, context: &mut Context) {
        match action {
            Action::Train | Action::Refit => self.start(action == Action::Train, context),
            Action::Cancel => self.cancel(context),
            Action::Filter => context.open(Prompt::filter("filter ", &self.filter)),
            Action::Back => self.filter.clear(),
            action => {
                if let Some(next) = action.moved(self.selected, self.shown().len(), context.page()) {
                    self.selected = next;
                    self.ask_losses(context);
                }
            }
        }
    }

    fn filter(&mut self, text: String, _context: &mut Context) {
        self.filter = text;
        self.selected = 0;
    }

    fn reply(&mut self, reply: Reply, context: &mut Context) -> Option<Reply> {
        let said = match &reply.ask {
            Ask::Runs => {
                self.runs.take(reply.result);
                self.selected = self.selected.min(self.shown().len().saturating_sub(1));
                self.ask_losses(context);
                return None;
            }
            Ask::Run(_) => None,
            Ask::Train(_) => Some("was started"),
            Ask::Cancel(_) => Some("is being cancelled"),
            _ => return Some(reply),
        };
        if let Ok(Answer::Run(run)) = reply.result {
            if let Some(said) = said {
                context.say(format!("{} {said}", run.id));
                context.ask_status();
            }
            self.update(*run);
        }
        None
    }

    fn event(&mut self, event: &Event, _shown: bool, _context: &mut Context) {
        if let EventKind::Run(run) = &event.kind {
            self.update((**run).clone());
        }
    }

    fn view(&self, context: &Context, area: Rect, buf: &mut Buffer) {
        let Some(all) = content(context, &self.runs, "runs", area, buf) else { return };
        let shown = self.shown();
        if all.is_empty() {
            let next = "s starts one; the daemon also starts runs by schedule and when enough is new";
            return say(buf, area, "No run yet", next);
        }
        if shown.is_empty() {
            return say(buf, area, "No run contains these words", "esc clears the filter");
        }
        let selected = self.selected.min(shown.len() - 1);
        let now = context.daemon_now();
        let detail = if area.width >= TWO_PANES {
            let (left, right) = split_with_rule(buf, area, area.width * 9 / 20);
            view_runs(&shown, selected, now, left, buf);
            right
        } else {
            let rows = u16::try_from(shown.len()).unwrap_or(u16::MAX).saturating_add(2);
            let (top, bottom) = split_top(area, RUN_ROWS.min(rows).min(area.height / 2));
            view_runs(&shown, selected, now, top, buf);
            bottom
        };
        let run = shown[selected];
        view_run(run, &Remaining::of(run, context.polled_at()), now, detail, buf);
    }
}

impl Training {
    /// Runs that pass the filter.
    fn shown(&self) -> Vec<&Run> {
        let filter = self.filter.to_lowercase();
        let passes = |run: &&Run| {
            let model = run.model.as_deref().unwrap_or_default();
            let words = format!("{} {} {} {model}", run.id, text::word(&run.state), text::word(&run.cause));
            words.to_lowercase().contains(&filter)
        };
        self.runs.value.iter().flatten().filter(passes).collect()
    }

    /// The run in progress.
    fn live(&self) -> Option<&Run> {
        self.runs.value.iter().flatten().find(|run| !run.state.is_final())
    }

    /// Asks for the selected run itself if the list left its losses out.
    fn ask_losses(&self, context: &mut Context) {
        let shown = self.shown();
        let selected = shown.get(self.selected).filter(|run| run.losses.is_empty() && run.started.is_some());
        if let Some(run) = selected {
            context.effect(Effect::Ask(Ask::Run(run.id.clone())));
        }
    }

    /// A run moved on, or a new one began.
    fn update(&mut self, mut run: Run) {
        let runs = self.runs.value.get_or_insert_default();
        let Some(known) = runs.iter_mut().find(|known| known.id == run.id) else {
            runs.insert(0, run);
            if self.selected > 0 {
                self.selected += 1;
            }
            return;
        };
        // Events may come without the losses so far; what is known already stays.
        if run.losses.len() < known.losses.len() {
            let mut losses = std::mem::take(&mut known.losses);
            let last = losses.last().map_or(0, |point| point.step);
            losses.extend(run.losses.iter().filter(|point| point.step > last));
            run.losses = losses;
        }
        *known = run;
    }

    fn start(&self, encoder: bool, context: &mut Context) {
        if let Some(run) = self.live() {
            return context.refuse(format!("{} is in progress already; x cancels it", run.id));
        }
        let new = context.status.value.as_ref().map_or(0, |status| status.counts.new_interactions);
        let (title, what) = if encoder {
            (
                "Start a training run?",
                "The encoder is fine-tuned, the catalogue is embedded again, and the collaborative index and the ranker are refitted.",
            )
        } else {
            ("Start a refit?", "The collaborative index and the ranker are refitted; the encoder stays as it is.")
        };
        let new = text::plural(new, "interaction", "interactions");
        let came = format!("{new} came since the serving model was trained.");
        context.open(Confirm {
            title: title.to_owned(),
            paragraphs: vec![
                what.to_owned(),
                came,
                "The candidate is then compared with the serving model on later interactions, and the gate decides. Serving goes on and has priority.".to_owned(),
            ],
            order: Ask::Train(TrainRequest { encoder: Some(encoder), ..TrainRequest::default() }),
            verb: "start",
        });
    }

    fn cancel(&self, context: &mut Context) {
        let shown = self.shown();
        let selected = shown.get(self.selected).copied().filter(|run| !run.state.is_final());
        let Some(run) = selected.or_else(|| self.live()) else {
            return context.refuse("No run is in progress; s starts one");
        };
        let at = match run.steps {
            0 => format!("It is at {}.", text::phase(&run.phase)),
            steps => {
                format!("It is at {} ({} of {}).", text::phase(&run.phase), text::count(run.step), text::count(steps))
            }
        };
        context.open(Confirm {
            title: format!("Cancel {}?", run.id),
            paragraphs: vec![at, "What it learned so far is discarded; the serving model stays.".to_owned()],
            order: Ask::Cancel(run.id.clone()),
            verb: "cancel the run",
        });
    }
}

fn view_runs(shown: &[&Run], selected: usize, now: Timestamp, area: Rect, buf: &mut Buffer) {
    let columns = [
        words("run", 0),
        words("state", 0),
        words("phase", 1),
        number("loss", 4),
        words("gate", 2),
        words("made", 3),
        wide("asked for", 10),
    ];
    let dash = || "-".to_owned();
    let rows = shown.iter().map(|run| {
        let gate = run.gate.as_ref().map(|gate| states::gate_verdict(gate.verdict));
        vec![
            Line::from(text::clean(&run.id)),
            Line::from(states::run_state(run.state)),
            Line::styled(if run.state.is_final() { dash() } else { text::phase(&run.phase) }, theme::QUIET),
            Line::from(text::maybe(run.loss)),
            Line::from(gate.unwrap_or_else(|| span("-", theme::QUIET))),
            Line::from(run.model.as_deref().map_or_else(dash, text::clean)),
            Line::styled(format!("{}, {}", text::ago(run.created, now), text::word(&run.cause)), theme::QUIET),
        ]
    });
    Table { columns: &columns, rows: rows.collect(), selected: Some(selected), focused: true }.draw(area, buf);
}

/// Draws a run: what it does, what is left, losses, log.
fn view_run(run: &Run, remaining: &Remaining, now: Timestamp, area: Rect, buf: &mut Buffer) {
    let columns = usize::from(area.width);
    let mut title = states::run_line(run, now);
    if let Some(model) = &run.model {
        title.push(span(format!("  made {}", text::clean(model)), theme::ACCENT));
    }
    let mut all: Vec<Line<'_>> = vec![Line::from(title)];
    all.extend(phase(run, remaining, now, columns));
    all.extend(pace(run));
    all.push(field(
        "Device",
        LABEL,
        vec![
            span(text::clean(&run.device), theme::PLAIN),
            span(format!("   memory {}   seed {}", text::bytes(run.memory_bytes), run.seed), theme::QUIET),
        ],
    ));
    if let Some(gate) = &run.gate {
        all.push(field("Gate", LABEL, vec![states::gate_verdict(gate.verdict)]));
        let reason = text::wrap(&text::clean(&gate.reason), columns.saturating_sub(LABEL));
        all.extend(reason.into_iter().take(REASON_ROWS).map(|row| field("", LABEL, vec![span(row, theme::PLAIN)])));
    }
    if let Some(error) = &run.error {
        all.extend(wrapped(error, columns, theme::BAD));
    }
    let used = lines(buf, area, &all) + usize::from(area.height > 18);
    view_losses_and_log(run, split_top(area, u16::try_from(used).unwrap_or(u16::MAX)).1, area.height > 24, buf);
}

/// Progress of the phase, and the remaining time.
fn phase<'a>(run: &Run, remaining: &Remaining, now: Timestamp, columns: usize) -> Vec<Line<'a>> {
    if run.state.is_final() {
        return Vec::new();
    }
    let spans: Vec<Span<'_>> = if run.steps > 0 {
        let share = run.step as f64 / run.steps as f64;
        let mut spans = bars::progress(share, columns.saturating_sub(LABEL + 8).clamp(8, 60));
        spans.push(span(format!(" {:>3.0} %", share.min(1.0) * 100.0), theme::STRONG));
        spans
    } else if let Some(started) = run.started {
        let since = text::remaining((now.millis() - started.millis()) as f64 / 1000.0);
        vec![span("at work", theme::PLAIN), span(format!(", the run for {since}"), theme::QUIET)]
    } else {
        return Vec::new();
    };
    let mut all = vec![field(&text::phase(&run.phase), LABEL, spans)];
    if let Some(left) = remaining.words() {
        let mut label = "Left";
        for row in text::wrap(&left, columns.saturating_sub(LABEL)) {
            all.push(field(std::mem::take(&mut label), LABEL, vec![span(row, theme::PLAIN)]));
        }
    }
    all
}

/// Speed of the run, or its duration.
fn pace<'a>(run: &Run) -> Option<Line<'a>> {
    let rate = run.items_per_second.map(|rate| format!("{} texts a second", text::rate(rate)));
    let took = run.started.zip(run.ended).map(|(started, ended)| {
        format!("took {}", text::remaining((ended.millis() - started.millis()) as f64 / 1000.0))
    });
    let words: Vec<String> = rate.into_iter().chain(took).collect();
    (!words.is_empty()).then(|| field("Pace", LABEL, vec![span(words.join("   "), theme::PLAIN)]))
}

/// Draws the losses, and below them the latest lines of the run's log.
fn view_losses_and_log(run: &Run, area: Rect, tall: bool, buf: &mut Buffer) {
    let log = run.log.len().min(if tall { 8 } else { 2 });
    let rows = usize::from(area.height).saturating_sub(if log > 0 { log + 1 } else { 0 }).min(PLOT_ROWS);
    let (losses, below) = split_top(area, u16::try_from(rows).unwrap_or(u16::MAX));
    view_losses(run, losses, buf);
    if log > 0 && below.height > 1 {
        put(buf, below, 0, &heading("Log", ""));
        for (row, line) in run.log[run.log.len() - log..].iter().enumerate() {
            let line = text::cut(&text::clean(line), usize::from(below.width));
            put(buf, below, row + 1, &Line::styled(line, theme::QUIET));
        }
    }
}

fn view_losses(run: &Run, area: Rect, buf: &mut Buffer) {
    if area.height < 3 {
        return;
    }
    let (head, rest) = split_top(area, 1);
    let Some(last) = run.losses.last() else {
        let text = match run.phase {
            RunPhase::Examples | RunPhase::Encoder if !run.state.is_final() => {
                "no loss yet; the plot begins with the encoder phase"
            }
            _ => "this run has no losses",
        };
        return put(buf, head, 0, &Line::styled(text, theme::QUIET));
    };
    let note = format!("{} at step {}", text::value(last.loss), text::count(last.step));
    put(buf, head, 0, &heading("Loss", note));
    let points: Vec<_> = run.losses.iter().map(|p| plot::Point { x: p.step as f64, y: p.loss }).collect();
    plot::draw(&points, rest, buf);
}
