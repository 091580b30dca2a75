//! Compares the serving version with the baselines on the newest window, after an alarm. Trains nothing.

use mercer_rank::{BlendWeights, RankRequest, ScoringPolicy, Snapshot, Window};
use mercer_shared::problem::{Code, Problem};
use mercer_shared::time::Timestamp;

use crate::reports::window_lists::{Limits, Lists, evaluate, known, mean, window};
use crate::reports::window_scorer::window_policy;
use crate::state::app::App;
use crate::state::problems::Answer;

/// Length of the lists that are evaluated.
const K: usize = 10;
/// Replicates and seed of the intervals.
const REPLICATES: usize = 2_000;
const SEED: u64 = 7;

/// One baseline.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Whom the serving version is compared with.
    pub name: &'static str,
    /// Its NDCG@10.
    pub value: f64,
    /// Serving minus baseline with its 95 % interval; `None` with fewer than two shoppers.
    pub difference: Option<(f64, f64, f64)>,
}

/// The serving version on the newest window.
#[derive(Debug, Clone, PartialEq)]
pub struct ServingCheck {
    /// The version.
    pub version: String,
    /// Begin and end of the window.
    pub window: (Timestamp, Timestamp),
    /// Shoppers who came back in it.
    pub users: usize,
    /// NDCG@10 of the serving version, any item.
    pub value: f64,
    /// The baselines.
    pub rows: Vec<Row>,
    /// What spoke for the version, where it was not the version itself.
    pub note: Option<String>,
}

impl ServingCheck {
    /// Baselines that are better than the serving version beyond chance.
    #[must_use]
    pub fn better(&self) -> Vec<&'static str> {
        let lost = self.rows.iter().filter(|row| row.difference.is_some_and(|(_, _, high)| high < 0.0));
        lost.map(|row| row.name).collect()
    }

    /// In a sentence, with the numbers.
    #[must_use]
    pub fn words(&self) -> String {
        let rows: Vec<String> = self
            .rows
            .iter()
            .map(|row| match row.difference {
                Some((mean, low, high)) => {
                    format!("{} {:.4} ({mean:+.4} [{low:+.4}, {high:+.4}])", row.name, row.value)
                }
                None => format!("{} {:.4}", row.name, row.value),
            })
            .collect();
        let verdict = match self.better().as_slice() {
            [] => "it holds".to_owned(),
            better => format!("it is worse than {}", better.join(" and ")),
        };
        let note = self.note.as_ref().map(|note| format!(" ({note})")).unwrap_or_default();
        format!(
            "{} has ndcg@10 {:.4} on {} shoppers from {} to {}, against {}: {verdict}{note}",
            self.version,
            self.value,
            self.users,
            self.window.0,
            self.window.1,
            rows.join(", ")
        )
    }
}

/// Evaluates the serving version on the newest window. `None` if the log is too short for one or no user returned in
/// it.
///
/// # Errors
/// What keeps the version's files from being read.
pub fn serving_check(app: &App) -> Answer<Option<ServingCheck>> {
    let view = app.view();
    let log = view.training_log();
    let Some((from, to)) = window(&log, view.last_event) else { return Ok(None) };
    let index = app.moments.at(&view, from);
    let snapshot = Snapshot { log, catalogue: view.rank.catalogue.clone(), index };
    let (ranker, weights, note) = window_policy(app, &view, &snapshot, from)?;
    let lists = |policy: ScoringPolicy<'_>| -> Answer<Lists> {
        evaluate(&snapshot, Window { cutoff: from, end: to }, &RankRequest::new(K), policy, &Limits::NONE)
            .map_err(|error| Problem::new(Code::Internal, error.to_string()))
    };
    let mine = lists(ScoringPolicy { ranker: ranker.as_deref(), blend: &weights })?;
    if mine.users.is_empty() {
        return Ok(None);
    }
    let rows = BlendWeights::baselines().into_iter().map(|(name, weights)| {
        let theirs = lists(ScoringPolicy::blend(&weights))?;
        let paired = mercer_reports::compare_paired(&known(&mine.ndcg), &known(&theirs.ndcg), 0.025, REPLICATES, SEED);
        let difference = paired.ok().map(|c| (c.difference, c.interval.low, c.interval.high));
        Ok(Row { name, value: mean(&theirs.ndcg), difference })
    });
    let rows = rows.collect::<Answer<Vec<Row>>>()?;
    Ok(Some(ServingCheck {
        version: view.model.meta.version.clone(),
        window: (Timestamp::at(from), Timestamp::at(to)),
        users: mine.users.len(),
        value: mean(&mine.ndcg),
        rows,
        note,
    }))
}
