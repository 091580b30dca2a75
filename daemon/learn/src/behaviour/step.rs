//! One step: stretches to questions, to rows, to loss and gradients.

use std::collections::BTreeMap;
use std::sync::Arc;

use candle_core::{Device, Tensor, Var};
use rayon::prelude::*;
use rustc_hash::FxHashMap;

use super::arrange::{Ask, Rows, arrange};
use super::baskets::DAY_MS;
use super::frame::Frame;
use super::graph::{Graph, RepeatRows, index};
use super::loss::{Case, Columns, Row, set_softmax};
use super::options::BehaviourOptions;
use super::repeat::{FEATURES, Had, had};
use super::stage::{Catalogue, Stage};
use super::stretches::{Question, Stretch, mix, questions};
use crate::error::Result;
use crate::ops::dropout::DropKey;

/// A batch, ready for the graph.
pub(crate) struct Batch {
    pub(crate) rows: Rows,
    pub(crate) questions: Vec<Question>,
    /// Items had before each question.
    pub(crate) had: Vec<Vec<Had>>,
}

/// Questions of these stretches and the rows they need. `key` decides moments and choice.
pub(crate) fn gather(stage: &Stage<'_>, stretches: &[Stretch], o: &BehaviourOptions, key: &[u64]) -> Batch {
    let horizon = (o.horizon_days * DAY_MS as f64) as i64;
    let all: Vec<Vec<Question>> = stretches
        .par_iter()
        .map(|s| {
            let mut all = questions(s, &stage.stories[s.shopper as usize], o.target, o.questions, horizon, key);
            // What nobody had touched yet is no candidate: were it one only where it is taken, newness itself would look like a reason.
            all.iter_mut().for_each(|q| q.items.retain(|i| stage.since[*i as usize] < q.at));
            all.retain(|q| !q.items.is_empty());
            all
        })
        .collect();
    let asks: Vec<Ask<'_>> = stretches
        .iter()
        .zip(&all)
        .map(|(s, qs)| Ask {
            story: &stage.stories[s.shopper as usize],
            from: s.from,
            questions: qs.iter().map(|q| (q.known, q.at)).collect(),
        })
        .collect();
    let rows = arrange(&asks, o.tokens, &stage.bands);
    let flat: Vec<(&super::baskets::Story, &Question)> =
        asks.iter().zip(&all).flat_map(|(a, qs)| qs.iter().map(|q| (a.story, q))).collect();
    let had = flat.par_iter().map(|(story, q)| had(story, q.known, q.at, o.target, o.had)).collect();
    Batch { rows, questions: all.into_iter().flatten().collect(), had }
}

/// Items that a batch takes, has had or looks back on, ascending.
fn touched(batch: &Batch) -> Vec<u32> {
    let mut all: Vec<u32> = batch.rows.items.iter().filter_map(|i| *i).collect();
    all.extend(batch.questions.iter().flat_map(|q| &q.items));
    all.extend(batch.had.iter().flatten().map(|h| h.item));
    all.sort_unstable();
    all.dedup();
    all
}

/// Columns of the softmax and their centred text.
pub(crate) fn columns(
    stage: &Stage<'_>,
    frame: &Frame,
    batch: &Batch,
    draws: usize,
    key: u64,
) -> Result<(Arc<Columns>, Tensor)> {
    match &stage.catalogue {
        Catalogue::Full(columns, text) => Ok((columns.clone(), text.clone())),
        Catalogue::Sampled(negatives) => {
            let columns = negatives.columns(&touched(batch), draws, key, &stage.since);
            let text = frame.items(stage.items, &columns.items)?;
            Ok((Arc::new(columns), text))
        }
    }
}

/// Rows of a table of `columns` items followed by `texts` queries for each token; also the queries in the order of their rows.
pub(crate) fn place(rows: &Rows, row_of: impl Fn(u32) -> Option<usize>, columns: usize) -> (Vec<u32>, Vec<u32>) {
    let (mut texts, mut at) = (Vec::new(), FxHashMap::default());
    let mut out = Vec::with_capacity(rows.items.len());
    for (item, text) in rows.items.iter().zip(&rows.texts) {
        let row = match (item.and_then(&row_of), text) {
            (Some(row), _) => row,
            (None, Some(text)) => *at.entry(*text).or_insert_with(|| {
                texts.push(*text);
                columns + texts.len() - 1
            }),
            (None, None) => 0,
        };
        out.push(row as u32);
    }
    (out, texts)
}

