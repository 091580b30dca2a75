//! The ranking network: one hidden layer of ReLU and a linear skip. The loss is a softmax over each user's list, with the
//! probability mass shared by the positives (ListNet, Cao et al. 2007); the optimiser is Adam with decoupled weight decay and a
//! cosine schedule. f32 arithmetic in a fixed order: equal data give equal weights on any number of threads.
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::kernels::{Strides, accumulate};
use crate::linalg::dot;

/// One user's candidates: features, `rows x width`, and which of them were bought.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct List {
    pub(crate) user: u32,
    pub(crate) x: Vec<f32>,
    pub(crate) positive: Vec<bool>,
}

/// Settings of the training.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct MlpOptions {
    /// Hidden units.
    pub hidden: usize,
    /// Passes over the lists.
    pub epochs: usize,
    /// Peak learning rate.
    pub rate: f32,
    /// Decoupled weight decay, relative to the learning rate.
    pub decay: f32,
    /// Lists per step.
    pub batch: usize,
    /// Whether a quarter of the hidden units is dropped at each row (dropout, Srivastava et al. 2014).
    pub dropout: bool,
    /// Networks whose scores are averaged, at least; [`members_for`](Self::members_for) gives a short log more.
    pub members: usize,
    /// Seed of the initial weights, the order of lists and dropout.
    pub seed: u64,
}

/// Turns the features of a list into rows of `width` standardised numbers.
#[derive(Clone, Copy)]
pub(crate) struct Scaling<'a> {
    pub(crate) width: usize,
    pub(crate) apply: &'a (dyn Fn(&[f32]) -> Vec<f32> + Sync),
}

/// Lists times networks of a head: a short log gets more networks for the same work, and gains more from their mean (on windows
/// before the test window: NDCG@10 +.002 from one network to three with 2,800 lists).
const WORK: usize = 12_000;
/// Networks of a head at most; the mean of more was not better.
const MOST_MEMBERS: usize = 6;

impl MlpOptions {
    /// Number of networks for a head with so many lists.
    pub fn members_for(&self, lists: usize) -> usize {
        (WORK / lists.max(1)).min(MOST_MEMBERS).max(self.members).max(1)
    }
}

impl Default for MlpOptions {
    fn default() -> Self {
        Self { hidden: 64, epochs: 8, rate: 2e-3, decay: 0.1, batch: 16, dropout: true, members: 2, seed: 1 }
    }
}

/// The network. Parameters in one vector: `W1 [width x hidden] · b1 [hidden] · w2 [hidden] · skip [width]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Mlp {
    width: usize,
    hidden: usize,
    p: Vec<f32>,
}

/// What a list of the training says: which rows were bought, and how much it weighs.
#[derive(Clone, Copy)]
struct Labels<'a> {
    positive: &'a [bool],
    weight: f32,
}

/// Factor of the hidden units that dropout keeps, so that the sum keeps its mean.
const KEPT: f32 = 4.0 / 3.0;

/// SplitMix64 (Steele et al. 2014). Own code, because stored rankers are compared bit for bit and a stream of a crate may change
/// with its version.
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1u64 << 24) as f32
    }
}

impl Mlp {
    fn new(width: usize, hidden: usize, rng: &mut SplitMix) -> Self {
        let mut p = vec![0f32; width * hidden + 2 * hidden + width];
        let bound = (6.0 / width as f32).sqrt();
        for w in &mut p[..width * hidden] {
            *w = (2.0 * rng.unit() - 1.0) * bound;
        }
        let bound = (1.0 / hidden as f32).sqrt();
        for w in &mut p[width * hidden + hidden..width * hidden + 2 * hidden] {
            *w = (2.0 * rng.unit() - 1.0) * bound;
        }
        Self { width, hidden, p }
    }

    fn parts(&self) -> (&[f32], &[f32], &[f32], &[f32]) {
        let (w1, rest) = self.p.split_at(self.width * self.hidden);
        let (b1, rest) = rest.split_at(self.hidden);
        let (w2, skip) = rest.split_at(self.hidden);
        (w1, b1, w2, skip)
    }

