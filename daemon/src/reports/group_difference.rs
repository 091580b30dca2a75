//! The difference of two versions for each group of a table: paired over the shoppers of the group that both versions measured.

use std::collections::HashMap;

use mercer_reports::small_groups::hidden_bounds;
use mercer_reports::table_rounding::{CellSize, TableDraws, interval_step, outward};
use mercer_reports::{PairedComparison, compare_paired};
use mercer_shared::wire::{DifferenceRow, DifferenceWord, GroupRow, GroupTable};

use crate::reports::group_members::{of_table, places};
use crate::reports::rounding::LEAST;
use crate::reports::rows::REPLICATES;
use crate::state::report_cache::{Computed, GroupMembers};

/// One-sided error of the bounds: the two ends of a 95 % interval.
pub(crate) const ALPHA: f64 = 0.025;
/// Finest step of a difference of group means.
const FINEST: f64 = 0.001;

/// The versions whose groups are compared.
#[derive(Clone, Copy)]
pub(crate) struct Versions<'a> {
    pub(crate) mine: &'a Computed,
    pub(crate) theirs: &'a Computed,
    /// Secret seed of the rounding.
    pub(crate) seed: u64,
}

impl Versions<'_> {
    /// One row for each group of each table, in the order of the report.
    pub(crate) fn rows(&self) -> Vec<DifferenceRow> {
        let rows = |table: &GroupTable| -> Vec<DifferenceRow> {
            table.groups.iter().map(|row| self.group(table, row)).collect()
        };
        self.mine.report.groups.iter().flat_map(rows).collect()
    }

    /// The row of the group that is served worst in the report on `mine`; `None` without such a table or group.
    pub(crate) fn worst(&self, attribute: &str) -> Option<DifferenceRow> {
        let table = self.mine.report.groups.iter().find(|table| table.attribute == attribute)?;
        let row = table.groups.iter().find(|row| Some(&row.group) == table.worst.as_ref())?;
        Some(self.group(table, row))
    }

    /// The difference of one group, by the rules of the table: nothing below 10 shoppers, rounded bounds below 30.
    fn group(&self, table: &GroupTable, row: &GroupRow) -> DifferenceRow {
        let other = self.theirs.report.groups.iter().find(|other| other.attribute == table.attribute);
        let against = other.and_then(|other| other.groups.iter().find(|one| one.group == row.group)?.mean);
        let plain = DifferenceRow {
            name: format!("group/{}/{}", table.attribute, row.group),
            label: format!("{}, {}: {}", table.metric, table.attribute, row.group),
            value: row.mean,
            against,
            difference: None,
            low: None,
            high: None,
            p: None,
            minimum_detectable: None,
            n: row.n.unwrap_or(0),
            verdict: DifferenceWord::NoInterval,
            undefined: None,
        };
        let suppressed = || DifferenceRow {
            value: None,
            against: None,
            n: 0,
            undefined: Some(format!("suppressed: fewer than {LEAST} shoppers")),
            ..plain.clone()
        };
        if row.suppressed {
            return suppressed();
        }
        let members = [self.mine, self.theirs].map(|computed| of_table(&computed.groups, &table.attribute));
        let [Some(mine), Some(theirs)] = members else {
            return DifferenceRow { undefined: Some("one of the versions has no such group".to_owned()), ..plain };
        };
        let (values, others) = pairs(mine, &places(mine, table, row), theirs);
        if values.len() < LEAST {
            return suppressed();
        }
        let cells = [CellSize { cell: &row.group, users: values.len() }];
        let draws =
            TableDraws::of(self.seed, &plain.name, cells).with_values(values.iter().chain(&others).flatten().copied());
        match compare_paired(&values, &others, ALPHA, REPLICATES, draws.number("resampling")) {
            Ok(pair) if row.mean.is_some() => told(&pair, &draws, plain),
            Ok(pair) => {
                let bounds = hidden_bounds(pair.interval);
                let undefined = Some("fewer than 30 shoppers: only bounds are told".to_owned());
                let (low, high) = (Some(bounds.low), Some(bounds.high));
                DifferenceRow { low, high, undefined, verdict: word(&pair), ..plain }
            }
            Err(reason) => DifferenceRow { undefined: Some(format!("no interval: {reason}")), ..plain },
        }
    }
}

/// The values of the users at `places` whom the other version measured as well, in both.
fn pairs(mine: &GroupMembers, places: &[usize], theirs: &GroupMembers) -> (Vec<Option<f64>>, Vec<Option<f64>>) {
    let other: HashMap<u32, f64> = theirs.users.iter().copied().zip(theirs.values.iter().copied()).collect();
    let pair = |&place: &usize| Some((Some(mine.values[place]), Some(*other.get(&mine.users[place])?)));
    places.iter().filter_map(pair).unzip()
}

/// The numbers of a group that is large enough, rounded to what the interval supports.
fn told(pair: &PairedComparison, draws: &TableDraws, plain: DifferenceRow) -> DifferenceRow {
    let step = interval_step(pair.interval.low, pair.interval.high).max(FINEST);
    let bounds = outward(pair.interval, step);
    let difference = draws.value("difference", pair.difference, step).clamp(bounds.low, bounds.high);
    let detectable = pair.detectable.value.map(|value| (value / FINEST).ceil() * FINEST);
    DifferenceRow {
        difference: Some(difference),
        low: Some(bounds.low),
        high: Some(bounds.high),
        p: Some(pair.p),
        minimum_detectable: detectable,
        verdict: word(pair),
        ..plain
    }
}

/// What a paired comparison says.
pub(crate) fn word(pair: &PairedComparison) -> DifferenceWord {
    match pair.interval {
        _ if pair.moved == 0.0 => DifferenceWord::Same,
        interval if interval.low > 0.0 => DifferenceWord::Higher,
        interval if interval.high < 0.0 => DifferenceWord::Lower,
        _ => DifferenceWord::NotMeasurable,
    }
}
