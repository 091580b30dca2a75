//! Version directories: written under a temporary name, flushed and renamed; cleaned up at the start; pruned after a cycle.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use mercer_model::{BertEncoder, Checkpoint};
use mercer_shared::time::Timestamp;
use mercer_shared::wire::{DataSnapshot, EncoderRef, ModelState, ModelVersion};
use mercer_store::{DocKind, Order, Setting, SettingDocument, Store};
use serde::{Deserialize, Serialize};

use crate::state::app::App;
use crate::state::artifacts::Artifacts;
use crate::state::problems::Answer;
use crate::state::problems::internal;
use crate::state::problems::store_problem;
use crate::state::shop::model::Model;
use crate::versions::layout::directory;
use crate::versions::registry::{LISTED, chain, list, put_chain};

/// Encoders whose vector tables each version needs, by version.
#[derive(Debug, Default, Serialize, Deserialize)]
struct VectorTables(BTreeMap<String, Vec<String>>);

impl SettingDocument for VectorTables {
    const SETTING: Setting = Setting::VectorTables;
}

/// A version document with nothing in it; [`write()`] gives the name and the size.
#[must_use]
pub fn draft(created: Timestamp) -> ModelVersion {
    ModelVersion {
        version: String::new(),
        state: ModelState::Candidate,
        pinned: false,
        parent: None,
        created,
        promoted: None,
        run: None,
        encoder: EncoderRef { name: String::new(), sha256: String::new(), adapter: None, dim: 0 },
        blend: BTreeMap::default(),
        metrics: Vec::new(),
        gate: None,
        data: DataSnapshot::default(),
        privacy: None,
        seed: 0,
        code_version: crate::code_version(),
        bytes: 0,
    }
}

/// How a version names its encoder: by its base and the adapter's hash.
#[must_use]
pub fn encoder_ref(base: &Checkpoint, adapter: Option<String>) -> EncoderRef {
    let identity = &base.identity;
    EncoderRef {
        name: identity.name.clone(),
        sha256: identity.sha256.clone(),
        adapter,
        dim: base.config.hidden_size as u32,
    }
}

/// The encoders of a version: with its adapter, and the base without.
pub struct VersionEncoders {
    /// With the adapter merged; the base itself where there is none.
    pub encoder: Arc<BertEncoder>,
    /// The base.
    pub base_encoder: Arc<BertEncoder>,
}

/// Where versions are kept.
#[derive(Clone, Copy)]
pub struct VersionStore<'a> {
    /// Their documents.
    pub store: &'a Store,
    /// The state directory, with their files.
    pub state: &'a Path,
}

/// Writes a version's directory under a temporary name, renames it into place, and lists it. The vectors of both encoders are kept as long as the version.
///
/// # Errors
/// The disk's or the store's; nothing is listed then.
pub fn write(
    VersionStore { store, state }: VersionStore<'_>,
    mut meta: ModelVersion,
    encoders: VersionEncoders,
    artifacts: Artifacts,
) -> Answer<Model> {
    let VersionEncoders { encoder, base_encoder } = encoders;
    let number = store.next_number(DocKind::Model).map_err(|e| store_problem(&e))?;
    meta.version = format!("v{number:06}");
    let root = state.join("models");
    let aside = root.join(format!(".{}", meta.version));
    std::fs::create_dir_all(&aside).map_err(|e| internal(&e))?;
    meta.bytes = artifacts.save(&aside)?;
    sync(&aside)?;
    std::fs::rename(&aside, directory(state, &meta.version)).map_err(|e| internal(&e))?;
    sync(&root)?;
    let mut needed = tables(store)?;
    let version = |encoder: &BertEncoder| mercer_model::Encoder::identity(encoder).version.clone();
    needed.0.insert(meta.version.clone(), vec![version(&encoder), version(&base_encoder)]);
    store.put_setting(&needed).map_err(|e| store_problem(&e))?;
    store.put_model(&meta).map_err(|e| store_problem(&e))?;
    let artifacts = Artifacts { judged_ranker: None, judged_sequence: None, ..artifacts.attached() };
    Ok(Model { meta, encoder, base_encoder, artifacts })
}

/// Makes the names in a directory durable.
fn sync(dir: &Path) -> Answer<()> {
    std::fs::File::open(dir).and_then(|dir| dir.sync_all()).map_err(|e| internal(&e))
}

fn tables(store: &Store) -> Answer<VectorTables> {
    Ok(store.get_setting::<VectorTables>().map_err(|e| store_problem(&e))?.unwrap_or_default())
}

