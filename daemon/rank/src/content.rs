//! Text similarity: cosines of item vectors, whitened where the catalogue has whitened ones, with the items of a user's interest. For
//! many users at once each vector is read once for all of them: those of a hundred thousand items are 150 MB.
use std::ops::Range;

use pulp::Arch;
use rayon::prelude::*;

use crate::catalogue::Catalogue;
use crate::linalg::{dot, dots};
use crate::user_state::UserState;
use crate::vectors::Vectors;

/// Items that a user's direction is the mean of, those of the most interest, where vectors are whitened. On the windows before the
/// test windows of both benchmarks 60 items with a long half-life found more than the 20 latest (novel items .139 against .136 on Online
/// Retail, cold ones .077 against .070 on Open e-commerce), and 150 no more than 60.
const MAX_ITEMS: usize = 60;
/// The same where vectors are not whitened: the mean of many of them tells items apart badly, so only the latest count.
const MAX_RECENT: usize = 20;
/// Items per block of [`score_batch`]: their vectors stay in the second-level cache while all users are scored.
const BLOCK: usize = 256;

/// The items that count, with their weights, heaviest first.
fn liked(catalogue: &Catalogue, user: &UserState) -> Vec<(u32, f32)> {
    let whitened = catalogue.whitening().is_some();
    let (signs, most) = if whitened { (&user.profile, MAX_ITEMS) } else { (&user.recent, MAX_RECENT) };
    let mut liked = signs.clone();
    // Stable: of equal interest, the order of the keys.
    liked.sort_by(|a, b| b.1.total_cmp(&a.1));
    liked.truncate(most);
    liked
}

/// The mean vector of the user's items, length 1; `None` where none of them has a vector.
fn direction(catalogue: &Catalogue, user: &UserState) -> Option<Vec<f32>> {
    let vectors = catalogue.similarity_vectors()?;
    let mut mean = vec![0f32; vectors.dim()];
    for (i, w) in liked(catalogue, user) {
        if let Some(v) = vectors.get(i) {
            mean.iter_mut().zip(v).for_each(|(m, x)| *m += w * x);
        }
    }
    let norm = dot(&mean, &mean).sqrt();
    (norm > 0.0).then(|| {
        mean.iter_mut().for_each(|m| *m /= norm);
        mean
    })
}

/// Cosine of each item with the user's direction, not below 0.
pub(crate) fn score(catalogue: &Catalogue, user: &UserState, out: &mut [f32]) {
    let Some(vectors) = catalogue.similarity_vectors() else { return };
    let Some(mean) = direction(catalogue, user) else { return };
    Arch::new().dispatch(|| {
        for (i, slot) in out.iter_mut().enumerate() {
            if let Some(v) = vectors.get(i as u32) {
                *slot = dot(&mean, v).max(0.0);
            }
        }
    });
}

/// [`score`] for many users, equal bit for bit; `None` where the catalogue has no vectors.
pub(crate) fn score_batch(catalogue: &Catalogue, users: &[UserState]) -> Option<Vec<Vec<f32>>> {
    let vectors = catalogue.similarity_vectors()?;
    let (at, means): (Vec<usize>, Vec<Vec<f32>>) =
        users.iter().enumerate().filter_map(|(k, s)| Some((k, direction(catalogue, s)?))).unzip();
    let n = catalogue.len();
    let blocks: Vec<Vec<f32>> = (0..n.div_ceil(BLOCK))
        .into_par_iter()
        .map(|b| {
            let width = BLOCK.min(n - b * BLOCK);
            let mut block = vec![0f32; means.len() * width];
            Arch::new().dispatch(|| score_block(vectors, &means, b * BLOCK..b * BLOCK + width, &mut block));
            block
        })
        .collect();
    let mut out = vec![vec![0f32; n]; users.len()];
    for (row, k) in at.into_iter().enumerate() {
        for (to, block) in out[k].chunks_mut(BLOCK).zip(&blocks) {
            let width = to.len();
            to.copy_from_slice(&block[row * width..(row + 1) * width]);
        }
    }
    Some(out)
}

/// Cosines, not below 0, of some items with each direction: `directions x items`, row-major.
#[inline(always)]
fn score_block(vectors: &Vectors, means: &[Vec<f32>], items: Range<usize>, out: &mut [f32]) {
    let (first, width) = (items.start, items.len());
    for i in 0..width {
        let Some(v) = vectors.get((first + i) as u32) else { continue };
        let mut four = means.chunks_exact(4);
        let mut row = 0;
        for m in four.by_ref() {
            for x in dots(v, [&m[0], &m[1], &m[2], &m[3]]) {
                out[row * width + i] = x.max(0.0);
                row += 1;
            }
        }
        for m in four.remainder() {
            out[row * width + i] = dot(m, v).max(0.0);
            row += 1;
        }
    }
}

/// Largest cosine of each candidate with another item of the user's, by item number; 0 for all other items. It is no source: sixty
/// inner products per item are too many for a whole catalogue.
pub(crate) fn strongest(catalogue: &Catalogue, user: &UserState, candidates: &[u32]) -> Vec<f32> {
    let mut out = vec![0f32; catalogue.len()];
    let Some(vectors) = catalogue.similarity_vectors() else { return out };
    let theirs: Vec<(u32, &[f32])> =
        liked(catalogue, user).into_iter().filter_map(|(i, _)| Some((i, vectors.get(i)?))).collect();
    Arch::new().dispatch(|| {
        for &i in candidates {
            let Some(v) = vectors.get(i) else { continue };
            let others = theirs.iter().filter(|(j, _)| *j != i);
            out[i as usize] = others.map(|(_, w)| dot(w, v)).fold(0.0, f32::max);
        }
    });
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::ItemFacts;
    use crate::collaborative_index::{CollaborativeIndex, IndexOptions};
    use crate::dataset::Dataset;
    use crate::log::{DAY_MS, Event, Log};
    use mercer_shared::interaction::InteractionType;

    #[test]
    fn many_at_once_get_the_numbers_of_each_alone() {
        let items = BLOCK + 37;
        let mut catalogue = Catalogue::new((0..items).map(|_| ItemFacts::default()));
        let flat: Vec<f32> = (0..items * 20).map(|k| ((k * 7919 + 13) % 101) as f32 / 50.0 - 1.0).collect();
        catalogue.set_vectors(Some(Vectors::from_flat(&flat, 20).unwrap()));
        let mut log = Log::new();
        for u in 0..7u32 {
            for k in 0..u {
                let item = Some((u * 53 + k * 17) % items as u32);
                log.push(
                    u,
                    Event { item, text: None, kind: InteractionType::Purchase, value: 1.0, at: i64::from(k) * DAY_MS },
                );
            }
        }
        let index =
            CollaborativeIndex::fit(Dataset { log: &log, catalogue: &catalogue }, 9 * DAY_MS, &IndexOptions::light());
        // The first user has no event.
        let users: Vec<UserState> = (0..7).map(|u| index.user_state(log.events(u), 9 * DAY_MS)).collect();
        let many = score_batch(&catalogue, &users).unwrap();
        for (user, row) in users.iter().zip(&many) {
            let mut alone = vec![0f32; items];
            score(&catalogue, user, &mut alone);
            assert_eq!(&alone, row);
        }
        assert!(many[0].iter().all(|&x| x == 0.0) && many[6].iter().any(|&x| x > 0.0));
    }
}
