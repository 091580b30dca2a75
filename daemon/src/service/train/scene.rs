//! What a cycle's lists are judged in: the log, the memory of the cut-off, the window behind it.

use std::sync::Arc;

use mercer_rank::{BlendWeights, Catalogue, Log, Memory, Ranker, Snapshot};

use super::judge::{self, Judged};
use super::order::Order;
use super::{Control, Ended};
use crate::service::evaluation::{Limits, Lists};

/// The log, the memory of the cut-off, and the window.
#[derive(Clone, Copy)]
pub(super) struct Scene<'a> {
    pub(super) log: &'a Log,
    pub(super) memory: &'a Arc<Memory>,
    /// Cut-off and end of the window.
    pub(super) span: (i64, i64),
    pub(super) limits: &'a Limits<'a>,
    pub(super) control: &'a Control<'a>,
}

impl Scene<'_> {
    /// The shop as of the cut-off with these items.
    pub(super) fn snapshot(&self, catalogue: Catalogue) -> Snapshot {
        Snapshot { log: self.log.clone(), catalogue, memory: Arc::clone(self.memory) }
    }

    /// Lists of any and of unseen items, by a ranker or a blend.
    pub(super) fn judged(
        &self,
        catalogue: Catalogue,
        ranker: Option<&Ranker>,
        blend: Option<&BlendWeights>,
    ) -> Result<Judged, Ended> {
        let judged = judge::judge(&self.snapshot(catalogue), self.span, (ranker, blend), self.limits);
        self.control.check()?;
        Ok(judged?)
    }

    /// The same by an order.
    pub(super) fn ordered(&self, catalogue: Catalogue, order: &Order) -> Result<Judged, Ended> {
        self.judged(catalogue, order.ranker.as_ref(), order.blend.as_ref())
    }

    /// A ranker's lists of cold items.
    pub(super) fn cold(&self, catalogue: Catalogue, ranker: &Ranker) -> Result<Lists, Ended> {
        let judged = judge::cold(&self.snapshot(catalogue), self.span, ranker, self.limits);
        self.control.check()?;
        Ok(judged?)
    }
}
