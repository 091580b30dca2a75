//! The fairness report, item side: how much exposure groups of items get for the relevance that they have (METRICS.md section 4), by
//! seller, brand, category, price band and popularity. Exposure is weighted by position. Every finding is checked under a second exposure
//! model.

use std::collections::BTreeMap;

use mercer_reports::attention::{Attention, PERSISTENCE};
use mercer_reports::diversity::{hhi, tail_membership};
use mercer_reports::exposure::{GroupExposure, Served};
use mercer_reports::exposure_ratio::{
    BootstrapOptions, Comparison, Direction, ExposureTable, GroupedLists, ModelPair, RatioKind, Reference, RobustRatio,
    robust_ratios,
};
use mercer_shared::wire::{ItemGroupRow, ItemTable, Report, ReportRow, Verdict};
use rustc_hash::FxHashMap;

use crate::reports::evaluated::Evaluated;
use crate::reports::rows::{SEED, plain_row};

/// Purchases of the window that a group needs to be compared.
const MIN_RELEVANT: f64 = 30.0;
/// Groups compared at most: the most relevant ones.
const MOST: usize = 40;
/// Replicates of the intervals of ratios.
const RATIO_REPLICATES: usize = 400;
/// Items without the property.
const UNKNOWN: &str = "unknown";

/// The eligible items: not hidden. Lists and relevance are counted by place among them.
pub(crate) struct Eligible {
    pub(crate) items: Vec<u32>,
    places: FxHashMap<u32, u32>,
}

impl Eligible {
    pub(crate) fn of(evaluated: &Evaluated<'_>) -> Self {
        let facts = (0..).zip(evaluated.view.rank.catalogue.iter());
        Self::new(facts.filter(|(_, facts)| !facts.hidden).map(|(number, _)| number).collect())
    }

    /// Items by number, ascending.
    pub(crate) fn new(items: Vec<u32>) -> Self {
        let places = items.iter().copied().zip(0..).collect();
        Self { items, places }
    }

    /// The places of those items that are eligible.
    pub(crate) fn places(&self, items: &[u32]) -> Vec<u32> {
        items.iter().filter_map(|item| self.places.get(item).copied()).collect()
    }
}

/// Tables and the row of the worst seller or brand.
pub(crate) fn item_side(evaluated: &Evaluated<'_>, report: &mut Report) {
    let eligible = Eligible::of(evaluated);
    let lists: Vec<Vec<u32>> = evaluated.any.lists.iter().map(|list| eligible.places(list)).collect();
    let truth: Vec<Vec<u32>> = evaluated.any.truth.iter().map(|items| eligible.places(items)).collect();
    let served: Vec<Served<'_>> = lists.iter().zip(&truth).map(|(list, relevant)| Served { list, relevant }).collect();
    for (by, names) in properties(evaluated, &eligible) {
        if names.iter().all(Option::is_none) {
            report.notes.push(format!("items by {by}: no item has one"));
            continue;
        }
        match table(by, &names, &served) {
            Ok(table) => report.items.push(table),
            Err(why) => report.notes.push(format!("items by {by}: no comparison, {why}")),
        }
    }
    report.rows.push(worst_seller(&report.items, evaluated.any.users.len()));
}

/// The value of each property for each eligible item.
fn properties(evaluated: &Evaluated<'_>, eligible: &Eligible) -> Vec<(&'static str, Vec<Option<String>>)> {
    let of = |value: &dyn Fn(&mercer_shared::wire::Item) -> Option<String>| -> Vec<Option<String>> {
        eligible.items.iter().map(|&number| evaluated.view.item(number).and_then(|item| value(item))).collect()
    };
    let purchases: Vec<f64> = eligible
        .items
        .iter()
        .map(|&item| evaluated.snapshot.index.stats(item).map_or(0.0, |stats| f64::from(stats.count)))
        .collect();
    let head = match tail_membership(&purchases, 0.8) {
        Ok(tail) => tail.iter().map(|tail| Some(if *tail < 0.5 { "head" } else { "tail" }.to_owned())).collect(),
        Err(_) => vec![None; purchases.len()],
    };
    let prices = of(&|item| item.price.map(|price| price.to_string()));
    vec![
        ("seller", of(&|item| item.seller.clone())),
        ("brand", of(&|item| item.brand.clone())),
        ("category", of(&|item| item.category.first().cloned())),
        ("price_band", price_bands(&prices)),
        ("popularity", head),
    ]
}

