//! The serving version as the candidate of a cycle meets it: in the cycle's numbers, with its own encoder's vectors, and as of the cut-off.

use mercer_model::{BertEncoder, Encoder};
use mercer_rank::{Catalogue, Log, Ranker};

use crate::background::query_vectors;
use crate::gate::decide::Judged;
use crate::gate::eval_context::Scene;
use crate::gate::policy::ScoringPolicy;
use crate::gate::search_queries::Asked;
use crate::gate::search_queries::MIN_SEARCHERS;
use crate::runs::context::{Control, Ended};
use crate::runs::plan::Plan;
use crate::state::app::App;
use crate::state::dense_ids::Canon;
use crate::state::shop::View;
use crate::state::shop::model::Model;
use crate::versions::encoder_variant::Arm;

/// The serving version.
pub(crate) struct Opponent<'a> {
    model: &'a Model,
    arm: Arm,
    catalogue: Catalogue,
    ranker: Option<Ranker>,
    /// Whether it has learned from the window.
    pub(crate) seen: bool,
}

impl<'a> Opponent<'a> {
    /// The version that serves in a view. `ruler` is the encoder as it came that the cycle's texts of searches were embedded by.
    pub(crate) fn of(
        app: &App,
        (view, log): (&'a View, &Log),
        (canon, ruler): (&Canon, &BertEncoder),
        plan: &Plan,
        control: &Control<'_>,
    ) -> Result<Self, Ended> {
        let model = &*view.model;
        let arm = Arm::serving(app, model, |_| control.check())?;
        let mut catalogue = arm.catalogue(canon)?;
        if model.network.is_some() && model.ruler_version() != ruler.identity().version {
            // Its network reads searches by the encoder that was active when it was made.
            let texts = query_vectors::table(app, (view, log), &model.ruler, |_| control.check())?;
            catalogue.set_texts(Some(texts));
        }
        let ranker = canon.ranker(view, (log, plan.cut));
        let seen = model.meta.data.to.is_some_and(|to| to.millis() > plan.cut);
        Ok(Self { model, arm, catalogue, ranker, seen })
    }

    /// Name of the version.
    pub(crate) fn version(&self) -> &str {
        &self.model.meta.version
    }

    /// Whether a candidate is this very configuration.
    pub(crate) fn is_like(&self, arm: &Arm, policy: ScoringPolicy<'_>) -> bool {
        arm.version() == self.model.encoder_version()
            && arm.whitening() == self.model.whitening
            && policy.ranker.is_some() == self.model.ranker.is_some()
            && policy.blend.is_some() == self.model.blend.is_some()
    }

    /// Whether a candidate of this very configuration knows more.
    pub(crate) fn is_refreshed_by(&self, arm: &Arm, policy: ScoringPolicy<'_>, plan: &Plan) -> bool {
        self.seen && self.is_like(arm, policy) && plan.cursor > self.model.meta.data.cursor
    }

    /// Its lists as they are served.
    pub(crate) fn as_served(&self, scene: &Scene<'_>) -> Result<Judged, Ended> {
        let policy = ScoringPolicy { ranker: self.ranker.as_ref(), blend: self.model.blend.as_ref() };
        scene.judged(self.catalogue.clone(), policy)
    }

    /// Its lists without what it has learned from the window, against a candidate's; and what both find by text, where the encoders differ
    /// and enough shoppers searched (else the candidate's searches are dropped).
    pub(crate) fn judged(
        &self,
        (app, view): (&App, &View),
        scene: &Scene<'_>,
        (arm, policy, candidate): (&Arm, ScoringPolicy<'_>, &mut Judged),
        asked: &Asked,
    ) -> Result<Judged, Ended> {
        let control = scene.control;
        let mut judged = if self.seen && self.is_like(arm, policy) {
            control.note(
                "the serving version has this very configuration and knows this window: the candidate is a refresh of it",
            );
            candidate.clone()
        } else if self.seen {
            control.note(
                "the serving version knows this window, so its configuration is judged as made up to the cut-off",
            );
            scene.judged(
                self.catalogue.clone(),
                ScoringPolicy { ranker: self.ranker.as_ref().and(policy.ranker), blend: None },
            )?
        } else {
            self.as_served(scene)?
        };
        if asked.users() >= MIN_SEARCHERS && arm.version() != self.model.encoder_version() {
            let row = |n: u32| self.arm.embedded.rows.get(&n).map(|row| &**row);
            judged.search = asked.judge(app, view, &self.model.encoder, &row, control)?;
        } else {
            candidate.search.clear();
        }
        Ok(judged)
    }
}
