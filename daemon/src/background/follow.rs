//! Keeps sequence models up to date with the shop: new items (by vectors of the encoder they were trained with) and recent purchases.

use std::sync::Arc;

use mercer_model::{BertEncoder, Encoder, Priority};
use mercer_rank::{Log, Vectors};
use mercer_search::passage_text;
use mercer_shared::problem::{Code, Problem};

use crate::state::app::App;
use crate::state::problems::internal;
use crate::state::problems::model_problem;
use crate::state::sequence::artifact::SequenceArtifact;
use crate::state::shop::ShopState;
use crate::state::shop::model::Model;
use crate::state::vector_cache::CATALOGUE_SLICE;

/// Brings a model's sequence model up to the shop of now, before it answers.
pub(crate) fn catch_up(app: &App, model: &Model) {
    let view = app.view();
    follow(app, model, (&view, &view.training_log()), view.last_event);
}

/// Brings a model's sequence model up to a state of the shop and its [training log](ShopState::training_log) as of a moment; without one nothing is
/// done.
pub(crate) fn follow(app: &App, model: &Model, shop: (&ShopState, &Log), at: i64) {
    if let Some(sequence) = &model.artifacts.sequence {
        follow_with(app, sequence, &model.base_encoder, shop, at);
    }
}

pub(crate) fn follow_with(
    app: &App,
    sequence: &SequenceArtifact,
    base_encoder: &Arc<BertEncoder>,
    (view, log): (&ShopState, &Log),
    at: i64,
) {
    let ids = || view.items.iter().map(|item| &item.id);
    let catalogue = &view.rank.catalogue;
    let fresh = || -> Result<Vectors, Problem> {
        let mut out = Vectors::new(base_encoder.dim());
        for slice in sequence.fresh(ids()).chunks(CATALOGUE_SLICE) {
            if app.is_stopping() {
                return Err(Problem::new(Code::Unavailable, "the daemon is stopping"));
            }
            let texts: Vec<String> =
                slice.iter().map(|n| view.item(*n).map(|item| passage_text(item)).unwrap_or_default()).collect();
            let rows = app.vectors.embed(&app.model, base_encoder, &texts, Priority::Background);
            for (number, row) in slice.iter().zip(rows.map_err(|e| model_problem(&e))?) {
                out.set(*number, row).map_err(|e| internal(&e))?;
            }
        }
        Ok(out)
    };
    // The shop has the vectors already if its encoder is the base encoder; vectors of a tuned encoder differ.
    let vectors = match catalogue.vectors() {
        Some(vectors) if view.model.encoder_version() == base_encoder.identity().version => Ok(vectors.clone()),
        _ => fresh(),
    };
    let followed =
        vectors.and_then(|vectors| sequence.follow(ids(), catalogue, &vectors, log, at).map_err(|e| internal(&e)));
    if let Err(problem) = followed {
        tracing::warn!(%problem, "the sequence model stays as it was");
    }
}
