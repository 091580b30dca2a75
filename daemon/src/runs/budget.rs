//! Divides a cycle's time. The sizes of ranker training and evaluation depend only on the log and the budget, through
//! measured costs, so that the same log and budget give the same ranker on every machine. The encoder, whose training
//! ends by the clock, gets the remaining time.

use mercer_rank::{MlpOptions, RankerTrainOptions, TreeOptions};
use serde::{Deserialize, Serialize};

/// What the cost of a cycle depends on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CycleSizes {
    /// Interactions.
    pub(crate) events: usize,
    /// Items.
    pub(crate) items: usize,
    /// Users who returned in the evaluation window.
    pub(crate) back: usize,
    /// Cut-offs that the log has room for.
    pub(crate) cutoffs: usize,
}

/// The sizes of a cycle's steps. Each lower tier costs some accuracy and saves time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BudgetTier {
    /// Cut-offs that the ranker is trained at, at most.
    pub(crate) cutoffs: usize,
    /// Lists per head of the ranker at most.
    pub(crate) lists: usize,
    /// Users whose lists are evaluated at most.
    pub(crate) users: usize,
    /// Whether a sequence model and trees are trained beside the ranker's own networks.
    pub(crate) sequence: bool,
}

const fn tier(cutoffs: usize, lists: usize, users: usize, sequence: bool) -> BudgetTier {
    BudgetTier { cutoffs, lists, users, sequence }
}

/// From everything to the least that a ranker can be trained on.
const TIERS: [BudgetTier; 7] = [
    tier(usize::MAX, usize::MAX, 5_000, true),
    tier(12, 8_000, 4_000, true),
    tier(8, 5_000, 3_000, false),
    tier(6, 3_000, 2_000, false),
    tier(4, 1_500, 1_000, false),
    tier(3, 800, 600, false),
    tier(2, 400, 300, false),
];

/// Seconds on two cores, rounded up from measurements on simulated logs of 7,000 to 18,000 interactions and 300 to 200,000 items: fitting
/// the collaborative index per interaction and per item, features of a training list and per item of the catalogue, a list's pass through one
/// network in training, an evaluated list and per item. Each run records the times that it took, to compare with these.
const FIT_EVENT: f64 = 1e-5;
const FIT_ITEM: f64 = 1.5e-5;
const LIST: f64 = 1.2e-3;
const LIST_ITEM: f64 = 1.5e-7;
const PASS: f64 = 2e-4;
const EVALUATED: f64 = 6e-4;
const EVALUATED_ITEM: f64 = 1.5e-7;
/// The sequence model's stages, per interaction and per item and cut-off: tables of popularity over the catalogue.
const STAGE_EVENT: f64 = 1e-4;
const STAGE_ITEM: f64 = 8e-5;
/// The trees of a head, per list that they are grown on.
const TREES: f64 = 4e-3;

/// Sets of lists that are evaluated, of all items and of novel ones: the candidate with and without tuning, the serving version, three
/// baselines.
const ARMS: f64 = 6.0 * 2.0;
/// Share of the budget that the ranker and evaluation may take beside an encoder, which learns more from the same second on a short
/// budget; the ranker gains little from its last cut-offs.
const BESIDE_ENCODER: f64 = 0.6;
/// The same without one.
const ALONE: f64 = 0.9;
/// With fewer seconds the encoder's training is not started.
const LEAST_ENCODER: f64 = 2.0;

impl BudgetTier {
    /// A tier by its number; the last one beyond the end.
    pub(crate) fn at(step: usize) -> Self {
        TIERS[step.min(TIERS.len() - 1)]
    }

    /// Settings of the ranker's training on this tier, with the seed of a run.
    pub(crate) fn ranker_options(self, seed: u64) -> RankerTrainOptions {
        let usual = RankerTrainOptions::default();
        let trees = [self.sequence.then(|| TreeOptions { seed, ..TreeOptions::default() }); 2];
        let mlp = MlpOptions { seed, ..usual.mlp };
        RankerTrainOptions {
            cutoffs: usual.cutoffs.min(self.cutoffs),
            lists: usual.lists.min(self.lists),
            mlp,
            trees,
            ..usual
        }
    }

    /// Estimated seconds of training the ranker that is evaluated, and the one that serves, which makes the lists of two more cut-offs
    /// (half a window apart) and one ranker.
    fn ranker_seconds(self, s: &CycleSizes) -> (f64, f64) {
        let o = self.ranker_options(0);
        let cutoffs = o.cutoffs.min(s.cutoffs);
        if cutoffs < 2 {
            // No ranker: the blend is fitted on two windows, from fewer users.
            let fitted = 2.0 * fit(s) + 2.0 * s.back.min(1_500) as f64 * (LIST + LIST_ITEM * s.items as f64);
            return (fitted, fitted);
        }
        // For two heads: the costs of a list were measured before that for cold items learned from arrivals.
        let lists = o.lists.min(s.back * cutoffs);
        let made = cutoffs as f64 * fit(s) + 2.0 * lists as f64 * (LIST + LIST_ITEM * s.items as f64);
        let networks = 2.0 * (lists * o.mlp.members_for(lists) * o.mlp.epochs) as f64 * PASS;
        let trees: f64 = o.trees.iter().flatten().map(|trees| TREES * lists.min(trees.lists) as f64).sum();
        // The ranker that is compared is trained with the sequence model's scores and without them.
        let (rankers, stages) = if self.sequence { (2.0, stage_seconds(s, cutoffs)) } else { (1.0, 0.0) };
        let more = 2.0 / cutoffs as f64;
        (stages + made + rankers * networks + trees, more * (stages + made) + networks + trees)
    }