    /// Hidden activations of each row, 0 where negative or dropped, and the scores of the rows.
    fn forward(&self, x: &[f32], mut mask: Option<SplitMix>) -> (Vec<f32>, Vec<f32>) {
        let (w1, b1, w2, skip) = self.parts();
        let rows = x.len() / self.width;
        let mut hs = b1.repeat(rows);
        accumulate(&mut hs, x, Strides { row: self.width, column: 1 }, w1, self.hidden);
        let mut scores = Vec::with_capacity(rows);
        for (row, h) in x.chunks_exact(self.width).zip(hs.chunks_exact_mut(self.hidden)) {
            h.iter_mut().for_each(|a| *a = a.max(0.0));
            if let Some(rng) = &mut mask {
                for block in h.chunks_mut(64) {
                    // Both bits of a unit are set in a quarter of the draws.
                    let out = rng.next() & rng.next();
                    for (k, a) in block.iter_mut().enumerate() {
                        *a = if out >> k & 1 == 1 { 0.0 } else { *a * KEPT };
                    }
                }
            }
            scores.push(dot(row, skip) + dot(h, w2));
        }
        (hs, scores)
    }

    /// Scores of the rows.
    pub(crate) fn score(&self, x: &[f32]) -> Vec<f32> {
        self.forward(x, None).1
    }

    /// Loss of a list of standardised rows, times its weight; its gradient is added to `g`. `mask` draws the units that dropout drops.
    fn gradient(&self, x: &[f32], list: Labels<'_>, g: &mut [f32], mask: Option<SplitMix>) -> f64 {
        let Labels { positive, weight } = list;
        let (width, hidden) = (self.width, self.hidden);
        let kept = if mask.is_some() { KEPT } else { 1.0 };
        let (mut hs, mut scores) = self.forward(x, mask);
        let max = scores.iter().copied().fold(f32::MIN, f32::max);
        let sum: f32 = scores.iter().map(|s| (s - max).exp()).sum();
        let share = 1.0 / positive.iter().filter(|&&p| p).count().max(1) as f32;
        let mut loss = 0f64;
        for (s, &p) in scores.iter_mut().zip(positive) {
            let log_p = *s - max - sum.ln();
            *s = log_p.exp();
            if p {
                loss -= f64::from(share * log_p);
                *s -= share;
            }
            *s *= weight;
        }
        let (_, _, w2, _) = self.parts();
        let (gw1, rest) = g.split_at_mut(width * hidden);
        let (gb1, rest) = rest.split_at_mut(hidden);
        let (gw2, gskip) = rest.split_at_mut(hidden);
        let one_row = Strides { row: 0, column: 1 };
        accumulate(gw2, &scores, one_row, &hs, hidden);
        accumulate(gskip, &scores, one_row, x, width);
        // From here on `hs` holds the gradients of the hidden units.
        for (h, &d) in hs.chunks_exact_mut(hidden).zip(&scores) {
            for ((h, w), gb) in h.iter_mut().zip(w2).zip(gb1.iter_mut()) {
                *h = if *h > 0.0 { d * w * kept } else { 0.0 };
                *gb += *h;
            }
        }
        accumulate(gw1, x, Strides { row: 1, column: width }, &hs, hidden);
        loss * f64::from(weight)
    }

