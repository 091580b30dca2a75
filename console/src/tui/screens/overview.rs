//! Screen 1: the serving version, traffic, latency, queue, training, alarms.

use std::collections::VecDeque;

use mercer_shared::time::Timestamp;
use mercer_shared::wire::{Alarm, Health, Status};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::progress::Remaining;
use crate::text;
use crate::tui::ask::{Answer, Ask, Reply};
use crate::tui::context::Context;
use crate::tui::event_log::Entry;
use crate::tui::pane::content;
use crate::tui::screen::{About, Screen};
use crate::tui::theme;
use crate::tui::widgets::bars;
use crate::tui::widgets::draw::{field, heading, lines, put, say, span};
use crate::tui::widgets::split::{split_top, split_with_rule};
use crate::tui::widgets::states;

const ABOUT: About = About {
    title: "Overview",
    name: "overview",
    help: "What serves, traffic, latency, training, alarms",
    lists: false,
    commands: &[],
};

/// Samples kept for the sparklines: at one in two seconds, twenty minutes.
const SAMPLES: usize = 600;
/// Shortest time between two polls of which a rate is taken, in seconds.
const SHORTEST_GAP: f64 = 0.2;
/// Columns of the labels.
const LABEL: usize = 14;
/// Columns of the number behind a label.
const FIGURE: usize = 12;
/// Columns from which on the latest events stand beside the numbers.
const TWO_PANES: u16 = 120;
/// Rows from which on the numbers stand in groups, and from which on sparklines are three rows high.
const ROOMY: u16 = 20;
const TALL: u16 = 32;

/// Totals of a poll; events move the numbers of the status in between.
#[derive(Debug, Clone, Copy)]
struct Totals {
    pid: u32,
    at: Timestamp,
    lists: u64,
    interactions: u64,
}

/// The screen: rates between two polls, beside the status that all screens share.
#[derive(Debug, Default)]
pub(crate) struct Overview {
    /// Lists a second.
    pub lists: VecDeque<f64>,
    /// Interactions a second.
    pub interactions: VecDeque<f64>,
    before: Option<Totals>,
}

impl Overview {
    /// Notes the rates since the status before.
    fn sample(&mut self, status: &Status) {
        let now = Totals {
            pid: status.pid,
            at: status.now,
            lists: status.traffic.lists,
            interactions: status.counts.interactions,
        };
        let Some(before) = self.before.replace(now) else { return };
        let seconds = (now.at.millis() - before.at.millis()) as f64 / 1000.0;
        // A daemon that was restarted counts from zero again: no rate can be told between the two.
        if before.pid != now.pid || seconds < SHORTEST_GAP {
            return;
        }
        let push = |samples: &mut VecDeque<f64>, more: u64| {
            samples.push_back(more as f64 / seconds);
            if samples.len() > SAMPLES {
                samples.pop_front();
            }
        };
        push(&mut self.lists, now.lists.saturating_sub(before.lists));
        push(&mut self.interactions, now.interactions.saturating_sub(before.interactions));
    }
}

impl Screen for Overview {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn reply(&mut self, reply: Reply, context: &mut Context) -> Option<Reply> {
        if reply.ask != Ask::Status {
            return Some(reply);
        }
        if let Ok(Answer::Status(status)) = &reply.result {
            context.skew_ms = status.now.millis() - context.now.millis();
            self.sample(status);
        }
        context.status.take(reply.result);
        None
    }

    fn view(&self, context: &Context, area: Rect, buf: &mut Buffer) {
        let Some(status) = content(context, &context.status, "status", area, buf) else { return };
        let main = if area.width >= TWO_PANES {
            let (left, right) = split_with_rule(buf, area, area.width * 3 / 5);
            latest(context, right, buf);
            left
        } else {
            area
        };
        self.numbers(status, context.daemon_now(), main, buf);
    }
}

/// Draws the latest events of the stream, newest first.
fn latest(context: &Context, area: Rect, buf: &mut Buffer) {
    let (head, rest) = split_top(area, 2);
    put(buf, head, 0, &heading("Latest", "times in UTC; 7 shows all of them"));
    if context.events.entries().len() == 0 {
        let next = "Interactions, runs and decisions appear here as they come";
        say(buf, rest, "Nothing has happened since this console was opened", next);
    }
    for (row, entry) in context.events.entries().rev().take(usize::from(rest.height)).enumerate() {
        put(buf, rest, row, &event_line(entry, usize::from(rest.width)));
    }
}

