//! The account of an import: every line read ends in exactly one of accepted, duplicate, skipped by a rule, rejected.

use mercer_shared::problem::Code;
use mercer_shared::wire::{ImportReport, ReasonCount, RuleCount};

/// First line numbers that are kept of each rule and reason.
const FIRST: usize = 5;

/// What became of one document that was handed to the sink.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is in the store now and was not before.
    Accepted,
    /// It was there already.
    Duplicate,
    /// It was refused.
    Rejected(Code, String),
}

/// Counts lines into a report.
#[derive(Debug, Default)]
pub struct Account {
    /// The report so far.
    pub report: ImportReport,
}

impl Account {
    /// A line was read.
    pub const fn read(&mut self) {
        self.report.lines += 1;
    }

    /// A rule of the preset left the line out.
    pub fn skipped(&mut self, rule: &str, line: u64) {
        let place = self.report.skipped.iter().position(|known| known.rule == rule);
        let place = place.unwrap_or_else(|| {
            self.report.skipped.push(RuleCount { rule: rule.to_owned(), count: 0, first_lines: Vec::new() });
            self.report.skipped.len() - 1
        });
        let known = &mut self.report.skipped[place];
        known.count += 1;
        if known.first_lines.len() < FIRST {
            known.first_lines.push(line);
        }
    }

    /// The line was refused.
    pub fn rejected(&mut self, code: Code, reason: String, line: u64) {
        let place = self.report.rejected.iter().position(|known| known.code == code);
        let place = place.unwrap_or_else(|| {
            self.report.rejected.push(ReasonCount { code, reason, count: 0, first_lines: Vec::new() });
            self.report.rejected.len() - 1
        });
        let known = &mut self.report.rejected[place];
        known.count += 1;
        if known.first_lines.len() < FIRST {
            known.first_lines.push(line);
        }
    }

    /// The sink answered for the line.
    pub fn outcome(&mut self, outcome: Outcome, line: u64) {
        match outcome {
            Outcome::Accepted => self.report.accepted += 1,
            Outcome::Duplicate => self.report.duplicates += 1,
            Outcome::Rejected(code, reason) => self.rejected(code, reason, line),
        }
    }
}
