//! One training step: windows to prediction points, to tensors, to loss and gradients.

use std::collections::BTreeMap;
use std::sync::Arc;

use candle_core::{Device, Tensor, Var};
use rayon::prelude::*;
use rustc_hash::FxHashMap;

use super::collate::{CollateInput, TokenBatch, collate};
use super::graph::{Graph, GraphInput, InputDropout, RepeatBatch, index};
use super::history::DAY_MS;
use super::input_norm::InputNorm;
use super::loss::{Candidates, LossInputs, LossRow, set_softmax};
use super::options::SequenceOptions;
use super::repeats::{FEATURES, RepeatCandidate, repeat_candidates};
use super::stage::{CandidateSource, CandidateVectors, StageData};
use super::windows::{PointOptions, PredictionPoint, TrainWindow, hash_parts, prediction_points};
use crate::error::Result;
use crate::ops::dropout::DropKey;

/// A batch, ready for the graph.
pub(crate) struct TrainBatch {
    pub(crate) tokens: TokenBatch,
    pub(crate) points: Vec<PredictionPoint>,
    /// Repeat candidates of each point.
    pub(crate) repeats: Vec<Vec<RepeatCandidate>>,
}

/// Draws the prediction points of these windows and collates what they need. `key` (seed and step) determines the draw.
pub(crate) fn build_batch(
    stage: &StageData<'_>,
    windows: &[TrainWindow],
    o: &SequenceOptions,
    key: &[u64],
) -> TrainBatch {
    let horizon_ms = (o.horizon_days * DAY_MS as f64) as i64;
    let draw = PointOptions { target: o.target, most: o.points, horizon_ms, key };
    let points: Vec<Vec<PredictionPoint>> = windows
        .par_iter()
        .map(|w| {
            let mut points = prediction_points(w, &stage.histories[w.user as usize], draw);
            // An item without earlier events is no candidate. If it were one only where it is taken, its newness would look like a reason.
            points.iter_mut().for_each(|p| p.items.retain(|i| stage.since[*i as usize] < p.moment.at));
            points.retain(|p| !p.items.is_empty());
            points
        })
        .collect();
    let inputs: Vec<CollateInput<'_>> = windows
        .iter()
        .zip(&points)
        .map(|(w, points)| CollateInput {
            history: &stage.histories[w.user as usize],
            from: w.from,
            moments: points.iter().map(|p| p.moment).collect(),
        })
        .collect();
    let tokens = collate(&inputs, o.tokens, &stage.bands);
    let moments: Vec<_> =
        inputs.iter().flat_map(|input| input.moments.iter().map(move |m| (input.history, m))).collect();
    let repeats = moments
        .par_iter()
        .map(|(history, m)| repeat_candidates(history, m.known, m.at, o.target, o.repeat_items))
        .collect();
    TrainBatch { tokens, points: points.into_iter().flatten().collect(), repeats }
}

/// Items that a batch takes, offers as repeats or has in its context, ascending.
fn touched(batch: &TrainBatch) -> Vec<u32> {
    let mut all: Vec<u32> = batch.tokens.items.iter().filter_map(|i| *i).collect();
    all.extend(batch.points.iter().flat_map(|p| &p.items));
    all.extend(batch.repeats.iter().flatten().map(|r| r.item));
    all.sort_unstable();
    all.dedup();
    all
}

/// Candidates of the softmax for a batch.
fn candidates(
    stage: &StageData<'_>,
    norm: &InputNorm,
    batch: &TrainBatch,
    draws: usize,
    key: u64,
) -> Result<CandidateVectors> {
    match &stage.source {
        CandidateSource::Full(all) => Ok(all.clone()),
        CandidateSource::Sampled(negatives) => {
            let candidates = negatives.candidates(&touched(batch), draws, key, &stage.since);
            let text = norm.items(stage.items, &candidates.items)?;
            Ok(CandidateVectors { candidates: Arc::new(candidates), text })
        }
    }
}

/// Rows of tokens in a table of items followed by queries.
pub(crate) struct TableRows {
    /// Row of each token.
    pub(crate) row_of: Vec<u32>,
    /// Query of each row behind the items.
    pub(crate) queries: Vec<u32>,
}

/// Assigns each token a row of a table with `items` item rows; `row_of` gives the row of an item.
pub(crate) fn table_rows(batch: &TokenBatch, row_of: impl Fn(u32) -> Option<usize>, items: usize) -> TableRows {
    let (mut queries, mut at) = (Vec::new(), FxHashMap::default());
    let mut out = Vec::with_capacity(batch.items.len());
    for (item, text) in batch.items.iter().zip(&batch.texts) {
        let row = match (item.and_then(&row_of), text) {
            (Some(row), _) => row,
            (None, Some(text)) => *at.entry(*text).or_insert_with(|| {
                queries.push(*text);
                items + queries.len() - 1
            }),
            (None, None) => 0,
        };
        out.push(row as u32);
    }
    TableRows { row_of: out, queries }
}

