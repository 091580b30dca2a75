//! AdaLoRA (Zhang et al., arXiv 2303.10512): the change of a weight is `(alpha / r) P diag(l) Q` with nearly orthonormal `P [out, k]` and
//! `Q [k, in]`. Training starts with more ranks than are paid for; those that matter least over all modules together are set to zero, so
//! that modules which need more keep more. Names are peft's: `lora_A` is Q, `lora_B` is P, `lora_E` is l.
//!
//! What is learned leaves as an ordinary [`Adapter`](crate::Adapter) of pairs `(diag(l) Q, P)` with the ranks that are left; nothing behind
//! it knows of ranks.

use std::collections::BTreeMap;

use candle_core::{D, DType, Device, Tensor, Var};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::error::{LearnError, Result};
use crate::lora::{LoraOptions, module_of, var_name};

/// Settings beyond those of [`LoraOptions`], whose `rank` is the mean rank at the end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AdaLoraOptions {
    /// Mean rank at the end, scale, dropout and place.
    pub lora: LoraOptions,
    /// Rank of every module at the start, at least that at the end.
    pub initial: usize,
    /// Share of the steps before the first rank is taken away.
    pub warmup: f64,
    /// Share of the steps at the end in which no rank is taken away any more; with `warmup` at most 1.
    pub rest: f64,
    /// Weight of the distance of P and Q from orthonormal in the loss.
    pub orthogonal: f64,
    /// Smoothing of importance and of its uncertainty, each 0 to below 1.
    pub smoothing: (f64, f64),
}

impl Default for AdaLoraOptions {
    /// The paper's: half as many ranks again at the start, both smoothings .85.
    fn default() -> Self {
        Self {
            lora: LoraOptions::default(),
            initial: 12,
            warmup: 0.1,
            rest: 0.3,
            orthogonal: 0.1,
            smoothing: (0.85, 0.85),
        }
    }
}

impl AdaLoraOptions {
    /// # Errors
    /// [`LearnError::Option`] for the first field out of range; those of `lora` are checked by the caller.
    pub(crate) fn check(&self) -> Result<()> {
        let fail = |name, why: String| Err(LearnError::Option { name, why });
        if !(self.lora.rank..=256).contains(&self.initial) {
            return fail("initial", format!("{} is not between the rank, {}, and 256", self.initial, self.lora.rank));
        }
        let shares = [self.warmup, self.rest, 1.0 - self.warmup - self.rest];
        if !shares.iter().all(|share| (0.0..=1.0).contains(share)) {
            return fail("warmup", format!("{} and rest {} are no shares of one run", self.warmup, self.rest));
        }
        if !(0.0..=1e6).contains(&self.orthogonal) {
            return fail("orthogonal", format!("{} is not between 0 and 1e6", self.orthogonal));
        }
        if ![self.smoothing.0, self.smoothing.1].iter().all(|s| (0.0..1.0).contains(s)) {
            return fail("smoothing", format!("{:?} are not between 0 and 1", self.smoothing));
        }
        Ok(())
    }

    /// Ranks of all `modules` together that stay after `step` (from 1) of `total`: all, then down along a cube, then the mean rank.
    pub(crate) fn ranks(&self, step: usize, total: usize, modules: usize) -> usize {
        let (first, last) = (modules * self.initial, modules * self.lora.rank);
        let (begin, end) = (self.warmup * total as f64, (1.0 - self.rest) * total as f64);
        let step = step as f64;
        if step >= end || step >= total as f64 {
            return last;
        }
        if step <= begin {
            return first;
        }
        let left = 1.0 - (step - begin) / (end - begin);
        last + ((first - last) as f64 * left.powi(3)).round() as usize
    }
}

