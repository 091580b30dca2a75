//! Detects changes of the shop: streams of values from the log, each with its own detector (METRICS.md section 7). Pure
//! functions from observations to changes; the caller decides what follows.

use std::collections::BTreeMap;

use mercer_reports::drift::psi_categories;
use mercer_reports::{Adwin, PageHinkley, PageHinkleyOptions};

/// Number of the shopper's last purchases that the next one is compared with; shoppers with fewer are skipped. The
/// number is fixed, because otherwise the share of familiar purchases would grow with the log.
pub(crate) const LAST: usize = 10;
/// Smallest change of a share that is reported: in a long stream ADWIN also finds much smaller ones.
const SHARE_MATTERS: f64 = 0.1;
/// Values from which mean and spread of a stream without bounds are learned.
const WARM_UP: usize = 200;
/// Threshold of Page-Hinkley on standardised values, for the sum of deviations beyond the tolerance of a quarter of a
/// standard deviation.
const TOLERANCE: f64 = 0.25;
const SUM: f64 = 100.0;
/// Purchases in a window of category shares: with some twenty categories, chance alone gives six hundred purchases a
/// PSI of .1.
const WINDOW: usize = 1_000;
/// Chance of a false alarm of one comparison of category shares.
const LEVEL: f64 = 0.001;
const PERMUTATIONS: usize = 2_000;
/// Smallest change of category shares that is reported: the usual bound for a "moderate" change, above what chance
/// explains.
const MATTERS: f64 = 0.1;

/// One purchase as the detectors see it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Taken {
    /// The shopper.
    pub(crate) user: u32,
    /// Milliseconds.
    pub(crate) at: i64,
    /// Whether the item is among the shopper's last ones.
    pub(crate) again: bool,
    /// The same, `None` with too short a history to count.
    pub(crate) repeat: Option<bool>,
    /// Whether its category is familiar; `None` with too short a history or without a category.
    pub(crate) familiar: Option<bool>,
    /// Price, where there is one.
    pub(crate) price: Option<f32>,
    /// Category, where there is one.
    pub(crate) category: Option<u32>,
}

/// Something moved.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Change {
    /// Which stream, in words.
    pub(crate) what: &'static str,
    /// Moment of the purchase that showed it.
    pub(crate) at: i64,
    /// The rule that found it.
    pub(crate) rule: String,
    /// The numbers.
    pub(crate) saw: String,
}

/// A share that is watched by ADWIN.
struct Share {
    what: &'static str,
    adwin: Adwin,
}

impl Share {
    fn take(&mut self, value: bool, at: i64) -> Option<Change> {
        let before = self.adwin.update(f64::from(u8::from(value)))?;
        let matters = (before - self.adwin.mean()).abs() >= SHARE_MATTERS;
        matters.then(|| Change {
            what: self.what,
            at,
            rule: format!("ADWIN at delta 0.002, a change of at least {SHARE_MATTERS}"),
            saw: format!(
                "{}: {:.3} before, {:.3} in the last {:.0}",
                self.what,
                before,
                self.adwin.mean(),
                self.adwin.width()
            ),
        })
    }
}

/// A quantity without bounds, watched by Page-Hinkley and standardised by its first values.
struct Quantity {
    what: &'static str,
    first: Vec<f64>,
    scale: Option<(f64, f64)>,
    detector: PageHinkley,
}

impl Quantity {
    fn new(what: &'static str) -> Self {
        let options = PageHinkleyOptions { delta: TOLERANCE, threshold: SUM, ..PageHinkleyOptions::default() };
        Self { what, first: Vec::new(), scale: None, detector: PageHinkley::new(options) }
    }

