//! An arm that is ready to make lists as of the cut-off.

use std::collections::BTreeMap;

use mercer_rank::{Mode, RankError, RankRequest, RankedItem, Recipient};
use mercer_shared::wire::EvaluatedArm;

/// Modes that settings are chosen for, with their words.
pub(crate) const MODES: [(Mode, &str); 2] = [(Mode::All, "repeat"), (Mode::Novel, "new")];

/// Makes the list of a shopper.
pub(crate) type Lists = dyn Fn(Recipient<'_>, &RankRequest<'_>) -> Result<Vec<RankedItem>, RankError> + Sync;

/// An arm that is ready to make lists as of the cut-off.
pub(crate) struct Contestant {
    pub(crate) name: String,
    pub(crate) settings: BTreeMap<String, String>,
    pub(crate) tuned: BTreeMap<String, f64>,
    pub(crate) tried: usize,
    pub(crate) seconds: f64,
    pub(crate) list: Box<Lists>,
}

impl Contestant {
    /// The arm as the report names it.
    pub(crate) fn wire(&self) -> EvaluatedArm {
        EvaluatedArm {
            name: self.name.clone(),
            settings: self.settings.clone(),
            tuned: self.tuned.clone(),
            tried: self.tried as u32,
            seconds: self.seconds,
        }
    }
}
