//! What the features read: a shopper as of a moment, the candidates with the sources' scores, and what the memory counts of each.
use rustc_hash::FxHashMap;

use crate::catalogue::{Catalogue, ItemFacts};
use crate::log::DAY_MS;
use crate::memory::Memory;
use crate::popularity::{ItemStats, Stats};
use crate::shopper::{Own, Shopper};
use crate::sources::{Columns, SOURCES, Source};

/// Scores of the candidates by one source.
pub(super) struct Scores {
    pub(super) value: Vec<f32>,
    /// Largest of them, not below 0.
    pub(super) max: f32,
    /// Logarithm of one plus the rank, from 0; equal scores share a rank, and zeros the last one.
    pub(super) rank: Vec<f32>,
}

impl Scores {
    fn of(column: &[f32], candidates: &[u32]) -> Self {
        let value: Vec<f32> = candidates.iter().map(|&i| column[i as usize]).collect();
        let max = value.iter().fold(0f32, |a, &x| a.max(x));
        let mut order: Vec<usize> = (0..value.len()).filter(|&r| value[r] > 0.0).collect();
        order.sort_by(|&a, &b| value[b].total_cmp(&value[a]).then(a.cmp(&b)));
        let mut rank = vec![(value.len() as f32).ln_1p(); value.len()];
        let mut before: Option<(f32, f32)> = None;
        for (n, &r) in order.iter().enumerate() {
            // No order that the scores do not give.
            let of_this = before.filter(|b| b.0 == value[r]).map_or((n as f32).ln_1p(), |b| b.1);
            rank[r] = of_this;
            before = Some((value[r], of_this));
        }
        Self { value, max, rank }
    }
}

/// Purchases of a shopper within groups (brands or categories).
pub(super) struct Groups {
    share: FxHashMap<u32, f32>,
    last: FxHashMap<u32, i64>,
}

impl Groups {
    fn of(shopper: &Shopper, catalogue: &Catalogue, group: fn(&ItemFacts) -> Option<u32>) -> Self {
        let (mut share, mut last) = (FxHashMap::default(), FxHashMap::default());
        let mut total = 0f32;
        for own in &shopper.owned {
            let Some(g) = catalogue.get(own.item).and_then(group) else { continue };
            let w = own.decayed(shopper.at, 150.0) as f32;
            *share.entry(g).or_insert(0.0) += w;
            total += w;
            let at = last.entry(g).or_insert(own.last_at);
            *at = own.last_at.max(*at);
        }
        share.values_mut().for_each(|x| *x /= total.max(1e-6));
        Self { share, last }
    }

    /// Share of the shopper's purchases in a group, its root: small shares differ most.
    pub(super) fn share(&self, g: Option<u32>) -> f32 {
        g.map_or(f32::NAN, |g| self.share.get(&g).copied().unwrap_or(0.0).sqrt())
    }

    /// Logarithm of one plus the days since the last purchase in a group.
    pub(super) fn days_since(&self, g: Option<u32>, at: i64) -> f32 {
        g.and_then(|g| self.last.get(&g)).map_or(f32::NAN, |&t| days(at - t).ln_1p())
    }
}

/// Days of a span, not below 0.
pub(super) fn days(ms: i64) -> f32 {
    (ms as f64 / DAY_MS as f64).max(0.0) as f32
}

/// What holds of a kind of group as a whole; single groups are shrunk towards it.
#[derive(Clone, Copy)]
pub(super) struct Prior {
    pub(super) rate: f64,
    pub(super) hazard: f64,
    /// Days.
    pub(super) gap: f64,
}

impl Prior {
    fn of(stats: &Stats) -> Self {
        let t = &stats.total;
        let gap = if t.repeaters > 0.0 { (f64::from(t.log_gap) / f64::from(t.repeaters)).exp() } else { 30.0 };
        Self { rate: t.repeat_rate(0.1, 1.0), hazard: t.hazard(0.05, 1.0), gap }
    }
}

/// A shopper as of a moment, and what the candidates have in common.
pub(super) struct Scene<'a> {
    pub(super) memory: &'a Memory,
    pub(super) shopper: &'a Shopper,
    catalogue: &'a Catalogue,
    scores: Vec<Option<Scores>>,
    /// Strongest cosine with another item of the shopper's; none without vectors.
    pub(super) strongest: Option<Scores>,
    pub(super) brands: Groups,
    pub(super) categories: Groups,
    none: ItemStats,
    pub(super) items: Prior,
    pub(super) of_brands: Prior,
    pub(super) of_categories: Prior,
    /// Largest own purchase counts, decayed with half-lives of 45 and 150 days.
    pub(super) most_own: (f64, f64),
    /// Mean logarithm of the prices of what the shopper bought.
    pub(super) price: Option<f32>,
    /// Pairs of item and day.
    pub(super) purchases: usize,
    /// Of these, the ones that were not the first of the item.
    pub(super) repeats: usize,
    /// Days since the last basket.
    pub(super) since: f32,
    /// Mean days between baskets.
    pub(super) rhythm: f32,
    /// Most first purchases of a candidate within 30 days.
    pub(super) most_adopted: f32,
}

/// Sources that features read; the others are terms of the blend alone.
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
    Source::Adopters,
    Source::Ials,
    Source::Sequence,
];

