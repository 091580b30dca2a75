//! The inputs of the features: a user's state, the candidates with their source scores, and the statistics of each candidate.
use rustc_hash::FxHashMap;

use crate::catalogue::{Catalogue, ItemFacts};
use crate::collaborative_index::CollaborativeIndex;
use crate::content;
use crate::log::DAY_MS;
use crate::popularity::{ItemStats, Stats};
use crate::snapshot::Snapshot;
use crate::source::{SOURCES, Source};
use crate::source_scores::SourceScores;
use crate::user_state::{PurchaseHistory, UserState};

/// Scores of the candidates by one source.
pub(super) struct CandidateScores {
    pub(super) value: Vec<f32>,
    /// Largest of them, not below 0.
    pub(super) max: f32,
    /// Logarithm of one plus the rank, from 0; equal scores share a rank, and zeros the last one.
    pub(super) rank: Vec<f32>,
}

impl CandidateScores {
    fn new(column: &[f32], candidates: &[u32]) -> Self {
        let value: Vec<f32> = candidates.iter().map(|&i| column[i as usize]).collect();
        let max = value.iter().fold(0f32, |a, &x| a.max(x));
        let mut order: Vec<usize> = (0..value.len()).filter(|&r| value[r] > 0.0).collect();
        order.sort_by(|&a, &b| value[b].total_cmp(&value[a]).then(a.cmp(&b)));
        let mut rank = vec![(value.len() as f32).ln_1p(); value.len()];
        let mut before: Option<(f32, f32)> = None;
        for (n, &r) in order.iter().enumerate() {
            let of_this = before.filter(|b| b.0 == value[r]).map_or((n as f32).ln_1p(), |b| b.1);
            rank[r] = of_this;
            before = Some((value[r], of_this));
        }
        Self { value, max, rank }
    }
}

/// Purchases of a user by group (brand or category).
pub(super) struct Groups {
    share: FxHashMap<u32, f32>,
    last: FxHashMap<u32, i64>,
}

impl Groups {
    fn new(user: &UserState, catalogue: &Catalogue, group: fn(&ItemFacts) -> Option<u32>) -> Self {
        let (mut share, mut last) = (FxHashMap::default(), FxHashMap::default());
        let mut total = 0f32;
        for own in &user.purchases {
            let Some(g) = catalogue.get(own.item).and_then(group) else { continue };
            let w = own.decayed(user.at, 150.0) as f32;
            *share.entry(g).or_insert(0.0) += w;
            total += w;
            let at = last.entry(g).or_insert(own.last_at);
            *at = own.last_at.max(*at);
        }
        share.values_mut().for_each(|x| *x /= total.max(1e-6));
        Self { share, last }
    }

    /// Square root of the group's share of the user's purchases: it spreads the small shares.
    pub(super) fn share(&self, g: Option<u32>) -> f32 {
        g.map_or(f32::NAN, |g| self.share.get(&g).copied().unwrap_or(0.0).sqrt())
    }

    /// Logarithm of one plus the days since the last purchase in a group.
    pub(super) fn days_since(&self, g: Option<u32>, at: i64) -> f32 {
        g.and_then(|g| self.last.get(&g)).map_or(f32::NAN, |&t| days(at - t).ln_1p())
    }
}

/// Days of a span in milliseconds, not below 0.
pub(super) fn days(ms: i64) -> f32 {
    (ms as f64 / DAY_MS as f64).max(0.0) as f32
}

/// Means over all items (or brands, or categories), towards which the values of single ones are shrunk.
#[derive(Clone, Copy)]
pub(super) struct Prior {
    pub(super) rate: f64,
    pub(super) hazard: f64,
    /// Days.
    pub(super) gap: f64,
}

impl Prior {
    fn new(stats: &Stats) -> Self {
        let t = &stats.total;
        let gap = if t.repeaters > 0.0 { (f64::from(t.log_gap) / f64::from(t.repeaters)).exp() } else { 30.0 };
        Self { rate: t.repeat_rate(0.1, 1.0), hazard: t.hazard(0.05, 1.0), gap }
    }
}

