//! The findings of the experiment: differences with intervals by user cluster and window block, and the verdict in words.

use mercer_reports::bootstrap_windows;
use mercer_shared::wire::ReplayDifference;

use crate::evaluation::prequential::arms::WINDOWS;
use crate::evaluation::prequential::lists::{MODES, Seen};
use crate::runs::context::RunExit;
use crate::runs::context::failed;

/// Replicates of every interval.
const REPLICATES: usize = 2_000;
/// Windows of a block: neighbours are alike.
const BLOCK: usize = 2;
/// Seeds that a claim needs.
const SEEDS: usize = 5;
/// What is compared, the claims first.
const PAIRS: [(&str, &str); 7] =
    [("F2", "F1"), ("F2", "P1"), ("F2", "B1"), ("F2", "B2"), ("F2", "F4"), ("F1", "F0"), ("F1", "S1")];

/// All differences, by mode.
pub(crate) fn differences(seen: &Seen, seed: u64) -> Result<Vec<ReplayDifference>, RunExit> {
    let mut out = Vec::new();
    for (mode, (_, word)) in MODES.iter().enumerate() {
        for (first, second) in PAIRS {
            let values = seen.differences(first, second, mode);
            if values.is_empty() {
                continue;
            }
            let (difference, interval) =
                bootstrap_windows(&values, BLOCK, 0.95, REPLICATES, seed).map_err(|e| failed(&e))?;
            out.push(ReplayDifference {
                mode: (*word).to_owned(),
                first: first.to_owned(),
                second: second.to_owned(),
                difference,
                low: interval.low,
                high: interval.high,
            });
        }
    }
    Ok(out)
}

fn said(d: &ReplayDifference) -> String {
    format!("{} less {} {:+.4} [{:+.4}, {:+.4}]", d.first, d.second, d.difference, d.low, d.high)
}

/// The findings in words.
pub(crate) fn verdict(differences: &[ReplayDifference], windows: u32, seeds: usize) -> Vec<String> {
    let mut out = Vec::new();
    for (_, mode) in MODES {
        let of = |first: &str, second: &str| {
            differences.iter().find(|d| d.mode == mode && d.first == first && d.second == second)
        };
        let (Some(f1), Some(p1), Some(b1), Some(b2)) = (of("F2", "F1"), of("F2", "P1"), of("F2", "B1"), of("F2", "B2"))
        else {
            out.push(format!("{mode}: no shopper came back in the windows"));
            continue;
        };
        let learns = f1.low > 0.0 && p1.low > 0.0;
        let beats = b1.low > 0.0 && b2.low > 0.0;
        let head = match (learns, beats) {
            (true, true) => "fine-tuning after every window pays, and the encoder alone beats both baselines",
            (true, false) => "fine-tuning after every window pays, but the encoder alone does not beat both baselines",
            (false, _) if f1.low > 0.0 => {
                "fine-tuning changes the lists, but not more than the placebo does: no learning is shown"
            }
            (false, _) if f1.high < 0.0 => "fine-tuning after every window does harm",
            (false, _) => "fine-tuning after every window is not shown to pay",
        };
        let all = [f1, p1, b1, b2].map(said).join("; ");
        out.push(format!("{mode}: {head} ({all})"));
        if let Some(fresh) = of("F1", "S1") {
            out.push(format!("{mode}: fresh histories and index alone, without learning: {}", said(fresh)));
        }
        if let Some(once) = of("F1", "F0") {
            out.push(format!("{mode}: fine-tuning once on the warm-up: {}", said(once)));
        }
    }
    if windows < WINDOWS || seeds < SEEDS {
        out.push(format!("a claim needs {WINDOWS} windows and {SEEDS} seeds; this has {windows} and {seeds}"));
    }
    out
}

/// What a reader must know.
pub(crate) fn notes(seeds: usize, windows: u32) -> Vec<String> {
    vec![
        "lists are made at the beginning of a window, what is learned from it serves from the next one on".to_owned(),
        "encoders are compared by what their vectors find alone, not within the ranker; the log records what older policies showed: this predicts logged behaviour".to_owned(),
        format!("intervals: 95 %, users by Poisson weights and windows in circular blocks of {BLOCK}, together, {REPLICATES} replicates; {windows} windows, {seeds} seeds averaged by shopper"),
        "F3 (full tuning) is not among the arms; windows and seeds are few, so intervals are rough".to_owned(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn difference(second: &str, low: f64, high: f64) -> ReplayDifference {
        ReplayDifference {
            mode: "new".into(),
            first: "F2".into(),
            second: second.into(),
            difference: f64::midpoint(low, high),
            low,
            high,
        }
    }

    #[test]
    fn only_what_beats_frozen_and_placebo_is_called_learning() {
        let say = |f1: (f64, f64), p1: (f64, f64), b2: (f64, f64)| {
            let all = [
                difference("F1", f1.0, f1.1),
                difference("P1", p1.0, p1.1),
                difference("B1", 0.1, 0.2),
                difference("B2", b2.0, b2.1),
            ];
            verdict(&all, 8, 5).into_iter().find(|line| line.starts_with("new")).unwrap()
        };
        assert!(say((0.1, 0.2), (0.1, 0.2), (0.1, 0.2)).contains("pays, and the encoder alone beats both"));
        assert!(say((0.1, 0.2), (0.1, 0.2), (-0.1, 0.2)).contains("does not beat both"));
        assert!(say((0.1, 0.2), (-0.1, 0.2), (0.1, 0.2)).contains("no learning is shown"));
        assert!(say((-0.2, -0.1), (0.1, 0.2), (0.1, 0.2)).contains("does harm"));
        assert!(say((-0.2, 0.1), (0.1, 0.2), (0.1, 0.2)).contains("not shown to pay"));
    }

    #[test]
    fn a_short_replay_says_that_it_claims_nothing() {
        assert!(verdict(&[], 8, 1).last().unwrap().contains("a claim needs 8 windows and 5 seeds"));
        assert!(!verdict(&[], 8, 5).last().unwrap().contains("a claim needs"));
    }
}
