//! Guarantees of the cross-encoder: what trains, repeatability, resuming, learning, and equal scores from every way of scoring.

use std::collections::BTreeSet;

use candle_core::Device;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::LearnError;
use crate::cache::CacheFormat;
use crate::fixture::{Tiny, values};
use crate::graph::{BaseEncoder, Method};
use crate::lora::{LoraOptions, Targets};
use crate::optim::AdamOptions;
use crate::run::{CheckpointOptions, Hooks, NothingToLearn, StopReason};
use crate::texts::TextTable;

const CPU: Device = Device::Cpu;
const THINGS: u32 = 12;

/// Histories and items about a few things, in words that differ; a pair is positive when both are about the same thing.
struct Matching {
    texts: TextTable,
    pairs: Vec<LabelledPair>,
}

impl Matching {
    fn new(pairs: usize, filler: std::ops::Range<u32>, seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut texts = TextTable::new();
        let pairs = (0..pairs)
            .map(|i| {
                let label = i % 3 == 0;
                let had = rng.random_range(0..THINGS);
                let other = (had + rng.random_range(1..THINGS)) % THINGS;
                let item = if label { had } else { other };
                let mut word = || rng.random_range(filler.clone());
                let history = texts.push(&[1, 4 + had, word(), word(), 2]);
                LabelledPair { history, item: texts.push(&[1, word(), 30 + item, 2]), label }
            })
            .collect();
        Self { texts, pairs }
    }

    fn set(&self) -> LabelledPairs<'_> {
        LabelledPairs { texts: &self.texts, pairs: &self.pairs }
    }
}

fn quick(steps: usize) -> CrossEncoderOptions {
    CrossEncoderOptions {
        upper_layers: 1,
        batch_pairs: 8,
        epochs: 1e3,
        max_steps: Some(steps),
        micro_tokens: 32,
        max_tokens: 40,
        seed: 3,
        adam: AdamOptions { learning_rate: 1e-3, ..CrossEncoderOptions::default().adam },
        ..CrossEncoderOptions::default()
    }
}

fn lora() -> Method {
    Method::Lora(LoraOptions { rank: 4, ..LoraOptions::default() })
}

/// Enough adapters to make something of random weights.
fn wide_lora() -> Method {
    Method::Lora(LoraOptions { targets: Targets::AllLinear, ..LoraOptions::default() })
}

fn run(tiny: &Tiny, set: &Matching, options: &CrossEncoderOptions) -> CrossEncoderOutcome {
    train(tiny.base(), set.set(), options, &CPU, &mut ()).unwrap()
}

fn bytes(o: &CrossEncoderOutcome) -> Vec<u8> {
    o.learned.to_bytes().unwrap()
}

#[test]
fn each_tensor_meant_to_train_changes_and_no_other_does() {
    let (tiny, set) = (Tiny::new(3, 32), Matching::new(40, 60..100, 1));
    let before = crate::graph::fingerprint(tiny.base()).unwrap();
    for head in [HeadKind::Pooled, HeadKind::First] {
        for (method, parts) in [
            (lora(), vec!["attention.self.query.weight", "attention.self.value.weight"]),
            (
                Method::Full,
                vec![
                    "attention.self.query.weight",
                    "attention.self.query.bias",
                    "attention.self.key.weight",
                    "attention.self.key.bias",
                    "attention.self.value.weight",
                    "attention.self.value.bias",
                    "attention.output.dense.weight",
                    "attention.output.dense.bias",
                    "attention.output.LayerNorm.weight",
                    "attention.output.LayerNorm.bias",
                    "intermediate.dense.weight",
                    "intermediate.dense.bias",
                    "output.dense.weight",
                    "output.dense.bias",
                    "output.LayerNorm.weight",
                    "output.LayerNorm.bias",
                ],
            ),
        ] {
            let options = CrossEncoderOptions { method, head, upper_layers: 2, ..quick(2) };
            let start = run(&tiny, &set, &CrossEncoderOptions { max_steps: Some(0), ..options.clone() });
            let end = run(&tiny, &set, &options);
            assert_eq!(end.steps, 2);
            let expected: BTreeSet<String> =
                [1, 2].iter().flat_map(|l| parts.iter().map(move |p| format!("encoder.layer.{l}.{p}"))).collect();
            let changed: BTreeSet<String> = end
                .learned
                .changed
                .iter()
                .filter(|(name, t)| values(t) != values(&tiny.tensors[*name]))
                .map(|(name, _)| name.clone())
                .collect();
            assert_eq!(changed, expected, "{head:?}");
            let (old, new) = (&start.learned.head, &end.learned.head);
            assert!(
                values(&old.weight).iter().zip(values(&new.weight)).all(|(a, b)| *a != b),
                "a weight of the head stayed"
            );
            assert_ne!(values(&old.bias), values(&new.bias));
        }
    }
    assert_eq!(crate::graph::fingerprint(tiny.base()).unwrap(), before, "training wrote into the base");
}

