//! What is re-ranked, what comes of it, and why it cannot be.

use super::vectors::UnitVectors;

/// Why a list cannot be re-ranked: the candidates or the parameters do not fit.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum RerankError {
    /// An input has another length than the candidates.
    #[error("{input} has {found} entries, but {expected} are needed")]
    Length {
        /// The input.
        input: &'static str,
        /// Entries needed.
        expected: usize,
        /// Entries given.
        found: usize,
    },
    /// The method needs an input that is not there.
    #[error("this method needs {0}")]
    Missing(&'static str),
    /// A score is NaN or infinite.
    #[error("a score is not a finite number")]
    Score,
    /// A parameter lies outside its range.
    #[error("{name} is {value}, but must be {range}")]
    Parameter {
        /// The parameter.
        name: &'static str,
        /// Its value.
        value: f64,
        /// What it must be.
        range: &'static str,
    },
    /// Target shares do not sum to 1.
    #[error("the target shares sum to {sum}, but must sum to 1")]
    Shares {
        /// The sum.
        sum: f64,
    },
    /// Constraints that no list can meet together.
    #[error("the constraints contradict each other: {0}")]
    Conflict(String),
    /// A candidate's group has no parameters.
    #[error("a candidate belongs to group {group}, but there are {groups} groups")]
    Group {
        /// The group.
        group: usize,
        /// Groups with parameters.
        groups: usize,
    },
    /// The user has too few events for a distribution of tastes.
    #[error("the user has {0} events; calibration needs at least 5")]
    History(usize),
}

/// The candidates of one list, by index.
#[derive(Clone, Copy, Debug)]
pub struct Candidates<'a> {
    /// Relevance, higher is better. MMR, xQuAD and calibration weigh it against values in [0, 1]: see [`super::unit_scale`].
    pub scores: &'a [f64],
    /// Tie key of each (a keyed hash of the item id).
    pub keys: &'a [u64],
    /// Group (seller, brand, category) of each; empty where the method needs none.
    pub groups: &'a [usize],
    /// Direction of each for MMR and DPP; an item without a vector is unlike all others.
    pub vectors: Option<&'a UnitVectors>,
}

/// A re-ranked list.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reranked {
    /// Candidate indices by rank, each at most once, min(k, n) of them.
    pub order: Vec<usize>,
    /// What the rule maximised at each rank: gain, objective, d² or the adjusted score; the score where it was back-filled.
    pub gains: Vec<f64>,
    /// How many leading ranks the rule filled; the rest is back-fill by score.
    pub by_rule: usize,
    /// Ranks on which a constraint could not be met, because the group it asked for had run out.
    pub unmet: usize,
}

/// Refuses a weight outside [0, 1].
pub(super) fn unit(name: &'static str, value: f64) -> Result<(), RerankError> {
    if (0.0..=1.0).contains(&value) {
        Ok(())
    } else {
        Err(RerankError::Parameter { name, value, range: "between 0 and 1" })
    }
}

/// Refuses shares outside [0, 1] or with another sum than 1.
pub(super) fn whole(shares: &[f64]) -> Result<(), RerankError> {
    shares.iter().try_for_each(|share| unit("a target share", *share))?;
    let sum = shares.iter().sum::<f64>();
    if (sum - 1.0).abs() > 1e-9 { Err(RerankError::Shares { sum }) } else { Ok(()) }
}
