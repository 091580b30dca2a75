//! What the guarantee rests on, checked in the code that runs: clipping, noise and sampling here, whole runs in `runs`.

use std::collections::BTreeMap;

use candle_core::{DType, Device, Tensor, Var};

use super::step::{PrivateStepper, UserLoss};
use super::*;
use crate::cache::CacheFormat;
use crate::contrastive_pairs::ContrastivePair;
use crate::error::Result;
use crate::fixture::{Planted, Tiny, values};
use crate::graph::{Method, TunableEncoder};
use crate::lora::LoraOptions;
use crate::run::Hooks;
use crate::tune::TuneOutcome;

mod runs;

const CPU: Device = Device::Cpu;

/// Users with a few pairs each, and the catalogue of all planted items.
struct Shop {
    tiny: Tiny,
    planted: Planted,
    users: Vec<Vec<ContrastivePair>>,
    catalogue: Vec<CatalogueText>,
}

impl Shop {
    /// `users` users; the pairs of the planted language go round.
    fn new(users: usize) -> Self {
        let (tiny, planted) = (Tiny::new(2, 32), Planted::new(4));
        let mut by_user = vec![Vec::new(); users];
        for (n, pair) in planted.pairs.iter().enumerate() {
            by_user[n % users].push(pair.clone());
        }
        let catalogue = planted.pairs.iter().map(|pair| CatalogueText { text: pair.positive, item: pair.item });
        let catalogue = catalogue.collect();
        Self { tiny, planted, users: by_user, catalogue }
    }

    fn set(&self) -> PrivateSet<'_> {
        PrivateSet { texts: &self.planted.texts, users: &self.users, catalogue: &self.catalogue }
    }

    fn encoder(&self, options: &PrivateOptions) -> TunableEncoder {
        let method = Method::Lora(options.lora.clone());
        TunableEncoder::new(self.tiny.base(), &method, options.upper_layers, options.seed, None, &CPU).unwrap()
    }
}

fn options(steps: usize) -> PrivateOptions {
    PrivateOptions {
        lora: LoraOptions { rank: 4, dropout: 0.0, ..LoraOptions::default() },
        upper_layers: 1,
        steps,
        rate: 0.5,
        expected_batch: 4.0,
        negatives: 8,
        cache_format: CacheFormat::F32,
        seed: 3,
        ..PrivateOptions::default()
    }
}

/// Allows so many steps, and counts.
#[derive(Default)]
struct Ledger {
    most: Option<usize>,
    booked: usize,
}

impl PrivacyLedger for Ledger {
    fn book(&mut self) -> Result<bool> {
        if self.most.is_some_and(|most| self.booked >= most) {
            return Ok(false);
        }
        self.booked += 1;
        Ok(true)
    }
}

fn run(shop: &Shop, options: &PrivateOptions, ledger: &mut Ledger, hooks: &mut dyn Hooks) -> TuneOutcome {
    tune_privately(shop.tiny.base(), shop.set(), None, options, &CPU, ledger, hooks).unwrap()
}

fn gradient(parts: &[(&str, Vec<f32>)]) -> BTreeMap<String, Tensor> {
    parts.iter().map(|(name, v)| ((*name).to_owned(), Tensor::from_slice(v, v.len(), &CPU).unwrap())).collect()
}

fn all_values(tensors: &BTreeMap<String, Tensor>) -> Vec<f32> {
    tensors.values().flat_map(values).collect()
}

fn norm_of(tensors: &BTreeMap<String, Tensor>) -> f64 {
    all_values(tensors).iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt()
}

/// A stepper after one unbounded step, so that both sides of every adapter have a gradient.
fn warmed<'a>(shop: &'a Shop, encoder: &'a TunableEncoder, options: &'a PrivateOptions) -> PrivateStepper<'a> {
    for var in encoder.vars().values() {
        let moved = Tensor::rand(-0.2f32, 0.2, var.shape(), &CPU).unwrap();
        var.set(&(var.as_detached_tensor() + moved).unwrap()).unwrap();
    }
    PrivateStepper::new(encoder, shop.set(), options, PrivateRng::from_seed(5)).unwrap()
}

