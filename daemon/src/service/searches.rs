//! Vectors of what was searched for, by the encoder as it came: tokens of the behaviour network. They are made anew after a restart rather
//! than kept on disk: nothing of what a shopper typed is to be left behind anywhere when the shopper is erased.

use std::sync::Arc;

use mercer_model::{BertEncoder, Embedded, Encoder, ModelError, Pending, Priority, TextKind};
use mercer_rank::{Log, RankError, Vectors};

use crate::app::{App, model_problem};
use crate::vectors::rounded;
use crate::world::View;
use mercer_shared::problem::{Code, Problem};

/// Texts handed to the model thread at once.
const SLICE: usize = 128;

/// Vectors of texts, in order, rounded as those of items are.
///
/// # Errors
/// The model thread's.
pub fn embed(app: &App, ruler: &Arc<BertEncoder>, texts: &[Arc<str>]) -> Result<Vec<Arc<[f32]>>, ModelError> {
    let mut out = Vec::with_capacity(texts.len());
    for slice in texts.chunks(SLICE) {
        let answer = patiently(app, ruler, slice)?;
        out.extend(answer.vectors.rows().map(rounded));
    }
    Ok(out)
}

/// Background work waits when the queue is full.
fn patiently(app: &App, ruler: &Arc<BertEncoder>, slice: &[Arc<str>]) -> Result<Embedded, ModelError> {
    loop {
        let texts = slice.iter().map(|text| text.to_string()).collect();
        let named = Arc::clone(ruler) as Arc<dyn Encoder>;
        match app.model.submit(texts, TextKind::Query, Priority::Background, Some(named)).and_then(Pending::wait) {
            Err(ModelError::Overloaded { retry_after }) => std::thread::sleep(retry_after),
            answer => return answer,
        }
    }
}

/// Vectors of the latest texts of a log by the numbers of a shop, all of them: those that the shop has cost nothing. `look` hears how many
/// are done.
///
/// # Errors
/// The model thread's, and what `look` returns.
pub fn table<E: From<Problem>>(
    app: &App,
    (view, log): (&View, &Log),
    ruler: &Arc<BertEncoder>,
    mut look: impl FnMut(usize) -> Result<(), E>,
) -> Result<Vectors, E> {
    let known = view.rank.catalogue.texts().filter(|_| view.model.ruler_version() == ruler.identity().version);
    let mut out = Vectors::new(ruler.dim());
    let mut missing = Vec::new();
    let refused = |error: RankError| E::from(Problem::new(Code::Internal, error.to_string()));
    for number in view.texts.latest(log) {
        match (known.and_then(|known| known.get(number)), view.texts.get(number)) {
            (Some(row), _) => out.set(number, row.into()).map_err(refused)?,
            (None, Some(text)) => missing.push((number, Arc::clone(text))),
            (None, None) => {}
        }
    }
    for (done, slice) in missing.chunks(SLICE).enumerate() {
        let texts: Vec<Arc<str>> = slice.iter().map(|(_, text)| Arc::clone(text)).collect();
        let rows = embed(app, ruler, &texts).map_err(|error| E::from(model_problem(&error)))?;
        for ((number, _), row) in slice.iter().zip(rows) {
            out.set(*number, row).map_err(refused)?;
        }
        look(done * SLICE + slice.len())?;
    }
    Ok(out)
}