/// Rows of the repeat term, and where each lies in the loss.
pub(crate) fn repeat_rows(had: &[Vec<Had>], row_of: impl Fn(u32) -> Option<usize>) -> Result<(RepeatRows, Vec<u32>)> {
    let (mut x, mut question, mut item) = (Vec::new(), Vec::new(), Vec::new());
    for (q, all) in had.iter().enumerate() {
        for h in all {
            x.extend(h.x);
            question.push(q as u32);
            item.push(row_of(h.item).unwrap_or(0) as u32);
        }
    }
    let n = item.len();
    let rows = RepeatRows {
        x: Tensor::from_vec(x, (n, FEATURES), &Device::Cpu)?,
        question: index(question)?,
        item: index(item.clone())?,
    };
    Ok((rows, item))
}

/// The case of the loss for a batch: a weighted mean over questions, the later ones counting more.
fn case(stage: &Stage<'_>, batch: &Batch, columns: Arc<Columns>, had: Vec<u32>, recency_days: f64) -> Case {
    let weigh = |q: &Question| {
        let days = (stage.until - q.at).max(0) as f64 / DAY_MS as f64;
        if recency_days > 0.0 { (-days / recency_days).exp2().max(1e-3) } else { 1.0 }
    };
    let total: f64 = batch.questions.iter().map(weigh).sum();
    let mut end = 0;
    let rows = batch.questions.iter().zip(&batch.had).map(|(q, had)| {
        let from = end;
        end += had.len();
        let taken = q.items.iter().filter_map(|i| columns.of(*i)).map(|c| c as u32).collect();
        let weight = (weigh(q) / total) as f32;
        Row { at: q.at, table: stage.timeline.table(q.at), taken, had: from..end, weight }
    });
    let rows = rows.collect();
    Case { rows, had, timeline: stage.timeline.clone(), columns }
}

/// 1 for each item that keeps its residual in this step, 0 for the others; `[items, 1]`.
fn keep(items: &[u32], share: f64, key: u64) -> Result<Option<Tensor>> {
    if share == 0.0 {
        return Ok(None);
    }
    let below = (share * f64::from(u32::MAX)) as u64;
    let keep: Vec<f32> = items.iter().map(|i| f32::from(mix(&[key, u64::from(*i)]) & 0xffff_ffff >= below)).collect();
    Ok(Some(Tensor::from_vec(keep, (items.len(), 1), &Device::Cpu)?))
}

/// The loss of a batch, a scalar; `None` when nothing is asked.
pub(crate) fn loss(
    graph: &Graph,
    stage: &Stage<'_>,
    frame: &Frame,
    batch: Batch,
    o: &BehaviourOptions,
    drop: Option<DropKey>,
) -> Result<Option<Tensor>> {
    if batch.questions.is_empty() {
        return Ok(None);
    }
    let key = drop.map_or(0, |d| mix(&[d.seed, d.step]));
    let (columns, text) = columns(stage, frame, &batch, o.negatives, key)?;
    let keep = if drop.is_some() && o.id_dropout > 0.0 && graph.dims.text > 0 {
        keep(&columns.items, o.id_dropout, key)?
    } else {
        None
    };
    let items = graph.items(&columns.items, &text, keep.as_ref())?;
    let (row_of, texts) = place(&batch.rows, |i| columns.of(i), columns.items.len());
    let table = if texts.is_empty() {
        items.clone()
    } else {
        Tensor::cat(&[&items, &graph.texts(&frame.queries(stage.queries, &texts)?)?], 0)?
    };
    let (repeats, had) = repeat_rows(&batch.had, |i| columns.of(i))?;
    let case = Arc::new(case(stage, &batch, columns, had, o.recency_days));
    let answers = graph.answers(batch.rows, &table, row_of, drop, o.dropout)?;
    let repeat = graph.repeats(&repeats, &answers, &table)?;
    let embeddings = items.narrow(1, 0, graph.dims.width)?.contiguous()?;
    let base = answers.users.matmul(&embeddings.t()?)?;
    Ok(Some(set_softmax(&base, &answers.prior, &repeat, &case)?))
}

/// Gradients by name.
pub(crate) fn gradients(loss: &Tensor, vars: &BTreeMap<String, Var>) -> Result<BTreeMap<String, Tensor>> {
    let mut store = loss.backward()?;
    Ok(vars.iter().filter_map(|(name, var)| Some((name.clone(), store.remove(var)?.detach()))).collect())
}