    fn take(&mut self, value: f64, at: i64) -> Option<Change> {
        let value = value.max(0.0).ln_1p();
        let Some((mean, deviation)) = self.scale else {
            self.first.push(value);
            if self.first.len() >= WARM_UP {
                let n = self.first.len() as f64;
                let mean = self.first.iter().sum::<f64>() / n;
                let variance = self.first.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
                // What never varies is watched for the first thing that does, by the smallest spread that is worth a word.
                self.scale = Some((mean, variance.sqrt().max(0.05)));
                self.first = Vec::new();
            }
            return None;
        };
        let before = self.detector.mean();
        if !self.detector.update((value - mean) / deviation) {
            return None;
        }
        // What comes now is the new normal.
        self.scale = None;
        Some(Change {
            what: self.what,
            at,
            rule: format!("Page-Hinkley, standardised, tolerance {TOLERANCE}, sum {SUM}"),
            saw: format!(
                "{}: about {:.2} before, {:.2} now",
                self.what,
                (mean + before * deviation).exp_m1(),
                value.exp_m1()
            ),
        })
    }
}

/// Category shares against a reference window, by PSI with a permutation threshold.
#[derive(Default)]
struct Categories {
    reference: Vec<u32>,
    current: Vec<u32>,
    windows: u64,
}

impl Categories {
    fn take(&mut self, category: u32, at: i64) -> Option<Change> {
        if self.reference.len() < WINDOW {
            self.reference.push(category);
            return None;
        }
        self.current.push(category);
        if self.current.len() < WINDOW {
            return None;
        }
        self.windows += 1;
        let current = std::mem::take(&mut self.current);
        let compare = |permutations| psi_categories(&self.reference, &current, LEVEL, permutations, self.windows).ok();
        // Chance is only asked where the change would matter.
        compare(1).filter(|(psi, _)| *psi > MATTERS)?;
        let (psi, chance) = compare(PERMUTATIONS)?;
        if psi <= chance.max(MATTERS) {
            return None;
        }
        self.reference = current;
        Some(Change {
            what: "category shares",
            at,
            rule: format!("PSI above {MATTERS} and above what chance exceeds in {LEVEL} of permutations"),
            saw: format!("category shares of {WINDOW} purchases: PSI {psi:.3}, chance explains {chance:.3}"),
        })
    }
}

/// All streams.
pub(crate) struct Watch {
    repeats: Share,
    familiar: Share,
    price: Quantity,
    basket: Quantity,
    categories: Categories,
    /// Baskets of the day that is under way, by shopper.
    day: i64,
    baskets: BTreeMap<u32, u32>,
}

impl Default for Watch {
    fn default() -> Self {
        Self {
            repeats: Share { what: "share of purchases that repeat one of the last ten", adwin: Adwin::default() },
            familiar: Share { what: "share of purchases in a category of the last ten", adwin: Adwin::default() },
            price: Quantity::new("price"),
            basket: Quantity::new("items in a day's basket"),
            categories: Categories::default(),
            day: i64::MIN,
            baskets: BTreeMap::new(),
        }
    }
}

impl Watch {
    /// Takes a purchase; what it showed to have moved.
    pub(crate) fn take(&mut self, taken: &Taken) -> Vec<Change> {
        let mut changes = Vec::new();
        let day = taken.at.div_euclid(mercer_rank::DAY_MS);
        if day > self.day {
            self.day = day;
            for (_, size) in std::mem::take(&mut self.baskets) {
                changes.extend(self.basket.take(f64::from(size), taken.at));
            }
        }
        *self.baskets.entry(taken.user).or_default() += 1;
        changes.extend(taken.repeat.and_then(|repeat| self.repeats.take(repeat, taken.at)));
        changes.extend(taken.familiar.and_then(|familiar| self.familiar.take(familiar, taken.at)));
        if !taken.again {
            // What is bought again and again follows its own rhythm; what is chosen anew says what is wanted now.
            changes.extend(taken.price.and_then(|price| self.price.take(f64::from(price), taken.at)));
            changes.extend(taken.category.and_then(|category| self.categories.take(category, taken.at)));
        }
        changes
    }
}

/// Who bought what, and when.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Purchase {
    /// The user's slot.
    pub(crate) user: u32,
    /// The item's number.
    pub(crate) item: u32,
    /// UTC milliseconds.
    pub(crate) at: i64,
}

