//! Screen 1: what serves and since when, traffic, latency, queue, training, alarms.

use std::collections::VecDeque;

use mercer_shared::wire::{Health, Run, RunState, Status};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::super::app::App;
use super::super::widgets::{bars, content, field, heading, lines, put, say, span, split_top, split_with_rule};
use super::super::{texts, theme};
use super::{log, models};

/// Samples kept for the sparklines: at one in two seconds, twenty minutes.
const SAMPLES: usize = 600;
/// Columns of the labels.
const LABEL: usize = 14;
/// Columns from which on the latest events stand beside the numbers.
const TWO_PANES: u16 = 120;

/// What the overview keeps beside the status: rates between two polls.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// Lists a second.
    pub lists: VecDeque<f64>,
    /// Interactions a second.
    pub interactions: VecDeque<f64>,
    /// Lists and interactions at the last poll; events move the numbers of the status in between.
    totals: Option<(u64, u64)>,
    /// The daemon's clock minus this machine's, in milliseconds.
    pub skew_ms: i64,
}

/// Takes a new status: rates since the one before.
pub(crate) fn sample(app: &mut App, status: &Status) {
    let state = &mut app.overview;
    state.skew_ms = status.now.millis() - app.now.millis();
    let totals = (status.traffic.lists, status.counts.interactions);
    let earlier = state.totals.replace(totals);
    let (Some(before), Some(earlier)) = (&app.status.value, earlier) else { return };
    let seconds = (status.now.millis() - before.now.millis()) as f64 / 1000.0;
    // A daemon that was restarted counts from zero again: no rate can be told between the two.
    if before.pid != status.pid || seconds < 0.2 {
        return;
    }
    let push = |queue: &mut VecDeque<f64>, now: u64, then: u64| {
        queue.push_back(now.saturating_sub(then) as f64 / seconds);
        if queue.len() > SAMPLES {
            queue.pop_front();
        }
    };
    push(&mut state.lists, totals.0, earlier.0);
    push(&mut state.interactions, totals.1, earlier.1);
}

/// Draws it.
pub(crate) fn view(app: &App, area: Rect, buf: &mut Buffer) {
    let Some(status) = content(app, &app.status, area, buf, "status") else { return };
    let main = if area.width >= TWO_PANES {
        let (left, right) = split_with_rule(buf, area, area.width * 3 / 5);
        latest(app, right, buf);
        Rect { width: left.width.saturating_sub(1), ..left }
    } else {
        area
    };
    numbers(app, status, main, buf);
}

fn latest(app: &App, area: Rect, buf: &mut Buffer) {
    let (head, rest) = split_top(area, 2);
    put(buf, head, 0, &heading("Latest", "what the daemon tells; 7 has all of it"));
    if app.log.events.is_empty() {
        say(
            buf,
            rest,
            "Nothing has happened since this console was opened",
            "Interactions, runs and decisions appear here as they come",
        );
    }
    log::draw_events(app, rest, buf);
}

