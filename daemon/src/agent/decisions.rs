//! Writes decisions of the agent to the store and to the event stream.

use mercer_shared::time::Timestamp;
use mercer_shared::wire::{Decision, EventKind};
use mercer_store::DocKind;

use crate::state::app::App;

/// Writes a decision down, with what came of it where that is known at once.
pub(super) fn record(
    app: &App,
    saw: String,
    rule: String,
    action: String,
    outcome: Option<String>,
) -> Option<Decision> {
    let seq = app.store.next_number(DocKind::Decision).ok()?;
    let decision = Decision { seq, at: Timestamp::now(), saw, rule, action, outcome };
    write(app, &decision);
    Some(decision)
}

/// Writes a decision, or what became known of it, over the one of its number.
pub(super) fn write(app: &App, decision: &Decision) {
    match app.store.put_decision(decision) {
        Ok(()) => app.tell(EventKind::Decision(Box::new(decision.clone()))),
        Err(error) => tracing::error!(%error, "a decision could not be written"),
    }
}
