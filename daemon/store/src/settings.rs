//! The index of settings: single documents that the daemon keeps over a restart, each with the name that it is stored under.
//!
//! The type of each document stands where it is used, and names its setting by [`SettingDocument`], so that a document can be
//! read and written only as that type.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Result;
use crate::layout::{DOCUMENT, key};
use crate::store::Store;

/// The kind of settings among the documents, in their keys.
const KIND: u8 = b's';

/// A setting. Stored names never change; some keep an older word than the variant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Setting {
    /// Name and SHA-256 of the encoder that new versions are trained from.
    ActiveEncoder,
    /// The gate's alpha ledger for the current period.
    AlphaLedger,
    /// The version on trial for a share of the users, if any.
    Canary,
    /// The current cross-encoder.
    CrossEncoder,
    /// When something was erased that is still in the store's files.
    CompactionDue,
    /// Fingerprint of the data that the last cycle trained on.
    DataFingerprint,
    /// What exports of reports have spent of their privacy budget.
    ExportBudget,
    /// Erased users whom a version still knows.
    ErasedKnowledge,
    /// When users were erased, without saying whom.
    ErasureTimes,
    /// The version that was promoted automatically and is still being watched, if any.
    Grace,
    /// Number of promotions, for the schedule of holdout evaluations.
    HoldoutPromotions,
    /// Log lengths at which component selection last left out each optional component.
    LeftOutComponents,
    /// Mitigations of each placement with their history.
    Mitigations,
    /// Model versions in order of promotion, the serving one last.
    ModelChain,
    /// The day of the last nightly reports.
    NightlyReports,
    /// What private training has spent, over all runs.
    PrivacyLedger,
    /// Plan of the current run.
    RunPlan,
    /// Encoders whose vector tables each model version needs.
    VectorTables,
}

impl Setting {
    /// All settings.
    pub const ALL: [Self; 18] = [
        Self::ActiveEncoder,
        Self::AlphaLedger,
        Self::Canary,
        Self::CrossEncoder,
        Self::CompactionDue,
        Self::DataFingerprint,
        Self::ExportBudget,
        Self::ErasedKnowledge,
        Self::ErasureTimes,
        Self::Grace,
        Self::HoldoutPromotions,
        Self::LeftOutComponents,
        Self::Mitigations,
        Self::ModelChain,
        Self::NightlyReports,
        Self::PrivacyLedger,
        Self::RunPlan,
        Self::VectorTables,
    ];

    /// The name in the store.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ActiveEncoder => "active-encoder",
            Self::AlphaLedger => "alpha-ledger",
            Self::Canary => "canary",
            Self::CrossEncoder => "pair-classifier",
            Self::CompactionDue => "compaction-due",
            Self::DataFingerprint => "learned-from",
            Self::ExportBudget => "export-budget",
            Self::ErasedKnowledge => "erased-knowledge",
            Self::ErasureTimes => "erasure-times",
            Self::Grace => "grace",
            Self::HoldoutPromotions => "holdout-promotions",
            Self::LeftOutComponents => "left-out-parts",
            Self::Mitigations => "mitigations",
            Self::ModelChain => "model-chain",
            Self::NightlyReports => "nightly-reports",
            Self::PrivacyLedger => "privacy-ledger",
            Self::RunPlan => "run-plan",
            Self::VectorTables => "vector-tables",
        }
    }

    fn key(self) -> Vec<u8> {
        key(DOCUMENT, &[&[KIND], self.name().as_bytes()].concat())
    }
}

/// The type of the document of one setting.
pub trait SettingDocument: Serialize + DeserializeOwned {
    /// The setting.
    const SETTING: Setting;
}

impl Store {
    /// Reads a setting; `None` if it was never written.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`](crate::StoreError::Corrupt) if the document is damaged or not a `T`.
    pub fn get_setting<T: SettingDocument>(&self) -> Result<Option<T>> {
        self.get_json(&T::SETTING.key())
    }

    /// Writes a setting.
    ///
    /// # Errors
    /// As [`Store::put_doc`].
    pub fn put_setting<T: SettingDocument>(&self, document: &T) -> Result<()> {
        self.put_json(&T::SETTING.key(), document)
    }

    /// Removes a setting; returns whether it was there.
    ///
    /// # Errors
    /// As [`Store::remove_doc`].
    pub fn remove_setting<T: SettingDocument>(&self) -> Result<bool> {
        self.remove_key(T::SETTING.key())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::keys::Key;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Promotions(u64);

    impl SettingDocument for Promotions {
        const SETTING: Setting = Setting::HoldoutPromotions;
    }

    #[test]
    fn each_setting_has_a_name_of_its_own() {
        let names: HashSet<_> = Setting::ALL.iter().map(|setting| setting.name()).collect();
        assert_eq!(names.len(), Setting::ALL.len());
    }

    #[test]
    fn a_setting_is_read_as_it_was_written_also_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let open = || Store::open(&dir.path().join("store"), Key::from_bytes([7; 32])).unwrap();
        let store = open();
        assert_eq!(store.get_setting::<Promotions>().unwrap(), None);
        store.put_setting(&Promotions(3)).unwrap();
        assert!(store.remove_setting::<Promotions>().unwrap() && !store.remove_setting::<Promotions>().unwrap());
        assert_eq!(store.get_setting::<Promotions>().unwrap(), None);
        store.put_setting(&Promotions(3)).unwrap();
        drop(store);
        let store = open();
        assert_eq!(store.get_setting::<Promotions>().unwrap(), Some(Promotions(3)));
        // Stored under the name that older programs used.
        assert_eq!(store.get_json::<u64>(b"Dsholdout-promotions").unwrap(), Some(3));
    }
}
