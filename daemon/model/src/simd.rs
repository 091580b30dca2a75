//! Arithmetic of the unpadded engine on slices, compiled for several vector instruction sets; `pulp` chooses at run time.
//!
//! Sums have a fixed order, so the same input gives the same bits for any number of threads.

use pulp::Arch;

use crate::config::HiddenAct;

/// Columns handled together in [`attend`]; a multiple of every vector width.
const LANES: usize = 32;

/// e^x to 2 units in the last place for x <= 0 (Cody and Waite reduction, Taylor polynomial of degree 6).
#[inline(always)]
fn exp(x: f32) -> f32 {
    const SHIFT: f32 = 12_582_912.0;
    let x = x.max(-87.0);
    // Adding 1.5 * 2^23 rounds to a whole number and leaves it in the low bits.
    let shifted = x * std::f32::consts::LOG2_E + SHIFT;
    let n = shifted - SHIFT;
    let r = x - n * 0.693_359_4 - n * -2.121_944_4e-4;
    let p = 1.0 + r * (1.0 + r * (0.5 + r * (1.0 / 6.0 + r * (1.0 / 24.0 + r * (1.0 / 120.0 + r * (1.0 / 720.0))))));
    p * f32::from_bits((shifted.to_bits() << 23).wrapping_add(0x3f80_0000))
}

/// x * Phi(x), the error function by Abramowitz and Stegun 7.1.26 (absolute error below 1.5e-7).
#[inline(always)]
fn gelu(x: f32) -> f32 {
    let z = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * z);
    let poly = t * (0.254_829_6 + t * (-0.284_496_74 + t * (1.421_413_7 + t * (-1.453_152 + t * 1.061_405_4))));
    let tail = poly * exp(-z * z);
    let erf = if x < 0.0 { tail - 1.0 } else { 1.0 - tail };
    0.5 * x * (1.0 + erf)
}

/// The tanh approximation of [`gelu`].
#[inline(always)]
fn gelu_tanh(x: f32) -> f32 {
    let u = 0.797_884_6 * (x + 0.044_715 * x * x * x);
    // tanh(u) = sign(u) * (1 - e) / (1 + e) with e = exp(-2|u|).
    let e = exp(-2.0 * u.abs());
    let tanh = ((1.0 - e) / (1.0 + e)).copysign(u);
    0.5 * x * (1.0 + tanh)
}

/// Adds a bias to every row and applies the nonlinearity, in place.
pub(crate) fn bias_act(rows: &mut [f32], bias: &[f32], act: HiddenAct) {
    #[inline(always)]
    fn each(rows: &mut [f32], bias: &[f32], f: impl Fn(f32) -> f32) {
        for row in rows.chunks_exact_mut(bias.len()) {
            for (x, b) in row.iter_mut().zip(bias) {
                *x = f(*x + b);
            }
        }
    }
    Arch::new().dispatch(
        #[inline(always)]
        || match act {
            HiddenAct::Gelu => each(rows, bias, gelu),
            HiddenAct::GeluTanh => each(rows, bias, gelu_tanh),
            HiddenAct::Relu => each(rows, bias, |x| x.max(0.0)),
        },
    );
}

/// Sum in sixteen interleaved parts: a fixed order that fills vector registers.
#[inline(always)]
fn sum(values: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    let mut parts = [0f32; 16];
    let chunks = values.chunks_exact(16);
    for (part, v) in parts.iter_mut().zip(chunks.remainder()) {
        *part += f(*v);
    }
    for chunk in chunks {
        for (part, v) in parts.iter_mut().zip(chunk) {
            *part += f(*v);
        }
    }
    parts.iter().sum()
}

/// Scale and shift of a layer norm.
#[derive(Debug)]
pub(crate) struct NormWeights {
    pub(crate) weight: Vec<f32>,
    pub(crate) bias: Vec<f32>,
    pub(crate) eps: f32,
}