/// Sums and maxima over all purchases of a user.
#[derive(Default)]
pub(super) struct PurchaseTotals {
    /// Largest purchase count of an item, decayed with a half-life of 45 days.
    pub(super) most_in_45: f64,
    /// The same with a half-life of 150 days.
    pub(super) most_in_150: f64,
    /// Mean logarithm of the prices of the user's items.
    pub(super) price: Option<f32>,
    /// Pairs of item and day.
    pub(super) purchases: usize,
    /// Pairs that are not the first of their item.
    pub(super) repeats: usize,
}

impl PurchaseTotals {
    fn new(user: &UserState, catalogue: &Catalogue) -> Self {
        let mut out = Self::default();
        let (mut spent, mut priced) = (0f32, 0f32);
        for own in &user.purchases {
            out.most_in_45 = out.most_in_45.max(own.decayed(user.at, 45.0));
            out.most_in_150 = out.most_in_150.max(own.decayed(user.at, 150.0));
            out.purchases += own.days.len();
            out.repeats += own.days.len().saturating_sub(1);
            if let Some(p) = catalogue.get(own.item).and_then(|f| f.price).filter(|&p| p > 0.0) {
                spent += p.ln();
                priced += 1.0;
            }
        }
        out.price = (priced > 0.0).then(|| spent / priced);
        out
    }
}

/// What all candidates of a list share.
pub(super) struct FeatureContext<'a> {
    pub(super) index: &'a CollaborativeIndex,
    pub(super) user: &'a UserState,
    catalogue: &'a Catalogue,
    scores: Vec<Option<CandidateScores>>,
    /// Largest cosine with another item of the user's; `None` without vectors.
    pub(super) strongest: Option<CandidateScores>,
    pub(super) brands: Groups,
    pub(super) categories: Groups,
    none: ItemStats,
    pub(super) items: Prior,
    pub(super) of_brands: Prior,
    pub(super) of_categories: Prior,
    pub(super) totals: PurchaseTotals,
    /// Days since the last basket.
    pub(super) since: f32,
    /// Mean days between baskets.
    pub(super) rhythm: f32,
    /// Most first purchases of a candidate within 30 days.
    pub(super) most_adopted: f32,
}

/// Sources that features read; the others are terms of the blend only.
const READ: [Source; 15] = [
    Source::Own,
    Source::Intent,
    Source::Popular7,
    Source::Popular30,
    Source::Popular90,
    Source::Popular,
    Source::Knn,
    Source::KnnRecent,
    Source::KnnStrongest,
    Source::Next,
    Source::UserKnn,
    Source::UserKnnFresh,
    Source::NeighbourFirstPurchases,
    Source::Ials,
    Source::Sequence,
];

impl<'a> FeatureContext<'a> {
    pub(super) fn new(
        s: &'a Snapshot,
        user: &'a UserState,
        source_scores: &mut SourceScores<'_>,
        candidates: &[u32],
    ) -> Self {
        let (index, catalogue) = (&*s.index, &s.catalogue);
        let counts = &index.counts;
        let mut scores: Vec<Option<CandidateScores>> = SOURCES.iter().map(|_| None).collect();
        let texts = catalogue.vectors().is_some();
        for source in READ.into_iter().chain(texts.then_some(Source::Content)) {
            scores[source as usize] = Some(CandidateScores::new(source_scores.get(source), candidates));
        }
        let strongest =
            texts.then(|| CandidateScores::new(&content::strongest(catalogue, user, candidates), candidates));
        let baskets = &user.days;
        let rhythm = match (baskets.first(), baskets.last()) {
            (Some(first), Some(last)) if baskets.len() >= 2 => (last - first) as f32 / (baskets.len() - 1) as f32,
            _ => f32::NAN,
        };
        Self {
            index,
            user,
            catalogue,
            scores,
            strongest,
            brands: Groups::new(user, catalogue, |f| f.brand),
            categories: Groups::new(user, catalogue, |f| f.category),
            none: ItemStats { first: i64::MAX, ..ItemStats::default() },
            items: Prior::new(&counts.items),
            of_brands: Prior::new(&counts.brands),
            of_categories: Prior::new(&counts.categories),
            totals: PurchaseTotals::new(user, catalogue),
            since: baskets.last().map_or(f32::NAN, |&d| days(user.at - i64::from(d) * DAY_MS)),
            rhythm,
            most_adopted: candidates.iter().filter_map(|&i| index.stats(i)).fold(0f32, |a, s| a.max(s.adopted)),
        }
    }

