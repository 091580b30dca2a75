//! Normalisation of the model's inputs, fixed when the model is created: text vectors are centred on the catalogue's mean and scaled to a
//! length of about one (encoders map all texts of a shop into a narrow cone); prices become bands.

use candle_core::{Device, Tensor};

use super::data::ItemFeatures;
use super::price_bands::{band, borders};
use crate::error::Result;

/// Mean, scale and price borders, and whether the model reads queries.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct InputNorm {
    pub(crate) mean: Vec<f32>,
    pub(crate) scale: f32,
    pub(crate) borders: Vec<f32>,
    /// Whether the model has been trained on queries.
    pub(crate) knows_queries: bool,
}

/// Whether a vector belongs to a text; zeros mean that there is none.
fn has_text(v: &[f32]) -> bool {
    v.iter().any(|x| *x != 0.0)
}

impl InputNorm {
    pub(crate) fn new(items: &ItemFeatures) -> Self {
        let rows = || (0..items.len() as u32).map(|i| items.vector(i)).filter(|v| has_text(v));
        let mut mean = vec![0f64; items.dim()];
        rows().for_each(|v| mean.iter_mut().zip(v).for_each(|(m, x)| *m += f64::from(*x)));
        let n = rows().count().max(1) as f64;
        mean.iter_mut().for_each(|m| *m /= n);
        let distance = |v: &[f32]| mean.iter().zip(v).map(|(m, x)| (f64::from(*x) - m).powi(2)).sum::<f64>();
        let variance = rows().map(distance).sum::<f64>() / n;
        let scale = if variance > 0.0 { (1.0 / variance.sqrt()) as f32 } else { 1.0 };
        let (mean, borders) = (mean.into_iter().map(|m| m as f32).collect(), borders(items.prices()));
        Self { mean, scale, borders, knows_queries: false }
    }

    fn normalise(&self, v: &[f32], out: &mut Vec<f32>) {
        if has_text(v) {
            out.extend(v.iter().zip(&self.mean).map(|(x, m)| (x - m) * self.scale));
        } else {
            out.resize(out.len() + v.len(), 0.0);
        }
    }

    /// Normalised text vectors of some items, `[items, text]`.
    pub(crate) fn items(&self, items: &ItemFeatures, which: &[u32]) -> Result<Tensor> {
        let mut out = Vec::with_capacity(which.len() * items.dim());
        which.iter().for_each(|i| self.normalise(items.vector(*i), &mut out));
        Ok(Tensor::from_vec(out, (which.len(), items.dim()), &Device::Cpu)?)
    }

    /// Normalised text vectors of some rows of `queries`, `[rows, text]`.
    pub(crate) fn queries(&self, queries: &[f32], which: &[u32]) -> Result<Tensor> {
        let dim = self.mean.len();
        let mut out = Vec::with_capacity(which.len() * dim);
        which.iter().for_each(|i| self.normalise(&queries[*i as usize * dim..(*i as usize + 1) * dim], &mut out));
        Ok(Tensor::from_vec(out, (which.len(), dim), &Device::Cpu)?)
    }

    /// Price band of every item.
    pub(crate) fn bands(&self, items: &ItemFeatures) -> Vec<u8> {
        items.prices().iter().map(|p| band(*p, &self.borders)).collect()
    }
}
