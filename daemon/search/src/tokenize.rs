//! Text to terms, the same for documents and queries.
//!
//! Words are lower-cased, freed of Latin accents, folded (a few irregular plurals and British spellings) and stemmed (Snowball
//! English). Compounds give their parts and, as *extras*, the whole: `t-shirt` is `t shirt +tshirt`, `16gb` and `16 gb` are `16 gb +16gb`.
//! Scripts without spaces give single characters and, as extras, character pairs, which serves Chinese better than any word list.

use frostem::{Algorithm, Stemmer};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use crate::text::clean;

/// Longest term in characters; longer runs (keys, links) are cut, so that no text can make a huge term.
const MAX_TERM_CHARS: usize = 40;

/// One term of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// The term as the index keeps it.
    pub term: String,
    /// Number of the word it came from; a term over two words carries the first.
    pub word: u32,
    /// A term made of its neighbours (compound, number with unit, character pair) rather than read from the text itself.
    pub extra: bool,
    /// From a script without spaces.
    pub continuous: bool,
}

/// Units that belong to the number before them.
const UNITS: &[&str] = &[
    "gb", "tb", "mb", "ghz", "mhz", "hz", "khz", "w", "kw", "v", "mah", "ah", "a", "mm", "cm", "m", "km", "in", "inch",
    "inches", "ft", "feet", "foot", "yd", "oz", "lb", "lbs", "kg", "g", "mg", "l", "ml", "cl", "qt", "gal", "pc",
    "pcs", "piece", "pieces", "pack", "pk", "ct", "mp", "k", "p", "x", "d",
];

/// Irregular plurals and spellings that a stemmer cannot know.
const FOLDED: &[(&str, &str)] = &[
    ("aluminium", "aluminum"),
    ("centre", "center"),
    ("children", "child"),
    ("childrens", "child"),
    ("colour", "color"),
    ("colours", "color"),
    ("feet", "foot"),
    ("fibre", "fiber"),
    ("geese", "goose"),
    ("grey", "gray"),
    ("halves", "half"),
    ("jewellery", "jewelry"),
    ("knives", "knife"),
    ("leaves", "leaf"),
    ("loaves", "loaf"),
    ("men", "man"),
    ("mens", "man"),
    ("mice", "mouse"),
    ("mould", "mold"),
    ("pyjama", "pajama"),
    ("pyjamas", "pajama"),
    ("scarves", "scarf"),
    ("shelves", "shelf"),
    ("teeth", "tooth"),
    ("tyre", "tire"),
    ("tyres", "tire"),
    ("wives", "wife"),
    ("wolves", "wolf"),
    ("women", "woman"),
    ("womens", "woman"),
];

/// The term of one lower-case word without accents.
pub(crate) fn term(word: &str) -> String {
    let folded = FOLDED.binary_search_by_key(&word, |(from, _)| from).map_or(word, |at| FOLDED[at].1);
    let short: String = folded.chars().take(MAX_TERM_CHARS).collect();
    if short.chars().all(|c| c.is_ascii_alphabetic()) {
        Stemmer::new(Algorithm::English).stem(&short).into_owned()
    } else {
        short
    }
}

/// Whether words of this script are written without spaces between them.
#[must_use]
pub fn is_continuous(c: char) -> bool {
    matches!(u32::from(c),
        0x0E00..=0x0EFF            // Thai, Lao
        | 0x1000..=0x109F          // Myanmar
        | 0x1780..=0x17FF          // Khmer
        | 0x3005..=0x3007
        | 0x3040..=0x30FF          // Kana
        | 0x31F0..=0x31FF
        | 0x3400..=0x4DBF | 0x4E00..=0x9FFF | 0xF900..=0xFAFF  // Han
        | 0xAC00..=0xD7A3          // Hangul: spaced, but pairs serve its suffixes better than whole words
        | 0x20000..=0x3FFFF)
        && (c.is_alphanumeric() || is_combining_mark(c))
}

/// Latin letters without their accents, everything else as it is.
fn fold_accent(c: char, out: &mut String) {
    match c {
        'ß' => out.push_str("ss"),
        'æ' => out.push_str("ae"),
        'œ' => out.push_str("oe"),
        'ø' => out.push('o'),
        'ł' => out.push('l'),
        'đ' | 'ð' => out.push('d'),
        '\u{c0}'..='\u{24f}' | '\u{1e00}'..='\u{1eff}' => out.extend(c.nfd().filter(|d| !is_combining_mark(*d))),
        _ => out.push(c),
    }
}

/// A run of word characters and inner joints, or a run of a continuous script.
enum Run {
    Word(String),
    Continuous(Vec<char>),
}

