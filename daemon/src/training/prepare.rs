//! The first step of a cycle: fixes what it reads, the borders of its windows and what the budget allows, and finds out whether there is
//! anything to do.

use std::sync::Arc;

use mercer_rank::{Log, RankerTrainOptions, cutoffs};
use mercer_shared::wire::{GateVerdict, ModelState, Run, RunPhase};

use crate::gate::holdout;
use crate::gate::incumbent::NumberedShop;
use crate::runs::budget::{self, BudgetTier, CycleSizes};
use crate::runs::context::{RunContext, RunExit};
use crate::runs::plan::Plan;
use crate::state::app::App;
use crate::state::dense_ids::IdMap;
use crate::state::shop::ShopState;
use crate::training::balance;
use crate::training::borders::{bordered, written};
use crate::training::data_fingerprint;
use crate::versions::canary;
use crate::versions::directory;
use crate::versions::embedded_catalogue;
use crate::versions::load;
use crate::versions::registry;

/// What all steps of a cycle share.
#[derive(Clone, Copy)]
pub(crate) struct Cycle<'a> {
    /// The daemon.
    pub(crate) app: &'a App,
    /// The run as it began.
    pub(crate) run: &'a Run,
    /// Progress, budget, cancellation.
    pub(crate) context: &'a RunContext<'a>,
}

/// What a cycle reads, and its plan.
pub(crate) struct CycleData {
    /// The shop with all users.
    pub(crate) whole: Arc<ShopState>,
    /// The shop without the consent of the held-out users.
    pub(crate) view: ShopState,
    /// The cycle's numbers of users and items.
    pub(crate) ids: IdMap,
    /// The training log of the view in the cycle's numbers.
    pub(crate) log: Log,
    /// The plan with its borders.
    pub(crate) plan: Plan,
    /// How much of everything is done.
    pub(crate) tier: BudgetTier,
    /// Group of each user by the configured attribute, in the cycle's numbers; none where groups are not weighed.
    pub(crate) groups: Vec<usize>,
    /// Digest of everything that the outcome depends on.
    pub(crate) fingerprint: String,
}

impl CycleData {
    /// The shop in the cycle's numbers.
    pub(crate) const fn shop(&self) -> NumberedShop<'_> {
        NumberedShop { view: &self.view, ids: &self.ids, log: &self.log }
    }
}

/// Reads the shop and completes the plan. `None` if a cycle would make the last version again.
pub(crate) fn prepare(cycle: Cycle<'_>, mut plan: Plan) -> Result<Option<CycleData>, RunExit> {
    let Cycle { app, run, context } = cycle;
    context.phase(RunPhase::Examples, 0);
    let whole = app.view();
    plan.holdout = holdout::share(app, &whole, &plan);
    let view = holdout::without(app, &whole, plan.holdout);
    let ids = IdMap::of(&view);
    let log = ids.log(&view.training_log());
    let plan = complete(app, &view, &log, context, plan)?;
    context.update(|run| run.cursor = Some(plan.cursor));
    let fingerprint = data_fingerprint::digest(app, &view, &ids, &plan, run)?;
    if let Some(why) = data_fingerprint::nothing_new(app, &fingerprint)? {
        context.note(why);
        return Ok(None);
    }
    let tier = BudgetTier::at(plan.tier);
    let groups = balance::groups_configured(&app.config, &view, ids.users());
    Ok(Some(CycleData { whole, view, ids, log, plan, tier, groups, fingerprint }))
}

/// Promotes the version of a run that was interrupted after writing it. Returns whether there was one; the run is then
/// complete.
pub(crate) fn finish_interrupted(app: &App, plan: &Plan, context: &RunContext<'_>) -> Result<bool, RunExit> {
    let made = registry::list(app)?.items.into_iter().find(|model| model.run.as_ref() == Some(&plan.run));
    let Some(model) = made else { return Ok(false) };
    let name = model.version.clone();
    context.note(format!("{name} was written before the interruption"));
    let gate = model.gate.clone();
    let passed = gate.as_ref().is_some_and(|gate| gate.verdict == GateVerdict::Promote && !gate.asks);
    context.update(|run| (run.model, run.gate) = (Some(name.clone()), gate));
    let wanted = plan.request.promote.unwrap_or(app.config.train.promote);
    if passed && wanted && model.state == ModelState::Candidate {
        context.phase(RunPhase::Promotion, 0);
        let loaded = load::load(&app.config.state, model)?;
        let embedded = embedded_catalogue::embed_catalogue(app, &loaded.encoder, |_| context.check())?;
        context.note(canary::put_to_work(app, loaded, &embedded)?);
    }
    directory::prune(app);
    Ok(true)
}

/// The plan of a cycle with its borders and what the budget allows, written down before anything is computed.
fn complete(app: &App, view: &ShopState, log: &Log, context: &RunContext<'_>, plan: Plan) -> Result<Plan, RunExit> {
    if plan.cursor > 0 {
        return Ok(plan);
    }
    let (mut plan, back) = bordered(view, log, plan)?;
    plan.sizes = CycleSizes {
        events: log.len(),
        items: view.items.len(),
        back,
        cutoffs: cutoffs(log, plan.cutoff, RankerTrainOptions::default().cutoffs).0.len(),
    };
    plan.tier = budget::step(context.budget(), &plan.sizes, plan.request.encoder.unwrap_or(true));
    if let Some(reduction) = budget::reduction(plan.tier, context.budget(), &plan.sizes) {
        context.note(reduction);
    }
    written(app, plan)
}