/// Quarters of the catalogue by price, each named by its bounds.
fn price_bands(prices: &[Option<String>]) -> Vec<Option<String>> {
    let prices: Vec<Option<f64>> = prices.iter().map(|price| price.as_ref()?.parse().ok()).collect();
    let mut sorted: Vec<f64> = prices.iter().flatten().copied().collect();
    sorted.sort_by(f64::total_cmp);
    let Some(last) = sorted.len().checked_sub(1) else { return vec![None; prices.len()] };
    let cuts = [1, 2, 3].map(|quarter| sorted[last * quarter / 4]);
    let band = |price: f64| match cuts.iter().position(|cut| price <= *cut) {
        Some(place) => format!("{} up to {}", place + 1, cuts[place]),
        None => format!("4 above {}", cuts[2]),
    };
    prices.into_iter().map(|price| price.map(band)).collect()
}

/// Groups of items by name.
fn grouped(names: &[Option<String>]) -> (Vec<&str>, Vec<usize>) {
    let name = |value: &'_ Option<String>| -> String { value.clone().unwrap_or_else(|| UNKNOWN.to_owned()) };
    let mut numbers: BTreeMap<String, usize> = names.iter().map(|value| (name(value), 0)).collect();
    numbers.values_mut().zip(0..).for_each(|(place, number)| *place = number);
    let group_of = names.iter().map(|value| numbers[&name(value)]).collect();
    let mut labels = vec![UNKNOWN; numbers.len()];
    for value in names {
        let number = numbers[&name(value)];
        labels[number] = value.as_deref().unwrap_or(UNKNOWN);
    }
    (labels, group_of)
}

/// The table of one property.
fn table(by: &str, names: &[Option<String>], served: &[Served<'_>]) -> Result<ItemTable, mercer_reports::Undefined> {
    let (labels, group_of) = grouped(names);
    let configured = Attention::Logarithmic;
    let other = Attention::Rbp { persistence: PERSISTENCE };
    let sums = ExposureTable::new(served, &group_of, labels.len(), &configured)?.groups();
    let mut chosen: Vec<usize> = (0..labels.len()).filter(|&group| sums[group].relevance >= MIN_RELEVANT).collect();
    chosen.sort_by(|&a, &b| sums[b].relevance.total_cmp(&sums[a].relevance));
    chosen.truncate(if labels.len() < 2 { 0 } else { MOST });
    let comparisons: Vec<Comparison> =
        chosen.iter().map(|&group| Comparison { group, reference: Reference::Others }).collect();
    // Whoever looks at the worst of many groups needs a level for all of them together.
    let level = 1.0 - 0.05 / comparisons.len().max(1) as f64;
    let ratios = robust_ratios(
        GroupedLists { served, group_of: &group_of, groups: labels.len() },
        RatioKind::Treatment,
        &comparisons,
        ModelPair { configured: &configured, other: &other },
        BootstrapOptions { level, replicates: RATIO_REPLICATES, seed: SEED },
    )?;
    let whole = Whole::of(&sums);
    let groups: Vec<ItemGroupRow> =
        chosen.iter().zip(&ratios).map(|(&group, ratio)| whole.row(labels[group], &sums[group], ratio)).collect();
    let top = (0..labels.len()).max_by(|&a, &b| sums[a].exposure.total_cmp(&sums[b].exposure));
    let exposures: Vec<f64> = sums.iter().map(|sum| sum.exposure).collect();
    Ok(ItemTable {
        by: by.to_owned(),
        exposure_model: "1/log2(1+rank)".to_owned(),
        other_model: format!("{PERSISTENCE}^(rank-1)"),
        not_compared: (labels.len() - groups.len()) as u64,
        worst: groups
            .iter()
            .filter_map(|group| Some((group.merit_ratio?, &group.group)))
            .min_by(|a, b| a.0.total_cmp(&b.0))
            .map(|(_, name)| name.clone()),
        top: top.map(|top| labels[top].to_owned()),
        top_share: top.and_then(|top| share(sums[top].exposure, whole.exposure)),
        hhi: hhi(&exposures).ok().map(|(index, _)| index),
        groups,
    })
}

fn share(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| part / whole)
}

/// Sums over all groups.
struct Whole {
    exposure: f64,
    relevance: f64,
    items: f64,
}

impl Whole {
    fn of(sums: &[GroupExposure]) -> Self {
        Self {
            exposure: sums.iter().map(|sum| sum.exposure).sum(),
            relevance: sums.iter().map(|sum| sum.relevance).sum(),
            items: sums.iter().map(|sum| sum.items as f64).sum(),
        }
    }

    fn row(&self, name: &str, sum: &GroupExposure, ratio: &RobustRatio) -> ItemGroupRow {
        let verdict = match ratio.value.direction() {
            _ if ratio.depends_on_exposure_model => Verdict::DependsOnExposureModel,
            Direction::Less => Verdict::BelowMerit,
            Direction::More => Verdict::AboveMerit,
            Direction::WithinNoise => Verdict::WithinNoise,
            Direction::Undecided => Verdict::InsufficientData,
        };
        ItemGroupRow {
            group: name.to_owned(),
            items: sum.items as u64,
            relevant: Some(sum.relevance as u64),
            exposure_share: share(sum.exposure, self.exposure).unwrap_or(0.0),
            relevance_share: share(sum.relevance, self.relevance).unwrap_or(0.0),
            catalogue_share: share(sum.items as f64, self.items).unwrap_or(0.0),
            merit_ratio: ratio.value.value.value,
            low: ratio.value.interval.map(|interval| interval.low),
            high: ratio.value.interval.map(|interval| interval.high),
            other_ratio: ratio.other.value.value,
            verdict,
        }
    }
}

