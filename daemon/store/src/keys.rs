//! The secret key of a store and what is derived from it: pseudonyms of users and sessions, sealed ids, and the keys for
//! purposes outside the store (METRICS.md section 5).
//!
//! The key lies outside the store's directory, so that a copy of the store alone reveals no user id. Each purpose has a key of
//! its own, derived with BLAKE3's key derivation: the outputs of one purpose reveal nothing about another.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Nonce};
use mercer_shared::ids::{SessionId, UserId};

use crate::error::{Result, StoreError};
use crate::lock::{self, SLED};
use crate::pseudonym::Pseudonym;

/// Bytes of the secret.
pub const KEY_BYTES: usize = 32;

/// The secret of one shop: 32 random bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Key([u8; KEY_BYTES]);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(..)")
    }
}

impl Key {
    /// A key from its bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; KEY_BYTES]) -> Self {
        Self(bytes)
    }

    /// A fresh key from the operating system's randomness.
    ///
    /// # Errors
    /// [`StoreError::Storage`] if the system has no randomness.
    pub fn generate() -> Result<Self> {
        let mut bytes = [0; KEY_BYTES];
        getrandom::fill(&mut bytes).map_err(|error| StoreError::Storage(format!("no randomness: {error}")))?;
        Ok(Self(bytes))
    }

    /// Reads the key file of the store in `store`. Creates one with mode 0600 if there is neither a key nor a store.
    ///
    /// # Errors
    /// [`StoreError::BadKey`] if there is a store but no key, if others than the owner may read the file, or if it does not hold
    /// 32 bytes (raw, or 64 hexadecimal digits); [`StoreError::BadState`] if it cannot be written.
    pub fn load_or_create(path: &Path, store: &Path) -> Result<Self> {
        match fs::metadata(path) {
            Ok(meta) if meta.permissions().mode() & 0o077 != 0 => Err(bad_key(path, "others may read it: chmod 600")),
            Ok(_) => Self::load(path),
            // A new key would not open the store, and would stand where the right one must be restored.
            Err(error) if error.kind() == ErrorKind::NotFound && holds_store(store) => {
                let reason = format!(
                    "it is missing, and nothing else opens the store in {}: restore it from a backup",
                    store.display()
                );
                Err(bad_key(path, reason))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Self::create(path),
            Err(error) => Err(bad_key(path, error)),
        }
    }

    /// Reads a key from a file without checking its mode, such as a systemd credential.
    ///
    /// # Errors
    /// [`StoreError::BadKey`] if it cannot be read or does not hold 32 bytes (raw, or 64 hexadecimal digits).
    pub fn load(path: &Path) -> Result<Self> {
        let bytes = fs::read(path).map_err(|error| bad_key(path, error))?;
        if let Ok(raw) = <[u8; KEY_BYTES]>::try_from(bytes.as_slice()) {
            return Ok(Self(raw));
        }
        let digits = bytes.trim_ascii();
        blake3::Hash::from_hex(digits)
            .map(|hash| Self(*hash.as_bytes()))
            .map_err(|_| bad_key(path, "neither 32 bytes nor 64 hexadecimal digits"))
    }

    fn create(path: &Path) -> Result<Self> {
        let key = Self::generate()?;
        let bad = |error: std::io::Error| StoreError::BadState {
            path: path.to_path_buf(),
            reason: format!("cannot write the key: {error}"),
        };
        // Renamed when complete, so that a crash leaves a whole key or none.
        let aside = path.with_extension("new");
        let _ = fs::remove_file(&aside);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&aside).map_err(bad)?;
        file.write_all(&key.0).and_then(|()| file.sync_all()).map_err(bad)?;
        fs::rename(&aside, path).map_err(bad)?;
        lock::sync_parent(path);
        Ok(key)
    }
}

/// Whether there is a store in this directory.
fn holds_store(dir: &Path) -> bool {
    dir.join(SLED).exists()
}

fn bad_key(path: &Path, reason: impl std::fmt::Display) -> StoreError {
    StoreError::BadKey { path: path.to_path_buf(), reason: reason.to_string() }
}

