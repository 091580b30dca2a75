//! The list of versions, and the chain of those that served. Exactly one version serves.

use mercer_shared::problem::{Code, Problem};
use mercer_shared::wire::{ModelVersion, Page};
use mercer_store::{DocKind, Order, Setting, SettingDocument, Store};
use serde::{Deserialize, Serialize};

use crate::state::app::App;
use crate::state::problems::{Answer, store_problem};

/// Most versions that are listed; far more than are ever kept.
pub(crate) const LISTED: usize = 10_000;

/// The serving version and those that served before.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Chain {
    /// Versions in the order of their promotion, the serving one last.
    pub(crate) promoted: Vec<String>,
}

impl SettingDocument for Chain {
    const SETTING: Setting = Setting::ModelChain;
}

pub(crate) fn chain(store: &Store) -> Answer<Chain> {
    Ok(store.get_setting::<Chain>().map_err(|e| store_problem(&e))?.unwrap_or_default())
}

pub(crate) fn put_chain(store: &Store, chain: &Chain) -> Answer<()> {
    store.put_setting(chain).map_err(|e| store_problem(&e))
}

/// All versions, newest first.
///
/// # Errors
/// The store's.
pub fn list(app: &App) -> Answer<Page<ModelVersion>> {
    app.store.list_docs(DocKind::Model, Order::Newest, None, LISTED).map_err(|e| store_problem(&e))
}

/// One version.
///
/// # Errors
/// `not-found`.
pub fn show(app: &App, version: &str) -> Answer<ModelVersion> {
    let found = app.store.get_model(version).map_err(|e| store_problem(&e))?;
    found.ok_or_else(|| Problem::new(Code::NotFound, format!("there is no model version `{version}`")))
}

/// Versions that were trained on the log from `first` on: they may have seen an erased user.
#[must_use]
pub fn saw(app: &App, first: Option<u64>) -> Vec<String> {
    let Some(first) = first else { return Vec::new() };
    let models = list(app).map(|page| page.items).unwrap_or_default();
    models.into_iter().filter(|model| model.data.cursor >= first).map(|model| model.version).collect()
}
