//! What a feature is: its unit, its signal, when it changes, and its value.

use serde::{Deserialize, Serialize};

use super::context::{CandidateContext, FeatureContext};
use crate::signal::Signal;

/// The unit of a feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeatureUnit {
    /// 0 or 1.
    Flag,
    /// Natural logarithm of one plus a count.
    LogCount,
    /// Natural logarithm of one plus days.
    LogDays,
    /// Natural logarithm of a ratio.
    LogRatio,
    /// A share from 0 to 1, or its root.
    Share,
    /// Natural logarithm of a share of the list's maximum, from -6.9.
    LogShare,
    /// Natural logarithm of one plus the rank among the candidates, from 0.
    LogRank,
    /// Cosine.
    Cosine,
}

/// When a new interaction changes a feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Freshness {
    /// At the user's next list: the log is read at each request.
    PerRequest,
    /// Also by events of other users: popularity with each event (`CollaborativeIndex::observe`), all counts at the next
    /// `CollaborativeIndex::refresh`.
    PerEvent,
    /// By the user's events at the next list, by those of other users at the next `CollaborativeIndex::follow`, with weights as of the
    /// last fit.
    PerFollow,
    /// By the user's events at the next list, by those of other users at the next `CollaborativeIndex::fit`.
    PerFit,
}

/// One feature.
pub struct Feature {
    /// Its name; a ranker is bound to the names it was trained on.
    pub name: &'static str,
    /// Its unit.
    pub unit: FeatureUnit,
    /// The group of signals it belongs to.
    pub signal: Signal,
    /// When a new interaction changes it.
    pub freshness: Freshness,
    pub(super) value: fn(&FeatureContext<'_>, &CandidateContext<'_>) -> f32,
}
