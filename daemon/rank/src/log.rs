//! The log of interactions: per user a time-sorted vector of events, shared copy-on-write.
use std::cmp::Ordering;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::chunked::Chunked;
use mercer_shared::interaction::InteractionType;

/// Milliseconds of a day.
pub const DAY_MS: i64 = 86_400_000;

/// One interaction.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Dense item number; searches have none.
    pub item: Option<u32>,
    /// Number of a search's text among [`Catalogue::texts`](crate::Catalogue::texts); nothing else has one.
    pub text: Option<u32>,
    /// What happened.
    pub kind: InteractionType,
    /// Quantity of a purchase or return, stars of a rating; 1 where the log says nothing.
    pub value: f32,
    /// UTC milliseconds.
    pub at: i64,
}

impl Event {
    /// Whether it is an event of the kind to predict that speaks for its item: a bad rating or review does not.
    pub fn is_positive(&self, target: InteractionType) -> bool {
        self.kind == target && !self.kind.is_bad(self.value)
    }
}

/// Order of a user's events: by time, then by kind and value.
fn order(a: &Event, b: &Event) -> Ordering {
    a.at.cmp(&b.at).then(a.kind.cmp(&b.kind)).then(a.value.total_cmp(&b.value))
}

/// All events of all users. A clone is a snapshot; a later `push` copies only one chunk of pointers and the events of one user.
#[derive(Debug, Clone, Default)]
pub struct Log {
    users: Chunked<Arc<Vec<Event>>>,
    /// Stable keys of users; 0 for none.
    keys: Chunked<u64>,
    events: usize,
}

/// Summary of the log up to a moment. Rules that pick a configuration read this and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LogSummary {
    /// Events per kind.
    pub counts: [u64; InteractionType::COUNT],
    /// The kind to predict: purchases where there are any, else the strongest kind that occurs.
    pub target: InteractionType,
    /// Whether all times are at midnight UTC: then a day is a basket, and order within it does not matter.
    pub day_resolution: bool,
    /// First event within the robust bounds, UTC milliseconds; the moment itself when there is no event.
    pub first: i64,
    /// Last event within the robust bounds, UTC milliseconds; the moment itself when there is no event.
    pub last: i64,
    /// Events outside the robust bounds: they count for what users did, but not for the length of windows.
    #[serde(default)]
    pub outliers: u64,
}

/// Fewest events that have outliers: below, any event may be as good as another.
const MIN_FOR_BOUNDS: usize = 20;
/// Least spread between the quantiles that bounds follow, so that a log of one busy day keeps the weeks around it.
const MIN_SPREAD_MS: i64 = 7 * DAY_MS;

/// The range of times that windows and cut-offs follow: the quantiles .05 and .95, widened by their distance on either side. Steady, seasonal
/// and growing logs lie within; a purchase dated 1970 by a broken export does not, and stretches no window.
fn robust_bounds(times: &mut [i64]) -> (i64, i64) {
    if times.len() < MIN_FOR_BOUNDS {
        return (i64::MIN, i64::MAX);
    }
    let (low, high) = (times.len() / 20, times.len() - 1 - times.len() / 20);
    let low = *times.select_nth_unstable(low).1;
    let high = *times.select_nth_unstable(high).1;
    let spread = (high - low).max(MIN_SPREAD_MS);
    (low.saturating_sub(spread), high.saturating_add(spread))
}

impl LogSummary {
    /// Days between first and last event.
    pub fn span_days(&self) -> f64 {
        (self.last - self.first) as f64 / DAY_MS as f64
    }

    /// Evaluation window in days: the longest of 7, 14, 30 and 91 that fits nine times into the log, so that there are enough
    /// windows to train on and each holds enough purchases. Windows of 182 days gave a worse ranker than 91: there are fewer of them.
    pub fn window_days(&self) -> i64 {
        let ninth = self.span_days() / 9.0;
        [91, 30, 14].into_iter().find(|&d| d as f64 <= ninth).unwrap_or(7)
    }
}

impl Log {
    /// An empty log.
    pub fn new() -> Self {
        Self::default()
    }

    /// Number of user slots, erased ones included.
    pub fn users(&self) -> usize {
        self.users.len()
    }

    /// Number of events.
    pub fn len(&self) -> usize {
        self.events
    }

    /// Whether there is no event.
    pub fn is_empty(&self) -> bool {
        self.events == 0
    }

    /// Sets the [`stable_key`](crate::stable_key) of a user's id, which orders users in sums and samples.
    pub fn set_key(&mut self, user: u32, key: u64) {
        self.keys.set(user as usize, key, || 0);
    }

    /// Stable key of a user; its number where it has none.
    pub(crate) fn key(&self, user: u32) -> u64 {
        match self.keys.get(user as usize) {
            Some(&key) if key != 0 => key,
            _ => u64::from(user),
        }
    }

    /// Users with events, in the order of their keys.
    pub(crate) fn users_by_key(&self) -> Vec<u32> {
        let mut out: Vec<u32> = (0..self.users() as u32).filter(|&user| !self.events(user).is_empty()).collect();
        out.sort_by_cached_key(|&user| (self.key(user), user));
        out
    }

