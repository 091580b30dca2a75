//! Removes control characters from text of the shop, and lays text out in columns.

use textwrap::{Options, WordSeparator, WordSplitter, WrapAlgorithm};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Marks the place where text was cut.
const ELLIPSIS: char = '…';

/// Removes everything that would control the terminal or break columns: control characters become blanks; direction
/// overrides, joiners and other invisible format characters are dropped.
pub(crate) fn clean(text: &str) -> String {
    text.chars()
        .filter_map(|c| match c {
            c if c.is_control() => Some(' '),
            '\u{2028}' | '\u{2029}' => Some(' '),
            '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}' => None,
            '\u{e0000}'..='\u{e007f}' | '\u{061c}' | '\u{00ad}' => None,
            c => Some(c),
        })
        .collect()
}

/// Columns that a text takes on a terminal.
pub(crate) fn width(text: &str) -> usize {
    text.width()
}

/// Cuts text to so many columns, with an ellipsis where something is missing. A wide character is never cut in half.
pub(crate) fn cut(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    if columns == 0 {
        return String::new();
    }
    let mut out = String::new();
    let mut used = 0;
    for c in text.chars() {
        let wide = c.width().unwrap_or(0);
        if used + wide > columns - 1 {
            break;
        }
        out.push(c);
        used += wide;
    }
    while out.ends_with(' ') {
        out.pop();
    }
    out.push(ELLIPSIS);
    out
}

/// Cuts text, or fills it with blanks on the right, to exactly so many columns.
pub(crate) fn pad(text: &str, columns: usize) -> String {
    let mut out = cut(text, columns);
    out.push_str(&" ".repeat(columns.saturating_sub(out.width())));
    out
}

/// Cuts text, or fills it with blanks on the left, to exactly so many columns.
pub(crate) fn pad_left(text: &str, columns: usize) -> String {
    let cut = cut(text, columns);
    format!("{}{cut}", " ".repeat(columns.saturating_sub(cut.width())))
}

/// Breaks text into lines of at most so many columns, at blanks where there are any. Empty text has no lines.
pub(crate) fn wrap(text: &str, columns: usize) -> Vec<String> {
    if text.trim().is_empty() {
        return Vec::new();
    }
    // Words are kept whole at hyphens: many are names of metrics and versions.
    let options = Options::new(columns.max(2))
        .word_separator(WordSeparator::AsciiSpace)
        .word_splitter(WordSplitter::NoHyphenation)
        .wrap_algorithm(WrapAlgorithm::FirstFit);
    textwrap::wrap(text, options).into_iter().map(|line| line.trim_end().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nothing_a_terminal_obeys_remains() {
        assert_eq!(clean("a\u{1b}[2Jb\tc\r\n"), "a [2Jb c  ");
        assert_eq!(clean("\u{202e}evil\u{200b}\u{feff}"), "evil");
        assert_eq!(clean("\u{9b}31m红裙"), " 31m红裙");
        assert_eq!(clean("a\u{1b}[31mb\u{7}\n\u{202e}c\u{85}"), "a [31mb  c ");
    }

    #[test]
    fn columns_hold() {
        assert_eq!(cut("red dress", 9), "red dress");
        assert_eq!(cut("red dress", 5), "red…");
        assert_eq!(cut("红色连衣裙", 6), "红色…");
        assert_eq!(pad("红裙", 6), "红裙  ");
        assert_eq!(pad_left("12", 4), "  12");
        for columns in 0..12 {
            assert_eq!(width(&pad("红a裙b连c衣", columns)), columns);
            assert_eq!(width(&pad_left("红a裙b连c衣", columns)), columns);
        }
    }

    #[test]
    fn wrapping_loses_nothing() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("红色连衣裙", 4), ["红色", "连衣", "裙"]);
        assert_eq!(wrap("not-enough-data", 8), ["not-enou", "gh-data"]);
        assert!(wrap("", 4).is_empty());
    }

    proptest! {
        #[test]
        fn cut_and_wrapped_text_fits(text in "\\PC{0,40}", columns in 2usize..30) {
            prop_assert!(width(&cut(&text, columns)) <= columns);
            for line in wrap(&clean(&text), columns) {
                prop_assert!(width(&line) <= columns, "{line:?}");
            }
        }
    }
}
