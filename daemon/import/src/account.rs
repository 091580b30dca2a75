//! The account of an import: every record read ends in exactly one of accepted, duplicate, skipped by a rule, rejected.

use mercer_shared::problem::Code;
use mercer_shared::wire::{ImportReport, ReasonCount, RuleCount};
use rustc_hash::FxHashMap;

use crate::validate::Refusal;

/// First line numbers that are kept of each rule and reason.
const FIRST: usize = 5;
/// Refusals inside documents that are named with their place, for each code.
const FIRST_PLACED: usize = 20;

/// Outcome of one document that was handed to the sink.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is in the store now and was not before, or changed what is there.
    Accepted,
    /// It was there already.
    Duplicate,
    /// It was refused.
    Rejected(Code, String),
}

impl Outcome {
    /// The outcome of a line, from the outcomes of its documents: accepted if any was accepted, else refused if any was
    /// refused.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Accepted, _) | (_, Self::Accepted) => Self::Accepted,
            (Self::Duplicate, other) => other,
            (refused, _) => refused,
        }
    }
}

/// Counts records into a report.
#[derive(Debug, Default)]
pub(crate) struct Account {
    /// The report so far.
    pub(crate) report: ImportReport,
    /// Refusals named with their place so far, by code.
    placed: FxHashMap<Code, usize>,
}

/// Records a line number among the first ones. They stay sorted even if two passes find them.
fn note(first: &mut Vec<u64>, line: u64) {
    let place = first.partition_point(|known| *known <= line);
    if place < FIRST {
        first.insert(place, line);
        first.truncate(FIRST);
    }
}

impl Account {
    /// The account of an import whose report begins so.
    pub(crate) fn new(report: ImportReport) -> Self {
        Self { report, placed: FxHashMap::default() }
    }

    /// A rule of the preset left the record out.
    pub(crate) fn skipped(&mut self, rule: &str, line: u64) {
        self.report.lines += 1;
        let rules = &mut self.report.skipped;
        let place = rules.iter().position(|known| known.rule == rule).unwrap_or_else(|| {
            rules.push(RuleCount { rule: rule.to_owned(), count: 0, first_lines: Vec::new() });
            rules.len() - 1
        });
        rules[place].count += 1;
        note(&mut rules[place].first_lines, line);
    }

    /// So many records that begin at this line ended so.
    pub(crate) fn ended(&mut self, outcome: Outcome, line: u64, records: u64) {
        self.report.lines += records;
        let (code, reason) = match outcome {
            Outcome::Accepted => return self.report.accepted += records,
            Outcome::Duplicate => return self.report.duplicates += records,
            Outcome::Rejected(code, reason) => (code, reason),
        };
        let reasons = &mut self.report.rejected;
        let place = reasons.iter().position(|known| known.code == code).unwrap_or_else(|| {
            reasons.push(ReasonCount { code, reason, count: 0, first_lines: Vec::new() });
            reasons.len() - 1
        });
        reasons[place].count += records;
        note(&mut reasons[place].first_lines, line);
    }

    /// The record was refused.
    pub(crate) fn refused(&mut self, refusal: Refusal, line: u64) {
        self.ended(Outcome::Rejected(refusal.code, refusal.detail), line, 1);
    }

    /// Counts a refused record inside a document. Line numbers do not distinguish such records, so the reason names
    /// their places (the first [`FIRST_PLACED`] of each code).
    pub(crate) fn refused_at(&mut self, refusal: Refusal, line: u64, place: &str) {
        let Refusal { code, detail } = refusal.at(place);
        let known = self.report.rejected.iter_mut().find(|known| known.code == code);
        let placed = self.placed.entry(code).or_default();
        *placed += 1;
        if let Some(known) = known {
            match *placed {
                n if n <= FIRST_PLACED => known.reason = format!("{}; {detail}", known.reason),
                n if n == FIRST_PLACED + 1 => known.reason.push_str("; ..."),
                _ => {}
            }
        }
        self.ended(Outcome::Rejected(code, detail), line, 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_five_lines_are_kept_in_order() {
        let mut account = Account::default();
        for line in [9, 4, 7, 2, 8, 3] {
            account.skipped("rule", line);
        }
        assert_eq!(account.report.skipped[0].first_lines, [2, 3, 4, 7, 8]);
        account.refused(Refusal::new(Code::BadTime, "first"), 5);
        account.refused(Refusal::new(Code::BadTime, "second"), 6);
        account.ended(Outcome::Accepted, 1, 3);
        assert_eq!((account.report.rejected[0].count, account.report.rejected[0].reason.as_str()), (2, "first"));
        assert!(account.report.adds_up() && account.report.lines == 11);
    }

    #[test]
    fn refusals_inside_one_document_name_their_places() {
        let mut account = Account::default();
        for member in 0..30 {
            account.refused_at(Refusal::new(Code::BadTime, "no time"), 1, &format!("events[{member}]"));
        }
        let reason = &account.report.rejected[0];
        assert_eq!((reason.count, &reason.first_lines[..]), (30, &[1; 5][..]));
        assert!(reason.reason.starts_with("events[0]: no time; events[1]: no time; "), "{}", reason.reason);
        assert!(reason.reason.ends_with("events[19]: no time; ..."), "{}", reason.reason);
    }

    #[test]
    fn outcomes_of_one_line() {
        let refused = || Outcome::Rejected(Code::Erased, String::new());
        assert_eq!(Outcome::Duplicate.and(Outcome::Accepted), Outcome::Accepted);
        assert_eq!(Outcome::Duplicate.and(refused()), refused());
        assert_eq!(refused().and(Outcome::Duplicate), refused());
        assert_eq!(Outcome::Duplicate.and(Outcome::Duplicate), Outcome::Duplicate);
    }
}
