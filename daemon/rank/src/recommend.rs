//! Lists ordered by a blend: for a user or session, for an item, and of trending items. A list is full while there are eligible
//! items.
use crate::ablation::Ablation;
use crate::blend::BlendWeights;
use crate::error::RankError;
use crate::log::Event;
use crate::request::{RankRequest, RankedItem};
use crate::snapshot::{Recipient, Snapshot};
use crate::source::Source;
use crate::source_scores::SourceScores;
use crate::user_state::UserState;

/// The list of a user or session by the blend, from what was known at `at`; best first.
///
/// # Errors
/// [`RankError::FromTheFuture`] when the snapshot's index holds events after `at`: fit one for that moment.
pub fn recommend(
    s: &Snapshot,
    blend: &BlendWeights,
    whom: Recipient<'_>,
    at: i64,
    r: &RankRequest<'_>,
) -> Result<Vec<RankedItem>, RankError> {
    s.check(at)?;
    let user = s.user_state(whom, at);
    Ok(blend_list(s, &user, &mut SourceScores::new(s, &user, whom), blend, r))
}

/// [`recommend`] from source scores that were computed before.
pub(crate) fn blend_list(
    s: &Snapshot,
    user: &UserState,
    scores: &mut SourceScores<'_>,
    blend: &BlendWeights,
    r: &RankRequest<'_>,
) -> Vec<RankedItem> {
    scores.leave_out(r.ablation);
    let eligible = s.eligible(user, r);
    blend_items(s, scores, &eligible, blend.get(r.mode), r.k)
}

/// The best `k` of the eligible items by the weighted sum of sources, each divided by its largest eligible value.
pub(crate) fn blend_items(
    s: &Snapshot,
    scores: &mut SourceScores<'_>,
    eligible: &[u32],
    weights: &[(Source, f32)],
    k: usize,
) -> Vec<RankedItem> {
    let mut sums = vec![0f32; eligible.len()];
    let mut scales = Vec::with_capacity(weights.len());
    for &(source, w) in weights {
        let column = scores.get(source);
        let max = eligible.iter().fold(0f32, |m, &i| m.max(column[i as usize]));
        let scale = if max > 0.0 { w / max } else { 0.0 };
        if scale != 0.0 {
            for (slot, &i) in sums.iter_mut().zip(eligible) {
                *slot += scale * column[i as usize];
            }
        }
        scales.push(scale);
    }
    let scored: Vec<(f32, u32)> = sums.into_iter().zip(eligible.iter().copied()).collect();
    top_k(s, scored, k, scores.left_out())
        .into_iter()
        .map(|(score, item)| {
            let parts = weights
                .iter()
                .zip(&scales)
                .map(|(&(source, _), &scale)| (source, scale * scores.get(source)[item as usize]))
                .filter(|p| p.1 != 0.0)
                .collect();
            RankedItem { item, score, parts, log_softmax: None }
        })
        .collect()
}

/// The `k` best of scored items, best first. Equal scores: more purchases of all time first, so that a list without any signal
/// is still a sensible one; then the tie-break key. Purchases do not count where popularity is left out.
pub(crate) fn top_k(s: &Snapshot, mut scored: Vec<(f32, u32)>, k: usize, without: Ablation) -> Vec<(f32, u32)> {
    let count = |i: u32| s.index.stats(i).filter(|_| !without.popularity).map_or(0.0, |r| r.count);
    let by = |a: &(f32, u32), b: &(f32, u32)| {
        b.0.total_cmp(&a.0)
            .then_with(|| count(b.1).total_cmp(&count(a.1)))
            .then_with(|| s.catalogue.key(a.1).cmp(&s.catalogue.key(b.1)))
            .then(a.1.cmp(&b.1))
    };
    if k < scored.len() {
        if k == 0 {
            return Vec::new();
        }
        scored.select_nth_unstable_by(k - 1, by);
        scored.truncate(k);
    }
    scored.sort_unstable_by(by);
    scored
}

/// Items related to an item: by co-occurrence, then by similar text, then by category and popularity.
///
/// # Errors
/// As [`recommend`].
pub fn related(s: &Snapshot, item: u32, at: i64, r: &RankRequest<'_>) -> Result<Vec<RankedItem>, RankError> {
    let seed = [Event { item: Some(item), text: None, kind: s.index.summary().target, value: 1.0, at }];
    let weights = [(Source::Knn, 1.0), (Source::Content, 0.5), (Source::Category, 0.02), (Source::Popular30, 1e-3)];
    let other = |i: u32| i != item && r.allow.is_none_or(|allow| allow(i));
    session_list(s, &seed, at, &RankRequest { allow: Some(&other), ..*r }, &weights)
}

/// Items whose sales grow over their own past.
///
/// # Errors
/// As [`recommend`].
pub fn trending(s: &Snapshot, at: i64, r: &RankRequest<'_>) -> Result<Vec<RankedItem>, RankError> {
    session_list(s, &[], at, r, &[(Source::Trending, 1.0), (Source::Popular7, 1e-3)])
}

fn session_list(
    s: &Snapshot,
    events: &[Event],
    at: i64,
    r: &RankRequest<'_>,
    weights: &[(Source, f32)],
) -> Result<Vec<RankedItem>, RankError> {
    s.check(at)?;
    let user = s.index.user_state(events, at);
    let eligible = s.eligible(&user, r);
    let mut scores = SourceScores::new(s, &user, Recipient::Session(events));
    Ok(blend_items(s, &mut scores, &eligible, weights, r.k))
}
