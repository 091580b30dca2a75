//! The inputs of a cycle's evaluation: the log, the collaborative index of the cut-off, and the window after it.

use std::sync::Arc;

use mercer_rank::{Catalogue, CollaborativeIndex, Log, Snapshot, Window};

use crate::gate::evaluate::{self, Evaluated, ListSlice};
use crate::gate::policy::FittedPolicy;
use crate::reports::window_lists::{Limits, Lists};
use crate::runs::context::{RunContext, RunExit};

/// The log, the index of the cut-off, and the window.
#[derive(Clone, Copy)]
pub(crate) struct EvalContext<'a> {
    pub(crate) log: &'a Log,
    pub(crate) index: &'a Arc<CollaborativeIndex>,
    pub(crate) window: Window,
    pub(crate) limits: &'a Limits<'a>,
    pub(crate) context: &'a RunContext<'a>,
}

impl EvalContext<'_> {
    /// The shop as of the cut-off with these items.
    pub(crate) fn snapshot(&self, catalogue: &Catalogue) -> Snapshot {
        Snapshot { log: self.log.clone(), catalogue: catalogue.clone(), index: Arc::clone(self.index) }
    }

    /// A policy's lists of all and of novel items.
    pub(crate) fn evaluate(&self, catalogue: &Catalogue, policy: FittedPolicy<'_>) -> Result<Evaluated, RunExit> {
        let evaluated = evaluate::evaluate(&self.snapshot(catalogue), self.window, policy, self.limits);
        self.context.check()?;
        Ok(evaluated?)
    }

    /// A policy's lists of one slice.
    pub(crate) fn evaluate_slice(
        &self,
        catalogue: &Catalogue,
        policy: FittedPolicy<'_>,
        slice: ListSlice,
    ) -> Result<Lists, RunExit> {
        let lists = evaluate::evaluate_slice(&self.snapshot(catalogue), self.window, policy, slice, self.limits);
        self.context.check()?;
        Ok(lists?)
    }
}
