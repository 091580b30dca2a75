//! The features of the learned ranker: declared once, computed by one function as of a moment, for training and serving alike.
//!
//! All are free of scale: shares of the shopper's or the window's maximum, logarithms and ratios; never raw counts, absolute
//! prices or dates. `NaN` is "missing".
use rustc_hash::FxHashMap;

use crate::catalogue::{Catalogue, ItemFacts};
use crate::log::DAY_MS;
use crate::memory::Memory;
use crate::popularity::{ItemStats, Stats};
use crate::shopper::{Own, Shopper};
use crate::sources::{Columns, Source, growth};

/// Name of each feature, in the order of the columns.
pub const FEATURES: [&str; 68] = [
    "own: bought before",
    "own: bought twice or more",
    "own: purchase days, log",
    "own: decayed 14 d, log",
    "own: decayed 45 d, log",
    "own: decayed 150 d, log",
    "own: decayed 45 d, share of own maximum",
    "own: decayed 150 d, share of own maximum",
    "own: rank, log",
    "own: quantity, log",
    "own: last quantity over mean, log",
    "own: days since, log",
    "own: mean gap, log",
    "own: days since over own gap, log",
    "own: days since over usual gap of the item, log",
    "own: share of baskets since the first with it",
    "own: in the last basket",
    "own: share of the last five baskets",
    "own: intent",
    "own: intent rank, log",
    "popular: 7 d, log share of maximum",
    "popular: 30 d, log share of maximum",
    "popular: 90 d, log share of maximum",
    "popular: decayed, log share of maximum",
    "popular: rank, log",
    "popular: growth of 7 d, log",
    "popular: growth of 30 d, log",
    "knn: share of maximum, log",
    "knn: rank, log",
    "knn recent: share of maximum, log",
    "knn recent: rank, log",
    "user knn: share of maximum, log",
    "user knn: rank, log",
    "adopters: share of maximum, log",
    "adopters: rank, log",
    "ials: share of maximum, log",
    "ials: rank, log",
    "item: repeat rate",
    "item: hazard",
    "item: usual gap, log",
    "item: purchases per buyer, log",
    "brand: repeat rate",
    "brand: hazard",
    "category: repeat rate",
    "category: hazard",
    "category: usual gap, log",
    "shopper and brand: share of purchases",
    "shopper and brand: days since, log",
    "shopper and category: share of purchases",
    "shopper and category: days since, log",
    "price: over shopper's mean, log",
    "content: cosine with recent items",
    "content: rank, log",
    "shopper: days since last basket, log",
    "shopper: baskets, log",
    "shopper: repeat share",
    "shopper: basket size, log",
    "shopper: days since over own rhythm, log",
    "knn strongest: share of maximum, log",
    "knn strongest: rank, log",
    "next: share of maximum, log",
    "next: rank, log",
    "user knn fresh: share of maximum, log",
    "user knn fresh: rank, log",
    "popular: first purchases of 30 d, log share of maximum",
    "item: first purchases among those of 30 d",
    "content: strongest cosine with recent items",
    "content strongest: rank, log",
];

/// Number of features.
pub(crate) const WIDTH: usize = FEATURES.len();

/// Logarithm of a share in [0, 1], from -ln(1001) at 0 to 0: differences among the small ones count too.
fn log_share(x: f32, max: f32) -> f32 {
    if max > 0.0 { (x / max + 1e-3).ln() } else { f32::NAN }
}

/// Purchases of a shopper within groups (brands or categories).
struct Groups {
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

    fn days_since(&self, g: u32, at: i64) -> f32 {
        self.last.get(&g).map_or(f32::NAN, |&t| days(at - t).ln_1p())
    }
}

fn days(ms: i64) -> f32 {
    (ms as f64 / DAY_MS as f64).max(0.0) as f32
}

/// Rank of each candidate by a column, ascending from 0; zeros share the last rank.
fn ranks(column: &[f32], candidates: &[u32]) -> Vec<f32> {
    let mut order: Vec<usize> = (0..candidates.len()).filter(|&r| column[candidates[r] as usize] > 0.0).collect();
    order.sort_by(|&a, &b| column[candidates[b] as usize].total_cmp(&column[candidates[a] as usize]).then(a.cmp(&b)));
    let mut out = vec![(candidates.len() as f32).ln_1p(); candidates.len()];
    let mut before: Option<(f32, f32)> = None;
    for (n, &r) in order.iter().enumerate() {
        let x = column[candidates[r] as usize];
        // Equal scores share a rank: no order that the scores do not give.
        let rank = before.filter(|b| b.0 == x).map_or((n as f32).ln_1p(), |b| b.1);
        out[r] = rank;
        before = Some((x, rank));
    }
    out
}