    /// Scores of the candidates by a source that features read.
    pub(super) fn scores(&self, source: Source) -> Option<&CandidateScores> {
        self.scores[source as usize].as_ref()
    }

    /// The inputs of the candidate in a row.
    pub(super) fn candidate(&self, row: usize, item: u32) -> CandidateContext<'_> {
        let none = &self.none;
        let facts = self.catalogue.get(item).copied().unwrap_or_default();
        let row_of = |stats: &'a [ItemStats], g: Option<u32>| g.and_then(|g| stats.get(g as usize)).unwrap_or(none);
        let stats = self.index.stats(item).unwrap_or(none);
        let counts = &self.index.counts;
        let pooled = PooledStats {
            brand: row_of(&counts.items_by_brand, facts.brand),
            category: row_of(&counts.items_by_category, facts.category),
        };
        let own = self.user.purchases_of(item).filter(|o| !o.days.is_empty());
        CandidateContext {
            row,
            facts,
            stats,
            brand: facts.brand.map(|g| row_of(&counts.brands.rows, Some(g))),
            category: facts.category.map(|g| row_of(&counts.categories.rows, Some(g))),
            // Most items were bought too rarely for a gap of their own: it is shrunk towards that of the brand, and that towards the category's.
            usual: stats.usual_gap(pooled.brand.usual_gap(pooled.category.usual_gap(self.items.gap, 5.0), 5.0), 3.0),
            pooled,
            own: own.map(|own| OwnPurchases::new(own, self.user)),
        }
    }
}

/// The inputs of one candidate.
pub(super) struct CandidateContext<'a> {
    /// Its place among the candidates.
    pub(super) row: usize,
    pub(super) facts: ItemFacts,
    pub(super) stats: &'a ItemStats,
    /// Its brand, counted as if it were one item.
    pub(super) brand: Option<&'a ItemStats>,
    /// Its category likewise.
    pub(super) category: Option<&'a ItemStats>,
    /// The items of its brand and of its category.
    pub(super) pooled: PooledStats<'a>,
    /// Usual days between purchases of it.
    pub(super) usual: f64,
    /// The user's own purchases, if it was ever bought and not returned.
    pub(super) own: Option<OwnPurchases<'a>>,
}

/// Sums over the items of a candidate's brand and of its category.
#[derive(Clone, Copy)]
pub(super) struct PooledStats<'a> {
    pub(super) brand: &'a ItemStats,
    pub(super) category: &'a ItemStats,
}

/// The user's own purchases of a candidate.
pub(super) struct OwnPurchases<'a> {
    pub(super) own: &'a PurchaseHistory,
    /// Days since the last.
    pub(super) since: f32,
    /// Share of the baskets since the first with it that hold it.
    pub(super) share: f32,
    /// Share of the last five baskets that hold it.
    pub(super) of_five: f32,
    /// Whether the last basket holds it.
    pub(super) in_last: bool,
}

impl<'a> OwnPurchases<'a> {
    fn new(own: &'a PurchaseHistory, user: &UserState) -> Self {
        let baskets = &user.days;
        let first = own.days.first().copied().unwrap_or(i32::MAX);
        let last = own.days.last().copied();
        let chances = baskets.len() - baskets.partition_point(|&d| d < first);
        let five = &baskets[baskets.len().saturating_sub(5)..];
        let hits = own.days.iter().filter(|d| five.binary_search(d).is_ok()).count();
        Self {
            own,
            since: last.map_or(f32::NAN, |d| days(user.at - i64::from(d) * DAY_MS)),
            share: own.days.len() as f32 / chances.max(1) as f32,
            of_five: hits as f32 / five.len().max(1) as f32,
            in_last: baskets.last().copied() == last,
        }
    }
}
