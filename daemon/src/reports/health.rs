//! Number 12 of the operators' numbers: how much of the traffic a report rests on, and what limits it.

use std::collections::BTreeSet;

use mercer_shared::wire::{GroupTable, ReportRow, Verdict};

use crate::reports::evaluated::Evaluated;
use crate::reports::rows::plain_row;

/// Share of the shoppers of the window below which the other numbers speak for few.
const LEAST_COVERED: f64 = 0.2;
/// Shoppers below which intervals are too wide to tell anything.
const LEAST_USERS: usize = 100;

/// What limits a report.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Limits {
    /// Shoppers measured.
    pub(crate) measured: usize,
    /// Shoppers with a purchase in the window, known or not.
    pub(crate) active: usize,
    /// Rows of tables that are suppressed.
    pub(crate) suppressed: usize,
    /// Largest share of `unknown` in a table of a declared attribute.
    pub(crate) unknown: Option<f64>,
}

impl Limits {
    pub(crate) fn of(evaluated: &Evaluated<'_>, tables: &[GroupTable]) -> Self {
        let (log, window) = (&evaluated.view.rank.log, evaluated.window);
        let target = evaluated.snapshot.index.summary().target;
        let bought = |user: &u32| log.between(*user, window.cutoff, window.end).iter().any(|e| e.is_positive(target));
        let rows = || tables.iter().flat_map(|table| &table.groups);
        let unknown = rows().filter(|row| row.group == mercer_reports::groups::UNKNOWN).filter_map(|row| row.share);
        Self {
            measured: evaluated.any.users.iter().collect::<BTreeSet<_>>().len(),
            active: (0..log.users() as u32).filter(|user| bought(user)).count(),
            suppressed: rows().filter(|row| row.suppressed).count(),
            unknown: unknown.reduce(f64::max),
        }
    }

    /// The row, and whether the other numbers are unreliable.
    pub(crate) fn row(self) -> ReportRow {
        let covered = (self.active > 0).then(|| self.measured as f64 / self.active as f64);
        let formula = "shoppers measured / shoppers with a purchase in the window; new ones and those beyond the sample of 5,000 are not \
                       measured, those who refused training only in a table of their own; unhealthy below 20 % or below 100 shoppers";
        let healthy = self.measured >= LEAST_USERS && covered.is_some_and(|share| share >= LEAST_COVERED);
        let row = plain_row(
            "report-health",
            "report health: share of active shoppers measured",
            covered,
            self.measured,
            formula,
        );
        ReportRow {
            number: Some(12),
            n_total: Some(self.active as u64),
            undefined: covered.is_none().then(|| "no shopper bought anything in the window".to_owned()),
            verdict: Some(if healthy { Verdict::Healthy } else { Verdict::Unhealthy }),
            ..row
        }
    }

    /// The parts that are not in the row, in words.
    pub(crate) fn words(self) -> String {
        let measured = format!("health: {} of {} active shoppers are measured", self.measured, self.active);
        // Without tables of groups nothing is known of attributes and suppressed groups: the fairness report has them.
        let Some(share) = self.unknown else { return measured };
        let unknown = format!(
            "up to {:.0} % of the shoppers did not declare an attribute or did not agree to audits",
            100.0 * share
        );
        let groups = match self.suppressed {
            0 => "no group is suppressed".to_owned(),
            1 => "1 group is suppressed".to_owned(),
            many => format!("{many} groups are suppressed"),
        };
        format!("{measured}; {unknown}; {groups}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_on_few_shoppers_is_unhealthy() {
        let limits = Limits { measured: 500, active: 1_000, suppressed: 1, unknown: Some(0.31) };
        let row = limits.row();
        assert_eq!(
            (row.value, row.verdict, row.number, row.n_total),
            (Some(0.5), Some(Verdict::Healthy), Some(12), Some(1_000))
        );
        assert!(limits.words().contains("up to 31 %") && limits.words().contains("1 group is suppressed"));
        assert_eq!(Limits { measured: 150, ..limits }.row().verdict, Some(Verdict::Unhealthy));
        assert_eq!(Limits { measured: 99, active: 99, ..limits }.row().verdict, Some(Verdict::Unhealthy));
        assert_eq!(Limits { measured: 0, active: 0, ..limits }.row().value, None);
    }
}
