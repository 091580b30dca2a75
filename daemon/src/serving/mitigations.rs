//! What operators set: mitigations of placements, with history and undo. Changes are stored before they take effect.

use mercer_shared::problem::{Code, Problem};
use mercer_shared::time::Timestamp;
use mercer_shared::wire::{
    Mitigation, MitigationAction, MitigationPrice, MitigationRevision, MitigationSettings, Placement, PriceStatus,
    Reranker,
};
use mercer_store::DocKind;

use crate::serving::mitigation_notes::unmet;
use crate::serving::mitigation_rules::check;
use crate::state::app::{App, Peer};
use crate::state::mitigations::MitigationHistory;
use crate::state::problems::{Answer, internal, store_problem};

/// The mitigations of all placements for which something was ever set, without their histories.
///
/// # Errors
/// The store's.
pub fn list(app: &App) -> Answer<Vec<Mitigation>> {
    let history = app.mitigations.history().clone();
    let all = history.placements.iter().map(|(placement, revisions)| {
        let placement = Placement::new(placement.as_str()).map_err(|error| internal(&error))?;
        Ok(Mitigation { history: Vec::new(), ..described(app, placement, revisions)? })
    });
    all.collect()
}

/// The mitigations of a placement with their history.
///
/// # Errors
/// `unknown-placement` where nothing was ever set.
pub fn show(app: &App, placement: &Placement) -> Answer<Mitigation> {
    let history = app.mitigations.history().clone();
    let revisions = history.placements.get(placement.as_str()).ok_or_else(|| unknown(placement))?;
    described(app, placement.clone(), revisions)
}

fn unknown(placement: &Placement) -> Problem {
    Problem::new(Code::UnknownPlacement, format!("nothing was ever set for `{placement}`: its lists are plain"))
}

fn described(app: &App, placement: Placement, revisions: &[MitigationRevision]) -> Answer<Mitigation> {
    let (current, earlier) = revisions.split_last().ok_or_else(|| unknown(&placement))?;
    let price = price(app, &placement, &current.rerankers)?;
    let serving = &app.view().model.meta.version;
    let price_status = match &price {
        _ if current.rerankers.is_empty() => PriceStatus::Off,
        None => PriceStatus::NotMeasured,
        Some(price) if price.model == *serving => PriceStatus::Measured,
        Some(_) => PriceStatus::OtherVersion,
    };
    let history = earlier.iter().rev().cloned().collect();
    let notes = unmet(&app.view(), &current.rerankers);
    Ok(Mitigation { placement, current: current.clone(), price_status, price, notes, history })
}

/// The key of the price of re-rankers at a placement.
pub(crate) fn price_key(placement: &Placement, rerankers: &[Reranker]) -> Answer<String> {
    let text = serde_json::to_vec(rerankers).map_err(|error| internal(&error))?;
    Ok(format!("{placement}/{}", &blake3::hash(&text).to_hex()[..32]))
}

/// The price that was measured last for these re-rankers at a placement.
fn price(app: &App, placement: &Placement, rerankers: &[Reranker]) -> Answer<Option<MitigationPrice>> {
    if rerankers.is_empty() {
        return Ok(None);
    }
    let key = price_key(placement, rerankers)?;
    app.store.get_doc(DocKind::MitigationPrice, &key).map_err(|error| store_problem(&error))
}

/// Sets the mitigations of a placement. The answer carries their price, if it was measured.
///
/// # Errors
/// What is wrong with them (see `mitigation_rules`), or the store's. Nothing is changed then.
pub fn set(app: &App, peer: Peer, placement: &Placement, settings: MitigationSettings) -> Answer<Mitigation> {
    check(&app.view(), &settings)?;
    let action = if settings.rerankers.is_empty() { MitigationAction::Off } else { MitigationAction::Set };
    change(app, peer, placement, |history| {
        let before = history.current(placement.as_str()).map(|current| current.version);
        Ok(Some(Draft { rerankers: settings.rerankers, note: settings.note, action, before }))
    })
}

/// Turns the mitigations of a placement off. Does nothing where they are off.
///
/// # Errors
/// `unknown-placement` where nothing was ever set, or the store's.
pub fn off(app: &App, peer: Peer, placement: &Placement) -> Answer<Mitigation> {
    change(app, peer, placement, |history| {
        let current = history.current(placement.as_str()).ok_or_else(|| unknown(placement))?;
        let before = Some(current.version);
        let draft = Draft { rerankers: Vec::new(), note: None, action: MitigationAction::Off, before };
        Ok((!current.rerankers.is_empty()).then_some(draft))
    })
}

/// Brings back what was in force before the current revision. An undo of an undo goes back one more.
///
/// # Errors
/// `unknown-placement`, `conflict` where nothing lies before, or the store's.
pub fn undo(app: &App, peer: Peer, placement: &Placement) -> Answer<Mitigation> {
    change(app, peer, placement, |history| undone(history, placement).map(Some))
}