/// TV-P3: (3, 4), (.3, .4) and (0, 0) at C = 1 have the factors .2, 1, 1, sum to (.9, 1.2), and over the expected batch of 4 to (.225, .3).
#[test]
fn tv_p3_clipping() {
    let mut sum = ClippedSum::new(1.0);
    assert_eq!([5.0, 0.5, 0.0].map(|norm| sum.factor(norm)), [0.2, 1.0, 1.0]);
    for (x, y) in [(3.0, 4.0), (0.3, 0.4), (0.0, 0.0)] {
        // Over two tensors: the norm is that of all parameters together.
        sum.add(&gradient(&[("a", vec![x]), ("b", vec![y])])).unwrap();
    }
    let zero = || Var::zeros(1, DType::F32, &CPU).unwrap();
    let vars = BTreeMap::from([("a".to_owned(), zero()), ("b".to_owned(), zero())]);
    let released = sum.release(&vars, 0.0, 4.0, &mut PrivateRng::from_seed(1)).unwrap();
    let found = all_values(&released);
    assert!((found[0] - 0.225).abs() < 1e-6 && (found[1] - 0.3).abs() < 1e-6, "{found:?}");
}

#[test]
fn real_gradients_are_clipped_by_user_over_all_parameters() {
    let (shop, options) = (Shop::new(8), PrivateOptions { clip: f64::INFINITY, noise: 0.0, ..options(1) });
    let encoder = shop.encoder(&options);
    let mut stepper = warmed(&shop, &encoder, &options);
    let negatives = stepper.negatives(&mut ()).unwrap();
    let own: Vec<_> = (0..8).map(|u| stepper.gradient_of(u, &negatives, &mut ()).unwrap().unwrap()).collect();
    let mut norms: Vec<f64> = own.iter().map(norm_of).collect();
    assert!(own.iter().all(|g| g.len() == encoder.vars().len() && norm_of(g) > 0.0));
    norms.sort_by(f64::total_cmp);
    let clip = 0.5 * (norms[3] + norms[4]);
    let mut sum = ClippedSum::new(clip);
    own.iter().try_for_each(|g| sum.add(g)).unwrap();
    let released = sum.release(encoder.vars(), 0.0, 4.0, &mut PrivateRng::from_seed(1)).unwrap();
    let mut expected = vec![0f64; all_values(&released).len()];
    for g in &own {
        let factor = (clip / norm_of(g)).min(1.0);
        expected.iter_mut().zip(all_values(g)).for_each(|(sum, v)| *sum += factor * f64::from(v) / 4.0);
    }
    for (found, expected) in all_values(&released).iter().zip(&expected) {
        assert!((f64::from(*found) - expected).abs() < 1e-6, "{found} {expected}");
    }
    // What any one user changes is bounded by the clip.
    for left_out in 0..8 {
        let mut without = ClippedSum::new(clip);
        own.iter().enumerate().filter(|(u, _)| *u != left_out).try_for_each(|(_, g)| without.add(g)).unwrap();
        let without = without.release(encoder.vars(), 0.0, 4.0, &mut PrivateRng::from_seed(1)).unwrap();
        let change: f64 =
            all_values(&released).iter().zip(all_values(&without)).map(|(a, b)| f64::from(a - b).powi(2)).sum();
        assert!(4.0 * change.sqrt() <= clip * (1.0 + 1e-4), "{} {clip}", 4.0 * change.sqrt());
    }
}

