//! The encoders of a cycle, each with the catalogue under it: the base, the tuned one, and which of them pays.

use std::sync::{Arc, OnceLock};

use mercer_learn::{Adapter, Method};
use mercer_model::{BertEncoder, Checkpoint, Encoder, Priority, TextKind};
use mercer_search::passage_text;
use mercer_shared::wire::RunPhase;

use crate::gate::decide::Judged;
use crate::gate::search_queries;
use crate::gate::search_queries::MIN_SEARCHERS;
use crate::reports::window_lists::mean;
use crate::runs::context::{RunContext, RunExit};
use crate::runs::plan::Plan;
use crate::state::app::App;
use crate::state::problems::{model_problem, store_problem};
use crate::state::shop::ShopState;
use crate::versions::embedded_catalogue;
use crate::versions::encoder_variant::EncoderVariant;
use crate::versions::load;

/// The serving version's adapter, where it was made for this base in the same way: training goes on from there, with replay against
/// forgetting.
pub(crate) fn start_adapter(
    app: &App,
    plan: &Plan,
    (base, method): (&Checkpoint, &Method),
    context: &RunContext<'_>,
) -> Result<Option<Adapter>, RunExit> {
    let Some(parent) = app.store.get_model(&plan.parent).map_err(|e| store_problem(&e))? else { return Ok(None) };
    if parent.encoder.name != base.identity.name || parent.encoder.sha256 != base.identity.sha256 {
        return Ok(None);
    }
    let Some(adapter) = load::adapter(&app.config.state, &parent)? else { return Ok(None) };
    if let Some(why) = method.incompatibility(&adapter) {
        context.note(format!("the encoder starts at its base: what {} learned {why}", plan.parent));
        return Ok(None);
    }
    context.note(format!("the encoder goes on from {} after {} steps", plan.parent, adapter.meta.steps));
    Ok(Some(adapter))
}

/// Embeds the catalogue with a checkpoint. `None` when fewer than `reserve` seconds of the budget were left before the end.
pub(crate) fn embed(
    app: &App,
    checkpoint: Checkpoint,
    adapter: Option<Adapter>,
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
        Ok(embedded) => {
            Ok(Some(EncoderVariant { encoder, embedded, adapter, whitening: None, spread: OnceLock::new() }))
        }
        Err(RunExit::Nothing(_)) => Ok(None),
        Err(ended) => Err(ended),
    }
}

/// Items embedded to learn how long one takes.
const PROBE: usize = 32;

/// Seconds that an item takes through the encoder, measured on items from all over the catalogue.
pub(crate) fn seconds_per_item(app: &App, view: &ShopState, encoder: &Arc<BertEncoder>) -> Result<f64, RunExit> {
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

/// The tuned encoder where it pays on the window, for lists and for search together; else the base.
pub(crate) fn choose(
    app: &App,
    view: &ShopState,
    context: &RunContext<'_>,
    (plain, mut with_base): (EncoderVariant, Judged),
    tuned: Option<EncoderVariant>,
    asked: &search_queries::SearchQueries,
    judged: impl Fn(&EncoderVariant) -> Result<Judged, RunExit>,
) -> Result<(EncoderVariant, Judged), RunExit> {
    let searchers = asked.users();
    let search = |variant: &EncoderVariant, context: &RunContext<'_>| {
        let row = |n: u32| variant.embedded.rows.get(&n).map(|row| &**row);
        if searchers >= MIN_SEARCHERS {
            asked.judge(app, view, &variant.encoder, &row, context)
        } else {
            Ok(Vec::new())
        }
    };
    with_base.search = search(&plain, context)?;
    let Some(tuned) = tuned else { return Ok((plain, with_base)) };
    let mut with_tuned = judged(&tuned)?;
    with_tuned.search = search(&tuned, context)?;
    let lists = with_tuned.lists() - with_base.lists();
    let found = with_tuned.searches() - with_base.searches();
    context.note(format!(
        "fine-tuned encoder against its base: NDCG@10 of lists {lists:+.4}, of {searchers} searching shoppers {found:+.4}"
    ));
    // Told, not weighed: what a shop shows are lists of everything.
    if !with_tuned.cold.is_empty() {
        let (cold, users) = (mean(&with_tuned.cold) - mean(&with_base.cold), with_tuned.cold.len());
        context.note(format!("the same on lists of cold items alone: {cold:+.4} for {users} shoppers"));
    }
    if lists + found > 0.0 {
        return Ok((tuned, with_tuned));
    }
    context.note("the base encoder is kept: tuning did not pay on this window");
    Ok((plain, with_base))
}
