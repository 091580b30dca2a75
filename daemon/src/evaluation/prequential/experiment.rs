//! The prequential experiment of METRICS.md section 7: for each window it first makes the lists, then learns from it.
//! It separates the effect of fine-tuning the encoder from the effects of fresh data and of chance. Encoders are
//! compared by the lists of the content source alone. All arms share candidates, histories and index, except the one
//! that measures staleness.

use std::collections::BTreeMap;
use std::sync::Arc;

use mercer_learn::cross_encoder::examples::TimeWindow;
use mercer_rank::{CollaborativeIndex, DAY_MS, Dataset, IndexOptions, Log};
use mercer_shared::problem::{Code, Problem};
use mercer_shared::time::Timestamp;
use mercer_shared::wire::{Replay, ReplayArm, ReplayRequest, ReplayWindow, RunCause, RunPhase};
use mercer_store::DocKind;

use crate::reports::window_lists::mean;
use crate::runs::context::{RunContext, RunExit};
use crate::runs::lifecycle::Enqueue;
use crate::runs::plan::{Job, Plan};
use crate::state::app::App;
use crate::state::problems::Answer;
use crate::state::problems::store_problem;

use crate::evaluation::prequential::arms::{ARMS, WINDOWS};
use crate::evaluation::prequential::encoders::{self, Chain, Steps, Tuner};
use crate::evaluation::prequential::lists::{self, MODES, Seen, Window};
use crate::evaluation::prequential::words;
use crate::versions::encoders::ActiveEncoder;

/// Steps per window unless something else is asked for.
const STEPS: u32 = 40;

/// Beginning of the first window, and the length of one.
fn borders(log: &Log, last: i64, windows: u32) -> Answer<(i64, i64)> {
    let shape = log.summary(last);
    // The windows and as much warm-up as two of them must fit; they are shortened for it, to a day at the least.
    let fits = (shape.span_days() / f64::from(windows + 2)).floor() as i64;
    let days = shape.window_days().min(fits);
    if log.is_empty() || days < 1 {
        let detail = format!("{windows} windows and a warm-up do not fit into the log");
        return Err(Problem::new(Code::NotEnoughData, detail));
    }
    let width = days * DAY_MS;
    Ok((last - i64::from(windows) * width, width))
}

/// Starts an experiment; it runs where training runs, one at a time.
///
/// # Errors
/// `training-runs`, `not-enough-data`, `bad-parameter`, `read-only`.
pub(crate) fn prepare(app: &App, request: &ReplayRequest) -> Answer<Enqueue> {
    app.writable()?;
    for (name, value, range) in [
        ("windows", request.windows, 2..=52),
        ("steps", request.steps, 1..=10_000),
        ("warm_steps", request.warm_steps, 1..=100_000),
        ("seeds", request.seeds, 1..=20),
    ] {
        if value.is_some_and(|value| !range.contains(&value)) {
            let detail = format!("{name} takes {} to {}", range.start(), range.end());
            return Err(Problem::new(Code::BadParameter, detail));
        }
    }
    let view = app.view();
    let (first, width) = borders(&view.training_log(), view.last_event, request.windows.unwrap_or(WINDOWS))?;
    let plan = Plan {
        cursor: view.last_seq,
        cutoff: first,
        to: first + width,
        job: Job::Replay(request.clone()),
        ..Plan::default()
    };
    let seed = request.seed.unwrap_or(app.config.train.seed);
    Ok(Enqueue { plan, seed, cursor: None, cause: RunCause::Operator })
}

/// Name of the document of an experiment.
fn document(id: &str) -> String {
    format!("replay-{id}")
}

/// One experiment with its numbers.
///
/// # Errors
/// `not-found`.
pub fn show(app: &App, id: &str) -> Answer<Replay> {
    let found = app.store.get_doc(DocKind::Report, &document(id)).map_err(|e| store_problem(&e))?;
    found.ok_or_else(|| Problem::new(Code::NotFound, format!("there is no replay `{id}`")))
}

