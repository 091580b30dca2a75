//! Suggestions for mistyped words: only words within a small edit distance. Clap also suggests words that merely share
//! letters.

use clap::error::{ContextKind, ContextValue};
use strsim::damerau_levenshtein;

/// Letters of a word for each slip that is forgiven.
const LETTERS_PER_SLIP: usize = 3;
/// Slips that are forgiven at most.
const MOST_SLIPS: usize = 2;

/// The typed word and what stands for it, of each kind that clap suggests for.
const KINDS: [(ContextKind, ContextKind); 3] = [
    (ContextKind::InvalidSubcommand, ContextKind::SuggestedSubcommand),
    (ContextKind::InvalidArg, ContextKind::SuggestedArg),
    (ContextKind::InvalidValue, ContextKind::SuggestedValue),
];

/// Edit distance of two words (letters missing, added, replaced or swapped with their neighbour), if it is small
/// enough.
fn slips(typed: &str, word: &str) -> Option<usize> {
    let letters = typed.chars().count().min(word.chars().count());
    let most = (letters / LETTERS_PER_SLIP).clamp(1, MOST_SLIPS);
    Some(damerau_levenshtein(typed, word)).filter(|slips| *slips <= most)
}

/// The words that are nearest to the typed one, if any is near.
fn nearest(typed: &str, words: Vec<String>) -> Vec<String> {
    let near: Vec<(usize, String)> =
        words.into_iter().filter_map(|word| slips(typed, &word).map(|slips| (slips, word))).collect();
    let least = near.iter().map(|(slips, _)| *slips).min();
    near.into_iter().filter(|(slips, _)| Some(*slips) == least).map(|(_, word)| word).collect()
}

/// Removes suggestions that differ too much from the typed word.
pub(crate) fn near_ones_only(mut refusal: clap::Error) -> clap::Error {
    for (invalid, suggested) in KINDS {
        let Some(ContextValue::String(typed)) = refusal.get(invalid).cloned() else { continue };
        let words = match refusal.remove(suggested) {
            Some(ContextValue::String(word)) => vec![word],
            Some(ContextValue::Strings(words)) => words,
            _ => continue,
        };
        let near = nearest(&typed, words);
        match near.len() {
            0 => {}
            1 => _ = refusal.insert(suggested, ContextValue::String(near.concat())),
            _ => _ = refusal.insert(suggested, ContextValue::Strings(near)),
        }
    }
    refusal
}
