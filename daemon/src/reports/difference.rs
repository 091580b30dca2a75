//! The difference of two versions: the same report of both on the same window and users, row by row, with paired intervals over users.

use std::collections::HashMap;

use mercer_reports::compare_paired;
use mercer_shared::problem::{Code, Problem};
use mercer_shared::wire::{DifferenceRow, DifferenceWord, ReportDifference, ReportRow};

use crate::reports::report::{Computed, PerUserSeries, compute_for};
use crate::reports::rows::{REPLICATES, SEED};
use crate::state::app::App;
use crate::state::problems::Answer;

/// One-sided error of the bounds: the two ends of a 95 % interval.
const ALPHA: f64 = 0.025;

/// A computed report less that of `against`.
///
/// # Errors
/// `not-found` for an unknown version, `different-windows` where the log went on between the two computations.
pub(crate) fn of(app: &App, computed: &Computed, against: &str) -> Answer<ReportDifference> {
    if against == computed.report.model {
        return Err(Problem::new(Code::BadParameter, format!("against: {against} is the version itself")));
    }
    let other = compute_for(app, computed.report.kind, Some(against))?;
    difference(computed, &other)
}

fn difference(mine: &Computed, theirs: &Computed) -> Answer<ReportDifference> {
    let (a, b) = (&mine.report, &theirs.report);
    if (a.from, a.to) != (b.from, b.to) {
        let word = |at: Option<mercer_shared::time::Timestamp>| at.map_or_else(|| "-".to_owned(), |at| at.to_string());
        return Err(Problem::new(
            Code::DifferentWindows,
            format!(
                "{} was measured on {} to {}, {} on {} to {}",
                a.model,
                word(a.from),
                word(a.to),
                b.model,
                word(b.from),
                word(b.to)
            ),
        ));
    }
    let rows = a.rows.iter().map(|row| {
        let other = b.rows.iter().find(|other| other.name == row.name);
        difference_row(row, other, paired(mine, theirs, &row.name))
    });
    let only_theirs = b.rows.iter().filter(|row| !a.rows.iter().any(|mine| mine.name == row.name));
    let missing = only_theirs.map(|row| DifferenceRow {
        against: row.value,
        undefined: Some(format!("{} has no such row", a.model)),
        ..empty(row)
    });
    Ok(ReportDifference { against: b.model.clone(), rows: rows.chain(missing).collect(), notes: b.notes.clone() })
}

fn empty(row: &ReportRow) -> DifferenceRow {
    DifferenceRow {
        name: row.name.clone(),
        label: row.label.clone(),
        value: None,
        against: None,
        difference: None,
        low: None,
        high: None,
        p: None,
        minimum_detectable: None,
        n: 0,
        verdict: DifferenceWord::NoInterval,
        undefined: None,
    }
}

/// Values of both versions, user by user.
struct Paired {
    mine: Vec<Option<f64>>,
    theirs: Vec<Option<f64>>,
}

/// The values of a row for the users that both have; `None` where either has no values per user.
fn paired(mine: &Computed, theirs: &Computed, name: &str) -> Option<Paired> {
    let of = |computed: &Computed| computed.per_user.iter().find(|series| series.name == name).cloned();
    let (a, b): (PerUserSeries, PerUserSeries) = (of(mine)?, of(theirs)?);
    let other: HashMap<u32, f64> = b.users.into_iter().zip(b.values).collect();
    let both = a.users.into_iter().zip(a.values).filter_map(|(user, value)| Some((value, *other.get(&user)?)));
    let (mine, theirs) = both.map(|(a, b)| (Some(a), Some(b))).unzip();
    Some(Paired { mine, theirs })
}

