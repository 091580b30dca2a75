//! Stored reports of older programs: names of small groups and exact numbers are taken out when they are read.

use std::collections::BTreeSet;

use mercer_reports::groups::UNKNOWN;
use mercer_reports::small_groups::{rounded_mean, rounded_size};
use mercer_shared::wire::{GroupRow, Report, ReportRow};

use crate::reports::rounding::LEAST;

/// What a table says instead of the name of a group of fewer than ten.
const TOO_FEW: &str = "(too few)";

/// Takes out what a report of today does not tell.
pub(super) fn protect(report: &mut Report) {
    hide_small_groups(report);
    round_groups(report);
}

/// Takes the names of groups of fewer than ten out of a report of an older program: the value that so few declared may name one of them.
fn hide_small_groups(report: &mut Report) {
    let mut hidden = BTreeSet::new();
    for table in &mut report.groups {
        let mut has_hidden = false;
        table.groups.retain_mut(|row| {
            let is_small = row.suppressed || row.n.is_some_and(|n| n < LEAST as u64);
            if is_small && row.group != UNKNOWN && row.group != TOO_FEW {
                hidden.insert(std::mem::replace(&mut row.group, TOO_FEW.to_owned()));
            }
            if is_small {
                let group = std::mem::take(&mut row.group);
                *row = GroupRow { group, suppressed: true, compared: row.compared, ..GroupRow::default() };
            }
            let repeated = row.group == TOO_FEW && std::mem::replace(&mut has_hidden, true);
            !repeated
        });
    }
    let without =
        |text: &str| -> String { hidden.iter().fold(text.to_owned(), |text, name| without_word(&text, name)) };
    for table in &mut report.groups {
        let mut names: Vec<String> = Vec::new();
        for name in &table.not_compared {
            let name = if hidden.contains(name) { TOO_FEW } else { name.as_str() };
            if !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
            }
        }
        table.not_compared = names;
        if table.worst.as_ref().is_some_and(|name| hidden.contains(name)) {
            table.worst = None;
        }
    }
    for note in &mut report.notes {
        *note = without(note);
    }
    for row in report.rows.iter_mut().chain(&mut report.summary) {
        row.undefined = row.undefined.take().map(|text| without(&text));
    }
}

/// A text without a name that stands in it as a word.
fn without_word(text: &str, name: &str) -> String {
    let is_part = |letter: Option<char>| letter.is_some_and(|letter| letter.is_alphanumeric() || letter == '_');
    let (mut out, mut from) = (String::with_capacity(text.len()), 0);
    for (at, _) in text.match_indices(name).filter(|(_, found)| !found.is_empty()) {
        let end = at + name.len();
        if !is_part(text[..at].chars().next_back()) && !is_part(text[end..].chars().next()) {
            out.push_str(&text[from..at]);
            out.push_str("a small group");
            from = end;
        }
    }
    out.push_str(&text[from..]);
    out
}

/// Rounds what an older program told of groups: beside a new report it would tell which group a shopper left.
fn round_groups(report: &mut Report) {
    for group in report.groups.iter_mut().flat_map(|table| &mut table.groups) {
        group.n = group.n.map(|n| rounded_size(n as usize) as u64);
        for number in [&mut group.mean, &mut group.low, &mut group.high] {
            *number = number.map(rounded_mean);
        }
    }
    for table in &mut report.groups {
        table.gap = table.gap.map(rounded_mean);
        let total: u64 = table.groups.iter().filter_map(|group| group.n).sum();
        for group in &mut table.groups {
            group.share = group.n.filter(|_| total > 0).map(|n| n as f64 / total as f64);
        }
        table.rounded = true;
    }
    let of_groups = |row: &&mut ReportRow| {
        ["worst-group/", "gap/", "popularity-lift/", "heavy-minus-new"].iter().any(|name| row.name.starts_with(name))
    };
    for row in report.rows.iter_mut().chain(&mut report.summary).filter(of_groups) {
        row.n = rounded_size(row.n as usize) as u64;
        for number in [&mut row.value, &mut row.low, &mut row.high] {
            *number = number.map(rounded_mean);
        }
    }
}

#[cfg(test)]
mod tests {
    use mercer_shared::time::Timestamp;
    use mercer_shared::wire::{GroupTable, ReportKind};

    use super::*;

    fn group(name: &str, n: Option<u64>) -> GroupRow {
        GroupRow {
            group: name.to_owned(),
            n,
            suppressed: n.is_none(),
            mean: n.map(|_| 0.123_456),
            ..GroupRow::default()
        }
    }

    #[test]
    fn names_of_small_groups_are_taken_out_and_numbers_rounded() {
        let table = GroupTable {
            attribute: "region".to_owned(),
            groups: vec![
                group("north", Some(4_321)),
                group("tiny", None),
                group("islet", Some(7)),
                group("unknown", None),
            ],
            not_compared: vec!["tiny".to_owned(), "islet".to_owned(), "unknown".to_owned()],
            worst: Some("tiny".to_owned()),
            ..GroupTable::default()
        };
        let mut report = Report {
            groups: vec![table],
            notes: vec!["region: not compared: tiny, islet".to_owned(), "tinyware sells".to_owned()],
            ..Report::new(ReportKind::Fairness, "v000001", Timestamp::at(0))
        };
        protect(&mut report);
        let table = &report.groups[0];
        let names: Vec<&str> = table.groups.iter().map(|row| row.group.as_str()).collect();
        assert_eq!(names, ["north", TOO_FEW, "unknown"]);
        assert!(table.groups[1].n.is_none() && table.groups[1].mean.is_none() && table.groups[1].suppressed);
        assert_eq!(table.not_compared, [TOO_FEW, "unknown"]);
        assert_eq!(table.worst, None);
        assert_eq!(report.notes, ["region: not compared: a small group, a small group", "tinyware sells"]);
        assert_ne!((table.groups[0].n, table.groups[0].mean), (Some(4_321), Some(0.123_456)));
    }
}
