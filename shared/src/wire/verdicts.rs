//! The words for what a number of a report means.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A verdict word.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// No difference beyond what chance makes.
    WithinNoise,
    /// A difference beyond what chance makes.
    AboveNoise,
    /// Too few users to tell.
    #[default]
    InsufficientData,
    /// Better than recommending popular items, beyond noise (paired, 95 %).
    BetterThanPopularity,
    /// Worse than recommending popular items, beyond noise.
    WorseThanPopularity,
    /// Larger than for the version before, beyond noise.
    HigherThanBefore,
    /// Smaller than for the version before, beyond noise.
    LowerThanBefore,
    /// Less exposure than its relevance earns, beyond noise.
    BelowMerit,
    /// More exposure than its relevance earns, beyond noise.
    AboveMerit,
    /// Another exposure model turns the finding round.
    DependsOnExposureModel,
    /// Nothing limits the numbers of the report much.
    Healthy,
    /// So much is missing that the other numbers must not be relied on.
    Unhealthy,
}
