//! The encoders of the experiment: the base, and for each seed the chains that learn from window to window. An arm is
//! represented by its vectors of the catalogue. They are not stored in the daemon's vector cache, because no version
//! will serve them.

use std::time::Duration;

use mercer_learn::cross_encoder::examples::TimeWindow;
use mercer_learn::examples::permute_positives;
use mercer_learn::{Adapter, BaseEncoder, Hooks, TrainingSet, TuneOptions, tune};
use mercer_model::{BertEncoder, Checkpoint, Encoder, ModelHandle, TextKind};
use mercer_rank::Vectors;
use mercer_search::passage_text;

use crate::runs::context::failed;
use crate::runs::context::{RunContext, RunExit};
use crate::runs::labelled_log::Scope;
use crate::state::app::App;
use crate::state::problems::model_problem;
use crate::state::shop::ShopState;
use crate::training::contrastive_pairs::{Examples, gather};
use crate::versions::load;

/// Items embedded between two looks at the operator's wishes.
const SLICE: usize = 64;
/// How long the experiment waits at once while serving needs the machine.
const YIELD: Duration = Duration::from_millis(5);

/// Steps of an arm's encoder over a whole experiment, per seed.
pub(crate) fn steps_of(arm: &str, windows: u32, steps: u32, warm: u32) -> u64 {
    let learned = u64::from(windows.saturating_sub(1));
    match arm {
        "F1" | "S1" => u64::from(warm),
        "F2" | "P1" => u64::from(warm) + learned * u64::from(steps),
        "F4" => (learned + 1) * u64::from(warm),
        _ => 0,
    }
}

struct Patient<'a, 'b> {
    context: &'a RunContext<'b>,
    model: ModelHandle,
}

impl Hooks for Patient<'_, '_> {
    fn should_stop(&mut self) -> bool {
        self.context.check().is_err()
    }

    fn yield_now(&mut self) {
        if self.model.stats().serving_waiting > 0 {
            std::thread::sleep(YIELD);
        }
    }
}

/// How an encoder is tuned in one window.
#[derive(Debug, Clone, Copy)]
struct Tuning {
    steps: u32,
    seed: u64,
    /// Whether positives are permuted: the arm that shows what chance brings.
    placebo: bool,
}

/// What encoders are tuned from.
pub(crate) struct Tuner<'a> {
    pub(crate) app: &'a App,
    pub(crate) view: &'a ShopState,
    pub(crate) base: &'a Checkpoint,
    pub(crate) cursor: u64,
}

