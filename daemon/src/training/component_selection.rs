//! Selects the optional components of a ranker: those that improve NDCG@10 on the window after the cut-off. A component
//! that was left out is not fitted again until the log has changed, because the result would be the same.

use crate::gate::evaluate::{Evaluated, ListSlice};
use crate::reports::window_lists::{Lists, mean};
use crate::runs::budget::BudgetTier;
use crate::runs::context::{RunContext, RunExit};
use crate::state::app::App;
use crate::state::problems::store_problem;
use crate::training::components::{COMPONENTS, ComponentSet, LeftOut, SliceGain};
use crate::training::ranker_fit::FittedRanker;

/// Least gain of a component that is kept, as a share of NDCG@10 without it: about the difference between two seeds.
/// (An interval above zero would ask for gains of several per cent in shops with a few hundred returning users, and
/// every component costs time at each list.)
const LEAST_GAIN: f64 = 0.005;
/// What was left out is tried again once the log is this many times as long.
const GROWN: f64 = 1.25;

fn read_left_out(app: &App) -> Result<LeftOut, RunExit> {
    Ok(app.store.get_setting().map_err(|e| store_problem(&e))?.unwrap_or_default())
}

/// Components to make from a log of so many interactions.
fn to_make(mut left_out: LeftOut, tier: BudgetTier, events: usize) -> ComponentSet {
    // A log that an erasure has shortened counts as changed too.
    let changed = |then: Option<usize>| {
        then.is_none_or(|then| events as f64 >= GROWN * then as f64 || (events as f64) < then as f64 / GROWN)
    };
    ComponentSet::from_fn(|n| tier.sequence && changed(*(COMPONENTS[n].left_out)(&mut left_out)))
}

/// The components to leave out, after a cycle has fitted some and kept some of them.
fn after(mut left_out: LeftOut, made: ComponentSet, kept: ComponentSet, events: usize) -> LeftOut {
    for (n, component) in COMPONENTS.iter().enumerate().filter(|(n, _)| made.contains(*n)) {
        *(component.left_out)(&mut left_out) = (!kept.contains(n)).then_some(events);
    }
    left_out
}

/// The components that a cycle fits: those that the budget's tier allows and that no earlier cycle left out on nearly
/// the same log.
pub(crate) fn plan(
    app: &App,
    tier: BudgetTier,
    events: usize,
    context: &RunContext<'_>,
) -> Result<ComponentSet, RunExit> {
    let mut left_out = read_left_out(app)?;
    let planned = to_make(left_out, tier, events);
    if tier.sequence {
        for (_, component) in COMPONENTS.iter().enumerate().filter(|(n, _)| !planned.contains(*n)) {
            let then = (component.left_out)(&mut left_out).unwrap_or_default();
            context.note(format!(
                "{}: not made, for it did not pay at {then} interactions; tried again from {:.0} on",
                component.name,
                (GROWN * then as f64).ceil()
            ));
        }
    }
    Ok(planned)
}

/// Stores at the end of a cycle which components it made and left out.
pub(crate) fn store(app: &App, made: ComponentSet, fitted: &FittedRanker, events: usize) -> Result<(), RunExit> {
    // A ranker that was not finished, or that no log had room for, says nothing of its components.
    if fitted.ranker.is_none() {
        return Ok(());
    }
    let left_out = after(read_left_out(app)?, made, ComponentSet::of(fitted), events);
    app.store.put_setting(&left_out).map_err(|e| RunExit::from(store_problem(&e)))
}

/// Whether a component that changes a mean from `without` to `with` stays.
fn pays(with: f64, without: f64) -> bool {
    with > without && with - without >= LEAST_GAIN * without
}

/// A ranker with the components that pay, and its lists on the window.
pub(crate) struct Selected {
    /// The ranker.
    pub(crate) fitted: FittedRanker,
    /// Its lists; search is not measured.
    pub(crate) evaluated: Evaluated,
}

