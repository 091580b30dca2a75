//! Novelty, serendipity, and popularity of lists against popularity of histories (METRICS.md section 3).

use crate::diversity::cosine;
use crate::value::{Measure, Undefined, mean};

/// Mean self-information −log2(n_i / N) of the recommended items (Castells 2011), in bits.
///
/// `popularity` holds interactions per item of the catalogue, N is their sum. An item without interaction counts as one more event
/// (n = 1 of N + 1) instead of being dropped.
///
/// # Errors
/// [`Undefined::NoObservations`] without recommendations or interactions, [`Undefined::BadParameter`] for an unknown item,
/// [`Undefined::NotFinite`] for a negative or infinite count.
pub fn novelty<L: AsRef<[u32]>>(lists: &[L], popularity: &[f64]) -> Measure {
    let information = Information::of(popularity)?;
    let mut bits = Vec::new();
    for list in lists {
        for &item in list.as_ref() {
            bits.push(information.bits(item)?);
        }
    }
    mean(&bits)
}

/// Novelty of one list, in bits: the mean over its items. Its mean over users weighs users alike, so that an interval can resample
/// users ([`crate::bootstrap_mean`]); with lists of one length it equals [`novelty`].
///
/// # Errors
/// [`Undefined::ListTooShort`] for an empty list; as [`novelty`].
pub fn novelty_of_list(list: &[u32], popularity: &[f64]) -> Measure {
    if list.is_empty() {
        return Err(Undefined::ListTooShort);
    }
    novelty(&[list], popularity)
}

/// Self-information of items.
struct Information<'a> {
    popularity: &'a [f64],
    total: f64,
}

impl<'a> Information<'a> {
    fn of(popularity: &'a [f64]) -> Result<Self, Undefined> {
        if popularity.iter().any(|count| !count.is_finite() || *count < 0.0) {
            return Err(Undefined::NotFinite);
        }
        let total: f64 = popularity.iter().sum();
        if total > 0.0 { Ok(Self { popularity, total }) } else { Err(Undefined::NoObservations) }
    }

    fn bits(&self, item: u32) -> Measure {
        let count = *self.popularity.get(item as usize).ok_or(Undefined::BadParameter)?;
        Ok(if count > 0.0 { -(count / self.total).log2() } else { (self.total + 1.0).log2() })
    }
}

/// Serendipity of one list: mean over its items of relevance × (1 − mean similarity to the history).
///
/// # Errors
/// [`Undefined::NoHistory`] without history, [`Undefined::ListTooShort`] for an empty list, [`Undefined::LengthMismatch`]; errors
/// of `similarity`.
pub fn serendipity_by(
    list: &[u32],
    relevance: &[f64],
    history: &[u32],
    mut similarity: impl FnMut(u32, u32) -> Measure,
) -> Measure {
    crate::value::same_length(list.len(), relevance.len())?;
    if history.is_empty() {
        return Err(Undefined::NoHistory);
    }
    if list.is_empty() {
        return Err(Undefined::ListTooShort);
    }
    let mut sum = 0.0;
    for (&item, relevant) in list.iter().zip(relevance) {
        let mut near = 0.0;
        for &seen in history {
            near += similarity(item, seen)?;
        }
        sum += relevant * (1.0 - near / history.len() as f64);
    }
    Ok(sum / list.len() as f64)
}

/// [`serendipity_by`] on vectors of the reference encoder, indexed by item.
///
/// # Errors
/// As [`serendipity_by`] and [`cosine`]; [`Undefined::BadParameter`] for an item without vector.
pub fn serendipity<V: AsRef<[f32]>>(list: &[u32], relevance: &[f64], history: &[u32], vectors: &[V]) -> Measure {
    serendipity_by(list, relevance, history, |left, right| {
        let vector = |item: u32| vectors.get(item as usize).map(AsRef::as_ref).ok_or(Undefined::BadParameter);
        cosine(vector(left)?, vector(right)?)
    })
}

/// Co-occurrence cosine of items over users' item sets: |U_i ∩ U_j| / √(|U_i| |U_j|). `sets` are sorted user numbers per item.
///
/// # Errors
/// [`Undefined::ZeroVector`] when an item has no user, [`Undefined::BadParameter`] for an unknown item.
pub fn cooccurrence_cosine(sets: &[Vec<u32>], left: u32, right: u32) -> Measure {
    let set = |item: u32| sets.get(item as usize).ok_or(Undefined::BadParameter);
    let (a, b) = (set(left)?, set(right)?);
    if a.is_empty() || b.is_empty() {
        return Err(Undefined::ZeroVector);
    }
    let shared = a.iter().filter(|user| b.binary_search(user).is_ok()).count();
    Ok(shared as f64 / ((a.len() * b.len()) as f64).sqrt())
}

/// Average recommendation popularity: the mean popularity of each list, averaged over users.
///
/// `popularity` counts distinct users per item over the trailing 90 days before the lists.
///
/// # Errors
/// [`Undefined::NoObservations`] when every list is empty, [`Undefined::BadParameter`] for an unknown item.
pub fn average_popularity<L: AsRef<[u32]>>(lists: &[L], popularity: &[f64]) -> Measure {
    let mut means = Vec::with_capacity(lists.len());
    for list in lists.iter().map(AsRef::as_ref).filter(|list| !list.is_empty()) {
        let mut values = Vec::with_capacity(list.len());
        for &item in list {
            values.push(*popularity.get(item as usize).ok_or(Undefined::BadParameter)?);
        }
        means.push(mean(&values)?);
    }
    mean(&means)
}

/// Popularity lift of a group: (ARP of its lists − ARP of its histories) / ARP of its histories (Abdollahpouri 2019).
///
/// # Errors
/// [`Undefined::NoHistory`] when the group has no history, [`Undefined::ZeroDenominator`]; as [`average_popularity`].
pub fn popularity_lift<L: AsRef<[u32]>, H: AsRef<[u32]>>(lists: &[L], histories: &[H], popularity: &[f64]) -> Measure {
    let before = average_popularity(histories, popularity).map_err(|reason| match reason {
        Undefined::NoObservations => Undefined::NoHistory,
        other => other,
    })?;
    let now = average_popularity(lists, popularity)?;
    if before == 0.0 { Err(Undefined::ZeroDenominator) } else { Ok((now - before) / before) }
}
