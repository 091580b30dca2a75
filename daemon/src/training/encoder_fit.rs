//! Fits the encoders of a cycle and embeds the catalogue with each: the base encoder, and a tuned one where there is something to learn and
//! time for it.

use std::sync::Arc;

use mercer_learn::{Adapter, Method};
use mercer_model::{BertEncoder, Checkpoint, Encoder, Priority, TextKind};
use mercer_search::passage_text;
use mercer_shared::wire::{PrivacyGuarantee, RunPhase, Tuning};

use crate::runs::budget::{self, BudgetTier};
use crate::runs::context::{RunContext, RunExit};
use crate::runs::plan::Plan;
use crate::runs::record;
use crate::state::app::App;
use crate::state::problems::{model_problem, store_problem};
use crate::state::shop::ShopState;
use crate::training::encoder_tuning::{self, EncoderTraining, Tuned};
use crate::training::prepare::{Cycle, CycleData};
use crate::training::private_tuning;
use crate::versions::embedded_catalogue;
use crate::versions::encoder_variant::EncoderVariant;
use crate::versions::encoders::{self, ActiveEncoder};
use crate::versions::knowledge;
use crate::versions::load;

/// The encoders of a cycle.
pub(crate) struct Encoders {
    /// The base encoder with the catalogue embedded by it.
    pub(crate) base: EncoderVariant,
    /// The tuned encoder, where there was something to learn and time for it.
    pub(crate) tuned: Option<EncoderVariant>,
}

/// Embeds the catalogue with the base encoder; tunes the encoder and embeds the catalogue again.
pub(crate) fn fit(cycle: Cycle<'_>, data: &CycleData) -> Result<Encoders, RunExit> {
    let Cycle { app, context, .. } = cycle;
    let plan = &data.plan;
    let ActiveEncoder { name, sha256 } = encoders::active_encoder(&app.store)?;
    let checkpoint = encoders::base(&app.config.state, &name, &sha256)?;
    record::cycle(context, &data.log, plan, &checkpoint);
    let base = embed(app, checkpoint.clone(), 0.0, context)?.ok_or_else(|| {
        RunExit::Nothing(
            "the budget was used up while the catalogue was embedded: nothing could be evaluated".to_owned(),
        )
    })?;
    let base = base.in_the_way_of(&data.view.model);
    let wanted = plan.request.encoder.unwrap_or(true);
    let tuned = if wanted { tune(cycle, data, &checkpoint, &base)? } else { None };
    Ok(Encoders { base, tuned })
}

fn tune(
    cycle: Cycle<'_>,
    data: &CycleData,
    checkpoint: &Checkpoint,
    base: &EncoderVariant,
) -> Result<Option<EncoderVariant>, RunExit> {
    let Cycle { app, run, context } = cycle;
    let CycleData { view, plan, .. } = data;
    let behind = BudgetTier::at(plan.tier).seconds(&plan.sizes);
    let embedding = seconds_per_item(app, view, &base.encoder)? * view.items.len() as f64;
    let Some(seconds) = budget::encoder(context.left(), behind, embedding) else {
        context.note(format!(
            "no time for the encoder: {:.0} s are left, the rest of the cycle takes about {behind:.0} s and embedding the \
             catalogue again {embedding:.0} s",
            context.left()
        ));
        return Ok(None);
    };
    let private = app.config.privacy.is_on();
    // Only adapters of one rank are trained privately; `jobs` refuses a request for another method.
    let method = if private { Tuning::Lora } else { plan.request.tuning.unwrap_or(app.config.train.tuning) };
    let method = encoder_tuning::method(method);
    let start = start_adapter(app, plan, checkpoint, &method, context)?;
    let training = EncoderTraining {
        base: checkpoint,
        start: start.as_ref().map(|start| &start.adapter),
        guarantee: start.as_ref().and_then(|start| start.guarantee.clone()),
        method,
        seed: run.seed,
        seconds,
    };
    let trained = if private {
        private_tuning::train(app, view, plan, &training, context)?
    } else {
        encoder_tuning::train(app, view, plan, training, context)?
    };
    let Some(Tuned { checkpoint, adapter, privacy }) = trained else { return Ok(None) };
    let tuned = embed(app, checkpoint, 0.5 * behind, context)?;
    if tuned.is_none() {
        context.note("the tuned encoder is left out: embedding the catalogue with it would have used up the budget");
    }
    Ok(tuned.map(|variant| EncoderVariant { adapter: Some(adapter), privacy, ..variant }))
}