#[test]
fn a_broken_gradient_adds_nothing() {
    let mut sum = ClippedSum::new(1.0);
    sum.add(&gradient(&[("a", vec![f32::NAN, 1.0])])).unwrap();
    sum.add(&gradient(&[("a", vec![f32::INFINITY, 1.0])])).unwrap();
    let vars = BTreeMap::from([("a".to_owned(), Var::zeros(2, DType::F32, &CPU).unwrap())]);
    let released = sum.release(&vars, 0.0, 1.0, &mut PrivateRng::from_seed(1)).unwrap();
    assert_eq!(all_values(&released), [0.0, 0.0]);
}

#[test]
fn an_empty_step_is_noise_of_the_right_size_on_every_parameter() {
    let (shop, options) = (Shop::new(8), options(1));
    let encoder = shop.encoder(&options);
    let (noise, clip, batch) = (1.5, 0.7, 4.0);
    let released =
        ClippedSum::new(clip).release(encoder.vars(), noise, batch, &mut PrivateRng::from_os().unwrap()).unwrap();
    assert_eq!(released.len(), encoder.vars().len());
    let found = all_values(&released);
    let (n, deviation) = (found.len() as f64, noise * clip / batch);
    let mean = found.iter().map(|v| f64::from(*v)).sum::<f64>() / n;
    let variance = found.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>() / n;
    // Six standard errors of the mean and of the variance of n normal numbers.
    assert!(mean.abs() < 6.0 * deviation / n.sqrt(), "{mean}");
    assert!((variance / deviation.powi(2) - 1.0).abs() < 6.0 * (2.0 / n).sqrt(), "{variance}");
    let within = found.iter().filter(|v| f64::from(v.abs()) < 1.96 * deviation).count() as f64 / n;
    assert!((within - 0.95).abs() < 6.0 * (0.95 * 0.05 / n).sqrt(), "{within}");
    for part in released.values() {
        assert!(values(part).iter().all(|v| *v != 0.0), "an element without noise");
    }
}

#[test]
fn noise_differs_between_streams_of_the_system() {
    let draw = || PrivateRng::from_os().unwrap().gaussian(8, 1.0);
    assert_ne!(draw(), draw());
}

#[test]
fn each_user_is_drawn_on_its_own() {
    let mut rng = PrivateRng::from_seed(9);
    let (users, rate, rounds) = (200usize, 0.1, 2_000);
    let (mut counts, mut sizes) = (vec![0f64; users], Vec::new());
    for _ in 0..rounds {
        let drawn = rng.sample(users, rate);
        drawn.iter().for_each(|u| counts[*u] += 1.0);
        sizes.push(drawn.len() as f64);
    }
    let expected = f64::from(rounds) * rate;
    let spread = (expected * (1.0 - rate)).sqrt();
    assert!(counts.iter().all(|c| (c - expected).abs() < 6.0 * spread));
    // The number drawn is binomial: a sampler with a fixed batch would have the variance 0.
    let mean = sizes.iter().sum::<f64>() / sizes.len() as f64;
    let variance = sizes.iter().map(|s| (s - mean).powi(2)).sum::<f64>() / sizes.len() as f64;
    let binomial = users as f64 * rate * (1.0 - rate);
    assert!((variance / binomial - 1.0).abs() < 0.2, "{variance} {binomial}");
    assert_eq!((rng.sample(5, 1.0), rng.sample(0, 1.0)), (vec![0, 1, 2, 3, 4], vec![]));
}

#[test]
fn negatives_are_drawn_evenly_and_once_each() {
    let mut rng = PrivateRng::from_seed(2);
    let mut counts = [0f64; 10];
    for _ in 0..4_000 {
        let drawn = rng.choose(10, 3);
        assert!(drawn.len() == 3 && drawn.is_sorted_by(|a, b| a < b));
        drawn.iter().for_each(|at| counts[*at] += 1.0);
    }
    assert!(counts.iter().all(|c| (c - 1_200.0).abs() < 6.0 * (4_000.0f64 * 0.3 * 0.7).sqrt()), "{counts:?}");
    assert_eq!(rng.choose(2, 5), [0, 1]);
}
