//! The arms of an evaluation, in one table: Mercer as it serves, and the baselines.

use std::time::Instant;

use mercer_rank::evaluate::{GroundTruth, ground_truth};
use mercer_rank::{
    BASELINES, Baseline, BaselineBlend, BaselineOptions, Candidates, CollaborativeIndex, Dataset, FittedBaseline,
    IndexOptions, Mode,
};
use mercer_shared::wire::RunPhase;

use crate::evaluation::bench::{Bench, rank_problem};
use crate::evaluation::contestant::{Contestant, MODES};
use crate::evaluation::{mercer, sequence};
use crate::runs::context::{RunContext, RunExit};

/// Most shoppers that settings are tried on; beyond it they are thinned evenly.
pub(crate) const TUNED_ON: usize = 1_500;
/// A row of the table.
pub(crate) enum Row {
    /// The serving configuration.
    Serving,
    /// A single method, tuned.
    Single(Baseline),
    /// The sequence model alone.
    Sequence,
    /// The weighted sum of up to three single methods.
    Blend,
}

/// Who competes, in the order of the report. A further arm is a further row.
pub(crate) const TABLE: [Row; 8] = [
    Row::Serving,
    Row::Single(BASELINES[0]),
    Row::Single(BASELINES[1]),
    Row::Single(BASELINES[2]),
    Row::Single(BASELINES[3]),
    Row::Single(BASELINES[4]),
    Row::Sequence,
    Row::Blend,
];

/// A setting with its mean NDCG on the window before the cut-off; nothing where there was no such window.
#[derive(Clone)]
pub(crate) struct Choice {
    options: BaselineOptions,
    ndcg: Option<f64>,
    /// The arm fitted up to that window, for choosing the weights of the sum.
    fitted: Option<FittedBaseline>,
}

/// A single method, tuned for each mode and fitted up to the cut-off.
pub(crate) struct Tuned {
    tried: usize,
    choices: [Choice; 2],
    fitted: [FittedBaseline; 2],
}

pub(crate) const fn place(mode: Mode) -> usize {
    matches!(mode, Mode::Novel) as usize
}

/// The window before the cut-off: its beginning, and its truth by mode.
pub(crate) struct Validation {
    from: i64,
    truths: [Vec<GroundTruth>; 2],
}

impl Validation {
    fn of(bench: &Bench<'_>, from: i64) -> Self {
        let index = CollaborativeIndex::fit(
            Dataset { log: &bench.log, catalogue: &bench.view.rank.catalogue },
            from,
            &IndexOptions::counts(),
        );
        let truths = MODES.map(|(mode, _)| {
            let all = ground_truth(&bench.log, &index, bench.cutoff, mode, Candidates::Warm);
            let step = all.len().div_ceil(TUNED_ON).max(1);
            all.into_iter().step_by(step).collect()
        });
        Self { from, truths }
    }
}

/// Makes every arm of the table.
pub(crate) fn all(
    bench: &Bench<'_>,
    context: &RunContext<'_>,
    notes: &mut Vec<String>,
) -> Result<Vec<Contestant>, RunExit> {
    let settings: usize = BASELINES.iter().map(|arm| arm.grid(bench.window_days).len()).sum();
    context.phase(RunPhase::Memory, settings as u64);
    let validation = bench.tuned_from.map(|from| Validation::of(bench, from));
    let mut singles: Vec<(Baseline, Tuned)> = Vec::new();
    let mut out = Vec::new();
    for row in TABLE {
        context.check()?;
        let begun = Instant::now();
        let mut made = match row {
            Row::Serving => mercer::contestant(bench, context, notes)?,
            Row::Single(arm) => {
                let tuned = tune(bench, arm, validation.as_ref(), context)?;
                if let Some((model, bought)) = tuned.fitted[0].covers().filter(|(model, bought)| model < bought) {
                    notes.push(format!("{} knows the {model} most bought of {bought} items", arm.name()));
                }
                let contestant = single(bench, arm, &tuned);
                singles.push((arm, tuned));
                contestant
            }
            Row::Sequence => sequence::contestant(bench, context)?,
            Row::Blend => blend(bench, &singles, validation.as_ref()),
        };
        made.seconds = begun.elapsed().as_secs_f64();
        context.note(format!("{}: {}", made.name, said(&made)));
        out.push(made);
    }
    Ok(out)
}

pub(crate) fn said(made: &Contestant) -> String {
    let each: Vec<String> = made
        .settings
        .iter()
        .map(|(mode, setting)| match made.tuned.get(mode) {
            Some(ndcg) => format!("{mode}: {setting} ({ndcg:.4} before the cut-off)"),
            None => format!("{mode}: {setting}"),
        })
        .collect();
    each.join("; ")
}