/// Repairs what an interruption left: removes directories that no document names, and corrects states that contradict the chain.
///
/// # Errors
/// The store's.
pub(crate) fn sweep(store: &Store, state: &Path) -> Answer<()> {
    if let Ok(entries) = std::fs::read_dir(state.join("models")) {
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if store.get_model(&name).map_err(|e| store_problem(&e))?.is_none()
                && let Err(error) = std::fs::remove_dir_all(entry.path())
            {
                tracing::warn!(%error, name, "a half-written version stays");
            }
        }
    }
    let serving = chain(store)?.promoted.pop();
    let page: mercer_shared::wire::Page<ModelVersion> =
        store.list_docs(DocKind::Model, Order::Newest, None, LISTED).map_err(|e| store_problem(&e))?;
    for mut model in page.items {
        let right = match (serving.as_ref() == Some(&model.version), model.state) {
            (true, _) => ModelState::Serving,
            (false, ModelState::Serving) => ModelState::Retired,
            (false, state) => state,
        };
        if model.state != right {
            model.state = right;
            store.put_model(&model).map_err(|e| store_problem(&e))?;
        }
    }
    Ok(())
}

/// Versions to delete: all but the serving one, the one before it, pinned ones, and the `keep` newest of the others.
fn doomed(newest_first: &[ModelVersion], promoted: &[String], keep: usize) -> Vec<String> {
    let rollback = &promoted[promoted.len().saturating_sub(2)..];
    let free = newest_first
        .iter()
        .filter(|model| !matches!(model.state, ModelState::Serving | ModelState::Canary))
        .filter(|model| !model.pinned && !rollback.contains(&model.version));
    free.skip(keep).map(|model| model.version.clone()).collect()
}

/// Deletes the oldest versions beyond the number that is kept, and the vectors that no version needs any more. The serving
/// version, the one that a rollback leads to, and pinned ones stay.
pub fn prune(app: &App) {
    if let Err(problem) = try_prune(app) {
        tracing::warn!(%problem, "old versions stay");
    }
}

fn try_prune(app: &App) -> Answer<()> {
    let doomed = doomed(&list(app)?.items, &chain(&app.store)?.promoted, app.config.train.keep_versions);
    delete(app, &doomed).map(|_| ())
}

/// Deletes versions with their files and the vectors that no other needs, but never the serving one. Returns those that are gone.
///
/// # Errors
/// The store's.
pub(crate) fn delete(app: &App, versions: &[String]) -> Answer<Vec<String>> {
    let mut chain = chain(&app.store)?;
    let serving = chain.promoted.last().cloned();
    let known = list(app)?.items.into_iter().map(|model| model.version);
    let gone: Vec<String> =
        known.filter(|version| versions.contains(version) && serving.as_ref() != Some(version)).collect();
    chain.promoted.retain(|version| !gone.contains(version));
    put_chain(&app.store, &chain)?;
    for version in &gone {
        app.store.remove_doc(DocKind::Model, version).map_err(|e| store_problem(&e))?;
        let dir = directory(&app.config.state, version);
        if let Err(error) = std::fs::remove_dir_all(&dir)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            // The next start sweeps it.
            tracing::warn!(%error, version, "the directory of an old version stays");
        }
    }
    let mut needed = tables(&app.store)?;
    needed.0.retain(|version, _| !gone.contains(version));
    app.store.put_setting(&needed).map_err(|e| store_problem(&e))?;
    let kept: Vec<String> = needed.0.into_values().flatten().collect();
    app.vectors.keep_only(&kept);
    Ok(gone)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(number: u32, state: ModelState, pinned: bool) -> ModelVersion {
        ModelVersion { version: format!("v{number:06}"), state, pinned, ..draft(Timestamp::default()) }
    }

    #[test]
    fn pruning_spares_what_serves_what_served_before_and_what_is_pinned() {
        use ModelState::{Candidate, Rejected, Retired, Serving};
        let models = [
            model(9, Rejected, false),
            model(8, Rejected, false),
            model(7, Serving, false),
            model(6, Candidate, false),
            model(5, Rejected, false),
            model(4, Retired, false),
            model(3, Retired, true),
            model(2, Retired, false),
        ];
        let promoted = ["v000002", "v000003", "v000004", "v000007"].map(str::to_owned);
        assert_eq!(doomed(&models, &promoted, 2), ["v000006", "v000005", "v000002"]);
        assert_eq!(doomed(&models, &promoted, 9), Vec::<String>::new());
        assert_eq!(doomed(&models, &[], 0).len(), 6);
    }

    #[test]
    fn a_sweep_removes_half_written_versions_and_puts_states_right() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store"), mercer_store::Key::generate().unwrap()).unwrap();
        for half in [".v000002", "v000009"] {
            std::fs::create_dir_all(directory(dir.path(), half)).unwrap();
        }
        for number in [1, 2] {
            store.put_model(&model(number, ModelState::Serving, false)).unwrap();
            std::fs::create_dir_all(directory(dir.path(), &format!("v{number:06}"))).unwrap();
        }
        put_chain(&store, &crate::versions::registry::Chain { promoted: vec!["v000001".into(), "v000002".into()] })
            .unwrap();
        sweep(&store, dir.path()).unwrap();
        let state = |version: &str| store.get_model(version).unwrap().unwrap().state;
        assert_eq!((state("v000001"), state("v000002")), (ModelState::Retired, ModelState::Serving));
        let mut left: Vec<_> =
            std::fs::read_dir(dir.path().join("models")).unwrap().flatten().map(|e| e.file_name()).collect();
        left.sort();
        assert_eq!(left, ["v000001", "v000002"]);
    }
}
