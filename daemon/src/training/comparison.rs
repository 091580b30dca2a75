//! The comparison of a cycle's candidate with the incumbent, the gate's decision on it, and its guardrails.

use mercer_rank::{Catalogue, Dataset};
use mercer_shared::wire::{GateReport, RunPhase};

use crate::gate::baselines;
use crate::gate::decide::{self, GateInput};
use crate::gate::eval_context::EvalContext;
use crate::gate::evaluate::Evaluated;
use crate::gate::guardrails::{self, EligibleItems, GuardrailInput};
use crate::gate::incumbent::Incumbent;
use crate::gate::search_queries::{MIN_SEARCHERS, SearchQueries};
use crate::gate::version_config::{IncumbentFit, VersionConfig};
use crate::runs::context::RunExit;
use crate::training::encoder_choice::EvaluatedVariant;
use crate::training::incumbent_refit;
use crate::training::prepare::{Cycle, CycleData};
use crate::training::ranker_fit::FittedRanker;

/// The incumbent's part of a comparison.
pub(crate) enum Compared {
    /// Its lists and search without what it has learned from the window.
    With(Evaluated),
    /// The candidate is the incumbent's configuration on newer data; these are the candidate's own lists.
    Refresh(Evaluated),
    /// It could not be compared, and why.
    Not(String),
}

/// Evaluates the fit of the incumbent that a candidate is compared with.
pub(crate) fn compare_with_incumbent(
    cycle: Cycle<'_>,
    data: &CycleData,
    eval: &EvalContext<'_>,
    incumbent: &Incumbent<'_>,
    fitted: &FittedRanker,
    candidate: &mut EvaluatedVariant,
    queries: &SearchQueries,
) -> Result<Compared, RunExit> {
    let context = cycle.context;
    let EvaluatedVariant { variant, evaluated } = candidate;
    let config = VersionConfig::new(fitted.policy(), variant.version(), variant.whitening().as_deref());
    let mut theirs = match incumbent.fit_for(&config, &data.plan) {
        IncumbentFit::Refreshed => {
            context.note(
                "the serving version has this very configuration and knows this window: the candidate is a refresh of it",
            );
            evaluated.search.clear();
            return Ok(Compared::Refresh(evaluated.clone()));
        }
        IncumbentFit::AsServed => incumbent.evaluate_served(eval)?,
        IncumbentFit::AsJudged => {
            context.note(
                "the serving version knows this window: it is compared by its own components as its gate compared them",
            );
            incumbent.evaluate_judged(eval)?
        }
        IncumbentFit::Refitted => {
            context.note("the serving version knows this window: its configuration is fitted again up to the cut-off");
            let dataset = Dataset { log: &data.log, catalogue: &incumbent.catalogue };
            let again =
                incumbent_refit::refit(context, incumbent.model, dataset, data.plan.cutoff, data.tier, &data.groups)?;
            let Some(again) = again else {
                let why = "the budget was used up while the configuration of the serving version was fitted again up to the \
                           cut-off, so the candidate could not be compared with it";
                return Ok(Compared::Not(why.to_owned()));
            };
            incumbent.evaluate(eval, again.policy())?
        }
    };
    if queries.users() >= MIN_SEARCHERS && !incumbent.searches_like(variant) {
        theirs.search = incumbent.evaluate_search(cycle.app, &data.view, queries, context)?;
    } else {
        evaluated.search.clear();
    }
    context.check()?;
    Ok(Compared::With(theirs))
}

/// Holds the candidate against the incumbent and the baselines.
pub(crate) fn decide_on(
    cycle: Cycle<'_>,
    eval: &EvalContext<'_>,
    incumbent: &Incumbent<'_>,
    candidate: &Evaluated,
    compared: &Compared,
    queries: &SearchQueries,
    catalogue: &Catalogue,
) -> Result<GateReport, RunExit> {
    let Cycle { app, run, context } = cycle;
    let (incumbent_evaluated, refresh) = match compared {
        Compared::With(evaluated) => (Some(evaluated), false),
        Compared::Refresh(evaluated) => (Some(evaluated), true),
        Compared::Not(_) => (None, false),
    };
    let baselines = if incumbent_evaluated.is_some() { baselines::all(eval, catalogue)? } else { Vec::new() };
    context.check()?;
    context.phase(RunPhase::Gate, 0);
    let gate = match (incumbent_evaluated, compared) {
        (None, Compared::Not(why)) => decide::not_compared(eval.window, candidate, why.clone()),
        (evaluated, _) => {
            let input = GateInput {
                window: eval.window,
                seed: run.seed,
                candidate,
                incumbent: incumbent.version(),
                incumbent_evaluated: evaluated.unwrap_or(candidate),
                refresh,
                baselines: &baselines,
                traffic: queries.traffic(),
            };
            decide::book_and_decide(app, &run.id, &input)?
        }
    };
    for objective in &gate.objectives {
        if let Some(why) = &objective.left_out {
            let share = 100.0 * objective.share;
            context.note(format!("objective {} ({share:.0} % of the traffic) does not count: {why}", objective.slice));
        }
    }
    Ok(gate)
}

/// Adds the guardrails to the gate's decision and records it. A refresh has the incumbent's configuration, so there are no other lists to
/// compare it with.
pub(crate) fn guarded(
    cycle: Cycle<'_>,
    data: &CycleData,
    eval: &EvalContext<'_>,
    candidate: &Evaluated,
    compared: &Compared,
    catalogue: &Catalogue,
    gate: GateReport,
) -> Result<GateReport, RunExit> {
    let Cycle { app, run, context } = cycle;
    let gate = match compared {
        Compared::With(incumbent) => {
            let mut users = [candidate.all.users.as_slice(), &candidate.novel.users].concat();
            users.sort_unstable();
            users.dedup();
            let input = GuardrailInput {
                candidate,
                incumbent,
                groupings: &guardrails::groupings(data.shop(), eval.index, &users, &app.config),
                eligible: &EligibleItems::of(catalogue, eval.index),
                config: &app.config.gate,
                seed: run.seed,
            };
            guardrails::apply(gate, guardrails::measure(&input), app.config.gate.on_harm)
        }
        Compared::Refresh(_) | Compared::Not(_) => gate,
    };
    context.note(format!("gate: {:?}: {}", gate.verdict, gate.reason));
    context.update(|run| run.gate = Some(gate.clone()));
    context.check()?;
    Ok(gate)
}
