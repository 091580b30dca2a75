//! Measures how well an encoder finds the items that users took after a query in the evaluation window. Lists without a
//! query do not measure this.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mercer_learn::examples::{QueryOptions, query_pairs};
use mercer_model::{BertEncoder, Encoder, Priority, TextKind};
use mercer_rank::evaluate::ndcg;
use rayon::prelude::*;

use crate::gate::objectives::Traffic;
use crate::runs::context::{RunContext, RunExit};
use crate::runs::labelled_log::{Read, Scope, read};
use crate::runs::plan::Plan;
use crate::state::app::App;
use crate::state::dense_ids::IdMap;
use crate::state::problems::model_problem;
use crate::state::shop::ShopState;

/// Fewest users with queries on which search is compared.
pub(crate) const MIN_SEARCHERS: usize = 30;

/// Queries measured at most; beyond it they are thinned evenly.
const MAX_QUERIES: usize = 1_000;
/// Texts handed to the model thread at once.
const SLICE: usize = 128;
/// Length of the lists.
const K: usize = 10;

/// A query of a user that led to something.
#[derive(Clone)]
struct Wanted {
    user: u32,
    /// Place of the text.
    query: usize,
    /// What was taken after it, ascending.
    items: Vec<u32>,
}

/// Queries of the window with what was taken after them, and the traffic that they are a part of.
pub(crate) struct SearchQueries {
    texts: Vec<String>,
    wanted: Vec<Wanted>,
    traffic: Traffic,
}

/// Collects the queries of the window that led to something; users have the cycle's numbers.
pub(crate) fn collect(app: &App, view: &ShopState, ids: &IdMap, plan: &Plan) -> Result<SearchQueries, RunExit> {
    let scope = Scope { cursor: plan.cursor, after: plan.cutoff, until: plan.to };
    let Read { log, queries } = read(app, view, scope)?;
    let items: Vec<Option<u32>> = (0..view.items.len() as u32).map(Some).collect();
    let mut by_user: BTreeMap<u32, Vec<_>> = BTreeMap::new();
    for event in log {
        by_user.entry(ids.user(event.user)).or_default().push(event);
    }
    let mut found: BTreeMap<(u32, usize), Vec<u32>> = BTreeMap::new();
    let mut traffic = Traffic::default();
    for (user, events) in by_user {
        let engaged: BTreeSet<u32> =
            events.iter().filter(|event| event.weight().is_some()).filter_map(|event| event.item).collect();
        let mut searched: BTreeSet<u32> = BTreeSet::new();
        for pair in query_pairs(&events, &items, &QueryOptions::default()) {
            if let [query] = pair.anchor.texts() {
                found.entry((user, *query as usize)).or_default().push(pair.item);
                searched.insert(pair.item);
            }
        }
        traffic.searched += searched.len() as u64;
        traffic.listed += engaged.difference(&searched).count() as u64;
    }
    let mut wanted: Vec<_> = found
        .into_iter()
        .map(|((user, query), mut items)| {
            items.sort_unstable();
            items.dedup();
            Wanted { user, query, items }
        })
        .collect();
    if wanted.len() > MAX_QUERIES {
        let step = wanted.len() as f64 / MAX_QUERIES as f64;
        wanted = (0..MAX_QUERIES).map(|n| wanted[(n as f64 * step) as usize].clone()).collect();
    }
    Ok(SearchQueries { texts: queries, wanted, traffic })
}

impl SearchQueries {
    /// Users with queries that are measured.
    pub(crate) fn users(&self) -> usize {
        self.wanted.chunk_by(|a, b| a.user == b.user).count()
    }

    /// Where the engagement of the window comes from.
    pub(crate) fn traffic(&self) -> Traffic {
        Traffic { searching_users: self.users(), ..self.traffic }
    }

    /// Mean NDCG@10 over each user's queries, by cosine alone over all items that are not hidden, in the order of the users. `row` gives
    /// the vector of an item by its number in the shop.
    pub(crate) fn evaluate<'v>(
        &self,
        app: &App,
        view: &ShopState,
        encoder: &Arc<BertEncoder>,
        row: &(dyn Fn(u32) -> Option<&'v [f32]> + Sync),
        context: &RunContext<'_>,
    ) -> Result<Vec<f64>, RunExit> {
        let mut places: Vec<usize> = self.wanted.iter().map(|wanted| wanted.query).collect();
        places.sort_unstable();
        places.dedup();
        let mut vectors: BTreeMap<usize, Vec<f32>> = BTreeMap::new();
        for slice in places.chunks(SLICE) {
            context.check()?;
            let texts = slice.iter().map(|&place| self.texts[place].clone()).collect();
            let named = Arc::clone(encoder) as Arc<dyn Encoder>;
            let pending = app.model.submit(texts, TextKind::Query, Priority::Background, Some(named));
            let answer = pending.and_then(mercer_model::Pending::wait).map_err(|e| model_problem(&e))?;
            vectors.extend(slice.iter().copied().zip(answer.vectors.rows().map(<[f32]>::to_vec)));
        }
        let shown: Vec<ItemVector<'_>> = (0..view.items.len() as u32)
            .filter_map(|n| {
                let facts = view.rank.catalogue.get(n).filter(|facts| !facts.hidden)?;
                Some(ItemVector { item: n, tie: facts.key, vector: row(n)? })
            })
            .collect();
        let scores: Vec<f64> = self
            .wanted
            .par_iter()
            .map(|Wanted { query, items, .. }| {
                vectors.get(query).map_or(0.0, |vector| ndcg(&nearest(vector, &shown), items, K))
            })
            .collect();
        let mut at = 0;
        let each = self.wanted.chunk_by(|a, b| a.user == b.user).map(|mine| {
            let sum: f64 = scores[at..at + mine.len()].iter().sum();
            at += mine.len();
            sum / mine.len() as f64
        });
        Ok(each.collect())
    }
}

/// An item with its vector and what breaks ties.
struct ItemVector<'a> {
    item: u32,
    tie: u64,
    vector: &'a [f32],
}

/// The nearest items, best first; ties by the keyed hash of the item.
fn nearest(query: &[f32], items: &[ItemVector<'_>]) -> Vec<u32> {
    let cosine = |row: &[f32]| query.iter().zip(row).map(|(a, b)| a * b).sum::<f32>();
    let mut scored: Vec<(f32, u64, u32)> = items.iter().map(|one| (cosine(one.vector), one.tie, one.item)).collect();
    let by = |a: &(f32, u64, u32), b: &(f32, u64, u32)| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1));
    if scored.len() > K {
        scored.select_nth_unstable_by(K - 1, by);
        scored.truncate(K);
    }
    scored.sort_unstable_by(by);
    scored.into_iter().map(|(_, _, n)| n).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_come_first_and_ties_by_key() {
        let rows: Vec<[f32; 2]> = (0..20).map(|n| [f32::from(u8::from(n == 13)), n as f32 / 100.0]).collect();
        let items: Vec<ItemVector<'_>> =
            (0..20).map(|n| ItemVector { item: n, tie: u64::from(100 - n), vector: &rows[n as usize] }).collect();
        let list = nearest(&[1.0, 0.0], &items);
        assert_eq!(list.len(), K);
        assert_eq!(list[..3], [13, 19, 18]);
    }
}