impl<'a> Scene<'a> {
    pub(super) fn of(
        memory: &'a Memory,
        catalogue: &'a Catalogue,
        shopper: &'a Shopper,
        columns: &mut Columns<'_>,
        candidates: &[u32],
    ) -> Self {
        let mut scores: Vec<Option<Scores>> = SOURCES.iter().map(|_| None).collect();
        let texts = catalogue.vectors().is_some();
        for source in READ.into_iter().chain(texts.then_some(Source::Content)) {
            scores[source as usize] = Some(Scores::of(columns.get(source), candidates));
        }
        let strongest =
            texts.then(|| Scores::of(&crate::content::strongest(catalogue, shopper, candidates), candidates));
        let at = shopper.at;
        let mut most_own = (0f64, 0f64);
        let (mut spent, mut priced, mut repeats, mut purchases) = (0f32, 0f32, 0usize, 0usize);
        for own in &shopper.owned {
            most_own = (most_own.0.max(own.decayed(at, 45.0)), most_own.1.max(own.decayed(at, 150.0)));
            purchases += own.days.len();
            repeats += own.days.len().saturating_sub(1);
            if let Some(p) = catalogue.get(own.item).and_then(|f| f.price).filter(|&p| p > 0.0) {
                spent += p.ln();
                priced += 1.0;
            }
        }
        let baskets = &shopper.days;
        let rhythm = match (baskets.first(), baskets.last()) {
            (Some(first), Some(last)) if baskets.len() >= 2 => (last - first) as f32 / (baskets.len() - 1) as f32,
            _ => f32::NAN,
        };
        Self {
            memory,
            shopper,
            catalogue,
            scores,
            strongest,
            brands: Groups::of(shopper, catalogue, |f| f.brand),
            categories: Groups::of(shopper, catalogue, |f| f.category),
            none: ItemStats { first: i64::MAX, ..ItemStats::default() },
            items: Prior::of(&memory.stats),
            of_brands: Prior::of(&memory.brands),
            of_categories: Prior::of(&memory.categories),
            most_own,
            price: (priced > 0.0).then(|| spent / priced),
            purchases,
            repeats,
            since: baskets.last().map_or(f32::NAN, |&d| days(at - i64::from(d) * DAY_MS)),
            rhythm,
            most_adopted: candidates.iter().filter_map(|&i| memory.stats(i)).fold(0f32, |a, s| a.max(s.adopted)),
        }
    }

    /// Scores of the candidates by a source that features read.
    pub(super) fn scores(&self, source: Source) -> Option<&Scores> {
        self.scores[source as usize].as_ref()
    }

    /// What is known of the candidate in a row.
    pub(super) fn case(&self, row: usize, item: u32) -> Case<'_> {
        let none = &self.none;
        let facts = self.catalogue.get(item).copied().unwrap_or_default();
        let row_of = |stats: &'a [ItemStats], g: Option<u32>| g.and_then(|g| stats.get(g as usize)).unwrap_or(none);
        let stats = self.memory.stats(item).unwrap_or(none);
        let [in_category, in_brand] = &*self.memory.pooled;
        let alike = (row_of(in_brand, facts.brand), row_of(in_category, facts.category));
        let own = self.shopper.own(item).filter(|o| !o.days.is_empty());
        Case {
            row,
            facts,
            stats,
            brand: facts.brand.map(|g| row_of(&self.memory.brands.rows, Some(g))),
            category: facts.category.map(|g| row_of(&self.memory.categories.rows, Some(g))),
            // An item says little of itself where most were bought once: it is shrunk towards its brand, and that towards its category.
            usual: stats.usual_gap(alike.0.usual_gap(alike.1.usual_gap(self.items.gap, 5.0), 5.0), 3.0),
            alike,
            own: own.map(|own| Record::of(own, self.shopper)),
        }
    }
}

/// A candidate.
pub(super) struct Case<'a> {
    /// Its place among the candidates.
    pub(super) row: usize,
    pub(super) facts: ItemFacts,
    pub(super) stats: &'a ItemStats,
    /// Its brand, counted as if the brand were one item.
    pub(super) brand: Option<&'a ItemStats>,
    /// Its category likewise.
    pub(super) category: Option<&'a ItemStats>,
    /// How items of its brand and of its category fare, each item counted for itself.
    pub(super) alike: (&'a ItemStats, &'a ItemStats),
    /// Usual days between purchases of it.
    pub(super) usual: f64,
    /// The shopper's own record with it, if it was ever bought and kept.
    pub(super) own: Option<Record<'a>>,
}

/// The shopper's own purchases of a candidate.
pub(super) struct Record<'a> {
    pub(super) own: &'a Own,
    /// Days since the last.
    pub(super) since: f32,
    /// Share of the baskets since the first with it that hold it.
    pub(super) share: f32,
    /// Share of the last five baskets that hold it.
    pub(super) of_five: f32,
    /// Whether the last basket holds it.
    pub(super) in_last: bool,
}

impl<'a> Record<'a> {
    fn of(own: &'a Own, shopper: &Shopper) -> Self {
        let baskets = &shopper.days;
        let first = own.days.first().copied().unwrap_or(i32::MAX);
        let last = own.days.last().copied();
        let chances = baskets.len() - baskets.partition_point(|&d| d < first);
        let five = &baskets[baskets.len().saturating_sub(5)..];
        let hits = own.days.iter().filter(|d| five.binary_search(d).is_ok()).count();
        Self {
            own,
            since: last.map_or(f32::NAN, |d| days(shopper.at - i64::from(d) * DAY_MS)),
            share: own.days.len() as f32 / chances.max(1) as f32,
            of_five: hits as f32 / five.len().max(1) as f32,
            in_last: baskets.last().copied() == last,
        }
    }
}