fn event_line<'a>(entry: &Entry, columns: usize) -> Line<'a> {
    Line::from(vec![
        span(format!("{} ", text::clock(entry.at)), theme::QUIET),
        span(text::pad(entry.kind, 13), theme::QUIET),
        span(text::cut(&entry.text, columns.saturating_sub(22)), entry.style),
    ])
}

impl Overview {
    fn numbers(&self, status: &Status, now: Timestamp, area: Rect, buf: &mut Buffer) {
        let columns = usize::from(area.width);
        let mut all: Vec<Line<'_>> = serving(status, now);
        // What needs attention stands first, so that no terminal is too low for it.
        all.extend(alarms(&status.alarms, now, columns));
        let gap = |all: &mut Vec<Line<'_>>| {
            if area.height >= ROOMY {
                all.push(Line::default());
            }
        };
        gap(&mut all);
        all.extend(self.rates(status, columns, area.height >= TALL));
        all.extend(requests(status));
        gap(&mut all);
        all.extend(counts(status));
        all.push(daemon(status, now));
        gap(&mut all);
        all.extend(training(status, now, columns));
        gap(&mut all);
        if status.alarms.is_empty() {
            all.push(field("Alarms", LABEL, vec![span("none", theme::GOOD)]));
        }
        let area = if area.height > 18 { split_top(area, 1).1 } else { area };
        lines(buf, area, &all);
    }

    /// Lists and interactions a second with their sparklines.
    fn rates<'a>(&self, status: &Status, columns: usize, tall: bool) -> Vec<Line<'a>> {
        let traffic = &status.traffic;
        let spark = columns.saturating_sub(LABEL + FIGURE + 1).min(120);
        let height = if tall { 3 } else { 1 };
        let mut all = Vec::new();
        for (label, rate, samples) in [
            ("Lists", traffic.lists_per_second, &self.lists),
            ("Interactions", traffic.interactions_per_second, &self.interactions),
        ] {
            let values: Vec<f64> = samples.iter().copied().collect();
            for (row, line) in bars::sparkline(&values, spark, height, theme::ACCENT).into_iter().enumerate() {
                let last = row + 1 == height;
                let rate = if last { format!("{} /s", text::rate(rate)) } else { String::new() };
                let mut spans = vec![span(text::pad(&rate, FIGURE), theme::STRONG)];
                spans.extend(line.spans);
                all.push(field(if last { label } else { "" }, LABEL, spans));
            }
            if tall {
                all.push(Line::default());
            }
        }
        all
    }
}

/// The serving version, its health and its encoder.
fn serving<'a>(status: &Status, now: Timestamp) -> Vec<Line<'a>> {
    let model = &status.model;
    let health = match status.health {
        Health::Ok => span("ok", theme::GOOD),
        Health::Degraded => span("degraded", theme::WARN),
        Health::ReadOnly => span("read-only", theme::BAD),
        Health::Starting => span("starting", theme::WARN),
    };
    let encoder =
        format!("{}, {} components, on {}", text::clean(&model.encoder), model.dim, text::clean(&status.device));
    vec![
        Line::from(vec![
            span(text::clean(&model.version), theme::SELECTED),
            span(" serving for ", theme::QUIET),
            span(text::age(now.millis() - model.since.millis()), theme::STRONG),
            span(", ", theme::QUIET),
            health,
        ]),
        Line::styled(encoder, theme::QUIET),
    ]
}

fn alarms<'a>(alarms: &[Alarm], now: Timestamp, columns: usize) -> Vec<Line<'a>> {
    let line = |(n, alarm): (usize, &Alarm)| {
        let room = columns.saturating_sub(LABEL + text::width(&alarm.kind) + 16);
        let spans = vec![
            span(format!("{} ", text::clean(&alarm.kind)), theme::BAD),
            span(text::cut(&text::clean(&alarm.text), room), theme::PLAIN),
            span(format!("  {}", text::ago(alarm.since, now)), theme::QUIET),
        ];
        field(if n == 0 { "Alarms" } else { "" }, LABEL, spans)
    };
    alarms.iter().enumerate().map(line).collect()
}

