//! The order of results: score descending, then the item's tie key, then its number (METRICS.md section 0). The caller
//! makes tie keys from something that does not depend on restarts and on the order of imports, as item numbers do.

use std::cmp::Ordering;

/// Key of the hash: any constant that never changes.
const TIE_KEY: u64 = 0x6d65_7263_6572_0001;

/// A tie key where items have nothing but their number: a keyed hash of it (the finaliser of SplitMix64; Steele, Lea, Flood 2014).
#[must_use]
pub fn tie_hash(item: u32) -> u64 {
    let mut z = (u64::from(item) ^ TIE_KEY).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Which items may be found: the tie key of an item that may, none of another.
pub type Eligible<'a> = &'a (dyn Fn(u32) -> Option<u64> + Sync);

/// An item with a score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scored {
    /// The item's number.
    pub item: u32,
    /// Higher is better; finite.
    pub score: f64,
    /// Orders equal scores, ascending.
    pub tie: u64,
}

impl Scored {
    /// Best first; total, and the same on every machine.
    #[must_use]
    pub fn order(&self, other: &Self) -> Ordering {
        other
            .score
            .total_cmp(&self.score)
            .then_with(|| self.tie.cmp(&other.tie))
            .then_with(|| self.item.cmp(&other.item))
    }
}

/// The best `k`, best first.
pub(crate) fn top(mut all: Vec<Scored>, k: usize) -> Vec<Scored> {
    if k == 0 {
        return Vec::new();
    }
    if all.len() > k {
        all.select_nth_unstable_by(k - 1, Scored::order);
        all.truncate(k);
    }
    all.sort_unstable_by(Scored::order);
    all
}
