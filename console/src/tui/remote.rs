//! Data fetched from the daemon: the latest answer, the latest problem, and whether a request is under way.

use mercer_shared::problem::Problem;

use super::ask::Answer;

/// Something fetched from the daemon.
#[derive(Debug, Clone)]
pub(crate) struct Remote<T> {
    /// The latest answer.
    pub value: Option<T>,
    /// Why the last question failed.
    pub problem: Option<Problem>,
    /// Whether a request is under way.
    pub loading: bool,
}

impl<T> Default for Remote<T> {
    fn default() -> Self {
        Self { value: None, problem: None, loading: false }
    }
}

impl<T> Remote<T> {
    /// Keeps an answer or a problem. A problem leaves an earlier answer in place.
    pub(crate) fn keep(&mut self, result: Result<T, Problem>) {
        self.loading = false;
        match result {
            Ok(value) => {
                self.value = Some(value);
                self.problem = None;
            }
            Err(problem) => self.problem = Some(problem),
        }
    }
}

impl<T: TryFrom<Answer>> Remote<T> {
    /// Keeps the daemon's answer, or its problem. An answer of another kind cannot come from `ask::send`; it is ignored.
    pub(crate) fn take(&mut self, result: Result<Answer, Problem>) {
        match result.map(T::try_from) {
            Ok(Ok(value)) => self.keep(Ok(value)),
            Ok(Err(_)) => {}
            Err(problem) => self.keep(Err(problem)),
        }
    }
}
