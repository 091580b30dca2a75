//! The connection to the daemon: opened, lost, retried after growing waits; and the age of the shown data.

use mercer_shared::problem::Problem;
use mercer_shared::time::Timestamp;

/// Milliseconds without a message from the daemon after which the data count as stale.
const SILENCE_MS: i64 = 7000;
/// Shortest wait between two attempts, in milliseconds. Ticks come once a second, so shorter waits would have no
/// effect.
const SHORTEST_WAIT_MS: i64 = 1000;
/// Longest wait between two attempts to reach the daemon, in milliseconds.
const LONGEST_WAIT_MS: i64 = 4000;

/// The state of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LinkState {
    /// Being opened.
    Opening {
        /// Failed attempts before this one.
        attempt: u32,
    },
    /// Open.
    Up,
    /// Down; to be tried again.
    Down {
        /// Failed attempts so far.
        attempt: u32,
        /// When to try again.
        again: Timestamp,
    },
}

/// The line to the daemon.
#[derive(Debug)]
pub(crate) struct Link {
    /// Its state.
    pub state: LinkState,
    /// Why the line was last lost or not opened.
    pub refusal: Option<Problem>,
    /// When the daemon last said anything.
    pub heard: Option<Timestamp>,
}

impl Link {
    /// A line that is being opened for the first time.
    pub(crate) const fn new() -> Self {
        Self { state: LinkState::Opening { attempt: 0 }, refusal: None, heard: None }
    }

    /// Whether it is open.
    pub(crate) fn is_up(&self) -> bool {
        self.state == LinkState::Up
    }

    /// Notes that it is open; returns whether it was down before.
    pub(crate) fn opened(&mut self, now: Timestamp) -> bool {
        let was_down = matches!(self.state, LinkState::Opening { attempt } if attempt > 0);
        *self = Self { state: LinkState::Up, refusal: None, heard: Some(now) };
        was_down
    }

    /// Records a lost or refused connection; waits 1, 2, then 4 seconds before the next attempt.
    pub(crate) fn lost(&mut self, problem: Problem, now: Timestamp) {
        let attempt = match self.state {
            LinkState::Opening { attempt } => attempt + 1,
            _ => 1,
        };
        let wait = (SHORTEST_WAIT_MS << (attempt - 1).min(3)).min(LONGEST_WAIT_MS);
        self.state = LinkState::Down { attempt, again: now.plus_millis(wait) };
        self.refusal = Some(problem);
    }

    /// Begins the next attempt if its time has come.
    pub(crate) fn retry(&mut self, now: Timestamp) -> bool {
        match self.state {
            LinkState::Down { attempt, again } if now >= again => {
                self.state = LinkState::Opening { attempt };
                true
            }
            _ => false,
        }
    }

    /// Lets the next attempt come at once.
    pub(crate) fn hurry(&mut self, now: Timestamp) {
        if let LinkState::Down { again, .. } = &mut self.state {
            *again = now;
        }
    }

    /// Age of stale data in milliseconds; `None` while the data are fresh.
    pub(crate) fn stale(&self, now: Timestamp) -> Option<i64> {
        let silent = self.heard.map_or(0, |heard| now.millis() - heard.millis());
        match self.state {
            LinkState::Down { .. } => Some(silent),
            LinkState::Opening { .. } => self.heard.is_some().then_some(silent),
            LinkState::Up => (silent > SILENCE_MS).then_some(silent),
        }
    }
}
