//! The plan of a run. It is stored before anything is computed, so that the run does the same after a stop or a crash.

use std::path::PathBuf;

use mercer_rank::Window;
use mercer_shared::wire::{EvaluationRequest, MembershipRequest, ReplayRequest, RunKind, SweepRequest, TrainRequest};
use mercer_store::{Setting, SettingDocument};
use serde::{Deserialize, Serialize};

use crate::runs::budget;
use crate::state::app::App;

/// The plan of a run, stored before anything is computed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Plan {
    /// The run.
    pub(crate) run: String,
    /// What was asked for.
    pub(crate) request: TrainRequest,
    /// Last sequence number of the log that is read.
    pub(crate) cursor: u64,
    /// Training sees nothing later than this moment.
    #[serde(rename = "cut")]
    pub(crate) cutoff: i64,
    /// End of the evaluation window that begins at `cutoff`.
    pub(crate) to: i64,
    /// Moment up to which the adapter that training starts from has learned; the earliest there is without one.
    pub(crate) since: i64,
    /// The version that served.
    pub(crate) parent: String,
    /// Share of the users that are held out.
    #[serde(default)]
    pub(crate) holdout: f64,
    /// What the cost of the cycle depends on.
    #[serde(default)]
    pub(crate) sizes: budget::CycleSizes,
    /// How much of everything is done.
    #[serde(default, rename = "rung")]
    pub(crate) tier: usize,
    /// What the run does.
    #[serde(default)]
    pub(crate) job: Job,
}

impl SettingDocument for Plan {
    const SETTING: Setting = Setting::RunPlan;
}

impl Plan {
    /// The evaluation window.
    pub(crate) const fn window(&self) -> Window {
        Window { cutoff: self.cutoff, end: self.to }
    }
}

/// What a run does.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) enum Job {
    /// A training cycle.
    #[default]
    Train,
    /// An evaluation.
    Evaluate(EvaluationRequest),
    /// A search over settings.
    Sweep(SweepRequest),
    /// A replay.
    Replay(ReplayRequest),
    /// A membership test.
    Membership(MembershipRequest),
}

impl Job {
    pub(crate) const fn kind(&self) -> RunKind {
        match self {
            Self::Train => RunKind::Train,
            Self::Evaluate(_) => RunKind::Evaluation,
            Self::Sweep(_) => RunKind::Sweep,
            Self::Replay(_) => RunKind::Replay,
            Self::Membership(_) => RunKind::Membership,
        }
    }
}

/// Where a run keeps its checkpoints.
pub(crate) fn run_directory(app: &App, id: &str) -> PathBuf {
    app.config.state.join("runs").join(id)
}
