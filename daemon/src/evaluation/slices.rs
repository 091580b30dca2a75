//! Makes the lists of every arm for every shopper of the window and computes their metrics, by slice.

use mercer_rank::evaluate::{GroundTruth, ground_truth};
use mercer_rank::{Candidates, CollaborativeIndex, Dataset, IndexOptions, Mode, RankRequest, RankedItem, Recipient};
use mercer_reports::Gain;
use mercer_reports::ties::ndcg_tie_averaged;
use rayon::prelude::*;

use crate::evaluation::bench::{Bench, METRICS, rank_problem};
use crate::evaluation::contestant::{Contestant, Lists};
use crate::reports::history_length::HistoryLengths;
use crate::reports::window_lists::{MAX_USERS, thinned};
use crate::runs::context::{RunContext, RunExit, failed};

/// Which lists are made: name, words, mode, candidates.
pub(crate) const LISTS: [(&str, &str, Mode, Candidates); 5] = [
    ("repeat-all", "any item of the catalogue, repeats welcome", Mode::All, Candidates::All),
    ("repeat-warm", "items bought before the cut-off, repeats welcome", Mode::All, Candidates::Warm),
    ("new-all", "items the shopper never had", Mode::Novel, Candidates::All),
    ("new-warm", "items bought before the cut-off by others but never by the shopper", Mode::Novel, Candidates::Warm),
    ("cold", "items without a purchase before the cut-off, ranked among themselves", Mode::Novel, Candidates::Cold),
];

/// Number of metrics.
pub(crate) const WIDTH: usize = METRICS.len();

/// One arm on one kind of list, a row of metrics a shopper.
pub(crate) struct Values {
    pub(crate) rows: Vec<[f64; WIDTH]>,
    /// Share of lists that cut through a tie.
    pub(crate) tied: f64,
}

/// One kind of list: whose, and every arm's values in the order of the arms.
pub(crate) struct EvaluatedLists {
    pub(crate) truth: Vec<GroundTruth>,
    pub(crate) arms: Vec<Values>,
}

/// Everything that was measured.
pub(crate) struct All {
    /// In the order of [`LISTS`].
    pub(crate) lists: Vec<EvaluatedLists>,
    /// Histories of the evaluated shoppers before the cut-off.
    pub(crate) histories: HistoryLengths,
}

/// Makes and evaluates all lists.
pub(crate) fn evaluate_lists(bench: &Bench<'_>, arms: &[Contestant], context: &RunContext<'_>) -> Result<All, RunExit> {
    let index = CollaborativeIndex::fit(
        Dataset { log: &bench.log, catalogue: &bench.view.rank.catalogue },
        bench.cutoff,
        &IndexOptions::counts(),
    );
    let mut lists = Vec::new();
    for (_, _, mode, candidates) in LISTS {
        let truth = thinned(ground_truth(&bench.log, &index, bench.to, mode, candidates), MAX_USERS);
        let mut values = Vec::new();
        for arm in arms {
            context.check()?;
            let rows = truth
                .par_iter()
                .map(|entry| {
                    let request = RankRequest { mode, candidates, ..RankRequest::new(bench.k + 1) };
                    let request = request.for_window(bench.to);
                    list_metrics(&index, &*arm.list, &request, entry, bench.k)
                })
                .collect::<Result<Vec<_>, RunExit>>()?;
            let tied = rows.iter().filter(|(_, tied)| *tied).count() as f64 / rows.len().max(1) as f64;
            values.push(Values { rows: rows.into_iter().map(|(row, _)| row).collect(), tied });
            context.update(|run| run.step += 1);
        }
        lists.push(EvaluatedLists { truth, arms: values });
    }
    let users = lists.iter().flat_map(|made: &EvaluatedLists| &made.truth).map(|entry| entry.user);
    let histories = HistoryLengths::of(&bench.log, index.summary().target, bench.cutoff, users);
    Ok(All { lists, histories })
}

