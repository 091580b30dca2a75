//! Dropout with a mask that is a pure function of a key, so that a resumed run draws the same masks without stored generator state.

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{cpu_slice, has_kernel, with_slice};

/// What a mask depends on, besides its place in the graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DropKey {
    /// Seed of the run.
    pub seed: u64,
    /// Optimiser step.
    pub step: u64,
    /// Micro-batch inside the step.
    pub chunk: u32,
}

struct Dropout {
    /// 1 for values that stay, 0 for dropped ones.
    keep: Arc<[u8]>,
    factor: f32,
}

impl Dropout {
    fn apply(&self, x: &[f32]) -> Result<Vec<f32>> {
        if x.len() != self.keep.len() {
            bail!("dropout: {} values, mask of {}", x.len(), self.keep.len());
        }
        Ok(x.iter().zip(self.keep.iter()).map(|(x, k)| x * f32::from(*k) * self.factor).collect())
    }
}

impl CustomOp1 for Dropout {
    fn name(&self) -> &'static str {
        "dropout"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let y = self.apply(cpu_slice(x, layout)?)?;
        Ok((CpuStorage::F32(y), layout.shape().clone()))
    }

    fn bwd(&self, _x: &Tensor, _y: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let dx = with_slice(&grad.contiguous()?, |g| self.apply(g))?;
        Ok(Some(Tensor::from_vec(dx, grad.shape(), grad.device())?))
    }
}

/// Sets a share of the values to zero and scales the others so that the mean stays. `share` is rounded to 1/256; 0 changes nothing.
/// `place` numbers the dropouts of the graph, so that each has its own mask in a step.
///
/// # Errors
/// When the tensor library fails.
pub fn dropout(x: &Tensor, share: f64, key: DropKey, place: u32) -> Result<Tensor> {
    let below = (share * 256.0).round().clamp(0.0, 255.0) as u8;
    if below == 0 {
        return Ok(x.clone());
    }
    let mut seed = [0u8; 32];
    seed[..8].copy_from_slice(&key.seed.to_le_bytes());
    seed[8..16].copy_from_slice(&key.step.to_le_bytes());
    seed[16..20].copy_from_slice(&key.chunk.to_le_bytes());
    seed[20..24].copy_from_slice(&place.to_le_bytes());
    let mut keep = vec![0u8; x.elem_count()];
    ChaCha8Rng::from_seed(seed).fill_bytes(&mut keep);
    keep.iter_mut().for_each(|k| *k = u8::from(*k >= below));
    let factor = 256.0 / (256.0 - f32::from(below));
    if has_kernel(x) {
        let keep = keep.into();
        return x.contiguous()?.apply_op1(Dropout { keep, factor });
    }
    let mask = Tensor::from_vec(keep, x.shape(), x.device())?.to_dtype(x.dtype())?;
    x * (mask * f64::from(factor))?
}
