//! The arithmetic of the audit log's hash chain.
//!
//! The hash of an entry covers its content and the hash before it. The target is in it as a commitment under a random salt, so that the
//! pseudonym of an erased user can leave the entry: target and salt go, the commitment stays, and a keyed mark shows that the daemon put the
//! new name there.
//! All hashes are keyed: whoever has the store without the key can forge neither an entry nor an erasure.

use mercer_shared::hex::to_hex;
use mercer_shared::wire::{AuditEntry, AuditFault};
use serde::{Deserialize, Serialize};

use crate::keys::Keyring;

/// A hash in hexadecimal.
pub(crate) type HexHash = String;

/// Stands before the first entry.
const START: &str = "";
/// Bytes of a salt.
const SALT: usize = 16;

/// An entry as it is stored. Entries of versions without a chain have no link.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct StoredEntry {
    #[serde(flatten)]
    pub(crate) entry: AuditEntry,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) link: Option<Link>,
}

/// An entry's place in the chain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Link {
    /// Over the content and the hash before.
    pub(crate) hash: HexHash,
    /// Hash of salt and target.
    pub(crate) commitment: HexHash,
    pub(crate) proof: Proof,
}

/// What a commitment is checked with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Proof {
    /// The salt, in hexadecimal; target and salt make the commitment.
    Salt(String),
    /// The target has another name, because its user was erased: the daemon's mark over number, commitment and that name.
    Renamed(HexHash),
}

/// The newest hash, kept beside the entries.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Head {
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) hash: HexHash,
    /// Over the fields above.
    pub(crate) mark: HexHash,
}

/// A fresh salt; `None` if the system has no randomness.
pub(crate) fn salt() -> Option<String> {
    let mut bytes = [0u8; SALT];
    getrandom::fill(&mut bytes).ok()?;
    Some(to_hex(&bytes))
}

fn commitment(keys: &Keyring, salt: &str, target: &str) -> HexHash {
    to_hex(&keys.audit("target", &[salt.as_bytes(), target.as_bytes()]))
}

fn renaming(keys: &Keyring, seq: u64, commitment: &str, name: &str) -> HexHash {
    to_hex(&keys.audit("renaming", &[&seq.to_le_bytes(), commitment.as_bytes(), name.as_bytes()]))
}

fn content(keys: &Keyring, entry: &AuditEntry, commitment: &str, before: &str) -> HexHash {
    let number = |n: Option<i64>| n.map(i64::to_le_bytes).map(Vec::from).unwrap_or_default();
    to_hex(&keys.audit(
        "entry",
        &[
            &entry.seq.to_le_bytes(),
            &entry.at.millis().to_le_bytes(),
            &number(entry.uid.map(i64::from)),
            &number(entry.pid.map(i64::from)),
            entry.action.as_bytes(),
            commitment.as_bytes(),
            entry.detail.as_bytes(),
            before.as_bytes(),
        ],
    ))
}

impl Head {
    /// The head before the first entry.
    pub(crate) fn start(seq: u64) -> Self {
        Self { first: seq, last: seq.saturating_sub(1), hash: START.to_owned(), mark: String::new() }
    }

    fn marked(keys: &Keyring, first: u64, last: u64, hash: HexHash) -> Self {
        let mark = to_hex(&keys.audit("head", &[&first.to_le_bytes(), &last.to_le_bytes(), hash.as_bytes()]));
        Self { first, last, hash, mark }
    }

    /// Whether the daemon wrote it.
    pub(crate) fn holds(&self, keys: &Keyring) -> bool {
        Self::marked(keys, self.first, self.last, self.hash.clone()).mark == self.mark
    }

    /// Chains an entry to this head. Returns what is stored and the next head.
    pub(crate) fn append(&self, keys: &Keyring, entry: AuditEntry, salt: String) -> (StoredEntry, Self) {
        let commitment = commitment(keys, &salt, &entry.target);
        let hash = content(keys, &entry, &commitment, &self.hash);
        let head = Self::marked(keys, self.first, entry.seq, hash.clone());
        (StoredEntry { entry, link: Some(Link { hash, commitment, proof: Proof::Salt(salt) }) }, head)
    }
}

/// Gives the target of an entry another name; the chain holds. An entry before the chain gets the name only.
pub(crate) fn rename(keys: &Keyring, stored: &mut StoredEntry, name: &str) {
    name.clone_into(&mut stored.entry.target);
    if let Some(link) = &mut stored.link {
        link.proof = Proof::Renamed(renaming(keys, stored.entry.seq, &link.commitment, name));
    }
}

/// Checks an entry against the hash before it.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn check(keys: &Keyring, stored: &StoredEntry, before: &str) -> Result<(), AuditFault> {
    let StoredEntry { entry, link: Some(link) } = stored else { return Err(AuditFault::Changed) };
    let target = match &link.proof {
        Proof::Salt(salt) => commitment(keys, salt, &entry.target) == link.commitment,
        Proof::Renamed(mark) => renaming(keys, entry.seq, &link.commitment, &entry.target) == *mark,
    };
    let holds = target && content(keys, entry, &link.commitment, before) == link.hash;
    if holds { Ok(()) } else { Err(AuditFault::Changed) }
}

/// What stands before the first entry of a chain.
pub(crate) const fn start() -> &'static str {
    START
}
