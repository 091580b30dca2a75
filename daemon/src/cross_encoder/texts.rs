//! The cross-encoder's input texts: of shoppers' histories and of items, by the encoder's own tokenizer.

use mercer_learn::cross_encoder::examples::{ExampleOptions, HistoryEntry, recent_history};
use mercer_learn::cross_encoder::{Join, PairTemplate};
use mercer_learn::examples::Interaction;
use mercer_model::{Checkpoint, TextKind, Tokens};
use mercer_rank::Event;
use mercer_search::passage_text;
use mercer_shared::interaction::InteractionType;

use crate::state::problems::Answer;
use crate::state::problems::internal;
use crate::state::shop::{ShopState, TypedQuery};

/// A text of a shopper's history: an item's or a query.
pub struct HistoryText {
    /// The text.
    pub text: String,
    /// Which rules of the encoder read it.
    pub kind: TextKind,
}

/// Tokenizer and form of pairs.
#[derive(Debug, Clone)]
pub struct Reader {
    tokens: Tokens,
    form: PairTemplate,
}

impl Reader {
    /// For an encoder.
    ///
    /// # Errors
    /// When its tokenizer fails.
    pub fn new(base: &Checkpoint, join: Join, max_tokens: usize) -> Answer<Self> {
        let tokens = base.tokens().map_err(|e| internal(&e))?;
        let form =
            PairTemplate::read(&tokens, join, max_tokens.min(base.config.max_tokens())).map_err(|e| internal(&e))?;
        Ok(Self { tokens, form })
    }

    /// Texts as token ids without frame.
    ///
    /// # Errors
    /// When the tokenizer fails.
    pub fn bodies<S: AsRef<str> + Sync>(&self, texts: &[S], kind: TextKind) -> Answer<Vec<Vec<u32>>> {
        let rows = self.tokens.encode(texts, kind).map_err(|e| internal(&e))?;
        Ok(rows.iter().map(|row| self.form.body(row, kind).to_vec()).collect())
    }

    /// The shopper's side.
    #[must_use]
    pub fn behaviour<'a>(&self, bodies: impl IntoIterator<Item = &'a [u32]>) -> Vec<u32> {
        self.form.history(bodies)
    }

    /// The item's side.
    #[must_use]
    pub fn item(&self, body: &[u32]) -> Vec<u32> {
        self.form.item(body)
    }

    /// The shopper's side from texts.
    ///
    /// # Errors
    /// When the tokenizer fails.
    pub fn behaviour_of(&self, history: &[HistoryText]) -> Answer<Vec<u32>> {
        let mut bodies = Vec::with_capacity(history.len());
        for HistoryText { text, kind } in history {
            bodies.extend(self.bodies(std::slice::from_ref(text), *kind)?);
        }
        Ok(self.behaviour(bodies.iter().map(Vec::as_slice)))
    }
}

/// One shopper's events and typed queries up to `at` as interactions of the learner, in time order. Queries are
/// numbered by their place in `queries`.
#[must_use]
fn past(events: &[Event], queries: &[TypedQuery], at: i64) -> Vec<Interaction> {
    let taken = events.iter().filter(|e| e.at <= at && e.item.is_some()).map(|event| Interaction {
        user: 0,
        item: event.item,
        kind: event.kind,
        value: event.value,
        query: None,
        at_ms: event.at,
    });
    let typed = queries.iter().enumerate().filter(|(_, query)| query.at <= at).map(|(number, query)| Interaction {
        user: 0,
        item: None,
        kind: InteractionType::Search,
        value: 1.0,
        query: Some(number as u32),
        at_ms: query.at,
    });
    let mut all: Vec<Interaction> = taken.chain(typed).collect();
    all.sort_by_key(|i| i.at_ms);
    all
}

/// Texts of a shopper's history as of a moment, latest first. Serving and its evaluation both read them.
#[must_use]
pub fn history_texts(view: &ShopState, events: &[Event], queries: &[TypedQuery], at: i64) -> Vec<HistoryText> {
    let history = recent_history(&past(events, queries, at), at.saturating_add(1), &ExampleOptions::default());
    let one = |entry: &HistoryEntry| match entry {
        HistoryEntry::Item(number) => {
            Some(HistoryText { text: passage_text(view.item(*number)?), kind: TextKind::Passage })
        }
        HistoryEntry::Query(number) => {
            Some(HistoryText { text: queries.get(*number as usize)?.text.to_string(), kind: TextKind::Query })
        }
    };
    history.iter().filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shoppers_past_in_memory_reads_like_the_log() {
        let event = |item, kind, value, at| Event { item: Some(item), text: None, kind, value, at };
        let events = [
            event(4, mercer_rank::InteractionType::Purchase, 2.0, 10),
            event(5, mercer_rank::InteractionType::Rating, 5.0, 20),
            event(6, mercer_rank::InteractionType::Rating, 1.0, 21),
            event(7, mercer_rank::InteractionType::Dismiss, 1.0, 22),
            // A review without stars is no bad one.
            event(9, mercer_rank::InteractionType::Review, mercer_rank::InteractionType::Review.value(None), 23),
            event(8, mercer_rank::InteractionType::Purchase, 1.0, 40),
        ];
        let queries =
            [(15, "red vase"), (50, "later")].map(|(at, text)| TypedQuery { at, text: std::sync::Arc::from(text) });
        let history = recent_history(&past(&events, &queries, 30), 31, &ExampleOptions::default());
        assert_eq!(
            history,
            [HistoryEntry::Item(9), HistoryEntry::Item(5), HistoryEntry::Query(0), HistoryEntry::Item(4)]
        );
    }
}