/// Latency, requests and queue.
fn requests<'a>(status: &Status) -> Vec<Line<'a>> {
    let (traffic, queue) = (&status.traffic, &status.queue);
    let latency = &traffic.latency;
    let latency = if traffic.lists == 0 {
        vec![span("no list served yet", theme::QUIET)]
    } else {
        vec![
            span(text::pad(&text::milliseconds(latency.p50_ms), FIGURE), theme::STRONG),
            span("half are faster   ", theme::QUIET),
            span(text::milliseconds(latency.p95_ms), theme::PLAIN),
            span(" 95 %   ", theme::QUIET),
            span(text::milliseconds(latency.p99_ms), theme::PLAIN),
            span(" 99 %", theme::QUIET),
        ]
    };
    let style = |n: u64| if n > 0 { theme::WARN } else { theme::QUIET };
    let requests = vec![
        span(text::pad(&text::count(traffic.requests), FIGURE), theme::STRONG),
        span(format!("{} failed", text::count(traffic.failures)), style(traffic.failures)),
        span("   ", theme::PLAIN),
        span(format!("{} refused for load", text::count(traffic.overloaded)), style(traffic.overloaded)),
    ];
    let full = queue.capacity > 0 && queue.serving * 2 > queue.capacity;
    let mut waiting = vec![
        span(text::pad(&text::count(queue.serving), FIGURE), if full { theme::WARN } else { theme::STRONG }),
        span(format!("of {} waiting", text::count(queue.capacity)), theme::QUIET),
    ];
    if queue.background > 0 {
        let items = text::plural(queue.background, "item", "items");
        waiting.push(span(format!("   {items} to embed"), theme::PLAIN));
    }
    vec![field("Latency", LABEL, latency), field("Requests", LABEL, requests), field("Queue", LABEL, waiting)]
}

/// The counts of the store.
fn counts<'a>(status: &Status) -> Vec<Line<'a>> {
    let counts = &status.counts;
    let embedded = if counts.embedded < counts.items {
        format!(", {} of them searchable by meaning", text::count(counts.embedded))
    } else {
        String::new()
    };
    let new = match counts.new_interactions {
        0 => ", none since the model was trained".to_owned(),
        n => format!(", {} since the model was trained", text::count(n)),
    };
    vec![
        field(
            "Stored",
            LABEL,
            vec![
                span(text::pad(&text::count(counts.interactions), FIGURE), theme::STRONG),
                span(format!("interactions{new}"), theme::QUIET),
            ],
        ),
        field(
            "",
            LABEL,
            vec![
                span(text::pad(&text::count(counts.users), FIGURE), theme::STRONG),
                span("shoppers   ", theme::QUIET),
                span(text::count(counts.items), theme::STRONG),
                span(format!(" items{embedded}"), theme::QUIET),
            ],
        ),
    ]
}

fn daemon<'a>(status: &Status, now: Timestamp) -> Line<'a> {
    let sizes = format!("{} memory, {} store, ", text::bytes(status.memory_bytes), text::bytes(status.store_bytes));
    let up = text::age(now.millis() - status.started.millis());
    let version = format!("up {up}, version {}", text::clean(&status.version));
    field("Daemon", LABEL, vec![span(sizes, theme::PLAIN), span(version, theme::QUIET)])
}

/// The latest run, and while it is at work how far it is and what is left.
fn training<'a>(status: &Status, now: Timestamp, columns: usize) -> Vec<Line<'a>> {
    let Some(run) = &status.run else {
        return vec![field("Training", LABEL, vec![span("no run yet; 4 starts one", theme::QUIET)])];
    };
    let mut all = vec![field("Training", LABEL, states::run_line(run, now))];
    if run.state.is_final() {
        return all;
    }
    let left = Remaining::of(run, status.now).words();
    if run.steps > 0 {
        let share = run.step as f64 / run.steps as f64;
        let mut spans: Vec<Span<'_>> = bars::progress(share, columns.saturating_sub(LABEL + 36).clamp(8, 60));
        spans.push(span(format!(" {:>3.0} %", share.min(1.0) * 100.0), theme::STRONG));
        all.push(field("", LABEL, spans));
    }
    for row in text::wrap(&left.unwrap_or_default(), columns.saturating_sub(LABEL)) {
        all.push(field("", LABEL, vec![span(row, theme::QUIET)]));
    }
    all
}
