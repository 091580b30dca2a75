//! Guardrails: counts errors, latency, coverage and outcomes of each version's lists, and decides whether a version is so much worse than
//! another that it must be taken back (METRICS.md section 7, rollout). Counts begin when the versions begin to serve side by side.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use mercer_reports::proportions::{Rate, RateDifference, newcombe};
use parking_lot::Mutex;
use rustc_hash::{FxHashMap, FxHashSet};

/// Latencies that are remembered.
const REMEMBERED: usize = 500;
/// Most users that are counted for each version.
const SHOPPERS: usize = 100_000;
/// Places of a list that count for coverage.
const TOP: usize = 10;

/// Lists, or users, below which nothing is compared.
const ENOUGH: usize = 50;
/// Least users for a comparison of outcomes, and least takers of the other version.
const OUTCOMES: usize = 100;
const TAKERS: usize = 20;
/// Errors that are tolerated whatever their share.
const ERRORS: u64 = 3;
/// Share of lists that may fail beyond what fails with the other version.
const ERROR_RATE: f64 = 0.02;
/// How much slower the 95th percentile may be: by this factor, and by this many milliseconds.
const SLOWER: f64 = 2.0;
const SLOWER_MS: f64 = 20.0;
/// Share of the catalogue's reach that may be lost (METRICS.md section 7).
const COVERAGE: f64 = 0.2;
/// Level of the interval of the difference in takers.
const LEVEL: f64 = 0.99;

/// The counts of a version.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    lists: u64,
    errors: u64,
    not_finite: u64,
    latencies: VecDeque<f32>,
    /// Latest list of each user.
    shown: FxHashMap<u32, Vec<u32>>,
    /// Users who took something after they were served.
    took: FxHashSet<u32>,
}

impl Tally {
    fn made(&mut self, took: Duration) {
        self.lists += 1;
        if self.latencies.len() == REMEMBERED {
            self.latencies.pop_front();
        }
        self.latencies.push_back(took.as_secs_f32() * 1e3);
    }

    fn list(&mut self, user: u32, took: Duration, items: impl Iterator<Item = u32>) {
        self.made(took);
        if self.shown.len() < SHOPPERS || self.shown.contains_key(&user) {
            self.shown.insert(user, items.take(TOP).collect());
        }
    }

    fn p95(&self) -> f64 {
        let mut sorted: Vec<f32> = self.latencies.iter().copied().collect();
        sorted.sort_unstable_by(f32::total_cmp);
        sorted.get(sorted.len() * 95 / 100).copied().map_or(0.0, f64::from)
    }

    /// Number of distinct items in the latest lists of `users` users, chosen by a hash of their number.
    fn reach(&self, shoppers: usize) -> usize {
        let mut users: Vec<u32> = self.shown.keys().copied().collect();
        users.sort_unstable_by_key(|user| (user.wrapping_mul(0x9e37_79b1), *user));
        let items = users.iter().take(shoppers).filter_map(|user| self.shown.get(user)).flatten();
        items.collect::<FxHashSet<_>>().len()
    }

    fn error_rate(&self) -> f64 {
        self.errors as f64 / (self.lists + self.errors).max(1) as f64
    }

    /// In words, with the numbers: lists, errors, latency.
    #[must_use]
    pub fn words(&self) -> String {
        format!(
            "{} lists for {} shoppers, {} of whom took something, {} errors, {:.1} ms at the 95th percentile",
            self.lists,
            self.shown.len(),
            self.took.len(),
            self.errors,
            self.p95()
        )
    }
}

/// What is compared beside the absolute rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Against {
    /// Another version that served other users at the same time.
    Beside,
    /// Another version that served before: what users took is no longer comparable.
    Before,
}

/// Which guardrail a version breaks, with the numbers; `None` where none does.
#[must_use]
pub fn breach(version: &Tally, other: Option<(&Tally, Against)>) -> Option<String> {
    if version.not_finite > 0 {
        return Some(format!("{} lists had scores that are no numbers", version.not_finite));
    }
    let usual = other.map_or(0.0, |(other, _)| other.error_rate());
    if version.errors >= ERRORS && version.error_rate() > usual + ERROR_RATE {
        return Some(format!(
            "{:.1} % of its lists failed, usual are {:.1} %",
            100.0 * version.error_rate(),
            100.0 * usual
        ));
    }
    let (other, against) = other?;
    let (mine, theirs) = (version.p95(), other.p95());
    let timed = version.latencies.len().min(other.latencies.len()) >= ENOUGH;
    if timed && mine > SLOWER * theirs && mine > theirs + SLOWER_MS {
        return Some(format!("95 % of its lists took up to {mine:.1} ms instead of {theirs:.1} ms"));
    }
    let shoppers = version.shown.len().min(other.shown.len());
    if shoppers >= ENOUGH {
        let (mine, theirs) = (version.reach(shoppers), other.reach(shoppers));
        if (mine as f64) < (1.0 - COVERAGE) * theirs as f64 {
            return Some(format!("the lists of {shoppers} shoppers reach {mine} items instead of {theirs}"));
        }
    }
    if against == Against::Beside && shoppers >= OUTCOMES && other.took.len() >= TAKERS {
        let rate = |tally: &Tally| Rate { hits: tally.took.len() as u64, trials: tally.shown.len() as u64 };
        if let Ok(RateDifference { difference, low, high }) = newcombe(rate(version), rate(other), LEVEL)
            && high < 0.0
        {
            return Some(format!(
                "the share of shoppers who took something differs by {difference:+.3} [{low:+.3}, {high:+.3}]"
            ));
        }
    }
    None
}