/// The lists of a ranker, as far as they were made.
#[derive(Default)]
struct Measured {
    all: Option<Lists>,
    novel: Option<Lists>,
    cold: Option<Lists>,
}

impl Measured {
    fn slot(&mut self, slice: ListSlice) -> &mut Option<Lists> {
        match slice {
            ListSlice::All => &mut self.all,
            ListSlice::Novel => &mut self.novel,
            ListSlice::Cold => &mut self.cold,
        }
    }
}

/// Keeps the components of a ranker that improve it, tested one after the other in the order of the table. `lists`
/// makes and evaluates a ranker's lists of one slice.
pub(crate) fn select(
    fitted: FittedRanker,
    context: &RunContext<'_>,
    lists: &dyn Fn(&FittedRanker, ListSlice) -> Result<Lists, RunExit>,
) -> Result<Selected, RunExit> {
    let mut kept = ComponentSet::NONE;
    let mut measured = Measured::default();
    for (n, component) in COMPONENTS.iter().enumerate().filter(|(_, component)| (component.is_in)(&fitted)) {
        if (component.is_in)(&(component.remove)(fitted.clone())) {
            // There is no ranker without it to compare with.
            kept = kept.with(n);
            continue;
        }
        let (with, without) = (kept.with(n).of_ranker(&fitted), kept.of_ranker(&fitted));
        let mut gains = Vec::new();
        let mut improved = Vec::new();
        for &slice in component.slices {
            let lists_with = lists(&with, slice)?;
            let slot = measured.slot(slice);
            let lists_without = match slot.take() {
                Some(known) => known,
                None => lists(&without, slice)?,
            };
            gains.push(SliceGain {
                with: mean(&lists_with.ndcg),
                without: mean(&lists_without.ndcg),
                users: lists_with.users.len(),
            });
            *slot = Some(lists_without);
            improved.push((slice, lists_with));
        }
        let count = gains.len() as f64;
        let stays = pays(
            gains.iter().map(|gain| gain.with).sum::<f64>() / count,
            gains.iter().map(|gain| gain.without).sum::<f64>() / count,
        );
        context.note((component.note)(&gains, stays));
        if stays {
            kept = kept.with(n);
            for (slice, lists) in improved {
                *measured.slot(slice) = Some(lists);
            }
        }
    }
    let fitted = FittedRanker { without_sequence: None, ..kept.of_ranker(&fitted) };
    let mut finish = |slice| match measured.slot(slice).take() {
        Some(known) => Ok(known),
        None => lists(&fitted, slice),
    };
    let (all, novel) = (finish(ListSlice::All)?, finish(ListSlice::Novel)?);
    let has_cold = fitted.ranker.as_ref().is_some_and(mercer_rank::Ranker::has_cold);
    let cold = measured.cold.filter(|_| has_cold).map(|lists| lists.ndcg).unwrap_or_default();
    Ok(Selected { evaluated: Evaluated { all, novel, cold, ..Evaluated::default() }, fitted })
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
        let all = ComponentSet::from_fn(|_| true);
        assert_eq!(to_make(LeftOut::default(), tier, 1_000), all);
        // Of all, only trees for novel items pay.
        let kept = ComponentSet::NONE.with(2);
        let left_out = after(LeftOut::default(), all, kept, 1_000);
        assert_eq!(to_make(left_out, tier, 1_249), kept);
        assert_eq!(to_make(left_out, tier, 1_250), all);
        assert_eq!(to_make(left_out, tier, 799), all, "an erasure changes the log too");
        // What was not made keeps its date; what pays at last has none.
        assert_eq!(after(left_out, kept, kept, 1_200), left_out);
        assert_eq!(after(left_out, all, all, 1_300), LeftOut::default());
        let small = BudgetTier::at(6);
        assert_eq!(to_make(left_out, small, 9_000), ComponentSet::NONE);
    }
}
