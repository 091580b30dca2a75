//! The audit log: appends entries to the hash chain, erases users from it, and verifies it.

use std::collections::BTreeMap;

use mercer_shared::wire::{AuditEntry, AuditFault, AuditVerification, BrokenLink};

use crate::audit_chain::{Head, Proof, StoredEntry, check, rename, salt, start};
use crate::core::Core;
use crate::docs::{DocKind, VERSION, count_up, number_key, parse};
use crate::error::{Result, StoreError};
use crate::layout::{META, key};
use crate::record::wrap;
use crate::store::Store;

fn head_key() -> Vec<u8> {
    key(META, b"audit-head")
}

fn json<T: serde::Serialize>(document: &T) -> Result<Vec<u8>> {
    serde_json::to_vec(document).map_err(|error| StoreError::Invalid(format!("no JSON: {error}")))
}

/// The stored head; `None` where there is no chain yet.
fn head(core: &Core) -> Result<Option<Head>> {
    let key = head_key();
    core.tree().get(&key)?.map(|bytes| parse(&key, &bytes)).transpose()
}

/// The number in an entry's key.
fn number(key: &[u8]) -> Option<u64> {
    std::str::from_utf8(key.get(DocKind::Audit.key("").len()..)?).ok()?.parse().ok()
}

impl Store {
    /// Writes an entry of the audit log. Its `seq` is ignored; the returned entry has the next number. Number, entry and head of the chain are
    /// one atomic write.
    ///
    /// # Errors
    /// As [`Store::put_doc`]; [`StoreError::Corrupt`] if the head of the chain cannot be read, and [`StoreError::Storage`] if the system has
    /// no randomness.
    pub fn audit(&self, mut entry: AuditEntry) -> Result<AuditEntry> {
        let core = self.core();
        let _writer = core.write()?;
        let mut batch = sled::Batch::default();
        entry.seq = count_up(core, DocKind::Audit, &mut batch)?;
        let before = head(core)?.unwrap_or_else(|| Head::start(entry.seq));
        let salt = salt().ok_or_else(|| StoreError::Storage("no randomness for the audit log".to_owned()))?;
        let (stored, after) = before.append(&core.keys, entry, salt);
        let key = DocKind::Audit.key(&number_key(stored.entry.seq));
        batch.insert(key.as_slice(), wrap(&key, VERSION, &json(&stored)?));
        let head_key = head_key();
        batch.insert(head_key.as_slice(), wrap(&head_key, VERSION, &json(&after)?));
        core.apply(batch)?;
        Ok(stored.entry)
    }

    /// Puts another name for a target, such as the pseudonym of an erased user, into all entries; the chain stays valid, and a check counts
    /// them as erased. Returns the number of entries.
    ///
    /// # Errors
    /// [`StoreError::ReadOnly`], [`StoreError::Storage`], [`StoreError::Corrupt`] if an entry cannot be read: then nothing is changed.
    pub fn rename_audit_target(&self, target: &str, name: &str) -> Result<u64> {
        let core = self.core();
        let _writer = core.write()?;
        let mut batch = sled::Batch::default();
        let mut erased = 0;
        for entry in core.tree().scan_prefix(DocKind::Audit.key("")) {
            let (key, bytes) = entry?;
            let mut stored: StoredEntry = parse(&key, &bytes)?;
            if stored.entry.target != target {
                continue;
            }
            rename(&core.keys, &mut stored, name);
            batch.insert(&key, wrap(&key, VERSION, &json(&stored)?));
            erased += 1;
        }
        core.apply(batch)?;
        Ok(erased)
    }

