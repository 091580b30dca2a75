//! The table of features. Their names are stored with a ranker.
use super::context::{CandidateContext, FeatureContext, PooledStats};
use super::feature::{Feature, FeatureUnit, Freshness};
use crate::signal::Signal;
use crate::source::Source;
use crate::source_scores::growth;

use FeatureUnit::{Cosine, Flag, LogCount, LogDays, LogRank, LogRatio, LogShare, Share};
use Freshness::{PerEvent, PerFit, PerFollow, PerRequest};
use Signal::{Collaborative, Group, Intent, Own, Popularity, Price, Renewal, Sequence, Text, User};

type Value = fn(&FeatureContext<'_>, &CandidateContext<'_>) -> f32;

const fn feature(name: &'static str, unit: FeatureUnit, signal: Signal, freshness: Freshness, value: Value) -> Feature {
    Feature { name, unit, signal, freshness, value }
}

/// Logarithm of a share in [0, 1], from -ln(1001) at 0 to 0: differences among the small ones count too.
fn log_share(x: f32, max: f32) -> f32 {
    if max > 0.0 { (x / max + 1e-3).ln() } else { f32::NAN }
}

/// A source's score as a share of the list's maximum.
fn score(s: &FeatureContext<'_>, c: &CandidateContext<'_>, source: Source) -> f32 {
    s.scores(source).map_or(f32::NAN, |x| log_share(x.value[c.row], x.max))
}

/// Rank of the candidate by a source.
fn rank(s: &FeatureContext<'_>, c: &CandidateContext<'_>, source: Source) -> f32 {
    s.scores(source).map_or(f32::NAN, |x| x.rank[c.row])
}

/// A number from the user's own purchases of the item; missing where there are none.
fn own(c: &CandidateContext<'_>, f: impl Fn(&super::context::OwnPurchases<'_>) -> f32) -> f32 {
    c.own.as_ref().map_or(f32::NAN, f)
}

fn flag(x: bool) -> f32 {
    f32::from(u8::from(x))
}

