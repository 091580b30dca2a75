//! Reads the documents of runs. The document of the run in progress comes from memory, because it is newer than the
//! stored one.

use mercer_shared::problem::{Code, Problem};
use mercer_shared::wire::{Page, Run};
use mercer_store::{DocKind, Order};

use crate::state::app::App;
use crate::state::problems::{Answer, store_problem};

pub(crate) fn save(app: &App, run: &Run) {
    if let Err(error) = app.store.put_run(run) {
        tracing::error!(%error, run = run.id, "the run could not be written");
    }
}

/// The run in progress.
#[must_use]
pub fn current(app: &App) -> Option<Run> {
    app.runs.current.lock().clone().filter(|run| !run.state.is_final())
}

/// Runs, newest first.
///
/// # Errors
/// `bad-cursor`.
pub fn runs(app: &App, cursor: Option<&str>, limit: usize) -> Answer<Page<Run>> {
    let mut page: Page<Run> =
        app.store.list_docs(DocKind::Run, Order::Newest, cursor, limit).map_err(|e| store_problem(&e))?;
    if let Some(live) = app.runs.current.lock().clone() {
        for run in page.items.iter_mut().filter(|run| run.id == live.id) {
            *run = live.clone();
        }
    }
    Ok(page)
}

/// One run.
///
/// # Errors
/// `not-found`.
pub fn run(app: &App, id: &str) -> Answer<Run> {
    if let Some(live) = app.runs.current.lock().clone().filter(|run| run.id == id) {
        return Ok(live);
    }
    let found = app.store.get_run(id).map_err(|e| store_problem(&e))?;
    found.ok_or_else(|| Problem::new(Code::NotFound, format!("there is no run `{id}`")))
}
