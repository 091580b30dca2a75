//! Noise of counts that leave the host: the discrete Laplace mechanism of OpenDP, whose sampler is exact over the integers and draws from
//! the system's randomness. Noise from floating-point numbers would leak (Mironov 2012).

use mercer_shared::problem::{Code, Problem};
use opendp::domains::{AtomDomain, VectorDomain};
use opendp::measurements::make_laplace;
use opendp::measures::MaxDivergence;
use opendp::metrics::L1Distance;

use crate::state::problems::Answer;

/// Counts with noise.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct NoisedCounts {
    /// In the order of the exact counts, none below 0.
    pub(crate) counts: Vec<u64>,
    /// Scale of the noise.
    pub(crate) scale: f64,
    /// Epsilon that OpenDP states for the release of all counts together.
    pub(crate) epsilon: f64,
}

/// Adds noise to counts of which one user is part of at most `cells_per_user`, each time as one: the L1 sensitivity is that number, and the
/// scale is the sensitivity divided by epsilon (METRICS.md section 5).
///
/// # Errors
/// `internal` where OpenDP refuses the parameters.
pub(crate) fn noised(counts: &[u64], cells_per_user: u32, epsilon: f64) -> Answer<NoisedCounts> {
    let failed = |error: opendp::error::Error| Problem::new(Code::Internal, format!("no noise could be made: {error}"));
    let sensitivity = i64::from(cells_per_user.max(1));
    let scale = sensitivity as f64 / epsilon;
    let domain = VectorDomain::new(AtomDomain::<i64>::default());
    let mechanism =
        make_laplace::<_, _, MaxDivergence>(domain, L1Distance::<i64>::default(), scale, None).map_err(failed)?;
    let exact: Vec<i64> = counts.iter().map(|count| i64::try_from(*count).unwrap_or(i64::MAX)).collect();
    let noised = mechanism.invoke(&exact).map_err(failed)?;
    Ok(NoisedCounts {
        // A count below 0 says nothing more than 0 does; this reads the noised number only.
        counts: noised.into_iter().map(|count| u64::try_from(count).unwrap_or(0)).collect(),
        scale,
        epsilon: mechanism.map(&sensitivity).map_err(failed)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of 4,000 draws at scale 2 the mean absolute error is 2 a / (1 - a^2) with a = exp(-1/2), 1.919; its standard error is about .03.
    #[test]
    fn the_noise_has_the_scale_of_sensitivity_over_epsilon() {
        let exact = vec![1_000_u64; 4_000];
        let release = noised(&exact, 2, 1.0).unwrap();
        assert_eq!(release.scale, 2.0);
        assert!((release.epsilon - 1.0).abs() < 1e-9, "{}", release.epsilon);
        let error: f64 = release.counts.iter().map(|count| (*count as f64 - 1_000.0).abs()).sum::<f64>() / 4_000.0;
        assert!((1.7..2.2).contains(&error), "{error}");
        let mean = release.counts.iter().sum::<u64>() as f64 / 4_000.0;
        assert!((mean - 1_000.0).abs() < 0.4, "{mean}");
    }

    /// METRICS.md section 5: scale 2 and sensitivity 1 give epsilon .5.
    #[test]
    fn epsilon_is_sensitivity_over_scale() {
        assert!((noised(&[5], 1, 0.5).unwrap().epsilon - 0.5).abs() < 1e-9);
    }

    #[test]
    fn no_count_is_negative() {
        let release = noised(&[0; 200], 1, 0.1).unwrap();
        assert!(release.counts.iter().any(|count| *count > 0) && release.counts.contains(&0));
    }
}
