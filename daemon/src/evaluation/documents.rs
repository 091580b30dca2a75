//! The documents of evaluations.

use mercer_shared::problem::{Code, Problem};
use mercer_shared::wire::{Evaluation, EvaluationSummary, Page, RunState};
use mercer_store::{DocKind, Order};

use crate::state::app::App;
use crate::state::problems::{Answer, store_problem};
use crate::state::run_documents;

/// Evaluations, newest first.
///
/// # Errors
/// `bad-cursor`.
pub fn list(app: &App, cursor: Option<&str>, limit: usize) -> Answer<Page<EvaluationSummary>> {
    app.store.list_docs(DocKind::Evaluation, Order::Newest, cursor, limit).map_err(|e| store_problem(&e))
}

/// One evaluation with every number.
///
/// # Errors
/// `not-found`.
pub fn show(app: &App, id: &str) -> Answer<Evaluation> {
    let found = app.store.get_doc(DocKind::Evaluation, id).map_err(|e| store_problem(&e))?;
    found.ok_or_else(|| match run_documents::run(app, id) {
        Ok(run) if run.state == RunState::Running => Problem::new(Code::NotFound, format!("`{id}` is still at work")),
        _ => Problem::new(Code::NotFound, format!("there is no evaluation `{id}`")),
    })
}
