//! Fuses the lexical and the dense list into one; each item keeps the contribution of either list.
//!
//! Convex fusion: Bruch, Gai, Ingber 2023, "An Analysis of Fusion Functions for Hybrid Retrieval" (TOIS). Reciprocal rank
//! fusion: Cormack, Clarke, Büttcher 2009.

use rustc_hash::FxHashMap;

use crate::tie::Scored;
use crate::tokenize::tokenize;

/// How raw scores are normalised before they are added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Normalisation {
    /// Lowest score that the source itself fetched to 0, highest to 1; what lies below counts as 0.
    MinMax,
    /// Lower bound of the scoring function to 0 (0 for BM25, -1 for cosine), highest of the list to 1.
    Theoretical,
}

/// How two lists are fused.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Method {
    /// `w * norm(lexical score) + (1 - w) * norm(dense score)`.
    Convex(Normalisation),
    /// `w / (k + lexical rank) + (1 - w) / (k + dense rank)`, ranks from 1.
    Reciprocal {
        /// Flattens the top; 60 in the paper.
        k: f64,
    },
}

/// The fusion of a search: a method, and the weight of the lexical list by what the query is written in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fusion {
    /// The method.
    pub method: Method,
    /// Weight of the lexical list for a query of words, 0 to 1.
    pub words: f64,
    /// Weight of the lexical list for a query in a script without spaces, 0 to 1: character pairs are weaker evidence than
    /// words, since many pairs of a sentence name nothing.
    pub characters: f64,
}

impl Default for Fusion {
    /// Convex with min-max, 0.4 and 0.1: the middle of the plateau on product queries (.839 from 0.35 to 0.45; halves chosen on each other
    /// give .834) and of that on Chinese needs (.855 or more up to 0.15). Reciprocal ranks stay below (.835).
    fn default() -> Self {
        Self { method: Method::Convex(Normalisation::MinMax), words: 0.4, characters: 0.1 }
    }
}

impl Fusion {
    /// The weight of the lexical list for this query, linear in the share of its text that is in a script without spaces (two
    /// characters count as a word).
    #[must_use]
    pub fn weight(&self, query: &str) -> f64 {
        let (mut words, mut characters) = (0.0, 0.0);
        for token in tokenize(query).iter().filter(|t| !t.extra) {
            *(if token.continuous { &mut characters } else { &mut words }) += if token.continuous { 0.5 } else { 1.0 };
        }
        let share = if words + characters > 0.0 { characters / (words + characters) } else { 0.0 };
        (self.words + share * (self.characters - self.words)).clamp(0.0, 1.0)
    }
}

/// A fused item; `lexical + dense` is its score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fused {
    /// The item's number.
    pub item: u32,
    /// Contribution of the lexical list, weighted.
    pub lexical: f64,
    /// Contribution of the dense list, weighted.
    pub dense: f64,
    /// Orders equal scores, ascending.
    pub tie: u64,
}

impl Fused {
    /// The fused score.
    #[must_use]
    pub fn score(&self) -> f64 {
        self.lexical + self.dense
    }

    fn scored(&self) -> Scored {
        Scored { item: self.item, score: self.score(), tie: self.tie }
    }
}

/// One list to fuse, best first, each item once.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// The list.
    pub list: &'a [Scored],
    /// The score that normalises to 0; see [`Normalisation`].
    pub low: f64,
}

/// Fuses two lists, best first; `weight` is that of the lexical list. An item that a list lacks gets 0 from it.
#[must_use]
pub fn fuse(lexical: Source<'_>, dense: Source<'_>, weight: f64, method: Method) -> Vec<Fused> {
    let mut fused: FxHashMap<u32, Fused> = FxHashMap::default();
    for (n, (source, weight)) in [(lexical, weight), (dense, 1.0 - weight)].into_iter().enumerate() {
        for (rank, scored) in source.list.iter().enumerate() {
            let part = weight * normalised(source, rank, scored.score, method);
            let entry = fused.entry(scored.item).or_insert(Fused {
                item: scored.item,
                lexical: 0.0,
                dense: 0.0,
                tie: scored.tie,
            });
            *(if n == 0 { &mut entry.lexical } else { &mut entry.dense }) = part;
        }
    }
    // The map's order is irrelevant: the order below is total.
    let mut all: Vec<Fused> = fused.into_values().collect();
    all.sort_unstable_by(|a, b| a.scored().order(&b.scored()));
    all
}

