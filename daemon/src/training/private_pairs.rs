//! Examples for private training, by user. A user's examples are made from its own events and the catalogue alone, so adding or removing a
//! user changes nobody else's: no thinning over users, no positives of others, no query that another user typed.
//!
//! Public, and so not hidden: the catalogue, which kinds of events the shop records, and whether its log has days only
//! (`contrastive_pairs::next_options`).

use std::collections::{BTreeMap, BTreeSet};

use mercer_learn::examples::{Interaction, QueryOptions, next_pairs, query_pairs};
use mercer_learn::{CatalogueText, ContrastivePair, PrivateSet, TextId, TextTable};
use mercer_model::{Checkpoint, TextKind};
use mercer_search::passage_text;
use mercer_shared::interaction::InteractionType;
use rustc_hash::FxHashMap;

use crate::runs::context::{RunExit, failed};
use crate::runs::labelled_log::{Read, Scope, read};
use crate::state::app::App;
use crate::state::shop::ShopState;
use crate::training::contrastive_pairs::{MAX_TOKENS, Renumbered, next_options, shortened};

/// Pairs of a user that are kept at most, the latest: a step draws a few of them.
const KEPT_PER_USER: usize = 200;

/// What private training learns from.
#[derive(Debug, Default)]
pub(crate) struct PrivateExamples {
    /// Tokenised texts.
    pub(crate) texts: TextTable,
    /// Pairs by user; users without any are left out, since they would add nothing.
    pub(crate) users: Vec<Vec<ContrastivePair>>,
    /// The catalogue by item id.
    pub(crate) catalogue: Vec<CatalogueText>,
}

impl PrivateExamples {
    /// As the learner takes it.
    pub(crate) fn set(&self) -> PrivateSet<'_> {
        PrivateSet { texts: &self.texts, users: &self.users, catalogue: &self.catalogue }
    }

    /// Number of pairs.
    pub(crate) fn pairs(&self) -> usize {
        self.users.iter().map(Vec::len).sum()
    }
}

/// Reads the log of users who agreed to training.
pub(crate) fn gather(app: &App, view: &ShopState, base: &Checkpoint, scope: Scope) -> Result<PrivateExamples, RunExit> {
    let Read { log, queries } = read(app, view, scope)?;
    let tokens = base.tokens().map_err(|e| failed(&e))?;
    let most = MAX_TOKENS.min(base.config.max_tokens());
    let mut texts = TextTable::new();
    let mut number = |kind: TextKind, words: &[String]| -> Result<Vec<TextId>, RunExit> {
        let rows = tokens.encode(words, kind).map_err(|e| failed(&e))?;
        Ok(rows.into_iter().map(|row| texts.push(&shortened(row, most))).collect())
    };
    // By id: the numbers of the shop follow the log and differ after a restart.
    let by_id: BTreeMap<_, u32> = view.item_index.iter().map(|(id, number)| (id.clone(), *number)).collect();
    let passages: Vec<String> =
        by_id.values().map(|&n| view.item(n).map(|item| passage_text(item)).unwrap_or_default()).collect();
    let item_texts = number(TextKind::Passage, &passages)?;
    let query_texts = number(TextKind::Query, &queries)?;
    let numbers: FxHashMap<u32, u32> = (0u32..).zip(by_id.values()).map(|(own, shop)| (*shop, own)).collect();
    let catalogue = (0u32..).zip(&item_texts).map(|(item, text)| CatalogueText { text: *text, item }).collect();
    let numbered = log.into_iter().map(|event| Interaction {
        item: event.item.and_then(|item| numbers.get(&item)).copied(),
        query: event.query.and_then(|query| query_texts.get(query as usize)).copied(),
        ..event
    });
    let item_texts: Vec<Option<TextId>> = item_texts.into_iter().map(Some).collect();
    let users = by_user(numbered.collect(), &item_texts);
    Ok(PrivateExamples { texts, users, catalogue })
}

