//! Fine-tuning methods: LoRA, AdaLoRA, or all weights of the upper layers.

use serde::{Deserialize, Serialize};

use crate::adalora::AdaLoraOptions;
use crate::lora::{Adapter, LoraOptions};

/// How the upper layers train.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Low-rank adapters, weights frozen.
    Lora(LoraOptions),
    /// Low-rank adapters that distribute a rank budget over the modules, weights frozen.
    AdaLora(AdaLoraOptions),
    /// All weights of the upper layers.
    Full,
}

impl Method {
    /// Options of the low-rank adapters; `None` for [`Method::Full`].
    #[must_use]
    pub fn lora(&self) -> Option<&LoraOptions> {
        match self {
            Self::Lora(lora) | Self::AdaLora(AdaLoraOptions { lora, .. }) => Some(lora),
            Self::Full => None,
        }
    }

    /// Why this method cannot continue training an adapter; `None` if it can. The caller checks that both have the same base.
    #[must_use]
    pub fn incompatibility(&self, start: &Adapter) -> Option<String> {
        let rank = |most: usize, equal: bool| {
            let ranks = start.pairs.values().filter_map(|pair| pair.a.dim(0).ok());
            ranks.into_iter().find(|r| *r > most || (equal && *r != most))
        };
        let Some(lora) = self.lora() else {
            return (!start.pairs.is_empty()).then(|| "has low-rank pairs, all weights are to train".to_owned());
        };
        if !start.weights.is_empty() {
            return Some("has whole weights, low-rank pairs are to train".to_owned());
        }
        let (scale, expected) = (start.meta.scale, lora.alpha / lora.rank as f64);
        if scale != expected {
            return Some(format!("has scale {scale}, alpha / rank is {expected}"));
        }
        match self {
            Self::AdaLora(o) => {
                rank(o.initial, false).map(|r| format!("has rank {r}, the run begins with {}", o.initial))
            }
            _ => rank(lora.rank, true).map(|r| format!("has rank {r}, {} is to train", lora.rank)),
        }
    }
}
