//! Parses a query: cleaning, quoted phrases, price bounds.

use mercer_shared::wire::PriceBound;

use crate::error::{MAX_QUERY_BYTES, QueryError};
use crate::price;
use crate::text::clean;
use crate::tokenize::tokenize;

/// A parsed query.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// The words that are searched for, and that the encoder reads: cleaned, without price bounds and quotation marks.
    pub words: String,
    /// Quoted phrases. If any document contains all of them word for word, only such documents are answers.
    pub phrases: Vec<String>,
    /// The price bound in the query, if any.
    pub price: Option<PriceBound>,
}

impl Query {
    /// Parses a query.
    ///
    /// # Errors
    /// Longer than [`MAX_QUERY_BYTES`], or nothing to search for.
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        if text.len() > MAX_QUERY_BYTES {
            return Err(QueryError::TooLong(text.len()));
        }
        let (unquoted, phrases) = quoted(&clean(text));
        let (words, price) = price::extract(&unquoted);
        // A query that is only a bound is also searched for as words: the bound filters, the words rank.
        let words = if tokenize(&words).is_empty() { unquoted } else { words };
        if tokenize(&words).is_empty() {
            return Err(QueryError::Empty);
        }
        Ok(Self { words: clean(&words), phrases, price })
    }
}

/// Removes quotation marks; the text between a pair of them is a phrase.
fn quoted(text: &str) -> (String, Vec<String>) {
    let (mut words, mut phrases, mut open) = (String::new(), Vec::new(), None::<(char, String)>);
    let mut before = ' ';
    for c in text.chars() {
        // An inch mark after a digit opens nothing: 24" monitor.
        let opens = match c {
            '"' if !before.is_ascii_digit() => Some('"'),
            '“' | '„' => Some('”'),
            '«' => Some('»'),
            '「' => Some('」'),
            '『' => Some('』'),
            '《' => Some('》'),
            _ => None,
        };
        match (&mut open, opens) {
            (Some((end, phrase)), _) if c == *end || (*end == '”' && c == '“') => {
                if !tokenize(phrase).is_empty() {
                    phrases.push(phrase.trim().to_owned());
                }
                open = None;
                words.push(' ');
            }
            (None, Some(end)) => {
                open = Some((end, String::new()));
                words.push(' ');
            }
            (opened, _) => {
                if let Some((_, phrase)) = opened {
                    phrase.push(c);
                }
                words.push(c);
            }
        }
        before = c;
    }
    (words.trim().to_owned(), phrases)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn phrases_and_inches() {
        let q = Query::parse("red \"cast iron\" pan").unwrap();
        assert_eq!((q.words.as_str(), q.phrases.as_slice()), ("red cast iron pan", &["cast iron".to_owned()][..]));
        assert!(Query::parse("24\" monitor 27\" tv").unwrap().phrases.is_empty());
        assert!(Query::parse("\"never closed").unwrap().phrases.is_empty());
        assert_eq!(Query::parse("“智能 手机”壳").unwrap().phrases, ["智能 手机"]);
    }

    #[test]
    fn refusals() {
        assert_eq!(Query::parse(" \t\u{0}&nbsp;"), Err(QueryError::Empty));
        assert_eq!(Query::parse("!!! \"\" ..."), Err(QueryError::Empty));
        assert_eq!(Query::parse(&"x".repeat(1_001)), Err(QueryError::TooLong(1_001)));
        assert!(Query::parse(&"x".repeat(1_000)).is_ok());
    }

    #[test]
    fn a_bound_alone_is_searched_for() {
        let q = Query::parse("under 50").unwrap();
        assert_eq!((q.words.as_str(), q.price.unwrap().max), ("under 50", Some(50.0)));
    }

    proptest! {
        #[test]
        fn never_panics(text in any::<String>()) {
            if let Ok(query) = Query::parse(&text) {
                prop_assert!(!tokenize(&query.words).is_empty());
            }
        }
    }
}