/// Pairs of each user with any, users in order of their first event.
fn by_user(log: Vec<Interaction>, item_texts: &[Option<TextId>]) -> Vec<Vec<ContrastivePair>> {
    let options = next_options(&log);
    let mut users = Renumbered::default();
    let mut events: Vec<Vec<Interaction>> = Vec::new();
    for event in log {
        let user = users.of(event.user) as usize;
        if user == events.len() {
            events.push(Vec::new());
        }
        events[user].push(event);
    }
    let pairs = events.into_iter().map(|mut own| {
        only_own_queries(&mut own);
        let mut pairs = query_pairs(&own, item_texts, &QueryOptions::default());
        pairs.extend(next_pairs(&own, item_texts, &options));
        pairs.iter_mut().for_each(|pair| pair.hard_negative = None);
        let from = pairs.len().saturating_sub(KEPT_PER_USER);
        pairs.split_off(from)
    });
    pairs.filter(|pairs| !pairs.is_empty()).collect()
}

/// Forgets the query of an engagement that this user did not type: an id of a list that was made for somebody else would bring that user's
/// words into this user's examples.
fn only_own_queries(events: &mut [Interaction]) {
    let typed: BTreeSet<TextId> =
        events.iter().filter(|event| event.kind == InteractionType::Search).filter_map(|event| event.query).collect();
    for event in events {
        event.query = event.query.filter(|query| typed.contains(query));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(user: u32, item: u32, day: i64) -> Interaction {
        Interaction {
            user,
            item: Some(item),
            kind: InteractionType::Purchase,
            value: 1.0,
            query: None,
            at_ms: day * mercer_rank::DAY_MS + 1,
        }
    }

    fn search(user: u32, query: TextId, day: i64) -> Interaction {
        Interaction { item: None, kind: InteractionType::Search, query: Some(query), ..event(user, 0, day) }
    }

    const TEXTS: [Option<TextId>; 6] = [Some(10), Some(11), Some(12), Some(13), Some(14), Some(15)];

    #[test]
    fn a_user_changes_nobody_elses_examples() {
        let own = |user: u32| {
            let items = (0..4).map(move |n| event(user, (user + n) % 6, i64::from(n)));
            [search(user, 20 + user, 2), event(user, (user + 4) % 6, 2)].into_iter().chain(items)
        };
        let all: Vec<Interaction> = (0..5).flat_map(own).collect();
        let pairs = by_user(all.clone(), &TEXTS);
        assert_eq!(pairs.len(), 5);
        for left_out in 0..5u32 {
            let without = by_user(all.iter().filter(|e| e.user != left_out).copied().collect(), &TEXTS);
            let mut expected = pairs.clone();
            expected.remove(left_out as usize);
            // Groups number users, and a private set reads none of them.
            let bare = |users: Vec<Vec<ContrastivePair>>| -> Vec<Vec<_>> {
                users.into_iter().map(|own| own.into_iter().map(|p| (p.anchor, p.positive, p.item)).collect()).collect()
            };
            assert_eq!(bare(without), bare(expected));
        }
    }

    #[test]
    fn words_that_another_user_typed_are_left_out() {
        let foreign = Interaction { query: Some(21), ..event(0, 1, 3) };
        let own = Interaction { query: Some(20), ..event(0, 2, 3) };
        let log = vec![event(0, 0, 0), search(0, 20, 1), foreign, own, search(1, 21, 1), event(1, 3, 4)];
        let pairs = by_user(log, &TEXTS);
        let texts: BTreeSet<TextId> = pairs[0].iter().flat_map(|pair| pair.anchor.texts().to_vec()).collect();
        assert!(texts.contains(&20) && !texts.contains(&21), "{texts:?}");
    }

    #[test]
    fn nobody_has_more_pairs_than_are_kept() {
        let log: Vec<Interaction> = (0..1_000).map(|n| event(0, (n % 6) as u32, n)).collect();
        let mut once = log.clone();
        once.truncate(3);
        assert!(by_user(log, &TEXTS)[0].len() <= KEPT_PER_USER);
        assert!(by_user(vec![event(0, 0, 0)], &TEXTS).is_empty());
        assert!(!by_user(once, &TEXTS).is_empty());
    }
}
