//! An encoder with the catalogue embedded by it: a candidate's or the serving version's.

use std::sync::{Arc, OnceLock};

use mercer_learn::Adapter;
use mercer_model::{BertEncoder, Encoder};
use mercer_rank::{Catalogue, WhitenedVectors, Whitening};
use mercer_shared::problem::Problem;
use mercer_shared::wire::PrivacyGuarantee;

use crate::state::app::App;
use crate::state::dense_ids::IdMap;
use crate::state::problems::{Answer, internal};
use crate::state::shop::ShopState;
use crate::state::shop::model::Model;
use crate::versions::embedded_catalogue::{self, EmbeddedCatalogue};

/// A catalogue that has grown by this factor needs a new whitening.
const OUTGROWN: usize = 2;

/// An encoder with the catalogue under it.
pub(crate) struct EncoderVariant {
    pub(crate) encoder: Arc<BertEncoder>,
    pub(crate) embedded: EmbeddedCatalogue,
    /// None for the base as it is.
    pub(crate) adapter: Option<Adapter>,
    /// What is guaranteed about the adapter, where it was trained privately.
    pub(crate) privacy: Option<PrivacyGuarantee>,
    /// The whitening of the version that it belongs to, if any. Another whitening would change that version's lists.
    pub(crate) whitening: Option<Option<Arc<Whitening>>>,
    /// The whitened vectors in a cycle's numbers.
    pub(crate) whitened: OnceLock<Option<WhitenedVectors>>,
}

impl EncoderVariant {
    /// An encoder with the catalogue under it, without adapter and with a whitening of its own.
    pub(crate) fn of(encoder: Arc<BertEncoder>, embedded: EmbeddedCatalogue) -> Self {
        Self { encoder, embedded, adapter: None, privacy: None, whitening: None, whitened: OnceLock::new() }
    }

    /// A version's encoder with the whole catalogue embedded; a view may be older than the vectors of its newest items.
    ///
    /// # Errors
    /// The model thread's, and what `look` returns.
    pub(crate) fn serving<E: From<Problem>>(
        app: &App,
        model: &Model,
        look: impl FnMut(usize) -> Result<(), E>,
    ) -> Result<Self, E> {
        let embedded = embedded_catalogue::embed_catalogue(app, &model.encoder, look)?;
        let whitening = Some(model.artifacts.whitening.clone());
        Ok(Self { whitening, ..Self::of(Arc::clone(&model.encoder), embedded) })
    }

    /// Takes the whitening of a version with the same encoder, unless the catalogue has outgrown it. Serving version and candidate then differ
    /// in their training only.
    pub(crate) fn in_the_way_of(self, model: &Model) -> Self {
        let known = model.artifacts.whitening.as_ref().filter(|known| {
            model.encoder_version() == self.version() && self.embedded.rows.len() < OUTGROWN * known.items()
        });
        Self { whitening: known.map(|known| Some(Arc::clone(known))), ..self }
    }

    /// How its vectors are whitened; known once its catalogue was asked for.
    pub(crate) fn whitening(&self) -> Option<Arc<Whitening>> {
        self.whitened.get()?.as_ref().map(|whitened| Arc::clone(whitened.whitening()))
    }

    /// Whitens a catalogue that has this encoder's vectors.
    fn whiten(&self, catalogue: &Catalogue) -> Answer<Option<WhitenedVectors>> {
        let Some(vectors) = catalogue.vectors() else { return Ok(None) };
        let Some(known) = &self.whitening else { return Ok(WhitenedVectors::fit(vectors)) };
        known.clone().map(|whitening| WhitenedVectors::new(vectors, whitening)).transpose().map_err(|e| internal(&e))
    }

    pub(crate) fn version(&self) -> &str {
        &self.encoder.identity().version
    }

    /// The items as the cycle numbers them, with this encoder's vectors.
    pub(crate) fn catalogue(&self, ids: &IdMap) -> Answer<Catalogue> {
        let mut catalogue = ids.catalogue(self.encoder.dim(), &self.embedded.rows).map_err(|e| internal(&e))?;
        let whitened = match self.whitened.get() {
            Some(whitened) => whitened.clone(),
            None => {
                let made = self.whiten(&catalogue)?;
                self.whitened.get_or_init(|| made).clone()
            }
        };
        catalogue.set_whitened(whitened);
        Ok(catalogue)
    }

    /// The items as the shop numbers them, with this encoder's vectors.
    pub(crate) fn shop_catalogue(&self, view: &ShopState) -> Answer<Catalogue> {
        let mut catalogue = view.rank.catalogue.clone();
        catalogue.set_vectors(Some(self.embedded.vectors(self.encoder.dim())?));
        catalogue.set_whitened(self.whiten(&catalogue)?);
        Ok(catalogue)
    }
}
