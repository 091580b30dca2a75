//! What a version would have earned at explored places (METRICS.md section 2).
//!
//! A decision is the first explored place of a list: it drew each item of its pool with the same probability. The version under test would
//! have put the item of the pool there that it ranks first, so its propensity is 1 for that item and 0 for the others. Later places of the
//! same list depend on the first and are left out.

use std::collections::BTreeMap;

use mercer_rank::{RankRequest, Recipient, ScoringPolicy, Snapshot};
use mercer_reports::Undefined;
use mercer_reports::counterfactual::{Logged, estimate};
use mercer_reports::resample::{bootstrap_statistic, percentile_interval};
use mercer_shared::ids::ItemId;
use mercer_shared::problem::{Code, Problem};
use mercer_shared::time::{DAY_MS, Timestamp};
use mercer_shared::wire::Counterfactual;
use mercer_store::{Pseudonym, ServedKind, ServedRecord};
use rustc_hash::FxHashMap;

use crate::evaluation::outcomes::{Lists, Outcomes};
use crate::reports::report::with_version;
use crate::reports::rows::{REPLICATES, SEED};
use crate::reports::window_scorer::window_policy;
use crate::state::app::App;
use crate::state::problems::{Answer, store_problem};
use crate::state::shop::ShopState;

/// Weights above this are cut in the clipped estimate, which is not shown: the pool bounds them already.
const CLIP: f64 = 100.0;
/// Decisions that are read at most: the latest.
const MOST: usize = 20_000;
/// Decisions of prior weight that pull an item's mean reward to the mean of all.
const PRIOR: f64 = 10.0;

/// A decision of exploration and what it earned.
#[derive(Debug, Clone)]
struct Decision {
    user: Pseudonym,
    at: i64,
    /// The pool, in the order of the version that made the list.
    pool: Vec<ItemId>,
    /// Place in the pool of the item that was drawn.
    drawn: usize,
    reward: f64,
}

/// Estimates what a version (`None`: the serving one) would have earned.
///
/// # Errors
/// `not-found` for an unknown version, `unavailable` while the log is read after a start, or the store's.
pub fn counterfactual(app: &App, version: Option<&str>) -> Answer<Counterfactual> {
    app.warm()?;
    let view = with_version(app, version)?;
    app.served_log.flush(&app.store).map_err(|error| store_problem(&error))?;
    let agreed = agreed(app, &view);
    let decisions = decisions(app, &agreed)?;
    let choices = choices(app, &view, &agreed, &decisions)?;
    let decided: Vec<(&Decision, usize)> =
        decisions.iter().zip(choices).filter_map(|(decision, choice)| Some((decision, choice?))).collect();
    Ok(Counterfactual { model: view.model.meta.version.clone(), ..estimated(&decided) })
}

/// Slots of the users who agreed to training.
type Agreed = FxHashMap<Pseudonym, u32>;

fn agreed(app: &App, view: &ShopState) -> Agreed {
    view.user_index
        .iter()
        .filter(|(_, number)| view.subject(**number).is_some_and(|subject| subject.consent.train))
        .map(|(id, number)| (app.store.pseudonym(id), *number))
        .collect()
}

/// The latest explored places of users who agreed to training. Reads lists from the last one back, as many as are used.
fn decisions(app: &App, agreed: &Agreed) -> Answer<Vec<Decision>> {
    let (mut lists, mut known) = (Vec::new(), Lists::default());
    for record in app.store.served_since(ServedKind::Explored, Timestamp::at(0)).rev() {
        let record = record.map_err(|error| store_problem(&error))?;
        if record.user.is_some_and(|user| agreed.contains_key(&user)) {
            known.add(&record);
            lists.push(record);
        }
        if lists.len() == MOST {
            break;
        }
    }
    lists.sort_by(|a, b| a.at.cmp(&b.at).then_with(|| a.query_id.cmp(&b.query_id)));
    let outcomes = Outcomes::of_lists(&app.store, known)?;
    Ok(lists.into_iter().filter_map(|list| decision(list, &outcomes)).collect())
}

fn decision(list: ServedRecord, outcomes: &Outcomes) -> Option<Decision> {
    let row = list.rows.iter().find(|row| row.propensity < 1.0)?;
    Some(Decision {
        user: list.user?,
        at: list.at.millis(),
        drawn: list.pool.iter().position(|item| *item == row.item)?,
        reward: f64::from(u8::from(outcomes.took(&list.query_id, &row.item))),
        pool: list.pool,
    })
}

