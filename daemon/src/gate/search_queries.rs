//! How well an encoder finds by text what shoppers took after a query, in the evaluation window: the part of an encoder's worth
//! that lists without a query do not show.

use std::collections::BTreeMap;
use std::sync::Arc;

use mercer_learn::examples::{QueryOptions, query_pairs};
use mercer_model::{BertEncoder, Encoder, Priority, TextKind};
use mercer_rank::evaluate::ndcg;
use rayon::prelude::*;

use crate::runs::context::{RunContext, RunExit};
use crate::runs::labelled_log::{Read, Scope, read};
use crate::runs::plan::Plan;
use crate::state::app::App;
use crate::state::dense_ids::IdMap;
use crate::state::problems::model_problem;
use crate::state::shop::ShopState;

/// Users with queries from which on search quality is compared.
pub(crate) const MIN_SEARCHERS: usize = 30;

/// Queries judged at most; beyond it they are thinned evenly.
const MAX_QUERIES: usize = 1_000;
/// Texts handed to the model thread at once.
const SLICE: usize = 128;
/// Length of the lists that are judged.
const K: usize = 10;

/// Queries of the window with what was taken after them.
pub(crate) struct SearchQueries {
    texts: Vec<String>,
    /// Shopper, place of the text, items ascending.
    wanted: Vec<(u32, usize, Vec<u32>)>,
}

/// Collects the queries of the window that led to something; shoppers have the cycle's numbers.
pub(crate) fn collect(app: &App, view: &ShopState, ids: &IdMap, plan: &Plan) -> Result<SearchQueries, RunExit> {
    let scope = Scope { cursor: plan.cursor, after: plan.cut, until: plan.to };
    let Read { log, queries } = read(app, view, scope)?;
    let items: Vec<Option<u32>> = (0..view.items.len() as u32).map(Some).collect();
    let mut by_user: BTreeMap<u32, Vec<_>> = BTreeMap::new();
    for event in log {
        by_user.entry(ids.user(event.user)).or_default().push(event);
    }
    let mut found: BTreeMap<(u32, usize), Vec<u32>> = BTreeMap::new();
    for (user, events) in by_user {
        for pair in query_pairs(&events, &items, &QueryOptions::default()) {
            if let [query] = pair.anchor.texts() {
                found.entry((user, *query as usize)).or_default().push(pair.item);
            }
        }
    }
    let mut wanted: Vec<_> = found
        .into_iter()
        .map(|((user, query), mut items)| {
            items.sort_unstable();
            items.dedup();
            (user, query, items)
        })
        .collect();
    if wanted.len() > MAX_QUERIES {
        let step = wanted.len() as f64 / MAX_QUERIES as f64;
        wanted = (0..MAX_QUERIES).map(|n| wanted[(n as f64 * step) as usize].clone()).collect();
    }
    Ok(SearchQueries { texts: queries, wanted })
}

impl SearchQueries {
    /// Shoppers with queries.
    pub(crate) fn users(&self) -> usize {
        self.wanted.chunk_by(|a, b| a.0 == b.0).count()
    }

    /// Mean NDCG@10 over each shopper's queries, by cosine alone over all items that are not hidden, in the order of the shoppers.
    pub(crate) fn judge<'v>(
        &self,
        app: &App,
        view: &ShopState,
        encoder: &Arc<BertEncoder>,
        row: &(dyn Fn(u32) -> Option<&'v [f32]> + Sync),
        context: &RunContext<'_>,
    ) -> Result<Vec<f64>, RunExit> {
        let mut places: Vec<usize> = self.wanted.iter().map(|(_, query, _)| *query).collect();
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
        let shown: Vec<Row<'_>> = (0..view.items.len() as u32)
            .filter_map(|n| {
                let facts = view.rank.catalogue.get(n).filter(|facts| !facts.hidden)?;
                Some((n, facts.key, row(n)?))
            })
            .collect();
        let scores: Vec<f64> = self
            .wanted
            .par_iter()
            .map(|(_, query, items)| vectors.get(query).map_or(0.0, |vector| ndcg(&nearest(vector, &shown), items, K)))
            .collect();
        let mut at = 0;
        let each = self.wanted.chunk_by(|a, b| a.0 == b.0).map(|mine| {
            let sum: f64 = scores[at..at + mine.len()].iter().sum();
            at += mine.len();
            sum / mine.len() as f64
        });
        Ok(each.collect())
    }
}

/// Item, tie-break key, vector.
type Row<'a> = (u32, u64, &'a [f32]);

/// The nearest items, best first; ties by the keyed hash of the item.
fn nearest(query: &[f32], items: &[Row<'_>]) -> Vec<u32> {
    let cosine = |row: &[f32]| query.iter().zip(row).map(|(a, b)| a * b).sum::<f32>();
    let mut scored: Vec<(f32, u64, u32)> = items.iter().map(|(n, tie, row)| (cosine(row), *tie, *n)).collect();
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
        let items: Vec<Row<'_>> = (0..20).map(|n| (n, u64::from(100 - n), &rows[n as usize][..])).collect();
        let list = nearest(&[1.0, 0.0], &items);
        assert_eq!(list.len(), K);
        assert_eq!(list[..3], [13, 19, 18]);
    }
}