fn prior(s: &Stats) -> (f64, f64, f64) {
    let t = &s.total;
    let gap = if t.repeaters > 0.0 { (f64::from(t.log_gap) / f64::from(t.repeaters)).exp() } else { 30.0 };
    (t.repeat_rate(0.1, 1.0), t.hazard(0.05, 1.0), gap)
}

/// Features of the candidates, `candidates x WIDTH` row-major.
pub(crate) fn features(
    m: &Memory,
    catalogue: &Catalogue,
    shopper: &Shopper,
    columns: &mut Columns<'_>,
    candidates: &[u32],
) -> Vec<f32> {
    let at = shopper.at;
    let mut out = vec![f32::NAN; candidates.len() * WIDTH];
    let mut put = |column: usize, f: &mut dyn FnMut(usize, u32) -> f32| {
        for (r, &i) in candidates.iter().enumerate() {
            out[r * WIDTH + column] = f(r, i);
        }
    };
    // Scores of the sources: value within the shopper, and rank.
    let scored = [
        (Source::Own, None, 8),
        (Source::Intent, Some(18), 19),
        (Source::Popular30, Some(21), 24),
        (Source::Knn, Some(27), 28),
        (Source::KnnRecent, Some(29), 30),
        (Source::UserKnn, Some(31), 32),
        (Source::Adopters, Some(33), 34),
        (Source::Ials, Some(35), 36),
        (Source::Content, None, 52),
        (Source::KnnStrongest, Some(58), 59),
        (Source::Next, Some(60), 61),
        (Source::UserKnnFresh, Some(62), 63),
    ];
    for (source, value, rank) in scored {
        let column = columns.get(source);
        let max = candidates.iter().fold(0f32, |a, &i| a.max(column[i as usize]));
        if let Some(v) = value {
            put(v, &mut |_, i| log_share(column[i as usize], max));
        }
        let ranks = ranks(column, candidates);
        put(rank, &mut |r, _| ranks[r]);
    }
    for (source, c) in [(Source::Popular7, 20), (Source::Popular90, 22), (Source::Popular, 23)] {
        let column = columns.get(source);
        let max = candidates.iter().fold(0f32, |a, &i| a.max(column[i as usize]));
        put(c, &mut |_, i| log_share(column[i as usize], max));
    }
    if catalogue.vectors().is_some() {
        let column = columns.get(Source::Content);
        put(51, &mut |_, i| column[i as usize]);
        let column = columns.content_strongest(candidates);
        put(66, &mut |_, i| column[i as usize]);
        let ranks = ranks(&column, candidates);
        put(67, &mut |r, _| ranks[r]);
    }
    let most = candidates.iter().filter_map(|&i| m.stats(i)).fold(0f32, |a, s| a.max(s.adopted));
    let none = ItemStats { first: i64::MAX, ..ItemStats::default() };
    let brands = Groups::of(shopper, catalogue, |f| f.brand);
    let categories = Groups::of(shopper, catalogue, |f| f.category);
    let (mut max45, mut max150) = (0f64, 0f64);
    let (mut spent, mut priced, mut repeats, mut pairs) = (0f32, 0f32, 0usize, 0usize);
    for own in &shopper.owned {
        max45 = max45.max(own.decayed(at, 45.0));
        max150 = max150.max(own.decayed(at, 150.0));
        pairs += own.days.len();
        repeats += own.days.len().saturating_sub(1);
        if let Some(p) = catalogue.get(own.item).and_then(|f| f.price).filter(|&p| p > 0.0) {
            spent += p.ln();
            priced += 1.0;
        }
    }
    let (rate, hazard, gap) = prior(&m.stats);
    let baskets = shopper.days.len();
    let since = shopper.days.last().map_or(f32::NAN, |&d| days(at - i64::from(d) * DAY_MS));
    let rhythm = if baskets >= 2 {
        (shopper.days[baskets - 1] - shopper.days[0]) as f32 / (baskets - 1) as f32
    } else {
        f32::NAN
    };
    let [in_category, in_brand] = &*m.pooled;
    for (row, &i) in out.chunks_exact_mut(WIDTH).zip(candidates) {
        let stats = m.stats(i).unwrap_or(&none);
        let facts = catalogue.get(i).copied().unwrap_or_default();
        row[0] = 0.0;
        row[1] = 0.0;
        // An item says little of itself where most were bought once: it is shrunk towards its brand, and that towards its category.
        let of_category = facts.category.and_then(|c| in_category.get(c as usize)).unwrap_or(&none);
        let of_brand = facts.brand.and_then(|b| in_brand.get(b as usize)).unwrap_or(&none);
        let usual = stats.usual_gap(of_brand.usual_gap(of_category.usual_gap(gap, 5.0), 5.0), 3.0);
        if let Some(own) = shopper.own(i).filter(|o| !o.days.is_empty()) {
            own_features(row, own, shopper, max45, max150, usual);
        }
        row[25] = growth(&stats.windows).ln();
        row[26] = ((stats.windows[1] + 1.0) / (stats.before + 3.0)).ln();
        row[64] = log_share(stats.adopted, most);
        row[65] = (stats.adopted + 1.0) / (stats.windows[1] + 2.0);
        row[37] = stats.repeat_rate(of_brand.repeat_rate(of_category.repeat_rate(rate, 20.0), 10.0), 5.0) as f32;
        row[38] = stats.hazard(of_brand.hazard(of_category.hazard(hazard, 20.0), 10.0), 5.0) as f32;
        row[39] = usual.ln() as f32;
        row[40] = if stats.buyers > 0.0 { (stats.count / stats.buyers).ln() } else { f32::NAN };
        if let Some(b) = facts.brand {
            let s = m.brands.rows.get(b as usize).unwrap_or(&none);
            let (r, h, _) = prior(&m.brands);
            row[41] = s.repeat_rate(r, 5.0) as f32;
            row[42] = s.hazard(h, 5.0) as f32;
            row[46] = brands.share.get(&b).copied().unwrap_or(0.0).sqrt();
            row[47] = brands.days_since(b, at);
        }
        if let Some(c) = facts.category {
            let s = m.categories.rows.get(c as usize).unwrap_or(&none);
            let (r, h, g) = prior(&m.categories);
            row[43] = s.repeat_rate(r, 5.0) as f32;
            row[44] = s.hazard(h, 5.0) as f32;
            row[45] = s.usual_gap(g, 3.0).ln() as f32;
            row[48] = categories.share.get(&c).copied().unwrap_or(0.0).sqrt();
            row[49] = categories.days_since(c, at);
        }
        if let Some(p) = facts.price.filter(|&p| p > 0.0 && priced > 0.0) {
            row[50] = p.ln() - spent / priced;
        }
        row[53] = since.ln_1p();
        row[54] = (baskets as f32).ln_1p();
        row[55] = repeats as f32 / pairs.max(1) as f32;
        row[56] = (pairs as f32 / baskets.max(1) as f32).ln_1p();
        row[57] = ((since + 1.0) / (rhythm + 1.0)).ln();
    }
    out
}