    /// Walks the audit log and checks its chain. `known` is a head that an earlier walk returned: it must still be in the chain.
    ///
    /// # Errors
    /// [`StoreError::Storage`] only: damage is what the walk is to find.
    pub fn verify_audit(&self, known: Option<&str>) -> Result<AuditVerification> {
        let core = self.core();
        // Entries and head change together, behind this lock.
        let _writer = core.writer.lock();
        let mut entries: BTreeMap<u64, Option<StoredEntry>> = BTreeMap::new();
        for entry in core.tree().scan_prefix(DocKind::Audit.key("")) {
            let (key, bytes) = entry?;
            if let Some(number) = number(&key) {
                entries.insert(number, parse(&key, &bytes).ok());
            }
        }
        let head = head(core).unwrap_or_default();
        let mut out = Walk { entries: &entries, head: head.as_ref() }.verify(core);
        if let (Some(known), None) = (known, &out.broken) {
            let found = entries.values().flatten().filter_map(|stored| stored.link.as_ref());
            if !found.into_iter().any(|link| link.hash == known) {
                let seq = out.last.unwrap_or(0);
                let text = format!("no entry of the chain has the hash {known}: the log is another one than then");
                out.broken = Some(BrokenLink { seq, fault: AuditFault::UnknownHead, text });
            }
        }
        out.intact = out.broken.is_none();
        Ok(out)
    }
}

/// The audit log as it was read: an entry that cannot be read is `None`.
struct Walk<'a> {
    entries: &'a BTreeMap<u64, Option<StoredEntry>>,
    head: Option<&'a Head>,
}

impl Walk<'_> {
    fn verify(&self, core: &Core) -> AuditVerification {
        let chained = |stored: &Option<StoredEntry>| stored.as_ref().is_some_and(|stored| stored.link.is_some());
        let mut out = AuditVerification { entries: self.entries.len() as u64, ..AuditVerification::default() };
        let Some(head) = self.head.filter(|head| head.holds(&core.keys)) else {
            let first = self.entries.iter().find(|(_, stored)| chained(stored)).map(|(seq, _)| *seq);
            out.unchained = self.entries.keys().filter(|seq| first.is_none_or(|first| **seq < first)).count() as u64;
            // Without head and chain this is the log of a version that had none.
            if first.is_some() || self.head.is_some() {
                out.broken = Some(broken(first.unwrap_or(0), AuditFault::Head));
            }
            return out;
        };
        out.unchained = self.entries.range(..head.first).count() as u64;
        (out.first, out.last, out.head) = (Some(head.first), Some(head.last), Some(head.hash.clone()));
        let mut before = start().to_owned();
        for seq in head.first..=head.last {
            match self.link(core, seq, &before) {
                Ok((hash, erased)) => {
                    before = hash;
                    out.erased += u64::from(erased);
                }
                Err(fault) => {
                    out.broken = Some(broken(seq, fault));
                    return out;
                }
            }
        }
        let added = self.entries.range(head.last + 1..).next().map(|(seq, _)| broken(*seq, AuditFault::Added));
        out.broken = added.or_else(|| (before != head.hash).then(|| broken(head.last, AuditFault::Head)));
        out
    }

    /// The hash of an entry, and whether its target was erased.
    fn link(&self, core: &Core, seq: u64, before: &str) -> std::result::Result<(String, bool), AuditFault> {
        let Some(stored) = self.entries.get(&seq) else {
            let later = self.entries.range(seq..).next().is_some();
            return Err(if later { AuditFault::Removed } else { AuditFault::CutOff });
        };
        let stored = stored.as_ref().ok_or(AuditFault::Changed)?;
        if stored.entry.seq != seq {
            return Err(AuditFault::Moved);
        }
        check(&core.keys, stored, before)?;
        let link = stored.link.as_ref().ok_or(AuditFault::Changed)?;
        Ok((link.hash.clone(), matches!(link.proof, Proof::Renamed(_))))
    }
}

fn broken(seq: u64, fault: AuditFault) -> BrokenLink {
    let text = match fault {
        AuditFault::Changed => format!("entry {seq} is not what was written"),
        AuditFault::Removed => format!("entry {seq} was removed"),
        AuditFault::Moved => format!("the entry at {seq} is another one"),
        AuditFault::CutOff => format!("entry {seq} and all after it were cut off"),
        AuditFault::Added => format!("entry {seq} was not written by the daemon"),
        AuditFault::Head | AuditFault::UnknownHead => {
            "the second record of the newest hash is missing or was changed".to_owned()
        }
    };
    BrokenLink { seq, fault, text }
}