/// Seeded start of a module: orthonormal rows of `Q [k, in]` and columns of `P [out, k]`, and `l = 0`, so that tuning begins exactly at the
/// base. With a pair `(A, B)` of an adapter, its ranks come first, their lengths in `l`.
pub(crate) fn start(
    module: &str,
    (ranks, seed): (usize, u64),
    (out, inner): (usize, usize),
    pair: Option<&(Tensor, Tensor)>,
    device: &Device,
) -> Result<(Var, Var, Var)> {
    let (mut q, mut p, mut l) = (Vec::new(), Vec::new(), Vec::new());
    if let Some((a, b)) = pair {
        let rows: Vec<Vec<f32>> = a.to_dtype(DType::F32)?.to_vec2()?;
        let columns: Vec<Vec<f32>> = b.to_dtype(DType::F32)?.t()?.contiguous()?.to_vec2()?;
        for (mut row, mut column) in rows.into_iter().zip(columns) {
            let length = unit(&mut row) * unit(&mut column);
            if length > 0.0 {
                q.push(row);
                p.push(column);
                l.push(length);
            }
        }
    }
    if l.len() > ranks {
        return Err(LearnError::Option {
            name: "start",
            why: format!("{module} has rank {}, the run begins with {ranks}", l.len()),
        });
    }
    let key = blake3::hash(format!("adalora {seed} {module}").as_bytes());
    let mut rng = ChaCha8Rng::from_seed(*key.as_bytes());
    fill(&mut q, (ranks, inner), &mut rng);
    fill(&mut p, (ranks, out), &mut rng);
    l.resize(ranks, 0.0);
    let p = Tensor::from_vec(p.concat(), (ranks, out), device)?.t()?.contiguous()?;
    Ok((Var::from_vec(q.concat(), (ranks, inner), device)?, Var::from_tensor(&p)?, Var::from_vec(l, ranks, device)?))
}

/// Scales a vector to length 1 and gives its length; one of zeros stays.
fn unit(x: &mut [f32]) -> f32 {
    let length = x.iter().map(|v| v * v).sum::<f32>().sqrt();
    if length > 0.0 {
        x.iter_mut().for_each(|v| *v /= length);
    }
    length
}

/// Adds random directions at right angles to all before (Gram-Schmidt), as far as the space has room for them.
fn fill(rows: &mut Vec<Vec<f32>>, (count, width): (usize, usize), rng: &mut ChaCha8Rng) {
    while rows.len() < count {
        let mut row: Vec<f32> = (0..width).map(|_| rng.random_range(-1.0f32..1.0)).collect();
        if rows.len() < width {
            for before in rows.iter() {
                let along: f32 = before.iter().zip(&row).map(|(a, b)| a * b).sum();
                row.iter_mut().zip(before).for_each(|(x, b)| *x -= along * b);
            }
        }
        unit(&mut row);
        rows.push(row);
    }
}

/// `(diag(l) Q, P)` of the ranks that are left; none where none is.
pub(crate) fn pair(q: &Tensor, p: &Tensor, l: &Tensor) -> Result<Option<(Tensor, Tensor)>> {
    let left: Vec<u32> = (0..).zip(l.to_vec1::<f32>()?).filter(|(_, l)| *l != 0.0).map(|(k, _)| k).collect();
    if left.is_empty() {
        return Ok(None);
    }
    let n = left.len();
    let left = Tensor::from_vec(left, n, l.device())?;
    let l = l.index_select(&left, 0)?.unsqueeze(1)?;
    let q = q.index_select(&left, 0)?.broadcast_mul(&l)?;
    Ok(Some((q, p.index_select(&left, 1)?.contiguous()?)))
}

/// `||Q Q^T - 1||_F^2 + ||P^T P - 1||_F^2`. Scalar.
pub(crate) fn skew(q: &Tensor, p: &Tensor) -> Result<Tensor> {
    let one = Tensor::eye(q.dim(0)?, DType::F32, q.device())?;
    let of = |gram: Tensor| (gram - &one)?.sqr()?.sum_all();
    Ok((of(q.matmul(&q.t()?)?)? + of(p.t()?.matmul(p)?)?)?)
}

/// Decides which ranks stay: smoothed `|w dL/dw|` times its smoothed uncertainty, of `l` and in the mean over the rank's vectors.
#[derive(Debug)]
pub(crate) struct Allocator {
    options: AdaLoraOptions,
    modules: Vec<String>,
    /// Importance and uncertainty by variable.
    scores: BTreeMap<String, (Tensor, Tensor)>,
}

impl Allocator {
    pub(crate) fn new(options: &AdaLoraOptions, vars: &BTreeMap<String, Var>) -> Result<Self> {
        let modules = vars.keys().filter_map(|name| module_of(name)).map(str::to_owned).collect();
        let scores =
            vars.iter().map(|(n, v)| Ok((n.clone(), (v.zeros_like()?, v.zeros_like()?)))).collect::<Result<_>>()?;
        Ok(Self { options: options.clone(), modules, scores })
    }