fn accuracy(scorer: &CrossEncoder, held_out: &Matching) -> f64 {
    let scores = scorer.score(held_out.set(), || true).unwrap();
    let (positive, negative): (Vec<_>, Vec<_>) = scores.iter().zip(&held_out.pairs).partition(|(_, p)| p.label);
    let mut concordant = 0.0;
    for (p, _) in &positive {
        for (n, _) in &negative {
            concordant += if p > n { 1.0 } else { 0.5 * f64::from(u8::from(p == n)) };
        }
    }
    concordant / (positive.len() * negative.len()) as f64
}

#[test]
fn held_out_pairs_are_told_apart_after_training_and_not_before() {
    let (tiny, set) = (Tiny::new(2, 32), Matching::new(1_200, 60..100, 1));
    let held_out = Matching::new(300, 100..119, 2);
    for (method, join, head) in [
        (Method::Full, Join::Upper, HeadKind::Pooled),
        (wide_lora(), Join::Upper, HeadKind::Pooled),
        (Method::Full, Join::First, HeadKind::First),
    ] {
        let options = CrossEncoderOptions {
            method,
            join,
            head,
            upper_layers: 2,
            batch_pairs: 16,
            micro_tokens: 256,
            ..quick(600)
        };
        let rate = if options.method == Method::Full { 2e-3 } else { 5e-3 };
        let options = CrossEncoderOptions { adam: AdamOptions { learning_rate: rate, ..options.adam }, ..options };
        let auc =
            |o: &CrossEncoderOutcome| accuracy(&CrossEncoder::new(tiny.base(), &o.learned, &CPU).unwrap(), &held_out);
        let before = auc(&run(&tiny, &set, &CrossEncoderOptions { max_steps: Some(0), ..options.clone() }));
        let trained = run(&tiny, &set, &options);
        let after = auc(&trained);
        eprintln!("{join:?} {head:?}: AUC {before:.3} before, {after:.3} after");
        assert!(after > 0.8 && after > before + 0.2, "{before} {after}");
        if options.method == Method::Full && join == Join::Upper {
            // The same pairs with their labels shuffled teach nothing that holds.
            let mut placebo = Matching::new(1_200, 60..100, 1);
            let labels: Vec<bool> = placebo.pairs.iter().map(|p| p.label).collect();
            placebo.pairs.iter_mut().enumerate().for_each(|(i, p)| p.label = labels[(i * 7 + 1) % labels.len()]);
            let with_placebo = auc(&run(&tiny, &placebo, &options));
            assert!(with_placebo < 0.65, "{with_placebo}");
        }
    }
}

/// Stops after some questions.
#[derive(Default)]
struct Stopping {
    after: Option<usize>,
    asked: usize,
}

impl Hooks for Stopping {
    fn should_stop(&mut self) -> bool {
        self.asked += 1;
        self.after.is_some_and(|n| self.asked > n)
    }
}

#[test]
fn a_resumed_run_ends_with_the_bits_of_an_uninterrupted_one() {
    let (tiny, set) = (Tiny::new(2, 32), Matching::new(60, 60..100, 1));
    for method in [Method::Full, lora()] {
        let options = CrossEncoderOptions { method, ..quick(13) };
        let straight = run(&tiny, &set, &options);
        assert_eq!(bytes(&straight), bytes(&run(&tiny, &set, &options)));
        assert_ne!(bytes(&straight), bytes(&run(&tiny, &set, &CrossEncoderOptions { seed: 4, ..options.clone() })));
        let dir = tempfile::tempdir().unwrap();
        let checkpoint = Some(CheckpointOptions { dir: dir.path().join("run"), every: 2, keep: 2 });
        let options = CrossEncoderOptions { checkpoint, ..options };
        let (mut resumed, mut cuts) = (None, 0);
        for round in 0..40 {
            let mut hooks = Stopping { after: Some(9 + 4 * (round % 3)), asked: 0 };
            let o = train(tiny.base(), set.set(), &options, &CPU, &mut hooks).unwrap();
            if o.stopped == StopReason::Finished {
                resumed = Some(o);
                break;
            }
            assert_eq!(o.stopped, StopReason::Cancelled);
            cuts += 1;
        }
        let resumed = resumed.unwrap();
        assert!(cuts >= 3, "{cuts}");
        assert_eq!((bytes(&resumed), &resumed.losses), (bytes(&straight), &straight.losses));
        let other = Matching::new(60, 60..100, 9);
        let error = train(tiny.base(), other.set(), &options, &CPU, &mut ()).unwrap_err();
        assert!(matches!(error, LearnError::Foreign { what: "texts or pairs", .. }), "{error}");
    }
}

