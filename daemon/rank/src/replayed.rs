//! The lists that a replay trains on, by cut-off. What they hold depends on the log up to the cut-off and the window behind it alone, so
//! a replay that goes one window further makes the few that it adds and keeps the others.
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::batch::each;
use crate::blend::BlendWeights;
use crate::catalogue::Catalogue;
use crate::error::RankError;
use crate::evaluate::truth;
use crate::features::features;
use crate::log::{DAY_MS, Log};
use crate::memory::{Memory, MemoryOptions};
use crate::mlp::List;
use crate::ranker::{QUESTIONS, Question, candidates};
use crate::recommend::Snapshot;
use crate::replay::{Hook, Progress, ReplayOptions, cutoffs};
use crate::sequence::SequenceHistory;

/// Lists of a replay's cut-offs, kept for the next replay of the same log and catalogue.
#[derive(Debug, Default)]
pub struct Replayed {
    /// What all of them were made with.
    made: Option<Made>,
    /// Lists of each head (any, unseen, cold) by cut-off.
    at: BTreeMap<i64, [Vec<List>; 3]>,
}

/// What the lists of a cut-off depend on besides the log.
#[derive(Debug, Clone, PartialEq)]
struct Made {
    window_days: i64,
    /// Lists per cut-off and head at most.
    most: usize,
    memory: MemoryOptions,
    blend: BlendWeights,
    /// Whether they hold what a sequence model says; those that do serve a replay without one too.
    sequence: bool,
    /// Whether there are lists of the head for cold items; they are in nobody's way.
    cold: bool,
}

impl Made {
    fn of(log: &Log, until: i64, o: &ReplayOptions, sequence: bool) -> (Self, Vec<i64>) {
        let (cuts, window_days) = cutoffs(log, until, o.cutoffs);
        let most = o.lists.div_ceil(cuts.len().max(1));
        (Self { window_days, most, memory: o.memory.clone(), blend: o.blend.clone(), sequence, cold: o.cold }, cuts)
    }

    /// Whether lists made so are of use for a replay that would make them so.
    fn serves(&self, wanted: &Self) -> bool {
        let with_more = (self.sequence || !wanted.sequence) && (self.cold || !wanted.cold);
        with_more && *self == Self { sequence: self.sequence, cold: self.cold, ..wanted.clone() }
    }
}

impl Replayed {
    /// How many cut-offs of a replay have no lists here.
    pub fn missing(&self, log: &Log, until: i64, o: &ReplayOptions, sequence: bool) -> usize {
        let (wanted, cuts) = Made::of(log, until, o, sequence);
        let usable = self.made.as_ref().is_some_and(|made| made.serves(&wanted));
        cuts.iter().filter(|cut| !usable || !self.at.contains_key(cut)).count()
    }

    /// Days of each window.
    pub(crate) fn window_days(&self) -> i64 {
        self.made.as_ref().map_or(0, |made| made.window_days)
    }

    /// Lists of a head, oldest cut-off first.
    pub(crate) fn lists(&self, head: usize) -> impl Iterator<Item = &List> {
        self.at.values().flat_map(move |lists| &lists[head])
    }

    /// Brings the lists to the cut-offs of a replay, which it gives: makes those that are missing, drops those that are none of its.
    pub(crate) fn make(
        &mut self,
        (log, catalogue): (&Log, &Catalogue),
        until: i64,
        o: &ReplayOptions,
        sequence: Option<&dyn SequenceHistory>,
        hook: Hook<'_>,
    ) -> Result<Vec<i64>, RankError> {
        let (wanted, cuts) = Made::of(log, until, o, sequence.is_some());
        if cuts.len() < 2 {
            return Err(RankError::TooLittle("fewer than two windows before the cut-off"));
        }
        if !self.made.as_ref().is_some_and(|made| made.serves(&wanted)) {
            *self = Self { made: Some(wanted.clone()), at: BTreeMap::new() };
        }
        self.at.retain(|cut, _| cuts.binary_search(cut).is_ok());
        if let Some(made) = self.made.as_mut().filter(|_| cuts.iter().any(|cut| !self.at.contains_key(cut))) {
            // What is added now has no more than is wanted, and what is kept speaks for all.
            made.sequence &= wanted.sequence;
            made.cold &= wanted.cold;
        }
        for (done, &at) in cuts.iter().enumerate() {
            let stopped = || hook(Progress { done, total: cuts.len() }).is_break();
            if stopped() {
                return Err(RankError::Stopped);
            }
            if self.at.contains_key(&at) {
                continue;
            }
            let memory = Memory::fit(log, catalogue, at, &o.memory).with_sequence(sequence.and_then(|x| x.at(at)));
            let s = Snapshot { log: log.clone(), catalogue: catalogue.clone(), memory: Arc::new(memory) };
            let lists = lists_at(&s, &wanted, &stopped);
            if stopped() {
                return Err(RankError::Stopped);
            }
            self.at.insert(at, lists);
        }
        Ok(cuts)
    }
}

/// Lists of the heads at the moment of a snapshot: candidates and features of shoppers who came by `until`, and what they took.
fn lists_at(s: &Snapshot, made: &Made, stopped: &(dyn Fn() -> bool + Sync)) -> [Vec<List>; 3] {
    let (at, blend) = (s.memory.at(), &made.blend);
    let until = at + made.window_days * DAY_MS;
    let mut taken: BTreeMap<u32, [Option<Vec<u32>>; 3]> = BTreeMap::new();
    let asked = QUESTIONS.into_iter().enumerate().filter(|(_, question)| made.cold || *question != Question::Cold);
    for (head, question) in asked {
        let r = question.asked(blend);
        let t = truth(&s.log, &s.memory, until, r.mode, r.candidates);
        let step = t.len().div_ceil(made.most).max(1);
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
            let r = question.asked(blend).held_against(until);
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