fn own_features(row: &mut [f32], own: &Own, shopper: &Shopper, max45: f64, max150: f64, usual: f64) {
    let at = shopper.at;
    let last = own.days[own.days.len() - 1];
    let since = days(at - i64::from(last) * DAY_MS);
    row[0] = 1.0;
    row[1] = f32::from(u8::from(own.days.len() >= 2));
    row[2] = (own.days.len() as f32).ln_1p();
    for (c, h) in [(3, 14.0), (4, 45.0), (5, 150.0)] {
        row[c] = (own.decayed(at, h) as f32).ln_1p();
    }
    row[6] = (own.decayed(at, 45.0) / max45.max(1e-9)) as f32;
    row[7] = (own.decayed(at, 150.0) / max150.max(1e-9)) as f32;
    row[9] = own.quantity.max(0.0).ln_1p();
    row[10] = ((own.last_quantity.max(0.0) + 1.0) / (own.quantity.max(0.0) + 1.0)).ln();
    row[11] = since.ln_1p();
    if let Some(gap) = own.gap() {
        row[12] = (gap as f32).ln_1p();
        row[13] = ((since + 1.0) / (gap as f32 + 1.0)).ln();
    }
    row[14] = ((since + 1.0) / (usual as f32 + 1.0)).ln();
    let chances = shopper.days.len() - shopper.days.partition_point(|&d| d < own.days[0]);
    row[15] = own.days.len() as f32 / chances.max(1) as f32;
    row[16] = f32::from(u8::from(shopper.days.last() == Some(&last)));
    let five = shopper.days.len().saturating_sub(5);
    let hits = own.days.iter().filter(|d| shopper.days[five..].binary_search(d).is_ok()).count();
    row[17] = hits as f32 / (shopper.days.len() - five).max(1) as f32;
}
