//! The lines of a batch: which passed a check, and the answer of each.

use mercer_shared::problem::{Code, Problem};

use crate::state::problems::Answer;

/// Checks the lines of a batch. Returns the refusals by place, and the places and lines that passed.
pub(super) fn checked<T, D>(
    lines: Vec<T>,
    check: impl Fn(&T) -> Answer<()>,
) -> (Vec<Option<Answer<D>>>, Vec<usize>, Vec<T>) {
    let mut answers = Vec::with_capacity(lines.len());
    let (mut places, mut good) = (Vec::new(), Vec::new());
    for (place, line) in lines.into_iter().enumerate() {
        match check(&line) {
            Ok(()) => {
                answers.push(None);
                places.push(place);
                good.push(line);
            }
            Err(problem) => answers.push(Some(Err(problem))),
        }
    }
    (answers, places, good)
}

/// The answers of all lines; one that has none is an error of the daemon.
pub(super) fn finish<D>(answers: Vec<Option<Answer<D>>>) -> Vec<Answer<D>> {
    answers
        .into_iter()
        .map(|answer| answer.unwrap_or_else(|| Err(Problem::new(Code::Internal, "the store gave no answer"))))
        .collect()
}

/// Gives the lines at some places one refusal.
pub(super) fn refuse<D>(
    mut answers: Vec<Option<Answer<D>>>,
    places: Vec<usize>,
    problem: &Problem,
) -> Vec<Option<Answer<D>>> {
    for place in places {
        answers[place] = Some(Err(problem.clone()));
    }
    answers
}