/// Splits cleaned, lower-case text into runs.
fn runs(text: &str) -> Vec<Run> {
    let mut out: Vec<Run> = Vec::new();
    let mut open = false;
    let chars: Vec<char> = text.chars().collect();
    for (n, &c) in chars.iter().enumerate() {
        let word = |c: char| (c.is_alphanumeric() || is_combining_mark(c)) && !is_continuous(c);
        let between = |f: &dyn Fn(char) -> bool| n > 0 && f(chars[n - 1]) && chars.get(n + 1).is_some_and(|&d| f(d));
        if is_continuous(c) {
            match out.last_mut() {
                Some(Run::Continuous(run)) if open => run.push(c),
                _ => out.push(Run::Continuous(vec![c])),
            }
            open = true;
            continue;
        }
        let joint = match c {
            '\'' | '’' | '‘' | 'ʼ' | '`' | '´' => between(&word).then_some('\''),
            '-' | '‐' | '‑' | '–' | '&' | '_' => between(&word).then_some('-'),
            '.' => {
                if between(&|d| d.is_ascii_digit()) {
                    Some('.')
                } else {
                    // U.S.A: single letters between full stops.
                    (between(&word) && (n < 2 || !word(chars[n - 2])) && chars.get(n + 2).is_none_or(|&d| !word(d)))
                        .then_some('-')
                }
            }
            ',' => between(&|d| d.is_ascii_digit()).then_some(','),
            c => word(c).then_some(c),
        };
        match (joint, out.last_mut()) {
            (Some(c), Some(Run::Word(run))) if open => push_char(run, c),
            (Some(c), _) => {
                let mut run = String::new();
                push_char(&mut run, c);
                out.push(Run::Word(run));
                open = true;
            }
            (None, _) => open = false,
        }
        // A thousands separator says nothing.
        if let (',', Some(Run::Word(run))) = (c, out.last_mut())
            && run.ends_with(',')
        {
            run.pop();
        }
    }
    out
}

fn push_char(run: &mut String, c: char) {
    fold_accent(c, run);
}

/// The parts of a word: split at joints and between letters and digits. Possessive `'s` goes, other apostrophes close up.
fn parts(word: &str) -> Vec<String> {
    let mut out = Vec::new();
    for piece in word.split('-') {
        let piece = piece.strip_suffix("'s").unwrap_or(piece).replace('\'', "");
        let mut part = String::new();
        let mut digits = false;
        for c in piece.chars() {
            let is_digit = c.is_ascii_digit() || c == '.';
            if !part.is_empty() && is_digit != digits {
                out.push(std::mem::take(&mut part));
            }
            digits = is_digit;
            part.push(c);
        }
        if !part.is_empty() {
            out.push(part);
        }
    }
    out
}

/// The terms of a text, in reading order; extras stand behind the terms they are made of.
#[must_use]
pub fn tokenize(text: &str) -> Vec<Token> {
    let mut out = Vec::new();
    let mut word = 0;
    let mut number: Option<String> = None;
    for run in runs(&clean(text).to_lowercase()) {
        match run {
            Run::Continuous(chars) => {
                number = None;
                for (n, c) in chars.iter().enumerate() {
                    out.push(Token { term: c.to_string(), word, extra: false, continuous: true });
                    if let Some(next) = chars.get(n + 1) {
                        out.push(Token { term: format!("{c}{next}"), word, extra: true, continuous: true });
                    }
                    word += 1;
                }
            }
            Run::Word(run) => {
                let parts = parts(&run);
                let push =
                    |out: &mut Vec<Token>, term, word, extra| out.push(Token { term, word, extra, continuous: false });
                for part in &parts {
                    push(&mut out, term(part), word, false);
                }
                if let [only] = parts.as_slice() {
                    if let Some(before) = number.take()
                        && UNITS.contains(&only.as_str())
                    {
                        push(&mut out, format!("{before}{only}"), word - 1, true);
                    }
                    number = only.starts_with(|c: char| c.is_ascii_digit()).then(|| only.clone());
                } else {
                    number = None;
                    if parts.len() > 1 {
                        push(&mut out, term(&parts.concat()), word, true);
                    }
                }
                word += u32::from(!parts.is_empty());
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(text: &str) -> String {
        tokenize(text)
            .iter()
            .map(|t| if t.extra { format!("+{}", t.term) } else { t.term.clone() })
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn what_shops_write() {
        assert_eq!(shown("Women's T-Shirts"), "woman t shirt +tshirt");
        assert_eq!(shown("WOMENS dresses"), shown("women&#39;s dress"));
        assert_eq!(shown("16GB card"), "16 gb +16gb card");
        assert_eq!(shown("16 GB card"), shown("16gb card"));
        assert_eq!(shown("1,000 pcs 3.5 mm"), "1000 pcs +1000pcs 3.5 mm +3.5mm");
        assert_eq!(shown("O'Neill café Straße"), "oneil cafe strass");
        assert_eq!(shown("Levi’s & H&M, U.S.A."), "levi h m +hm u s a +usa");
        assert_eq!(shown("红色连衣裙 XL"), "红 +红色 色 +色连 连 +连衣 衣 +衣裙 裙 xl");
        assert_eq!(shown("买iPhone手机"), "买 iphon 手 +手机 机");
        assert_eq!(shown("- & ' …"), "");
    }

    #[test]
    fn folded_words_are_sorted_for_the_search_in_them() {
        assert!(FOLDED.is_sorted_by_key(|(from, _)| *from));
    }

    proptest! {
        #[test]
        fn never_panics_and_terms_are_short(text in any::<String>()) {
            for token in tokenize(&text) {
                prop_assert!(!token.term.is_empty() && token.term.chars().count() <= 2 * MAX_TERM_CHARS + 8, "{:?}", token);
            }
        }

        #[test]
        fn case_and_width_do_not_matter(text in "[a-z0-9 '&-]{0,40}") {
            let wide: String = text.chars().map(|c| if c.is_ascii_alphanumeric() { char::from_u32(u32::from(c) + 0xfee0).unwrap() } else { c }).collect();
            prop_assert_eq!(tokenize(&text), tokenize(&text.to_uppercase()));
            prop_assert_eq!(tokenize(&text), tokenize(&wide));
        }
    }
}
