//! Collates user histories into the tensors of one batch. Training and serving use the same code.

use rayon::prelude::*;

use super::history::{UserHistory, count_bucket, max_tokens_per_basket, time_bucket};
use crate::ops::prefix::PrefixMask;

/// A moment of a user's history: the first `known` baskets lie before `at`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HistoryMoment {
    /// Number of baskets known.
    pub(crate) known: usize,
    /// UTC milliseconds, later than all known baskets.
    pub(crate) at: i64,
}

/// A part of a user's history and the moments to predict for.
#[derive(Debug)]
pub(crate) struct CollateInput<'a> {
    pub(crate) history: &'a UserHistory,
    /// First basket in the context.
    pub(crate) from: usize,
    /// In ascending order.
    pub(crate) moments: Vec<HistoryMoment>,
}

/// Inputs of the graph for one batch. Each vector has one entry per token, or per prediction point where noted.
#[derive(Debug, Default)]
pub(crate) struct TokenBatch {
    pub(crate) items: Vec<Option<u32>>,
    pub(crate) texts: Vec<Option<u32>>,
    pub(crate) kinds: Vec<u32>,
    /// Bucket of the time since the previous basket.
    pub(crate) gaps: Vec<u32>,
    pub(crate) prices: Vec<u32>,
    pub(crate) quantities: Vec<u32>,
    /// Bucket of how often the user had the same before.
    pub(crate) times: Vec<u32>,
    /// Bucket of how long ago the user had the same.
    pub(crate) since: Vec<u32>,
    /// Per prediction point: bucket of the time since the last basket.
    pub(crate) idle: Vec<u32>,
    /// Per prediction point: bucket of the number of baskets.
    pub(crate) visits: Vec<u32>,
    /// Tokens attend to their own basket and earlier ones.
    pub(crate) token_mask: PrefixMask,
    /// Prediction points attend to the baskets before them.
    pub(crate) point_mask: PrefixMask,
}

/// Tokens and masks of one input.
struct CollatedHistory {
    tokens: Vec<usize>,
    gaps: Vec<u8>,
    token_rows: Vec<Vec<u8>>,
    point_rows: Vec<Vec<u8>>,
}

fn collate_one(input: &CollateInput<'_>, max_tokens: usize) -> CollatedHistory {
    let history = input.history;
    let end = input.moments.iter().map(|m| m.known).max().unwrap_or(input.from);
    let (mut tokens, mut gaps, mut token_rows) = (Vec::new(), Vec::new(), Vec::new());
    // Time of each chosen token, and the number of chosen tokens up to each basket.
    let (mut times, mut counts) = (Vec::new(), vec![0]);
    for number in input.from..end {
        let basket = &history.baskets[number];
        let chosen = history.chosen(basket, max_tokens_per_basket(max_tokens));
        let gap = if number == 0 { 0 } else { time_bucket(basket.at - history.baskets[number - 1].at).max(1) };
        times.resize(times.len() + chosen.len(), basket.at);
        gaps.resize(times.len(), gap);
        let seen: Vec<u8> = times.iter().map(|at| time_bucket(basket.at - at)).collect();
        token_rows.resize(times.len(), seen);
        tokens.extend(chosen);
        counts.push(tokens.len());
    }
    let seen =
        |m: &HistoryMoment| times[..counts[m.known - input.from]].iter().map(|at| time_bucket(m.at - at)).collect();
    let point_rows = input.moments.iter().map(seen).collect();
    CollatedHistory { tokens, gaps, token_rows, point_rows }
}

/// Collates inputs into one batch. `max_tokens` is the context length, `bands` the price band of each item.
pub(crate) fn collate(inputs: &[CollateInput<'_>], max_tokens: usize, bands: &[u8]) -> TokenBatch {
    let parts: Vec<CollatedHistory> = inputs.par_iter().map(|input| collate_one(input, max_tokens)).collect();
    let mut batch =
        TokenBatch { token_mask: PrefixMask::new(), point_mask: PrefixMask::new(), ..TokenBatch::default() };
    for (input, part) in inputs.iter().zip(&parts) {
        batch.token_mask.push(part.tokens.len(), &part.token_rows);
        batch.point_mask.push(part.tokens.len(), &part.point_rows);
        batch.gaps.extend(part.gaps.iter().map(|g| u32::from(*g)));
        for t in part.tokens.iter().map(|i| &input.history.tokens[*i]) {
            batch.items.push(t.item);
            batch.texts.push(t.text);
            batch.kinds.push(u32::from(t.kind));
            batch.prices.push(t.item.and_then(|i| bands.get(i as usize)).map_or(0, |b| u32::from(*b)));
            batch.quantities.push(u32::from(count_bucket(t.quantity)));
            batch.times.push(u32::from(count_bucket(t.times as f32)));
            batch.since.push(if t.times == 0 { 0 } else { u32::from(time_bucket(t.since).max(1)) });
        }
        for m in &input.moments {
            let last = m.known.checked_sub(1).map(|b| input.history.baskets[b].at);
            batch.idle.push(last.map_or(0, |l| u32::from(time_bucket(m.at - l).max(1))));
            batch.visits.push(u32::from(count_bucket(m.known as f32)));
        }
    }
    batch
}
