//! Counters: what was served, how fast, lately and since the start, and how often changes were published and the index was fitted.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use mercer_shared::problem::Code;
use mercer_shared::wire::{Latency, Traffic, Upkeep};
use parking_lot::Mutex;

/// Lists whose latency is remembered.
const REMEMBERED: usize = 1_000;
/// What "lately" is.
const MINUTE: Duration = Duration::from_secs(60);

/// Events per second of the last minute.
#[derive(Debug, Default)]
struct Minute(VecDeque<(Instant, u64)>);

impl Minute {
    fn add(&mut self, now: Instant, count: u64) {
        match self.0.back_mut() {
            Some((at, total)) if now.duration_since(*at) < Duration::from_secs(1) => *total += count,
            _ => self.0.push_back((now, count)),
        }
        self.forget(now);
    }

    fn forget(&mut self, now: Instant) {
        while self.0.front().is_some_and(|(at, _)| now.duration_since(*at) > MINUTE) {
            self.0.pop_front();
        }
    }

    fn per_second(&mut self, now: Instant) -> f64 {
        self.forget(now);
        self.0.iter().fold(0.0, |sum, (_, count)| sum + *count as f64) / MINUTE.as_secs_f64()
    }
}

/// The counters.
#[derive(Debug, Default)]
pub struct Counters {
    lists: AtomicU64,
    requests: AtomicU64,
    failures: AtomicU64,
    overloaded: AtomicU64,
    publications: AtomicU64,
    index_fits: AtomicU64,
    recent: Mutex<Recent>,
}

#[derive(Debug, Default)]
struct Recent {
    lists: Minute,
    interactions: Minute,
    latencies: VecDeque<f32>,
}

impl Counters {
    /// Counts a request that was answered with this status, and with this problem if it was refused. A spent budget is no load, though
    /// both mean that the same request may succeed later.
    pub fn request(&self, status: u16, code: Option<Code>) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        if status == 429 && code != Some(Code::ExportBudgetSpent) {
            self.overloaded.fetch_add(1, Ordering::Relaxed);
        } else if status >= 500 && status != 503 {
            self.failures.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts a publication.
    pub fn published(&self) {
        self.publications.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a fit of the collaborative index.
    pub fn index_fitted(&self) {
        self.index_fits.fetch_add(1, Ordering::Relaxed);
    }

    /// What the background threads did since the start; `unfitted` is the number of interactions that the index does not know yet.
    #[must_use]
    pub fn upkeep(&self, unfitted: u64) -> Upkeep {
        Upkeep {
            publications: self.publications.load(Ordering::Relaxed),
            index_fits: self.index_fits.load(Ordering::Relaxed),
            unfitted,
        }
    }

    /// Counts a served list and its latency.
    pub fn list(&self, took: Duration) {
        self.lists.fetch_add(1, Ordering::Relaxed);
        let mut recent = self.recent.lock();
        recent.lists.add(Instant::now(), 1);
        if recent.latencies.len() == REMEMBERED {
            recent.latencies.pop_front();
        }
        recent.latencies.push_back(took.as_secs_f32() * 1e3);
    }

    /// Counts accepted interactions.
    pub fn interactions(&self, count: u64) {
        self.recent.lock().interactions.add(Instant::now(), count);
    }

    /// The counters as they are.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        let now = Instant::now();
        let mut recent = self.recent.lock();
        let mut sorted: Vec<f32> = recent.latencies.iter().copied().collect();
        sorted.sort_unstable_by(f32::total_cmp);
        let at = |share: f64| {
            let place = ((sorted.len() as f64 * share).ceil() as usize).clamp(1, sorted.len().max(1)) - 1;
            sorted.get(place).copied().map_or(0.0, f64::from)
        };
        Traffic {
            lists: self.lists.load(Ordering::Relaxed),
            requests: self.requests.load(Ordering::Relaxed),
            failures: self.failures.load(Ordering::Relaxed),
            overloaded: self.overloaded.load(Ordering::Relaxed),
            lists_per_second: recent.lists.per_second(now),
            interactions_per_second: recent.interactions.per_second(now),
            latency: Latency { p50_ms: at(0.5), p95_ms: at(0.95), p99_ms: at(0.99) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_last_thousand() {
        let stats = Counters::default();
        for ms in 1..=2_000 {
            stats.list(Duration::from_millis(ms));
        }
        let latency = stats.traffic().latency;
        assert!((latency.p50_ms - 1_500.0).abs() < 1.0, "{latency:?}");
        assert!((latency.p99_ms - 1_990.0).abs() < 1.0, "{latency:?}");
        assert_eq!(stats.traffic().lists, 2_000);
    }

    #[test]
    fn only_load_counts_as_load() {
        let stats = Counters::default();
        for (status, code) in [
            (429, Some(Code::Overloaded)),
            (429, Some(Code::ExportBudgetSpent)),
            (500, Some(Code::Internal)),
            (200, None),
        ] {
            stats.request(status, code);
        }
        let traffic = stats.traffic();
        assert_eq!((traffic.requests, traffic.overloaded, traffic.failures), (4, 1, 1));
    }
}
