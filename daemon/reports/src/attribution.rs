//! What an explanation attributes to each event of a history (METRICS.md section 6).
//!
//! The methods answer different questions and disagree on the same model: leave-one-out is what happens without this event; Shapley values
//! share the score out over all events; contributions of a dot product are exact parts; integrated gradients are parts along a path from a
//! baseline. A figure is never shown without the name of its method.
//!
//! `value` scores a history of which some events are kept: one flag per event. It is exact, so no interval belongs to it; where `value` is
//! random (dropout), it is fixed by a seed, and stability over seeds is measured ([`crate::fidelity::stability`]).

use crate::value::{Measure, Undefined, finite, same_length};

/// Most events of [`shapley`]: 2^12 evaluations.
pub const SHAPLEY_EVENTS: usize = 12;

/// Leave-one-out: value of the whole history − value without the event, in units of the score; n + 1 evaluations. Two events of which one
/// hides the other both get about 0; the pair is then to be left out together ([`interaction`]).
///
/// # Errors
/// [`Undefined::NoHistory`] without events; those of `value`.
pub fn leave_one_out(events: usize, mut value: impl FnMut(&[bool]) -> Measure) -> Result<Vec<f64>, Undefined> {
    if events == 0 {
        return Err(Undefined::NoHistory);
    }
    let mut kept = vec![true; events];
    let whole = value(&kept)?;
    (0..events)
        .map(|event| {
            kept[event] = false;
            let without = value(&kept);
            kept[event] = true;
            finite(whole - without?)
        })
        .collect()
}

/// What two events explain together beyond each alone: (whole − without both) − (whole − without one) − (whole − without the other). Above
/// 0 one hides the other, below 0 they say the same twice over.
///
/// # Errors
/// [`Undefined::BadParameter`] for an event outside the history or the same one twice; those of `value`.
pub fn interaction(events: usize, pair: [usize; 2], mut value: impl FnMut(&[bool]) -> Measure) -> Measure {
    let [one, other] = pair;
    if one == other || one >= events || other >= events {
        return Err(Undefined::BadParameter);
    }
    let mut without = |gone: &[usize]| {
        let kept: Vec<bool> = (0..events).map(|event| !gone.contains(&event)).collect();
        value(&kept)
    };
    let (whole, both) = (without(&[])?, without(&[one, other])?);
    finite(without(&[one])? + without(&[other])? - whole - both)
}

/// Exact Shapley values by all coalitions (Shapley 1953): they sum to value(all) − value(none). Coalitions are evaluated once each.
///
/// # Errors
/// [`Undefined::NoHistory`] without events, [`Undefined::BadParameter`] above [`SHAPLEY_EVENTS`]; those of `value`.
pub fn shapley(events: usize, mut value: impl FnMut(&[bool]) -> Measure) -> Result<Vec<f64>, Undefined> {
    if events == 0 {
        return Err(Undefined::NoHistory);
    }
    if events > SHAPLEY_EVENTS {
        return Err(Undefined::BadParameter);
    }
    let mut values = Vec::with_capacity(1 << events);
    for coalition in 0..1_usize << events {
        let kept: Vec<bool> = (0..events).map(|event| coalition >> event & 1 == 1).collect();
        values.push(value(&kept)?);
    }
    // The weight of a coalition of s others is s! (n − s − 1)! / n! = 1 / (n C(n − 1, s)).
    let mut weights = vec![1.0 / events as f64; events];
    for size in 1..events {
        weights[size] = weights[size - 1] * size as f64 / (events - size) as f64;
    }
    let of = |event: usize| {
        let without = (0..values.len()).filter(|coalition| coalition >> event & 1 == 0);
        without.map(|c| weights[c.count_ones() as usize] * (values[c | 1 << event] - values[c])).sum::<f64>()
    };
    (0..events).map(|event| finite(of(event))).collect()
}

fn dot(left: &[f64], right: &[f64]) -> f64 {
    left.iter().zip(right).map(|(a, b)| a * b).sum()
}

/// Contributions of the events to the dot product of a query with the mean of the event vectors: q·h_i / n, which sum to the score
/// exactly. The only parts of a score that may be shown as parts.
///
/// # Errors
/// [`Undefined::NoHistory`] without events, [`Undefined::LengthMismatch`], [`Undefined::NotFinite`].
pub fn dot_contributions<V: AsRef<[f64]>>(query: &[f64], history: &[V]) -> Result<Vec<f64>, Undefined> {
    if history.is_empty() {
        return Err(Undefined::NoHistory);
    }
    let of = |vector: &V| {
        same_length(vector.as_ref().len(), query.len())?;
        finite(dot(vector.as_ref(), query) / history.len() as f64)
    };
    history.iter().map(of).collect()
}

