//! Training the ranker by replay: at many cut-offs the memory is fitted as it would have been then, shoppers that came in the
//! window after are given their candidates and features as of the cut-off, and what they took are the labels.
use std::ops::ControlFlow;

use crate::blend::BlendWeights;
use crate::catalogue::Catalogue;
use crate::error::RankError;
use crate::features::{FEATURES, Signal, WIDTH};
use crate::log::{DAY_MS, Log};
use crate::memory::MemoryOptions;
use crate::mlp::{List, Mlp, MlpOptions};
use crate::ranker::{Head, Ranker, Scale};
use crate::replayed::Replayed;
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
    /// Lists per head at most; shoppers are thinned evenly beyond it. Bounds memory: a list takes about 50 kB.
    pub lists: usize,
    /// Training of the networks.
    pub mlp: MlpOptions,
    /// Trees beside the networks of the heads for any and for unseen items (in this order); none where they are not wanted.
    pub trees: [Option<TreeOptions>; 2],
    /// Whether there is a head for cold items.
    pub cold: bool,
    /// Blend that picks the candidates.
    pub blend: BlendWeights,
    /// Where there is a sequence model: whether a ranker that does without it is trained too.
    pub compared: bool,
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
            cold: true,
            blend: BlendWeights::default(),
            compared: false,
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

/// A clock in seconds that never goes back, for [`ReplaySeconds`]: the arithmetic has none of its own.
pub type Clock<'a> = &'a dyn Fn() -> f64;

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

/// Seconds that the parts of a replay took.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ReplaySeconds {
    /// Memory, candidates and features at the cut-offs whose lists were not there yet.
    pub lists: f64,
    /// Networks of one ranker.
    pub networks: f64,
    /// Trees of the heads for any and for unseen items.
    pub trees: [f64; 2],
}

/// What a replay makes.
#[derive(Debug, Clone, PartialEq)]
pub struct Trained {
    /// The ranker, with the sequence model where there is one.
    pub ranker: Ranker,
    /// Where it was asked for and there is a sequence model: a ranker from the same lists that does without it, so that one can be held
    /// against the other.
    pub without_sequence: Option<Ranker>,
    /// What the training saw.
    pub report: ReplayReport,
    /// What it took.
    pub seconds: ReplaySeconds,
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
    let kept = &mut Replayed::default();
    let watch: (Hook<'_>, Clock<'_>) = (&|_| ControlFlow::Continue(()), &|| 0.0);
    let trained = train_ranker_watched((log, catalogue), until, o, None, kept, watch)?;
    Ok((trained.ranker, trained.report))
}

/// The same with the sequence model as of each cut-off and, for the ranker to take along, as of `until`; with lists that an earlier replay
/// of the same log and catalogue has left in `kept`, where this one's stay too; with somebody who hears of progress and may end it, asked
/// for every list and every step of a network; and with a clock.
///
/// # Errors
/// Those of [`train_ranker`], and [`RankError::Stopped`].
pub fn train_ranker_watched(
    (log, catalogue): (&Log, &Catalogue),
    until: i64,
    o: &ReplayOptions,
    sequence: Option<&dyn SequenceHistory>,
    kept: &mut Replayed,
    (hook, clock): (Hook<'_>, Clock<'_>),
) -> Result<Trained, RankError> {
    let begun = clock();
    let cuts = kept.make((log, catalogue), until, o, sequence, hook)?;
    let mut seconds = ReplaySeconds { lists: clock() - begun, ..ReplaySeconds::default() };
    let wanted = [true, true, o.cold];
    let sizes: [usize; 3] = std::array::from_fn(|head| if wanted[head] { kept.lists(head).count() } else { 0 });
    let mut report =
        ReplayReport { window_days: kept.window_days(), lists: sizes, cutoffs: cuts, ..ReplayReport::default() };
    let trained = |head: &usize| sizes[*head] >= FEWEST_LISTS;
    let per_ranker: usize = (0..3).filter(trained).map(|head| o.mlp.members_for(sizes[head])).sum();
    let rankers = if sequence.is_some() && o.compared { 2 } else { 1 };
    let trees = (0..2).filter(trained).filter(|&head| o.trees[head].is_some()).count();
    let done = report.cutoffs.len();
    let mut progress = Progress { done, total: done + rankers * per_ranker + trees };
    let (without, of_sequence) = (columns_of(&o.without), columns_of(&[Signal::Sequence]));
    let plain: Vec<usize> = without.iter().chain(&of_sequence).copied().collect();
    // What each ranker is not shown. Without a sequence model its columns say nothing, or, in lists that were kept, what another knew.
    let hidden = [if sequence.is_some() { &without } else { &plain }, &plain];
    let mut heads: [Vec<Option<Head>>; 2] = Default::default();
    for head in 0..3 {
        if !trained(&head) {
            heads.iter_mut().for_each(|heads| heads.push(None));
            continue;
        }
        let lists: Vec<&List> = kept.lists(head).collect();
        let trees = match o.trees.get(head).copied().flatten() {
            Some(options) => {
                let begun = clock();
                let stopped = || hook(progress).is_break();
                let grown = Trees::grow(&lists, &options, &plain, &stopped)?.ok_or(RankError::Stopped)?;
                progress.done += 1;
                seconds.trees[head] = clock() - begun;
                Some(grown)
            }
            None => None,
        };
        for (ranker, (heads, hidden)) in heads.iter_mut().zip(hidden).take(rankers).enumerate() {
            let begun = clock();
            let scale = Scale::fit(lists.iter().flat_map(|l| l.x.chunks_exact(WIDTH)), hidden);
            let (nets, loss) = networks(&lists, &scale, o, &mut progress, hook)?;
            if ranker == 0 {
                report.loss[head] = loss;
                seconds.networks += clock() - begun;
            }
            heads.push(Some(Head { scale, nets, trees: trees.clone() }));
        }
    }
    let [heads, plain] = heads;
    let ranker = self::ranker(heads, o)?.with_sequence(sequence.and_then(|x| x.at(until)));
    let without_sequence = if rankers == 2 { Some(self::ranker(plain, o)?) } else { None };
    Ok(Trained { ranker, without_sequence, report, seconds })
}

/// The networks of a head from its lists, and the mean loss per epoch of the last. Steps are counted in `progress`.
fn networks(
    lists: &[&List],
    scale: &Scale,
    o: &ReplayOptions,
    progress: &mut Progress,
    hook: Hook<'_>,
) -> Result<(Vec<Mlp>, Vec<f64>), RankError> {
    let (mut nets, mut last) = (Vec::new(), Vec::new());
    for member in 0..o.mlp.members_for(lists.len()) as u64 {
        let options = MlpOptions { seed: o.mlp.seed + 1000 * member, ..o.mlp };
        let now = *progress;
        let stopped = || hook(now).is_break();
        let scaled = |x: &[f32]| scale.apply(x);
        let (net, loss) = Mlp::train(lists, (scale.width(), &scaled), &options, &stopped).ok_or(RankError::Stopped)?;
        progress.done += 1;
        last = loss;
        nets.push(net);
    }
    Ok((nets, last))
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
