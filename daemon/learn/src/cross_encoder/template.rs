//! Builds the tokens of both sides of a pair in the templates that the encoder was trained with.

use mercer_model::{ModelError, TextKind, Tokens};

use super::layout::Join;
use crate::texts::TextTemplate;

/// Probe texts whose tokens reveal the encoder's templates: no two share their first or last word. The last joins the first and the fourth.
const PROBES: [&str; 5] = ["x", "7", "red", "y", "x; y"];
/// The item's side takes at most the third part of a pair's tokens, enough for titles; the history has the rest.
const ITEM_SHARE: usize = 3;

/// Templates, separator and maximum lengths of both sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairTemplate {
    query: TextTemplate,
    passage: TextTemplate,
    separator: Vec<u32>,
    item: TextTemplate,
    max_tokens: usize,
}

/// The common beginning and end of all rows.
fn common_template(rows: &[Vec<u32>]) -> TextTemplate {
    let Some((first, rest)) = rows.split_first() else { return TextTemplate::default() };
    let shared = |same: &dyn Fn(&[u32], &[u32]) -> usize| rest.iter().map(|row| same(first, row)).min().unwrap_or(0);
    let open = shared(&|a, b| a.iter().zip(b).take_while(|(a, b)| a == b).count());
    let close = shared(&|a, b| a.iter().rev().zip(b.iter().rev()).take_while(|(a, b)| a == b).count());
    TextTemplate { open: first[..open].to_vec(), close: first[first.len() - close.min(first.len() - open)..].to_vec() }
}

impl PairTemplate {
    /// Reads templates and separator from the encoder's tokenizer. `max_tokens` limits a pair; the item's side gets a third of it.
    ///
    /// # Errors
    /// When the tokenizer fails.
    pub fn read(tokens: &Tokens, join: Join, max_tokens: usize) -> Result<Self, ModelError> {
        let queries = tokens.encode(&PROBES, TextKind::Query)?;
        let passages = tokens.encode(&PROBES, TextKind::Passage)?;
        Ok(Self::from_probes(&queries, &passages, join, max_tokens))
    }

    fn from_probes(queries: &[Vec<u32>], passages: &[Vec<u32>], join: Join, max_tokens: usize) -> Self {
        let single = |rows: &[Vec<u32>]| common_template(&rows[..rows.len().min(PROBES.len() - 1)]);
        let (query, passage) = (single(queries), single(passages));
        let bodies: Vec<&[u32]> = passages.iter().map(|row| passage.body(row)).collect();
        let separator = match bodies[..] {
            [x, _, _, y, both] => both.strip_prefix(x).and_then(|rest| rest.strip_suffix(y)).unwrap_or(&[]).to_vec(),
            _ => Vec::new(),
        };
        let mut item = passage.clone();
        if join == Join::First {
            // The pair is one text: the beginning that both templates share comes only once.
            let again = query.open.iter().zip(&passage.open).take_while(|(a, b)| a == b).count();
            item.open.drain(..again);
        }
        Self { query, passage, separator, item, max_tokens }
    }

    /// Maximum number of tokens of a pair.
    #[must_use]
    pub fn max_tokens(&self) -> usize {
        self.max_tokens
    }

    /// An encoded text without its template.
    #[must_use]
    pub fn body<'a>(&self, tokens: &'a [u32], kind: TextKind) -> &'a [u32] {
        match kind {
            TextKind::Query => self.query.body(tokens),
            TextKind::Passage => self.passage.body(tokens),
        }
    }

    /// The item's side from its text without template.
    #[must_use]
    pub fn item(&self, body: &[u32]) -> Vec<u32> {
        fill(&self.item, body, self.max_tokens / ITEM_SHARE)
    }

    /// The user's side from texts without template, newest first: as many as fit beside any item.
    #[must_use]
    pub fn history<'a>(&self, bodies: impl IntoIterator<Item = &'a [u32]>) -> Vec<u32> {
        let most = self.max_tokens - self.max_tokens / ITEM_SHARE;
        let mut all = Vec::new();
        for body in bodies {
            if !all.is_empty() {
                all.extend_from_slice(&self.separator);
            }
            all.extend_from_slice(body);
            if all.len() >= most {
                break;
            }
        }
        fill(&self.query, &all, most)
    }
}

/// A text inside a template, cut to `most` tokens.
fn fill(template: &TextTemplate, body: &[u32], most: usize) -> Vec<u32> {
    let room = most.saturating_sub(template.open.len() + template.close.len());
    let body = &body[..body.len().min(room)];
    [&template.open[..], body, &template.close[..]].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `[1, 90 or 91, words, 2]`, a semicolon is 8.
    fn template(join: Join, max_tokens: usize) -> PairTemplate {
        let words: [&[u32]; 5] = [&[20], &[21], &[22, 23], &[24], &[20, 8, 24]];
        let rows = |prefix: u32| words.map(|w| [&[1, prefix][..], w, &[2]].concat());
        PairTemplate::from_probes(&rows(90), &rows(91), join, max_tokens)
    }

    #[test]
    fn templates_and_separator_are_read_from_probes() {
        let template = template(Join::Upper, 30);
        assert_eq!(template.item(&[5, 6]), [1, 91, 5, 6, 2]);
        assert_eq!(template.history([&[5, 6][..], &[7]]), [1, 90, 5, 6, 8, 7, 2]);
        assert_eq!(template.history([]), [1, 90, 2]);
        assert_eq!(template.body(&[1, 91, 5, 2], TextKind::Passage), [5]);
    }

    #[test]
    fn one_text_opens_once_and_nothing_exceeds_its_length() {
        let template = template(Join::First, 18);
        assert_eq!(template.item(&[5, 6]), [91, 5, 6, 2]);
        let long: Vec<u32> = (30..60).collect();
        assert_eq!(template.item(&long), [91, 30, 31, 32, 33, 2]);
        let history = template.history([&[5, 6][..], &long]);
        assert_eq!((history.len(), &history[..6], history[11]), (12, &[1, 90, 5, 6, 8, 30][..], 2));
    }

    #[test]
    fn texts_without_any_template_are_read_as_they_are() {
        let rows: Vec<Vec<u32>> = [&[20][..], &[21], &[22, 23], &[24], &[20, 24]].map(<[u32]>::to_vec).to_vec();
        let template = PairTemplate::from_probes(&rows, &rows, Join::First, 30);
        assert_eq!((template.item(&[5]), template.history([&[6][..], &[7]])), (vec![5], vec![6, 7]));
    }
}
