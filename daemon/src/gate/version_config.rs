//! The configuration of a version, and which fit of the incumbent a candidate is compared with.

use mercer_rank::{RankerConfig, Whitening};

use crate::gate::policy::FittedPolicy;

/// What a version scores with. Two versions of equal configuration differ only in the data they learned from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct VersionConfig {
    /// Ranker with its optional components, whitening and encoder.
    pub(crate) ranker: RankerConfig,
    /// Whether weights of the blend were fitted; a rule derives them from the log otherwise.
    pub(crate) fitted_blend: bool,
}

impl VersionConfig {
    /// The configuration of a policy beside an encoder.
    pub(crate) fn new(policy: FittedPolicy<'_>, encoder: &str, whitening: Option<&Whitening>) -> Self {
        let identity = |whitening: &Whitening| {
            // Numbers always have a JSON form.
            let bytes = serde_json::to_vec(whitening).unwrap_or_default();
            blake3::hash(&bytes).to_hex().to_string()
        };
        Self {
            ranker: RankerConfig::new(policy.ranker, encoder, whitening.map(identity)),
            fitted_blend: policy.blend.is_some(),
        }
    }
}

/// Which fit of the incumbent a candidate is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IncumbentFit {
    /// What serves: it has learned nothing of the window.
    AsServed,
    /// None: the candidate has the incumbent's configuration and newer data. It must pass the baselines alone, because the incumbent's
    /// fit up to the cut-off would be the candidate again.
    Refreshed,
    /// What the incumbent's own gate compared, fitted up to that gate's cut-off.
    AsJudged,
    /// Its configuration, fitted again up to the cut-off.
    Refitted,
}

/// What is known of an incumbent when a candidate is to be compared with it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct IncumbentFacts {
    /// Whether what serves has learned from the window.
    pub(crate) has_seen_window: bool,
    /// Last moment that the fit evaluated by its own gate has learned from; `None` if that fit was not kept.
    pub(crate) judged_cutoff: Option<i64>,
    /// Whether the candidate was made from interactions that came after those of the incumbent.
    pub(crate) candidate_is_newer: bool,
}

/// Chooses the fit of the incumbent for a window that begins at `cutoff`. Only an equal configuration is a refresh; a candidate with
/// fewer or other components meets the incumbent's own.
pub(crate) fn choose_fit(
    candidate: &VersionConfig,
    incumbent: &VersionConfig,
    facts: IncumbentFacts,
    cutoff: i64,
) -> IncumbentFit {
    if !facts.has_seen_window {
        IncumbentFit::AsServed
    } else if candidate == incumbent && facts.candidate_is_newer {
        IncumbentFit::Refreshed
    } else if facts.judged_cutoff.is_some_and(|judged| judged <= cutoff) {
        IncumbentFit::AsJudged
    } else {
        IncumbentFit::Refitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rich() -> VersionConfig {
        let ranker = RankerConfig {
            ranker: true,
            parts: vec!["sequence", "cold"],
            whitening: Some("w1".into()),
            encoder: "e1".into(),
        };
        VersionConfig { ranker, fitted_blend: false }
    }

    const SEEN: IncumbentFacts =
        IncumbentFacts { has_seen_window: true, judged_cutoff: Some(50), candidate_is_newer: true };

    #[test]
    fn only_an_equal_configuration_is_a_refresh() {
        assert_eq!(choose_fit(&rich(), &rich(), SEEN, 100), IncumbentFit::Refreshed);
        let changes: [fn(&mut VersionConfig); 6] = [
            |config| _ = config.ranker.parts.remove(0),
            |config| _ = config.ranker.parts.pop(),
            |config| config.ranker.whitening = None,
            |config| config.ranker.encoder = "e2".into(),
            |config| config.ranker.ranker = false,
            |config| config.fitted_blend = true,
        ];
        for change in changes {
            let mut poorer = rich();
            change(&mut poorer);
            assert_eq!(choose_fit(&poorer, &rich(), SEEN, 100), IncumbentFit::AsJudged, "{poorer:?}");
            assert_eq!(choose_fit(&rich(), &poorer, SEEN, 100), IncumbentFit::AsJudged, "{poorer:?}");
        }
    }

    #[test]
    fn a_fit_that_knows_the_window_is_never_compared() {
        let later = IncumbentFacts { judged_cutoff: Some(101), ..SEEN };
        let lost = IncumbentFacts { judged_cutoff: None, ..SEEN };
        let other = VersionConfig { fitted_blend: true, ..rich() };
        assert_eq!(choose_fit(&other, &rich(), later, 100), IncumbentFit::Refitted);
        assert_eq!(choose_fit(&other, &rich(), lost, 100), IncumbentFit::Refitted);
        assert_eq!(choose_fit(&other, &rich(), later, 101), IncumbentFit::AsJudged);
        // The same data with another seed is no refresh either: both were fitted up to the same cut-off and are compared.
        let same_data = IncumbentFacts { candidate_is_newer: false, ..SEEN };
        assert_eq!(choose_fit(&rich(), &rich(), same_data, 100), IncumbentFit::AsJudged);
        let unseen = IncumbentFacts { has_seen_window: false, ..SEEN };
        assert_eq!(choose_fit(&rich(), &rich(), unseen, 100), IncumbentFit::AsServed);
    }
}
