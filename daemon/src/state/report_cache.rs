//! Reports that were computed for one state of the shop, with the values per user that they rest on.

use std::collections::BTreeMap;
use std::sync::Arc;

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

/// A metric of a report, user by user. It stays inside the daemon: two versions are compared by pairing their users.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PerUserSeries {
    /// Name of the row that it belongs to, such as `ndcg@10/repeat`.
    pub name: String,
    /// Slots of the users, in the order of their keys.
    pub users: Vec<u32>,
    /// The value of each user, in the order of `users`.
    pub values: Vec<f64>,
}

/// The users of one table of groups with their groups and values. They stay inside the daemon as well.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GroupMembers {
    /// The attribute of the table.
    pub attribute: String,
    /// Slots of the users.
    pub users: Vec<u32>,
    /// The group of each user, also where the table merges or hides it.
    pub labels: Vec<String>,
    /// The value of each user.
    pub values: Vec<f64>,
}

/// What the groups of a report rest on, exactly. What is told of them is rounded.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GroupFacts {
    /// One entry per table.
    pub members: Vec<GroupMembers>,
    /// Exact numbers of users of those rows whose `n` is rounded, by name.
    pub exact: BTreeMap<String, u64>,
}

/// A report and the values per user of its rows.
#[derive(Debug, Clone)]
pub struct Computed {
    /// What is shown.
    pub report: Report,
    /// One series per row that is a mean over users.
    pub per_user: Vec<PerUserSeries>,
    /// What its groups rest on.
    pub groups: GroupFacts,
}

/// The latest report of each kind and version.
#[derive(Debug, Default)]
pub struct ReportCache(Mutex<Vec<(ReportKey, Arc<Computed>)>>);

impl ReportCache {
    /// The report of this very state.
    #[must_use]
    pub fn get(&self, key: &ReportKey) -> Option<Arc<Computed>> {
        self.0.lock().iter().find(|(known, _)| known == key).map(|(_, computed)| Arc::clone(computed))
    }

    /// Drops all reports: a user was erased whose values are in some.
    pub fn clear(&self) {
        self.0.lock().clear();
    }

    /// Stores a report in place of earlier ones of its kind and version; drops the oldest beyond the limit.
    pub fn put(&self, key: ReportKey, computed: Arc<Computed>) {
        let mut kept = self.0.lock();
        kept.retain(|(known, _)| known.kind != key.kind || known.version != key.version);
        if kept.len() >= MOST_KEPT {
            kept.remove(0);
        }
        kept.push((key, computed));
    }
}

#[cfg(test)]
mod tests {
    use mercer_shared::time::Timestamp;

    use super::*;

    fn computed(model: &str) -> Arc<Computed> {
        let report = Report::new(ReportKind::Fairness, model, Timestamp::default());
        Arc::new(Computed { report, per_user: Vec::new(), groups: GroupFacts::default() })
    }

    #[test]
    fn a_report_holds_for_one_generation_only() {
        let cache = ReportCache::default();
        let key = |generation| ReportKey { kind: ReportKind::Fairness, version: "v1".to_owned(), generation };
        cache.put(key(1), computed("v1"));
        assert!(cache.get(&key(1)).is_some());
        assert!(cache.get(&key(2)).is_none(), "consent or attributes changed, though no interaction came");
        cache.put(key(2), computed("v1"));
        assert!(cache.get(&key(1)).is_none());
    }
}
