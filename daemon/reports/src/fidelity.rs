//! Whether explanations say what the model does (METRICS.md section 6): deletion and insertion curves against random order, validity of
//! stated counterfactuals, stability, and the share of items without an honest explanation.

use crate::proportions::wilson;
use crate::resample::{Interval, generator, shuffle};
use crate::value::{Measure, Undefined, mean, same_length};

/// Area under the score while events are deleted in `order`, strongest first: the score after 0, 1, ... n deletions, by the trapezoid over
/// the share deleted, in units of the score. The lower, the better the order names what matters.
///
/// # Errors
/// [`Undefined::NoHistory`] without events, [`Undefined::BadParameter`] unless `order` names each event once; those of `value`.
pub fn deletion_area(order: &[usize], value: impl FnMut(&[bool]) -> Measure) -> Measure {
    area(order, true, value)
}

/// Area under the score while events are added in `order` to an empty history. The higher, the better.
///
/// # Errors
/// As [`deletion_area`].
pub fn insertion_area(order: &[usize], value: impl FnMut(&[bool]) -> Measure) -> Measure {
    area(order, false, value)
}

fn area(order: &[usize], delete: bool, mut value: impl FnMut(&[bool]) -> Measure) -> Measure {
    if order.is_empty() {
        return Err(Undefined::NoHistory);
    }
    let mut kept = vec![delete; order.len()];
    let mut before = value(&kept)?;
    let mut sum = 0.0;
    for &event in order {
        let flag = kept.get_mut(event).ok_or(Undefined::BadParameter)?;
        if *flag != delete {
            return Err(Undefined::BadParameter);
        }
        *flag = !delete;
        let after = value(&kept)?;
        sum += f64::midpoint(before, after);
        before = after;
    }
    Ok(sum / order.len() as f64)
}

/// An order of events against random orders.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AgainstRandom {
    /// Area of the explanation's order.
    pub explained: f64,
    /// Mean area of random orders.
    pub random: f64,
    /// random − explained for deletion, explained − random for insertion: above 0 the order is better than chance.
    pub gain: f64,
}

/// Deletion area of the explanation's order and of `draws` random orders. A list's figure is the mean of `gain` over items, with an
/// interval over users.
///
/// # Errors
/// As [`deletion_area`]; [`Undefined::BadParameter`] for no draws.
pub fn deletion_against_random(
    order: &[usize],
    draws: usize,
    seed: u64,
    mut value: impl FnMut(&[bool]) -> Measure,
) -> Result<AgainstRandom, Undefined> {
    let explained = deletion_area(order, &mut value)?;
    let random = mean_of_random(order.len(), draws, seed, |random| deletion_area(random, &mut value))?;
    Ok(AgainstRandom { explained, random, gain: random - explained })
}

/// The same for insertion.
///
/// # Errors
/// As [`deletion_against_random`].
pub fn insertion_against_random(
    order: &[usize],
    draws: usize,
    seed: u64,
    mut value: impl FnMut(&[bool]) -> Measure,
) -> Result<AgainstRandom, Undefined> {
    let explained = insertion_area(order, &mut value)?;
    let random = mean_of_random(order.len(), draws, seed, |random| insertion_area(random, &mut value))?;
    Ok(AgainstRandom { explained, random, gain: explained - random })
}

fn mean_of_random(events: usize, draws: usize, seed: u64, mut area: impl FnMut(&[usize]) -> Measure) -> Measure {
    if draws == 0 {
        return Err(Undefined::BadParameter);
    }
    let mut rng = generator(seed, "random explanation");
    let mut order: Vec<usize> = (0..events).collect();
    let mut areas = Vec::with_capacity(draws);
    for _ in 0..draws {
        shuffle(&mut rng, &mut order);
        areas.push(area(&order)?);
    }
    mean(&areas)
}

/// A stated counterfactual and what happened when the named events were taken away. Ranks from 1; `None` is not in the list at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counterfactual {
    /// The rank that the explanation said the item would have.
    pub stated: Option<u32>,
    /// The rank that it had.
    pub found: Option<u32>,
}

/// A rate with its Wilson interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share {
    /// The share.
    pub share: f64,
    /// Wilson interval at 95 %. Items of one list count as independent, so with few users resample users instead.
    pub interval: Interval,
    /// How many were checked.
    pub n: u64,
}

fn share(hits: usize, n: usize) -> Result<Share, Undefined> {
    let level = 0.95;
    let (low, high) = wilson(hits as u64, n as u64, level)?;
    Ok(Share { share: hits as f64 / n as f64, interval: Interval { low, high, level, replicates: 0 }, n: n as u64 })
}