/// Integrated gradients, and how complete they are.
#[derive(Clone, Debug, PartialEq)]
pub struct IntegratedGradients {
    /// Attribution of each input.
    pub attributions: Vec<f64>,
    /// Their sum.
    pub sum: f64,
    /// What they should sum to: F(input) − F(baseline).
    pub difference: f64,
}

impl IntegratedGradients {
    /// |ΣIG − ΔF| / |ΔF|; highlights are shown below 0.01 only.
    ///
    /// # Errors
    /// [`Undefined::ZeroDenominator`] when input and baseline have one value.
    pub fn incompleteness(&self) -> Measure {
        if self.difference == 0.0 {
            return Err(Undefined::ZeroDenominator);
        }
        Ok((self.sum - self.difference).abs() / self.difference.abs())
    }
}

/// A differentiable score.
pub trait Differentiable {
    /// The score.
    ///
    /// # Errors
    /// Why it is undefined there.
    fn value(&self, input: &[f64]) -> Measure;
    /// Its gradient, as long as the input.
    ///
    /// # Errors
    /// Why it is undefined there.
    fn gradient(&self, input: &[f64]) -> Result<Vec<f64>, Undefined>;
}

/// Integrated gradients (Sundararajan 2017) on the straight line from `baseline` to `input` by the midpoint rule.
///
/// # Errors
/// [`Undefined::LengthMismatch`], [`Undefined::BadParameter`] for no steps, [`Undefined::NotFinite`]; those of `score`.
pub fn integrated_gradients(
    score: &impl Differentiable,
    input: &[f64],
    baseline: &[f64],
    steps: usize,
) -> Result<IntegratedGradients, Undefined> {
    same_length(input.len(), baseline.len())?;
    if steps == 0 {
        return Err(Undefined::BadParameter);
    }
    let mut attributions = vec![0.0; input.len()];
    for step in 0..steps {
        let part = (step as f64 + 0.5) / steps as f64;
        let point: Vec<f64> = input.iter().zip(baseline).map(|(to, from)| from + part * (to - from)).collect();
        let gradient = score.gradient(&point)?;
        same_length(gradient.len(), input.len())?;
        for (index, slope) in gradient.iter().enumerate() {
            attributions[index] += slope * (input[index] - baseline[index]) / steps as f64;
        }
    }
    let sum = finite(attributions.iter().sum())?;
    let difference = finite(score.value(input)? - score.value(baseline)?)?;
    Ok(IntegratedGradients { attributions, sum, difference })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HISTORY: [[f64; 2]; 3] = [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]];
    const QUERY: [f64; 2] = [2.0, 1.0];

    fn close(found: &[f64], wanted: &[f64]) {
        assert_eq!(found.len(), wanted.len());
        for (one, other) in found.iter().zip(wanted) {
            assert!((one - other).abs() < 1e-6, "{found:?} is not {wanted:?}");
        }
    }

    fn mean_of(kept: &[bool]) -> Option<[f64; 2]> {
        let vectors: Vec<[f64; 2]> = HISTORY.iter().zip(kept).filter(|(_, kept)| **kept).map(|(v, _)| *v).collect();
        let n = vectors.len() as f64;
        (n > 0.0).then(|| [0, 1].map(|axis| vectors.iter().map(|v| v[axis]).sum::<f64>() / n))
    }

    /// Cosine with the query.
    struct Cosine;

    impl Differentiable for Cosine {
        fn value(&self, x: &[f64]) -> Measure {
            let norms = (dot(x, x) * dot(&QUERY, &QUERY)).sqrt();
            if norms == 0.0 { Err(Undefined::ZeroVector) } else { Ok(dot(x, &QUERY) / norms) }
        }

        fn gradient(&self, x: &[f64]) -> Result<Vec<f64>, Undefined> {
            let (value, square) = (self.value(x)?, dot(x, x));
            let scale = (square * dot(&QUERY, &QUERY)).sqrt();
            Ok(x.iter().zip(QUERY).map(|(x, q)| q / scale - value * x / square).collect())
        }
    }

    /// Cosine of the mean of the kept events; nothing kept scores 0.
    fn cosine(kept: &[bool]) -> Measure {
        mean_of(kept).map_or(Ok(0.0), |mean| Cosine.value(&mean))
    }

    #[test]
    fn tv_e1_explanations() {
        close(&[cosine(&[true; 3]).unwrap()], &[0.948_683]);
        close(&leave_one_out(3, cosine).unwrap(), &[0.148_683, -0.051_317, 0.0]);
        let shares = shapley(3, cosine).unwrap();
        close(&shares, &[0.439_835, 0.116_228, 0.392_621]);
        close(&[shares.iter().sum()], &[0.948_683]);

        let product = |kept: &[bool]| Ok(mean_of(kept).map_or(0.0, |mean| dot(&mean, &QUERY)));
        close(&[product(&[true; 3]).unwrap()], &[2.0]);
        close(&dot_contributions(&QUERY, &HISTORY).unwrap(), &[0.666_667, 0.333_333, 1.0]);
        close(&leave_one_out(3, product).unwrap(), &[0.0, -0.5, 0.5]);

        let mean = mean_of(&[true; 3]).unwrap();
        let found = integrated_gradients(&Cosine, &mean, &[0.2, 0.1], 50).unwrap();
        close(&[found.sum, found.difference], &[-0.051_347, -0.051_317]);
        assert!(found.incompleteness().unwrap() < 0.01);
    }

    #[test]
    fn shapley_values_share_out_any_game_and_treat_equals_alike() {
        // A game in which two players are needed: 1 if both, else 0; the third adds 0.5.
        let game = |kept: &[bool]| Ok(f64::from(u8::from(kept[0] && kept[1])) + 0.5 * f64::from(u8::from(kept[2])));
        close(&shapley(3, game).unwrap(), &[0.5, 0.5, 0.5]);
        // Leave-one-out gives each of the two the whole.
        close(&leave_one_out(3, game).unwrap(), &[1.0, 1.0, 0.5]);
        let additive =
            |kept: &[bool]| Ok(kept.iter().enumerate().map(|(i, k)| i as f64 * f64::from(u8::from(*k))).sum());
        close(&shapley(12, additive).unwrap(), &(0..12).map(f64::from).collect::<Vec<_>>());
        assert_eq!(shapley(13, |_| Ok(0.0)), Err(Undefined::BadParameter));
        assert_eq!(shapley(0, |_| Ok(0.0)), Err(Undefined::NoHistory));
        assert_eq!(leave_one_out(0, |_| Ok(0.0)), Err(Undefined::NoHistory));
        assert_eq!(leave_one_out(1, |_| Err(Undefined::ZeroVector)), Err(Undefined::ZeroVector));
    }

    #[test]
    fn one_reason_that_hides_another_is_an_interaction() {
        // Either of two purchases is enough: without one nothing happens, without both the item falls.
        let either = |kept: &[bool]| Ok(f64::from(u8::from(kept[0] || kept[1])));
        close(&leave_one_out(3, either).unwrap(), &[0.0, 0.0, 0.0]);
        assert_eq!(interaction(3, [0, 1], either), Ok(1.0));
        assert_eq!(interaction(3, [0, 2], either), Ok(0.0));
        let both = |kept: &[bool]| Ok(f64::from(u8::from(kept[0] && kept[1])));
        assert_eq!(interaction(2, [0, 1], both), Ok(-1.0));
        assert_eq!(interaction(2, [0, 0], both), Err(Undefined::BadParameter));
    }

    #[test]
    fn gradients_of_a_line_are_complete_and_bad_shapes_are_refused() {
        struct Line;
        impl Differentiable for Line {
            fn value(&self, x: &[f64]) -> Measure {
                Ok(3.0 * x[0] - x[1])
            }
            fn gradient(&self, _: &[f64]) -> Result<Vec<f64>, Undefined> {
                Ok(vec![3.0, -1.0])
            }
        }
        let found = integrated_gradients(&Line, &[1.0, 2.0], &[0.0, 0.0], 1).unwrap();
        close(&found.attributions, &[3.0, -2.0]);
        assert_eq!(found.incompleteness(), Ok(0.0));
        let same = integrated_gradients(&Line, &[1.0, 2.0], &[1.0, 2.0], 1).unwrap();
        assert_eq!(same.incompleteness(), Err(Undefined::ZeroDenominator));
        assert_eq!(integrated_gradients(&Line, &[1.0], &[], 1), Err(Undefined::LengthMismatch));
        assert_eq!(integrated_gradients(&Line, &[1.0, 2.0], &[0.0, 0.0], 0), Err(Undefined::BadParameter));
        assert_eq!(dot_contributions::<[f64; 2]>(&QUERY, &[]), Err(Undefined::NoHistory));
        assert_eq!(dot_contributions(&QUERY, &[[1.0]]), Err(Undefined::LengthMismatch));
    }
}
