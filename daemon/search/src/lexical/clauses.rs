//! Turns a query into clauses: one per word, each with the alternative terms that match it.

use super::correct::similar;
use super::reader::LexicalReader;
use crate::tokenize::{Token, term};

/// Weight of an alternative that joins two words or splits one.
const COMPOUND: f64 = 0.9;

/// One way to match a clause: all terms, their scores added.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Alternative {
    /// Terms, each with its inverse document frequency.
    pub(super) terms: Vec<(String, f64)>,
    /// Weight, 0 to 1; below 1 if the alternative was not typed literally.
    pub(super) weight: f64,
}

/// A part of the query. A document scores with its best alternative.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Clause {
    pub(super) alternatives: Vec<Alternative>,
    /// Weight in the coverage of the query: the inverse document frequency of the literal terms.
    pub(super) mass: f64,
}

/// A word of the query: its parts and the compound they make.
struct Word {
    parts: Vec<String>,
    whole: Option<String>,
}

/// Makes the clauses of a query from its tokens and the terms of the index. A word without any match or similar term in the index
/// makes no clause: it would only lower the coverage of every document.
pub(super) fn clauses(reader: &LexicalReader, tokens: &[Token]) -> Vec<Clause> {
    let mut out = Vec::new();
    let mut words: Vec<Word> = Vec::new();
    let mut last = None;
    for token in tokens {
        if token.continuous {
            flush(reader, &mut words, &mut out);
            out.extend(
                literal(reader, std::slice::from_ref(&token.term), 1.0)
                    .map(|a| Clause { mass: a.terms[0].1, alternatives: vec![a] }),
            );
            last = None;
        } else if token.extra {
            // A number and its unit are two words, which become one.
            if last != Some(token.word)
                && words.len() > 1
                && let Some(unit) = words.pop()
                && let Some(number) = words.last_mut()
            {
                number.parts.extend(unit.parts);
            }
            if let Some(word) = words.last_mut() {
                word.whole = Some(token.term.clone());
            }
        } else if last == Some(token.word) {
            if let Some(word) = words.last_mut() {
                word.parts.push(token.term.clone());
            }
        } else {
            words.push(Word { parts: vec![token.term.clone()], whole: None });
            last = Some(token.word);
        }
    }
    flush(reader, &mut words, &mut out);
    out
}

/// Makes an alternative of the terms, if the index has all of them.
fn literal(reader: &LexicalReader, terms: &[String], weight: f64) -> Option<Alternative> {
    let terms: Option<Vec<(String, f64)>> = terms
        .iter()
        .map(|t| {
            let frequency = reader.frequency(t);
            (frequency > 0).then(|| (t.clone(), reader.idf(frequency)))
        })
        .collect();
    terms.map(|terms| Alternative { terms, weight })
}

fn flush(reader: &LexicalReader, words: &mut Vec<Word>, out: &mut Vec<Clause>) {
    let words = std::mem::take(words);
    let mut at = 0;
    while let Some(word) = words.get(at) {
        at += 1;
        let mut alternatives: Vec<Alternative> = literal(reader, &word.parts, 1.0).into_iter().collect();
        alternatives.extend(word.whole.as_ref().and_then(|w| literal(reader, std::slice::from_ref(w), 1.0)));
        // "mac book" for "macbook".
        if let ([a], Some([b])) = (word.parts.as_slice(), words.get(at).map(|w| w.parts.as_slice()))
            && a.len() + b.len() > 4
            && let Some(joined) = literal(reader, &[term(&format!("{a}{b}"))], COMPOUND)
        {
            at += 1;
            let mut both: Vec<(String, f64)> = Vec::new();
            for part in [a, b] {
                both.extend(literal(reader, std::slice::from_ref(part), 1.0).into_iter().flat_map(|l| l.terms));
            }
            let mass = if both.is_empty() { joined.terms[0].1 } else { both.iter().map(|(_, idf)| idf).sum() };
            let mut alternatives = vec![joined];
            if !both.is_empty() {
                alternatives.insert(0, Alternative { terms: both, weight: 1.0 });
            }
            out.push(Clause { alternatives, mass });
            continue;
        }
        if alternatives.is_empty() {
            let typed = word.whole.as_ref().unwrap_or(&word.parts[0]);
            alternatives = split(reader, typed).into_iter().collect();
            if alternatives.is_empty() {
                let close = similar(reader, typed, at == words.len());
                alternatives =
                    close.into_iter().filter_map(|found| literal(reader, &[found.term], found.weight)).collect();
            }
            if alternatives.is_empty() {
                // A compound whose parts are only partly known.
                alternatives =
                    word.parts.iter().filter_map(|p| literal(reader, std::slice::from_ref(p), COMPOUND)).collect();
            }
        }
        let mass = alternatives.first().map_or(0.0, |a| a.terms.iter().map(|(_, idf)| idf).sum());
        if mass > 0.0 {
            out.push(Clause { alternatives, mass });
        }
    }
}

/// Splits "harleydavidson" into "harley davidson": the split whose halves occur together in most documents.
fn split(reader: &LexicalReader, typed: &str) -> Option<Alternative> {
    let mut best: Option<(usize, Vec<String>)> = None;
    for (at, _) in typed.char_indices().skip(2) {
        let (a, b) = (term(&typed[..at]), term(&typed[at..]));
        if typed[at..].chars().count() < 2 {
            break;
        }
        let together = reader.together(&a, &b);
        if together > best.as_ref().map_or(0, |(n, _)| *n) {
            best = Some((together, vec![a, b]));
        }
    }
    best.and_then(|(_, terms)| literal(reader, &terms, COMPOUND))
}
