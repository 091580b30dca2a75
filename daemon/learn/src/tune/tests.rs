//! Guarantees of a run: what trains and what does not, repeatability, resuming, yielding, learning, bad input.

use std::collections::{BTreeMap, BTreeSet};

use candle_core::{Device, Tensor};

use super::*;
use crate::cache::CacheFormat;
use crate::contrastive_pairs::{Anchor, ContrastivePair};
use crate::error::LearnError;
use crate::examples::permute_positives;
use crate::fixture::{CONCEPTS, Planted, Tiny, values};
use crate::graph::{BaseEncoder, Method, TunableEncoder};
use crate::lora::{Adapter, LoraOptions, LowRankPair, Targets};
use crate::run::{CheckpointOptions, Hooks, NothingToLearn, StepReport, StopReason};

mod methods;
mod teacher;

const CPU: Device = Device::Cpu;

fn quick(steps: usize) -> TuneOptions {
    TuneOptions {
        method: Method::Lora(LoraOptions { rank: 4, ..LoraOptions::default() }),
        upper_layers: 1,
        batch_pairs: 8,
        epochs: 1e3,
        max_steps: Some(steps),
        micro_tokens: 32,
        seed: 3,
        ..TuneOptions::default()
    }
}

/// Long and fast enough to find held-out synonyms.
fn thorough(method: Method) -> TuneOptions {
    TuneOptions {
        method,
        upper_layers: 2,
        batch_pairs: 32,
        adam: crate::optim::AdamOptions { learning_rate: 5e-3, ..Default::default() },
        pull: 0.0,
        ..quick(120)
    }
}

fn run(tiny: &Tiny, planted: &Planted, options: &TuneOptions) -> TuneOutcome {
    tune(tiny.base(), planted.set(), None, options, &CPU, &mut ()).unwrap()
}

/// All learned tensors by name.
fn tensors(o: &TuneOutcome) -> BTreeMap<String, Vec<f32>> {
    let sides = |(n, LowRankPair { a, b }): (&String, &LowRankPair)| {
        [(format!("{n}.A"), values(a)), (format!("{n}.B"), values(b))]
    };
    let weights = o.learned.weights.iter().map(|(n, t)| (n.clone(), values(t)));
    o.learned.pairs.iter().flat_map(sides).chain(weights).collect()
}

/// Names of the weights of a checkpoint that differ after tuning.
fn differing(tiny: &Tiny, o: &TuneOutcome) -> BTreeSet<String> {
    let changed = o.learned.changed(&tiny.tensors).unwrap();
    let mut names = BTreeSet::new();
    for (name, before) in &tiny.tensors {
        let after = changed.get(name).unwrap_or(before);
        if values(after) != values(before) {
            names.insert(name.clone());
        }
    }
    names
}

fn fingerprint(tiny: &Tiny) -> String {
    crate::graph::fingerprint(tiny.base()).unwrap()
}

#[test]
fn same_seed_and_data_give_the_same_weights() {
    let (tiny, planted) = (Tiny::new(2, 32), Planted::new(3));
    let (a, b) = (run(&tiny, &planted, &quick(6)), run(&tiny, &planted, &quick(6)));
    assert_eq!((tensors(&a), &a.losses), (tensors(&b), &b.losses));
    let other = run(&tiny, &planted, &TuneOptions { seed: 4, ..quick(6) });
    assert_ne!(tensors(&a), tensors(&other));
}

/// Stops after some questions, and counts what it hears.
#[derive(Default)]
struct Counting {
    stop_after: Option<usize>,
    asked: usize,
    yielded: usize,
    reports: Vec<StepReport>,
}

impl Hooks for Counting {
    fn on_step(&mut self, report: &StepReport) {
        self.reports.push(report.clone());
    }

    fn should_stop(&mut self) -> bool {
        self.asked += 1;
        self.stop_after.is_some_and(|n| self.asked > n)
    }

    fn yield_now(&mut self) {
        self.yielded += 1;
    }
}

