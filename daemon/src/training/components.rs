//! The optional components of a ranker, in one table. A further component is a row of `COMPONENTS` and a field of `LeftOut`; the files
//! of a version stand in [`crate::state::artifacts`].

use mercer_rank::{Dataset, RankerTrainOptions, TreeOptions};
use mercer_store::{Setting, SettingDocument};
use serde::{Deserialize, Serialize};

use crate::gate::evaluate::ListSlice;
use crate::runs::budget::BudgetTier;
use crate::training::ranker_fit::FittedRanker;

/// What a component changes on one slice of lists.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SliceGain {
    /// Mean NDCG@10 with it.
    pub(crate) with: f64,
    /// Mean NDCG@10 without it.
    pub(crate) without: f64,
    /// Users of the lists.
    pub(crate) users: usize,
}

impl SliceGain {
    fn gain(&self) -> f64 {
        self.with - self.without
    }
}

/// An optional component.
pub(crate) struct Component {
    /// Its name in the run's log.
    pub(crate) name: &'static str,
    /// The lists that it changes. It stays if their mean NDCG@10 improves.
    pub(crate) slices: &'static [ListSlice],
    /// Whether a fitted ranker has it.
    pub(crate) is_in: fn(&FittedRanker) -> bool,
    /// The same ranker without it.
    pub(crate) remove: fn(FittedRanker) -> FittedRanker,
    /// Switches it on or off in the settings of the training. The sequence model is given to the training beside them.
    pub(crate) configure: fn(&mut RankerTrainOptions, bool),
    /// Fits it to the events up to a moment beside a ranker; `None` for what the training of the ranker makes itself.
    pub(crate) fit: Option<fn(Dataset<'_>, i64, FittedRanker) -> FittedRanker>,
    /// Length of the log at which it was left out.
    pub(crate) left_out: fn(&mut LeftOut) -> &mut Option<usize>,
    /// The sentence on its gains and whether it stays.
    pub(crate) note: fn(&[SliceGain], bool) -> String,
}

/// Number of components.
const COUNT: usize = 4;
/// Place of the sequence model in the table.
const SEQUENCE: usize = 0;

/// All components, in the order in which they are selected. The sequence model is compared without trees, which do not read it.
pub(crate) const COMPONENTS: [Component; COUNT] = [
    Component {
        name: "the sequence model",
        slices: &[ListSlice::All, ListSlice::Novel],
        is_in: |fitted| fitted.sequence.is_some(),
        remove: |fitted| match fitted.without_sequence {
            Some(ranker) => FittedRanker { ranker: Some(ranker), sequence: None, without_sequence: None, ..fitted },
            None => fitted,
        },
        configure: |_, _| {},
        fit: None,
        left_out: |left_out| &mut left_out.sequence,
        note: |gains, stays| {
            let gain = |n: usize| gains.get(n).map_or(0.0, SliceGain::gain);
            format!(
                "sequence model among the ranker's sources: NDCG@10 {:+.4} for all items, {:+.4} for novel ones; it {}",
                gain(0),
                gain(1),
                it(stays)
            )
        },
    },
    Component {
        name: "trees for all items",
        slices: &[ListSlice::All],
        is_in: |fitted| fitted.ranker.as_ref().is_some_and(|ranker| ranker.has_trees()[0]),
        remove: |fitted| keep_trees(fitted, [false, true]),
        configure: |options, on| set_trees(options, 0, on),
        fit: None,
        left_out: |left_out| &mut left_out.trees[0],
        note: |gains, stays| trees_note("all items", gains, stays),
    },
    Component {
        name: "trees for novel items",
        slices: &[ListSlice::Novel],
        is_in: |fitted| fitted.ranker.as_ref().is_some_and(|ranker| ranker.has_trees()[1]),
        remove: |fitted| keep_trees(fitted, [true, false]),
        configure: |options, on| set_trees(options, 1, on),
        fit: None,
        left_out: |left_out| &mut left_out.trees[1],
        note: |gains, stays| trees_note("novel items", gains, stays),
    },
    Component {
        name: "a head for cold items",
        slices: &[ListSlice::Cold],
        is_in: |fitted| fitted.ranker.as_ref().is_some_and(mercer_rank::Ranker::has_cold),
        remove: |fitted| FittedRanker { ranker: fitted.ranker.map(mercer_rank::Ranker::without_cold), ..fitted },
        configure: |options, on| options.cold = on,
        fit: None,
        left_out: |left_out| &mut left_out.cold,
        note: |gains, stays| {
            let (gain, users) = gains.first().map_or((0.0, 0), |one| (one.gain(), one.users));
            let it = it(stays);
            format!(
                "a head for cold items against the blend: NDCG@10 {gain:+.4} for {users} shoppers who took some; it {it}"
            )
        },
    },
];

fn it(stays: bool) -> &'static str {
    if stays { "serves" } else { "is left out" }
}