/// The whole experiment.
pub(crate) fn run(app: &App, plan: &Plan, request: &ReplayRequest, context: &RunContext<'_>) -> Result<(), RunExit> {
    let Some(run) = crate::state::run_documents::current(app) else { return Ok(()) };
    let view = app.view();
    let log = view.training_log();
    let (windows, steps) = (request.windows.unwrap_or(WINDOWS), request.steps.unwrap_or(STEPS));
    let warm_steps = request.warm_steps.unwrap_or(4 * steps);
    let seeds: Vec<u64> = (0..u64::from(request.seeds.unwrap_or(1))).map(|n| run.seed.wrapping_add(n)).collect();
    let width = plan.to - plan.cutoff;
    let starts: Vec<i64> = (0..i64::from(windows)).map(|n| plan.cutoff + n * width).collect();
    let ActiveEncoder { name, sha256 } = crate::versions::encoders::active_encoder(&app.store)?;
    let base = crate::versions::encoders::base(&app.config.state, &name, &sha256)?;
    context.note(format!(
        "{windows} windows of {} days from {}; {steps} steps per window, {warm_steps} in the warm-up and in each retraining",
        width / DAY_MS,
        Timestamp::at(plan.cutoff)
    ));
    // Per seed: the warm-up; per window F2, P1 and F4, but after the last window nothing is learned.
    context.phase(RunPhase::Encoder, seeds.len() as u64 * (1 + 3 * (u64::from(windows) - 1)));
    let indexes: Vec<Arc<CollaborativeIndex>> = starts
        .iter()
        .map(|at| {
            context.check()?;
            Ok(Arc::new(CollaborativeIndex::fit(
                Dataset { log: &log, catalogue: &view.rank.catalogue },
                *at,
                &IndexOptions::light(),
            )))
        })
        .collect::<Result<_, RunExit>>()?;
    let stage = lists::Stage::new(&view, &log, width, &indexes);
    let tuner = Tuner { app, view: &view, base: &base, cursor: plan.cursor };
    let f0 = tuner.base_vectors(context)?;
    let mut seen = Seen::new(&stage, seeds.len());
    let steady = stage.windows().iter().map(|window| steady(window, &f0)).collect::<Result<Vec<_>, RunExit>>()?;
    let mut retention: BTreeMap<(&str, &str), Vec<f64>> = BTreeMap::new();
    for seed in &seeds {
        let mut chain = Chain::begin(&tuner, starts[0], warm_steps, *seed, context)?;
        let firsts = chain.vectors();
        for (place, window) in stage.windows().iter().enumerate() {
            context.check()?;
            evaluate(&stage, window, place, &steady[place], &chain, &mut seen)?;
            if place + 1 < starts.len() {
                let passed = TimeWindow { after_ms: starts[place], until_ms: starts[place + 1] };
                chain.learn(&tuner, passed, Steps { on: steps, anew: warm_steps }, *seed, context)?;
            }
        }
        let lasts = chain.vectors();
        for ((arm, first), (_, last)) in firsts.into_iter().zip(lasts) {
            for (mode, (_, word)) in MODES.iter().enumerate() {
                let window = &stage.windows()[0];
                let difference = mean(&window.content(&last, mode)?) - mean(&window.content(&first, mode)?);
                retention.entry((arm, *word)).or_default().push(difference);
            }
        }
    }
    context.phase(RunPhase::Gate, 0);
    let differences = words::differences(&seen, run.seed)?;
    let verdict = words::verdict(&differences, windows, seeds.len());
    let replay = Replay {
        id: plan.run.clone(),
        created: Timestamp::now(),
        code_version: crate::code_version(),
        window_days: (width / DAY_MS) as u64,
        steps,
        warm_steps,
        arms: ARMS
            .iter()
            .map(|(name, what)| ReplayArm {
                name: (*name).to_owned(),
                what: (*what).to_owned(),
                steps: encoders::steps_of(name, windows, steps, warm_steps),
                ndcg: MODES.iter().enumerate().map(|(m, (_, mode))| ((*mode).to_owned(), seen.mean(name, m))).collect(),
                retention: MODES
                    .iter()
                    .filter_map(|(_, mode)| Some(((*mode).to_owned(), mean(retention.get(&(*name, *mode))?))))
                    .collect(),
            })
            .collect(),
        windows: stage
            .windows()
            .iter()
            .enumerate()
            .map(|(place, window)| ReplayWindow {
                from: Timestamp::at(window.at),
                to: Timestamp::at(window.at + width),
                shoppers: MODES
                    .iter()
                    .zip(&window.truth)
                    .map(|((_, mode), truth)| ((*mode).to_owned(), truth.len() as u64))
                    .collect(),
                ndcg: MODES
                    .iter()
                    .enumerate()
                    .map(|(m, (_, mode))| {
                        let by_arm = ARMS.iter().map(|(arm, _)| ((*arm).to_owned(), seen.mean_of(arm, m, place)));
                        ((*mode).to_owned(), by_arm.collect())
                    })
                    .collect(),
            })
            .collect(),
        differences,
        notes: words::notes(seeds.len(), windows),
        verdict,
        seeds,
    };
    app.store.put_doc(DocKind::Report, &document(&plan.run), &replay).map_err(|e| store_problem(&e))?;
    replay.verdict.iter().for_each(|line| context.note(line.clone()));
    Ok(())
}

/// Arms that no seed changes, with a value a shopper, by mode.
type Steady = Vec<[(&'static str, Vec<f64>); 3]>;

/// Lists of the arms at a window that do not learn, evaluated.
fn steady(window: &Window<'_>, f0: &mercer_rank::Vectors) -> Result<Steady, RunExit> {
    let of = |mode| {
        Ok([
            ("F0", window.content(f0, mode)?),
            ("B1", window.blend(&mercer_rank::BlendWeights::popularity(), mode)?),
            ("B2", window.blend(&mercer_rank::BlendWeights::item_knn(), mode)?),
        ])
    };
    (0..MODES.len()).map(of).collect()
}

/// Lists of every arm at a window, evaluated.
fn evaluate(
    stage: &lists::Stage<'_>,
    window: &Window<'_>,
    place: usize,
    steady: &Steady,
    chain: &Chain,
    seen: &mut Seen,
) -> Result<(), RunExit> {
    for (mode, steady) in steady.iter().enumerate() {
        let mut note = |arm: &str, values: &[f64]| seen.add(arm, mode, place, values);
        steady.iter().for_each(|(arm, values)| note(arm, values));
        for (arm, vectors) in chain.vectors() {
            note(arm, &window.content(&vectors, mode)?);
        }
        note("S1", &stage.stale(window, chain.warm(), mode)?);
    }
    Ok(())
}