/// The tallies of versions that serve or served lately, by name.
#[derive(Debug, Default)]
pub struct Guardrails(Mutex<BTreeMap<String, Tally>>);

impl Guardrails {
    /// Starts new counts for these versions, which serve side by side from now on; the counts of `kept` stay.
    pub fn begin(&self, versions: &[&str], kept: Option<&str>) {
        let mut tallies = self.0.lock();
        tallies.retain(|name, _| Some(name.as_str()) == kept);
        for version in versions {
            tallies.entry((*version).to_owned()).or_default();
        }
    }

    /// A version served a user.
    pub fn list(&self, version: &str, user: u32, took: Duration, items: impl Iterator<Item = u32>) {
        if let Some(tally) = self.0.lock().get_mut(version) {
            tally.list(user, took, items);
        }
    }

    /// A version answered a search: for its errors and latency alone.
    pub fn search(&self, version: &str, took: Duration) {
        if let Some(tally) = self.0.lock().get_mut(version) {
            tally.made(took);
        }
    }

    /// Counts a failed list of a version; `finite` is false if its scores were not finite numbers.
    pub fn failed(&self, version: &str, finite: bool) {
        if let Some(tally) = self.0.lock().get_mut(version) {
            tally.errors += 1;
            tally.not_finite += u64::from(!finite);
        }
    }

    /// A user took something.
    pub fn took(&self, user: u32) {
        for tally in self.0.lock().values_mut() {
            if tally.shown.contains_key(&user) {
                tally.took.insert(user);
            }
        }
    }

    /// The counts of a version.
    #[must_use]
    pub fn tally(&self, version: &str) -> Option<Tally> {
        self.0.lock().get(version).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many users with lists over so many items, of whom every `every`-th takes something.
    fn tally(shoppers: u32, items: u32, ms: u64, every: u32) -> Tally {
        let mut tally = Tally::default();
        for user in 0..shoppers {
            tally.list(user, Duration::from_millis(ms), (0..12).map(|n| (user * 7 + n) % items));
            if user % every == 0 {
                tally.took.insert(user);
            }
        }
        tally
    }

    #[test]
    fn an_equal_version_breaks_nothing_and_each_guardrail_is_broken_by_what_it_guards() {
        let usual = tally(400, 300, 5, 4);
        let beside = Some((&usual, Against::Beside));
        assert_eq!(breach(&tally(300, 300, 6, 4), beside), None);
        let says = |version: &Tally, other, word: &str| {
            let words = breach(version, other).unwrap_or_else(|| panic!("nothing breaks, {word} should"));
            assert!(words.contains(word), "{words}");
        };
        says(&tally(300, 300, 60, 4), beside, "ms instead of");
        says(&tally(300, 30, 5, 4), beside, "reach");
        says(&tally(300, 300, 5, 30), beside, "took something");
        assert_eq!(breach(&tally(300, 300, 5, 30), Some((&usual, Against::Before))), None);
        let mut broken = tally(20, 300, 5, 4);
        broken.errors = 2;
        assert_eq!(breach(&broken, beside), None, "two may be bad luck");
        broken.errors = 3;
        says(&broken, beside, "failed");
        says(&broken, None, "failed");
        let mut numbers = tally(1, 300, 5, 4);
        numbers.not_finite = 1;
        says(&numbers, None, "no numbers");
        // Too little to compare.
        assert_eq!(breach(&tally(40, 10, 500, 40), beside), None);
    }

    #[test]
    fn only_versions_under_watch_are_counted_and_a_new_begin_forgets() {
        let guard = Guardrails::default();
        guard.begin(&["a", "b"], None);
        guard.list("a", 1, Duration::ZERO, 0..10);
        guard.list("c", 1, Duration::ZERO, 0..10);
        guard.took(1);
        guard.took(2);
        assert_eq!(guard.tally("a").map(|tally| (tally.lists, tally.took.len())), Some((1, 1)));
        assert!(guard.tally("c").is_none());
        guard.begin(&["b"], Some("a"));
        assert_eq!(guard.tally("a").map(|tally| tally.lists), Some(1));
        guard.begin(&["a", "b"], None);
        assert_eq!(guard.tally("a").map(|tally| tally.lists), Some(0));
    }
}
