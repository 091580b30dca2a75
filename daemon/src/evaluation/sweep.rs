//! Sweeps: trains rankers with other settings than the current ones and evaluates them. Training ends one window before
//! the gate's window begins, and evaluation uses the window in between, so a sweep never reads the gate's window. It
//! promotes nothing.

use std::sync::Arc;
use std::time::Instant;

use mercer_rank::{
    CollaborativeIndex, DAY_MS, Dataset, MlpOptions, RankerTrainOptions, Snapshot, TreeOptions, train_ranker,
};
use mercer_reports::compare_paired;
use mercer_shared::problem::{Code, Problem};
use mercer_shared::time::Timestamp;
use mercer_shared::wire::{DataSnapshot, MetricValue, RunCause, RunKind, RunPhase, RunState, Setting, SweepRequest};

use crate::gate::evaluate::{self, Evaluated};
use crate::gate::policy::FittedPolicy;
use crate::reports::window_lists::Limits;
use crate::reports::window_lists::window;
use crate::runs::budget::BudgetTier;
use crate::runs::context::{RunContext, RunExit, failed};
use crate::runs::lifecycle::{Enqueue, NewRun, draft};
use crate::runs::plan::{Job, Plan};
use crate::runs::record;
use crate::state::app::App;
use crate::state::problems::Answer;
use crate::state::run_documents::save;

/// Seconds after which no further point is started, unless the request says otherwise.
const BUDGET: u64 = 600;
/// Points of a grid at most.
const MOST_POINTS: usize = 200;
/// Replicates of every interval.
const REPLICATES: usize = 2_000;

/// A point of the grid: what it changes.
type Point = Vec<(String, Setting)>;

/// The settings as they are, then every combination.
fn grid(request: &SweepRequest) -> Answer<Vec<Point>> {
    let bad = |detail: String| Problem::new(Code::BadParameter, detail);
    let mut points: Vec<Point> = vec![Vec::new()];
    for (name, values) in &request.set {
        if values.is_empty() {
            return Err(bad(format!("`{name}` has no value to try")));
        }
        for value in values {
            record::set(&mut RankerTrainOptions::default(), name, value).map_err(bad)?;
        }
        let with = |point: &Point, value: &Setting| [point.as_slice(), &[(name.clone(), value.clone())]].concat();
        points = points.iter().flat_map(|point| values.iter().map(move |value| with(point, value))).collect();
        if points.len() > MOST_POINTS {
            return Err(bad(format!("the grid has more than {MOST_POINTS} points")));
        }
    }
    if request.set.is_empty() {
        return Err(bad(format!("name a setting to change: {}", record::names().join(", "))));
    }
    points.insert(0, Vec::new());
    Ok(points)
}

/// Starts a sweep; it runs where training runs, one at a time.
///
/// # Errors
/// `training-runs` while something is in progress, `bad-parameter` for settings that do not exist or make no sense,
/// `not-enough-data`, `read-only`.
pub(crate) fn prepare(app: &App, request: &SweepRequest) -> Answer<Enqueue> {
    app.writable()?;
    grid(request)?;
    let view = app.view();
    let log = view.training_log();
    let few = || Problem::new(Code::NotEnoughData, "a sweep needs three windows of interactions");
    let (gate, last) = window(&log, view.last_event).ok_or_else(few)?;
    let cutoff = gate - (last - gate);
    if cutoff - log.summary(cutoff).first < DAY_MS {
        return Err(few());
    }
    let plan = Plan { cutoff, to: gate, job: Job::Sweep(request.clone()), ..Plan::default() };
    let seed = request.seed.unwrap_or(app.config.train.seed);
    Ok(Enqueue { plan, seed, cursor: None, cause: RunCause::Operator })
}

fn words(point: &Point) -> String {
    if point.is_empty() {
        return "the settings as they are".to_owned();
    }
    point.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
}

/// The training options of a point without own settings, with the seed of the run as in a cycle.
fn options_of(seed: u64) -> RankerTrainOptions {
    let usual = RankerTrainOptions::default();
    let trees = usual.trees.map(|trees| trees.map(|trees| TreeOptions { seed, ..trees }));
    RankerTrainOptions { mlp: MlpOptions { seed, ..usual.mlp }, trees, ..usual }
}

