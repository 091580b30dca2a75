//! Vectors of query texts by the base encoder, which are tokens of the sequence model. They are computed again after a
//! restart and never stored on disk, so that nothing a user typed remains after an erasure.

use std::sync::Arc;

use mercer_model::{BertEncoder, Encoder, ModelError, Priority, TextKind};
use mercer_rank::{Log, Vectors};
use mercer_shared::problem::{Code, Problem};

use crate::state::app::App;
use crate::state::problems::model_problem;
use crate::state::shop::ShopState;
use crate::state::vector_cache::{rounded, submit_patiently};

/// Texts handed to the model thread at once.
const SLICE: usize = 128;

/// Vectors of texts, in order, rounded as those of items are.
///
/// # Errors
/// The model thread's.
pub fn embed(app: &App, base_encoder: &Arc<BertEncoder>, texts: &[Arc<str>]) -> Result<Vec<Arc<[f32]>>, ModelError> {
    let mut out = Vec::with_capacity(texts.len());
    for slice in texts.chunks(SLICE) {
        let texts = slice.iter().map(|text| text.to_string()).collect();
        let named = Arc::clone(base_encoder) as Arc<dyn Encoder>;
        let answer = submit_patiently(&app.model, texts, TextKind::Query, Priority::Background, named)?;
        out.extend(answer.vectors.rows().map(rounded));
    }
    Ok(out)
}

/// Vectors of the latest texts of a log by the numbers of a shop. All are embedded again, in an order and in slices
/// that depend on the log alone: another slice may round differently, and a run that is resumed after a restart must
/// give the same weights. `look` hears how many are done.
///
/// # Errors
/// The model thread's, and what `look` returns.
pub fn table<E: From<Problem>>(
    app: &App,
    view: &ShopState,
    log: &Log,
    base_encoder: &Arc<BertEncoder>,
    mut look: impl FnMut(usize) -> Result<(), E>,
) -> Result<Vectors, E> {
    let mut out = Vectors::new(base_encoder.dim());
    let latest = view.texts.latest(log);
    for (place, slice) in latest.chunks(SLICE).enumerate() {
        let texts: Vec<Arc<str>> = slice.iter().filter_map(|number| view.texts.get(*number)).map(Arc::clone).collect();
        let rows = embed(app, base_encoder, &texts).map_err(|error| E::from(model_problem(&error)))?;
        for (number, row) in slice.iter().zip(rows) {
            out.set(*number, row).map_err(|error| E::from(Problem::new(Code::Internal, error.to_string())))?;
        }
        look(place * SLICE + slice.len())?;
    }
    Ok(out)
}
