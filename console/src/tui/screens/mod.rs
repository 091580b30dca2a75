//! The screens, listed once in the order of their numbers.

pub(crate) mod log;
mod mitigation_detail;
mod mitigation_questions;
pub(crate) mod mitigations;
mod model_detail;
pub(crate) mod models;
pub(crate) mod overview;
mod profile;
mod report_explanations;
mod report_rows;
mod reports;
pub(crate) mod search;
mod served;
pub(crate) mod training;
pub(crate) mod users;

use super::commands::Commands;
use super::screen::Screen;

/// All screens in their first state. Adding one here is all that makes it part of the console.
pub(crate) fn all() -> Vec<Box<dyn Screen>> {
    vec![
        Box::<overview::Overview>::default(),
        Box::<users::Users>::default(),
        Box::<search::Search>::default(),
        Box::<training::Training>::default(),
        Box::<models::Models>::default(),
        Box::<reports::Reports>::default(),
        Box::<log::Log>::default(),
        Box::<mitigations::Mitigations>::default(),
    ]
}

/// The manual of the console's keys in Markdown.
pub(crate) fn manual() -> String {
    Commands::new(all().iter().map(|screen| screen.about()).collect()).manual()
}
