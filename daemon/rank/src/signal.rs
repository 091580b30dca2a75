//! Groups of signals: what a source or a feature reads. An ablation leaves out one of them.
use serde::{Deserialize, Serialize};

/// The group of signals that a feature belongs to; an ablation leaves out one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signal {
    /// The user's own purchases of the item.
    Own,
    /// Views, clicks and carts.
    Intent,
    /// How much the item sells, and how that changes.
    Popularity,
    /// Purchases of users with similar purchases.
    Collaborative,
    /// How often and how soon the item is bought again.
    Renewal,
    /// The same of its brand and category, and the user's share of purchases in them.
    Group,
    /// Its price relative to what the user pays.
    Price,
    /// Text similarity.
    Text,
    /// The user as a whole: equal for all candidates. Stored as `shopper`.
    #[serde(rename = "shopper")]
    User,
    /// The sequence model.
    Sequence,
}

/// All signals.
pub const SIGNALS: [Signal; 10] = [
    Signal::Own,
    Signal::Intent,
    Signal::Popularity,
    Signal::Collaborative,
    Signal::Renewal,
    Signal::Group,
    Signal::Price,
    Signal::Text,
    Signal::User,
    Signal::Sequence,
];
