//! The model as a whole on small synthetic shops: what may and may not affect it.

mod learns;
mod scores;
mod stages;

use std::sync::Arc;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::history::DAY_MS;
use super::{
    AdvanceOutcome, ItemFeatures, SequenceEvent, SequenceLog, SequenceModel, SequenceOptions, SequenceTrainer,
    TargetEvent,
};
use crate::optim::AdamOptions;

/// Width of text vectors.
pub(super) const TEXT: usize = 6;

pub(super) fn line(item: u32, kind: u8, value: f32, at: i64) -> SequenceEvent {
    SequenceEvent { item: Some(item), text: None, kind, value, at }
}

pub(super) struct Shop {
    pub(super) items: ItemFeatures,
    pub(super) users: Vec<Vec<SequenceEvent>>,
    pub(super) queries: Vec<f32>,
}

/// Vectors and prices of `n` items; the first are the same whatever `n` is.
pub(super) fn items(n: usize, text: usize) -> ItemFeatures {
    let rng = &mut ChaCha8Rng::seed_from_u64(5);
    let vectors: Vec<f32> = (0..n * text).map(|_| rng.random_range(-1.0f32..1.0)).collect();
    let prices: Vec<f32> = (0..n).map(|i| if i % 7 == 0 { 0.0 } else { 1.0 + i as f32 }).collect();
    ItemFeatures::new(text, vectors.into(), prices.into()).unwrap()
}

/// Users who search, look and buy at random; the last two of `n` items have no event.
pub(super) fn shop(n: u32, users: usize, days: i64) -> Shop {
    let rng = &mut ChaCha8Rng::seed_from_u64(6);
    let queries = (0..4 * TEXT).map(|_| rng.random_range(-1.0f32..1.0)).collect();
    let one = |rng: &mut ChaCha8Rng| {
        let mut events = Vec::new();
        for day in (0..days).step_by(3) {
            let at = day * DAY_MS + rng.random_range(0..DAY_MS);
            let text = Some(rng.random_range(0..4u32));
            events.push(SequenceEvent { item: None, text, kind: 2, value: 1.0, at: at - 1000 });
            for _ in 0..rng.random_range(1..4) {
                let item = rng.random_range(0..n - 2);
                events.push(line(item, u8::from(rng.random_bool(0.2)), rng.random_range(1.0f32..5.0), at));
            }
        }
        events
    };
    let users = (0..users).map(|_| one(rng)).collect();
    Shop { items: items(n as usize, TEXT), users, queries }
}

impl Shop {
    pub(super) fn log(&self) -> SequenceLog<'_> {
        SequenceLog { users: &self.users, queries: &self.queries }
    }

    pub(super) fn train(&self, o: &SequenceOptions, until: i64) -> (SequenceTrainer, SequenceModel) {
        let mut trainer = SequenceTrainer::new(o.clone(), &self.items).unwrap();
        let model = advance(&mut trainer, self, until).model.unwrap();
        (trainer, model)
    }

    pub(super) fn score(&self, model: &SequenceModel, user: usize, at: i64) -> Vec<f32> {
        let mut out = vec![0.0; model.items()];
        model.score(&self.users[user], &self.queries, at, &mut out).unwrap();
        out
    }
}

pub(super) fn advance(trainer: &mut SequenceTrainer, shop: &Shop, until: i64) -> AdvanceOutcome {
    trainer.advance(&shop.items, shop.log(), until, &mut ()).unwrap()
}

pub(super) fn small() -> SequenceOptions {
    SequenceOptions {
        width: 8,
        layers: 2,
        heads: 2,
        inner: 12,
        tokens: 24,
        batch: 4,
        epochs: 1.0,
        epochs_later: 1.0,
        negatives: 12,
        horizon_days: 5.0,
        id_dropout: 0.1,
        adam: AdamOptions { learning_rate: 5e-3, ..AdamOptions::default() },
        ..SequenceOptions::default()
    }
}

/// Bytes of a model trained on a pool of so many threads.
pub(super) fn on_threads(n: usize, job: impl FnOnce() -> Vec<u8> + Send) -> Vec<u8> {
    rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap().install(job)
}

pub(super) fn close(a: &[f32], b: &[f32], tolerance: f32) {
    assert_eq!(a.len(), b.len());
    for (i, (x, y)) in a.iter().zip(b).enumerate() {
        assert!((x - y).abs() <= tolerance * (1.0 + x.abs()), "{i}: {x} and {y}");
    }
}
