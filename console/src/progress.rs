//! Estimates how long a run will still take: the rest of its phase, by its steps or by the budget, whichever ends
//! first, and the phases to come.

use mercer_shared::time::Timestamp;
use mercer_shared::wire::{Run, RunPhase};

use crate::text;

/// The limit that ends a phase first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Limit {
    /// Its steps, at their present rate.
    Steps,
    /// The budget.
    Budget,
}

/// The remaining time of a run.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Remaining {
    /// Seconds to the end of the phase, and the limit that ends it; `None` if unknown.
    phase: Option<(f64, Limit)>,
    /// Phases to come.
    ahead: Vec<RunPhase>,
}

impl Remaining {
    /// The remaining time of a run at a moment of the daemon's clock; `None` once it has ended.
    pub(crate) fn of(run: &Run, now: Timestamp) -> Self {
        if run.state.is_final() {
            return Self { phase: None, ahead: Vec::new() };
        }
        let steps = run.eta_seconds.filter(|seconds| seconds.is_finite());
        let budget = run.phase_ends_by.map(|end| ((end.millis() - now.millis()) as f64 / 1000.0).max(0.0));
        let phase = match (steps, budget) {
            (Some(steps), Some(budget)) if budget < steps => Some((budget, Limit::Budget)),
            (Some(steps), _) => Some((steps, Limit::Steps)),
            (None, budget) => budget.map(|budget| (budget, Limit::Budget)),
        };
        Self { phase, ahead: run.phases_ahead.clone() }
    }

    /// The remaining time in words, such as `12 s left of the phase (budget), then embedding, gate`; `None` if unknown.
    pub(crate) fn words(&self) -> Option<String> {
        let phase = self.phase.map(|(seconds, limit)| match limit {
            Limit::Steps => format!("{} left of the phase", text::remaining(seconds)),
            Limit::Budget => format!("at most {} left of the phase (budget)", text::remaining(seconds)),
        });
        let ahead: Vec<String> = self.ahead.iter().map(text::phase).collect();
        let ahead = (!ahead.is_empty()).then(|| format!("then {}", ahead.join(", ")));
        let parts: Vec<String> = phase.into_iter().chain(ahead).collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A run that is at its encoder, a quarter of an hour by its steps from the end of them.
    fn run() -> Run {
        serde_json::from_value(serde_json::json!({
            "id": "r000012", "state": "running", "cause": "operator", "phase": "encoder",
            "created": "2026-03-02T11:57:00Z", "step": 12, "steps": 400, "eta_seconds": 780.0, "device": "cpu",
            "memory_bytes": 1, "seed": 7
        }))
        .unwrap()
    }

    fn words(run: &Run) -> Option<String> {
        Remaining::of(run, "2026-03-02T12:00:00Z".parse().unwrap()).words()
    }

    #[test]
    fn what_ends_the_phase_first_counts() {
        let mut run = run();
        assert_eq!(words(&run).unwrap(), "13 min left of the phase");
        run.phase_ends_by = Some("2026-03-02T12:00:09Z".parse().unwrap());
        assert_eq!(words(&run).unwrap(), "at most 9 s left of the phase (budget)");
        run.phase_ends_by = Some("2026-03-02T13:00:00Z".parse().unwrap());
        assert_eq!(words(&run).unwrap(), "13 min left of the phase", "the steps end it first");
        run.eta_seconds = None;
        assert_eq!(words(&run).unwrap(), "at most 1 h left of the phase (budget)");
        run.phase_ends_by = Some("2026-03-02T11:00:00Z".parse().unwrap());
        assert_eq!(words(&run).unwrap(), "at most 0 s left of the phase (budget)", "overdrawn");
    }

    #[test]
    fn phases_to_come_are_named() {
        let mut run = run();
        run.phases_ahead = vec![RunPhase::Embedding, RunPhase::Ranker, RunPhase::Gate];
        assert_eq!(words(&run).unwrap(), "13 min left of the phase, then embedding, ranker, gate");
        run.eta_seconds = None;
        assert_eq!(words(&run).unwrap(), "then embedding, ranker, gate");
        run.state = mercer_shared::wire::RunState::Succeeded;
        assert_eq!(words(&run), None);
    }
}
