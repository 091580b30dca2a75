//! The incumbent: the serving version, prepared for the comparison with a candidate. It uses the cycle's numbers, its
//! own encoder's vectors, and nothing later than the cut-off.

use std::sync::Arc;

use mercer_model::{BertEncoder, Encoder};
use mercer_rank::{Catalogue, Log, Ranker, SequenceScorer};

use crate::background::query_vectors;
use crate::gate::eval_context::EvalContext;
use crate::gate::evaluate::Evaluated;
use crate::gate::policy::FittedPolicy;
use crate::gate::search_queries::SearchQueries;
use crate::gate::version_config::{IncumbentFacts, IncumbentFit, VersionConfig, choose_fit};
use crate::runs::context::{RunContext, RunExit};
use crate::runs::plan::Plan;
use crate::state::app::App;
use crate::state::artifacts::{Artifacts, Which};
use crate::state::dense_ids::IdMap;
use crate::state::problems::Answer;
use crate::state::shop::ShopState;
use crate::state::shop::model::Model;
use crate::versions::encoder_variant::EncoderVariant;
use crate::versions::layout::directory;

/// The shop in a cycle's numbers.
#[derive(Clone, Copy)]
pub(crate) struct NumberedShop<'a> {
    /// The state of the shop.
    pub(crate) view: &'a ShopState,
    /// The numbers.
    pub(crate) ids: &'a IdMap,
    /// The log in these numbers.
    pub(crate) log: &'a Log,
}

/// The serving version.
pub(crate) struct Incumbent<'a> {
    /// The version.
    pub(crate) model: &'a Model,
    variant: EncoderVariant,
    /// The items with its encoder's vectors.
    pub(crate) catalogue: Catalogue,
    ranker: Option<Ranker>,
    /// The ranker that its own gate evaluated, if it was kept and the cycle may need it.
    judged_ranker: Option<Ranker>,
    config: VersionConfig,
    /// Whether what serves has learned from the window.
    pub(crate) has_seen_window: bool,
}

impl<'a> Incumbent<'a> {
    /// The version that serves. `base_encoder` is the untuned encoder, by which the cycle's queries were embedded.
    pub(crate) fn new(
        app: &App,
        shop: NumberedShop<'a>,
        base_encoder: &BertEncoder,
        plan: &Plan,
        context: &RunContext<'_>,
    ) -> Result<Self, RunExit> {
        let model = &*shop.view.model;
        let variant = EncoderVariant::serving(app, model, |_| context.check())?;
        let mut catalogue = variant.catalogue(shop.ids)?;
        if model.artifacts.sequence.is_some() && model.base_encoder_version() != base_encoder.identity().version {
            // Its sequence model reads queries by the encoder that was active when it was made.
            let texts = query_vectors::table(app, shop.view, shop.log, &model.base_encoder, |_| context.check())?;
            catalogue.set_texts(Some(texts));
        }
        let ranker = shop.ids.ranker(shop.view, shop.log, plan.cutoff);
        let policy = FittedPolicy { ranker: model.artifacts.ranker.as_deref(), blend: model.artifacts.blend.as_ref() };
        let config = VersionConfig::new(policy, model.encoder_version(), model.artifacts.whitening.as_deref());
        // The rule that derives weights from the log has learned nothing but what the index of the cut-off knows.
        let learned = config.ranker.ranker || config.fitted_blend;
        let has_seen_window = learned && model.meta.data.to.is_some_and(|to| to.millis() > plan.cutoff);
        let judged_ranker = if has_seen_window { judged_ranker(app, shop, plan.cutoff)? } else { None };
        Ok(Self { model, variant, catalogue, ranker, judged_ranker, config, has_seen_window })
    }

    /// Name of the version.
    pub(crate) fn version(&self) -> &str {
        &self.model.meta.version
    }

    /// Which fit of it a candidate is compared with.
    pub(crate) fn fit_for(&self, candidate: &VersionConfig, plan: &Plan) -> IncumbentFit {
        let gate = self.model.meta.gate.as_ref().filter(|_| self.judged_ranker.is_some());
        let facts = IncumbentFacts {
            has_seen_window: self.has_seen_window,
            judged_cutoff: gate.map(|gate| gate.from.millis()),
            candidate_is_newer: plan.cursor > self.model.meta.data.cursor,
        };
        choose_fit(candidate, &self.config, facts, plan.cutoff)
    }

    /// Its lists as they are served.
    pub(crate) fn evaluate_served(&self, eval: &EvalContext<'_>) -> Result<Evaluated, RunExit> {
        self.evaluate(eval, FittedPolicy { ranker: self.ranker.as_ref(), blend: self.model.artifacts.blend.as_ref() })
    }

    /// Its lists by the ranker that its own gate compared.
    pub(crate) fn evaluate_judged(&self, eval: &EvalContext<'_>) -> Result<Evaluated, RunExit> {
        self.evaluate(eval, FittedPolicy { ranker: self.judged_ranker.as_ref(), blend: None })
    }

    /// Its lists by another fit, with its own encoder's vectors.
    pub(crate) fn evaluate(&self, eval: &EvalContext<'_>, policy: FittedPolicy<'_>) -> Result<Evaluated, RunExit> {
        eval.evaluate(&self.catalogue, policy)
    }

    /// Whether a variant has the same text vectors, so that both give the same search results.
    pub(crate) fn searches_like(&self, variant: &EncoderVariant) -> bool {
        variant.version() == self.model.encoder_version()
    }

    /// NDCG@10 of its search for each searching user.
    pub(crate) fn evaluate_search(
        &self,
        app: &App,
        view: &ShopState,
        queries: &SearchQueries,
        context: &RunContext<'_>,
    ) -> Result<Vec<f64>, RunExit> {
        let row = |n: u32| self.variant.embedded.rows.get(&n).map(|row| &**row);
        queries.evaluate(app, view, &self.model.encoder, &row, context)
    }
}

/// The ranker that the serving version's gate compared, its sequence model in the cycle's numbers and as of a moment.
fn judged_ranker(app: &App, shop: NumberedShop<'_>, at: i64) -> Answer<Option<Ranker>> {
    let dir = directory(&app.config.state, &shop.view.model.meta.version);
    let Artifacts { judged_ranker, judged_sequence, .. } = Artifacts::load(&dir, Which::Judged)?;
    let Some(ranker) = judged_ranker.map(Arc::unwrap_or_clone) else { return Ok(None) };
    let sequence: Option<Arc<dyn SequenceScorer>> =
        judged_sequence.map(|model| model.as_of(shop.ids.ids(shop.view).iter(), shop.log, at));
    Ok(Some(ranker.with_sequence(sequence)))
}
