//! Training the ranker by replay: at many cut-offs the memory is fitted as it would have been then, shoppers that came in the
//! window after are given their candidates and features as of the cut-off, and what they took are the labels.
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use rayon::prelude::*;

use crate::batch::each;
use crate::blend::BlendWeights;
use crate::catalogue::Catalogue;
use crate::error::RankError;
use crate::evaluate::truth;
use crate::features::{FEATURES, Signal, WIDTH, blind, features};
use crate::log::{DAY_MS, Log};
use crate::memory::{Memory, MemoryOptions};
use crate::mlp::{List, Mlp, MlpOptions};
use crate::ranker::{Head, QUESTIONS, Ranker, Scale, candidates};
use crate::recommend::Snapshot;
use crate::sequence::{Attached, SequenceHistory};
use crate::trees::{TreeOptions, Trees};

/// Lists without which a head is not trained.
const FEWEST_LISTS: usize = 50;

/// Settings of the replay.
#[derive(Debug, Clone, PartialEq)]
pub struct ReplayOptions {
    /// How the memory is fitted at each cut-off; must be what serving uses.
    pub memory: MemoryOptions,
    /// Cut-offs at most.
    pub cutoffs: usize,
    /// Lists per head at most; shoppers are thinned evenly beyond it. Bounds memory: a list takes about 40 kB.
    pub lists: usize,
    /// Training of the networks.
    pub mlp: MlpOptions,
    /// Trees beside the networks of the heads for any and for unseen items (in this order); none where they are not wanted.
    pub trees: [Option<TreeOptions>; 2],
    /// Blend that picks the candidates.
    pub blend: BlendWeights,
    /// Signals that the networks are not shown, for an ablation.
    pub without: Vec<Signal>,
}

impl Default for ReplayOptions {
    fn default() -> Self {
        Self {
            memory: MemoryOptions::default(),
            cutoffs: 16,
            lists: 12_000,
            mlp: MlpOptions::default(),
            trees: [None; 2],
            blend: BlendWeights::default(),
            without: Vec::new(),
        }
    }
}

/// What the training saw.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ReplayReport {
    /// Cut-offs, oldest first.
    pub cutoffs: Vec<i64>,
    /// Days of each window.
    pub window_days: i64,
    /// Lists of each head (any, unseen, cold).
    pub lists: [usize; 3],
    /// Mean loss per epoch of each head's last network.
    pub loss: [Vec<f64>; 3],
}

/// How far a replay has come, in steps of equal standing: one for each cut-off, one for each network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Steps that are done.
    pub done: usize,
    /// Steps in all; networks are counted once the lists are there.
    pub total: usize,
}

/// Hears of progress, from any thread and also within a step; `Break` ends the training with [`RankError::Stopped`]. Once it has said
/// `Break` it must go on saying so.
pub type Hook<'a> = &'a (dyn Fn(Progress) -> ControlFlow<()> + Sync);

/// Cut-offs whose windows end at or before `until`: half a window apart, newest window ending at `until`, and with at least two
/// windows of history before the oldest. Oldest first.
pub fn cutoffs(log: &Log, until: i64, most: usize) -> (Vec<i64>, i64) {
    let shape = log.shape(until);
    let days = shape.window_days();
    let w = days * DAY_MS;
    let mut out: Vec<i64> =
        (0..most as i64).map(|k| until - w - k * w / 2).take_while(|&c| c - shape.first >= 2 * w).collect();
    out.reverse();
    (out, days)
}

/// Places of some signals' features.
fn columns_of(signals: &[Signal]) -> Vec<usize> {
    (0..WIDTH).filter(|&f| signals.contains(&FEATURES[f].signal)).collect()
}