/// All features, in the order of the columns.
pub static FEATURES: [Feature; 70] = [
    feature("own: bought before", Flag, Own, PerRequest, |_, c| flag(c.own.is_some())),
    feature("own: bought twice or more", Flag, Own, PerRequest, |_, c| {
        flag(c.own.as_ref().is_some_and(|r| r.own.days.len() >= 2))
    }),
    feature("own: purchase days, log", LogCount, Own, PerRequest, |_, c| own(c, |r| (r.own.days.len() as f32).ln_1p())),
    feature("own: decayed 14 d, log", LogCount, Own, PerRequest, |s, c| {
        own(c, |r| (r.own.decayed(s.user.at, 14.0) as f32).ln_1p())
    }),
    feature("own: decayed 45 d, log", LogCount, Own, PerRequest, |s, c| {
        own(c, |r| (r.own.decayed(s.user.at, 45.0) as f32).ln_1p())
    }),
    feature("own: decayed 150 d, log", LogCount, Own, PerRequest, |s, c| {
        own(c, |r| (r.own.decayed(s.user.at, 150.0) as f32).ln_1p())
    }),
    feature("own: decayed 45 d, share of own maximum", Share, Own, PerRequest, |s, c| {
        own(c, |r| (r.own.decayed(s.user.at, 45.0) / s.totals.most_in_45.max(1e-9)) as f32)
    }),
    feature("own: decayed 150 d, share of own maximum", Share, Own, PerRequest, |s, c| {
        own(c, |r| (r.own.decayed(s.user.at, 150.0) / s.totals.most_in_150.max(1e-9)) as f32)
    }),
    feature("own: rank, log", LogRank, Own, PerRequest, |s, c| rank(s, c, Source::Own)),
    feature("own: quantity, log", LogCount, Own, PerRequest, |_, c| own(c, |r| r.own.quantity.max(0.0).ln_1p())),
    feature("own: last quantity over mean, log", LogRatio, Own, PerRequest, |_, c| {
        own(c, |r| ((r.own.last_quantity.max(0.0) + 1.0) / (r.own.quantity.max(0.0) + 1.0)).ln())
    }),
    feature("own: days since, log", LogDays, Own, PerRequest, |_, c| own(c, |r| r.since.ln_1p())),
    feature("own: mean gap, log", LogDays, Own, PerRequest, |_, c| {
        own(c, |r| r.own.gap().map_or(f32::NAN, |gap| (gap as f32).ln_1p()))
    }),
    feature("own: days since over own gap, log", LogRatio, Own, PerRequest, |_, c| {
        own(c, |r| r.own.gap().map_or(f32::NAN, |gap| ((r.since + 1.0) / (gap as f32 + 1.0)).ln()))
    }),
    feature("own: days since over usual gap of the item, log", LogRatio, Own, PerRequest, |_, c| {
        own(c, |r| ((r.since + 1.0) / (c.usual as f32 + 1.0)).ln())
    }),
    feature("own: share of baskets since the first with it", Share, Own, PerRequest, |_, c| own(c, |r| r.share)),
    feature("own: in the last basket", Flag, Own, PerRequest, |_, c| own(c, |r| flag(r.in_last))),
    feature("own: share of the last five baskets", Share, Own, PerRequest, |_, c| own(c, |r| r.of_five)),
    feature("own: intent", LogShare, Intent, PerRequest, |s, c| score(s, c, Source::Intent)),
    feature("own: intent rank, log", LogRank, Intent, PerRequest, |s, c| rank(s, c, Source::Intent)),
    feature("popular: 7 d, log share of maximum", LogShare, Popularity, PerEvent, |s, c| score(s, c, Source::Popular7)),
    feature("popular: 30 d, log share of maximum", LogShare, Popularity, PerEvent, |s, c| {
        score(s, c, Source::Popular30)
    }),
    feature("popular: 90 d, log share of maximum", LogShare, Popularity, PerEvent, |s, c| {
        score(s, c, Source::Popular90)
    }),
    feature("popular: decayed, log share of maximum", LogShare, Popularity, PerEvent, |s, c| {
        score(s, c, Source::Popular)
    }),
    feature("popular: rank, log", LogRank, Popularity, PerEvent, |s, c| rank(s, c, Source::Popular30)),
    feature("popular: growth of 7 d, log", LogRatio, Popularity, PerEvent, |_, c| growth(&c.stats.windows).ln()),
    feature("popular: growth of 30 d, log", LogRatio, Popularity, PerEvent, |_, c| {
        ((c.stats.windows[1] + 1.0) / (c.stats.before + 3.0)).ln()
    }),
    feature("knn: share of maximum, log", LogShare, Collaborative, PerFollow, |s, c| score(s, c, Source::Knn)),
    feature("knn: rank, log", LogRank, Collaborative, PerFollow, |s, c| rank(s, c, Source::Knn)),
    feature("knn recent: share of maximum, log", LogShare, Collaborative, PerFollow, |s, c| {
        score(s, c, Source::KnnRecent)
    }),
    feature("knn recent: rank, log", LogRank, Collaborative, PerFollow, |s, c| rank(s, c, Source::KnnRecent)),
    feature("user knn: share of maximum, log", LogShare, Collaborative, PerFit, |s, c| score(s, c, Source::UserKnn)),
    feature("user knn: rank, log", LogRank, Collaborative, PerFit, |s, c| rank(s, c, Source::UserKnn)),
    feature("adopters: share of maximum, log", LogShare, Collaborative, PerFit, |s, c| {
        score(s, c, Source::NeighbourFirstPurchases)
    }),
    feature("adopters: rank, log", LogRank, Collaborative, PerFit, |s, c| rank(s, c, Source::NeighbourFirstPurchases)),
    feature("ials: share of maximum, log", LogShare, Collaborative, PerFit, |s, c| score(s, c, Source::Ials)),
    feature("ials: rank, log", LogRank, Collaborative, PerFit, |s, c| rank(s, c, Source::Ials)),
    feature("item: repeat rate", Share, Renewal, PerEvent, |s, c| {
        let PooledStats { brand, category } = c.pooled;
        c.stats.repeat_rate(brand.repeat_rate(category.repeat_rate(s.items.rate, 20.0), 10.0), 5.0) as f32
    }),
    feature("item: hazard", Share, Renewal, PerEvent, |s, c| {
        let PooledStats { brand, category } = c.pooled;
        c.stats.hazard(brand.hazard(category.hazard(s.items.hazard, 20.0), 10.0), 5.0) as f32
    }),
    feature("item: usual gap, log", LogDays, Renewal, PerEvent, |_, c| c.usual.ln() as f32),
    feature("item: purchases per buyer, log", LogRatio, Renewal, PerEvent, |_, c| {
        if c.stats.buyers > 0.0 { (c.stats.count / c.stats.buyers).ln() } else { f32::NAN }
    }),
    feature("brand: repeat rate", Share, Group, PerEvent, |s, c| {
        c.brand.map_or(f32::NAN, |b| b.repeat_rate(s.of_brands.rate, 5.0) as f32)
    }),
    feature("brand: hazard", Share, Group, PerEvent, |s, c| {
        c.brand.map_or(f32::NAN, |b| b.hazard(s.of_brands.hazard, 5.0) as f32)
    }),
    feature("category: repeat rate", Share, Group, PerEvent, |s, c| {
        c.category.map_or(f32::NAN, |g| g.repeat_rate(s.of_categories.rate, 5.0) as f32)
    }),
    feature("category: hazard", Share, Group, PerEvent, |s, c| {
        c.category.map_or(f32::NAN, |g| g.hazard(s.of_categories.hazard, 5.0) as f32)
    }),
    feature("category: usual gap, log", LogDays, Group, PerEvent, |s, c| {
        c.category.map_or(f32::NAN, |g| g.usual_gap(s.of_categories.gap, 3.0).ln() as f32)
    }),
    feature("shopper and brand: share of purchases", Share, Group, PerRequest, |s, c| s.brands.share(c.facts.brand)),
    feature("shopper and brand: days since, log", LogDays, Group, PerRequest, |s, c| {
        s.brands.days_since(c.facts.brand, s.user.at)
    }),
    feature("shopper and category: share of purchases", Share, Group, PerRequest, |s, c| {
        s.categories.share(c.facts.category)
    }),
    feature("shopper and category: days since, log", LogDays, Group, PerRequest, |s, c| {
        s.categories.days_since(c.facts.category, s.user.at)
    }),
    feature("price: over shopper's mean, log", LogRatio, Price, PerRequest, |s, c| {
        let paid = s.totals.price.zip(c.facts.price.filter(|&p| p > 0.0));
        paid.map_or(f32::NAN, |(mean, p)| p.ln() - mean)
    }),
    feature("content: cosine with recent items", Cosine, Text, PerRequest, |s, c| {
        s.scores(Source::Content).map_or(f32::NAN, |x| x.value[c.row])
    }),
    feature("content: rank, log", LogRank, Text, PerRequest, |s, c| rank(s, c, Source::Content)),
    feature("shopper: days since last basket, log", LogDays, User, PerRequest, |s, _| s.since.ln_1p()),
    feature("shopper: baskets, log", LogCount, User, PerRequest, |s, _| (s.user.days.len() as f32).ln_1p()),
    feature("shopper: repeat share", Share, User, PerRequest, |s, _| {
        s.totals.repeats as f32 / s.totals.purchases.max(1) as f32
    }),
    feature("shopper: basket size, log", LogCount, User, PerRequest, |s, _| {
        (s.totals.purchases as f32 / s.user.days.len().max(1) as f32).ln_1p()
    }),
    feature("shopper: days since over own rhythm, log", LogRatio, User, PerRequest, |s, _| {
        ((s.since + 1.0) / (s.rhythm + 1.0)).ln()
    }),
    feature("knn strongest: share of maximum, log", LogShare, Collaborative, PerFollow, |s, c| {
        score(s, c, Source::KnnStrongest)
    }),
    feature("knn strongest: rank, log", LogRank, Collaborative, PerFollow, |s, c| rank(s, c, Source::KnnStrongest)),
    feature("next: share of maximum, log", LogShare, Collaborative, PerFit, |s, c| score(s, c, Source::Next)),
    feature("next: rank, log", LogRank, Collaborative, PerFit, |s, c| rank(s, c, Source::Next)),
    feature("user knn fresh: share of maximum, log", LogShare, Collaborative, PerFit, |s, c| {
        score(s, c, Source::UserKnnFresh)
    }),
    feature("user knn fresh: rank, log", LogRank, Collaborative, PerFit, |s, c| rank(s, c, Source::UserKnnFresh)),
    feature("popular: first purchases of 30 d, log share of maximum", LogShare, Popularity, PerEvent, |s, c| {
        log_share(c.stats.adopted, s.most_adopted)
    }),
    feature("item: first purchases among those of 30 d", Share, Popularity, PerEvent, |_, c| {
        (c.stats.adopted + 1.0) / (c.stats.windows[1] + 2.0)
    }),
    feature("content: strongest cosine with another item of the shopper's", Cosine, Text, PerRequest, |s, c| {
        s.strongest.as_ref().map_or(f32::NAN, |x| x.value[c.row])
    }),
    feature("content strongest: rank, log", LogRank, Text, PerRequest, |s, c| {
        s.strongest.as_ref().map_or(f32::NAN, |x| x.rank[c.row])
    }),
    feature("sequence: share of maximum, log", LogShare, Sequence, PerFit, |s, c| score(s, c, Source::Sequence)),
    feature("sequence: rank, log", LogRank, Sequence, PerFit, |s, c| rank(s, c, Source::Sequence)),
];