#[test]
fn every_way_of_scoring_gives_the_same() {
    let (tiny, set) = (Tiny::new(3, 32), Matching::new(60, 60..100, 1));
    for join in [Join::Upper, Join::First] {
        let trained = run(&tiny, &set, &CrossEncoderOptions { join, upper_layers: 2, ..quick(5) });
        let read = CrossEncoderWeights::from_bytes(&bytes(&trained), std::path::Path::new("x"), &CPU).unwrap();
        assert_eq!(read.meta, trained.learned.meta);
        let scorer = CrossEncoder::new(tiny.base(), &read, &CPU).unwrap();
        let scores = scorer.score(set.set(), || true).unwrap();
        assert_eq!(scores.len(), set.pairs.len());
        for round in 0..2 {
            for (pair, score) in set.pairs.iter().zip(&scores).take(10) {
                let items = vec![set.texts.get(pair.item).to_vec(), set.texts.get(set.pairs[0].item).to_vec()];
                let list = scorer.score_list(set.texts.get(pair.history), &items).unwrap();
                // Frozen states are rounded to half precision in one of the two.
                assert!((list[0] - score).abs() < 0.05, "{join:?} round {round}: {} {score}", list[0]);
            }
        }
        assert_eq!(scorer.score_list(&[1, 5, 2], &[]).unwrap(), Vec::<f32>::new());
        let mut rounds = 0;
        let some = scorer.score(set.set(), || {
            rounds += 1;
            rounds < 1
        });
        assert_eq!(some.unwrap(), Vec::<f32>::new());
    }
}

#[test]
fn pieces_and_cache_change_nothing_but_rounding() {
    let (tiny, set) = (Tiny::new(2, 32), Matching::new(40, 60..100, 1));
    let options = CrossEncoderOptions { dropout: 0.0, cache_format: CacheFormat::F32, ..quick(5) };
    let reference = run(&tiny, &set, &options);
    assert!(reference.cache.hits > reference.cache.computed, "{:?}", reference.cache);
    for other in [
        CrossEncoderOptions { micro_tokens: 1, ..options.clone() },
        CrossEncoderOptions { micro_tokens: 10_000, ..options.clone() },
        CrossEncoderOptions { cache_bytes: 0, ..options.clone() },
    ] {
        let o = run(&tiny, &set, &other);
        for (a, b) in reference.losses.iter().zip(&o.losses) {
            assert!((a - b).abs() < 1e-4, "{a} {b} {other:?}");
        }
    }
}

#[test]
fn too_little_data_and_other_weights_end_well() {
    let (tiny, mut set) = (Tiny::new(2, 32), Matching::new(30, 60..100, 1));
    let all = std::mem::take(&mut set.pairs);
    let stopped = |set: &Matching| run(&tiny, set, &quick(2)).stopped;
    assert_eq!(stopped(&set), StopReason::NothingToLearn(NothingToLearn::NoPairs));
    set.pairs = all.iter().copied().filter(|p| p.label).collect();
    assert_eq!(stopped(&set), StopReason::NothingToLearn(NothingToLearn::OneClass));
    set.pairs = all;
    let trained = run(&tiny, &set, &quick(2));
    let wide = Tiny::new(2, 64);
    assert!(CrossEncoder::new(wide.base(), &trained.learned, &CPU).unwrap_err().to_string().contains("other base"));
    let file = bytes(&trained);
    let broken = CrossEncoderWeights::from_bytes(&file[..file.len() - 4], std::path::Path::new("pair"), &CPU);
    assert!(broken.unwrap_err().to_string().starts_with("pair: "));
    let outside = LabelledPair { history: set.texts.push(&[1, 500, 2]), ..set.pairs[0] };
    set.pairs.push(outside);
    let error = train(tiny.base(), set.set(), &quick(2), &CPU, &mut ()).unwrap_err();
    assert!(error.to_string().contains("token 500"), "{error}");
    // No layer trains: the head alone does.
    set.pairs.pop();
    let head = run(&tiny, &set, &CrossEncoderOptions { upper_layers: 0, ..quick(2) });
    assert_eq!((head.steps, head.learned.changed.len()), (2, 0));
    let base = BaseEncoder { tensors: &tiny.tensors, ..tiny.base() };
    assert!(CrossEncoder::new(base, &head.learned, &CPU).is_ok());
}