#[test]
fn a_resumed_run_ends_with_the_bits_of_an_uninterrupted_one() {
    let (tiny, planted) = (Tiny::new(2, 32), Planted::new(4));
    let straight = run(&tiny, &planted, &quick(13));
    // Stopped at many places, also in the middle of a step; each time with an empty cache afterwards, once with the last checkpoint damaged.
    let dir = tempfile::tempdir().unwrap();
    let options = TuneOptions {
        checkpoint: Some(CheckpointOptions { dir: dir.path().join("run"), every: 2, keep: 2 }),
        ..quick(13)
    };
    let (mut resumed, mut cuts) = (None, 0);
    for round in 0..40 {
        let mut hooks = Counting { stop_after: Some(11 + 5 * (round % 3)), ..Counting::default() };
        let o = tune(tiny.base(), planted.set(), None, &options, &CPU, &mut hooks).unwrap();
        if o.stopped == StopReason::Finished {
            resumed = Some(o);
            break;
        }
        assert_eq!(o.stopped, StopReason::Cancelled);
        cuts += 1;
        if round == 3 {
            let last = std::fs::read_dir(dir.path().join("run")).unwrap().map(|e| e.unwrap().path()).max().unwrap();
            let file = last.join("weights.safetensors");
            let mut bytes = std::fs::read(&file).unwrap();
            let at = bytes.len() - 5;
            bytes[at] ^= 1;
            std::fs::write(&file, bytes).unwrap();
        }
    }
    let resumed = resumed.unwrap();
    assert!(cuts >= 4, "{cuts}");
    assert_eq!(tensors(&resumed), tensors(&straight));
    assert_eq!(resumed.losses, straight.losses);
    // Finished and asked again: nothing left to do, same result.
    let again = run(&tiny, &planted, &options);
    assert_eq!((again.resumed_from, tensors(&again)), (Some(13), tensors(&straight)));
}

#[test]
fn a_checkpoint_of_another_run_is_refused() {
    let (tiny, planted) = (Tiny::new(2, 32), Planted::new(2));
    let dir = tempfile::tempdir().unwrap();
    let checkpoint = Some(CheckpointOptions { dir: dir.path().to_owned(), every: 1, keep: 1 });
    let options = TuneOptions { checkpoint, ..quick(2) };
    run(&tiny, &planted, &options);
    let refused = |tiny: &Tiny, planted: &Planted, options: &TuneOptions| match tune(
        tiny.base(),
        planted.set(),
        None,
        options,
        &CPU,
        &mut (),
    ) {
        Err(LearnError::Foreign { what, .. }) => what,
        other => panic!("{other:?}"),
    };
    let loss = crate::losses::InfoNce { temperature: 0.1, ..options.loss.clone() };
    assert_eq!(refused(&tiny, &planted, &TuneOptions { loss, ..options.clone() }), "options");
    assert_eq!(refused(&tiny, &Planted::new(3), &options), "texts or pairs");
    let mut other = Tiny::new(2, 32);
    let bias = Tensor::ones(32, candle_core::DType::F32, &CPU).unwrap();
    other.tensors.insert("encoder.layer.0.output.dense.bias".to_owned(), bias);
    assert_eq!(refused(&other, &planted, &options), "base weights");
}

/// Share of held-out queries whose nearest held-out item is of their concept.
fn recall(tiny: &Tiny, planted: &Planted, learned: Option<&Adapter>) -> f64 {
    let mut weights = tiny.tensors.clone();
    if let Some(l) = learned {
        weights.extend(l.changed(&tiny.tensors).unwrap());
    }
    let base = BaseEncoder { tensors: &weights, ..tiny.base() };
    let encoder = TunableEncoder::new(base, &Method::Full, 0, 0, None, &CPU).unwrap();
    let queries: Vec<_> = planted.queries.iter().map(|q| q.0).collect();
    let q = encoder.embed(&planted.texts, &queries).unwrap();
    let i = encoder.embed(&planted.texts, &planted.items).unwrap();
    let best: Vec<u32> = q.matmul(&i.t().unwrap()).unwrap().argmax(1).unwrap().to_vec1().unwrap();
    let right = best.iter().zip(&planted.queries).filter(|(b, q)| **b as usize == q.1).count();
    right as f64 / best.len() as f64
}

