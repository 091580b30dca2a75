//! Calibrates the ranker's probabilities on the window of the gate and measures them there: each half of the users gets probabilities
//! that were fitted on the other half.

use mercer_rank::evaluate::ground_truth;
use mercer_rank::{BlendWeights, Candidates, Mode, RankRequest, Ranker, ScoringPolicy, Snapshot};
use mercer_reports::calibrate::Calibrator;
use mercer_shared::wire::MetricValue;

use crate::gate::probability_metrics::{Resampling, Scored, some_metrics};
use crate::reports::window_lists::{Limits, thinned};
use crate::runs::context::{RunContext, RunExit, failed};
use crate::state::probabilities::Probabilities;

/// Most users: each has some hundred items, and a calibration has few degrees of freedom.
const USERS: usize = 500;
/// Length of the lists: more than the candidates of any head. Items below those have no share and cost time.
const ALL: usize = 400;
/// The metrics of the probabilities that are reported.
const TOLD: [&str; 5] = ["log_loss", "ece", "ece_plain", "ece_chance", "predicted/observed"];

fn told(name: &str) -> bool {
    TOLD.contains(&name)
}

/// Replicates of their intervals.
const REPLICATES: usize = 100;

/// An item that was ranked.
#[derive(Debug, Clone, Copy)]
struct Row {
    /// Place of the user.
    user: u32,
    /// Log-softmax of the item's score.
    share: f64,
    /// Whether the user took the item.
    taken: bool,
}

/// Fits the probabilities of a ranker, made up to the moment of the snapshot, on what was taken by `until`. Also
/// returns their metrics on users on whom they were not fitted.
pub(crate) fn fit(
    snapshot: &Snapshot,
    until: i64,
    ranker: &Ranker,
    limits: &Limits<'_>,
    seed: u64,
    context: &RunContext<'_>,
) -> Result<(Probabilities, Vec<MetricValue>), RunExit> {
    let mut metrics = Vec::new();
    let mut head = |mode, slice| -> Result<Option<Calibrator>, RunExit> {
        let rows = ranked(snapshot, until, ranker, mode, limits).map_err(|e| failed(&e))?;
        context.check()?;
        let apart: Vec<Scored> = [0, 1].into_iter().flat_map(|half| across(&rows, half)).collect();
        metrics.extend(some_metrics(slice, &apart, None, Resampling { seed, replicates: REPLICATES }, &told));
        Ok(calibrator(rows.iter()))
    };
    let all = head(Mode::All, "repeat")?;
    let novel = head(Mode::Novel, "new")?;
    Ok((Probabilities { all, novel }, metrics))
}

/// Everything that the ranker ordered for the returning users.
fn ranked(
    snapshot: &Snapshot,
    until: i64,
    ranker: &Ranker,
    mode: Mode,
    limits: &Limits<'_>,
) -> Result<Vec<Row>, mercer_rank::RankError> {
    let wanted = ground_truth(&snapshot.log, &snapshot.index, until, mode, Candidates::All);
    let wanted = thinned(wanted, limits.users.min(USERS));
    let users: Vec<u32> = wanted.iter().map(|entry| entry.user).collect();
    let policy = ScoringPolicy { ranker: Some(ranker), blend: &BlendWeights::popularity() };
    let request = RankRequest { mode, ..RankRequest::new(ALL) };
    let made = policy.lists(snapshot, &users, snapshot.index.at(), &request, limits.unwanted)?;
    let rows = (0..).zip(made.iter().zip(&wanted)).flat_map(|(user, (list, entry))| {
        list.iter().filter_map(move |item| {
            let taken = entry.items.binary_search(&item.item).is_ok();
            Some(Row { user, share: f64::from(item.log_softmax?), taken })
        })
    });
    Ok(rows.collect())
}

fn calibrator<'a>(rows: impl Iterator<Item = &'a Row>) -> Option<Calibrator> {
    let (shares, taken): (Vec<f64>, Vec<bool>) = rows.map(|row| (row.share, row.taken)).unzip();
    Calibrator::fit(&shares, &taken).ok()
}

/// Probabilities of one half of the users, fitted on the other half; nothing if that half is too small.
fn across(rows: &[Row], half: u32) -> Vec<Scored> {
    let Some(fitted) = calibrator(rows.iter().filter(|row| row.user % 2 != half)) else { return Vec::new() };
    let mine = rows.iter().filter(|row| row.user % 2 == half);
    mine.map(|row| Scored { user: row.user, label: row.taken, p: fitted.apply(row.share) }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_judge_each_other() {
        // Every tenth item of high share is taken, every hundredth of low share.
        let mut rows: Vec<Row> = Vec::new();
        for user in 0..40u32 {
            rows.extend((0..100).map(|n| Row {
                user,
                share: if n < 50 { -2.0 } else { -6.0 },
                taken: n % 10 == 0 && (n < 50 || n == 90),
            }));
        }
        let scored: Vec<Scored> = [0, 1].into_iter().flat_map(|half| across(&rows, half)).collect();
        assert_eq!(scored.len(), rows.len());
        let metrics = some_metrics("any", &scored, None, Resampling { seed: 1, replicates: 50 }, &told);
        let value = |name: &str| metrics.iter().find(|m| m.name == name).and_then(|m| m.value).unwrap();
        assert_eq!(metrics.len(), TOLD.len());
        assert!(value("ece") < 1e-9, "both halves are alike: {}", value("ece"));
        assert!((value("predicted/observed") - 1.0).abs() < 1e-9);
        let fitted = calibrator(rows.iter()).unwrap();
        assert!((fitted.apply(-2.0) - 0.1).abs() < 1e-9 && (fitted.apply(-6.0) - 0.02).abs() < 1e-9, "{fitted:?}");
        let one_class: Vec<Row> = rows.iter().map(|row| Row { taken: false, ..*row }).collect();
        assert!(across(&one_class, 0).is_empty() && calibrator(one_class.iter()).is_none());
    }
}
