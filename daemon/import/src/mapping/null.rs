//! Words that mean "no value" in exports.

use crate::preset::NullSpec;

/// Words of common tools: pandas, R, databases, spreadsheets, JavaScript, web analytics. Compared without case.
const USUAL: [&str; 19] = [
    "nan",
    "null",
    "na",
    "n/a",
    "none",
    "-",
    "--",
    "\u{2013}",
    "\u{2014}",
    "\\n",
    "#n/a",
    "<na>",
    "<nil>",
    "<null>",
    "(null)",
    "(none)",
    "[null]",
    "undefined",
    "(not set)",
];

/// Words that mean "no value" in a column of ids or numbers.
#[derive(Debug, Clone)]
pub(crate) struct NullWords {
    words: Vec<String>,
    /// First bytes of the words in either case, which most values do not have.
    first: [bool; 256],
}

impl NullWords {
    /// The usual words, with what a preset adds and without what it removes.
    pub(crate) fn new(spec: Option<&NullSpec>) -> Self {
        let mut words: Vec<String> = USUAL.iter().map(|word| (*word).to_owned()).collect();
        if let Some(spec) = spec {
            words.extend(spec.add.iter().map(|word| word.trim().to_lowercase()));
            words.retain(|word| !spec.remove.iter().any(|removed| removed.trim().to_lowercase() == *word));
        }
        let mut first = [false; 256];
        for word in &words {
            let upper = word.to_uppercase();
            for byte in [word, &upper].into_iter().filter_map(|word| word.bytes().next()) {
                first[usize::from(byte)] = true;
            }
        }
        Self { words, first }
    }

    /// Whether a trimmed value is such a word.
    pub(crate) fn has(&self, value: &str) -> bool {
        let likely = value.bytes().next().is_some_and(|byte| self.first[usize::from(byte)]);
        likely && self.words.iter().any(|word| word.eq_ignore_ascii_case(value) || *word == value.to_lowercase())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_words_and_those_of_a_preset() {
        let usual = NullWords::new(None);
        for word in ["nan", "NaN", "NULL", "null", "NA", "N/A", "n/a", "None", "-", "\\N", "#N/A", "(not set)", "—"] {
            assert!(usual.has(word), "{word}");
        }
        for value in ["", "0", "Nancy", "-1", "17850", "nanx", "guest"] {
            assert!(!usual.has(value), "{value}");
        }
        let spec = NullSpec { add: vec!["Gast".to_owned(), "ÖÖ".to_owned()], remove: vec!["NA".to_owned()] };
        let own = NullWords::new(Some(&spec));
        assert!(own.has("gast") && own.has("GAST") && own.has("öö") && own.has("nan") && !own.has("NA"));
    }
}
