//! Signs documents that leave the host: exported reports, receipts of erasures.
//!
//! The key of each purpose is derived from the key of the store, not kept in a file of its own: a backup that can open the store can sign as
//! before, there is no second secret to lose or to guard, and the keys of two purposes reveal nothing about each other (METRICS.md section
//! 5). The price: whoever can read the store's key can sign. Nothing is made at first need, so a read-only store signs too.

use ed25519_dalek::{Signer as _, SigningKey};
use mercer_shared::hex::to_hex;
use mercer_shared::signatures::{ALGORITHM, MEMBER, RECEIPT, REPORT, canonical_bytes, message};
use mercer_shared::wire::{DocumentSignature, PublicKey};
use mercer_store::{KeyPurpose, Store};
use serde::Serialize;

use crate::state::problems::{Answer, internal};

/// What is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Exported reports.
    Report,
    /// Receipts of erasures.
    Receipt,
}

impl Purpose {
    /// The word in the signature.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Report => REPORT,
            Self::Receipt => RECEIPT,
        }
    }

    const fn key(self) -> KeyPurpose {
        match self {
            Self::Report => KeyPurpose::ReportSignatures,
            Self::Receipt => KeyPurpose::ReceiptSignatures,
        }
    }
}

/// Signs for one purpose with the key of the installation.
pub struct Signer {
    purpose: Purpose,
    key: SigningKey,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signer").field("purpose", &self.purpose).finish_non_exhaustive()
    }
}

impl Signer {
    /// The signer of this installation for a purpose.
    #[must_use]
    pub fn new(store: &Store, purpose: Purpose) -> Self {
        Self { purpose, key: SigningKey::from_bytes(&store.purpose_key(purpose.key())) }
    }

    /// The public key, 64 hexadecimal digits.
    #[must_use]
    pub fn public_key(&self) -> String {
        to_hex(self.key.verifying_key().as_bytes())
    }

    /// The public key as a document.
    #[must_use]
    pub fn public_document(&self) -> PublicKey {
        PublicKey {
            algorithm: ALGORITHM.to_owned(),
            purpose: self.purpose.word().to_owned(),
            public_key: self.public_key(),
        }
    }

    /// Signs bytes. The same bytes always get the same signature.
    #[must_use]
    pub fn sign(&self, bytes: &[u8]) -> DocumentSignature {
        let signature = self.key.sign(&message(self.purpose.word(), bytes));
        DocumentSignature {
            algorithm: ALGORITHM.to_owned(),
            purpose: self.purpose.word().to_owned(),
            public_key: self.public_key(),
            value: to_hex(&signature.to_bytes()),
        }
    }

    /// The canonical bytes of a document with its signature in the member `signature`; one that it had before is replaced.
    /// [`mercer_shared::signatures::verify_document`] checks it.
    ///
    /// # Errors
    /// `internal` for a document that is no JSON object.
    pub fn sign_document(&self, document: &impl Serialize) -> Answer<Vec<u8>> {
        let mut value = serde_json::to_value(document).map_err(|error| internal(&error))?;
        let members = value.as_object_mut().ok_or_else(|| internal(&"only a JSON object can be signed"))?;
        members.remove(MEMBER);
        let signature = self.sign(&canonical_bytes(&value));
        value[MEMBER] = serde_json::to_value(signature).map_err(|error| internal(&error))?;
        Ok(canonical_bytes(&value))
    }
}

#[cfg(test)]
mod tests {
    use mercer_shared::problem::Code;
    use mercer_shared::signatures::{Expected, verify_document};
    use mercer_store::Key;

    use super::*;

    fn store(dir: &std::path::Path, secret: u8) -> Store {
        Store::open(&dir.join(format!("store{secret}")), Key::from_bytes([secret; 32])).unwrap()
    }

    #[test]
    fn an_installation_signs_the_same_after_a_restart_and_another_one_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let first = store(dir.path(), 1);
        let signed = Signer::new(&first, Purpose::Report).sign_document(&serde_json::json!({"value": 0.1})).unwrap();
        drop(first);
        let again = Signer::new(&store(dir.path(), 1), Purpose::Report);
        let check = |signer: &Signer| {
            let public_key = signer.public_key();
            verify_document(&signed, Expected { purpose: REPORT, public_key: &public_key }).map_err(|p| p.code)
        };
        assert_eq!(check(&again).unwrap(), serde_json::json!({"value": 0.1}));
        assert_eq!(check(&Signer::new(&store(dir.path(), 2), Purpose::Report)), Err(Code::ForeignSignature));
    }

    #[test]
    fn each_purpose_has_a_key_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(dir.path(), 1);
        let (report, receipt) = (Signer::new(&store, Purpose::Report), Signer::new(&store, Purpose::Receipt));
        assert_ne!(report.public_key(), receipt.public_key());
        assert_ne!(report.sign(b"x").value, receipt.sign(b"x").value);
    }
}
