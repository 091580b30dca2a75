//! Settings, progress and results of training the ranker on cut-offs of the log.
use std::ops::ControlFlow;

use crate::blend::BlendWeights;
use crate::collaborative_index::IndexOptions;
use crate::log::{DAY_MS, Log};
use crate::mlp::MlpOptions;
use crate::signal::Signal;
use crate::trees::TreeOptions;

/// Settings of the training.
#[derive(Debug, Clone, PartialEq)]
pub struct RankerTrainOptions {
    /// How the collaborative index is fitted at each cut-off; must be what serving uses.
    pub index: IndexOptions,
    /// Cut-offs at most.
    pub cutoffs: usize,
    /// Lists per head at most; users are thinned evenly beyond it. Bounds memory: a list takes about 50 kB.
    pub lists: usize,
    /// Training of the networks.
    pub mlp: MlpOptions,
    /// Trees of the heads for all and for novel items, in this order; `None` for no trees.
    pub trees: [Option<TreeOptions>; 2],
    /// Whether to train a head for cold items.
    pub cold: bool,
    /// Blend that picks the candidates.
    pub blend: BlendWeights,
    /// Whether to train a second ranker without the sequence model, where there is one.
    pub compared: bool,
    /// Signals that the networks are not shown, for an ablation.
    pub without: Vec<Signal>,
}

impl Default for RankerTrainOptions {
    fn default() -> Self {
        Self {
            index: IndexOptions::default(),
            cutoffs: 16,
            lists: 12_000,
            mlp: MlpOptions::default(),
            trees: [None; 2],
            cold: true,
            blend: BlendWeights::default(),
            compared: false,
            without: Vec::new(),
        }
    }
}

/// What the training read.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RankerTrainReport {
    /// Cut-offs, oldest first.
    pub cutoffs: Vec<i64>,
    /// Days of each window.
    pub window_days: i64,
    /// Lists of each head (all, novel, cold).
    pub lists: [usize; 3],
    /// Mean loss per epoch of each head's last network.
    pub loss: [Vec<f64>; 3],
}

/// Seconds that the parts of a training took.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct RankerTrainSeconds {
    /// Index, candidates and features at the cut-offs whose lists were missing.
    pub lists: f64,
    /// Networks of one ranker.
    pub networks: f64,
    /// Trees of the heads for all and for novel items.
    pub trees: [f64; 2],
}

/// Progress of a training: one step for each cut-off, each network and each set of trees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrainProgress {
    /// Steps that are done.
    pub done: usize,
    /// Steps in all; networks are counted once the lists are there.
    pub total: usize,
}

/// Called with the progress, from any thread and also within a step. `Break` ends the training with
/// [`RankError::Stopped`](crate::RankError::Stopped); after a `Break` every call must return it.
pub type ProgressHook<'a> = &'a (dyn Fn(TrainProgress) -> ControlFlow<()> + Sync);

/// A monotonic clock in seconds, for [`RankerTrainSeconds`]: this crate reads none of its own.
pub type Clock<'a> = &'a dyn Fn() -> f64;

/// Cut-offs whose windows end at or before `until`, oldest first, and the days of a window. Cut-offs are half a window apart, the
/// newest window ends at `until`, and at least two windows of history lie before the oldest.
pub fn cutoffs(log: &Log, until: i64, most: usize) -> (Vec<i64>, i64) {
    let summary = log.summary(until);
    let days = summary.window_days();
    let w = days * DAY_MS;
    let mut out: Vec<i64> =
        (0..most as i64).map(|k| until - w - k * w / 2).take_while(|&c| c - summary.first >= 2 * w).collect();
    out.reverse();
    (out, days)
}