/// Metrics of one shopper's list, and whether its end cuts through a tie. In that case NDCG is the expectation over all
/// orders of the tied items (METRICS.md section 0.2), for which the list is extended until the tie ends. `request` asks
/// for one item more than is evaluated.
pub(crate) fn list_metrics(
    index: &CollaborativeIndex,
    list: &Lists,
    request: &RankRequest<'_>,
    entry: &GroundTruth,
    k: usize,
) -> Result<([f64; WIDTH], bool), RunExit> {
    let made = |length: usize| {
        list(Recipient::User(entry.user), &RankRequest { k: length, ..*request }).map_err(|e| rank_problem(&e))
    };
    // Items of equal score are ordered by their purchases; only beyond that chance decides.
    let key = |scored: &RankedItem| (scored.score, index.stats(scored.item).map_or(0.0, |stats| stats.count));
    let gain = |scored: &RankedItem| f64::from(u8::from(entry.items.binary_search(&scored.item).is_ok()));
    let relevant = vec![1.0; entry.items.len()];
    let mut found = made(request.k)?;
    let ranked: Vec<f64> = found.iter().take(k).map(gain).collect();
    let mut row = [0.0; WIDTH];
    for (slot, metric) in row.iter_mut().zip(METRICS) {
        *slot = metric.evaluate(&ranked, &relevant, k).map_err(|e| failed(&e))?;
    }
    let tied = found.len() > k && key(&found[k - 1]) == key(&found[k]);
    if tied {
        let cut = key(&found[k]);
        let mut length = request.k;
        while found.len() == length && found.last().is_some_and(|last| key(last) == cut) {
            length = length.saturating_mul(4);
            found = made(length)?;
        }
        let mut places: Vec<f64> = Vec::with_capacity(found.len());
        for (n, scored) in found.iter().enumerate() {
            let same = n > 0 && key(&found[n - 1]) == key(scored);
            let above = places.last().copied().unwrap_or(0.0);
            places.push(if same { above } else { above - 1.0 });
        }
        let gains: Vec<f64> = found.iter().map(gain).collect();
        // NDCG is the first of the metrics.
        row[0] = ndcg_tie_averaged(&places, &gains, &relevant, k, Gain::Linear).map_err(|e| failed(&e))?;
    }
    Ok((row, tied))
}

#[cfg(test)]
mod tests {
    use super::*;
    use mercer_rank::{Catalogue, ItemFacts, Log, RankError};

    #[test]
    fn a_tie_at_the_cut_counts_as_its_expectation() {
        let catalogue = Catalogue::new((0..40).map(|_| ItemFacts::default()));
        let index =
            CollaborativeIndex::fit(Dataset { log: &Log::new(), catalogue: &catalogue }, 0, &IndexOptions::counts());
        let scored = |item: u32, score: f32| RankedItem { item, score, parts: Vec::new(), log_softmax: None };
        // The first item stands out, the others are alike; the shopper took the last one.
        let all: Vec<RankedItem> = (0..40).map(|item| scored(item, if item == 0 { 1.0 } else { 0.0 })).collect();
        let list = move |_: Recipient<'_>, r: &RankRequest<'_>| -> Result<Vec<RankedItem>, RankError> {
            Ok(all.iter().take(r.k).cloned().collect())
        };
        let evaluate = |items: Vec<u32>, k: usize| {
            let entry = GroundTruth { user: 0, items };
            let (row, tied) = list_metrics(&index, &list, &RankRequest::new(k + 1), &entry, k).unwrap();
            (row[0], tied)
        };
        // Places 2 and 3 are each the last item's with chance 1 in 39.
        let expected = (1.0 / 3f64.log2() + 1.0 / 4f64.log2()) / 39.0;
        let (ndcg, tied) = evaluate(vec![39], 3);
        assert!(tied && (ndcg - expected).abs() < 1e-12, "{ndcg} {expected}");
        assert_eq!(evaluate(vec![0], 1), (1.0, false));
        // A list that ends at the cut hides nothing.
        assert!(!evaluate(vec![0], 40).1);
    }
}
