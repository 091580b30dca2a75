//! Evaluates a cross-encoder on later events: whether lists with a re-scored head are better.

use std::sync::Arc;

use mercer_learn::cross_encoder::{CrossEncoder, LabelledPair, LabelledPairs};
use mercer_learn::{Hooks, TextTable};
use mercer_model::TextKind;
use mercer_rank::evaluate::ndcg;
use mercer_rank::{BlendWeights, RankRequest, Ranker, ScoringPolicy, Snapshot};
use mercer_reports::compare_paired;
use mercer_reports::resample::REPLICATES;
use mercer_search::passage_text;
use mercer_shared::wire::{Comparison, PairCheck};
use rustc_hash::FxHashMap;

use crate::cross_encoder::mix::{HEAD, mixed};
use crate::cross_encoder::texts::{Reader, history_texts};
use crate::reports::window_lists::{Limits, evaluate};
use crate::runs::context::{RunContext, RunExit, failed};
use crate::runs::plan::Plan;
use crate::state::app::App;
use crate::state::shop::ShopState;
use crate::training::encoder_tuning::Progress;
use crate::versions::load;

/// Shoppers whose lists are evaluated: at least and at most.
const SHOPPERS: (u64, u64) = (40, 400);
/// Shoppers below which nothing is decided.
const ENOUGH: usize = 30;
/// One-sided error of the decision: the lower end of the 95 % interval.
const ALPHA: f64 = 0.025;
/// Length of the lists that are evaluated.
const K: usize = 10;

/// The ranker of the lists as of the cut-off, and its name: the serving one if it learned from nothing later, else the one that its gate
/// evaluated. Without either the blend orders the lists.
fn ranker_before(app: &App, view: &ShopState, plan: &Plan) -> Result<(Option<Arc<Ranker>>, String), RunExit> {
    let model = &view.model;
    let version = &model.meta.version;
    if let Some(ranker) = &model.artifacts.ranker {
        if model.meta.data.to.is_none_or(|to| to.millis() <= plan.cutoff) {
            return Ok((Some(Arc::clone(ranker)), format!("the ranker of {version}")));
        }
        let before = model.meta.gate.as_ref().is_some_and(|gate| gate.from.millis() <= plan.cutoff);
        if before && let Some(ranker) = load::judged_ranker(app, view, plan.cutoff)? {
            return Ok((Some(Arc::new(ranker)), format!("the ranker of {version} as made before the cut-off")));
        }
    }
    Ok((None, "the blend that needs no training".to_owned()))
}

/// Lists of one shopper and what they took.
struct Case {
    list: Vec<u32>,
    taken: Vec<u32>,
    behaviour: Vec<u32>,
}

/// NDCG@10 of lists with their heads re-scored as serving does, against the lists as they were, on later events.
pub(crate) fn check(
    app: &App,
    view: &ShopState,
    plan: &Plan,
    scorer: &CrossEncoder,
    reader: &Reader,
    context: &RunContext<'_>,
) -> Result<PairCheck, RunExit> {
    let (ranker, name) = ranker_before(app, view, plan)?;
    let cases = cases(app, view, plan, ranker.as_deref(), reader)?;
    let mut check = PairCheck { head: HEAD as u32, list: name, comparison: None, serves: false, reason: String::new() };
    if cases.len() < ENOUGH {
        check.reason =
            format!("lists are not re-scored: {} shoppers with later events are too few to tell", cases.len());
        return Ok(check);
    }
    let rescored = rescore(app, view, scorer, reader, &cases, context)?;
    let each = |lists: &mut dyn Iterator<Item = (&Vec<u32>, &Case)>| -> Vec<Option<f64>> {
        lists.map(|(list, case)| Some(ndcg(list, &case.taken, K))).collect()
    };
    let before = each(&mut cases.iter().map(|case| (&case.list, case)));
    let after = each(&mut rescored.iter().zip(&cases));
    let seed = plan.cursor;
    let found = compare_paired(&after, &before, ALPHA, REPLICATES, seed).map_err(|e| failed(&e))?;
    check.serves = found.interval.low > 0.0;
    let numbers = format!(
        "NDCG@10 {:.4} with the head re-scored, {:.4} without: {:+.4} [{:+.4}, {:+.4}] on {} shoppers",
        found.candidate, found.comparator, found.difference, found.interval.low, found.interval.high, found.n_used
    );
    check.reason = if check.serves {
        format!("lists may be re-scored: {numbers}")
    } else {
        format!("lists are not re-scored, for it was not better on later events: {numbers}")
    };
    check.comparison = Some(Comparison {
        against: "the list as it was".to_owned(),
        metric: "ndcg@10".to_owned(),
        slice: "repeat".to_owned(),
        candidate: found.candidate,
        other: found.comparator,
        difference: found.difference,
        low: found.interval.low,
        high: found.interval.high,
        p: found.p,
        n: found.n_used as u64,
        rule: "better".to_owned(),
        passed: check.serves,
    });
    Ok(check)
}

