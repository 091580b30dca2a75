//! The part of a preset that takes persons out of a log before anything is made of it.

use std::collections::BTreeMap;

use serde::Deserialize;

/// What is done with the values of one column before rules, items, users and interactions are read. An empty value stays empty.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnonymiseSpec {
    /// The column.
    pub column: String,
    /// How.
    pub how: Anonymisation,
    /// For `bucket`: lower ends of bands; a number becomes `18-24`, the last one `65+`, below the first `under 18`.
    #[serde(default)]
    pub bands: Vec<u32>,
    /// For `truncate` of a time: what is left of it.
    pub to: Option<TimePart>,
    /// For `truncate` of a coordinate or another number: its decimals.
    pub digits: Option<u8>,
    /// For `generalise`: this many letters from the left, such as the first digits of a postcode.
    pub keep: Option<usize>,
    /// For `generalise`: other words for these values, compared without case.
    #[serde(default)]
    pub map: BTreeMap<String, String>,
    /// For `generalise`: the word for values that `map` does not have; they become empty if it is absent.
    pub other: Option<String>,
}

/// How a column is anonymised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Anonymisation {
    /// The column is empty.
    Drop,
    /// A keyed hash stands for the value: the same value gives the same hash in this installation, and nobody without its key can
    /// match the two. Equal values in two columns give different hashes.
    Hash,
    /// A band stands for a number; what is no number becomes empty.
    Bucket,
    /// A time keeps only its larger parts, a number only some decimals.
    Truncate,
    /// A wider word stands for the value.
    Generalise,
}

/// What is left of a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimePart {
    /// Down to the hour.
    Hour,
    /// Down to the day, at midnight UTC.
    Day,
    /// Down to the month, at its first midnight UTC.
    Month,
}
