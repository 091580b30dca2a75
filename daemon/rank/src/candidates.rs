//! The candidates that a ranker scores: the best items of the blend, and of the user's own purchases. Training and serving pick
//! them by this one function.
use crate::blend::BlendWeights;
use crate::head::HeadKind;
use crate::mode::Mode;
use crate::recommend::{blend_items, top_k};
use crate::request::Candidates;
use crate::snapshot::Snapshot;
use crate::source::Source;
use crate::source_scores::SourceScores;
use crate::user_state::UserState;

/// Own items among the candidates for all items, at most.
const OWN: usize = 250;
/// Other items among the candidates for all items.
const OTHER: usize = 100;
/// Candidates of the head for novel items.
const NOVEL: usize = 150;
/// Candidates of the head for cold items: text and category alone pick them, so there are more.
const COLD: usize = 300;
/// The blend that picks cold candidates.
pub(crate) const COLD_BLEND: [(Source, f32); 2] = [(Source::Content, 1.0), (Source::Category, 0.3)];

/// Number of candidates that a list is chosen from at most.
pub(crate) const fn count(mode: Mode, candidates: Candidates) -> usize {
    match HeadKind::for_request(mode, candidates) {
        HeadKind::All => OWN + OTHER,
        HeadKind::Novel => NOVEL,
        HeadKind::Cold => COLD,
    }
}

/// Picks the candidates of a user, best of the sources first.
pub(crate) fn pick(
    s: &Snapshot,
    user: &UserState,
    scores: &mut SourceScores<'_>,
    eligible: &[u32],
    head: HeadKind,
    blend: &BlendWeights,
) -> Vec<u32> {
    let by_blend = |scores: &mut SourceScores<'_>, among: &[u32], weights: &[(Source, f32)], most| {
        blend_items(s, scores, among, weights, most).into_iter().map(|x| x.item)
    };
    match head {
        HeadKind::Novel => by_blend(scores, eligible, &blend.novel, NOVEL).collect(),
        HeadKind::Cold => by_blend(scores, eligible, &COLD_BLEND, COLD).collect(),
        HeadKind::All => {
            let bought = |i: &u32| user.purchases_of(*i).is_some();
            let column = scores.get(Source::Own);
            let own: Vec<(f32, u32)> =
                eligible.iter().filter(|i| bought(i)).map(|&i| (column[i as usize], i)).collect();
            let mut out: Vec<u32> = top_k(s, own, OWN, scores.left_out()).into_iter().map(|x| x.1).collect();
            let other: Vec<u32> = eligible.iter().copied().filter(|i| !bought(i)).collect();
            out.extend(by_blend(scores, &other, &blend.novel, OTHER));
            out
        }
    }
}
