//! A number, or the reason why it is undefined (METRICS.md section 0.1).

use serde::{Deserialize, Serialize};

/// Why a number is undefined. The serialised form is the stable reason code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Undefined {
    /// The user has no relevant item, so accuracy is undefined.
    #[error("no relevant item to find")]
    EmptyTruth,
    /// Only positives or only negatives: nothing can be ordered.
    #[error("only one class present")]
    OneClass,
    /// The list is too short for the metric (pairs need two items).
    #[error("list too short")]
    ListTooShort,
    /// There is nothing to average.
    #[error("no observations")]
    NoObservations,
    /// The user has no history, or too little, to compare with.
    #[error("not enough history")]
    NoHistory,
    /// The denominator is zero.
    #[error("denominator is zero")]
    ZeroDenominator,
    /// Slices that belong together have different lengths.
    #[error("slices of different length")]
    LengthMismatch,
    /// A value is NaN or infinite.
    #[error("value is not a finite number")]
    NotFinite,
    /// A parameter lies outside its range.
    #[error("parameter out of range")]
    BadParameter,
    /// Fewer observations than the rule asks for.
    #[error("too few observations")]
    TooFew,
    /// Hidden, because the group is so small that the number would identify persons.
    #[error("suppressed: group too small to show")]
    Suppressed,
    /// Fewer than two groups are large enough to be compared.
    #[error("fewer than two comparable groups")]
    NoGroups,
    /// A vector of length zero has no direction.
    #[error("zero vector")]
    ZeroVector,
    /// A distribution gives no weight where the reference needs some.
    #[error("distribution lacks support")]
    NoSupport,
}

/// What every metric returns: the number, or why it is undefined.
pub type Measure = Result<f64, Undefined>;

/// A [`Measure`] as it is written into reports: `{"value": 0.5}` or `{"value": null, "reason": "empty_truth"}`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Value {
    /// The number; `None` if undefined.
    pub value: Option<f64>,
    /// The reason, exactly when `value` is `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Undefined>,
}

impl From<Measure> for Value {
    fn from(measure: Measure) -> Self {
        match measure.and_then(finite) {
            Ok(value) => Self { value: Some(value), reason: None },
            Err(reason) => Self { value: None, reason: Some(reason) },
        }
    }
}

impl Value {
    /// Back to a [`Measure`].
    ///
    /// # Errors
    /// The reason of an undefined value.
    pub fn measure(self) -> Measure {
        match (self.value, self.reason) {
            (Some(value), _) => Ok(value),
            (None, reason) => Err(reason.unwrap_or(Undefined::NoObservations)),
        }
    }
}

/// A mean over users with the number it used and the number it could have used.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mean {
    /// The mean of the defined values.
    pub mean: Value,
    /// How many values were defined.
    pub n_used: usize,
    /// How many were asked for.
    pub n_total: usize,
}

/// Arithmetic mean in slice order.
///
/// # Errors
/// [`Undefined::NoObservations`] for an empty slice, [`Undefined::NotFinite`] when the sum is not finite.
pub fn mean(values: &[f64]) -> Measure {
    if values.is_empty() {
        return Err(Undefined::NoObservations);
    }
    finite(values.iter().sum::<f64>() / values.len() as f64)
}

/// Mean of the defined values; undefined ones are skipped and counted (METRICS.md section 0.1).
pub fn mean_of(values: &[Measure]) -> Mean {
    let defined: Vec<f64> = values.iter().filter_map(|value| value.ok()).collect();
    Mean { mean: mean(&defined).into(), n_used: defined.len(), n_total: values.len() }
}

/// Sample standard deviation with the n−1 divisor.
///
/// # Errors
/// [`Undefined::TooFew`] below two values.
pub fn standard_deviation(values: &[f64]) -> Measure {
    if values.len() < 2 {
        return Err(Undefined::TooFew);
    }
    let centre = mean(values)?;
    let squares: f64 = values.iter().map(|value| (value - centre) * (value - centre)).sum();
    finite((squares / (values.len() - 1) as f64).sqrt())
}

/// Refuses numbers that are not finite.
pub(crate) fn finite(value: f64) -> Measure {
    if value.is_finite() { Ok(value) } else { Err(Undefined::NotFinite) }
}

/// Refuses slices of different lengths.
pub(crate) fn same_length(left: usize, right: usize) -> Result<(), Undefined> {
    if left == right { Ok(()) } else { Err(Undefined::LengthMismatch) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn undefined_is_null_with_a_reason_and_never_zero() {
        let text = serde_json::to_string(&Value::from(Err(Undefined::EmptyTruth))).unwrap();
        assert_eq!(text, r#"{"value":null,"reason":"empty_truth"}"#);
        let back: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(back.measure(), Err(Undefined::EmptyTruth));
        assert_eq!(serde_json::to_string(&Value::from(Ok(0.5))).unwrap(), r#"{"value":0.5}"#);
        assert_eq!(Value::from(Ok(f64::NAN)).reason, Some(Undefined::NotFinite));
    }

    #[test]
    fn a_mean_counts_what_it_skips() {
        let mean = mean_of(&[Ok(1.0), Err(Undefined::EmptyTruth), Ok(0.0)]);
        assert_eq!((mean.mean.value, mean.n_used, mean.n_total), (Some(0.5), 2, 3));
        assert_eq!(mean_of(&[]).mean.reason, Some(Undefined::NoObservations));
    }
}