#[test]
fn loss_falls_and_held_out_synonyms_are_found() {
    let (tiny, planted) = (Tiny::new(2, 32), Planted::new(30));
    let lora = LoraOptions { targets: Targets::AllLinear, ..LoraOptions::default() };
    let options = thorough(Method::Lora(lora));
    let tuned = run(&tiny, &planted, &options);
    let mean = |l: &[f32]| l.iter().sum::<f32>() / l.len() as f32;
    let (first, last) = (mean(&tuned.losses[..10]), mean(&tuned.losses[110..]));
    assert!(last < 0.5 * first, "loss {first} to {last}");
    let mut placebo = Planted::new(30);
    placebo.pairs = permute_positives(&placebo.pairs, 1);
    let placebo_run = run(&tiny, &placebo, &options);
    let before = recall(&tiny, &planted, None);
    let after = recall(&tiny, &planted, Some(&tuned.learned));
    let with_placebo = recall(&tiny, &planted, Some(&placebo_run.learned));
    eprintln!(
        "loss {first} to {last}; recall@1 of {CONCEPTS}: before {before:.3}, after {after:.3}, placebo {with_placebo:.3}"
    );
    assert!(after > 0.5 && after > before + 0.3 && after > with_placebo + 0.3, "{before} {after} {with_placebo}");
}

#[test]
fn pieces_cache_and_precision_change_nothing_but_rounding() {
    let (tiny, planted) = (Tiny::new(2, 32), Planted::new(3));
    let lora = LoraOptions { dropout: 0.0, ..LoraOptions::default() };
    let options = TuneOptions { method: Method::Lora(lora), cache_format: CacheFormat::F32, ..quick(5) };
    let reference = run(&tiny, &planted, &options);
    assert!(reference.cache.hits > 0);
    let variants = [
        (TuneOptions { micro_tokens: 1, ..options.clone() }, 1e-4),
        (TuneOptions { micro_tokens: 10_000, ..options.clone() }, 1e-4),
        (TuneOptions { cache_bytes: 0, ..options.clone() }, 1e-4),
        (TuneOptions { cache_bytes: 9_000, ..options.clone() }, 1e-4),
        (TuneOptions { cache_format: CacheFormat::F16, ..options.clone() }, 2e-2),
    ];
    for (options, tolerance) in variants {
        let o = run(&tiny, &planted, &options);
        for (a, b) in reference.losses.iter().zip(&o.losses) {
            assert!((a - b).abs() < tolerance, "{a} {b} {options:?}");
        }
        if options.cache_bytes == 0 {
            assert_eq!(o.cache.hits, 0);
        }
    }
}

#[test]
fn a_run_reports_yields_and_keeps_its_time() {
    let (tiny, planted) = (Tiny::new(2, 32), Planted::new(3));
    let mut hooks = Counting::default();
    tune(tiny.base(), planted.set(), None, &quick(4), &CPU, &mut hooks).unwrap();
    let steps: Vec<_> = hooks.reports.iter().map(|r| (r.step, r.total, r.device.as_str())).collect();
    assert_eq!(steps, [(1, 4, "cpu"), (2, 4, "cpu"), (3, 4, "cpu"), (4, 4, "cpu")]);
    assert!(hooks.reports.iter().all(|r| r.loss.is_finite() && r.items_per_second > 0.0 && r.grad_norm > 0.0));
    assert!(hooks.reports[3].eta_s == 0.0 && hooks.reports[1].pull > 0.0);
    // At least once per piece forwards and backwards: 8 pairs are more than 32 tokens.
    assert!(hooks.yielded >= 4 * 4, "{}", hooks.yielded);

    struct Slow(f64);
    impl Hooks for Slow {
        fn on_step(&mut self, _: &StepReport) {
            self.0 += 10.0;
        }
        fn seconds(&self) -> f64 {
            self.0
        }
    }
    let options = TuneOptions { wall_seconds: Some(25.0), ..quick(50) };
    let o = tune(tiny.base(), planted.set(), None, &options, &CPU, &mut Slow(0.0)).unwrap();
    assert_eq!((o.stopped, o.steps, o.total_steps, o.seconds), (StopReason::WallBudget, 3, 50, 30.0));
}

