//! Acts that are too frequent for an audit entry each: refused writes, single interactions, reads of reports. They are counted by peer and
//! minute, and each count becomes one entry.

use std::collections::BTreeMap;

use mercer_shared::time::Timestamp;
use parking_lot::Mutex;

/// Milliseconds that are counted together.
const SPAN_MS: i64 = 60_000;
/// Different counts of a minute; further ones are counted under [`OTHERS`], so that no sender fills the memory.
const MOST: usize = 256;
/// Target of the counts beyond [`MOST`].
const OTHERS: &str = "others";

/// What is counted together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Act {
    uid: u32,
    action: &'static str,
    target: String,
}

#[derive(Debug, Default)]
struct Counts {
    /// Start of the minute; meaningless while nothing is counted.
    since: i64,
    /// By act and then by what came of it, such as the code of the problem.
    acts: BTreeMap<Act, BTreeMap<String, u64>>,
}

/// An entry for the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CountedAct {
    /// Who; the process is not named, because there may be many.
    pub uid: u32,
    /// What was done.
    pub action: &'static str,
    /// To what.
    pub target: String,
    /// How often, and what came of it.
    pub detail: String,
}

/// The counts of the current minute.
#[derive(Debug, Default)]
pub struct FrequentActs(Mutex<Counts>);

impl FrequentActs {
    /// Counts an act. Returns the counts of the minute before, if it ended: they are to be written.
    #[must_use]
    pub fn note(&self, uid: u32, action: &'static str, target: &str, outcome: &str, now: Timestamp) -> Vec<CountedAct> {
        let mut counts = self.0.lock();
        let ended = counts.take_ended(now);
        if counts.acts.is_empty() {
            counts.since = now.millis();
        }
        let mut act = Act { uid, action, target: target.to_owned() };
        if counts.acts.len() >= MOST && !counts.acts.contains_key(&act) {
            OTHERS.clone_into(&mut act.target);
        }
        *counts.acts.entry(act).or_default().entry(outcome.to_owned()).or_default() += 1;
        ended
    }

    /// The counts of a minute that is over; none while it runs.
    #[must_use]
    pub fn ended(&self, now: Timestamp) -> Vec<CountedAct> {
        self.0.lock().take_ended(now)
    }

    /// All counts, also of the minute that runs.
    #[must_use]
    pub fn all(&self) -> Vec<CountedAct> {
        self.0.lock().take()
    }
}

impl Counts {
    fn take_ended(&mut self, now: Timestamp) -> Vec<CountedAct> {
        // A clock that was set back ends the minute as well.
        let age = now.millis() - self.since;
        if self.acts.is_empty() || (0..SPAN_MS).contains(&age) { Vec::new() } else { self.take() }
    }

    fn take(&mut self) -> Vec<CountedAct> {
        let since = Timestamp::at(self.since);
        let entry = |(act, outcomes): (Act, BTreeMap<String, u64>)| {
            let words: Vec<String> = outcomes.iter().map(|(outcome, n)| format!("{n} {outcome}")).collect();
            let detail = format!("{} since {since}", words.join(", "));
            CountedAct { uid: act.uid, action: act.action, target: act.target, detail }
        };
        std::mem::take(&mut self.acts).into_iter().map(entry).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: u32 = 1000;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::at(1_700_000_000_000 + seconds * 1000)
    }

    #[test]
    fn a_minute_of_one_peer_is_one_entry_for_each_target() {
        let acts = FrequentActs::default();
        for n in 0..500 {
            let outcome = if n % 5 == 0 { "forbidden" } else { "bad-id" };
            assert!(acts.note(PEER, "refused", "POST /v1/items", outcome, at(n / 10)).is_empty());
        }
        assert!(acts.note(5, "refused", "POST /v1/items", "forbidden", at(59)).is_empty());
        assert!(acts.ended(at(59)).is_empty(), "the minute runs");
        let written = acts.note(PEER, "refused", "PUT /v1/users", "forbidden", at(60));
        let found: Vec<_> =
            written.iter().map(|act| (act.uid, act.target.as_str(), act.detail.split(" since").next())).collect();
        assert_eq!(
            found,
            [(5, "POST /v1/items", Some("1 forbidden")), (1000, "POST /v1/items", Some("400 bad-id, 100 forbidden"))]
        );
        // The next minute has begun with the act that ended the first one.
        assert_eq!(acts.ended(at(119)), []);
        assert_eq!(acts.ended(at(120)).len(), 1);
        assert_eq!(acts.ended(at(500)), []);
    }

    #[test]
    fn many_targets_take_bounded_memory_and_lose_no_count() {
        let acts = FrequentActs::default();
        for n in 0..5_000 {
            assert!(acts.note(PEER, "refused", &format!("PUT /v1/x{n}"), "no-such-path", at(1)).is_empty());
        }
        let written = acts.all();
        assert_eq!(written.len(), MOST + 1);
        let count = |act: &CountedAct| act.detail.split(' ').next().unwrap().parse::<u64>().unwrap();
        assert_eq!(written.iter().map(count).sum::<u64>(), 5_000);
        assert!(acts.all().is_empty());
    }

    #[test]
    fn a_clock_set_back_ends_the_minute() {
        let acts = FrequentActs::default();
        assert!(acts.note(PEER, "refused", "POST /v1/items", "bad-id", at(100)).is_empty());
        assert_eq!(acts.ended(at(-100)).len(), 1);
    }
}
