//! Decides when to train: a pure function of observations and of the operator's limits.

use mercer_shared::wire::RunCause;

use crate::state::config::TrainConfig;

/// Least seconds between a failed cycle and the next; doubled with each further failure.
const BACK_OFF: u64 = 300;
/// Longest such pause.
const LONGEST_BACK_OFF: u64 = 24 * 3_600;

/// What the loop saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Observed {
    /// Last sequence number of the log.
    pub(crate) last_seq: u64,
    /// Sequence number up to which a cycle that succeeded or was cancelled read.
    pub(crate) read: u64,
    /// Seconds since the last cycle ended, or since the start of the daemon where there was none.
    pub(crate) idle_seconds: u64,
    /// Cycles in a row that failed.
    pub(crate) failures: u32,
}

/// What starts a cycle, if anything does: cause, rule, and what was seen.
pub(crate) fn trigger(config: &TrainConfig, seen: &Observed) -> Option<(RunCause, String, String)> {
    let fresh = seen.last_seq.saturating_sub(seen.read);
    let idle = seen.idle_seconds;
    if seen.failures > 0 {
        let pause = BACK_OFF.saturating_mul(1 << (seen.failures - 1).min(20)).min(LONGEST_BACK_OFF);
        if idle < pause {
            return None;
        }
    }
    if config.after_interactions > 0 && fresh >= config.after_interactions {
        let saw = format!("{fresh} new interactions since the last cycle");
        return Some((RunCause::NewData, format!("after {} interactions", config.after_interactions), saw));
    }
    if config.every_seconds > 0 && idle >= config.every_seconds && fresh > 0 {
        let saw = format!("{idle} s since the last cycle, {fresh} new interactions");
        return Some((RunCause::Schedule, format!("every {} s", config.every_seconds), saw));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cause(seen: Observed) -> Option<RunCause> {
        let config = TrainConfig { every_seconds: 3_600, after_interactions: 1_000, ..TrainConfig::default() };
        trigger(&config, &seen).map(|(cause, ..)| cause)
    }

    #[test]
    fn new_data_or_time_starts_a_cycle_and_an_unchanged_log_never_does() {
        let seen = Observed { last_seq: 5_000, read: 4_500, idle_seconds: 60, failures: 0 };
        assert_eq!(cause(seen), None);
        assert_eq!(cause(Observed { read: 4_000, ..seen }), Some(RunCause::NewData));
        assert_eq!(cause(Observed { idle_seconds: 3_600, ..seen }), Some(RunCause::Schedule));
        assert_eq!(cause(Observed { idle_seconds: 9_999_999, read: 5_000, ..seen }), None);
        let off = TrainConfig { every_seconds: 0, after_interactions: 0, ..TrainConfig::default() };
        assert_eq!(trigger(&off, &Observed { idle_seconds: u64::MAX, read: 0, ..seen }), None);
    }

    #[test]
    fn failures_are_followed_by_ever_longer_pauses() {
        let seen = Observed { last_seq: 5_000, read: 0, idle_seconds: 400, failures: 1 };
        assert_eq!(cause(seen), Some(RunCause::NewData));
        assert_eq!(cause(Observed { failures: 2, ..seen }), None);
        assert_eq!(cause(Observed { failures: 2, idle_seconds: 600, ..seen }), Some(RunCause::NewData));
        assert_eq!(cause(Observed { failures: 64, idle_seconds: LONGEST_BACK_OFF, ..seen }), Some(RunCause::NewData));
    }
}