fn trees_note(items: &str, gains: &[SliceGain], stays: bool) -> String {
    let gain = gains.first().map_or(0.0, SliceGain::gain);
    let verdict = if stays { "they serve" } else { "they are left out" };
    format!("trees beside the ranker's networks for {items}: NDCG@10 {gain:+.4}; {verdict}")
}

fn keep_trees(fitted: FittedRanker, kept: [bool; 2]) -> FittedRanker {
    FittedRanker { ranker: fitted.ranker.map(|ranker| ranker.with_trees_of(kept)), ..fitted }
}

fn set_trees(options: &mut RankerTrainOptions, head: usize, on: bool) {
    let seed = options.mlp.seed;
    let trees = options.trees[head].unwrap_or(TreeOptions { seed, ..TreeOptions::default() });
    options.trees[head] = on.then_some(trees);
}

/// A set of components, by their places in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ComponentSet([bool; COUNT]);

impl ComponentSet {
    /// No component.
    pub(crate) const NONE: Self = Self([false; COUNT]);

    /// Those for which `f` holds.
    pub(crate) fn from_fn(f: impl FnMut(usize) -> bool) -> Self {
        Self(std::array::from_fn(f))
    }

    /// The components of a fitted ranker.
    pub(crate) fn of(fitted: &FittedRanker) -> Self {
        Self::from_fn(|n| (COMPONENTS[n].is_in)(fitted))
    }

    /// Whether it has a component.
    pub(crate) const fn contains(self, n: usize) -> bool {
        self.0[n]
    }

    /// Whether it has the sequence model.
    pub(crate) const fn has_sequence(self) -> bool {
        self.0[SEQUENCE]
    }

    /// The same set with one more.
    pub(crate) fn with(self, n: usize) -> Self {
        Self::from_fn(|other| other == n || self.contains(other))
    }

    /// A ranker with these of its components alone.
    pub(crate) fn of_ranker(self, fitted: &FittedRanker) -> FittedRanker {
        let outside = COMPONENTS.iter().enumerate().filter(|(n, _)| !self.contains(*n));
        outside.fold(fitted.clone(), |fitted, (_, component)| (component.remove)(fitted))
    }

    /// A fitted ranker with those of these components that are fitted beside it.
    pub(crate) fn fit_beside(self, data: Dataset<'_>, until: i64, fitted: FittedRanker) -> FittedRanker {
        let fits = COMPONENTS.iter().enumerate().filter(|(n, _)| self.contains(*n));
        fits.filter_map(|(_, component)| component.fit).fold(fitted, |fitted, fit| fit(data, until, fitted))
    }

    /// Settings that train these components.
    pub(crate) fn configure(self, mut options: RankerTrainOptions) -> RankerTrainOptions {
        for (n, component) in COMPONENTS.iter().enumerate() {
            (component.configure)(&mut options, self.contains(n));
        }
        options
    }
}

/// What to fit a ranker with.
pub(crate) struct FitOptions {
    /// Its components.
    pub(crate) components: ComponentSet,
    /// Settings of the training, configured for them.
    pub(crate) training: RankerTrainOptions,
    /// Group of each user, by number in the log, whose lists are weighed to count alike; none where all lists do.
    pub(crate) groups: Vec<usize>,
}

impl FitOptions {
    /// Those that fit the components of a ranker again.
    pub(crate) fn again(fitted: &FittedRanker, tier: BudgetTier, seed: u64) -> Self {
        Self::new(ComponentSet::of(fitted), tier.ranker_options(seed))
    }

    /// Those that fit these components.
    pub(crate) fn new(components: ComponentSet, training: RankerTrainOptions) -> Self {
        Self { components, training: components.configure(training), groups: Vec::new() }
    }

    /// The same with lists weighed by the groups of their users.
    pub(crate) fn weighing(self, groups: &[usize]) -> Self {
        Self { groups: groups.to_vec(), ..self }
    }
}

/// Lengths of the log (interactions) at which components were last left out. A stored document, which calls the sequence model `network`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LeftOut {
    #[serde(rename = "network")]
    sequence: Option<usize>,
    trees: [Option<usize>; 2],
    #[serde(default)]
    cold: Option<usize>,
}

impl SettingDocument for LeftOut {
    const SETTING: Setting = Setting::LeftOutComponents;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_follow_the_set_and_the_document_keeps_its_form() {
        let usual = RankerTrainOptions::default();
        let all = ComponentSet::from_fn(|_| true).configure(usual.clone());
        assert!(all.cold && all.trees.iter().all(Option::is_some));
        let none = ComponentSet::NONE.configure(all);
        assert!(!none.cold && none.trees == [None; 2]);
        let novel = ComponentSet::NONE.with(2);
        assert!(novel.contains(2) && !novel.has_sequence());
        assert_eq!(novel.configure(usual).trees.map(|trees| trees.is_some()), [false, true]);
        let mut left_out = LeftOut::default();
        for (n, component) in COMPONENTS.iter().enumerate() {
            *(component.left_out)(&mut left_out) = Some(n);
        }
        let text = serde_json::to_string(&left_out).unwrap();
        assert_eq!(text, r#"{"network":0,"trees":[1,2],"cold":3}"#);
    }
}
