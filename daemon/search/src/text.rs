//! Cleaning of text before anything reads it: HTML entities, Unicode compatibility forms, controls and white space.

use unicode_normalization::UnicodeNormalization;

/// Decodes HTML entities (twice: exports that were escaped twice are common), normalises to NFKC, takes trademark signs out
/// (NFKC would glue `TM` to the word) and collapses white space and controls to single spaces. Keeps the case.
#[must_use]
pub fn clean(text: &str) -> String {
    let once = html_escape::decode_html_entities(text);
    let twice = html_escape::decode_html_entities(once.as_ref());
    let mut out = String::with_capacity(twice.len());
    let mut space = false;
    let marks = |c: char| if matches!(c, '™' | '®' | '©' | '℠') { ' ' } else { c };
    for c in twice.chars().map(marks).nfkc() {
        if c.is_whitespace() || c.is_control() || matches!(c, '\u{200b}' | '\u{feff}' | '\u{ad}') {
            // A zero-width space, a byte-order mark and a soft hyphen separate nothing that a reader sees.
            space |= !matches!(c, '\u{feff}' | '\u{ad}');
            continue;
        }
        if space && !out.is_empty() {
            out.push(' ');
        }
        space = false;
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn real_titles() {
        assert_eq!(clean("Black &amp;amp; Decker&nbsp;Drill\t 20V"), "Black & Decker Drill 20V");
        assert_eq!(clean("Nike™ Air"), "Nike Air");
        assert_eq!(clean("全角ＡＢＣ１２３"), "全角ABC123");
        assert_eq!(clean("  \u{0} \n"), "");
    }

    proptest! {
        #[test]
        fn never_panics_and_leaves_single_spaces(text in "\\PC*|.*") {
            let cleaned = clean(&text);
            prop_assert!(!cleaned.contains("  ") && cleaned.trim() == cleaned);
        }
    }
}