/// Tries the arm's grid on the window before the cut-off and fits the best setting of each mode up to the cut-off.
pub(crate) fn tune(
    bench: &Bench<'_>,
    arm: Baseline,
    validation: Option<&Validation>,
    context: &RunContext<'_>,
) -> Result<Tuned, RunExit> {
    let catalogue = &bench.view.rank.catalogue;
    let grid = arm.grid(bench.window_days);
    let middle = Choice { options: grid[grid.len() / 2].clone(), ndcg: None, fitted: None };
    let mut choices = [middle.clone(), middle];
    if let Some(window) = validation {
        for options in &grid {
            context.check()?;
            let fitted = FittedBaseline::fit(arm, options, Dataset { log: &bench.log, catalogue }, window.from);
            for ((mode, _), truth) in MODES.iter().zip(&window.truths) {
                let ndcg = fitted.mean_ndcg(truth, *mode, bench.k).map_err(|e| rank_problem(&e))?;
                let choice = &mut choices[place(*mode)];
                if choice.ndcg.is_none_or(|best| ndcg > best) {
                    *choice = Choice { options: options.clone(), ndcg: Some(ndcg), fitted: Some(fitted.clone()) };
                }
            }
            context.update(|run| run.step += 1);
        }
    }
    context.check()?;
    let repeat = FittedBaseline::fit(arm, &choices[0].options, Dataset { log: &bench.log, catalogue }, bench.cutoff);
    let new = if choices[1].options == choices[0].options {
        repeat.clone()
    } else {
        FittedBaseline::fit(arm, &choices[1].options, Dataset { log: &bench.log, catalogue }, bench.cutoff)
    };
    Ok(Tuned { tried: grid.len(), choices, fitted: [repeat, new] })
}

pub(crate) fn single(bench: &Bench<'_>, arm: Baseline, tuned: &Tuned) -> Contestant {
    let (fitted, cutoff) = (tuned.fitted.clone(), bench.cutoff);
    let by_mode = |mode: Mode| &tuned.choices[place(mode)];
    Contestant {
        name: arm.name().to_owned(),
        settings: MODES.iter().map(|(mode, word)| ((*word).to_owned(), by_mode(*mode).options.label.clone())).collect(),
        tuned: MODES.iter().filter_map(|(mode, word)| Some(((*word).to_owned(), by_mode(*mode).ndcg?))).collect(),
        tried: tuned.tried,
        seconds: 0.0,
        list: Box::new(move |whom, request| fitted[place(request.mode)].recommend(whom, cutoff, request)),
    }
}

/// The weighted sum of up to three arms that was best on the window before the cut-off; without such a window, own
/// repeats and popularity.
pub(crate) fn blend(bench: &Bench<'_>, singles: &[(Baseline, Tuned)], validation: Option<&Validation>) -> Contestant {
    let chosen = MODES.map(|(mode, _)| {
        let fitted: Vec<FittedBaseline> =
            singles.iter().filter_map(|(_, tuned)| tuned.choices[place(mode)].fitted.clone()).collect();
        match validation {
            Some(window) => BaselineBlend::choose(&fitted, &window.truths[place(mode)], mode, bench.k),
            None => BaselineBlend {
                parts: vec![(Baseline::OwnRepeats, 1.0), (Baseline::Popularity, 0.3)],
                mean_ndcg: f64::NAN,
            },
        }
    });
    let words = |blended: &BaselineBlend| {
        blended.parts.iter().map(|(arm, weight)| format!("{weight} {}", arm.name())).collect::<Vec<_>>().join(" + ")
    };
    let by_mode = || MODES.iter().zip(&chosen).map(|((_, word), blended)| ((*word).to_owned(), blended));
    let settings = by_mode().map(|(word, blended)| (word, words(blended))).collect();
    let tuned =
        by_mode().filter(|x| x.1.mean_ndcg.is_finite()).map(|(word, blended)| (word, blended.mean_ndcg)).collect();
    let fitted: [Vec<FittedBaseline>; 2] =
        [0, 1].map(|n| singles.iter().map(|(_, tuned)| tuned.fitted[n].clone()).collect());
    let cutoff = bench.cutoff;
    Contestant {
        name: "blend of three".to_owned(),
        settings,
        tuned,
        tried: 0,
        seconds: 0.0,
        list: Box::new(move |whom, request| {
            let n = place(request.mode);
            chosen[n].recommend(&fitted[n], whom, cutoff, request)
        }),
    }
}