/// Lists of the heads at the moment of a snapshot: candidates and features of shoppers who came by `until`, and what they took.
fn lists_at(
    s: &Snapshot,
    until: i64,
    most: usize,
    blend: &BlendWeights,
    stopped: &(dyn Fn() -> bool + Sync),
) -> [Vec<List>; 3] {
    let at = s.memory.at();
    let mut taken: BTreeMap<u32, [Option<Vec<u32>>; 3]> = BTreeMap::new();
    for (head, question) in QUESTIONS.into_iter().enumerate() {
        let r = question.asked(blend);
        let t = truth(&s.log, &s.memory, until, r.mode, r.candidates);
        let step = t.len().div_ceil(most).max(1);
        for t in t.into_iter().step_by(step) {
            taken.entry(t.user).or_default()[head] = Some(t.items);
        }
    }
    let (users, taken): (Vec<u32>, Vec<_>) = taken.into_iter().unzip();
    let made = each(s, &users, at, |place, shopper, columns| {
        std::array::from_fn(|head| {
            if stopped() {
                return None;
            }
            let (question, taken) = (QUESTIONS[head], taken[place][head].as_ref()?);
            let r = question.asked(blend);
            let eligible = s.eligible(shopper, &r);
            let items = candidates(s, shopper, columns, &eligible, question, blend);
            let positive: Vec<bool> = items.iter().map(|i| taken.binary_search(i).is_ok()).collect();
            if !positive.contains(&true) {
                return None;
            }
            Some(List { x: features(&s.memory, &s.catalogue, shopper, columns, &items), positive })
        })
    });
    let mut out: [Vec<List>; 3] = Default::default();
    for of_one in made {
        let of_one: [Option<List>; 3] = of_one;
        for (lists, list) in out.iter_mut().zip(of_one) {
            lists.extend(list);
        }
    }
    out
}

/// What a replay makes.
#[derive(Debug, Clone, PartialEq)]
pub struct Trained {
    /// The ranker, with the sequence model where there is one.
    pub ranker: Ranker,
    /// Where there is a sequence model: a ranker from the same lists that does without it, so that one can be held against the other.
    pub without_sequence: Option<Ranker>,
    /// What the training saw.
    pub report: ReplayReport,
}

/// Trains a ranker from events at or before `until`.
///
/// # Errors
/// [`RankError::TooLittle`] when there are not two windows with shoppers that came back: serve the blend then.
pub fn train_ranker(
    log: &Log,
    catalogue: &Catalogue,
    until: i64,
    o: &ReplayOptions,
) -> Result<(Ranker, ReplayReport), RankError> {
    let trained = train_ranker_watched(log, catalogue, until, o, None, &|_| ControlFlow::Continue(()))?;
    Ok((trained.ranker, trained.report))
}

