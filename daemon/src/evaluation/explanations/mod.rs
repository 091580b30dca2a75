//! Whether reasons are true (METRICS.md section 6): makes and explains lists of a sample of shoppers, then takes the named events out of a copy
//! of the log and asks for the lists again.

mod deletion;
mod replay;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use mercer_rank::{Recipient, Snapshot, stable_key};
use mercer_reports::fidelity::{AgainstRandom, Counterfactual, stability};
use mercer_reports::proportions::wilson;
use mercer_reports::resample::bootstrap_mean;
use mercer_shared::problem::{Code, Problem};
use mercer_shared::time::Timestamp;
use mercer_shared::wire::{
    CategoryCount, CheckedShare, DeletionCurve, ExplanationFidelity, FidelityRequest, ListItem, ListQuery, Reason,
    ReasonCategory,
};

use crate::evaluation::explanations::replay::{Claim, Refit, Replay};
use crate::serving::explain::{Explained, explain};
use crate::serving::list_query::{ListRequest, row};
use crate::serving::scorer::{Scorer, rank_problem};
use crate::serving::snapshot;
use crate::state::app::App;
use crate::state::problems::Answer;
use crate::state::shop::ShopState;

/// Level of all intervals.
const LEVEL: f64 = 0.95;
/// Share of the stated ranks that must come true.
const REQUIRED: f64 = 0.95;
/// Replicates of the interval of the deletion curve.
const REPLICATES: usize = 1_000;

/// A request within its limits.
struct Plan {
    lists: usize,
    k: u32,
    seed: u64,
    refits: usize,
    limit: Duration,
}

impl Plan {
    fn of(request: &FidelityRequest) -> Answer<Self> {
        let within = |name: &str, value: Option<u32>, default: u32, limits: std::ops::RangeInclusive<u32>| {
            let value = value.unwrap_or(default);
            if limits.contains(&value) {
                return Ok(value);
            }
            let (low, high) = limits.into_inner();
            Err(Problem::new(Code::BadParameter, format!("{name} is {value}, it takes {low} to {high}")))
        };
        Ok(Self {
            lists: within("lists", request.lists, 100, 1..=2_000)? as usize,
            k: within("k", request.k, 10, 1..=100)?,
            seed: request.seed.unwrap_or(0),
            refits: within("refits", request.refits, 20, 0..=1_000)? as usize,
            limit: Duration::from_secs(within("limit_seconds", request.limit_seconds, 300, 1..=3_600)?.into()),
        })
    }
}

/// What was found of one list.
struct Checked {
    /// Two searches for the reasons of the same rows.
    rows: [Vec<ListItem>; 2],
    complete: bool,
    claims: Vec<Claim>,
    deletion: Option<AgainstRandom>,
}

/// Checks the reasons of a sample of lists of now.
///
/// # Errors
/// `bad-parameter`, `unavailable` after a start, and those of lists.
pub fn fidelity(app: &App, request: &FidelityRequest) -> Answer<ExplanationFidelity> {
    let plan = Plan::of(request)?;
    app.warm()?;
    let started = Instant::now();
    let view = app.view();
    let query = ListQuery { k: Some(plan.k), reasons: Some(true), ..ListQuery::default() };
    let asked = ListRequest::read(app, &view, &query)?;
    let snapshot = snapshot::snapshot(app, &view, asked.at, false);
    let scorer = Scorer::new(&view, &snapshot, asked.at);
    let sample = Sample { view: &view, snapshot: &snapshot, scorer: &scorer, asked: &asked };
    let limit = Duration::from_millis(app.config.serve.explain_ms);
    let mut lists = Vec::new();
    for user in sample.users(&plan) {
        if started.elapsed() >= plan.limit || app.is_stopping() {
            break;
        }
        lists.push(sample.check(user, limit, plan.seed)?);
    }
    let claims: Vec<&Claim> = lists.iter().flat_map(|list| &list.claims).collect();
    let falls = sample.refitted(&claims, &plan, started)?;
    let mut found = summary(&lists, plan.seed);
    found.model.clone_from(&view.model.meta.version);
    found.at = Timestamp::at(asked.at);
    found.asked = plan.lists as u64;
    found.falls_after_refit = falls;
    found.seconds = started.elapsed().as_secs_f64();
    Ok(found)
}

/// What all lists of a check share.
#[derive(Clone, Copy)]
struct Sample<'a> {
    view: &'a ShopState,
    snapshot: &'a Snapshot,
    scorer: &'a Scorer,
    asked: &'a ListRequest,
}

impl<'a> Sample<'a> {
    /// Shoppers with a history who agreed to lists and explanations, in an order that the seed decides.
    fn users(&self, plan: &Plan) -> Vec<u32> {
        let agreed = |n: &u32| {
            self.view.subject(*n).is_some_and(|subject| subject.consent.personalise && subject.consent.explanations)
        };
        let mut users: Vec<(u64, u32)> = (0..self.view.subjects.len() as u32)
            .filter(agreed)
            .filter(|n| !self.snapshot.log.until(*n, self.asked.at).is_empty())
            .filter_map(|n| Some((stable_key(&format!("{} {}", plan.seed, self.view.user_id(n)?)), n)))
            .collect();
        users.sort_unstable();
        users.truncate(plan.lists);
        users.into_iter().map(|(_, user)| user).collect()
    }