/// For each decision the place in its pool of the item that the version ranks first, from what was known on the morning of that day and of
/// the user at that moment. `None` where the version ranks none of them.
fn choices(app: &App, view: &ShopState, agreed: &Agreed, decisions: &[Decision]) -> Answer<Vec<Option<usize>>> {
    let mut by_day: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
    for (place, decision) in decisions.iter().enumerate() {
        by_day.entry(decision.at.div_euclid(DAY_MS)).or_default().push(place);
    }
    let mut chosen = vec![None; decisions.len()];
    for (day, places) in by_day {
        let morning = day * DAY_MS;
        let log = view.training_log();
        let index = app.moments.at(view, morning);
        let snapshot = Snapshot { log, catalogue: view.rank.catalogue.clone(), index };
        let (ranker, blend, _) = window_policy(app, view, &snapshot, morning)?;
        let policy = ScoringPolicy { ranker: ranker.as_deref(), blend: &blend };
        for place in places {
            let decision = &decisions[place];
            let Some(&user) = agreed.get(&decision.user) else { continue };
            let pool: FxHashMap<u32, usize> =
                (0..).zip(&decision.pool).filter_map(|(at, id)| Some((*view.item_index.get(id)?, at))).collect();
            let allow = |number: u32| pool.contains_key(&number);
            let request = RankRequest { allow: Some(&allow), ..RankRequest::new(1) };
            let list = policy
                .list(&snapshot, Recipient::User(user), decision.at, &request)
                .map_err(|error| Problem::new(Code::Internal, error.to_string()))?;
            chosen[place] = list.first().and_then(|first| pool.get(&first.item).copied());
        }
    }
    Ok(chosen)
}

/// The estimates, or why they are refused; without the name of the version.
fn estimated(decided: &[(&Decision, usize)]) -> Counterfactual {
    let rewards = ItemRewards::of(decided);
    let logged: Vec<Logged> = decided
        .iter()
        .map(|(decision, choice)| Logged {
            reward: decision.reward,
            // The log keeps 32 bits of it; the pool's size is exact.
            logging: 1.0 / decision.pool.len() as f64,
            target: f64::from(u8::from(decision.drawn == *choice)),
            predicted: rewards.without(decision, decision.drawn),
            value: rewards.without(decision, *choice),
        })
        .collect();
    let mut answer = Counterfactual {
        model: String::new(),
        decisions: decided.len() as u64,
        logged_reward: mercer_reports::mean(&logged.iter().map(|one| one.reward).collect::<Vec<_>>()).ok(),
        ips: None,
        snips: None,
        low: None,
        high: None,
        doubly_robust: None,
        effective: None,
        mean_weight: None,
        refused: None,
    };
    let found = match estimate(&logged, CLIP) {
        Ok(found) => found,
        Err(why) => return Counterfactual { refused: Some(refusal(why)), ..answer },
    };
    (answer.effective, answer.mean_weight) = (Some(found.effective), Some(found.mean_weight));
    match found.trusted() {
        Err(why) => Counterfactual { refused: Some(refusal(why)), ..answer },
        Ok(found) => {
            (answer.ips, answer.snips, answer.doubly_robust) =
                (Some(found.ips), Some(found.snips), Some(found.doubly_robust));
            (answer.low, answer.high) =
                interval(decided, &logged).map_or((None, None), |(low, high)| (Some(low), Some(high)));
            answer
        }
    }
}

fn refusal(why: Undefined) -> String {
    match why {
        Undefined::NoObservations => {
            "no explored places are logged: switch exploration on (`serve.explore_slots`) and let shoppers be served (previews, as of the \
             command line, do not count)"
                .to_owned()
        }
        Undefined::TooFew => "the effective number of decisions is below 100".to_owned(),
        Undefined::NoSupport => {
            "the mean weight is more than 0.1 from 1: the propensities do not fit the log".to_owned()
        }
        Undefined::ZeroDenominator => "no explored place holds an item that the version would put there".to_owned(),
        other => other.to_string(),
    }
}

/// Interval of the self-normalised estimate by bootstrap over users.
fn interval(decided: &[(&Decision, usize)], logged: &[Logged]) -> Option<(f64, f64)> {
    let mut users: BTreeMap<Pseudonym, [f64; 2]> = BTreeMap::new();
    for ((decision, _), one) in decided.iter().zip(logged) {
        let sums = users.entry(decision.user).or_default();
        let weight = one.target / one.logging;
        sums[0] += weight * one.reward;
        sums[1] += weight;
    }
    let sums: Vec<[f64; 2]> = users.into_values().collect();
    let sample = bootstrap_statistic(sums.len(), REPLICATES, SEED, |weights| {
        let total = |part: usize| sums.iter().zip(weights).map(|(sum, w)| sum[part] * f64::from(*w)).sum::<f64>();
        let mass = total(1);
        if mass > 0.0 { Ok(total(0) / mass) } else { Err(Undefined::ZeroDenominator) }
    });
    percentile_interval(&sample, 0.95).ok().map(|interval| (interval.low, interval.high))
}