/// The keyed hash of `KIND:ID` (METRICS.md TV-P4).
fn keyed(key: &[u8; KEY_BYTES], kind: &str, id: &str) -> Pseudonym {
    let mut hasher = blake3::Hasher::new_keyed(key);
    hasher.update(kind.as_bytes()).update(b":").update(id.as_bytes());
    Pseudonym(*hasher.finalize().as_bytes())
}

/// What a key outside the store is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyPurpose {
    /// Signs exported reports.
    ReportSignatures,
    /// Signs receipts of erasures.
    ReceiptSignatures,
    /// Hashes what a preset says shall be hashed.
    ImportHashes,
    /// Draws by which reports round what they tell of groups.
    ReportRounding,
}

impl KeyPurpose {
    /// The context of the derivation. It never changes: signatures of older exports depend on it.
    const fn context(self) -> &'static str {
        match self {
            Self::ReportSignatures => "mercer 2026-11 signatures of reports",
            Self::ReceiptSignatures => "mercer 2026-11 signatures of erasure receipts",
            Self::ImportHashes => "mercer 2026-11 hashes of anonymised imports",
            Self::ReportRounding => "mercer 2026-11 rounding of reports",
        }
    }
}

/// The keys derived from the secret, one for each purpose.
pub(crate) struct Keyring {
    users: [u8; KEY_BYTES],
    sessions: [u8; KEY_BYTES],
    tombstones: [u8; KEY_BYTES],
    identity: [u8; KEY_BYTES],
    check: [u8; KEY_BYTES],
    /// From which the keys for purposes outside the store are derived.
    outside: [u8; KEY_BYTES],
    audit: [u8; KEY_BYTES],
    seal: ChaCha20Poly1305,
}

impl Keyring {
    pub(crate) fn new(key: &Key) -> Self {
        let derive = |purpose: &str| blake3::derive_key(purpose, &key.0);
        Self {
            users: derive("mercer 2026-11 user pseudonyms"),
            sessions: derive("mercer 2026-11 session pseudonyms"),
            tombstones: derive("mercer 2026-11 tombstones"),
            identity: derive("mercer 2026-11 interaction identity"),
            check: derive("mercer 2026-11 key check"),
            outside: derive("mercer 2026-11 purposes outside the store"),
            audit: derive("mercer 2026-11 audit chain"),
            seal: ChaCha20Poly1305::new(&derive("mercer 2026-11 sealed ids").into()),
        }
    }

    /// The key of a purpose outside the store.
    pub(crate) fn purpose(&self, purpose: KeyPurpose) -> [u8; KEY_BYTES] {
        blake3::derive_key(purpose.context(), &self.outside)
    }

    pub(crate) fn user(&self, id: &UserId) -> Pseudonym {
        keyed(&self.users, "user", id.as_str())
    }

    pub(crate) fn session(&self, id: &SessionId) -> Pseudonym {
        keyed(&self.sessions, "session", id.as_str())
    }

    /// The tombstone of an erased user; without the key it cannot be matched with the pseudonym.
    pub(crate) fn tombstone(&self, user: &Pseudonym) -> Pseudonym {
        Pseudonym(*blake3::keyed_hash(&self.tombstones, &user.0).as_bytes())
    }

    /// Hashes what identifies an interaction to 128 bits: two of a billion collide with probability below 2^-68.
    pub(crate) fn identity(&self, kind: &str, bytes: &[u8]) -> [u8; 16] {
        let mut hasher = blake3::Hasher::new_keyed(&self.identity);
        hasher.update(kind.as_bytes()).update(b":").update(bytes);
        let mut out = [0; 16];
        out.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        out
    }

