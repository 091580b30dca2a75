//! States and verdicts in words and colours, and a run in a line.

use mercer_shared::time::Timestamp;
use mercer_shared::wire::{GateVerdict, ModelState, ModelVersion, Run, RunState, Verdict};
use ratatui::text::Span;

use crate::text;
use crate::tui::theme;
use crate::tui::widgets::draw::span;

/// The state of a run with its colour.
pub(crate) fn run_state<'a>(state: RunState) -> Span<'a> {
    let style = match state {
        RunState::Running => theme::ACCENT,
        RunState::Succeeded => theme::GOOD,
        RunState::Failed => theme::BAD,
        RunState::Queued | RunState::Paused | RunState::Cancelled => theme::WARN,
    };
    span(text::word(&state), style)
}

/// The state of a version with its colour.
pub(crate) fn model_state<'a>(version: &ModelVersion) -> Span<'a> {
    let style = match version.state {
        ModelState::Serving => theme::GOOD,
        ModelState::Candidate | ModelState::Canary => theme::ACCENT,
        ModelState::Retired => theme::QUIET,
        ModelState::Rejected => theme::WARN,
    };
    span(text::model_state(version), style)
}

/// The gate's verdict with its colour.
pub(crate) fn gate_verdict<'a>(verdict: GateVerdict) -> Span<'a> {
    let (word, style) = match verdict {
        GateVerdict::Promote => ("passed", theme::GOOD),
        GateVerdict::Reject => ("rejected", theme::WARN),
        GateVerdict::InsufficientData => ("too few users", theme::QUIET),
    };
    span(word, style)
}

/// The verdict on a number of a report with its colour.
pub(crate) fn report_verdict<'a>(verdict: Verdict) -> Span<'a> {
    let style = match verdict {
        Verdict::AboveNoise
        | Verdict::WorseThanPopularity
        | Verdict::BelowMerit
        | Verdict::LowerThanBefore
        | Verdict::HigherThanBefore
        | Verdict::DependsOnExposureModel
        | Verdict::Unhealthy => theme::WARN,
        Verdict::WithinNoise | Verdict::BetterThanPopularity | Verdict::Healthy => theme::GOOD,
        _ => theme::QUIET,
    };
    span(text::word(&verdict), style)
}

/// A run in a line: its id and state, what it does or what came of it.
pub(crate) fn run_line<'a>(run: &Run, now: Timestamp) -> Vec<Span<'a>> {
    let mut spans = vec![span(text::clean(&run.id), theme::STRONG), span(" ", theme::PLAIN), run_state(run.state)];
    match run.state {
        RunState::Running | RunState::Paused => {
            spans.push(span(format!(", {}", text::phase(&run.phase)), theme::PLAIN));
            if run.steps > 0 {
                spans.push(span(format!(" {}/{}", text::count(run.step), text::count(run.steps)), theme::QUIET));
            }
            if let Some(loss) = run.loss {
                spans.push(span(format!("  loss {}", text::value(loss)), theme::PLAIN));
            }
        }
        _ => {
            if let Some(gate) = &run.gate {
                spans.extend([span(", gate: ", theme::QUIET), gate_verdict(gate.verdict)]);
            }
            if let Some(error) = &run.error {
                spans.push(span(format!(": {}", text::clean(error)), theme::BAD));
            }
            if let Some(ended) = run.ended {
                spans.push(span(format!("  {}", text::ago(ended, now)), theme::QUIET));
            }
        }
    }
    spans
}
