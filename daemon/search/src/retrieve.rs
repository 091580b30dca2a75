//! Searches: retrieves both lists under one filter, fuses and cuts them.

use crate::dense::{DenseIndex, QueryVector};
use crate::error::SearchError;
use crate::fuse::{Fusion, Method, Normalisation, Source, fuse};
use crate::lexical::{LexicalParams, LexicalReader};
use crate::query::Query;
use crate::tie::{Eligible, Scored};

/// Weighted contributions of the two lists to an item's score; they add up to it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScoreParts {
    /// From the lexical index.
    pub lexical: f64,
    /// From the vectors.
    pub dense: f64,
}

/// One row of an answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hit {
    /// The item's number.
    pub item: u32,
    /// `parts.lexical + parts.dense`; comparable within one answer only.
    pub score: f64,
    /// What the lists contributed to the score.
    pub parts: ScoreParts,
}

/// Options of a search; the defaults were measured best.
#[derive(Debug, Clone, PartialEq)]
pub struct SearchOptions {
    /// Ranking of the lexical list.
    pub lexical: LexicalParams,
    /// Fusion.
    pub fusion: Fusion,
    /// Number of items that either list retrieves, at least `k`.
    pub depth: usize,
}

impl Default for SearchOptions {
    fn default() -> Self {
        Self { lexical: LexicalParams::default(), fusion: Fusion::default(), depth: 200 }
    }
}

/// The best `k` items that are eligible, best first. Without a query vector or without item vectors the answer is lexical
/// only; where no term matches, dense only. Eligibility applies before any cut.
///
/// # Errors
/// A query vector of another encoder version or of the wrong shape.
pub fn search(
    lexical: &LexicalReader,
    dense: &DenseIndex,
    query: &Query,
    vector: Option<&QueryVector>,
    k: usize,
    eligible: Eligible<'_>,
    options: &SearchOptions,
) -> Result<Vec<Hit>, SearchError> {
    let phrases = lexical.phrase_items(query);
    let passes = |item: u32| {
        let held = phrases.as_ref().is_none_or(|held| held.get(item as usize).copied().unwrap_or(false));
        if held { eligible(item) } else { None }
    };
    let depth = options.depth.max(k);
    let vector = vector.filter(|_| !dense.is_empty());
    let (matches, near) = rayon::join(
        || lexical.search(query, depth, &passes, &options.lexical),
        || vector.map_or(Ok(Vec::new()), |vector| dense.top_k(vector, depth, &passes)),
    );
    let near = near?;
    // An item that only one list found is scored by the other as well: without a score it would count as the lowest.
    let known: rustc_hash::FxHashSet<u32> = near.iter().map(|s| s.item).collect();
    let mut all_near = near.clone();
    if let Some(vector) = vector {
        let extra = matches.top.iter().filter(|s| !known.contains(&s.item));
        all_near.extend(extra.filter_map(|s| Some(Scored { score: dense.score(s.item, &vector.values)?, ..*s })));
        all_near.sort_unstable_by(Scored::order);
    }
    let found: rustc_hash::FxHashSet<u32> = matches.top.iter().map(|s| s.item).collect();
    let mut all_matches = matches.top.clone();
    all_matches.extend(
        near.iter().filter(|s| !found.contains(&s.item)).map(|s| Scored { score: matches.score(s.item), ..*s }),
    );
    all_matches.sort_unstable_by(Scored::order);
    let dense_low = match options.fusion.method {
        Method::Convex(Normalisation::MinMax) => near.last().map_or(-1.0, |s| s.score),
        _ => -1.0,
    };
    let weight = match (matches.top.is_empty(), near.is_empty()) {
        (true, _) => 0.0,
        (_, true) => 1.0,
        _ => options.fusion.weight(&query.words),
    };
    // A document without any of the words has a lexical score of exactly 0, so 0 is also the lowest score of the union.
    let lists = (Source { list: &all_matches, low: 0.0 }, Source { list: &all_near, low: dense_low });
    let fused = fuse(lists.0, lists.1, weight, options.fusion.method);
    Ok(fused
        .into_iter()
        .take(k)
        .map(|f| Hit { item: f.item, score: f.score(), parts: ScoreParts { lexical: f.lexical, dense: f.dense } })
        .collect())
}