    /// A hash of the audit chain over named parts; `kind` keeps its uses apart.
    pub(crate) fn audit(&self, kind: &str, parts: &[&[u8]]) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_keyed(&self.audit);
        for part in std::iter::once(kind.as_bytes()).chain(parts.iter().copied()) {
            // The length keeps the borders of parts.
            hasher.update(&(part.len() as u64).to_le_bytes()).update(part);
        }
        *hasher.finalize().as_bytes()
    }

    /// The value by which a store recognises its key.
    pub(crate) fn check(&self) -> [u8; 32] {
        *blake3::keyed_hash(&self.check, b"mercer store").as_bytes()
    }

    /// Seals an id under its pseudonym. The nonce follows from the pseudonym: the same id always gives the same bytes, and
    /// two ids share a nonce only if 96 bits of their pseudonyms collide.
    pub(crate) fn seal(&self, pseudonym: &Pseudonym, id: &str) -> Result<Vec<u8>> {
        let payload = Payload { msg: id.as_bytes(), aad: &pseudonym.0 };
        self.seal
            .encrypt(&nonce(pseudonym), payload)
            .map_err(|_| StoreError::Invalid("the id cannot be sealed".to_owned()))
    }

    /// Opens what [`Keyring::seal`] made; `None` if it was not made with this key for this pseudonym.
    pub(crate) fn open(&self, pseudonym: &Pseudonym, sealed: &[u8]) -> Option<String> {
        let payload = Payload { msg: sealed, aad: &pseudonym.0 };
        self.seal.decrypt(&nonce(pseudonym), payload).ok().and_then(|bytes| String::from_utf8(bytes).ok())
    }
}

fn nonce(pseudonym: &Pseudonym) -> Nonce {
    let mut bytes = [0; 12];
    bytes.copy_from_slice(&pseudonym.0[..12]);
    bytes.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counting_key() -> [u8; 32] {
        std::array::from_fn(|index| index as u8)
    }

    #[test]
    fn tv_p4_keyed_pseudonym() {
        let pseudonym = keyed(&counting_key(), "user", "42");
        assert_eq!(pseudonym.hex(), "9610cf6a571f1e92f2f76a8e77c0e975e0ed287eb318f0d300c5b0bcf43ea50c");
        assert_eq!(Pseudonym::from_hex(&pseudonym.hex()), Some(pseudonym));
    }

    #[test]
    fn purposes_do_not_meet() {
        let ring = Keyring::new(&Key::from_bytes(counting_key()));
        let user = ring.user(&UserId::new("42").unwrap());
        let session = ring.session(&SessionId::new("42").unwrap());
        assert_ne!(user, session);
        assert_ne!(ring.purpose(KeyPurpose::ReportSignatures), ring.purpose(KeyPurpose::ReceiptSignatures));
        assert_ne!(user, ring.tombstone(&user));
        assert_ne!(Keyring::new(&Key::from_bytes([9; 32])).user(&UserId::new("42").unwrap()), user);
    }

    #[test]
    fn sealed_ids_open_only_with_key_and_pseudonym() {
        let ring = Keyring::new(&Key::from_bytes(counting_key()));
        let one = ring.user(&UserId::new("顾客-1").unwrap());
        let two = ring.user(&UserId::new("顾客-2").unwrap());
        let sealed = ring.seal(&one, "顾客-1").unwrap();
        assert!(!sealed.windows(4).any(|window| window == &"顾客".as_bytes()[..4]));
        assert_eq!(ring.open(&one, &sealed).as_deref(), Some("顾客-1"));
        assert_eq!(ring.open(&two, &sealed), None);
        assert_eq!(Keyring::new(&Key::from_bytes([9; 32])).open(&one, &sealed), None);
    }

    #[test]
    fn the_key_file_is_made_once_and_kept_private() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        let store = dir.path().join("store");
        let key = Key::load_or_create(&path, &store).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(Key::load_or_create(&path, &store).unwrap(), key);
        assert_eq!(format!("{key:?}"), "Key(..)");

        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(Key::load_or_create(&path, &store), Err(StoreError::BadKey { .. })));
        assert_eq!(Key::load(&path).unwrap(), key);

        let hex = dir.path().join("hex");
        fs::write(&hex, format!("{}\n", blake3::Hash::from_bytes(key.0).to_hex())).unwrap();
        assert_eq!(Key::load(&hex).unwrap(), key);
        fs::write(&hex, "too short").unwrap();
        assert!(matches!(Key::load(&hex), Err(StoreError::BadKey { .. })));
    }
}
