//! Tests of the console as a whole: messages in, pictures out.

mod answers;
mod console;

mod fixture_mitigations;
pub(crate) mod fixture_reports;
mod fixtures;
mod link;
mod mitigations;
mod painting;
mod pictures;
mod reports;
mod sizes;
mod steering;
mod table;
