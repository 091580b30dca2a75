//! The serving version as the candidate of a cycle meets it: in the cycle's numbers, with its own encoder's vectors, and as of the cut-off.

use mercer_model::{BertEncoder, Encoder};
use mercer_rank::{Catalogue, Log, Ranker};

use super::arms::{Arm, MIN_SEARCHERS};
use super::canon::Canon;
use super::judge::Judged;
use super::order::Order;
use super::queries::Asked;
use super::scene::Scene;
use super::{Control, Ended, Plan};
use crate::app::App;
use crate::service::searches;
use crate::world::{Model, View};

/// The serving version.
pub(super) struct Opponent<'a> {
    model: &'a Model,
    arm: Arm,
    catalogue: Catalogue,
    ranker: Option<Ranker>,
    /// Whether it has learned from the window.
    pub(super) seen: bool,
}

impl<'a> Opponent<'a> {
    /// The version that serves in a view. `ruler` is the encoder as it came that the cycle's texts of searches were embedded by.
    pub(super) fn of(
        app: &App,
        (view, log): (&'a View, &Log),
        (canon, ruler): (&Canon, &BertEncoder),
        plan: &Plan,
        control: &Control<'_>,
    ) -> Result<Self, Ended> {
        let model = &*view.model;
        let arm = Arm::serving(app, model, control)?;
        let mut catalogue = arm.catalogue(canon)?;
        if model.network.is_some() && model.ruler_version() != ruler.identity().version {
            // Its network reads searches by the encoder that was active when it was made.
            let texts = searches::table(app, (view, log), &model.ruler, |_| control.check())?;
            catalogue.set_texts(Some(texts));
        }
        let ranker = canon.ranker(view, (log, plan.cut));
        let seen = model.meta.data.to.is_some_and(|to| to.millis() > plan.cut);
        Ok(Self { model, arm, catalogue, ranker, seen })
    }

    /// Name of the version.
    pub(super) fn version(&self) -> &str {
        &self.model.meta.version
    }

    /// Whether a candidate is this very configuration.
    pub(super) fn is_like(&self, arm: &Arm, order: &Order) -> bool {
        arm.version() == self.model.encoder_version()
            && arm.whitening() == self.model.whitening
            && order.ranker.is_some() == self.model.ranker.is_some()
            && order.blend.is_some() == self.model.blend.is_some()
    }

    /// Whether a candidate of this very configuration knows more.
    pub(super) fn is_refreshed_by(&self, arm: &Arm, order: &Order, plan: &Plan) -> bool {
        self.seen && self.is_like(arm, order) && plan.cursor > self.model.meta.data.cursor
    }

    /// Its lists as they are served.
    pub(super) fn as_served(&self, scene: &Scene<'_>) -> Result<Judged, Ended> {
        scene.judged(self.catalogue.clone(), self.ranker.as_ref(), self.model.blend.as_ref())
    }

    /// Its lists without what it has learned from the window, against a candidate's; and what both find by text, where the encoders differ
    /// and enough shoppers searched (else the candidate's searches are dropped).
    pub(super) fn judged(
        &self,
        (app, view): (&App, &View),
        scene: &Scene<'_>,
        (arm, order, candidate): (&Arm, &Order, &mut Judged),
        asked: &Asked,
    ) -> Result<Judged, Ended> {
        let control = scene.control;
        let mut judged = if self.seen && self.is_like(arm, order) {
            control.note(
                "the serving version has this very configuration and knows this window: the candidate is a refresh of it",
            );
            candidate.clone()
        } else if self.seen {
            control.note(
                "the serving version knows this window, so its configuration is judged as made up to the cut-off",
            );
            scene.judged(self.catalogue.clone(), self.ranker.as_ref().and(order.ranker.as_ref()), None)?
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
