//! The serving version as the candidate of a cycle meets it: in the cycle's numbers, with its own encoder's vectors, and as of the cut-off.

use mercer_model::{BertEncoder, Encoder};
use mercer_rank::{Catalogue, Log, Ranker};

use crate::background::query_vectors;
use crate::gate::decide::Judged;
use crate::gate::eval_context::EvalContext;
use crate::gate::policy::ScoringPolicy;
use crate::gate::search_queries::MIN_SEARCHERS;
use crate::gate::search_queries::SearchQueries;
use crate::runs::context::{RunContext, RunExit};
use crate::runs::plan::Plan;
use crate::state::app::App;
use crate::state::dense_ids::IdMap;
use crate::state::shop::ShopState;
use crate::state::shop::model::Model;
use crate::versions::encoder_variant::EncoderVariant;

/// The serving version.
pub(crate) struct Incumbent<'a> {
    model: &'a Model,
    variant: EncoderVariant,
    catalogue: Catalogue,
    ranker: Option<Ranker>,
    /// Whether it has learned from the window.
    pub(crate) seen: bool,
}

impl<'a> Incumbent<'a> {
    /// The version that serves in a view. `base_encoder` is the encoder as it came that the cycle's texts of searches were embedded by.
    pub(crate) fn of(
        app: &App,
        (view, log): (&'a ShopState, &Log),
        (ids, base_encoder): (&IdMap, &BertEncoder),
        plan: &Plan,
        context: &RunContext<'_>,
    ) -> Result<Self, RunExit> {
        let model = &*view.model;
        let variant = EncoderVariant::serving(app, model, |_| context.check())?;
        let mut catalogue = variant.catalogue(ids)?;
        if model.artifacts.sequence.is_some() && model.base_encoder_version() != base_encoder.identity().version {
            // Its network reads searches by the encoder that was active when it was made.
            let texts = query_vectors::table(app, (view, log), &model.base_encoder, |_| context.check())?;
            catalogue.set_texts(Some(texts));
        }
        let ranker = ids.ranker(view, (log, plan.cut));
        let seen = model.meta.data.to.is_some_and(|to| to.millis() > plan.cut);
        Ok(Self { model, variant, catalogue, ranker, seen })
    }

    /// Name of the version.
    pub(crate) fn version(&self) -> &str {
        &self.model.meta.version
    }

    /// Whether a candidate is this very configuration.
    pub(crate) fn is_like(&self, variant: &EncoderVariant, policy: ScoringPolicy<'_>) -> bool {
        variant.version() == self.model.encoder_version()
            && variant.whitening() == self.model.artifacts.whitening
            && policy.ranker.is_some() == self.model.artifacts.ranker.is_some()
            && policy.blend.is_some() == self.model.artifacts.blend.is_some()
    }

    /// Whether a candidate of this very configuration knows more.
    pub(crate) fn is_refreshed_by(&self, variant: &EncoderVariant, policy: ScoringPolicy<'_>, plan: &Plan) -> bool {
        self.seen && self.is_like(variant, policy) && plan.cursor > self.model.meta.data.cursor
    }

    /// Its lists as they are served.
    pub(crate) fn as_served(&self, eval: &EvalContext<'_>) -> Result<Judged, RunExit> {
        let policy = ScoringPolicy { ranker: self.ranker.as_ref(), blend: self.model.artifacts.blend.as_ref() };
        eval.judged(self.catalogue.clone(), policy)
    }

    /// Its lists without what it has learned from the window, against a candidate's; and what both find by text, where the encoders differ
    /// and enough shoppers searched (else the candidate's searches are dropped).
    pub(crate) fn judged(
        &self,
        (app, view): (&App, &ShopState),
        eval: &EvalContext<'_>,
        (variant, policy, candidate): (&EncoderVariant, ScoringPolicy<'_>, &mut Judged),
        asked: &SearchQueries,
    ) -> Result<Judged, RunExit> {
        let context = eval.context;
        let mut judged = if self.seen && self.is_like(variant, policy) {
            context.note(
                "the serving version has this very configuration and knows this window: the candidate is a refresh of it",
            );
            candidate.clone()
        } else if self.seen {
            context.note(
                "the serving version knows this window, so its configuration is judged as made up to the cut-off",
            );
            eval.judged(
                self.catalogue.clone(),
                ScoringPolicy { ranker: self.ranker.as_ref().and(policy.ranker), blend: None },
            )?
        } else {
            self.as_served(eval)?
        };
        if asked.users() >= MIN_SEARCHERS && variant.version() != self.model.encoder_version() {
            let row = |n: u32| self.variant.embedded.rows.get(&n).map(|row| &**row);
            judged.search = asked.judge(app, view, &self.model.encoder, &row, context)?;
        } else {
            candidate.search.clear();
        }
        Ok(judged)
    }
}