/// Normalises the score of a position in a list, before weighting: 0 to 1.
fn normalised(source: Source<'_>, rank: usize, score: f64, method: Method) -> f64 {
    match method {
        Method::Reciprocal { .. } if score <= source.low => 0.0,
        Method::Reciprocal { k } => 1.0 / (k.max(0.0) + rank as f64 + 1.0),
        Method::Convex(_) => {
            let high = source.list.first().map_or(score, |s| s.score);
            if high > source.low { ((score - source.low) / (high - source.low)).clamp(0.0, 1.0) } else { 0.0 }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tie::tie_hash;
    use proptest::prelude::*;

    fn list(max: u32) -> impl Strategy<Value = Vec<Scored>> {
        prop::collection::btree_map(0..max, 0.01..50.0f64, 0..40).prop_map(|map| {
            let mut list: Vec<Scored> =
                map.into_iter().map(|(item, score)| Scored { item, score, tie: tie_hash(item) }).collect();
            list.sort_by(Scored::order);
            list
        })
    }

    fn method() -> impl Strategy<Value = Method> {
        prop_oneof![Just(Method::Convex(Normalisation::MinMax)), (0.0..100.0f64).prop_map(|k| Method::Reciprocal { k })]
    }

    proptest! {
        #[test]
        fn every_item_once_in_order_and_parts_bounded(a in list(60), b in list(60), weight in 0.0..=1.0f64, method in method()) {
            let fused = fuse(Source { list: &a, low: 0.0 }, Source { list: &b, low: 0.0 }, weight, method);
            let mut expected: Vec<u32> = a.iter().chain(&b).map(|s| s.item).collect();
            expected.sort_unstable();
            expected.dedup();
            let mut got: Vec<u32> = fused.iter().map(|f| f.item).collect();
            got.sort_unstable();
            prop_assert_eq!(got, expected);
            prop_assert!(fused.is_sorted_by(|x, y| x.score() >= y.score()));
            prop_assert!(fused.iter().all(|f| (0.0..=weight).contains(&f.lexical) && (0.0..=1.0 - weight).contains(&f.dense)));
        }

        #[test]
        fn one_list_alone_keeps_its_order(a in list(60), method in method()) {
            let fused = fuse(Source { list: &a, low: 0.0 }, Source { list: &[], low: 0.0 }, 1.0, method);
            prop_assert_eq!(fused.iter().map(|f| f.item).collect::<Vec<_>>(), a.iter().map(|s| s.item).collect::<Vec<_>>());
        }

        #[test]
        fn better_in_both_is_better(a in list(60), b in list(60), weight in 0.0..=1.0f64, method in method()) {
            let fused = fuse(Source { list: &a, low: 0.0 }, Source { list: &b, low: 0.0 }, weight, method);
            let score = |list: &[Scored], item| list.iter().find(|s| s.item == item).map_or(0.0, |s| s.score);
            let at = |item| fused.iter().find(|f| f.item == item).map_or(0.0, Fused::score);
            for x in &fused {
                for y in &fused {
                    if score(&a, x.item) > score(&a, y.item) && score(&b, x.item) > score(&b, y.item) {
                        prop_assert!(at(x.item) >= at(y.item));
                    }
                }
            }
        }
    }

    #[test]
    fn the_weight_follows_the_script() {
        let fusion = Fusion { words: 0.5, characters: 0.1, ..Fusion::default() };
        assert_eq!(fusion.weight("red dress"), 0.5);
        assert!((fusion.weight("红色连衣裙") - 0.1).abs() < 1e-12);
        assert!((fusion.weight("iphone 手机") - 0.3).abs() < 1e-12);
    }
}