/// Lists as of the cut-off for shoppers who took something later, evenly thinned.
fn cases(
    app: &App,
    view: &ShopState,
    plan: &Plan,
    ranker: Option<&Ranker>,
    reader: &Reader,
) -> Result<Vec<Case>, RunExit> {
    let index = app.moments.at(view, plan.cutoff);
    let snapshot = Snapshot { log: view.training_log(), catalogue: view.rank.catalogue.clone(), index };
    let weights = BlendWeights::for_index(&snapshot.index);
    let budget = plan.request.budget_seconds.unwrap_or(app.config.train.budget_seconds);
    let limits = Limits { users: budget.clamp(SHOPPERS.0, SHOPPERS.1) as usize, ..Limits::NONE };
    let made =
        evaluate(&snapshot, plan.window(), &RankRequest::new(HEAD), ScoringPolicy { ranker, blend: &weights }, &limits);
    let made = made.map_err(|e| failed(&e))?;
    let users = made.users.iter().zip(made.lists).zip(made.truth);
    users
        .map(|((user, list), taken)| {
            Ok(Case { list, taken, behaviour: history(view, &snapshot, *user, plan.cutoff, reader)? })
        })
        .collect()
}

/// The tokens of a shopper's history as of a moment, as serving reads it.
fn history(view: &ShopState, snapshot: &Snapshot, user: u32, at: i64, reader: &Reader) -> Result<Vec<u32>, RunExit> {
    let queries = view.subject(user).map(|subject| subject.queries.clone()).unwrap_or_default();
    Ok(reader.behaviour_of(&history_texts(view, snapshot.log.until(user, at), &queries, at))?)
}

fn rescore(
    app: &App,
    view: &ShopState,
    scorer: &CrossEncoder,
    reader: &Reader,
    cases: &[Case],
    context: &RunContext<'_>,
) -> Result<Vec<Vec<u32>>, RunExit> {
    let mut numbers: Vec<u32> = cases.iter().flat_map(|case| case.list.iter().copied()).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let passages: Vec<String> =
        numbers.iter().map(|&n| view.item(n).map(|item| passage_text(item)).unwrap_or_default()).collect();
    let bodies = reader.bodies(&passages, TextKind::Passage)?;
    let mut texts = TextTable::new();
    let items: FxHashMap<u32, u32> =
        numbers.iter().zip(bodies).map(|(&n, body)| (n, texts.push(&reader.item(&body)))).collect();
    let mut pairs = Vec::new();
    for case in cases {
        let behaviour = texts.push(&case.behaviour);
        pairs.extend(case.list.iter().map(|n| LabelledPair { history: behaviour, item: items[n], label: false }));
    }
    let mut hooks = Progress::new(context, app.model.clone());
    let scores = scorer.score(LabelledPairs { texts: &texts, pairs: &pairs }, || {
        hooks.yield_now();
        !hooks.should_stop()
    });
    let scores = scores.map_err(|e| failed(&e))?;
    context.check()?;
    let mut at = 0;
    Ok(cases
        .iter()
        .map(|case| {
            let own = &scores[at..at + case.list.len()];
            at += case.list.len();
            mixed(own).into_iter().map(|place| case.list[place]).collect()
        })
        .collect())
}
