//! Seeded choices that do not depend on each other.

/// Keeps `most` values at even distances, so that all times stay represented.
pub(super) fn thin_evenly<T>(mut all: Vec<T>, most: usize) -> Vec<T> {
    if all.len() <= most {
        return all;
    }
    let step = all.len() as f64 / most as f64;
    let mut next = 0f64;
    let mut place = 0;
    all.retain(|_| {
        let keep = place as f64 >= next;
        if keep {
            next += step;
        }
        place += 1;
        keep
    });
    all.truncate(most);
    all
}

/// A pseudo-random number that depends on seed, purpose and `parts` only, not on other draws.
pub(super) fn seeded_number(seed: u64, purpose: &str, parts: &[u64]) -> u64 {
    let mut hash = blake3::Hasher::new();
    hash.update(purpose.as_bytes());
    hash.update(&seed.to_le_bytes());
    for part in parts {
        hash.update(&part.to_le_bytes());
    }
    let bytes = *hash.finalize().as_bytes();
    bytes[..8].iter().rev().fold(0, |n, b| n << 8 | u64::from(*b))
}