    /// Trains on lists that each hold at least one positive, with the weight of each (none: all weigh alike); returns the network and the
    /// mean loss of each epoch. Features are scaled at each use: a scaled copy of all lists would take gigabytes, and scaling costs little
    /// beside the network. `None` once `stopped` says so; it is asked before every step.
    pub(crate) fn train(
        lists: &[&List],
        weights: &[f32],
        scaling: Scaling<'_>,
        o: &MlpOptions,
        stopped: &dyn Fn() -> bool,
    ) -> Option<(Self, Vec<f64>)> {
        let mut rng = SplitMix(o.seed);
        let mut net = Self::new(scaling.width, o.hidden, &mut rng);
        let n = net.p.len();
        let (mut m, mut v) = (vec![0f32; n], vec![0f32; n]);
        let mut order: Vec<usize> = (0..lists.len()).collect();
        let steps = lists.len().div_ceil(o.batch).max(1) * o.epochs;
        let (mut step, mut curve) = (0usize, Vec::new());
        for _ in 0..o.epochs {
            for i in (1..order.len()).rev() {
                order.swap(i, (rng.next() % (i as u64 + 1)) as usize);
            }
            let mut total = 0f64;
            for batch in order.chunks(o.batch) {
                if stopped() {
                    return None;
                }
                // Four fixed parts, summed in order, so that the number of threads does not change the result.
                let parts: Vec<(f64, Vec<f32>)> = batch
                    .par_chunks(batch.len().div_ceil(4))
                    .map(|part| {
                        let mut g = vec![0f32; n];
                        let loss = part
                            .iter()
                            .map(|&l| {
                                // The draw depends on list and step only, not on the thread.
                                let draw = SplitMix(o.seed ^ ((step as u64) << 32) ^ l as u64);
                                let rows = (scaling.apply)(&lists[l].x);
                                let weight = weights.get(l).copied().unwrap_or(1.0);
                                let labels = Labels { positive: &lists[l].positive, weight };
                                net.gradient(&rows, labels, &mut g, o.dropout.then_some(draw))
                            })
                            .sum();
                        (loss, g)
                    })
                    .collect();
                step += 1;
                let rate = o.rate * 0.5 * (1.0 + (std::f32::consts::PI * step as f32 / steps as f32).cos());
                let (c1, c2) = (1.0 - 0.9f32.powi(step as i32), 1.0 - 0.999f32.powi(step as i32));
                for k in 0..n {
                    let g = parts.iter().map(|p| p.1[k]).sum::<f32>() / batch.len() as f32;
                    m[k] = 0.9 * m[k] + 0.1 * g;
                    v[k] = 0.999 * v[k] + 0.001 * g * g;
                    net.p[k] -= rate * ((m[k] / c1) / ((v[k] / c2).sqrt() + 1e-8) + o.decay * net.p[k]);
                }
                total += parts.iter().map(|p| p.0).sum::<f64>();
            }
            curve.push(total / lists.len().max(1) as f64);
        }
        Some((net, curve))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNSCALED: Scaling<'static> = Scaling { width: 5, apply: &<[f32]>::to_vec };

    fn random_lists(n: usize, width: usize) -> Vec<List> {
        let mut rng = SplitMix(7);
        (0..n)
            .map(|_| {
                let x: Vec<f32> = (0..12 * width).map(|_| 2.0 * rng.unit() - 1.0).collect();
                // The positive item is the one with the largest product of the first two features: no linear score finds it.
                let best = (0..12)
                    .max_by(|&a, &b| (x[a * width] * x[a * width + 1]).total_cmp(&(x[b * width] * x[b * width + 1])));
                List { user: 0, x, positive: (0..12).map(|r| Some(r) == best).collect() }
            })
            .collect()
    }

    #[test]
    fn gradient_agrees_with_differences() {
        let lists = random_lists(1, 5);
        let mut net = Mlp::new(5, 8, &mut SplitMix(3));
        let mut g = vec![0f32; net.p.len()];
        let labels = Labels { positive: &lists[0].positive, weight: 0.5 };
        net.gradient(&lists[0].x, labels, &mut g, Some(SplitMix(5)));
        for k in (0..net.p.len()).step_by(3) {
            let keep = net.p[k];
            let mut at = |x: f32| {
                net.p[k] = x;
                net.gradient(&lists[0].x, labels, &mut vec![0f32; g.len()], Some(SplitMix(5)))
            };
            let slope = (at(keep + 1e-2) - at(keep - 1e-2)) / 2e-2;
            net.p[k] = keep;
            assert!((slope - f64::from(g[k])).abs() < 2e-2, "parameter {k}: {slope} against {}", g[k]);
        }
    }

    #[test]
    fn learns_an_interaction_and_repeats_itself() {
        let lists = random_lists(600, 5);
        let o = MlpOptions { hidden: 16, epochs: 20, decay: 0.0, rate: 1e-2, dropout: false, ..MlpOptions::default() };
        let all: Vec<&List> = lists.iter().collect();
        let train = |o: &MlpOptions| Mlp::train(&all, &[], UNSCALED, o, &|| false).unwrap();
        let (net, curve) = train(&o);
        let hits = lists
            .iter()
            .filter(|l| {
                let s = net.score(&l.x);
                let top = (0..12).max_by(|&a, &b| s[a].total_cmp(&s[b]));
                top.is_some_and(|t| l.positive[t])
            })
            .count();
        assert!(hits > 400, "{hits} of 600");
        assert!(curve[curve.len() - 1] < 0.6 * curve[0]);
        assert_eq!(train(&o).0, net);
        assert!(Mlp::train(&all, &[], UNSCALED, &o, &|| true).is_none());
        assert_eq!(Mlp::train(&all, &[1.0; 600], UNSCALED, &o, &|| false).unwrap().0, net, "a weight of one is none");
        let dropped = MlpOptions { dropout: true, epochs: 2, ..o };
        let one = train(&dropped).0;
        assert_ne!(train(&MlpOptions { epochs: 2, ..o }).0, one);
        let alone = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        assert_eq!(alone.install(|| train(&dropped).0), one);
    }
}