/// Rewards of drawn items, for predictions that never see the decision they are used for.
struct ItemRewards<'a> {
    by_item: FxHashMap<&'a ItemId, (f64, f64)>,
    sum: f64,
    count: f64,
}

impl<'a> ItemRewards<'a> {
    fn of(decided: &[(&'a Decision, usize)]) -> Self {
        let mut by_item: FxHashMap<&ItemId, (f64, f64)> = FxHashMap::default();
        let mut sum = 0.0;
        for (decision, _) in decided {
            let entry = by_item.entry(&decision.pool[decision.drawn]).or_default();
            entry.0 += decision.reward;
            entry.1 += 1.0;
            sum += decision.reward;
        }
        Self { by_item, sum, count: decided.len() as f64 }
    }

    /// Predicted reward of an item of a decision's pool, from the other decisions.
    fn without(&self, decision: &Decision, place: usize) -> f64 {
        let (mut sum, mut count) = self.by_item.get(&decision.pool[place]).copied().unwrap_or_default();
        if place == decision.drawn {
            (sum, count) = (sum - decision.reward, count - 1.0);
        }
        let others = (self.count - 1.0).max(1.0);
        let mean = (self.sum - decision.reward) / others;
        (sum + PRIOR * mean) / (count + PRIOR)
    }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    /// Decisions over a pool of five whose items earn with probabilities .05 to .45.
    fn simulated(count: usize, seed: u64) -> Vec<Decision> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let pool: Vec<ItemId> = (0..5).map(|n| format!("i{n}").parse().unwrap()).collect();
        (0..count)
            .map(|n| {
                let drawn = rng.random_range(0..5);
                let earned = rng.random_bool(0.05 + 0.1 * drawn as f64);
                Decision {
                    user: Pseudonym([(n % 200) as u8; 32]),
                    at: n as i64,
                    pool: pool.clone(),
                    drawn,
                    reward: f64::from(u8::from(earned)),
                }
            })
            .collect()
    }

    #[test]
    fn the_reward_of_another_order_is_found() {
        let decisions = simulated(6_000, 11);
        for choice in [0, 4] {
            let decided: Vec<_> = decisions.iter().map(|decision| (decision, choice)).collect();
            let found = estimated(&decided);
            let truth = 0.05 + 0.1 * choice as f64;
            assert_eq!(found.refused, None);
            // About 1,200 matches: four standard errors are below .06.
            for value in [found.ips, found.snips, found.doubly_robust] {
                assert!((value.unwrap() - truth).abs() < 0.06, "{value:?} is not {truth}");
            }
            assert!(found.low.unwrap() <= found.snips.unwrap() && found.snips.unwrap() <= found.high.unwrap());
        }
    }

    #[test]
    fn what_cannot_be_estimated_is_refused() {
        assert!(estimated(&[]).refused.unwrap().contains("serve.explore_slots"));
        let few = simulated(100, 3);
        let decided: Vec<_> = few.iter().map(|decision| (decision, 0)).collect();
        let found = estimated(&decided);
        assert!(found.refused.is_some() && found.snips.is_none() && found.effective.is_some());
        // A log whose propensities are wrong: everything was drawn from the first two places.
        let wrong: Vec<Decision> =
            simulated(6_000, 3).into_iter().map(|d| Decision { drawn: d.drawn % 2, ..d }).collect();
        let decided: Vec<_> = wrong.iter().map(|decision| (decision, 0)).collect();
        assert!(estimated(&decided).refused.unwrap().contains("propensities"));
    }

    #[test]
    fn a_prediction_does_not_see_its_own_decision() {
        let decisions = simulated(50, 9);
        let decided: Vec<_> = decisions.iter().map(|decision| (decision, 0)).collect();
        let rewards = ItemRewards::of(&decided);
        let flipped: Vec<Decision> = decisions
            .iter()
            .enumerate()
            .map(|(n, d)| if n == 7 { Decision { reward: 1.0 - d.reward, ..d.clone() } } else { d.clone() })
            .collect();
        let other: Vec<_> = flipped.iter().map(|decision| (decision, 0)).collect();
        let changed = ItemRewards::of(&other);
        let before = rewards.without(&decisions[7], decisions[7].drawn);
        assert!((changed.without(&flipped[7], flipped[7].drawn) - before).abs() < 1e-12);
    }
}
