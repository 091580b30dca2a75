//! The numbers of earlier reports beside those of a new one: of the version before, and over versions and time.

use mercer_shared::wire::{PreviousValue, Report, ReportRow, RowTrend, Verdict};

/// Points of a trend.
const POINTS: usize = 12;

/// Adds to each row what earlier reports of the kind, newest first, say of it. The version before is the newest other one among
/// them that ever served, preferred on the window of the report: a candidate that was rejected was never before shoppers.
pub(crate) fn add(report: &mut Report, earlier: &[Report], served: impl Fn(&str) -> bool) {
    let before = version_before(report, earlier, served).cloned();
    let (rows, summary) = (std::mem::take(&mut report.rows), std::mem::take(&mut report.summary));
    let with_earlier = |rows: Vec<ReportRow>| -> Vec<ReportRow> {
        rows.into_iter().map(|row| with(row, report, before.as_ref(), earlier)).collect()
    };
    let (rows, summary) = (with_earlier(rows), with_earlier(summary));
    (report.rows, report.summary) = (rows, summary);
}

fn same_window(one: &Report, other: &Report) -> bool {
    (one.from, one.to) == (other.from, other.to)
}

fn version_before<'a>(report: &Report, earlier: &'a [Report], served: impl Fn(&str) -> bool) -> Option<&'a Report> {
    let newest = earlier.iter().find(|other| other.model != report.model && served(&other.model))?;
    earlier.iter().find(|other| other.model == newest.model && same_window(other, report)).or(Some(newest))
}

fn with(row: ReportRow, report: &Report, before: Option<&Report>, earlier: &[Report]) -> ReportRow {
    let of = |other: &Report| {
        other.rows.iter().chain(&other.summary).find(|one| one.name == row.name).and_then(|one| one.value)
    };
    let previous = before.and_then(|before| {
        let (value, same_window) = (of(before)?, same_window(before, report));
        let verdict = if same_window { change(&row, value) } else { None };
        Some(PreviousValue { model: before.model.clone(), value, same_window, verdict })
    });
    let mut trend: Vec<RowTrend> = earlier
        .iter()
        .filter_map(|other| Some(RowTrend { model: other.model.clone(), created: other.created, value: of(other)? }))
        .take(POINTS)
        .collect();
    trend.reverse();
    ReportRow { previous, trend, ..row }
}

/// Whether the value of the version before lies outside the interval of the row.
fn change(row: &ReportRow, previous: f64) -> Option<Verdict> {
    match (row.low?, row.high?) {
        (low, _) if previous < low => Some(Verdict::HigherThanBefore),
        (_, high) if previous > high => Some(Verdict::LowerThanBefore),
        _ => Some(Verdict::WithinNoise),
    }
}

/// What changed, in words, so that a promotion that narrows the lists is said, not only shown.
pub(crate) fn notes(report: &Report) -> Vec<String> {
    let changed = report.rows.iter().chain(&report.summary).filter_map(|row| {
        let previous = row.previous.as_ref()?;
        let word = match previous.verdict? {
            Verdict::HigherThanBefore => "rose",
            Verdict::LowerThanBefore => "fell",
            _ => return None,
        };
        let (name, model) = (&row.name, &previous.model);
        Some(format!("{name} {word} from {} ({model}) to {}", short(previous.value), short(row.value?)))
    });
    let mut notes: Vec<String> = changed.collect();
    notes.sort();
    notes.dedup();
    notes
}

fn short(value: f64) -> String {
    if value.abs() >= 100.0 { format!("{value:.0}") } else { format!("{value:.3}") }
}

#[cfg(test)]
mod tests {
    use mercer_shared::time::Timestamp;
    use mercer_shared::wire::ReportKind;

    use super::*;

    fn report(model: &str, day: i64, effective: f64) -> Report {
        let row = ReportRow {
            name: "effective-items@10".to_owned(),
            value: Some(effective),
            low: Some(effective - 20.0),
            high: Some(effective + 20.0),
            ..ReportRow::default()
        };
        Report { rows: vec![row], ..Report::new(ReportKind::Diversity, model, Timestamp::at(day * 86_400_000)) }
    }

    #[test]
    fn a_promotion_that_cuts_effective_items_is_said() {
        let mut now = report("v000002", 9, 354.0);
        add(&mut now, &[report("v000002", 8, 360.0), report("v000001", 7, 435.0), report("v000001", 3, 430.0)], |_| {
            true
        });
        let row = &now.rows[0];
        let previous = row.previous.as_ref().unwrap();
        assert_eq!((previous.model.as_str(), previous.value, previous.same_window), ("v000001", 435.0, true));
        assert_eq!(previous.verdict, Some(Verdict::LowerThanBefore));
        assert_eq!(row.trend.iter().map(|point| point.value).collect::<Vec<_>>(), [430.0, 435.0, 360.0]);
        assert_eq!(notes(&now), ["effective-items@10 fell from 435 (v000001) to 354"]);
    }

    #[test]
    fn reports_of_two_windows_are_not_compared_without_a_word() {
        let mut before = report("v000001", 7, 435.0);
        before.to = Some(Timestamp::at(5));
        let mut now = report("v000002", 9, 354.0);
        add(&mut now, &[before], |_| true);
        let previous = now.rows[0].previous.clone().unwrap();
        assert_eq!((previous.same_window, previous.verdict), (false, None));
        assert!(notes(&now).is_empty());
        let mut first = report("v000001", 1, 400.0);
        add(&mut first, &[], |_| true);
        assert_eq!((first.rows[0].previous.clone(), first.rows[0].trend.len()), (None, 0));
    }

    #[test]
    fn a_version_that_never_served_is_not_the_one_before() {
        let mut now = report("v000004", 9, 354.0);
        add(&mut now, &[report("v000003", 8, 360.0), report("v000001", 7, 435.0)], |model| model != "v000003");
        assert_eq!(now.rows[0].previous.as_ref().map(|previous| previous.model.as_str()), Some("v000001"));
    }
}