/// The seller with the least exposure for its relevance; the brand, where items have no seller.
fn worst_seller(tables: &[ItemTable], lists: usize) -> ReportRow {
    let formula = "exposure per relevance of the seller over that of all others (DTR; Singh and Joachims 2018), the lowest of the sellers \
                   with 30 purchases in the window; exposure: sum of 1/log2(1+rank); relevance: purchases of the window; interval by \
                   bootstrap over users at 95 % for all sellers together; reference: exposure share of the largest seller";
    let found = ["seller", "brand"].into_iter().find_map(|by| tables.iter().find(|table| table.by == by));
    let by = found.map_or("seller", |table| table.by.as_str());
    let row = plain_row(&format!("merit-ratio/{by}"), &format!("worst {by}"), None, lists, formula);
    let row = ReportRow { number: Some(8), ..row };
    let worst = found.and_then(|table| {
        let name = table.worst.as_ref()?;
        Some((table, table.groups.iter().find(|group| group.group == *name)?))
    });
    let Some((table, group)) = worst else {
        let why = "no seller or brand has 30 purchases in the window beside others";
        return ReportRow { undefined: Some(why.to_owned()), verdict: Some(Verdict::InsufficientData), ..row };
    };
    let top = table.top.as_deref().unwrap_or(UNKNOWN);
    ReportRow {
        label: format!("worst {by}: {}", group.group),
        value: group.merit_ratio,
        low: group.low,
        high: group.high,
        verdict: Some(group.verdict),
        reference: table.top_share.map(|value| mercer_shared::wire::Reference {
            label: format!("exposure share of the largest {by}, {top}"),
            value,
        }),
        ..row
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(of: &[&str]) -> Vec<Option<String>> {
        of.iter().map(|name| (!name.is_empty()).then(|| (*name).to_owned())).collect()
    }

    #[test]
    fn a_hidden_seller_is_found() {
        // Items 0 and 1 of seller `a`, 2 of `b`, 3 of `hidden`, which is bought as often but never shown.
        let list = [0, 1, 2];
        let served: Vec<Served<'_>> =
            (0..120).map(|user| Served { list: &list, relevant: [&[0_u32][..], &[2], &[3]][user % 3] }).collect();
        let table = table("seller", &names(&["a", "a", "b", "hidden"]), &served).unwrap();
        assert_eq!((table.worst.as_deref(), table.top.as_deref()), (Some("hidden"), Some("a")));
        let row = worst_seller(&[table], 120);
        assert_eq!((row.value, row.verdict), (Some(0.0), Some(Verdict::BelowMerit)));
        assert_eq!((row.label.as_str(), row.number), ("worst seller: hidden", Some(8)));
        assert!(row.reference.unwrap().value > 0.5);
    }

    #[test]
    fn a_finding_that_another_exposure_model_turns_round_says_so() {
        // `a` has rank 1, `b` ranks 2 and 3, and `b` has 1.35 times the relevance. By logarithm `b` gets 1.13 times the exposure of `a`,
        // by RBP 1.57 times.
        let list = [0, 1, 2];
        let relevant = |user: usize| if user < 100 { &[0_u32][..] } else { &[1] };
        let served: Vec<Served<'_>> = (0..235).map(|user| Served { list: &list, relevant: relevant(user) }).collect();
        let found = table("seller", &names(&["a", "b", "b"]), &served).unwrap();
        let a = found.groups.iter().find(|group| group.group == "a").unwrap();
        assert!(a.merit_ratio.unwrap() > 1.0 && a.other_ratio.unwrap() < 1.0, "{a:?}");
        assert_eq!(a.verdict, Verdict::DependsOnExposureModel);
    }

    #[test]
    fn price_bands_are_quarters_of_the_catalogue() {
        let bands = price_bands(&names(&["1", "2", "3", "4", "5", ""]));
        assert_eq!(bands[0].as_deref(), Some("1 up to 2"));
        assert_eq!(bands[4].as_deref(), Some("4 above 4"));
        assert_eq!(bands[5], None);
        assert_eq!(price_bands(&names(&["", ""])), [None, None]);
    }

    #[test]
    fn without_sellers_and_brands_the_row_says_why() {
        let row = worst_seller(&[], 5);
        assert!(row.value.is_none() && row.undefined.is_some());
    }
}
