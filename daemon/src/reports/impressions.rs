//! AUC and GAUC of the quality report: whether what was shown and then clicked or bought has higher scores than what was only shown
//! (METRICS.md section 1). The scores are those of the version for the shopper at the beginning of the window, as for all other numbers.

use std::collections::BTreeMap;

use mercer_rank::{RankRequest, Recipient, ScoringPolicy};
use mercer_reports::auc_intervals::{Discrimination, gauc_by_user, pooled_auc};
use mercer_reports::classification::Labelled;
use mercer_reports::exposure_ratio::BootstrapOptions;
use mercer_shared::interaction::InteractionType;
use mercer_shared::wire::{Report, ReportRow, Verdict};
use rayon::prelude::*;
use rustc_hash::FxHashSet;

use crate::reports::evaluated::{Arm, Evaluated, problem};
use crate::reports::rows::{SEED, plain_row};
use crate::reports::window_lists::MAX_USERS;
use crate::state::problems::Answer;

const OPTIONS: BootstrapOptions = BootstrapOptions { level: 0.95, replicates: 500, seed: SEED };
/// Shoppers with impressions below which there is no verdict.
const TESTABLE: usize = 30;

/// The impressions of one user: items, and whether the user turned to each afterwards.
struct Shown {
    user: u32,
    items: BTreeMap<u32, bool>,
}

/// Scores and outcomes of the same impressions.
#[derive(Default)]
struct Scored {
    labels: Vec<bool>,
    scores: Vec<f64>,
}

/// The two rows; without impressions they say why there is no value.
///
/// # Errors
/// As [`ScoringPolicy::list`].
pub(crate) fn rows(evaluated: &Evaluated<'_>, report: &mut Report) -> Answer<()> {
    let shown = shown(evaluated);
    if shown.is_empty() {
        let why = "the window holds no showings (`impression`)";
        report.rows.extend(NAMES.map(|name| without(name, why)));
        return Ok(());
    }
    let (mine, popular) = (scored(evaluated, &shown, Arm::Version)?, scored(evaluated, &shown, Arm::Popularity)?);
    let all = |scored| -> Option<f64> { pooled_auc(&labelled(scored), OPTIONS).ok()?.value.value };
    let by_user = |scored| gauc_by_user(&labelled(scored), OPTIONS);
    let n = mine.len();
    report.rows.push(match pooled_auc(&labelled(&mine), OPTIONS) {
        Ok(found) => row(NAMES[0], &found, all(&popular), n),
        Err(reason) => without(NAMES[0], &reason.to_string()),
    });
    report.rows.push(match by_user(&mine) {
        Ok((found, skipped)) => {
            report.notes.push(format!(
                "gauc: {:.0} % of the shoppers with showings clicked and bought nothing or everything that they were shown, and are left out",
                100.0 * skipped
            ));
            row(NAMES[1], &found, by_user(&popular).ok().and_then(|(found, _)| found.value.value), n)
        }
        Err(reason) => without(NAMES[1], &reason.to_string()),
    });
    report.notes.push(
        "auc, gauc: what was shown was chosen by the lists of then and clicked by its position, so these numbers compare versions only as far \
         as both rank the same showings"
            .to_owned(),
    );
    Ok(())
}

/// Name, label and formula.
type Name = [&'static str; 3];

const NAMES: [Name; 2] = [
    [
        "auc",
        "auc over showings",
        "concordant pairs plus half the ties / (positives x negatives); first showings of the window, positive: clicked or bought after it; \
         scores as of the beginning of the window, pooled over shoppers; interval by bootstrap over shoppers",
    ],
    [
        "gauc",
        "auc within a shopper",
        "sum w AUC_u / sum w, w: showings of the shopper; shoppers of one class are left out; otherwise as auc; interval by bootstrap over \
         shoppers",
    ],
];

fn without([name, label, formula]: Name, why: &str) -> ReportRow {
    let (undefined, verdict) = (Some(why.to_owned()), Some(Verdict::InsufficientData));
    ReportRow { undefined, verdict, ..plain_row(name, label, None, 0, formula) }
}

fn row([name, label, formula]: Name, found: &Discrimination, popular: Option<f64>, n: usize) -> ReportRow {
    let interval = found.interval.filter(|_| n >= TESTABLE);
    let verdict = match interval.zip(popular) {
        None => Verdict::InsufficientData,
        Some((interval, popular)) if interval.low > popular => Verdict::BetterThanPopularity,
        Some((interval, popular)) if interval.high < popular => Verdict::WorseThanPopularity,
        Some(_) => Verdict::WithinNoise,
    };
    ReportRow {
        undefined: found.value.reason.map(|reason| reason.to_string()),
        low: found.interval.map(|interval| interval.low),
        high: found.interval.map(|interval| interval.high),
        baseline: popular,
        verdict: Some(verdict),
        ..plain_row(name, label, found.value.value, n, formula)
    }
}

/// First showings within the window, by user; beyond [`MAX_USERS`] evenly thinned.
fn shown(evaluated: &Evaluated<'_>) -> Vec<Shown> {
    let (log, window) = (&evaluated.snapshot.log, evaluated.window);
    let target = evaluated.snapshot.index.summary().target;
    let of_user = |user: u32| {
        let mut items: BTreeMap<u32, bool> = BTreeMap::new();
        for event in log.between(user, window.cutoff, window.end) {
            let Some(item) = event.item else { continue };
            if event.kind == InteractionType::Impression {
                items.entry(item).or_insert(false);
            } else if (event.kind == InteractionType::Click || event.is_positive(target))
                && let Some(taken) = items.get_mut(&item)
            {
                *taken = true;
            }
        }
        (!items.is_empty()).then_some(Shown { user, items })
    };
    let all: Vec<Shown> = (0..log.users() as u32).filter_map(of_user).collect();
    let step = (all.len() as f64 / MAX_USERS as f64).max(1.0);
    let mut next = 0.0;
    let kept = all.into_iter().enumerate().filter(|(place, _)| {
        let keeps = *place as f64 >= next;
        next += if keeps { step } else { 0.0 };
        keeps
    });
    kept.map(|(_, shown)| shown).collect()
}

/// The scores of what each user was shown; an item that is not listed any more has none.
fn scored(evaluated: &Evaluated<'_>, shown: &[Shown], arm: Arm) -> Answer<Vec<Scored>> {
    let policy = evaluated.policy(arm);
    shown.par_iter().map(|one| score(evaluated, one, policy)).collect()
}

fn score(evaluated: &Evaluated<'_>, shown: &Shown, policy: ScoringPolicy<'_>) -> Answer<Scored> {
    let items: FxHashSet<u32> = shown.items.keys().copied().collect();
    let allow = |item: u32| items.contains(&item);
    let request = RankRequest { allow: Some(&allow), ..RankRequest::new(items.len()) }.for_window(evaluated.window.end);
    let whom = if evaluated.refused(shown.user) { Recipient::Session(&[]) } else { Recipient::User(shown.user) };
    let list = policy.list(&evaluated.snapshot, whom, evaluated.window.cutoff, &request).map_err(problem)?;
    let mut scored = Scored::default();
    for row in list {
        scored.labels.push(shown.items.get(&row.item).copied().unwrap_or(false));
        scored.scores.push(f64::from(row.score));
    }
    Ok(scored)
}

fn labelled(scored: &[Scored]) -> Vec<Labelled<'_>> {
    scored.iter().map(|one| Labelled { labels: &one.labels, scores: &one.scores }).collect()
}
