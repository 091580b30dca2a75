//! Turns the live stream into lines: one per event, one per burst, and one for the progress of a run's phase or of a
//! file.

use std::collections::VecDeque;

use mercer_shared::time::Timestamp;
use mercer_shared::wire::{Event, EventKind, ImportPhase, ImportProgress, Run};
use ratatui::style::Style;

use crate::text;
use crate::tui::theme;

/// Lines kept.
const KEPT: usize = 1000;
/// Latest lines among which an event may join an earlier one of its kind.
const BURST: usize = 6;
/// Longest time that one line gathers, in milliseconds.
const BURST_MS: i64 = 10_000;
/// Characters shown of a pseudonym.
const PSEUDONYM: usize = 16;

/// One line.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// When.
    pub at: Timestamp,
    /// The kind in a word.
    pub kind: &'static str,
    /// What.
    pub text: String,
    /// Its style.
    pub style: Style,
    /// Sum over the events that this line stands for: interactions accepted, or items written.
    sum: u64,
    /// The run's phase or the file whose progress this line shows; the next report of it replaces the line.
    progress_of: Option<String>,
}

impl Entry {
    /// A line that stands for one event alone.
    pub(crate) fn new(at: Timestamp, kind: &'static str, text: String, style: Style) -> Self {
        Self { at, kind, text, style, sum: 0, progress_of: None }
    }
}

/// The live stream since this console was opened.
#[derive(Debug, Default)]
pub(crate) struct EventLog {
    entries: VecDeque<Entry>,
    grown: i64,
}

impl EventLog {
    /// The lines, oldest first.
    pub(crate) fn entries(&self) -> impl DoubleEndedIterator<Item = &Entry> + ExactSizeIterator {
        self.entries.iter()
    }

    /// Number of lines added at the newer end so far, less those replaced. A reader who is scrolled back moves on by
    /// this number to stay at the same lines.
    pub(crate) const fn grown(&self) -> i64 {
        self.grown
    }

    /// Forgets everything.
    #[cfg(test)]
    pub(crate) fn clear(&mut self) {
        self.entries.clear();
    }

    /// Notes an event.
    pub(crate) fn note(&mut self, event: &Event) {
        let Some((kind, text, style)) = words(&event.kind) else { return };
        // Bursts become one line that counts on, or they would wash everything else away.
        if let Some((sum, _)) = burst(&event.kind) {
            let recent = self.entries.iter_mut().rev().take(BURST).find(|entry| entry.kind == kind);
            if let Some(last) = recent.filter(|last| event.at.millis() - last.at.millis() < BURST_MS) {
                last.sum = last.sum.saturating_add(sum);
                last.text = burst_words(&event.kind, last.sum).unwrap_or(text);
                return;
            }
        }
        let progress_of = progress_of(&event.kind);
        // Any word about a run or a file ends the line that told of its progress so far.
        if progress_of.is_some()
            && let Some(place) = self.entries.iter().rposition(|entry| entry.progress_of == progress_of)
        {
            self.entries.remove(place);
            self.grown -= 1;
        }
        let sum = burst(&event.kind).map_or(0, |(sum, _)| sum);
        self.entries.push_back(Entry { at: event.at, kind, text: text::clean(&text), style, sum, progress_of });
        self.grown += 1;
        if self.entries.len() > KEPT {
            self.entries.pop_front();
        }
    }
}

/// The subject of a progress line.
fn progress_of(event: &EventKind) -> Option<String> {
    match event {
        EventKind::Run(run) if !run.state.is_final() => Some(format!("{} {}", run.id, text::phase(&run.phase))),
        EventKind::Import(progress) => Some(progress.file.clone()),
        _ => None,
    }
}

/// The amount that an event adds to a burst, and the total that it names.
const fn burst(event: &EventKind) -> Option<(u64, u64)> {
    match event {
        EventKind::Interactions { accepted, total } => Some((*accepted, *total)),
        EventKind::Items { written, total } => Some((*written, *total)),
        _ => None,
    }
}

/// A burst in words, with the sum of its events.
fn burst_words(event: &EventKind, sum: u64) -> Option<String> {
    let (_, total) = burst(event)?;
    let verb = if matches!(event, EventKind::Items { .. }) { "written" } else { "more" };
    Some(format!("{} {verb}, {} in all", text::count(sum), text::count(total)))
}

/// Kind, words and style of an event; `None` for a heartbeat.
fn words(event: &EventKind) -> Option<(&'static str, String, Style)> {
    Some(match event {
        EventKind::Heartbeat => return None,
        EventKind::Lagged { missed } => (
            "lagged",
            format!("{} left out: this console was too slow", text::plural(*missed, "event was", "events were")),
            theme::WARN,
        ),
        EventKind::Interactions { accepted, .. } => ("interactions", burst_words(event, *accepted)?, theme::PLAIN),
        EventKind::Items { written, .. } => ("items", burst_words(event, *written)?, theme::PLAIN),
        EventKind::Erased { pseudonym } => {
            ("erased", format!("a shopper, pseudonym {}", text::cut(pseudonym, PSEUDONYM)), theme::WARN)
        }
        EventKind::Import(progress) => ("import", import_words(progress), theme::PLAIN),
        EventKind::Imported(report) => (
            "imported",
            format!(
                "{}: {} of {} accepted, {}, in {}",
                report.file,
                text::count(report.accepted),
                text::plural(report.lines, "line", "lines"),
                text::plural(report.duplicates, "duplicate", "duplicates"),
                text::duration(report.seconds)
            ),
            theme::GOOD,
        ),
        EventKind::Run(run) => ("run", run_words(run), if run.error.is_some() { theme::BAD } else { theme::ACCENT }),
        EventKind::Model(model) => ("model", format!("{} {}", model.version, text::model_state(model)), theme::ACCENT),
        EventKind::Decision(decision) => ("decision", decision_words(decision), theme::PLAIN),
        EventKind::Alarm(alarm) => ("alarm", format!("{}: {}", alarm.kind, alarm.text), theme::BAD),
        EventKind::Stopping => ("stopping", "the daemon stops".to_owned(), theme::WARN),
    })
}

fn import_words(progress: &ImportProgress) -> String {
    let share = if progress.total_bytes > 0 {
        format!(", {:.0} % of the file", 100.0 * progress.bytes as f64 / progress.total_bytes as f64)
    } else {
        String::new()
    };
    let verb = if progress.phase == ImportPhase::Scanning { "scanned" } else { "read" };
    format!("{}: {} {verb}{share}", progress.file, text::plural(progress.lines, "line", "lines"))
}

fn run_words(run: &Run) -> String {
    let place = if run.state.is_final() {
        String::new()
    } else if run.steps == 0 {
        format!(", {}", text::phase(&run.phase))
    } else {
        format!(", {} {}/{}", text::phase(&run.phase), text::count(run.step), text::count(run.steps))
    };
    let gate = run.gate.as_ref().filter(|_| run.state.is_final());
    let gate = gate.map(|gate| format!(", gate: {}", gate.reason)).unwrap_or_default();
    let error = run.error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
    format!("{} {}{place}{gate}{error}", run.id, text::word(&run.state))
}

/// A decision of the agent in a line.
pub(crate) fn decision_words(decision: &mercer_shared::wire::Decision) -> String {
    let outcome = decision.outcome.as_ref().map(|outcome| format!("; {outcome}")).unwrap_or_default();
    text::clean(&format!("{} because {} (saw {}){outcome}", decision.action, decision.rule, decision.saw))
}
