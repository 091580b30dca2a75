//! AdamW (Loshchilov and Hutter, arXiv 1711.05101) over named variables, with its learning-rate schedule. Own code instead of candle's optimiser,
//! because that one does not expose its moments, so a run could not be resumed exactly.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor, Var};
use serde::{Deserialize, Serialize};

use crate::error::{LearnError, Result};

/// Parameters of AdamW and its schedule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AdamOptions {
    /// Peak learning rate.
    pub learning_rate: f64,
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub eps: f64,
    /// Decoupled weight decay of matrices (not of biases and norms). 0 by default, because for adapters the pull on `B A`
    /// ([`crate::tune::TuneOptions::pull`]) has the intended effect.
    pub weight_decay: f64,
    /// Maximum global gradient norm; 0 switches clipping off.
    pub clip_norm: f64,
    /// Share of all steps in which the learning rate rises from 0.
    pub warmup: f64,
    /// Share of the peak to which the learning rate falls along a cosine.
    pub floor: f64,
}

impl Default for AdamOptions {
    fn default() -> Self {
        Self {
            learning_rate: 2e-4,
            beta1: 0.9,
            beta2: 0.999,
            eps: 1e-8,
            weight_decay: 0.0,
            clip_norm: 1.0,
            warmup: 0.1,
            floor: 0.0,
        }
    }
}

impl AdamOptions {
    /// # Errors
    /// [`LearnError::Option`] for the first field out of range.
    pub(crate) fn check(&self) -> Result<()> {
        let ranges = [
            ("learning_rate", self.learning_rate, 0.0, 1.0),
            ("beta1", self.beta1, 0.0, 0.999_999),
            ("beta2", self.beta2, 0.0, 0.999_999_9),
            ("eps", self.eps, 1e-16, 1.0),
            ("weight_decay", self.weight_decay, 0.0, 1.0),
            ("clip_norm", self.clip_norm, 0.0, 1e9),
            ("warmup", self.warmup, 0.0, 1.0),
            ("floor", self.floor, 0.0, 1.0),
        ];
        for (name, value, low, high) in ranges {
            if !(low..=high).contains(&value) {
                let why = format!("{value} is not between {low} and {high}");
                return Err(LearnError::Option { name, why });
            }
        }
        Ok(())
    }

    /// Learning rate of a step (from 1) of `total`: linear warm-up, then half a cosine down to the floor.
    #[must_use]
    pub fn rate(&self, step: usize, total: usize) -> f64 {
        let (step, total) = (step as f64, total.max(1) as f64);
        let warm = (self.warmup * total).max(1.0);
        if step < warm {
            return self.learning_rate * step / warm;
        }
        // One more than the remaining steps, so that the last step still has a positive rate.
        let along = ((step - warm) / (total - warm + 1.0)).min(1.0);
        let share = 0.5 * (1.0 + (std::f64::consts::PI * along).cos());
        self.learning_rate * (self.floor + (1.0 - self.floor) * share)
    }
}

/// First and second moment of one variable.
#[derive(Debug)]
struct Moments {
    first: Tensor,
    second: Tensor,
}

/// AdamW with its state.
#[derive(Debug)]
pub struct AdamW {
    options: AdamOptions,
    vars: BTreeMap<String, Var>,
    /// By variable.
    moments: BTreeMap<String, Moments>,
    /// Steps taken.
    pub step: usize,
}

impl AdamW {
    /// Fresh moments for these variables.
    ///
    /// # Errors
    /// When the tensor library fails.
    pub fn new(options: AdamOptions, vars: &BTreeMap<String, Var>) -> Result<Self> {
        let zero = |v: &Var| -> Result<Moments> { Ok(Moments { first: v.zeros_like()?, second: v.zeros_like()? }) };
        let moments = vars.iter().map(|(n, v)| Ok((n.clone(), zero(v)?))).collect::<Result<_>>()?;
        Ok(Self { options, vars: vars.clone(), moments, step: 0 })
    }

    /// Moments as tensors named `m.<variable>` and `v.<variable>`.
    #[must_use]
    pub fn state(&self) -> BTreeMap<String, Tensor> {
        let parts = |(n, moments): (&String, &Moments)| {
            [(format!("m.{n}"), moments.first.clone()), (format!("v.{n}"), moments.second.clone())]
        };
        self.moments.iter().flat_map(parts).collect()
    }

    /// Restores moments that [`AdamW::state`] returned after `step` steps.
    ///
    /// # Errors
    /// [`LearnError::TensorMissing`] and [`LearnError::TensorShape`] when they belong to other variables.
    pub fn restore(&mut self, state: &BTreeMap<String, Tensor>, step: usize, device: &Device) -> Result<()> {
        for (name, moments) in &mut self.moments {
            for (side, slot) in [('m', &mut moments.first), ('v', &mut moments.second)] {
                let name = format!("{side}.{name}");
                let t = state.get(&name).ok_or_else(|| LearnError::TensorMissing { name: name.clone() })?;
                if t.dims() != slot.dims() {
                    return Err(LearnError::TensorShape {
                        name,
                        expected: slot.dims().to_vec(),
                        found: t.dims().to_vec(),
                    });
                }
                *slot = t.to_device(device)?;
            }
        }
        self.step = step;
        Ok(())
    }