/// A purchase as the detectors see it, from what the shopper bought before and the items' facts.
pub(crate) fn observe(
    log: &mercer_rank::Log,
    catalogue: &mercer_rank::Catalogue,
    Purchase { user, item, at }: Purchase,
    target: mercer_rank::InteractionType,
) -> Taken {
    let facts = catalogue.get(item);
    let category = facts.and_then(|facts| facts.category);
    let before = log.until(user, at - 1).iter().rev().filter(|event| event.kind == target);
    let last: Vec<u32> = before.filter_map(|event| event.item).take(LAST).collect();
    let known = last.len() >= LAST;
    let again = last.contains(&item);
    let of = |item: &u32| catalogue.get(*item).and_then(|facts| facts.category);
    Taken {
        user,
        at,
        repeat: known.then_some(again),
        again,
        familiar: category.filter(|_| known).map(|category| last.iter().any(|item| of(item) == Some(category))),
        price: facts.and_then(|facts| facts.price),
        category,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use mercer_rank::{Catalogue, Event, InteractionType, ItemFacts, Log};

    use super::*;
    use crate::simulate::{Options, simulate};

    /// What moves in a simulated shop, by whether its change of taste is planted; the moment of the change.
    fn changes(options: Options) -> (Vec<Change>, i64) {
        let shop = simulate(options).unwrap();
        let mut categories: HashMap<String, u32> = HashMap::new();
        let mut facts = Vec::new();
        for item in &shop.items {
            // The department: the finest category is too fine for six hundred purchases.
            let next = categories.len() as u32;
            let category = item.category.first().map(|name| *categories.entry(name.clone()).or_insert(next));
            facts.push(ItemFacts { category, price: item.price.map(|p| p as f32), ..ItemFacts::default() });
        }
        let catalogue = Catalogue::new(facts);
        let items: HashMap<_, u32> = (0..).zip(&shop.items).map(|(n, item)| (item.id.clone(), n)).collect();
        let users: HashMap<_, u32> = (0..).zip(&shop.users).map(|(n, user)| (user.id.clone(), n)).collect();
        let change = shop.truth.change.millis();
        let (mut log, mut watch, mut found) = (Log::new(), Watch::default(), Vec::new());
        for line in shop.log.filter(|line| line.kind == InteractionType::Purchase) {
            let (Some(user), Some(item)) = (line.user, line.item) else { continue };
            let (user, item, at) = (users[&user], items[&item], line.at.millis());
            found.extend(watch.take(&observe(
                &log,
                &catalogue,
                Purchase { user, item, at },
                InteractionType::Purchase,
            )));
            log.push(user, Event { item: Some(item), text: None, kind: InteractionType::Purchase, value: 1.0, at });
        }
        (found, change)
    }

    #[test]
    fn a_planted_change_of_taste_is_found_after_it_and_a_steady_shop_is_left_alone() {
        let steady = Options { users: 800, interactions: 120_000, season: false, drift: false, ..Options::default() };
        for seed in 1..=3 {
            let (found, _) = changes(Options { seed, ..steady });
            assert!(found.is_empty(), "seed {seed}: {found:?}");
            let (found, change) = changes(Options { seed, drift: true, ..steady });
            assert!(!found.is_empty(), "seed {seed}: nothing was found");
            assert!(found.iter().all(|one| one.at > change), "seed {seed}: {found:?}");
            assert!(found.iter().any(|one| one.what == "category shares"), "seed {seed}: {found:?}");
        }
    }

    #[test]
    fn prices_and_baskets_that_double_are_found() {
        let mut watch = Watch::default();
        let mut found = Vec::new();
        for n in 0..6_000u32 {
            let late = n >= 3_000;
            // Four shoppers a day; after the change each takes twice as much at twice the price.
            let (day, user) = if late { (750 + (n - 3_000) / 8, n % 4) } else { (n / 4, n % 4) };
            let price = (1.0 + (n * 7919 % 100) as f32 / 10.0) * if late { 2.0 } else { 1.0 };
            let at = i64::from(day) * mercer_rank::DAY_MS;
            let taken = Taken { user, at, price: Some(price), ..Taken::default() };
            found.extend(watch.take(&taken).into_iter().map(|change| (change.what, n)));
        }
        for what in ["price", "items in a day's basket"] {
            let first = found.iter().find(|(name, _)| *name == what);
            assert!(first.is_some_and(|(_, n)| (3_000..4_500).contains(n)), "{what}: {found:?}");
        }
    }
}
