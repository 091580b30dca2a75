//! Mitigations in force: the stored history of each placement, and what a list reads of it without a lock.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use mercer_reports::Undefined;
use mercer_reports::fair_prefix::PrefixTable;
use mercer_shared::wire::{MitigationRevision, Reranker};
use mercer_store::{Setting, SettingDocument, Store, StoreError};
use parking_lot::{Mutex, MutexGuard};
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use crate::state::served_exposure::ServedExposure;

/// Revisions of a placement that are kept, the one in force included.
pub const REVISIONS: usize = 101;

/// The stored document: revisions of each placement, oldest first. The last one is in force.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct MitigationHistory {
    /// By placement.
    #[serde(default)]
    pub placements: BTreeMap<String, Vec<MitigationRevision>>,
}

impl SettingDocument for MitigationHistory {
    const SETTING: Setting = Setting::Mitigations;
}

impl MitigationHistory {
    /// What is in force at a placement; `None` where nothing was ever set.
    #[must_use]
    pub fn current(&self, placement: &str) -> Option<&MitigationRevision> {
        self.placements.get(placement)?.last()
    }

    /// Appends a revision and drops the oldest beyond [`REVISIONS`].
    pub fn push(&mut self, placement: &str, revision: MitigationRevision) {
        let revisions = self.placements.entry(placement.to_owned()).or_default();
        revisions.push(revision);
        let surplus = revisions.len().saturating_sub(REVISIONS);
        revisions.drain(..surplus);
    }
}

/// The re-rankers of a placement, as a list reads them.
#[derive(Debug, Clone, PartialEq)]
pub struct ActiveMitigations {
    /// The placement.
    pub placement: String,
    /// Re-rankers in the order in which they work; at least one.
    pub rerankers: Vec<Reranker>,
}

impl ActiveMitigations {
    /// Whether a re-ranker reads the exposure that was served.
    #[must_use]
    pub fn reads_exposure(&self) -> bool {
        self.rerankers.iter().any(|reranker| matches!(reranker, Reranker::Exposure { .. }))
    }
}

/// Tables of FA*IR that lists asked for: one costs far more than a list.
#[derive(Debug, Default)]
pub struct FairTables(Mutex<FxHashMap<FairKey, Arc<PrefixTable>>>);

/// Most tables that are kept.
const TABLES: usize = 256;

/// The parameters of a table, by their bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct FairKey {
    k: usize,
    share: u64,
    alpha: u64,
}

impl FairTables {
    /// The table for a list of `k`, adjusted for testing every prefix.
    ///
    /// # Errors
    /// As [`PrefixTable::adjusted`].
    pub fn table(&self, k: usize, share: f64, alpha: f64) -> Result<Arc<PrefixTable>, Undefined> {
        let key = FairKey { k, share: share.to_bits(), alpha: alpha.to_bits() };
        if let Some(table) = self.0.lock().get(&key) {
            return Ok(Arc::clone(table));
        }
        let table = Arc::new(PrefixTable::adjusted(k, share, alpha)?);
        let mut tables = self.0.lock();
        if tables.len() >= TABLES {
            tables.clear();
        }
        tables.insert(key, Arc::clone(&table));
        Ok(table)
    }
}

type Active = FxHashMap<String, Arc<ActiveMitigations>>;

/// The mitigations of the daemon.
#[derive(Debug, Default)]
pub struct Mitigations {
    /// By placement; placements without re-rankers are not in it.
    active: ArcSwap<Active>,
    /// The stored document; locked while an operator changes it.
    history: Mutex<MitigationHistory>,
    /// Exposure in the lists that went out.
    pub served: ServedExposure,
    /// Tables of FA*IR.
    pub tables: FairTables,
}

impl Mitigations {
    /// Reads what was stored.
    ///
    /// # Errors
    /// The store's.
    pub fn open(store: &Store) -> Result<Self, StoreError> {
        let history = store.get_setting::<MitigationHistory>()?.unwrap_or_default();
        let mitigations = Self::default();
        mitigations.active.store(Arc::new(active(&history)));
        *mitigations.history.lock() = history;
        Ok(mitigations)
    }

    /// What applies to the lists of a placement; `None` where they stay as they are.
    #[must_use]
    pub fn at(&self, placement: &str) -> Option<Arc<ActiveMitigations>> {
        self.active.load().get(placement).cloned()
    }

    /// What applies anywhere, by placement.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<ActiveMitigations>> {
        let mut all: Vec<_> = self.active.load().values().cloned().collect();
        all.sort_by(|one, other| one.placement.cmp(&other.placement));
        all
    }

    /// Whether the lists of any placement are made by what was shown before.
    #[must_use]
    pub fn read_exposure(&self) -> bool {
        self.active.load().values().any(|active| active.reads_exposure())
    }

    /// The stored document, for reading or for a change. Nobody else changes it meanwhile.
    pub fn history(&self) -> MutexGuard<'_, MitigationHistory> {
        self.history.lock()
    }

    /// Puts a changed document in force, after it was stored.
    pub fn put(&self, locked: &mut MutexGuard<'_, MitigationHistory>, history: MitigationHistory) {
        let next = active(&history);
        for placement in history.placements.keys() {
            if !next.get(placement).is_some_and(|active| active.reads_exposure()) {
                self.served.forget(placement);
            }
        }
        self.active.store(Arc::new(next));
        **locked = history;
    }
}

fn active(history: &MitigationHistory) -> Active {
    let current = history.placements.iter().filter_map(|(placement, revisions)| {
        let rerankers = &revisions.last()?.rerankers;
        (!rerankers.is_empty()).then(|| {
            let active = ActiveMitigations { placement: placement.clone(), rerankers: rerankers.clone() };
            (placement.clone(), Arc::new(active))
        })
    });
    current.collect()
}