    /// Takes one step at this learning rate; returns the global gradient norm before clipping. Variables without gradient stay unchanged.
    ///
    /// # Errors
    /// [`LearnError::NotFinite`] when the norm is NaN or infinite; nothing has changed then.
    pub fn update(&mut self, grads: &BTreeMap<String, Tensor>, rate: f64) -> Result<f64> {
        let o = &self.options;
        let mut square = 0f64;
        for g in grads.values() {
            square += f64::from(g.sqr()?.sum_all()?.to_scalar::<f32>()?);
        }
        let norm = square.sqrt();
        if !norm.is_finite() {
            return Err(LearnError::NotFinite { step: self.step + 1, what: "gradient norm".to_owned() });
        }
        let factor = if o.clip_norm > 0.0 && norm > o.clip_norm { o.clip_norm / norm } else { 1.0 };
        self.step += 1;
        let t = self.step as i32;
        let (c1, c2) = (1.0 - o.beta1.powi(t), 1.0 - o.beta2.powi(t));
        for (name, var) in &self.vars {
            let (Some(g), Some(Moments { first: m, second: v })) = (grads.get(name), self.moments.get_mut(name)) else {
                continue;
            };
            let g = (g * factor)?;
            *m = ((&*m * o.beta1)? + (&g * (1.0 - o.beta1))?)?.detach();
            *v = ((&*v * o.beta2)? + (g.sqr()? * (1.0 - o.beta2))?)?.detach();
            let change = ((&*m / c1)? / ((&*v / c2)?.sqrt()? + o.eps)?)?;
            let decay = if var.rank() >= 2 { rate * o.weight_decay } else { 0.0 };
            let w = ((var.as_detached_tensor() * (1.0 - decay))? - (change * rate)?)?;
            var.set(&w)?;
        }
        Ok(norm)
    }
}

#[cfg(test)]
mod tests {
    use candle_nn::Optimizer;

    use super::*;

    #[test]
    fn the_rate_rises_then_falls_and_never_rests() {
        let o = AdamOptions { learning_rate: 1.0, warmup: 0.1, ..AdamOptions::default() };
        let rates: Vec<f64> = (1..=100).map(|s| o.rate(s, 100)).collect();
        assert!((rates[0] - 0.1).abs() < 1e-12 && (rates[9] - 1.0).abs() < 1e-12);
        assert!(rates[..10].is_sorted() && rates[9..].is_sorted_by(|a, b| a > b));
        assert!(rates[99] > 0.0 && rates[99] < 1e-3);
        assert!((1..=3).all(|total| (1..=total).all(|s| o.rate(s, total) > 0.1)));
        let o = AdamOptions { floor: 0.5, ..o };
        assert!(o.rate(100, 100) >= 0.5);
    }

    #[test]
    fn agrees_with_candles_optimiser() {
        let device = Device::Cpu;
        let start = Tensor::new(&[[0.5f32, -1.0], [2.0, 0.1]], &device).unwrap();
        let (ours, theirs) = (Var::from_tensor(&start).unwrap(), Var::from_tensor(&start).unwrap());
        let o = AdamOptions { weight_decay: 0.01, clip_norm: 0.0, ..AdamOptions::default() };
        let params = candle_nn::ParamsAdamW { lr: 0.01, weight_decay: 0.01, ..Default::default() };
        let mut oracle = candle_nn::AdamW::new(vec![theirs.clone()], params).unwrap();
        let mut adam = AdamW::new(o, &BTreeMap::from([("w".to_owned(), ours.clone())])).unwrap();
        let target = Tensor::new(&[[1.0f32, 1.0], [-1.0, 0.0]], &device).unwrap();
        let loss = |v: &Var| (v.as_tensor() - &target).unwrap().sqr().unwrap().sum_all().unwrap();
        for _ in 0..20 {
            oracle.backward_step(&loss(&theirs)).unwrap();
            let mut grads = loss(&ours).backward().unwrap();
            adam.update(&BTreeMap::from([("w".to_owned(), grads.remove(&ours).unwrap())]), 0.01).unwrap();
        }
        let gap = (ours.as_tensor() - theirs.as_tensor()).unwrap().abs().unwrap().max_all().unwrap();
        assert!(gap.to_scalar::<f32>().unwrap() < 1e-6);
    }

    #[test]
    fn clipping_bounds_the_gradient_and_nan_changes_nothing() {
        let device = Device::Cpu;
        let var = Var::zeros(2, candle_core::DType::F32, &device).unwrap();
        let vars = BTreeMap::from([("w".to_owned(), var.clone())]);
        let mut adam = AdamW::new(AdamOptions::default(), &vars).unwrap();
        let grad = |a: f32, b: f32| BTreeMap::from([("w".to_owned(), Tensor::new(&[a, b], &device).unwrap())]);
        let norm = adam.update(&grad(30.0, 40.0), 0.1).unwrap();
        assert!((norm - 50.0).abs() < 1e-4);
        let m: Vec<f32> = adam.state()["m.w"].to_vec1().unwrap();
        assert!((m[0] - 0.06).abs() < 1e-6 && (m[1] - 0.08).abs() < 1e-6, "{m:?}");
        let before: Vec<f32> = var.to_vec1().unwrap();
        assert!(matches!(adam.update(&grad(f32::NAN, 0.0), 0.1), Err(LearnError::NotFinite { step: 2, .. })));
        assert_eq!((var.to_vec1::<f32>().unwrap(), adam.step), (before, 1));
    }
}
