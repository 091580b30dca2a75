//! Reports that were computed for one state of the shop.

use mercer_shared::wire::{Report, ReportKind};
use parking_lot::Mutex;

/// Reports that are kept.
const MOST_KEPT: usize = 12;

/// The key of a report: its kind, version and the generation of the shop's state, which counts every change that
/// readers can see: interactions, items, attributes, consent, erasures and vectors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportKey {
    /// Kind of report.
    pub kind: ReportKind,
    /// Model version.
    pub version: String,
    /// Generation of the shop's state.
    pub generation: u64,
}

/// The latest report of each kind and version.
#[derive(Debug, Default)]
pub struct ReportCache(Mutex<Vec<(ReportKey, Report)>>);

impl ReportCache {
    /// The report of this very state.
    #[must_use]
    pub fn get(&self, key: &ReportKey) -> Option<Report> {
        self.0.lock().iter().find(|(known, _)| known == key).map(|(_, report)| report.clone())
    }

    /// Stores a report in place of earlier ones of its kind and version; drops the oldest beyond the limit.
    pub fn put(&self, key: ReportKey, report: Report) {
        let mut kept = self.0.lock();
        kept.retain(|(known, _)| known.kind != key.kind || known.version != key.version);
        if kept.len() >= MOST_KEPT {
            kept.remove(0);
        }
        kept.push((key, report));
    }
}

#[cfg(test)]
mod tests {
    use mercer_shared::time::Timestamp;

    use super::*;

    fn report(model: &str) -> Report {
        Report {
            kind: ReportKind::Fairness,
            model: model.to_owned(),
            created: Timestamp::default(),
            from: None,
            to: None,
            users: 0,
            rows: Vec::new(),
            groups: Vec::new(),
            notes: Vec::new(),
        }
    }

    #[test]
    fn a_report_holds_for_one_generation_only() {
        let cache = ReportCache::default();
        let key = |generation| ReportKey { kind: ReportKind::Fairness, version: "v1".to_owned(), generation };
        cache.put(key(1), report("v1"));
        assert!(cache.get(&key(1)).is_some());
        assert!(cache.get(&key(2)).is_none(), "consent or attributes changed, though no interaction came");
        cache.put(key(2), report("v1"));
        assert!(cache.get(&key(1)).is_none());
    }
}
