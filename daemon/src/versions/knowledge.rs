//! Which versions still know an erased user: those whose training read the user's interactions, until they are deleted.
//!
//! An erasure notes them, and the run that is in progress: what that run makes has read the log before the erasure. A version that
//! is made later has read the log without the user, and its encoder does not start from the adapter of one that knows, so it knows
//! nothing.

use mercer_shared::time::Timestamp;
use mercer_shared::wire::{ErasedUser, RunKind, RunState};
use mercer_store::{Setting, SettingDocument, Store};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::state::app::App;
use crate::state::problems::{Answer, store_problem};
use crate::versions::{cross_encoder, directory, registry};

/// Held from reading the notes to writing them.
static WRITING: Mutex<()> = Mutex::new(());

/// Erased users whom some version still knows.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Knowledge(Vec<ErasedUser>);

impl SettingDocument for Knowledge {
    const SETTING: Setting = Setting::ErasedKnowledge;
}

fn read(store: &Store) -> Answer<Knowledge> {
    Ok(store.get_setting::<Knowledge>().map_err(|e| store_problem(&e))?.unwrap_or_default())
}

fn write(store: &Store, knowledge: &Knowledge) -> Answer<()> {
    store.put_setting(knowledge).map_err(|e| store_problem(&e))
}

/// The run in progress that reads the log, if there is one.
fn reading_run(app: &App) -> Option<String> {
    let current = app.runs.current.lock();
    let run = current.as_ref()?;
    let learns = run.record.kind == RunKind::Train;
    let open = matches!(run.state, RunState::Queued | RunState::Running | RunState::Paused);
    (learns && open).then(|| run.id.clone())
}

/// Notes after an erasure who knows the user: the versions and the cross-encoder that were trained on the log from `first` on, the
/// sequence number of the user's first interaction, and the run in progress.
///
/// # Errors
/// The store's.
pub fn note(app: &App, tombstone: String, at: Timestamp, first: Option<u64>) -> Answer<ErasedUser> {
    let erased = ErasedUser {
        tombstone,
        at,
        versions: registry::saw(app, first),
        cross_encoder: cross_encoder::saw(app, first),
        run: reading_run(app).filter(|_| first.is_some()),
    };
    if !erased.is_forgotten() {
        let _writing = WRITING.lock();
        let mut knowledge = read(&app.store)?;
        knowledge.0.push(erased.clone());
        write(&app.store, &knowledge)?;
    }
    Ok(erased)
}

/// Notes what a run has made: of the users who were erased while it ran, it knows what it read before.
///
/// # Errors
/// The store's.
pub fn made(store: &Store, run: &str, name: &str) -> Answer<()> {
    let _writing = WRITING.lock();
    let mut knowledge = read(store)?;
    let before = knowledge.clone();
    for erased in knowledge.0.iter_mut().filter(|erased| erased.run.as_deref() == Some(run)) {
        if !name.starts_with('v') {
            erased.cross_encoder = Some(name.to_owned());
        } else if !erased.versions.iter().any(|known| known == name) {
            erased.versions.push(name.to_owned());
        }
    }
    if knowledge == before { Ok(()) } else { write(store, &knowledge) }
}

/// Erased users whom some version knows, the cross-encoder, or what the run in progress will make. What was deleted since is taken off.
///
/// # Errors
/// The store's.
pub fn list(app: &App) -> Answer<Vec<ErasedUser>> {
    let _writing = WRITING.lock();
    let mut knowledge = read(&app.store)?;
    let before = knowledge.clone();
    let kept: Vec<String> = registry::list(app)?.items.into_iter().map(|model| model.version).collect();
    let cross_encoder = cross_encoder::kept(&app.store)?.map(|kept| kept.name);
    let running = reading_run(app);
    for erased in &mut knowledge.0 {
        erased.versions.retain(|version| kept.contains(version));
        erased.cross_encoder = erased.cross_encoder.take().filter(|name| cross_encoder.as_ref() == Some(name));
        erased.run = erased.run.take().filter(|run| running.as_ref() == Some(run));
    }
    knowledge.0.retain(|erased| !erased.is_forgotten());
    if knowledge != before {
        write(&app.store, &knowledge)?;
    }
    Ok(knowledge.0)
}

/// Deletes the versions that know an erased user, pinned ones and the way back among them, and the cross-encoder if it does. The
/// serving version stays. Returns the names of what is gone.
///
/// # Errors
/// The store's.
pub fn delete_knowing(app: &App) -> Answer<Vec<String>> {
    let known = list(app)?;
    let versions: Vec<String> = known.iter().flat_map(|erased| erased.versions.clone()).collect();
    let mut gone = directory::delete(app, &versions)?;
    if known.iter().any(|erased| erased.cross_encoder.is_some()) {
        gone.extend(cross_encoder::delete(app)?);
    }
    list(app)?;
    Ok(gone)
}

/// Whether a version knows an erased user.
///
/// # Errors
/// The store's.
pub fn knows_erased(app: &App, version: &str) -> Answer<bool> {
    Ok(list(app)?.iter().any(|erased| erased.versions.iter().any(|known| known == version)))
}
