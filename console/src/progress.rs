//! What a run will still take.

use mercer_shared::time::Timestamp;
use mercer_shared::wire::Run;

use crate::text;

/// What a run will still take.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Remaining {
    /// Seconds to the end of the phase, by the present rate of its steps.
    phase: Option<f64>,
}

impl Remaining {
    /// What a run will still take at a moment of the daemon's clock; nothing once it has ended.
    pub(crate) fn of(run: &Run, _now: Timestamp) -> Self {
        Self { phase: run.eta_seconds.filter(|seconds| seconds.is_finite() && !run.state.is_final()) }
    }

    /// The same in words; `None` where nothing is known.
    pub(crate) fn words(&self) -> Option<String> {
        self.phase.map(|seconds| format!("{} left of the phase", text::remaining(seconds)))
    }
}
