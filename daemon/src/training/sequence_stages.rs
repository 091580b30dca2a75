//! Trains sequence models as of many cut-offs: each stage continues from the one before.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mercer_learn::sequence::{
    AdvanceOutcome, ItemFeatures, SequenceEvent, SequenceLog, SequenceOptions, SequenceTrainer,
};
use mercer_learn::{Hooks, LearnError};
use mercer_rank::{Log, SequenceScorer, SequenceScorerHistory, Vectors};

use crate::state::sequence::{Searches, TrainedSequenceModel, interactions};

/// What sequence models are trained on.
#[derive(Clone, Copy)]
pub struct SequenceData<'a> {
    /// The log.
    pub log: &'a Log,
    /// Vectors of the queries in it.
    pub texts: Option<&'a Vectors>,
    /// The items.
    pub items: &'a ItemFeatures,
}

/// Sequence models by the cut-off up to which they were trained.
#[derive(Debug, Default)]
pub struct SequenceStages(BTreeMap<i64, Arc<TrainedSequenceModel>>);

impl SequenceStages {
    /// The model as of a cut-off that was asked for.
    #[must_use]
    pub fn get(&self, cutoff: i64) -> Option<&Arc<TrainedSequenceModel>> {
        self.0.get(&cutoff)
    }

    /// Trains up to each cut-off that has no model yet; `each` is called after every stage. If a stage before the
    /// newest one is missing, all are trained again, because a model cannot forget later data. False if the hooks
    /// stopped it.
    ///
    /// # Errors
    /// As [`SequenceTrainer::advance`].
    pub fn train(
        &mut self,
        data: SequenceData<'_>,
        options: SequenceOptions,
        cuts: &BTreeSet<i64>,
        hooks: &mut dyn Hooks,
        each: &mut dyn FnMut(&AdvanceOutcome),
    ) -> Result<bool, LearnError> {
        let SequenceData { log, texts, items } = data;
        let mut missing: Vec<i64> = cuts.iter().copied().filter(|cutoff| !self.0.contains_key(cutoff)).collect();
        let newest = self.0.last_key_value().filter(|(until, _)| missing.first().is_none_or(|cutoff| cutoff > until));
        let mut trainer = match newest {
            Some((_, trained)) => SequenceTrainer::from_model(trained.model(), options)?,
            None => {
                self.0.clear();
                missing = cuts.iter().copied().collect();
                SequenceTrainer::new(options, items)?
            }
        };
        let last = cuts.last().copied().unwrap_or(0);
        let number = |item: u32| ((item as usize) < items.len()).then_some(item);
        let users = 0..log.users() as u32;
        let asked = users.clone().flat_map(|user| log.until(user, last)).filter_map(|e| e.text);
        let searches = Searches::of(texts, items.dim(), asked);
        let read: Vec<Vec<SequenceEvent>> =
            users.map(|user| interactions(log.until(user, last), number, &searches)).collect();
        let behaviour = SequenceLog { users: &read, queries: &searches.flat };
        for cutoff in missing {
            let mut advance = trainer.advance(items, behaviour, cutoff, hooks)?;
            each(&advance);
            let Some(model) = advance.model.take() else { return Ok(false) };
            self.0.insert(cutoff, Arc::new(TrainedSequenceModel(model)));
        }
        Ok(true)
    }
}

impl SequenceScorerHistory for SequenceStages {
    fn at(&self, moment: i64) -> Option<Arc<dyn SequenceScorer>> {
        self.0.get(&moment).map(|model| Arc::clone(model) as Arc<dyn SequenceScorer>)
    }
}