/// `x = norm(x + bias + skip)` row by row, in place.
pub(crate) fn skip_norm(x: &mut [f32], bias: &[f32], skip: &[f32], norm: &NormWeights) {
    let width = bias.len();
    Arch::new().dispatch(
        #[inline(always)]
        || {
            for (row, skip) in x.chunks_exact_mut(width).zip(skip.chunks_exact(width)) {
                for ((x, b), s) in row.iter_mut().zip(bias).zip(skip) {
                    *x += b + s;
                }
                let mean = sum(row, |v| v) / width as f32;
                let variance = sum(row, |v| (v - mean) * (v - mean)) / width as f32;
                let scale = 1.0 / (variance + norm.eps).sqrt();
                for ((x, w), b) in row.iter_mut().zip(&norm.weight).zip(&norm.bias) {
                    *x = (*x - mean) * scale * w + b;
                }
            }
        },
    );
}

/// Attention of one sequence: `qkv` holds for each token query, key and value (without bias) one after the other, `out` gets the context.
/// `N` is the width of a head.
pub(crate) fn attend<const N: usize>(qkv: &[f32], bias: &[f32], out: &mut [f32], scratch: &mut Vec<f32>) {
    let width = bias.len() / 3;
    let tokens = out.len() / width;
    let padded = tokens.next_multiple_of(LANES);
    scratch.clear();
    // Keys with tokens along the row, then values, then the scores of one query.
    scratch.resize(padded * N + tokens * N + padded, 0.0);
    let (keys, rest) = scratch.split_at_mut(padded * N);
    let (values, scores) = rest.split_at_mut(tokens * N);
    let scale = 1.0 / (N as f32).sqrt();
    Arch::new().dispatch(
        #[inline(always)]
        || {
            for head in 0..width / N {
                let at = head * N;
                for (t, token) in qkv.chunks_exact(3 * width).enumerate() {
                    for d in 0..N {
                        keys[d * padded + t] = token[width + at + d] + bias[width + at + d];
                        values[t * N + d] = token[2 * width + at + d] + bias[2 * width + at + d];
                    }
                }
                for (token, out) in qkv.chunks_exact(3 * width).zip(out.chunks_exact_mut(width)) {
                    let mut query = [0f32; N];
                    for d in 0..N {
                        query[d] = (token[at + d] + bias[at + d]) * scale;
                    }
                    for (block, score) in scores.chunks_exact_mut(LANES).enumerate() {
                        let mut sums = [0f32; LANES];
                        for (d, q) in query.iter().enumerate() {
                            let row = &keys[d * padded + block * LANES..][..LANES];
                            for (s, k) in sums.iter_mut().zip(row) {
                                *s += q * k;
                            }
                        }
                        score.copy_from_slice(&sums);
                    }
                    let live = &mut scores[..tokens];
                    let largest = live.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                    for s in live.iter_mut() {
                        *s = exp(*s - largest);
                    }
                    let total = 1.0 / sum(live, |v| v);
                    let mut context = [0f32; N];
                    for (weight, value) in live.iter().zip(values.chunks_exact(N)) {
                        for (c, v) in context.iter_mut().zip(value) {
                            *c += weight * v;
                        }
                    }
                    for (o, c) in out[at..at + N].iter_mut().zip(&context) {
                        *o = c * total;
                    }
                }
            }
        },
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponential_and_gelu_are_close_to_the_exact_ones() {
        for i in 0..20_000 {
            let x = i as f32 * -0.004;
            let exact = f64::from(x).exp();
            assert!((f64::from(exp(x)) - exact).abs() <= 3e-7 * exact + 1e-37, "{x}");
        }
        for i in -800..=800 {
            let x = i as f32 * 0.01;
            // Phi by Simpson's rule over the density.
            let steps = 2000;
            let h = f64::from(x) / f64::from(steps);
            let density = |t: f64| (-t * t / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
            let weight = |k: i32| {
                if k == 0 || k == steps {
                    1.0
                } else if k % 2 == 1 {
                    4.0
                } else {
                    2.0
                }
            };
            let area: f64 = (0..=steps).map(|k| weight(k) * density(f64::from(k) * h)).sum::<f64>() * h / 3.0;
            let exact = f64::from(x) * (0.5 + area);
            assert!((f64::from(gelu(x)) - exact).abs() < 2e-6, "{x}: {} {exact}", gelu(x));
            let u = 0.797_884_560_8 * (f64::from(x) + 0.044_715 * f64::from(x).powi(3));
            let exact = 0.5 * f64::from(x) * (1.0 + u.tanh());
            assert!((f64::from(gelu_tanh(x)) - exact).abs() < 2e-6, "tanh {x}");
        }
    }
}