/// An adapter to go on from, with what is guaranteed about it.
struct Start {
    adapter: Adapter,
    guarantee: Option<PrivacyGuarantee>,
}

/// The serving version's adapter, if it was made for this base by the same method. Training continues from it, with
/// experience replay against forgetting. Private training continues only from a private one.
fn start_adapter(
    app: &App,
    plan: &Plan,
    base: &Checkpoint,
    method: &Method,
    context: &RunContext<'_>,
) -> Result<Option<Start>, RunExit> {
    let Some(parent) = app.store.get_model(&plan.parent).map_err(|e| store_problem(&e))? else { return Ok(None) };
    if parent.encoder.name != base.identity.name || parent.encoder.sha256 != base.identity.sha256 {
        return Ok(None);
    }
    let Some(adapter) = load::adapter(&app.config.state, &parent)? else { return Ok(None) };
    if knowledge::knows_erased(app, &plan.parent)? {
        context.note(format!("the encoder starts at its base: {} knows a shopper who was erased", plan.parent));
        return Ok(None);
    }
    if app.config.privacy.is_on() && parent.privacy.is_none() {
        context.note(format!("the encoder starts at its base: {} was trained without noise", plan.parent));
        return Ok(None);
    }
    if let Some(why) = method.incompatibility(&adapter) {
        context.note(format!("the encoder starts at its base: what {} learned {why}", plan.parent));
        return Ok(None);
    }
    context.note(format!("the encoder goes on from {} after {} steps", plan.parent, adapter.meta.steps));
    Ok(Some(Start { adapter, guarantee: parent.privacy }))
}

/// Embeds the catalogue with a checkpoint. `None` when fewer than `reserve` seconds of the budget were left before the end.
pub(crate) fn embed(
    app: &App,
    checkpoint: Checkpoint,
    reserve: f64,
    context: &RunContext<'_>,
) -> Result<Option<EncoderVariant>, RunExit> {
    context.check()?;
    if context.left() < reserve {
        return Ok(None);
    }
    context.phase(RunPhase::Embedding, app.view().items.len() as u64);
    context.limit_phase(context.left() - reserve);
    let encoder = Arc::new(BertEncoder::on_best_device(checkpoint).map_err(|e| model_problem(&e))?);
    let started = std::time::Instant::now();
    let embedded = embedded_catalogue::embed_catalogue(app, &encoder, |done| {
        let pace = done as f64 / started.elapsed().as_secs_f64().max(1e-3);
        context.update(|run| {
            run.step = done as u64;
            run.items_per_second = Some(pace);
            run.eta_seconds = Some(run.steps.saturating_sub(done as u64) as f64 / pace.max(1e-3));
        });
        if context.left() < reserve {
            return Err(RunExit::Nothing(format!("after {done} items")));
        }
        context.check()
    });
    match embedded {
        Ok(embedded) => Ok(Some(EncoderVariant::of(encoder, embedded))),
        Err(RunExit::Nothing(_)) => Ok(None),
        Err(ended) => Err(ended),
    }
}

/// Items embedded to learn how long one takes.
const PROBE: usize = 32;

/// Seconds that an item takes through the encoder, measured on items from all over the catalogue.
fn seconds_per_item(app: &App, view: &ShopState, encoder: &Arc<BertEncoder>) -> Result<f64, RunExit> {
    let step = view.items.len().div_ceil(PROBE).max(1);
    let texts: Vec<String> = view.items.iter().step_by(step).map(|item| passage_text(item)).collect();
    let count = texts.len().max(1) as f64;
    let begun = std::time::Instant::now();
    let named = Arc::clone(encoder) as Arc<dyn Encoder>;
    let pending = app.model.submit(texts, TextKind::Passage, Priority::Background, Some(named));
    match pending.and_then(mercer_model::Pending::wait) {
        Ok(_) => Ok(begun.elapsed().as_secs_f64() / count),
        // Busy with something else: no more is known than that a second will not do for them.
        Err(mercer_model::ModelError::Overloaded { .. }) => Ok(1.0 / count),
        Err(error) => Err(model_problem(&error).into()),
    }
}