#[test]
fn too_little_data_ends_well() {
    let (tiny, mut planted) = (Tiny::new(2, 32), Planted::new(2));
    let all = std::mem::take(&mut planted.pairs);
    let stopped = |planted: &Planted| run(&tiny, planted, &quick(3)).stopped;
    assert_eq!(stopped(&planted), StopReason::NothingToLearn(NothingToLearn::NoPairs));
    planted.pairs = all[..1].to_vec();
    assert_eq!(stopped(&planted), StopReason::NothingToLearn(NothingToLearn::OneItem));
    planted.pairs = all.iter().cloned().map(|p| ContrastivePair { item: 7, ..p }).collect();
    assert_eq!(stopped(&planted), StopReason::NothingToLearn(NothingToLearn::OneItem));
    // Two items of one user: nothing is a negative, and the run ends with finite numbers.
    planted.pairs = all[..2].iter().cloned().map(|p| ContrastivePair { group: 1, ..p }).collect();
    let o = run(&tiny, &planted, &quick(3));
    assert_eq!((o.stopped, o.losses), (StopReason::Finished, vec![0.0; 3]));
    planted.pairs = all[..2].to_vec();
    assert_eq!(stopped(&planted), StopReason::Finished);
    planted.pairs = all;
    let o = run(&tiny, &planted, &TuneOptions { upper_layers: 0, ..quick(3) });
    assert_eq!(o.stopped, StopReason::NothingToLearn(NothingToLearn::NothingTrains));
}

#[test]
fn bad_input_is_named() {
    let (tiny, planted) = (Tiny::new(2, 32), Planted::new(2));
    let error = |tiny: &Tiny, planted: &Planted, options: &TuneOptions| {
        tune(tiny.base(), planted.set(), None, options, &CPU, &mut ()).unwrap_err().to_string()
    };
    let mut broken = Tiny::new(2, 32);
    broken.tensors.insert(
        "encoder.layer.1.output.dense.bias".to_owned(),
        (Tensor::ones(32, candle_core::DType::F32, &CPU).unwrap() * f64::NAN).unwrap(),
    );
    assert!(error(&broken, &planted, &quick(2)).contains("step 1: loss is not finite"));
    broken.tensors.remove("encoder.layer.1.output.dense.bias");
    assert!(error(&broken, &planted, &quick(2)).contains("encoder.layer.1.output.dense.bias is missing"));
    broken.tensors.insert(
        "encoder.layer.1.output.dense.bias".to_owned(),
        Tensor::ones(31, candle_core::DType::F32, &CPU).unwrap(),
    );
    assert!(error(&broken, &planted, &quick(2)).contains("[31]"));
    let mut texts = Planted::new(2);
    let outside = texts.texts.push(&[1, 500, 2]);
    texts.pairs[3].anchor = Anchor::Text(outside);
    assert!(error(&tiny, &texts, &quick(2)).contains("token 500"));
    texts.pairs[3].anchor = Anchor::Mean(Vec::new());
    assert!(error(&tiny, &texts, &quick(2)).contains("no text"));
    texts.pairs[3] = ContrastivePair { weight: f32::NAN, ..planted.pairs[3].clone() };
    assert!(error(&tiny, &texts, &quick(2)).contains("NaN"));
    let lora = |l: LoraOptions| TuneOptions { method: Method::Lora(l), ..quick(2) };
    let wrong = [
        (TuneOptions { batch_pairs: 1, ..quick(2) }, "batch_pairs"),
        (TuneOptions { epochs: f64::NAN, ..quick(2) }, "epochs"),
        (TuneOptions { pull: -1.0, ..quick(2) }, "pull"),
        (
            TuneOptions { loss: crate::losses::InfoNce { temperature: 0.0, ..Default::default() }, ..quick(2) },
            "temperature",
        ),
        (
            TuneOptions {
                adam: crate::optim::AdamOptions { learning_rate: f64::NAN, ..Default::default() },
                ..quick(2)
            },
            "learning_rate",
        ),
        (lora(LoraOptions { rank: 0, ..LoraOptions::default() }), "rank"),
        (lora(LoraOptions { dropout: 1.0, ..LoraOptions::default() }), "dropout"),
    ];
    for (options, word) in wrong {
        let e = error(&tiny, &planted, &options);
        assert!(e.contains(word), "{e}");
    }
}

