//! The difference of two versions: the same report of both on the same window and users, row by row and group by group, with paired
//! intervals over users.

use std::collections::HashMap;

use mercer_reports::compare_paired;
use mercer_shared::problem::{Code, Problem};
use mercer_shared::wire::{DifferenceRow, DifferenceWord, ReportDifference, ReportRow};

use crate::reports::group_difference::{ALPHA, Versions, word};
use crate::reports::report::{Computed, PerUserSeries, compute_for};
use crate::reports::rounding::secret_seed;
use crate::reports::rows::{REPLICATES, SEED};
use crate::state::app::App;
use crate::state::problems::Answer;

/// A computed report less that of `against`.
///
/// # Errors
/// `not-found` for an unknown version, `different-windows` where the log went on between the two computations.
pub(crate) fn of(app: &App, computed: &Computed, against: &str) -> Answer<ReportDifference> {
    if against == computed.report.model {
        return Err(Problem::new(Code::BadParameter, format!("against: {against} is the version itself")));
    }
    let other = compute_for(app, computed.report.kind, Some(against))?;
    difference(computed, &other, secret_seed(app, "difference"))
}

fn difference(mine: &Computed, theirs: &Computed, seed: u64) -> Answer<ReportDifference> {
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
    let versions = Versions { mine, theirs, seed };
    let rows = a.rows.iter().map(|row| {
        let worst = row.name.strip_prefix("worst-group/").and_then(|attribute| versions.worst(attribute));
        if let Some(worst) = worst {
            // Of one group in both versions: that the worst of the other is another group makes no difference of two numbers.
            return DifferenceRow { name: row.name.clone(), label: row.label.clone(), ..worst };
        }
        let other = b.rows.iter().find(|other| other.name == row.name);
        difference_row(row, other, paired(mine, theirs, &row.name))
    });
    let only_theirs = b.rows.iter().filter(|row| !a.rows.iter().any(|mine| mine.name == row.name));
    let missing = only_theirs.map(|row| DifferenceRow {
        against: row.value,
        undefined: Some(format!("{} has no such row", a.model)),
        ..empty(row)
    });
    let rows = rows.chain(missing).chain(versions.rows()).collect();
    Ok(ReportDifference { against: b.model.clone(), rows, notes: b.notes.clone() })
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
            verdict: word(&comparison),
            ..plain
        },
        Err(reason) => DifferenceRow { undefined: Some(format!("no interval: {reason}")), ..plain },
    }
}

#[cfg(test)]
mod tests {
    use mercer_shared::time::Timestamp;
    use mercer_shared::wire::{GroupRow, GroupTable, Report, ReportKind};

    use super::*;
    use crate::reports::report::{GroupFacts, GroupMembers};
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
        let per_user = vec![PerUserSeries { name: "ndcg@10".to_owned(), users, values }];
        Computed { report, per_user, groups: GroupFacts::default() }
    }

    /// The same with a table of regions: 35 users in the north, 18 in the south, 7 in the west.
    fn with_regions(model: &str, value: impl Fn(u32) -> f64 + Copy) -> Computed {
        let mut made = computed(model, 1, value);
        let region = |user: u32| {
            if user < 35 {
                "north"
            } else if user < 53 {
                "south"
            } else {
                "west"
            }
        };
        let users: Vec<u32> = (0..60).collect();
        let members = GroupMembers {
            attribute: "region".to_owned(),
            labels: users.iter().map(|user| region(*user).to_owned()).collect(),
            values: users.iter().map(|user| value(*user)).collect(),
            users,
        };
        let row = |group: &str, n| GroupRow { group: group.to_owned(), n, ..GroupRow::default() };
        let mean = Some((value(1) * 100.0).round() / 100.0);
        made.report.groups = vec![GroupTable {
            attribute: "region".to_owned(),
            metric: "ndcg@10".to_owned(),
            groups: vec![
                GroupRow { mean, ..row("north", Some(40)) },
                row("south", Some(20)),
                GroupRow { suppressed: true, ..row("(too few)", None) },
            ],
            worst: Some("north".to_owned()),
            ..GroupTable::default()
        }];
        made.report.rows.push(plain_row("worst-group/region", "worst group by region: north", mean, 40, "f"));
        made.groups.members = vec![members];
        made
    }

    #[test]
    fn a_group_is_compared_over_its_own_shoppers_and_a_small_one_is_not() {
        let noise = |user: u32| f64::from(user % 7) / 7.0;
        // The north gains, the south loses.
        let mine = with_regions("v2", move |user| noise(user) + if user < 35 { 0.1 } else { -0.1 });
        let found = difference(&mine, &with_regions("v1", noise), 1).unwrap();
        let row = |name: &str| found.rows.iter().find(|row| row.name == name).unwrap();
        let north = row("group/region/north");
        assert_eq!((north.verdict, north.n), (DifferenceWord::Higher, 40));
        assert!((north.difference.unwrap() - 0.1).abs() < 0.002 && north.low <= north.difference, "{north:?}");
        let worst = row("worst-group/region");
        assert_eq!((worst.difference, worst.label.as_str()), (north.difference, "worst group by region: north"));
        let south = row("group/region/south");
        assert_eq!((south.difference, south.p, south.value, south.verdict), (None, None, None, DifferenceWord::Lower));
        for bound in [south.low.unwrap() * 20.0, south.high.unwrap() * 20.0] {
            assert!((bound - bound.round()).abs() < 1e-9, "no multiple of .05: {south:?}");
        }
        let hidden = row("group/region/(too few)");
        assert_eq!((hidden.low, hidden.n, hidden.verdict), (None, 0, DifferenceWord::NoInterval));
        assert!(hidden.undefined.as_ref().unwrap().starts_with("suppressed"));
    }

    #[test]
    fn a_group_of_which_both_measured_too_few_is_suppressed() {
        let noise = |user: u32| f64::from(user % 7) / 7.0;
        let (mine, mut theirs) = (with_regions("v2", noise), with_regions("v1", noise));
        theirs.groups.members[0].users.iter_mut().skip(9).for_each(|user| *user += 1_000);
        let found = difference(&mine, &theirs, 1).unwrap();
        let north = found.rows.iter().find(|row| row.name == "group/region/north").unwrap();
        assert_eq!((north.value, north.difference, north.low), (None, None, None));
    }

    fn word(mine: impl Fn(u32) -> f64, theirs: impl Fn(u32) -> f64) -> DifferenceRow {
        difference(&computed("v2", 1, mine), &computed("v1", 1, theirs), 1).unwrap().rows.remove(0)
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
        let rows = difference(&computed("v2", 1, |_| 0.4), &computed("v1", 1, |_| 0.2), 1).unwrap().rows;
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
        let rows = difference(&mine, &theirs, 1).unwrap().rows;
        assert_eq!((rows[1].value, rows[1].difference), (None, None));
        assert_eq!(rows[1].undefined.as_deref(), Some("v2 has no such row"));
    }

    #[test]
    fn different_windows_are_refused() {
        let refused = difference(&computed("v2", 1, |_| 0.4), &computed("v1", 2, |_| 0.4), 1).unwrap_err();
        assert_eq!(refused.code, Code::DifferentWindows);
    }
}