fn numbers(app: &App, status: &Status, area: Rect, buf: &mut Buffer) {
    let now = app.daemon_now();
    let tall = area.height >= 32;
    let roomy = area.height >= 20;
    let mut all: Vec<Line<'_>> = Vec::new();
    let model = &status.model;
    let health = match status.health {
        Health::Ok => span("ok", theme::GOOD),
        Health::Degraded => span("degraded", theme::WARN),
        Health::ReadOnly => span("read-only", theme::BAD),
        Health::Starting => span("starting", theme::WARN),
    };
    all.push(Line::from(vec![
        span(texts::clean(&model.version), theme::SELECTED),
        span(" serving for ", theme::QUIET),
        span(texts::duration(now.millis() - model.since.millis()), theme::STRONG),
        span(", ", theme::QUIET),
        health,
    ]));
    let encoder =
        format!("{}, {} components, on {}", texts::clean(&model.encoder), model.dim, texts::clean(&status.device));
    all.push(Line::styled(encoder, theme::QUIET));
    // What needs attention stands first, so that no terminal is too low for it.
    for (n, alarm) in status.alarms.iter().enumerate() {
        let label = if n == 0 { "Alarms" } else { "" };
        let room = usize::from(area.width).saturating_sub(LABEL + texts::width(&alarm.kind) + 16);
        let text = texts::cut(&texts::clean(&alarm.text), room);
        all.push(field(
            label,
            LABEL,
            vec![
                span(format!("{} ", texts::clean(&alarm.kind)), theme::BAD),
                span(text, theme::PLAIN),
                span(format!("  {}", texts::ago(alarm.since, now)), theme::QUIET),
            ],
        ));
    }
    let gap = |all: &mut Vec<Line<'_>>| {
        if roomy {
            all.push(Line::default());
        }
    };
    gap(&mut all);

    let traffic = &status.traffic;
    let spark = usize::from(area.width).saturating_sub(LABEL + 13).min(120);
    let height = if tall { 3 } else { 1 };
    for (label, rate, samples) in [
        ("Lists", traffic.lists_per_second, &app.overview.lists),
        ("Interactions", traffic.interactions_per_second, &app.overview.interactions),
    ] {
        let values: Vec<f64> = samples.iter().copied().collect();
        for (row, line) in bars::sparkline(&values, spark, height, theme::ACCENT).into_iter().enumerate() {
            let (label, rate) = if row + 1 == height { (label, texts::rate(rate)) } else { ("", String::new()) };
            let mut spans = vec![span(texts::pad(&rate, 12), theme::STRONG)];
            spans.extend(line.spans);
            all.push(field(label, LABEL, spans));
        }
        if tall {
            all.push(Line::default());
        }
    }
    let latency = &traffic.latency;
    all.push(field(
        "Latency",
        LABEL,
        if traffic.lists == 0 {
            vec![span("no list served yet", theme::QUIET)]
        } else {
            vec![
                span(texts::pad(&texts::millis(latency.p50_ms), 12), theme::STRONG),
                span("half are faster   ", theme::QUIET),
                span(texts::millis(latency.p95_ms), theme::PLAIN),
                span(" 95 %   ", theme::QUIET),
                span(texts::millis(latency.p99_ms), theme::PLAIN),
                span(" 99 %", theme::QUIET),
            ]
        },
    ));
    let style = |n: u64| if n > 0 { theme::WARN } else { theme::QUIET };
    all.push(field(
        "Requests",
        LABEL,
        vec![
            span(texts::pad(&texts::count(traffic.requests), 12), theme::STRONG),
            span(format!("{} failed", texts::count(traffic.failures)), style(traffic.failures)),
            span("   ", theme::PLAIN),
            span(format!("{} refused for load", texts::count(traffic.overloaded)), style(traffic.overloaded)),
        ],
    ));
    let queue = &status.queue;
    let full = queue.capacity > 0 && queue.serving * 2 > queue.capacity;
    all.push(field(
        "Queue",
        LABEL,
        vec![
            span(texts::pad(&texts::count(queue.serving), 12), if full { theme::WARN } else { theme::STRONG }),
            span(format!("of {} waiting", texts::count(queue.capacity)), theme::QUIET),
            span(
                if queue.background > 0 {
                    format!("   {} to embed", texts::plural(queue.background, "item", "items"))
                } else {
                    String::new()
                },
                theme::PLAIN,
            ),
        ],
    ));
    gap(&mut all);

    let counts = &status.counts;
    let embedded = if counts.embedded < counts.items {
        format!(", {} of them searchable by meaning", texts::count(counts.embedded))
    } else {
        String::new()
    };
    let new = match counts.new_interactions {
        0 => ", none since the model was trained".to_owned(),
        n => format!(", {} since the model was trained", texts::count(n)),
    };
    all.push(field(
        "Kept",
        LABEL,
        vec![
            span(texts::pad(&texts::count(counts.interactions), 12), theme::STRONG),
            span(format!("interactions{new}"), theme::QUIET),
        ],
    ));
    all.push(field(
        "",
        LABEL,
        vec![
            span(texts::pad(&texts::count(counts.users), 12), theme::STRONG),
            span("shoppers   ", theme::QUIET),
            span(texts::count(counts.items), theme::STRONG),
            span(format!(" items{embedded}"), theme::QUIET),
        ],
    ));
    all.push(field(
        "Daemon",
        LABEL,
        vec![
            span(
                format!("{} memory, {} store, ", texts::bytes(status.memory_bytes), texts::bytes(status.store_bytes)),
                theme::PLAIN,
            ),
            span(
                format!(
                    "up {}, version {}",
                    texts::duration(now.millis() - status.started.millis()),
                    texts::clean(&status.version)
                ),
                theme::QUIET,
            ),
        ],
    ));
    gap(&mut all);
    training(status.run.as_ref(), now, usize::from(area.width), &mut all);
    gap(&mut all);
    if status.alarms.is_empty() {
        all.push(field("Alarms", LABEL, vec![span("none", theme::GOOD)]));
    }
    let area = if area.height > 18 { split_top(area, 1).1 } else { area };
    lines(buf, area, &all);
}