    fn replay(&self, user: u32) -> Replay<'a> {
        let Self { view, snapshot, scorer, asked } = *self;
        Replay { view, snapshot, scorer, asked, user }
    }

    fn check(&self, user: u32, limit: Duration, seed: u64) -> Answer<Checked> {
        let Self { view, snapshot, scorer, asked } = *self;
        let whom = Recipient::User(user);
        let list = asked.list(view, asked.k, |allow| {
            scorer.list(snapshot, whom, asked.at, &asked.request(Some(allow))).map_err(rank_problem)
        })?;
        let mut rows: Vec<ListItem> = list.iter().filter_map(|ranked| row(view, ranked)).collect();
        let mut again = rows.clone();
        let explained = Explained { view, snapshot, scorer, asked, whom, made: &list, limit };
        let scope = explain(explained, &mut rows)?;
        explain(explained, &mut again)?;
        let replay = self.replay(user);
        let claims = rows
            .iter()
            .flat_map(|row| row.reasons.iter().map(move |reason| (row, reason)))
            .filter_map(|(row, reason)| Claim::of(view, user, row, reason))
            .map(|claim| replay.check(claim))
            .collect::<Answer<Vec<Claim>>>()?;
        let deletion = deletion::curve(&replay, &rows, seed)?;
        Ok(Checked { rows: [rows, again], complete: scope.complete, claims, deletion })
    }

    /// Replays claims with the index fitted anew without the named events; evenly spread over the claims.
    fn refitted(&self, claims: &[&Claim], plan: &Plan, started: Instant) -> Answer<CheckedShare> {
        if plan.refits == 0 || claims.is_empty() {
            return Ok(CheckedShare::default());
        }
        let refit = Refit::new(self.view, self.snapshot, self.asked.at);
        let step = claims.len().div_ceil(plan.refits);
        let (mut falls, mut n) = (0, 0);
        for claim in claims.iter().step_by(step) {
            if started.elapsed() >= plan.limit {
                break;
            }
            falls += u64::from(refit.falls(&self.replay(claim.user), claim)?);
            n += 1;
        }
        Ok(share(falls, n))
    }
}

fn share(hits: u64, n: u64) -> CheckedShare {
    let interval = wilson(hits, n, LEVEL).ok();
    CheckedShare {
        share: (n > 0).then(|| hits as f64 / n as f64),
        low: interval.map(|interval| interval.0),
        high: interval.map(|interval| interval.1),
        n,
    }
}

fn summary(lists: &[Checked], seed: u64) -> ExplanationFidelity {
    let rows: Vec<&ListItem> = lists.iter().flat_map(|list| &list.rows[0]).collect();
    let explained = rows.iter().filter(|row| !row.reasons.is_empty()).count() as u64;
    let claims: Vec<Counterfactual> = lists.iter().flat_map(|list| &list.claims).map(Claim::counterfactual).collect();
    let true_ones = claims.iter().filter(|claim| claim.stated == claim.found).count() as u64;
    let validity = share(true_ones, claims.len() as u64);
    ExplanationFidelity {
        seed,
        lists: lists.len() as u64,
        rows: rows.len() as u64,
        explained: share(explained, rows.len() as u64),
        categories: categories(&rows),
        validity,
        deletion: deletion(lists, seed),
        stability: stable(lists),
        incomplete: lists.iter().filter(|list| !list.complete).count() as u64,
        valid: validity.share.map(|share| share >= REQUIRED),
        ..ExplanationFidelity::default()
    }
}

fn categories(rows: &[&ListItem]) -> Vec<CategoryCount> {
    let mut counts: BTreeMap<ReasonCategory, CategoryCount> = BTreeMap::new();
    for row in rows {
        for (place, reason) in row.reasons.iter().enumerate() {
            let category = reason.category;
            let count = counts.entry(category).or_insert(CategoryCount { category, strongest: 0, reasons: 0 });
            count.reasons += 1;
            count.strongest += u64::from(place == 0);
        }
    }
    counts.into_values().collect()
}

fn deletion(lists: &[Checked], seed: u64) -> Option<DeletionCurve> {
    let curves: Vec<AgainstRandom> = lists.iter().filter_map(|list| list.deletion).collect();
    if curves.is_empty() {
        return None;
    }
    let mean = |of: fn(&AgainstRandom) -> f64| curves.iter().map(of).sum::<f64>() / curves.len() as f64;
    let gains: Vec<f64> = curves.iter().map(|curve| curve.gain).collect();
    let interval = bootstrap_mean(&gains, LEVEL, REPLICATES, seed).ok().map(|(_, interval)| interval);
    Some(DeletionCurve {
        explained: mean(|curve| curve.explained),
        random: mean(|curve| curve.random),
        gain: mean(|curve| curve.gain),
        low: interval.map(|interval| interval.low),
        high: interval.map(|interval| interval.high),
        lists: curves.len() as u64,
    })
}

/// A number for the strongest reason of a row, equal for equal reasons.
fn strongest(row: &ListItem) -> Option<u32> {
    let Reason { category, item, query, together_with, .. } = row.reasons.first()?;
    Some(stable_key(&format!("{category:?} {item:?} {query:?} {together_with:?}")) as u32)
}

fn stable(lists: &[Checked]) -> Option<f64> {
    let run = |n: usize| lists.iter().flat_map(|list| list.rows[n].iter().map(strongest)).collect::<Vec<_>>();
    stability(&[run(0), run(1)]).ok()
}