    /// Takes in the gradients of a step (from 1) that has been taken, and sets the `l` of ranks beyond the schedule's to 0. What is 0 has a
    /// gradient still and may come back.
    pub(crate) fn after(
        &mut self,
        (step, total): (usize, usize),
        grads: &BTreeMap<String, Tensor>,
        vars: &BTreeMap<String, Var>,
    ) -> Result<()> {
        let (first, second) = self.options.smoothing;
        for (name, (importance, uncertainty)) in &mut self.scores {
            let (Some(var), Some(grad)) = (vars.get(name), grads.get(name)) else { continue };
            let now = (var.as_detached_tensor() * grad)?.abs()?;
            *importance = ((&*importance * first)? + (&now * (1.0 - first))?)?.detach();
            let off = (now - &*importance)?.abs()?;
            *uncertainty = ((&*uncertainty * second)? + (off * (1.0 - second))?)?.detach();
        }
        let keep = self.options.ranks(step, total, self.modules.len());
        if keep >= self.modules.len() * self.options.initial {
            return Ok(());
        }
        // Over all modules together; among equals the earlier one stays.
        let mut all: Vec<(f32, usize, usize)> = Vec::new();
        for (at, module) in self.modules.iter().enumerate() {
            let worth = self.worth(module)?;
            all.extend(worth.into_iter().enumerate().map(|(rank, worth)| (worth, at, rank)));
        }
        all.sort_by(|a, b| b.0.total_cmp(&a.0).then((a.1, a.2).cmp(&(b.1, b.2))));
        let mut gone: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (_, at, rank) in all.split_off(keep.min(all.len())) {
            gone.entry(at).or_default().push(rank);
        }
        for (at, ranks) in gone {
            let Some(var) = vars.get(&var_name(&self.modules[at], 'E')) else { continue };
            let mut l: Vec<f32> = var.to_vec1()?;
            ranks.into_iter().for_each(|rank| l[rank] = 0.0);
            var.set(&Tensor::from_vec(l, var.shape(), var.device())?)?;
        }
        Ok(())
    }

    /// What each rank of a module matters.
    fn worth(&self, module: &str) -> Result<Vec<f32>> {
        let score = |side: char| -> Result<Tensor> {
            let name = var_name(module, side);
            let (importance, uncertainty) =
                self.scores.get(&name).ok_or_else(|| LearnError::TensorMissing { name: name.clone() })?;
            Ok((importance * uncertainty)?)
        };
        let (q, p) = (score('A')?.mean(D::Minus1)?, score('B')?.mean(0)?);
        Ok((score('E')? + (q + p)?)?.to_vec1()?)
    }

    /// What it knows, as tensors named `importance.<variable>` and `uncertainty.<variable>`.
    pub(crate) fn state(&self) -> BTreeMap<String, Tensor> {
        let parts = |(n, (i, u)): (&String, &(Tensor, Tensor))| {
            [(format!("importance.{n}"), i.clone()), (format!("uncertainty.{n}"), u.clone())]
        };
        self.scores.iter().flat_map(parts).collect()
    }

