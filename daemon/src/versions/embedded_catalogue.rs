//! The catalogue embedded by one encoder.

use std::sync::Arc;

use mercer_model::{BertEncoder, Encoder, Priority};
use mercer_rank::{Vectors, WhitenedVectors};
use mercer_search::passage_text;
use mercer_shared::problem::Problem;
use mercer_shared::wire::Item;
use rustc_hash::FxHashMap;

use crate::state::app::App;
use crate::state::problems::Answer;
use crate::state::problems::internal;
use crate::state::problems::model_problem;
use crate::state::shop::model::Model;
use crate::state::shop::writer::CatalogueVectors;
use crate::state::vector_cache::CATALOGUE_SLICE;

/// The vectors of the catalogue by one encoder, and the items as they were when they were embedded.
pub struct EmbeddedCatalogue {
    pub(crate) items: imbl::Vector<Arc<Item>>,
    /// Vectors by dense number.
    pub rows: FxHashMap<u32, Arc<[f32]>>,
}

impl EmbeddedCatalogue {
    /// The vectors as the ranker reads them.
    ///
    /// # Errors
    /// A vector of another length than `dim`.
    pub fn vectors(&self, dim: usize) -> Answer<Vectors> {
        let rows = self.rows.iter().map(|(number, row)| (*number, Arc::clone(row)));
        Vectors::from_rows(dim, rows).map_err(|e| internal(&e))
    }

    /// What a model puts in place with itself.
    ///
    /// # Errors
    /// The vectors are not of its encoder.
    pub fn under(&self, model: &Model) -> Answer<CatalogueVectors> {
        let vectors = self.vectors(model.encoder.dim())?;
        let whitened = model.artifacts.whitening.clone().map(|whitening| WhitenedVectors::new(&vectors, whitening));
        let whitened = whitened.transpose().map_err(|e| internal(&e))?;
        Ok((vectors, whitened))
    }
}

/// Embeds the catalogue with an encoder; vectors that are known cost a look-up. `look` hears how many items are done.
///
/// # Errors
/// The model thread's, and what `look` returns.
pub fn embed_catalogue<E: From<Problem>>(
    app: &App,
    encoder: &Arc<BertEncoder>,
    mut look: impl FnMut(usize) -> Result<(), E>,
) -> Result<EmbeddedCatalogue, E> {
    let items = app.view().items.clone();
    let mut rows = FxHashMap::default();
    let numbered: Vec<(u32, String)> = (0..).zip(items.iter().map(|item| passage_text(item))).collect();
    for slice in numbered.chunks(CATALOGUE_SLICE) {
        let texts: Vec<String> = slice.iter().map(|(_, text)| text.clone()).collect();
        let vectors = app
            .vectors
            .embed(&app.model, encoder, &texts, Priority::Background)
            .map_err(|error| E::from(model_problem(&error)))?;
        rows.extend(slice.iter().map(|(number, _)| *number).zip(vectors));
        look(rows.len())?;
    }
    Ok(EmbeddedCatalogue { items, rows })
}