/// Counterfactual validity: the share of explanations whose stated rank is the one found when the named events are taken away. At least
/// 0.95 is required of the lists that are shown.
///
/// # Errors
/// [`Undefined::NoObservations`] without explanations.
pub fn counterfactual_validity(explanations: &[Counterfactual]) -> Result<Share, Undefined> {
    share(explanations.iter().filter(|one| one.stated == one.found).count(), explanations.len())
}

/// Share of shown items without an honest explanation, `true` where none holds. It is shown as such, never filled up.
///
/// # Errors
/// [`Undefined::NoObservations`] without items.
pub fn unexplained_share(unexplained: &[bool]) -> Result<Share, Undefined> {
    share(unexplained.iter().filter(|none| **none).count(), unexplained.len())
}

/// Stability over seeds: the share of pairs of runs that name the same strongest reason; 1 for a model without randomness. `reasons[run]`
/// holds the strongest reason of each item, `None` where there is none.
///
/// # Errors
/// [`Undefined::TooFew`] below two runs, [`Undefined::NoObservations`] without items, [`Undefined::LengthMismatch`].
pub fn stability<R: AsRef<[Option<u32>]>>(reasons: &[R]) -> Measure {
    if reasons.len() < 2 {
        return Err(Undefined::TooFew);
    }
    let items = reasons[0].as_ref().len();
    let mut pairs = Vec::new();
    for (place, one) in reasons.iter().enumerate() {
        for other in &reasons[place + 1..] {
            same_length(one.as_ref().len(), items)?;
            same_length(other.as_ref().len(), items)?;
            let same = one.as_ref().iter().zip(other.as_ref()).map(|(a, b)| f64::from(u8::from(a == b)));
            pairs.extend(same);
        }
    }
    mean(&pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The events weigh 8, 4, 2 and 1.
    fn additive(kept: &[bool]) -> Measure {
        Ok(kept.iter().enumerate().map(|(i, kept)| if *kept { f64::from(8 >> i) } else { 0.0 }).sum())
    }

    #[test]
    fn areas_by_hand_and_the_strongest_first_is_best() {
        // Scores 15, 7, 3, 1, 0: trapezoids 11, 5, 2, 0.5.
        assert_eq!(deletion_area(&[0, 1, 2, 3], additive), Ok(18.5 / 4.0));
        // Scores 0, 8, 12, 14, 15.
        assert_eq!(insertion_area(&[0, 1, 2, 3], additive), Ok((4.0 + 10.0 + 13.0 + 14.5) / 4.0));
        let found = deletion_against_random(&[0, 1, 2, 3], 200, 1, additive).unwrap();
        assert!(found.gain > 2.0 && (found.random - 7.5).abs() < 0.5, "{found:?}");
        let turned = deletion_against_random(&[3, 2, 1, 0], 200, 1, additive).unwrap();
        assert!(turned.gain < -2.0, "the worst order is worse than chance: {turned:?}");
        let inserted = insertion_against_random(&[0, 1, 2, 3], 200, 1, additive).unwrap();
        assert!(inserted.gain > 2.0, "{inserted:?}");
        assert_eq!(deletion_area(&[0, 0], additive), Err(Undefined::BadParameter));
        assert_eq!(deletion_area(&[], additive), Err(Undefined::NoHistory));
        assert_eq!(deletion_against_random(&[0], 0, 1, additive), Err(Undefined::BadParameter));
    }

    #[test]
    fn validity_counts_what_came_true() {
        let said = |stated, found| Counterfactual { stated, found };
        let mut all = vec![said(Some(9), Some(9)); 19];
        all.push(said(Some(4), Some(195)));
        let found = counterfactual_validity(&all).unwrap();
        assert!((found.share - 0.95).abs() < 1e-12 && found.interval.low < 0.95 && found.interval.high > 0.95);
        all.push(said(None, None));
        assert!(counterfactual_validity(&all).unwrap().share > 0.95, "out of the list as stated");
        assert_eq!(counterfactual_validity(&[]), Err(Undefined::NoObservations));
        assert_eq!(unexplained_share(&[true, false, false, false]).unwrap().share, 0.25);
        assert_eq!(stability(&[vec![Some(1), None], vec![Some(1), Some(2)]]), Ok(0.5));
        assert_eq!(stability(&[vec![Some(1)]]), Err(Undefined::TooFew));
        assert_eq!(stability(&[vec![Some(1)], vec![]]), Err(Undefined::LengthMismatch));
    }
}