#[test]
fn a_run_goes_on_from_an_adapter() {
    let (tiny, planted) = (Tiny::new(2, 32), Planted::new(3));
    let first = run(&tiny, &planted, &quick(5));
    let a = &first.learned;
    assert_eq!((a.meta.steps, a.meta.base.clone()), (5, fingerprint(&tiny)));
    let options = quick(0);
    let same = tune(tiny.base(), planted.set(), Some(a), &options, &CPU, &mut ()).unwrap();
    assert_eq!(tensors(&same), tensors(&first));
    let on = tune(tiny.base(), planted.set(), Some(a), &quick(2), &CPU, &mut ()).unwrap();
    assert_eq!(on.learned.meta.steps, 7);
    let other = TuneOptions {
        method: Method::Lora(LoraOptions { rank: 3, alpha: 12.0, ..LoraOptions::default() }),
        ..quick(2)
    };
    let error = tune(tiny.base(), planted.set(), Some(a), &other, &CPU, &mut ()).unwrap_err();
    assert!(error.to_string().contains("has rank 4"), "{error}");
    let full = TuneOptions { method: Method::Full, ..quick(2) };
    let error = tune(tiny.base(), planted.set(), Some(a), &full, &CPU, &mut ()).unwrap_err();
    assert!(error.to_string().contains("low-rank pairs"), "{error}");
    let lora = LoraOptions { rank: 4, alpha: 8.0, ..LoraOptions::default() };
    let other = TuneOptions { method: Method::Lora(lora), ..quick(2) };
    let error = |base: &Tiny, options: &TuneOptions| {
        tune(base.base(), planted.set(), Some(a), options, &CPU, &mut ()).unwrap_err().to_string()
    };
    assert!(error(&tiny, &other).contains("scale"));
    let mut moved = Tiny::new(2, 32);
    moved.tensors.insert(
        "encoder.layer.0.output.dense.bias".to_owned(),
        Tensor::ones(32, candle_core::DType::F32, &CPU).unwrap(),
    );
    assert!(error(&moved, &quick(2)).contains("other base"));
}

/// Resident pages of this process.
#[cfg(target_os = "linux")]
fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

#[cfg(target_os = "linux")]
#[test]
fn two_hundred_steps_do_not_grow() {
    struct Watch(Vec<usize>);
    impl Hooks for Watch {
        fn on_step(&mut self, _: &StepReport) {
            self.0.push(resident_bytes());
        }
    }
    let (tiny, planted) = (Tiny::new(2, 128), Planted::new(4));
    let mut watch = Watch(Vec::new());
    let options = TuneOptions { micro_tokens: 512, batch_pairs: 16, upper_layers: 2, ..quick(240) };
    tune(tiny.base(), planted.set(), None, &options, &CPU, &mut watch).unwrap();
    let grown = watch.0[239].saturating_sub(watch.0[39]);
    // One step's graph of this shape is about 4 MB: a leak of one tensor of it a step would show as tens of MB.
    assert!(grown < 6 << 20, "grew by {grown} bytes in 200 steps");
}