/// What an undo brings back.
fn undone(history: &MitigationHistory, placement: &Placement) -> Answer<Draft> {
    let revisions = history.placements.get(placement.as_str()).ok_or_else(|| unknown(placement))?;
    let current = revisions.last().ok_or_else(|| unknown(placement))?;
    let action = MitigationAction::Undo;
    match current.before {
        Some(version) => {
            let found = revisions.iter().find(|revision| revision.version == version);
            let target = found.ok_or_else(|| nothing_before(placement, "its history is no longer kept"))?;
            Ok(Draft { rerankers: target.rerankers.clone(), note: None, action, before: target.before })
        }
        None if current.rerankers.is_empty() => Err(nothing_before(placement, "nothing is on")),
        None => Ok(Draft { rerankers: Vec::new(), note: None, action, before: None }),
    }
}

fn nothing_before(placement: &Placement, why: &str) -> Problem {
    Problem::new(Code::Conflict, format!("nothing to undo at `{placement}`: {why}"))
}

/// A revision before it has a number.
struct Draft {
    rerankers: Vec<Reranker>,
    note: Option<String>,
    action: MitigationAction,
    before: Option<u64>,
}

/// Appends a revision and returns its version.
fn append(history: &mut MitigationHistory, placement: &Placement, draft: Draft, uid: u32) -> u64 {
    let Draft { rerankers, note, action, before } = draft;
    let version = history.current(placement.as_str()).map_or(0, |current| current.version) + 1;
    let (changed, uid) = (Timestamp::now(), Some(uid));
    let revision = MitigationRevision { version, rerankers, action, changed, uid, note, before };
    history.push(placement.as_str(), revision);
    version
}

/// Makes a change: stored, then in force, then in the audit log with what was before and after. Without a draft nothing changes.
fn change(
    app: &App,
    peer: Peer,
    placement: &Placement,
    draft: impl FnOnce(&MitigationHistory) -> Answer<Option<Draft>>,
) -> Answer<Mitigation> {
    app.writable()?;
    let mut locked = app.mitigations.history();
    let Some(draft) = draft(&locked)? else {
        drop(locked);
        return show(app, placement);
    };
    let mut history = locked.clone();
    let was = history.current(placement.as_str()).map(|current| current.rerankers.clone()).unwrap_or_default();
    let (action, rerankers) = (draft.action, draft.rerankers.clone());
    let version = append(&mut history, placement, draft, peer.uid);
    app.store.put_setting(&history).map_err(|error| store_problem(&error))?;
    app.mitigations.put(&mut locked, history);
    drop(locked);
    let word = match action {
        MitigationAction::Set => "mitigation-set",
        MitigationAction::Off => "mitigation-off",
        MitigationAction::Undo => "mitigation-undo",
    };
    let json = |rerankers: &[Reranker]| serde_json::to_string(rerankers).unwrap_or_default();
    let detail = format!("version {version}; before {}; after {}", json(&was), json(&rerankers));
    app.audit(Some(peer), word, placement.as_str(), detail);
    show(app, placement)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::mitigations::REVISIONS;

    fn set(history: &mut MitigationHistory, placement: &Placement, lambda: f64) {
        let before = history.current(placement.as_str()).map(|current| current.version);
        let rerankers = vec![Reranker::Mmr { lambda }];
        append(history, placement, Draft { rerankers, note: None, action: MitigationAction::Set, before }, 7);
    }

    /// Undoes and returns what is in force then.
    fn undo(history: &mut MitigationHistory, placement: &Placement) -> Result<Vec<Reranker>, Code> {
        let draft = undone(history, placement).map_err(|problem| problem.code)?;
        append(history, placement, draft, 7);
        Ok(history.current(placement.as_str()).unwrap().rerankers.clone())
    }

    #[test]
    fn undo_goes_back_one_by_one_and_ends_with_nothing() {
        let (mut history, home) = (MitigationHistory::default(), Placement::new("home").unwrap());
        assert_eq!(undo(&mut history, &home), Err(Code::UnknownPlacement));
        for lambda in [0.1, 0.2, 0.3] {
            set(&mut history, &home, lambda);
        }
        assert_eq!(undo(&mut history, &home).unwrap(), [Reranker::Mmr { lambda: 0.2 }]);
        assert_eq!(undo(&mut history, &home).unwrap(), [Reranker::Mmr { lambda: 0.1 }]);
        assert_eq!(undo(&mut history, &home).unwrap(), []);
        assert_eq!(undo(&mut history, &home), Err(Code::Conflict));
        // After a new change, an undo restores what was before that change.
        set(&mut history, &home, 0.9);
        assert_eq!(undo(&mut history, &home).unwrap(), []);
        assert_eq!(history.current("home").unwrap().version, 8, "every change is a version of its own");
    }

    #[test]
    fn the_history_is_bounded_and_an_undo_beyond_it_is_refused() {
        let (mut history, home) = (MitigationHistory::default(), Placement::new("home").unwrap());
        for n in 0..REVISIONS + 20 {
            set(&mut history, &home, n as f64 / 1000.0);
        }
        assert_eq!(history.placements["home"].len(), REVISIONS);
        let undos = (0..REVISIONS).take_while(|_| undo(&mut history, &home).is_ok()).count();
        assert!(undos > REVISIONS / 3 && undos < REVISIONS, "{undos}");
        assert_eq!(undo(&mut history, &home), Err(Code::Conflict));
    }
}