    /// Inserts an event after those that are not later; user slots grow as needed. O(1) for events in order. Events of one moment are
    /// ordered by kind and value, so that the order in which they came does not matter.
    pub fn push(&mut self, user: u32, event: Event) {
        while self.users.len() <= user as usize {
            self.users.push(Arc::default());
        }
        if let Some(slot) = self.users.get_mut(user as usize) {
            let events = Arc::make_mut(slot);
            if events.last().is_none_or(|e| order(e, &event).is_le()) {
                events.push(event);
            } else {
                let i = events.partition_point(|e| order(e, &event).is_le());
                events.insert(i, event);
            }
            self.events += 1;
        }
    }

    /// Replaces all events of a user, in any order.
    pub fn set_user(&mut self, user: u32, mut events: Vec<Event>) {
        events.sort_by(order);
        while self.users.len() <= user as usize {
            self.users.push(Arc::default());
        }
        if let Some(slot) = self.users.get_mut(user as usize) {
            self.events = self.events - slot.len() + events.len();
            *slot = Arc::new(events);
        }
    }

    /// Removes all events of a user. A fit afterwards equals one on a log that never had them.
    pub fn erase(&mut self, user: u32) {
        if (user as usize) < self.users.len() {
            self.set_user(user, Vec::new());
            self.set_key(user, 0);
        }
    }

    /// All events of a user in time order; empty for an unknown one.
    pub fn events(&self, user: u32) -> &[Event] {
        self.users.get(user as usize).map_or(&[], |e| e.as_slice())
    }

    /// The user's events with `event.at <= at`.
    pub fn until(&self, user: u32, at: i64) -> &[Event] {
        let events = self.events(user);
        &events[..events.partition_point(|e| e.at <= at)]
    }

    /// The user's events with `after < event.at <= until`.
    pub fn between(&self, user: u32, after: i64, until: i64) -> &[Event] {
        let events = self.until(user, until);
        &events[events.partition_point(|e| e.at <= after)..]
    }

    /// Summary of the log up to a moment.
    pub fn summary(&self, at: i64) -> LogSummary {
        let mut counts = [0u64; InteractionType::COUNT];
        let mut times = Vec::with_capacity(self.events);
        for user in 0..self.users.len() as u32 {
            for e in self.until(user, at) {
                counts[e.kind as usize] += 1;
                times.push(e.at);
            }
        }
        let (low, high) = robust_bounds(&mut times);
        let within = times.iter().copied().filter(|time| (low..=high).contains(time));
        let (mut first, mut last, mut n, mut midnight) = (i64::MAX, i64::MIN, 0u64, 0u64);
        for time in within {
            (first, last) = (first.min(time), last.max(time));
            n += 1;
            midnight += u64::from(time.rem_euclid(DAY_MS) == 0);
        }
        let target =
            InteractionType::TARGETS.into_iter().find(|&k| counts[k as usize] > 0).unwrap_or(InteractionType::Purchase);
        if n == 0 {
            (first, last) = (at, at);
        }
        let outliers = times.len() as u64 - n;
        LogSummary { counts, target, day_resolution: n > 0 && midnight == n, first, last, outliers }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn purchase(at: i64) -> Event {
        Event { item: Some(0), text: None, kind: InteractionType::Purchase, value: 1.0, at }
    }

    /// A log of so many events a day over some days.
    fn log(days: i64, a_day: i64) -> Log {
        let mut log = Log::new();
        for n in 0..days * a_day {
            log.push((n % 7) as u32, purchase(20_000 * DAY_MS + n * DAY_MS / a_day + 1));
        }
        log
    }

    #[test]
    fn one_event_in_1970_moves_no_window() {
        let plain = log(60, 10).summary(i64::MAX);
        assert_eq!((plain.window_days(), plain.outliers), (7, 0));
        for stray in [19 * DAY_MS, 0, 30_000 * DAY_MS] {
            let mut log = log(60, 10);
            log.push(3, purchase(stray));
            let summary = log.summary(i64::MAX);
            assert_eq!((summary.first, summary.last, summary.outliers), (plain.first, plain.last, 1), "{stray}");
            assert_eq!(summary.window_days(), plain.window_days());
            assert_eq!(
                summary.counts[InteractionType::Purchase as usize],
                plain.counts[InteractionType::Purchase as usize] + 1
            );
        }
    }

    #[test]
    fn a_stray_time_of_day_is_no_day_resolution_lost() {
        let mut log = Log::new();
        for day in 0..200 {
            log.push(0, purchase((20_000 + day) * DAY_MS));
        }
        log.push(1, purchase(12_345));
        assert!(log.summary(i64::MAX).day_resolution);
    }

    #[test]
    fn growing_seasonal_and_short_logs_have_no_outliers() {
        // Twice as many events in each following tenth of the log.
        let mut growing = Log::new();
        for tenth in 0..10 {
            for n in 0..1 << tenth {
                growing.push(0, purchase((20_000 + 36 * tenth) * DAY_MS + n * DAY_MS / 40));
            }
        }
        let summary = growing.summary(i64::MAX);
        assert!(summary.outliers * 50 < growing.len() as u64, "{summary:?}");
        let mut few = Log::new();
        [0, 400, 900].into_iter().for_each(|day| few.push(0, purchase(day * DAY_MS)));
        assert_eq!(few.summary(i64::MAX).outliers, 0);
        assert_eq!(few.summary(i64::MAX).span_days(), 900.0);
    }
}