    /// Takes up what [`Allocator::state`] gave.
    ///
    /// # Errors
    /// [`LearnError::TensorMissing`] when it is not of these variables.
    pub(crate) fn restore(&mut self, state: &BTreeMap<String, Tensor>, device: &Device) -> Result<()> {
        for (name, pair) in &mut self.scores {
            for (kind, slot) in [("importance", &mut pair.0), ("uncertainty", &mut pair.1)] {
                let name = format!("{kind}.{name}");
                let t = state.get(&name).filter(|t| t.dims() == slot.dims());
                *slot = t.ok_or(LearnError::TensorMissing { name })?.to_device(device)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::values;

    const CPU: Device = Device::Cpu;

    #[test]
    fn the_budget_falls_along_a_cube_and_ends_at_the_mean_rank() {
        let o = AdaLoraOptions::default();
        let ranks: Vec<usize> = (1..=100).map(|step| o.ranks(step, 100, 4)).collect();
        assert!(ranks[..10].iter().all(|r| *r == 48) && ranks[69..].iter().all(|r| *r == 32), "{ranks:?}");
        assert!(ranks.is_sorted_by(|a, b| a >= b) && ranks[10] < 48);
        assert!(ranks[40] < 40, "half way most of what goes has gone: {ranks:?}");
        for short in 1..=3 {
            assert_eq!(o.ranks(short, short, 4), 32, "a short run ends at the mean rank too");
        }
        let wrong = |o: AdaLoraOptions| o.check().unwrap_err().to_string();
        assert!(wrong(AdaLoraOptions { initial: 4, ..o.clone() }).contains("initial"));
        assert!(wrong(AdaLoraOptions { warmup: 0.8, ..o.clone() }).contains("warmup"));
        assert!(wrong(AdaLoraOptions { orthogonal: -1.0, ..o.clone() }).contains("orthogonal"));
        assert!(wrong(AdaLoraOptions { smoothing: (1.0, 0.0), ..o }).contains("smoothing"));
    }

    #[test]
    fn starts_at_right_angles_and_goes_on_from_a_pair() {
        let (q, p, l) = start("m", (6, 1), (9, 7), None, &CPU).unwrap();
        assert_eq!((q.dims(), p.dims(), l.dims()), (&[6, 7][..], &[9, 6][..], &[6][..]));
        assert!(values(&l).iter().all(|l| *l == 0.0) && pair(&q, &p, &l).unwrap().is_none());
        let skewed = skew(q.as_tensor(), p.as_tensor()).unwrap().to_scalar::<f32>().unwrap();
        assert!(skewed < 1e-8, "{skewed}");
        // A pair comes back as the same product.
        let a = Tensor::new(&[[1.0f32, 2.0, 0.0], [0.0, 1.0, 3.0]], &CPU).unwrap();
        let b = Tensor::new(&[[1.0f32, 0.5], [2.0, -1.0]], &CPU).unwrap();
        let (q, p, l) = start("m", (3, 1), (2, 3), Some(&(a.clone(), b.clone())), &CPU).unwrap();
        let (a2, b2) = pair(&q, &p, &l).unwrap().unwrap();
        assert_eq!((a2.dims(), b2.dims()), (&[2, 3][..], &[2, 2][..]), "the third rank says nothing yet");
        let product = |a: &Tensor, b: &Tensor| values(&b.matmul(a).unwrap());
        let gap = product(&a, &b).iter().zip(product(&a2, &b2)).map(|(x, y)| (x - y).abs()).fold(0.0, f32::max);
        assert!(gap < 1e-5, "{gap}");
        let too_many = start("m", (1, 1), (2, 3), Some(&(a, b)), &CPU).unwrap_err();
        assert!(too_many.to_string().contains("rank 2"), "{too_many}");
    }

    #[test]
    fn ranks_that_matter_stay_wherever_they_are() {
        // Two modules of two ranks; half of the four stay. Both ranks of the second have gradients.
        let var = |rows: &[f32], shape: &[usize]| Var::from_vec(rows.to_vec(), shape, &CPU).unwrap();
        let mut vars = BTreeMap::new();
        for module in ["m.0", "m.1"] {
            vars.insert(var_name(module, 'A'), var(&[1.0, 0.0, 0.0, 1.0], &[2, 2]));
            vars.insert(var_name(module, 'B'), var(&[1.0, 0.0, 0.0, 1.0], &[2, 2]));
            vars.insert(var_name(module, 'E'), var(&[0.5, 0.5], &[2]));
        }
        let grads: BTreeMap<String, Tensor> = vars
            .iter()
            .map(|(name, v)| {
                let size = if name.contains("m.1") { 1.0 } else { 0.01 };
                (name.clone(), v.ones_like().unwrap().affine(size, 0.0).unwrap())
            })
            .collect();
        let lora = LoraOptions { rank: 1, ..LoraOptions::default() };
        let o = AdaLoraOptions { lora, initial: 2, warmup: 0.0, rest: 1.0, ..AdaLoraOptions::default() };
        let mut ranks = Allocator::new(&o, &vars).unwrap();
        ranks.after((1, 10), &grads, &vars).unwrap();
        let l = |module: &str| values(vars[&var_name(module, 'E')].as_tensor());
        assert_eq!((l("m.0"), l("m.1")), (vec![0.0, 0.0], vec![0.5, 0.5]));
        let mut again = Allocator::new(&o, &vars).unwrap();
        again.restore(&ranks.state(), &CPU).unwrap();
        assert_eq!(again.worth("m.1").unwrap(), ranks.worth("m.1").unwrap());
        assert!(again.restore(&BTreeMap::new(), &CPU).is_err());
    }
}
