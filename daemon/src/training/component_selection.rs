//! What stands in a ranker because it pays: the behaviour network among its sources, trees beside the networks of each head, and a head
//! for cold items where the hand-made blend would order them. All of them were made up to the cut-off; the window after it decides, for
//! each log anew. What did not pay is not made again until the log has changed: it would cost every cycle the same time for the same answer.

use mercer_rank::Ranker;
use mercer_store::{Setting, SettingDocument};
use serde::{Deserialize, Serialize};

use crate::gate::decide::Judged;
use crate::reports::window_lists::{Lists, mean};
use crate::runs::budget::BudgetTier;
use crate::runs::context::{RunContext, RunExit};
use crate::state::app::App;
use crate::state::problems::store_problem;
use crate::training::ranker_fit::FittedRanker;

/// Least gain of a part that stays, as a share of NDCG@10 without it: about what another seed changes. (An interval above zero would
/// ask for gains of several per cent where a few hundred shoppers come back, and every part costs time at each list.)
const LEAST_GAIN: f64 = 0.005;
/// What was left out is tried again once the log is this many times as long.
const GROWN: f64 = 1.25;

/// Parts of a ranker that have to earn their place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Parts {
    /// The behaviour network among the sources.
    pub(crate) network: bool,
    /// Trees beside the networks of the heads for any and for unseen items.
    pub(crate) trees: [bool; 2],
    /// A head for cold items.
    pub(crate) cold: bool,
}

/// Lengths of the log (interactions) at which parts were last left out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct LeftOut {
    network: Option<usize>,
    trees: [Option<usize>; 2],
    #[serde(default)]
    cold: Option<usize>,
}

impl SettingDocument for LeftOut {
    const SETTING: Setting = Setting::LeftOutComponents;
}

impl LeftOut {
    fn read(app: &App) -> Result<Self, RunExit> {
        let kept: Option<Self> = app.store.get_setting().map_err(|e| store_problem(&e))?;
        Ok(kept.unwrap_or_default())
    }

    /// What is worth making from a log of so many interactions.
    fn worth_making(self, tier: BudgetTier, events: usize) -> Parts {
        // A log that an erasure has shortened counts as changed too.
        let changed = |then: Option<usize>| {
            then.is_none_or(|then| events as f64 >= GROWN * then as f64 || (events as f64) < then as f64 / GROWN)
        };
        let worth = |then| tier.network && changed(then);
        Parts { network: worth(self.network), trees: self.trees.map(worth), cold: worth(self.cold) }
    }

    /// The same after a cycle has made some parts and kept some of them.
    fn after(self, made: Parts, kept: Parts, events: usize) -> Self {
        let now = |then: Option<usize>, made: bool, kept: bool| match (made, kept) {
            (false, _) => then,
            (true, true) => None,
            (true, false) => Some(events),
        };
        let trees = [0, 1].map(|h| now(self.trees[h], made.trees[h], kept.trees[h]));
        Self {
            network: now(self.network, made.network, kept.network),
            trees,
            cold: now(self.cold, made.cold, kept.cold),
        }
    }
}

/// The parts that a cycle makes: those that the budget's tier allows and that no earlier cycle on much the same log left out.
pub(crate) fn worth_making(
    app: &App,
    tier: BudgetTier,
    events: usize,
    context: &RunContext<'_>,
) -> Result<Parts, RunExit> {
    let left_out = LeftOut::read(app)?;
    let parts = left_out.worth_making(tier, events);
    if tier.network {
        let all = [
            ("the behaviour network", parts.network, left_out.network),
            ("trees for any item", parts.trees[0], left_out.trees[0]),
            ("trees for unseen items", parts.trees[1], left_out.trees[1]),
            ("a head for cold items", parts.cold, left_out.cold),
        ];
        for (what, _, then) in all.into_iter().filter(|(_, made, _)| !made) {
            let then = then.unwrap_or_default();
            context.note(format!(
                "{what}: not made, for it did not pay at {then} interactions; tried again from {:.0} on",
                (GROWN * then as f64).ceil()
            ));
        }
    }
    Ok(parts)
}

/// Notes at the end of a cycle which parts it made and left out.
pub(crate) fn note(app: &App, made: Parts, order: &FittedRanker, events: usize) -> Result<(), RunExit> {
    // A ranker that was not finished, or that no log had room for, says nothing of its parts.
    let Some(ranker) = &order.ranker else { return Ok(()) };
    let kept = Parts { network: order.network.is_some(), trees: ranker.has_trees(), cold: ranker.has_cold() };
    let left_out = LeftOut::read(app)?.after(made, kept, events);
    app.store.put_setting(&left_out).map_err(|e| RunExit::from(store_problem(&e)))
}

/// Whether a part that changes a mean from `without` to `with` may stay.
fn pays(with: f64, without: f64) -> bool {
    with > without && with - without >= LEAST_GAIN * without
}

