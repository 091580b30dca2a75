//! The candidate sources: their names, on the wire and in stored files.
//!
//! A source gives every item a score for one user as of a moment. Sources are the terms of the blend and the collaborative
//! features of the ranker. [`SourceScores`](crate::source_scores) computes them.
use serde::{Deserialize, Serialize};

use crate::signal::Signal;

/// A source: one score per item for one user as of a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The user's own purchases, decayed with half-lives of 90 and 700 days; the long one is for what is bought once a year.
    Own,
    /// Signs of interest short of buying: views, clicks, carts.
    Intent,
    /// Purchases of the last 7 days.
    Popular7,
    /// Purchases of the last 30 days.
    Popular30,
    /// Purchases of the last 90 days.
    Popular90,
    /// All purchases with a half-life of 10 days.
    Popular,
    /// Growth of the last 7 days over the item's own last 30 and 90.
    Trending,
    /// Co-occurrence with the items of the user's interest profile.
    Knn,
    /// Co-occurrence of the last 60 days with the user's recent items.
    KnnRecent,
    /// The largest single co-occurrence with an item of the profile.
    KnnStrongest,
    /// Items that followed baskets like the user's last two.
    Next,
    /// Recent purchases of similar users.
    UserKnn,
    /// The same with a half-life of a week.
    UserKnnFresh,
    /// Recent first purchases of similar users. Stored and sent as `adopters`.
    #[serde(rename = "adopters")]
    NeighbourFirstPurchases,
    /// Matrix factorisation.
    Ials,
    /// Closed-form item-item regression.
    Ease,
    /// Cosine with the mean vector of the user's items.
    Content,
    /// Share of the user's interest in the item's category.
    Category,
    /// The sequence model.
    Sequence,
}

/// All sources, in the order of their columns.
pub const SOURCES: [Source; 19] = [
    Source::Own,
    Source::Intent,
    Source::Popular7,
    Source::Popular30,
    Source::Popular90,
    Source::Popular,
    Source::Trending,
    Source::Knn,
    Source::KnnRecent,
    Source::KnnStrongest,
    Source::Next,
    Source::UserKnn,
    Source::UserKnnFresh,
    Source::NeighbourFirstPurchases,
    Source::Ials,
    Source::Ease,
    Source::Content,
    Source::Category,
    Source::Sequence,
];

impl Source {
    /// The group of signals that it belongs to; an ablation leaves out one of them.
    #[must_use]
    pub const fn signal(self) -> Signal {
        match self {
            Self::Own => Signal::Own,
            Self::Intent => Signal::Intent,
            Self::Popular7 | Self::Popular30 | Self::Popular90 | Self::Popular | Self::Trending => Signal::Popularity,
            Self::Knn
            | Self::KnnRecent
            | Self::KnnStrongest
            | Self::Next
            | Self::UserKnn
            | Self::UserKnnFresh
            | Self::NeighbourFirstPurchases
            | Self::Ials
            | Self::Ease => Signal::Collaborative,
            Self::Content => Signal::Text,
            Self::Category => Signal::Group,
            Self::Sequence => Signal::Sequence,
        }
    }

    /// The name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Intent => "intent",
            Self::Popular7 => "popular7",
            Self::Popular30 => "popular30",
            Self::Popular90 => "popular90",
            Self::Popular => "popular",
            Self::Trending => "trending",
            Self::Knn => "knn",
            Self::KnnRecent => "knn_recent",
            Self::KnnStrongest => "knn_strongest",
            Self::Next => "next",
            Self::UserKnn => "user_knn",
            Self::UserKnnFresh => "user_knn_fresh",
            Self::NeighbourFirstPurchases => "adopters",
            Self::Ials => "ials",
            Self::Ease => "ease",
            Self::Content => "content",
            Self::Category => "category",
            Self::Sequence => "sequence",
        }
    }
}