impl Tuner<'_> {
    /// Vectors of the catalogue by the base as it is.
    pub(crate) fn base_vectors(&self, context: &RunContext<'_>) -> Result<Vectors, RunExit> {
        self.embed(self.base.clone(), context)
    }

    fn embed(&self, checkpoint: Checkpoint, context: &RunContext<'_>) -> Result<Vectors, RunExit> {
        let encoder = BertEncoder::on_best_device(checkpoint).map_err(|e| model_problem(&e))?;
        let texts: Vec<String> = self.view.items.iter().map(|item| passage_text(item)).collect();
        let mut rows = Vectors::new(encoder.dim());
        let mut number = 0u32;
        for slice in texts.chunks(SLICE) {
            context.check()?;
            let words: Vec<&str> = slice.iter().map(String::as_str).collect();
            let made = encoder.embed(&words, TextKind::Passage).map_err(|e| model_problem(&e))?;
            for row in made.rows() {
                rows.set(number, row.into()).map_err(|e| failed(&e))?;
                number += 1;
            }
        }
        Ok(rows)
    }

    /// Tunes for `steps` steps on the pairs of a window, with experience replay of older ones, starting from `start` or
    /// from the base. `placebo` permutes the positives. Without anything to learn it returns the start.
    fn tune(
        &self,
        start: Option<&Adapter>,
        TimeWindow { after_ms: since, until_ms: until }: TimeWindow,
        Tuning { steps, seed, placebo }: Tuning,
        context: &RunContext<'_>,
    ) -> Result<Link, RunExit> {
        let scope = Scope { cursor: self.cursor, after: i64::MIN, until };
        let Examples { texts, mut pairs, known, .. } = gather(self.app, self.view, self.base, scope, since, seed)?;
        if placebo {
            pairs = permute_positives(&pairs, seed ^ until as u64);
        }
        let base =
            BaseEncoder { config: &self.base.config, pooling: self.base.rules.pooling, tensors: &self.base.tensors };
        let options = TuneOptions { epochs: 1e6, max_steps: Some(steps as usize), seed, ..TuneOptions::default() };
        let outcome = {
            let mut hooks = Patient { context, model: self.app.model.clone() };
            let set = TrainingSet { texts: &texts, pairs: &pairs, known: &known, teacher: None };
            tune(base, set, start, &options, &mercer_model::device::pick(), &mut hooks).map_err(|e| failed(&e))?
        };
        context.check()?;
        context.update(|run| {
            run.step += 1;
            run.loss = outcome.losses.last().map(|loss| f64::from(*loss));
        });
        if outcome.steps == 0 {
            let checkpoint = match start {
                Some(adapter) => load::merged(self.base, adapter)?,
                None => self.base.clone(),
            };
            return Ok(Link { adapter: start.cloned(), vectors: self.embed(checkpoint, context)? });
        }
        let changed = outcome.learned.changed(&self.base.tensors).map_err(|e| failed(&e))?;
        let checkpoint = self.base.with_tensors(&self.base.identity.name, changed).map_err(|e| failed(&e))?;
        let vectors = self.embed(checkpoint, context)?;
        Ok(Link { adapter: Some(outcome.learned), vectors })
    }
}

/// An encoder in the course of the experiment.
#[derive(Clone)]
struct Link {
    adapter: Option<Adapter>,
    vectors: Vectors,
}

/// Steps of one window.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Steps {
    /// Of the arms that go on from the window before.
    pub(crate) on: u32,
    /// Of the arm that begins anew.
    pub(crate) anew: u32,
}

/// The learning arms of one seed.
pub(crate) struct Chain {
    warm: Link,
    continued: Link,
    anew: Link,
    placebo: Link,
}

impl Chain {
    /// Tunes on everything before the first window; all arms begin there.
    pub(crate) fn begin(
        tuner: &Tuner<'_>,
        first: i64,
        steps: u32,
        seed: u64,
        context: &RunContext<'_>,
    ) -> Result<Self, RunExit> {
        let before = TimeWindow { after_ms: i64::MIN, until_ms: first };
        let warm = tuner.tune(None, before, Tuning { steps, seed, placebo: false }, context)?;
        Ok(Self { continued: warm.clone(), anew: warm.clone(), placebo: warm.clone(), warm })
    }

    /// Learns from a past window, with the same pairs and steps for F2 and its placebo.
    pub(crate) fn learn(
        &mut self,
        tuner: &Tuner<'_>,
        window: TimeWindow,
        steps: Steps,
        seed: u64,
        context: &RunContext<'_>,
    ) -> Result<(), RunExit> {
        let go_on = |link: &Link, placebo, context: &RunContext<'_>| {
            tuner.tune(link.adapter.as_ref(), window, Tuning { steps: steps.on, seed, placebo }, context)
        };
        self.continued = go_on(&self.continued, false, context)?;
        self.placebo = go_on(&self.placebo, true, context)?;
        let all = TimeWindow { after_ms: i64::MIN, ..window };
        self.anew = tuner.tune(None, all, Tuning { steps: steps.anew, seed, placebo: false }, context)?;
        Ok(())
    }

    /// Vectors of the arms as they are now.
    pub(crate) fn vectors(&self) -> Vec<(&'static str, Vectors)> {
        [("F1", &self.warm), ("F2", &self.continued), ("F4", &self.anew), ("P1", &self.placebo)]
            .map(|(name, link)| (name, link.vectors.clone()))
            .into()
    }

    /// Vectors of the warm-up's encoder.
    pub(crate) fn warm(&self) -> &Vectors {
        &self.warm.vectors
    }
}