fn training(run: Option<&Run>, now: mercer_shared::time::Timestamp, columns: usize, all: &mut Vec<Line<'_>>) {
    let Some(run) = run else {
        all.push(field("Training", LABEL, vec![span("no run yet; 4 starts one", theme::QUIET)]));
        return;
    };
    all.push(field("Training", LABEL, run_line(run, now)));
    if !run.state.is_final() && run.steps > 0 {
        let share = run.step as f64 / run.steps as f64;
        let mut spans: Vec<Span<'_>> = bars::progress(share, columns.saturating_sub(LABEL + 36).clamp(8, 60));
        spans.push(span(format!(" {:>3.0} %", share.min(1.0) * 100.0), theme::STRONG));
        if let Some(eta) = run.eta_seconds {
            spans.push(span(format!("  {} left of the phase", texts::eta(eta)), theme::QUIET));
        }
        all.push(field("", LABEL, spans));
    }
}

/// A run in a line: what it is, what it does, what came of it.
pub(crate) fn run_line<'a>(run: &Run, now: mercer_shared::time::Timestamp) -> Vec<Span<'a>> {
    let mut spans = vec![span(texts::clean(&run.id), theme::STRONG), span(" ", theme::PLAIN), state_span(run.state)];
    match run.state {
        RunState::Running | RunState::Paused => {
            spans.push(span(format!(", {}", texts::word(&run.phase)), theme::PLAIN));
            if run.steps > 0 {
                spans.push(span(format!(" {}/{}", texts::count(run.step), texts::count(run.steps)), theme::QUIET));
            }
            if let Some(loss) = run.loss {
                spans.push(span(format!("  loss {loss:.4}"), theme::PLAIN));
            }
        }
        _ => {
            if let Some(gate) = &run.gate {
                spans.extend([span(", gate: ", theme::QUIET), models::verdict_span(gate.verdict)]);
            }
            if let Some(error) = &run.error {
                spans.push(span(format!(": {}", texts::clean(error)), theme::BAD));
            }
            if let Some(ended) = run.ended {
                spans.push(span(format!("  {}", texts::ago(ended, now)), theme::QUIET));
            }
        }
    }
    spans
}

/// The state of a run with its colour.
pub(crate) fn state_span<'a>(state: RunState) -> Span<'a> {
    let style = match state {
        RunState::Running => theme::ACCENT,
        RunState::Succeeded => theme::GOOD,
        RunState::Failed => theme::BAD,
        RunState::Queued | RunState::Paused | RunState::Cancelled => theme::WARN,
    };
    span(texts::word(&state), style)
}
