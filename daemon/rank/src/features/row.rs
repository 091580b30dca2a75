//! The features of a list's candidates.

use super::context::FeatureContext;
use super::table::FEATURES;
use crate::snapshot::Snapshot;
use crate::source_scores::SourceScores;
use crate::user_state::UserState;

/// Number of features.
pub(crate) const WIDTH: usize = FEATURES.len();

/// Features of the candidates, `candidates x WIDTH` row-major. Those of signals that the scores leave out are equal for all candidates.
pub(crate) fn features(s: &Snapshot, user: &UserState, scores: &mut SourceScores<'_>, candidates: &[u32]) -> Vec<f32> {
    let left_out = s.index.left_out;
    let context = FeatureContext::new(s, user, scores, candidates);
    let mut out = Vec::with_capacity(candidates.len() * WIDTH);
    for (row, &item) in candidates.iter().enumerate() {
        let candidate = context.candidate(row, item);
        out.extend(FEATURES.iter().map(|f| match left_out {
            Some(signal) if signal == f.signal => f32::NAN,
            _ => (f.value)(&context, &candidate),
        }));
    }
    scores.left_out().flatten(&mut out);
    out
}

/// Whether these are the names of [`FEATURES`], in their order.
pub fn are_current_features(names: &[String]) -> bool {
    names.iter().map(String::as_str).eq(FEATURES.iter().map(|f| f.name))
}
