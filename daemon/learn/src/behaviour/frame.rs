//! How a network sees text and prices, fixed when it is made: text vectors are centred on the catalogue's mean and brought to a size of about
//! one (encoders put all texts of a shop into one narrow cone), prices fall into bands.

use candle_core::{Device, Tensor};

use super::data::Items;
use super::prices::{band, borders};
use crate::error::Result;

/// Mean, scale and price borders, and whether queries are read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Frame {
    pub(crate) mean: Vec<f32>,
    pub(crate) scale: f32,
    pub(crate) borders: Vec<f32>,
    /// Whether the network has learned from queries.
    pub(crate) knows_queries: bool,
}

/// Whether a vector says anything.
fn speaks(v: &[f32]) -> bool {
    v.iter().any(|x| *x != 0.0)
}

impl Frame {
    pub(crate) fn new(items: &Items) -> Self {
        let rows = || (0..items.len() as u32).map(|i| items.vector(i)).filter(|v| speaks(v));
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

    fn centre(&self, v: &[f32], out: &mut Vec<f32>) {
        if speaks(v) {
            out.extend(v.iter().zip(&self.mean).map(|(x, m)| (x - m) * self.scale));
        } else {
            out.resize(out.len() + v.len(), 0.0);
        }
    }

    /// Centred text of some items, `[items, text]`.
    pub(crate) fn items(&self, items: &Items, which: &[u32]) -> Result<Tensor> {
        let mut out = Vec::with_capacity(which.len() * items.dim());
        which.iter().for_each(|i| self.centre(items.vector(*i), &mut out));
        Ok(Tensor::from_vec(out, (which.len(), items.dim()), &Device::Cpu)?)
    }

    /// Centred text of some rows of query vectors, `[rows, text]`.
    pub(crate) fn queries(&self, queries: &[f32], which: &[u32]) -> Result<Tensor> {
        let dim = self.mean.len();
        let mut out = Vec::with_capacity(which.len() * dim);
        which.iter().for_each(|i| self.centre(&queries[*i as usize * dim..(*i as usize + 1) * dim], &mut out));
        Ok(Tensor::from_vec(out, (which.len(), dim), &Device::Cpu)?)
    }

    /// Price band of every item.
    pub(crate) fn bands(&self, items: &Items) -> Vec<u8> {
        items.prices().iter().map(|p| band(*p, &self.borders)).collect()
    }
}
