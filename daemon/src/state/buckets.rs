//! Sticky shares of users: a pseudonym always falls into the same share.

use mercer_shared::ids::UserId;
use mercer_store::Store;

/// The position of a user in `[0, 1)` for a purpose. It never changes, and it is keyed, so that a user id cannot be chosen to get one.
pub(crate) fn place(store: &Store, user: &UserId, purpose: &str) -> f64 {
    let mut hash = blake3::Hasher::new_derive_key(purpose);
    hash.update(store.pseudonym(user).hex().as_bytes());
    let bytes = hash.finalize();
    let head = bytes.as_bytes().iter().take(8).fold(0u64, |sum, byte| sum << 8 | u64::from(*byte));
    (head >> 11) as f64 / (1u64 << 53) as f64
}
