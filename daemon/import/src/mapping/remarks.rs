//! Counts values that were corrected or left out, for the report of an import.

use std::collections::BTreeMap;

/// Different words that are named in one note.
const MAX_WORDS: usize = 20;
/// Most different words that are counted; a column of free text has as many as lines.
const MAX_COUNTED: usize = 1_000;

/// The kind of document that a remark concerns; the kinds are read in different passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum About {
    /// Items and users.
    Things,
    /// Interactions.
    Events,
}

/// A kind of remark.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Remark {
    /// A time in another unit than the preset says.
    TimeUnit {
        /// The column.
        column: String,
        /// The unit it was read in.
        read: &'static str,
        /// What the preset says.
        declared: String,
    },
    /// A price that is no number.
    NoPrice,
    /// A price that may be two numbers.
    AmbiguousPrice,
    /// A price in another currency than the preset says.
    OtherCurrency {
        /// What the preset says.
        declared: String,
    },
    /// A word that does not say whether an item can be bought or is hidden.
    UnknownFlag {
        /// The field of the item.
        field: &'static str,
    },
    /// A word that the preset maps to no type.
    UnmappedType {
        /// The column.
        column: String,
    },
}

impl Remark {
    const fn about(&self) -> About {
        match self {
            Self::TimeUnit { .. } | Self::UnmappedType { .. } => About::Events,
            Self::NoPrice | Self::AmbiguousPrice | Self::OtherCurrency { .. } | Self::UnknownFlag { .. } => {
                About::Things
            }
        }
    }

    pub(super) const fn is_unmapped_type(&self) -> bool {
        matches!(self, Self::UnmappedType { .. })
    }

    /// Whether the note names every word with its count, or only the first.
    const fn names_words(&self) -> bool {
        matches!(self, Self::UnknownFlag { .. } | Self::UnmappedType { .. })
    }

    fn text(&self, count: u64, words: &str) -> String {
        match self {
            Self::TimeUnit { column, read, declared } => {
                format!(
                    "`{column}`: {count} times were read as {read}, not as {declared} as the preset says, first {words}"
                )
            }
            Self::NoPrice => format!("{count} prices are no numbers and were left out, first {words}"),
            Self::AmbiguousPrice => format!(
                "{count} prices may have a decimal comma or thousands and were left out, first {words}: `decimal` in the preset tells"
            ),
            Self::OtherCurrency { declared } => {
                format!("{count} prices are not in {declared}, as the preset says, and were left out, first {words}")
            }
            Self::UnknownFlag { field } => {
                format!(
                    "{field}: {count} words are not known and say nothing: {words}; `map` in the preset gives them a meaning"
                )
            }
            Self::UnmappedType { column } => {
                format!("`{column}`: {count} records have types that the preset does not map: {words}")
            }
        }
    }
}

#[derive(Debug, Default)]
struct Counted {
    count: u64,
    /// Counts by word, each with the line it was first seen in.
    words: BTreeMap<String, Word>,
}

#[derive(Debug)]
struct Word {
    count: u64,
    first_line: u64,
}

/// Remarks of one pass over a file.
#[derive(Debug, Default)]
pub(super) struct Remarks(BTreeMap<Remark, Counted>);

impl Remarks {
    pub(super) fn add(&mut self, remark: Remark, word: &str, line: u64) {
        let all = remark.names_words();
        let counted = self.0.entry(remark).or_default();
        counted.count += 1;
        if let Some(known) = counted.words.get_mut(word) {
            known.count += 1;
        } else if counted.words.len() < if all { MAX_COUNTED } else { 1 } {
            counted.words.insert(word.to_owned(), Word { count: 1, first_line: line });
        }
    }

    /// The notes for the report about these documents.
    pub(super) fn notes(&self, about: About) -> Vec<String> {
        self.0
            .iter()
            .filter(|(remark, _)| remark.about() == about)
            .map(|(remark, counted)| note(remark, counted))
            .collect()
    }
}

fn note(remark: &Remark, counted: &Counted) -> String {
    let mut words: Vec<(&String, &Word)> = counted.words.iter().collect();
    words.sort_by_key(|(word, known)| (std::cmp::Reverse(known.count), *word));
    let all = remark.names_words();
    let one = |(word, known): &(&String, &Word)| match all {
        true => format!("`{word}` {} (line {})", known.count, known.first_line),
        false => format!("`{word}` in line {}", known.first_line),
    };
    let named: Vec<String> = words.iter().take(MAX_WORDS).map(one).collect();
    let mut text = named.join(", ");
    if words.len() > named.len() {
        text.push_str(&format!(" and {} other words", words.len() - named.len()));
    }
    remark.text(counted.count, &text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_counted_and_named() {
        let mut remarks = Remarks::default();
        let unmapped = || Remark::UnmappedType { column: "event".to_owned() };
        for (line, word) in [(2, "share"), (3, "scroll"), (4, "share")] {
            remarks.add(unmapped(), word, line);
        }
        remarks.add(Remark::NoPrice, "from 5", 3);
        remarks.add(Remark::NoPrice, "x", 4);
        assert_eq!(
            remarks.notes(About::Events),
            ["`event`: 3 records have types that the preset does not map: `share` 2 (line 2), `scroll` 1 (line 3)"]
        );
        assert_eq!(
            remarks.notes(About::Things),
            ["2 prices are no numbers and were left out, first `from 5` in line 3"]
        );
        for word in 0..30 {
            remarks.add(unmapped(), &word.to_string(), 9);
        }
        assert!(remarks.notes(About::Events)[0].ends_with(" and 12 other words"));
    }
}