/// Inputs of the repeat term; `row_of` gives the row of an item in the table. Also returns the row of each candidate.
pub(crate) fn repeat_batch(
    repeats: &[Vec<RepeatCandidate>],
    row_of: impl Fn(u32) -> Option<usize>,
) -> Result<(RepeatBatch, Vec<u32>)> {
    let (mut x, mut point, mut item) = (Vec::new(), Vec::new(), Vec::new());
    for (p, all) in repeats.iter().enumerate() {
        for r in all {
            x.extend(r.x);
            point.push(p as u32);
            item.push(row_of(r.item).unwrap_or(0) as u32);
        }
    }
    let n = item.len();
    let rows = RepeatBatch {
        x: Tensor::from_vec(x, (n, FEATURES), &Device::Cpu)?,
        point: index(point)?,
        item: index(item.clone())?,
    };
    Ok((rows, item))
}

/// Inputs of the loss for a batch: a weighted mean over points in which later points count more.
fn loss_inputs(
    stage: &StageData<'_>,
    batch: &TrainBatch,
    candidates: Arc<Candidates>,
    repeat_columns: Vec<u32>,
    recency_days: f64,
) -> LossInputs {
    let recency = |p: &PredictionPoint| {
        let days = (stage.until - p.moment.at).max(0) as f64 / DAY_MS as f64;
        if recency_days > 0.0 { (-days / recency_days).exp2().max(1e-3) } else { 1.0 }
    };
    let total: f64 = batch.points.iter().map(recency).sum();
    let mut end = 0;
    let rows = batch.points.iter().zip(&batch.repeats).map(|(p, repeats)| {
        let from = end;
        end += repeats.len();
        let at = p.moment.at;
        let targets = p.items.iter().filter_map(|i| candidates.column(*i)).map(|c| c as u32).collect();
        let weight = (recency(p) / total) as f32;
        LossRow { at, table: stage.timeline.table(at), targets, repeats: from..end, weight }
    });
    let rows = rows.collect();
    LossInputs { rows, repeat_columns, timeline: stage.timeline.clone(), candidates }
}

/// 1 for each item that keeps its residual in this step, 0 for the others; `[items, 1]`.
fn residual_mask(items: &[u32], share: f64, key: u64) -> Result<Tensor> {
    let below = (share * f64::from(u32::MAX)) as u64;
    let kept = |i: &u32| f32::from(hash_parts(&[key, u64::from(*i)]) & 0xffff_ffff >= below);
    let keep: Vec<f32> = items.iter().map(kept).collect();
    Ok(Tensor::from_vec(keep, (items.len(), 1), &Device::Cpu)?)
}

/// The loss of a batch, a scalar; `None` if the batch has no prediction point. `key` is given while training.
pub(crate) fn loss(
    graph: &Graph,
    stage: &StageData<'_>,
    norm: &InputNorm,
    batch: TrainBatch,
    o: &SequenceOptions,
    key: Option<DropKey>,
) -> Result<Option<Tensor>> {
    if batch.points.is_empty() {
        return Ok(None);
    }
    let draw = key.map_or(0, |d| hash_parts(&[d.seed, d.step]));
    let CandidateVectors { candidates, text } = candidates(stage, norm, &batch, o.negatives, draw)?;
    let keep = if key.is_some() && o.id_dropout > 0.0 && graph.dims.text > 0 {
        Some(residual_mask(&candidates.items, o.id_dropout, draw)?)
    } else {
        None
    };
    let items = graph.items(&candidates.items, &text, keep.as_ref())?;
    let rows = table_rows(&batch.tokens, |i| candidates.column(i), candidates.items.len());
    let table = if rows.queries.is_empty() {
        items.clone()
    } else {
        Tensor::cat(&[&items, &graph.texts(&norm.queries(stage.queries, &rows.queries)?)?], 0)?
    };
    let (repeats, repeat_columns) = repeat_batch(&batch.repeats, |i| candidates.column(i))?;
    let inputs = Arc::new(loss_inputs(stage, &batch, candidates, repeat_columns, o.recency_days));
    let dropout = key.map(|key| InputDropout { key, share: o.dropout });
    let points = graph.forward(GraphInput { batch: batch.tokens, table: &table, row_of: rows.row_of, dropout })?;
    let repeat = graph.repeats(&repeats, &points, &table)?;
    let embeddings = items.narrow(1, 0, graph.dims.width)?.contiguous()?;
    let base = points.user_vectors.matmul(&embeddings.t()?)?;
    Ok(Some(set_softmax(&base, &points.prior, &repeat, &inputs)?))
}

/// Gradients by name.
pub(crate) fn gradients(loss: &Tensor, vars: &BTreeMap<String, Var>) -> Result<BTreeMap<String, Tensor>> {
    let mut store = loss.backward()?;
    Ok(vars.iter().filter_map(|(name, var)| Some((name.clone(), store.remove(var)?.detach()))).collect())
}
