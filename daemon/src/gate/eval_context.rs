//! What a cycle's lists are judged in: the log, the memory of the cut-off, the window behind it.

use std::sync::Arc;

use mercer_rank::{Catalogue, CollaborativeIndex, Log, Ranker, Snapshot};

use crate::gate::decide;
use crate::gate::decide::Judged;
use crate::gate::policy::ScoringPolicy;
use crate::reports::window_lists::{Limits, Lists};
use crate::runs::context::{RunContext, RunExit};

/// The log, the memory of the cut-off, and the window.
#[derive(Clone, Copy)]
pub(crate) struct EvalContext<'a> {
    pub(crate) log: &'a Log,
    pub(crate) index: &'a Arc<CollaborativeIndex>,
    /// Cut-off and end of the window.
    pub(crate) span: (i64, i64),
    pub(crate) limits: &'a Limits<'a>,
    pub(crate) context: &'a RunContext<'a>,
}

impl EvalContext<'_> {
    /// The shop as of the cut-off with these items.
    pub(crate) fn snapshot(&self, catalogue: Catalogue) -> Snapshot {
        Snapshot { log: self.log.clone(), catalogue, index: Arc::clone(self.index) }
    }

    /// Lists of any and of unseen items.
    pub(crate) fn judged(&self, catalogue: Catalogue, policy: ScoringPolicy<'_>) -> Result<Judged, RunExit> {
        let judged = decide::judge(&self.snapshot(catalogue), self.span, policy, self.limits);
        self.context.check()?;
        Ok(judged?)
    }

    /// A ranker's lists of cold items.
    pub(crate) fn cold(&self, catalogue: Catalogue, ranker: &Ranker) -> Result<Lists, RunExit> {
        let judged = decide::cold(&self.snapshot(catalogue), self.span, ranker, self.limits);
        self.context.check()?;
        Ok(judged?)
    }
}