/// What makes and judges lists.
pub(crate) struct Judges<'a> {
    /// An order's, for any item and for unseen ones.
    pub(crate) lists: &'a dyn Fn(&FittedRanker) -> Result<Judged, RunExit>,
    /// A ranker's, of cold items.
    pub(crate) cold: &'a dyn Fn(&Ranker) -> Result<Lists, RunExit>,
}

/// The better of an order's variants, by NDCG@10 on the window, and its lists; a part that gains next to nothing stays out.
pub(crate) fn choose(
    order: FittedRanker,
    context: &RunContext<'_>,
    judges: &Judges<'_>,
) -> Result<(FittedRanker, Judged), RunExit> {
    let lists =
        |ranker: &Ranker| (judges.lists)(&FittedRanker { ranker: Some(ranker.clone()), ..FittedRanker::default() });
    let FittedRanker { ranker: Some(mut ranker), mut network, plain, blend, spent } = order else {
        let judged = (judges.lists)(&order)?;
        return Ok((order, judged));
    };
    let bare = |ranker: &Ranker| ranker.clone().with_trees_of([false; 2]);
    // The network is judged without trees, which do not read it.
    let mut judged = lists(&bare(&ranker))?;
    if let Some(plain) = plain {
        let without = lists(&bare(&plain))?;
        let serves = pays(judged.lists(), without.lists());
        context.note(format!(
            "behaviour network among the ranker's sources: NDCG@10 {:+.4} for any item, {:+.4} for unseen ones; it {}",
            mean(&judged.any.ndcg) - mean(&without.any.ndcg),
            mean(&judged.unseen.ndcg) - mean(&without.unseen.ndcg),
            if serves { "serves" } else { "is left out" }
        ));
        if !serves {
            (ranker, judged, network) = (plain, without, None);
        }
    }
    let has = ranker.has_trees();
    if has != [false; 2] {
        let with = lists(&ranker)?;
        let heads = [(&with.any, &judged.any, "any item"), (&with.unseen, &judged.unseen, "unseen items")];
        let mut keep = [false; 2];
        for (head, (with, without, what)) in heads.into_iter().enumerate().filter(|(head, _)| has[*head]) {
            let (with, without) = (mean(&with.ndcg), mean(&without.ndcg));
            keep[head] = pays(with, without);
            let verdict = if keep[head] { "they serve" } else { "they are left out" };
            let gain = with - without;
            context.note(format!("trees beside the ranker's networks for {what}: NDCG@10 {gain:+.4}; {verdict}"));
        }
        if keep[0] {
            judged.any = with.any;
        }
        if keep[1] {
            judged.unseen = with.unseen;
        }
        ranker = ranker.with_trees_of(keep);
    }
    if ranker.has_cold() {
        let plain = ranker.clone().without_cold();
        let (with, without) = ((judges.cold)(&ranker)?, (judges.cold)(&plain)?);
        let gain = mean(&with.ndcg) - mean(&without.ndcg);
        let serves = pays(mean(&with.ndcg), mean(&without.ndcg));
        context.note(format!(
            "a head for cold items against the blend: NDCG@10 {gain:+.4} for {} shoppers who took some; it {}",
            with.users.len(),
            if serves { "serves" } else { "is left out" }
        ));
        if serves {
            judged.cold = with.ndcg;
        } else {
            ranker = plain;
        }
    }
    Ok((FittedRanker { ranker: Some(ranker), network, plain: None, blend, spent }, judged))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_has_to_gain_more_than_a_seed_changes() {
        assert!(pays(0.3040, 0.3) && !pays(0.3001, 0.3) && !pays(0.29, 0.3));
        assert!(pays(0.1, 0.0) && !pays(0.0, 0.0), "from nothing, anything is a gain");
    }

    #[test]
    fn what_did_not_pay_waits_until_the_log_has_changed() {
        let tier = BudgetTier::at(0);
        let all = Parts { network: true, trees: [true; 2], cold: true };
        assert_eq!(LeftOut::default().worth_making(tier, 1_000), all);
        let kept = Parts { network: false, trees: [false, true], cold: false };
        let left_out = LeftOut::default().after(all, kept, 1_000);
        assert_eq!(left_out.worth_making(tier, 1_249), kept);
        assert_eq!(left_out.worth_making(tier, 1_250), all);
        assert_eq!(left_out.worth_making(tier, 799), all, "an erasure changes the log too");
        // What was not made keeps its date; what pays at last has none.
        assert_eq!(left_out.after(kept, kept, 1_200), left_out);
        assert_eq!(left_out.after(all, all, 1_300), LeftOut::default());
        let small = BudgetTier::at(6);
        assert_eq!(left_out.worth_making(small, 9_000), Parts { network: false, trees: [false; 2], cold: false });
    }
}