/// The same with the sequence model as of each cut-off and, for the ranker to take along, as of `until`; and with somebody who hears of
/// progress and may end it, asked for every list and every step of a network.
///
/// # Errors
/// Those of [`train_ranker`], and [`RankError::Stopped`].
pub fn train_ranker_watched(
    log: &Log,
    catalogue: &Catalogue,
    until: i64,
    o: &ReplayOptions,
    sequence: Option<&dyn SequenceHistory>,
    hook: Hook<'_>,
) -> Result<Trained, RankError> {
    let (cuts, window_days) = cutoffs(log, until, o.cutoffs);
    if cuts.len() < 2 {
        return Err(RankError::TooLittle("fewer than two windows before the cut-off"));
    }
    let mut raw: [Vec<List>; 3] = Default::default();
    let per_cut = o.lists.div_ceil(cuts.len());
    for (done, &at) in cuts.iter().enumerate() {
        let stopped = || hook(Progress { done, total: cuts.len() }).is_break();
        if stopped() {
            return Err(RankError::Stopped);
        }
        let memory = Memory::fit(log, catalogue, at, &o.memory).with_sequence(sequence.and_then(|x| x.at(at)));
        let s = Snapshot { log: log.clone(), catalogue: catalogue.clone(), memory: Arc::new(memory) };
        let until = at + window_days * DAY_MS;
        for (lists, fresh) in raw.iter_mut().zip(lists_at(&s, until, per_cut, &o.blend, &stopped)) {
            lists.extend(fresh);
        }
        if stopped() {
            return Err(RankError::Stopped);
        }
    }
    let mut report = ReplayReport { window_days, lists: raw.each_ref().map(Vec::len), ..ReplayReport::default() };
    let per_ranker: usize = raw.iter().filter(|l| l.len() >= FEWEST_LISTS).map(|l| o.mlp.members_for(l.len())).sum();
    let rankers = 1 + usize::from(sequence.is_some());
    let trees = (0..2).filter(|&h| raw[h].len() >= FEWEST_LISTS && o.trees[h].is_some()).count();
    let mut progress = Progress { done: cuts.len(), total: cuts.len() + rankers * per_ranker + trees };
    report.cutoffs = cuts;
    let (without, of_sequence) = (columns_of(&o.without), columns_of(&[Signal::Sequence]));
    // The scale of a column without any number is 0, so that the trained networks do not see it either.
    raw.iter_mut().flatten().for_each(|l| blind(&mut l.x, WIDTH, &without, f32::NAN));
    let mut heads: [Vec<Option<Head>>; 2] = Default::default();
    for (h, mut lists) in raw.into_iter().enumerate() {
        if lists.len() < FEWEST_LISTS {
            heads.iter_mut().take(rankers).for_each(|heads| heads.push(None));
            continue;
        }
        let trees = match o.trees.get(h).copied().flatten() {
            Some(options) => {
                let stopped = || hook(progress).is_break();
                let grown = Trees::grow(&lists, &options, &of_sequence, &stopped)?.ok_or(RankError::Stopped)?;
                progress.done += 1;
                Some(grown)
            }
            None => None,
        };
        let mut scale = Scale::fit(lists.iter().flat_map(|l| l.x.chunks_exact(WIDTH)));
        lists.par_iter_mut().for_each(|l| l.x = scale.apply(&l.x));
        for (place, heads) in heads.iter_mut().take(rankers).enumerate() {
            if place == 1 {
                // The same lists without what the sequence model says.
                let width = scale.width();
                lists.par_iter_mut().for_each(|l| blind(&mut l.x, width, &of_sequence, 0.0));
                scale.hide(&of_sequence);
            }
            let nets = networks(&lists, scale.width(), o, (&mut report, h), &mut progress, hook)?;
            heads.push(Some(Head { scale: scale.clone(), nets, trees: trees.clone() }));
        }
    }
    let [heads, plain] = heads;
    let ranker = self::ranker(heads, o)?.with_sequence(sequence.and_then(|x| x.at(until)));
    let without_sequence = if plain.is_empty() { None } else { Some(self::ranker(plain, o)?) };
    Ok(Trained { ranker, without_sequence, report })
}

/// The networks of a head from its scaled lists. Steps are counted in `progress`; the loss of the last goes into `report`, if it is the
/// head's first.
fn networks(
    lists: &[List],
    width: usize,
    o: &ReplayOptions,
    (report, head): (&mut ReplayReport, usize),
    progress: &mut Progress,
    hook: Hook<'_>,
) -> Result<Vec<Mlp>, RankError> {
    let first = report.loss[head].is_empty();
    let mut nets = Vec::new();
    for member in 0..o.mlp.members_for(lists.len()) as u64 {
        let options = MlpOptions { seed: o.mlp.seed + 1000 * member, ..o.mlp };
        let now = *progress;
        let stopped = || hook(now).is_break();
        let (net, loss) = Mlp::train(lists, width, &options, &stopped).ok_or(RankError::Stopped)?;
        progress.done += 1;
        if first {
            report.loss[head] = loss;
        }
        nets.push(net);
    }
    Ok(nets)
}

/// A ranker of heads for any, unseen and cold items.
fn ranker(mut heads: Vec<Option<Head>>, o: &ReplayOptions) -> Result<Ranker, RankError> {
    let (cold, unseen, any) = (heads.pop().flatten(), heads.pop().flatten(), heads.pop().flatten());
    let (Some(unseen), Some(any)) = (unseen, any) else {
        return Err(RankError::TooLittle("fewer than 50 shoppers came back in the windows"));
    };
    let features = FEATURES.iter().map(|f| f.name.to_owned()).collect();
    Ok(Ranker { blend: o.blend.clone(), features, any, unseen, cold, sequence: Attached::default() })
}