    /// Estimated seconds of everything after the encoder but embedding: collaborative index, ranker training, evaluation, and the final training.
    pub(crate) fn seconds(self, s: &CycleSizes) -> f64 {
        let users = s.back.min(self.users) as f64;
        let (ranker, again) = self.ranker_seconds(s);
        fit(s) + ranker + again + ARMS * users * (EVALUATED + EVALUATED_ITEM * s.items as f64)
    }
}

fn fit(s: &CycleSizes) -> f64 {
    FIT_EVENT * s.events as f64 + FIT_ITEM * s.items as f64
}

fn stage_seconds(s: &CycleSizes, cutoffs: usize) -> f64 {
    STAGE_EVENT * s.events as f64 + STAGE_ITEM * (s.items * cutoffs) as f64
}

/// The first tier whose estimate fits into the budget, or the last there is.
pub(crate) fn step(budget: f64, s: &CycleSizes, encoder: bool) -> usize {
    let share = if encoder { BESIDE_ENCODER } else { ALONE };
    TIERS.iter().position(|tier| tier.seconds(s) <= share * budget).unwrap_or(TIERS.len() - 1)
}

/// A sentence on the reduced sizes; `None` on the first tier.
pub(crate) fn reduction(step: usize, budget: f64, s: &CycleSizes) -> Option<String> {
    let (full, tier) = (BudgetTier::at(0), BudgetTier::at(step));
    let (usual, least) = (full.ranker_options(0), tier.ranker_options(0));
    (step > 0).then(|| {
        format!(
            "ranker training and evaluation in full would take about {:.0} s of the {budget:.0} s: {} instead of {} cut-offs, at most {} \
             instead of {} lists, at most {} instead of {} evaluated shoppers, about {:.0} s",
            full.seconds(s),
            least.cutoffs.min(s.cutoffs),
            usual.cutoffs.min(s.cutoffs),
            least.lists,
            usual.lists,
            tier.users,
            full.users,
            tier.seconds(s)
        )
    })
}

/// Seconds for the encoder: the budget less the steps after it, which include embedding the catalogue with the tuned
/// weights. `None` if that is too little to start.
pub(crate) fn encoder(left: f64, behind: f64, embedding: f64) -> Option<f64> {
    let seconds = left - behind - embedding;
    (seconds >= LEAST_ENCODER).then_some(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RETAIL: CycleSizes = CycleSizes { events: 400_000, items: 4_000, back: 1_500, cutoffs: 16 };

    #[test]
    fn each_tier_takes_less_and_a_large_budget_takes_all() {
        for sizes in
            [RETAIL, CycleSizes { items: 200_000, ..RETAIL }, CycleSizes { events: 1_000_000, back: 40_000, ..RETAIL }]
        {
            let seconds: Vec<f64> = (0..TIERS.len()).map(|n| BudgetTier::at(n).seconds(&sizes)).collect();
            assert!(seconds.windows(2).all(|pair| pair[0] >= pair[1]) && seconds[0] > 2.0 * seconds[6], "{seconds:?}");
            assert_eq!(step(1e9, &sizes, true), 0);
            assert_eq!(step(0.0, &sizes, true), TIERS.len() - 1);
            for budget in [10.0, 60.0, 300.0, 3_000.0] {
                let chosen = step(budget, &sizes, true);
                assert!(chosen + 1 == TIERS.len() || seconds[chosen] <= BESIDE_ENCODER * budget);
                assert!(step(budget, &sizes, false) <= chosen, "without an encoder there is more time for the ranker");
            }
        }
        let usual = RankerTrainOptions::default();
        let o = BudgetTier::at(0).ranker_options(usual.mlp.seed);
        assert_eq!(RankerTrainOptions { trees: usual.trees, ..o }, usual);
    }

    #[test]
    fn a_small_shop_is_never_reduced_and_a_large_one_says_how() {
        let small = CycleSizes { events: 20_000, items: 300, back: 200, cutoffs: 10 };
        assert_eq!((step(600.0, &small, true), reduction(0, 600.0, &small)), (0, None));
        // With the usual budget, half a million interactions of four thousand items need no reduction either.
        assert_eq!(step(crate::state::config::TrainConfig::default().budget_seconds as f64, &RETAIL, true), 0);
        let huge = CycleSizes { events: 1_000_000, items: 200_000, back: 30_000, cutoffs: 16 };
        let chosen = step(600.0, &huge, true);
        let words = reduction(chosen, 600.0, &huge).unwrap();
        assert!(words.contains("instead of 16 cut-offs") && words.contains("600 s"), "{words}");
    }

    #[test]
    fn the_encoder_gets_the_rest_or_nothing() {
        assert_eq!(encoder(100.0, 30.0, 20.0), Some(50.0));
        assert_eq!(encoder(50.0, 30.0, 19.0), None);
        assert_eq!(encoder(-5.0, 0.0, 0.0), None);
    }

    #[test]
    fn a_log_without_room_for_a_ranker_costs_little() {
        let short = CycleSizes { cutoffs: 1, ..RETAIL };
        assert!(BudgetTier::at(0).seconds(&short) < BudgetTier::at(0).seconds(&RETAIL) / 2.0);
    }
}
