//! What the shop's daemon answers to each question of the console.

use mercer_shared::wire::*;

use super::fixture_mitigations::{mitigation, placements, price};
use super::fixture_reports::report;
use super::fixtures::{at, gate, list, models, profile, run, status, users};
use crate::tui::ask::{Answer, Ask};

/// The run before the one in progress.
fn done() -> Run {
    Run {
        id: "r000011".into(),
        state: RunState::Succeeded,
        phase: RunPhase::Done,
        gate: Some(gate(GateVerdict::Promote)),
        model: Some("v000002".into()),
        created: at("2026-03-02T08:40:00Z"),
        started: Some(at("2026-03-02T08:40:00Z")),
        ended: Some(at("2026-03-02T08:59:00Z")),
        ..run()
    }
}

fn decision() -> Decision {
    Decision {
        seq: 1,
        at: at("2026-03-02T03:12:00Z"),
        saw: "5,120 new interactions".into(),
        rule: "train after 5,000".into(),
        action: "train".into(),
        outcome: Some("r000011 promoted v000002".into()),
    }
}

fn change() -> AuditEntry {
    AuditEntry {
        seq: 1,
        at: at("2026-03-02T09:00:00Z"),
        uid: Some(1000),
        pid: Some(99),
        action: "promote".into(),
        target: "v000002".into(),
        detail: "was v000001".into(),
    }
}

/// The answer to a question; none to an order, which would change what is shown.
pub(super) fn answer(ask: &Ask) -> Option<Answer> {
    Some(match ask {
        Ask::Status => Answer::Status(Box::new(status())),
        Ask::Users { .. } => Answer::Users(users()),
        Ask::Profile(_) => Answer::Profile(Box::new(profile())),
        Ask::Recommend { .. } | Ask::Search { .. } | Ask::Related(_) => Answer::List(Box::new(list())),
        Ask::Runs => Answer::Runs(vec![run(), done()]),
        Ask::Run(_) => Answer::Run(Box::new(run())),
        Ask::Models => Answer::Models(models()),
        Ask::Report(kind) => Answer::Report(Box::new(report(*kind))),
        Ask::Decisions => Answer::Decisions(vec![decision()]),
        Ask::Audit => Answer::Audit(vec![change()]),
        Ask::Mitigations => Answer::Mitigations(placements()),
        Ask::Mitigation(_) => Answer::Mitigation(Box::new(mitigation())),
        Ask::PriceMitigation(draft) => Answer::Price(Box::new(price(draft.settings.rerankers.clone()))),
        Ask::SetMitigation(_) | Ask::UndoMitigation(_) | Ask::MitigationOff(_) => return None,
        Ask::Train(_) | Ask::Cancel(_) | Ask::Promote(_) | Ask::Rollback | Ask::Pin(..) => return None,
    })
}