fn difference_row(row: &ReportRow, other: Option<&ReportRow>, paired: Option<Paired>) -> DifferenceRow {
    let (value, against) = (row.value, other.and_then(|other| other.value));
    let plain = DifferenceRow {
        value,
        against,
        difference: value.zip(against).map(|(a, b)| a - b),
        n: other.map_or(0, |other| row.n.min(other.n)),
        ..empty(row)
    };
    let Some(paired) = paired else {
        let why = match (value, against) {
            (Some(_), Some(_)) => "no values per user, so no interval",
            _ => "one of the versions has no value",
        };
        return DifferenceRow { undefined: Some(why.to_owned()), ..plain };
    };
    match compare_paired(&paired.mine, &paired.theirs, ALPHA, REPLICATES, SEED) {
        Ok(comparison) => DifferenceRow {
            difference: Some(comparison.difference),
            low: Some(comparison.interval.low),
            high: Some(comparison.interval.high),
            p: Some(comparison.p),
            minimum_detectable: comparison.detectable.value,
            n: comparison.n_used as u64,
            verdict: match comparison.interval {
                _ if comparison.moved == 0.0 => DifferenceWord::Same,
                interval if interval.low > 0.0 => DifferenceWord::Higher,
                interval if interval.high < 0.0 => DifferenceWord::Lower,
                _ => DifferenceWord::NotMeasurable,
            },
            ..plain
        },
        Err(reason) => DifferenceRow { undefined: Some(format!("no interval: {reason}")), ..plain },
    }
}

#[cfg(test)]
mod tests {
    use mercer_shared::time::Timestamp;
    use mercer_shared::wire::{Report, ReportKind};

    use super::*;
    use crate::reports::rows::plain_row;

    /// A report of 60 users with one row per user and one without.
    fn computed(model: &str, from: i64, value: impl Fn(u32) -> f64) -> Computed {
        let users: Vec<u32> = (0..60).collect();
        let values: Vec<f64> = users.iter().map(|user| value(*user)).collect();
        let mean = values.iter().sum::<f64>() / 60.0;
        let report = Report {
            from: Some(Timestamp::at(from)),
            to: Some(Timestamp::at(9)),
            users: 60,
            rows: vec![
                plain_row("ndcg@10", "ndcg", Some(mean), 60, "f"),
                plain_row("gini@10", "gini", Some(mean / 2.0), 60, "f"),
            ],
            ..Report::new(ReportKind::Quality, model, Timestamp::default())
        };
        Computed { report, per_user: vec![PerUserSeries { name: "ndcg@10".to_owned(), users, values }] }
    }

    fn word(mine: impl Fn(u32) -> f64, theirs: impl Fn(u32) -> f64) -> DifferenceRow {
        difference(&computed("v2", 1, mine), &computed("v1", 1, theirs)).unwrap().rows.remove(0)
    }

    #[test]
    fn a_difference_has_a_word_an_interval_and_the_smallest_detectable() {
        let noise = |user: u32| f64::from(user % 7) / 7.0;
        let higher = word(|user| noise(user) + 0.1, noise);
        assert_eq!(higher.verdict, DifferenceWord::Higher);
        assert!((higher.difference.unwrap() - 0.1).abs() < 1e-12 && higher.n == 60);
        assert_eq!(word(noise, |user| noise(user) + 0.1).verdict, DifferenceWord::Lower);
        assert_eq!(word(noise, noise).verdict, DifferenceWord::Same);
        let unclear = word(noise, |user| noise(user) + if user % 2 == 0 { 0.3 } else { -0.3 });
        assert_eq!(unclear.verdict, DifferenceWord::NotMeasurable);
        assert!(unclear.low.unwrap() < 0.0 && unclear.high.unwrap() > 0.0);
        assert!(unclear.minimum_detectable.unwrap() > 0.05 && unclear.p.unwrap() > 0.05);
    }

    #[test]
    fn a_row_without_values_per_user_says_so() {
        let rows = difference(&computed("v2", 1, |_| 0.4), &computed("v1", 1, |_| 0.2)).unwrap().rows;
        assert_eq!(
            (rows[1].name.as_str(), rows[1].verdict, rows[1].low),
            ("gini@10", DifferenceWord::NoInterval, None)
        );
        assert!((rows[1].difference.unwrap() - 0.1).abs() < 1e-12);
        assert!(rows[1].undefined.as_ref().unwrap().contains("no values per user"));
    }

    #[test]
    fn a_row_of_one_version_only_has_no_difference() {
        let (mut mine, theirs) = (computed("v2", 1, |_| 0.4), computed("v1", 1, |_| 0.2));
        mine.report.rows.remove(1);
        let rows = difference(&mine, &theirs).unwrap().rows;
        assert_eq!((rows[1].value, rows[1].difference), (None, None));
        assert_eq!(rows[1].undefined.as_deref(), Some("v2 has no such row"));
    }

    #[test]
    fn different_windows_are_refused() {
        let refused = difference(&computed("v2", 1, |_| 0.4), &computed("v1", 2, |_| 0.4)).unwrap_err();
        assert_eq!(refused.code, Code::DifferentWindows);
    }
}
