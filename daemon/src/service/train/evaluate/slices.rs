//! Lists of every arm for every shopper of the window, and what they are worth, by slice.

use std::collections::BTreeMap;

use mercer_rank::evaluate::{Truth, truth};
use mercer_rank::{BlendWeights, Candidates, For, Memory, MemoryOptions, Mode, Request, Scored};
use mercer_reports::ties::tied_at_cut;
use rayon::prelude::*;

use super::arms::Contestant;
use super::{Bench, Control, Ended, METRICS, failed, rank_problem};
use crate::service::evaluation::MAX_USERS;

/// Which lists are made: name, words, mode, candidates.
pub(super) const LISTS: [(&str, &str, Mode, Candidates); 5] = [
    ("repeat-all", "any item of the catalogue, repeats welcome", Mode::Repeat, Candidates::All),
    ("repeat-warm", "items bought before the cut-off, repeats welcome", Mode::Repeat, Candidates::Warm),
    ("new-all", "items the shopper never had", Mode::New, Candidates::All),
    ("new-warm", "items bought before the cut-off by others but never by the shopper", Mode::New, Candidates::Warm),
    ("cold", "items nobody had bought before the cut-off, ranked among themselves", Mode::New, Candidates::Cold),
];

/// Number of metrics.
pub(super) const WIDTH: usize = METRICS.len();

/// One arm on one kind of list, a row of metrics a shopper.
pub(super) struct Values {
    pub(super) rows: Vec<[f64; WIDTH]>,
    /// Share of lists that a tie cuts.
    pub(super) tied: f64,
}

/// One kind of list: whose, and every arm's values in the order of the arms.
pub(super) struct Judged {
    pub(super) truth: Vec<Truth>,
    pub(super) arms: Vec<Values>,
}

/// Everything that was measured.
pub(super) struct All {
    /// In the order of [`LISTS`].
    pub(super) lists: Vec<Judged>,
    /// Baskets of each judged shopper before the cut-off.
    pub(super) shoppers: BTreeMap<u32, u32>,
    /// Most baskets of a light shopper.
    pub(super) border: u32,
}

/// Makes and judges all lists.
pub(super) fn judge(bench: &Bench<'_>, arms: &[Contestant], control: &mut Control<'_>) -> Result<All, Ended> {
    let memory = Memory::fit(&bench.log, &bench.view.rank.catalogue, bench.cut, &MemoryOptions::counts());
    let weights = BlendWeights::popularity();
    let mut lists = Vec::new();
    for (_, _, mode, candidates) in LISTS {
        let truth = thinned(truth(&bench.log, &memory, bench.to, mode, candidates));
        let mut values = Vec::new();
        for arm in arms {
            control.check()?;
            // One item more than is judged shows whether a tie is cut.
            let request = Request { mode, candidates, ..Request::new(bench.k + 1, &weights) };
            let made: Vec<Vec<Scored>> = truth
                .par_iter()
                .map(|entry| (arm.list)(For::User(entry.user), &request))
                .collect::<Result<_, _>>()
                .map_err(|e| rank_problem(&e))?;
            values.push(worth(&made, &truth, bench.k)?);
            control.update(|run| run.step += 1);
        }
        lists.push(Judged { truth, arms: values });
    }
    let target = memory.shape().target;
    let day = |at: i64| at.div_euclid(mercer_rank::DAY_MS);
    let baskets = |user: u32| {
        let mut days: Vec<i64> =
            bench.log.until(user, bench.cut).iter().filter(|e| e.kind == target).map(|e| day(e.at)).collect();
        days.dedup();
        days.len() as u32
    };
    let judged = lists.iter().flat_map(|judged: &Judged| &judged.truth).map(|entry| entry.user);
    let shoppers: BTreeMap<u32, u32> = judged.map(|user| (user, baskets(user))).collect();
    let mut sorted: Vec<u32> = shoppers.values().copied().collect();
    sorted.sort_unstable();
    let border = sorted.get(sorted.len().saturating_sub(1) / 2).copied().unwrap_or(0);
    Ok(All { lists, shoppers, border })
}

fn thinned(all: Vec<Truth>) -> Vec<Truth> {
    let step = all.len() as f64 / MAX_USERS as f64;
    if step <= 1.0 { all } else { (0..MAX_USERS).map(|n| all[(n as f64 * step) as usize].clone()).collect() }
}

/// Metrics of each list; the truth of an entry is ascending.
fn worth(lists: &[Vec<Scored>], truth: &[Truth], k: usize) -> Result<Values, Ended> {
    let mut rows = Vec::with_capacity(truth.len());
    let mut tied = 0usize;
    for (list, entry) in lists.iter().zip(truth) {
        let scores: Vec<f64> = list.iter().map(|scored| f64::from(scored.score)).collect();
        tied += usize::from(tied_at_cut(&scores, k));
        let gain = |scored: &Scored| f64::from(u8::from(entry.items.binary_search(&scored.item).is_ok()));
        let ranked: Vec<f64> = list.iter().take(k).map(gain).collect();
        let relevant = vec![1.0; entry.items.len()];
        let mut row = [0.0; WIDTH];
        for (slot, metric) in row.iter_mut().zip(METRICS) {
            *slot = metric.evaluate(&ranked, &relevant, k).map_err(|e| failed(&e))?;
        }
        rows.push(row);
    }
    Ok(Values { rows, tied: tied as f64 / truth.len().max(1) as f64 })
}