/// The whole sweep.
pub(crate) fn run(app: &App, plan: &Plan, request: &SweepRequest, context: &RunContext<'_>) -> Result<(), RunExit> {
    let Some(run) = crate::state::run_documents::current(app) else { return Ok(()) };
    let view = app.view();
    let log = view.training_log();
    let points = grid(request)?;
    let budget = request.budget_seconds.unwrap_or(BUDGET);
    let (begun, catalogue) = (Instant::now(), &view.rank.catalogue);
    context.update(|run| {
        let grid = request.set.iter().map(|(name, values)| {
            let values: Vec<String> = values.iter().map(ToString::to_string).collect();
            (name.clone(), Setting::Text(values.join(",")))
        });
        run.record.config.extend(grid);
        run.record.config.insert("budget_seconds".to_owned(), Setting::Number(budget as f64));
    });
    context.note(format!(
        "{} points; trained up to {}, judged on what came from then to {}, where the gate's window begins; no further point after {budget} s",
        points.len(),
        Timestamp::at(plan.cutoff),
        Timestamp::at(plan.to)
    ));
    context.phase(RunPhase::Evaluation, points.len() as u64);
    let mut base: Option<Evaluated> = None;
    for (number, point) in points.iter().enumerate() {
        context.check()?;
        if number > 0 && begun.elapsed().as_secs() >= budget {
            context.note(format!(
                "the budget is used up: {} of {} points were not reached",
                points.len() - number,
                points.len()
            ));
            let left: Vec<String> = points[number..].iter().map(words).collect();
            context.note(format!("not reached: {}", left.join("; ")));
            break;
        }
        let mut options = options_of(run.seed);
        for (name, value) in point {
            record::set(&mut options, name, value).map_err(|detail| Problem::new(Code::BadParameter, detail))?;
        }
        let mut document = {
            let new = NewRun { kind: RunKind::SweepPoint, seed: run.seed, cursor: None, cause: RunCause::Operator };
            draft(app, new)?
        };
        document.started = Some(Timestamp::now());
        let (ranker, report) =
            train_ranker(Dataset { log: &log, catalogue }, plan.cutoff, &options).map_err(|e| failed(&e))?;
        context.check()?;
        let index = Arc::new(CollaborativeIndex::fit(Dataset { log: &log, catalogue }, plan.cutoff, &options.index));
        let snapshot = Snapshot { log: log.clone(), catalogue: catalogue.clone(), index };
        let limits = Limits { users: BudgetTier::at(0).users, unwanted: &|| context.unwanted() };
        let policy = FittedPolicy { ranker: Some(&ranker), blend: None };
        let judged = evaluate::evaluate(&snapshot, plan.window(), policy, &limits);
        context.check()?;
        let judged = judged?;
        let noted = &mut document.record;
        noted.sweep = Some(plan.run.clone());
        record::settings(noted, &options);
        record::curves(noted, &report);
        noted.data = Some(DataSnapshot {
            interactions: log.summary(plan.cutoff).counts.iter().sum(),
            to: Some(Timestamp::at(plan.cutoff)),
            ..DataSnapshot::default()
        });
        noted.metrics = metrics(&judged, base.as_ref(), run.seed);
        document.log.push(words(point));
        (document.state, document.phase, document.ended) =
            (RunState::Succeeded, RunPhase::Done, Some(Timestamp::now()));
        document.loss = report.loss.iter().filter_map(|losses| losses.last()).next_back().copied();
        save(app, &document);
        let value = |slice: &str| {
            document
                .record
                .metrics
                .iter()
                .find(|m| m.slice == slice && m.name == "ndcg@10")
                .and_then(|m| m.value)
                .unwrap_or(0.0)
        };
        context.note(format!(
            "{}: repeat {:.4}, new {:.4}: {}",
            document.id,
            value("repeat"),
            value("new"),
            words(point)
        ));
        context.update(|run| run.step = number as u64 + 1);
        base.get_or_insert(judged);
    }
    Ok(())
}

/// NDCG@10 by head with intervals, and the paired difference to the current settings.
fn metrics(judged: &Evaluated, base: Option<&Evaluated>, seed: u64) -> Vec<MetricValue> {
    let mut out = Vec::new();
    for (slice, mine, theirs) in [
        ("repeat", &judged.all.ndcg, base.map(|base| &base.all.ndcg)),
        ("new", &judged.novel.ndcg, base.map(|base| &base.novel.ndcg)),
    ] {
        let row = |name: &str, value: Option<(f64, f64, f64)>| MetricValue {
            name: name.to_owned(),
            slice: slice.to_owned(),
            value: value.map(|x| x.0),
            low: value.map(|x| x.1),
            high: value.map(|x| x.2),
            n: mine.len() as u64,
        };
        let mean = mercer_reports::bootstrap_mean(mine, 0.95, REPLICATES, seed).ok();
        out.push(row("ndcg@10", mean.map(|(mean, interval)| (mean, interval.low, interval.high))));
        if let Some(theirs) = theirs {
            let some = |values: &[f64]| values.iter().copied().map(Some).collect::<Vec<_>>();
            let paired = compare_paired(&some(mine), &some(theirs), 0.025, REPLICATES, seed).ok();
            let shown = paired.map(|paired| (paired.difference, paired.interval.low, paired.interval.high));
            out.push(row("ndcg@10 against the settings as they are", shown));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grid_is_the_product_and_begins_with_what_is() {
        let set = [
            ("ranker.hidden".to_owned(), vec![Setting::Number(16.0), Setting::Number(32.0)]),
            ("ranker.dropout".to_owned(), vec![Setting::Flag(true), Setting::Flag(false)]),
        ];
        let request = SweepRequest { set: set.into(), ..SweepRequest::default() };
        let points = grid(&request).unwrap();
        assert_eq!(points.len(), 5);
        assert!(points[0].is_empty() && points[1..].iter().all(|point| point.len() == 2));
        assert_eq!(words(&points[1]), "ranker.dropout=yes ranker.hidden=16");
        let wrong = SweepRequest { set: [("ranker.hiden".to_owned(), vec![])].into(), ..SweepRequest::default() };
        assert_eq!(grid(&wrong).unwrap_err().code, Code::BadParameter);
        assert_eq!(grid(&SweepRequest::default()).unwrap_err().code, Code::BadParameter);
    }

    #[test]
    fn a_point_trains_with_the_seed_that_it_records() {
        assert_eq!(options_of(42).mlp.seed, 42);
        assert_eq!(options_of(7).mlp.seed, 7);
    }
}
