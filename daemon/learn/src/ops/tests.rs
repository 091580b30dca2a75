//! Each operator against its composed form (value and gradient) and against finite differences.

use candle_core::{DType, Device, Result, Tensor, Var};
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::affine::{affine, projection};
use super::attention::{Spans, attention, padded};
use super::prefix::{PrefixMask, prefix_attention};
use super::{composed, gelu::gelu, linear::frozen_linear, norm, pool, softmax::masked_softmax};

fn random(rng: &mut ChaCha8Rng, shape: &[usize]) -> Tensor {
    let n = shape.iter().product();
    let values: Vec<f32> = (0..n).map(|_| rng.random_range(-1.5f32..1.5)).collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

fn var(rng: &mut ChaCha8Rng, shape: &[usize]) -> Var {
    Var::from_tensor(&random(rng, shape)).unwrap()
}

fn values(t: &Tensor) -> Vec<f32> {
    t.flatten_all().unwrap().to_vec1().unwrap()
}

fn close(a: &Tensor, b: &Tensor, tolerance: f32, what: &str) {
    assert_eq!(a.dims(), b.dims(), "{what}");
    for (i, (a, b)) in values(a).iter().zip(values(b)).enumerate() {
        let allowed = tolerance * (1.0 + a.abs().max(b.abs()));
        assert!((a - b).abs() <= allowed, "{what}[{i}]: {a} and {b}");
    }
}

/// Compares value and gradients of `fast` and `slow` under a random linear functional, then a few coordinates with central differences of
/// the composed form in f64.
fn agree(
    vars: &[Var],
    fast: impl Fn(&[Tensor]) -> Result<Tensor>,
    slow: impl Fn(&[Tensor]) -> Result<Tensor>,
    rng: &mut ChaCha8Rng,
) {
    let inputs: Vec<Tensor> = vars.iter().map(|v| v.as_tensor().clone()).collect();
    let (a, b) = (fast(&inputs).unwrap(), slow(&inputs).unwrap());
    close(&a, &b, 3e-6, "value");
    let weight = random(rng, a.dims());
    let loss = |y: &Tensor| (y * &weight).unwrap().sum_all().unwrap();
    let (ga, gb) = (loss(&a).backward().unwrap(), loss(&b).backward().unwrap());
    for (i, v) in vars.iter().enumerate() {
        let what = format!("gradient {i}");
        close(ga.get(v).unwrap(), gb.get(v).unwrap(), 3e-5, &what);
        // Finite differences in f64 of the composed form against the gradient of the kernel.
        let exact: Vec<f32> = values(ga.get(v).unwrap());
        let w64 = weight.to_dtype(DType::F64).unwrap();
        for at in [0, exact.len() / 3, exact.len() - 1] {
            let moved = |by: f64| {
                let moved: Vec<Tensor> = inputs
                    .iter()
                    .enumerate()
                    .map(|(j, t)| {
                        let t = t.detach().to_dtype(DType::F64).unwrap();
                        if j != i {
                            return t;
                        }
                        let mut x: Vec<f64> = t.flatten_all().unwrap().to_vec1().unwrap();
                        x[at] += by;
                        Tensor::from_vec(x, t.shape(), &Device::Cpu).unwrap()
                    })
                    .collect();
                let y = slow(&moved).unwrap();
                (y * &w64).unwrap().sum_all().unwrap().to_scalar::<f64>().unwrap()
            };
            let numeric = (moved(1e-5) - moved(-1e-5)) / 2e-5;
            let difference = (numeric - f64::from(exact[at])).abs();
            assert!(difference <= 1e-4 * (1.0 + numeric.abs()), "{what}[{at}]: {} and {numeric}", exact[at]);
        }
    }
}

#[test]
fn exponential_is_exact_to_single_precision() {
    let mut worst = 0f64;
    for i in -86_000..86_000 {
        let x = i as f32 / 1_000.0;
        let exact = f64::from(x).exp();
        worst = worst.max((f64::from(super::exp(x)) - exact).abs() / exact);
    }
    assert!(worst < 2.5e-7, "{worst}");
    assert_eq!(super::exp(0.0), 1.0);
    assert!(super::exp(-1e9) < 1e-37 && super::exp(1e9).is_finite());
}

#[test]
fn gelu_agrees_over_its_whole_range() {
    let x: Vec<f32> = (-12_000..12_000).map(|i| i as f32 / 1_000.0).collect();
    let x = Tensor::new(x, &Device::Cpu).unwrap();
    let exact = x.to_dtype(DType::F64).unwrap().gelu_erf().unwrap();
    let fast = gelu(&x).unwrap().to_dtype(DType::F64).unwrap();
    let worst = (fast - exact).unwrap().abs().unwrap().max(0).unwrap().to_scalar::<f64>().unwrap();
    assert!(worst < 2e-6, "{worst}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn gelu_gradient(seed: u64, n in 1usize..70, h in 1usize..20) {
        let rng = &mut ChaCha8Rng::seed_from_u64(seed);
        agree(&[var(rng, &[n, h])], |x| gelu(&x[0]), |x| x[0].gelu_erf(), rng);
    }

    #[test]
    fn norm_gradients(seed: u64, n in 1usize..150, h in 2usize..37) {
        let rng = &mut ChaCha8Rng::seed_from_u64(seed);
        let vars = [var(rng, &[n, h]), var(rng, &[h]), var(rng, &[h])];
        let eps = 1e-2;
        agree(&vars,
            |x| norm::layer_norm(&x[0], &x[1], &x[2], eps),
            |x| composed::layer_norm(&x[0], &x[1], &x[2], eps), rng);
    }

    #[test]
    fn norm_of_a_sum_gradients(seed: u64, n in 1usize..150, h in 2usize..37) {
        let rng = &mut ChaCha8Rng::seed_from_u64(seed);
        let (gamma, beta) = (random(rng, &[h]), random(rng, &[h]));
        let eps = 1e-2;
        let vars = [var(rng, &[n, h]), var(rng, &[n, h])];
        agree(&vars,
            |x| norm::add_layer_norm(&x[0], &x[1], &gamma, &beta, eps),
            |x| {
                let (g, b) = (gamma.to_dtype(x[0].dtype())?, beta.to_dtype(x[0].dtype())?);
                composed::layer_norm(&(&x[0] + &x[1])?, &g, &b, eps)
            }, rng);
    }

    #[test]
    fn softmax_gradient(seed: u64, b in 1usize..4, n in 1usize..70, w in 1usize..40) {
        let rng = &mut ChaCha8Rng::seed_from_u64(seed);
        // The first column stays allowed, the others at random.
        let mask: Vec<f32> = (0..n * w).map(|i| if i % w == 0 || rng.random_bool(0.7) { 0.0 } else { -1e9 }).collect();
        let mask = Tensor::from_vec(mask, (n, w), &Device::Cpu).unwrap();
        agree(&[var(rng, &[b, n, w])],
            |x| masked_softmax(&x[0], &mask),
            |x| composed::masked_softmax(&x[0], &mask.to_dtype(x[0].dtype())?), rng);
    }

    #[test]
    fn attention_gradients(seed: u64, lengths in prop::collection::vec(1usize..19, 1..6), heads in 1usize..4, d in 1usize..12) {
        let rng = &mut ChaCha8Rng::seed_from_u64(seed);
        let spans = Spans::from_lengths(lengths);
        let (n, h) = (spans.tokens(), heads * d);
        let vars = [var(rng, &[n, h]), var(rng, &[n, h]), var(rng, &[n, h])];
        let scale = 1.0 / (d as f64).sqrt();
        agree(&vars,
            |x| attention(&x[0], &x[1], &x[2], &spans, heads),
            |x| padded(&x[0], &x[1], &x[2], &spans, heads, scale), rng);
    }

    #[test]
    fn linear_gradient(seed: u64, n in 1usize..40, i in 1usize..30, o in 1usize..30) {
        let rng = &mut ChaCha8Rng::seed_from_u64(seed);
        let (w, b) = (random(rng, &[o, i]), random(rng, &[o]));
        agree(&[var(rng, &[n, i])],
            |x| frozen_linear(&x[0], &w, &b),
            |x| composed::linear(&x[0], &w.to_dtype(x[0].dtype())?, &b.to_dtype(x[0].dtype())?), rng);
    }

    #[test]
    fn affine_gradient(seed: u64, n in 1usize..40, i in 1usize..30, o in 1usize..30) {
        let rng = &mut ChaCha8Rng::seed_from_u64(seed);
        agree(&[var(rng, &[n, i]), var(rng, &[o, i]), var(rng, &[o])],
            |x| affine(&x[0], &x[1], &x[2]), |x| composed::linear(&x[0], &x[1], &x[2]), rng);
        let x = random(rng, &[n, i]);
        agree(&[var(rng, &[o, i])],
            |w| projection(&x, &w[0]), |w| x.to_dtype(w[0].dtype())?.matmul(&w[0].t()?), rng);
    }

    #[test]
    fn prefix_attention_gradient(seed: u64, keys in prop::collection::vec(1usize..9, 1..5), heads in 1usize..4, d in 1usize..7) {
        let rng = &mut ChaCha8Rng::seed_from_u64(seed);
        let (buckets, h) = (5, heads * d);
        let mut mask = PrefixMask::new();
        let (mut seen, mut before) = (Vec::new(), 0);
        for n in keys {
            // The first row sees everything, the others any prefix, nothing included.
            let count = rng.random_range(1..4);
            let rows: Vec<Vec<u8>> = (0..count)
                .map(|i| {
                    let sees = if i == 0 { n } else { rng.random_range(0..=n) };
                    (0..sees).map(|_| rng.random_range(0..buckets as u8)).collect()
                })
                .collect();
            mask.push(n, &rows);
            seen.extend(rows.into_iter().map(|r| (before, r)));
            before += n;
        }
        let mask = std::sync::Arc::new(mask);
        agree(&[var(rng, &[seen.len(), h]), var(rng, &[before, 2 * h]), var(rng, &[heads, buckets])],
            |x| prefix_attention(&x[0], &x[1], &x[2], &mask),
            |x| prefix_by_hand(x, &seen, heads), rng);
    }

    #[test]
    fn mean_gradient(seed: u64, lengths in prop::collection::vec(1usize..19, 1..6), h in 1usize..20) {
        let rng = &mut ChaCha8Rng::seed_from_u64(seed);
        let spans = Spans::from_lengths(lengths);
        agree(&[var(rng, &[spans.tokens(), h])],
            |x| pool::span_mean(&x[0], &spans),
            |x| Tensor::cat(&spans.iter().map(|s| x[0].narrow(0, s.start, s.len())?.mean_keepdim(0)).collect::<Result<Vec<_>>>()?, 0), rng);
    }
}

/// The definition, row by row and head by head: a row sees the keys from `first` on for which it has a bucket.
fn prefix_by_hand(x: &[Tensor], seen: &[(usize, Vec<u8>)], heads: usize) -> Result<Tensor> {
    let h = x[0].dim(1)?;
    let d = h / heads;
    let mut rows = Vec::new();
    for (i, (first, buckets)) in seen.iter().enumerate() {
        let mut parts = Vec::new();
        for head in 0..heads {
            if buckets.is_empty() {
                parts.push(Tensor::zeros((1, d), x[0].dtype(), &Device::Cpu)?);
                continue;
            }
            let q = x[0].narrow(0, i, 1)?.narrow(1, head * d, d)?;
            let keys = x[1].narrow(0, *first, buckets.len())?;
            let (k, v) = (keys.narrow(1, head * d, d)?, keys.narrow(1, h + head * d, d)?);
            let which = Tensor::new(buckets.iter().map(|b| u32::from(*b)).collect::<Vec<_>>(), &Device::Cpu)?;
            let bias = x[2].narrow(0, head, 1)?.contiguous()?.index_select(&which, 1)?;
            let scores = ((q.matmul(&k.t()?)? / (d as f64).sqrt())? + bias)?;
            parts.push(composed::log_softmax(&scores)?.exp()?.matmul(&v)?);
        }
        rows.push(Tensor::cat(&parts, 1)?);
    }
    Tensor::cat(&rows, 0)
}

#[test]
fn frozen_weights_get_no_gradient() {
    let rng = &mut ChaCha8Rng::seed_from_u64(1);
    let (x, w, b) = (var(rng, &[3, 4]), var(rng, &[5, 4]), var(rng, &[5]));
    let y = frozen_linear(&x, &w, &b).unwrap();
    let grads = y.sum_all().unwrap().backward().unwrap();
    assert!(grads.get(&x).is_some());
    assert!(grads.get(&w).is_none() && grads.get(&b).is_none());
}

#[test]
fn a_row_without_anything_allowed_is_zero() {
    let x = Tensor::zeros((2, 3), DType::F32, &Device::Cpu).unwrap();
    let mask = Tensor::new(&[[f32::NEG_INFINITY; 3], [0.0, 0.0, f32::NEG_INFINITY]], &Device::Cpu).unwrap();
    let y = masked_softmax(&x, &mask).unwrap();
    assert_eq!(values(&y), [0.0, 0.0, 0.0, 0.5, 0.5, 0.0]);
}

#[test]
fn shapes_that_do_not_fit_are_errors() {
    let rng = &mut ChaCha8Rng::seed_from_u64(2);
    let x = random(rng, &[4, 6]);
    assert!(frozen_linear(&x, &random(rng, &[3, 5]), &random(rng, &[3])).is_err());
    assert!(norm::layer_norm(&x, &random(rng, &[5]), &random(rng, &[5]), 1e-5).is_err());
    let spans = Spans::from_lengths([2, 3]);
    assert!(attention(&x, &x, &x, &spans, 2).is_err());
    assert!(pool::span_mean(&x, &spans).is_err());
    let spans = Spans::from_lengths([4]);
    assert!(attention(&x, &x, &x, &spans, 4).is_err());
}
