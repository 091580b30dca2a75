//! Likeness of texts: cosines of item vectors, whitened where the catalogue has them so, with what a shopper took interest in. For one
//! shopper, or for many at once, where each item's vector is read once for all of them: a catalogue of a hundred thousand is 150 MB to read.
use pulp::Arch;
use rayon::prelude::*;

use crate::catalogue::{Catalogue, Vectors};
use crate::linalg::{dot, dots};
use crate::shopper::Shopper;

/// Items of a shopper that count, those of the most interest. In whitened directions their mean does not blur: on the windows before T of
/// both benchmarks sixty with a long half-life found more than the twenty latest (new items .139 against .136 on Online Retail, cold
/// ones .077 against .070 on Open e-commerce), a hundred and fifty no more than sixty.
const MOST: usize = 60;
/// The same where vectors are taken as they are (nothing was trained yet, or the catalogue is small): there it blurs, so the latest alone
/// count.
const LATEST: usize = 20;
/// Items per block of [`score_many`]: their vectors stay in the second-level cache while all shoppers are scored.
const BLOCK: usize = 256;

/// The signs of interest that count, heaviest first.
fn liked(catalogue: &Catalogue, shopper: &Shopper) -> Vec<(u32, f32)> {
    let whitened = catalogue.whitening().is_some();
    let (signs, most) = if whitened { (&shopper.profile, MOST) } else { (&shopper.recent, LATEST) };
    let mut liked = signs.clone();
    liked.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    liked.truncate(most);
    liked
}

/// The direction in which the shopper's items lie, length 1; none where none of them has a vector.
fn direction(catalogue: &Catalogue, shopper: &Shopper) -> Option<Vec<f32>> {
    let vectors = catalogue.alike()?;
    let mut mean = vec![0f32; vectors.dim()];
    for (i, w) in liked(catalogue, shopper) {
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

/// Cosine of each item with the mean of the shopper's items, not below 0.
pub(crate) fn score(catalogue: &Catalogue, shopper: &Shopper, out: &mut [f32]) {
    let Some(vectors) = catalogue.alike() else { return };
    let Some(mean) = direction(catalogue, shopper) else { return };
    Arch::new().dispatch(|| {
        for (i, slot) in out.iter_mut().enumerate() {
            if let Some(v) = vectors.get(i as u32) {
                *slot = dot(&mean, v).max(0.0);
            }
        }
    });
}

/// [`score`] for many shoppers, the same numbers bit for bit; nothing where the catalogue has no vectors.
pub(crate) fn score_many(catalogue: &Catalogue, shoppers: &[Shopper]) -> Option<Vec<Vec<f32>>> {
    let vectors = catalogue.alike()?;
    let (at, means): (Vec<usize>, Vec<Vec<f32>>) =
        shoppers.iter().enumerate().filter_map(|(k, s)| Some((k, direction(catalogue, s)?))).unzip();
    let n = catalogue.len();
    let blocks: Vec<Vec<f32>> = (0..n.div_ceil(BLOCK))
        .into_par_iter()
        .map(|b| {
            let width = BLOCK.min(n - b * BLOCK);
            let mut block = vec![0f32; means.len() * width];
            Arch::new().dispatch(|| score_block(vectors, &means, (b * BLOCK, width), &mut block));
            block
        })
        .collect();
    let mut out = vec![vec![0f32; n]; shoppers.len()];
    for (row, k) in at.into_iter().enumerate() {
        for (to, block) in out[k].chunks_mut(BLOCK).zip(&blocks) {
            let width = to.len();
            to.copy_from_slice(&block[row * width..(row + 1) * width]);
        }
    }
    Some(out)
}

/// Cosines, not below 0, of `width` items from `first` on with each direction: `directions x width`.
#[inline(always)]
fn score_block(vectors: &Vectors, means: &[Vec<f32>], (first, width): (usize, usize), out: &mut [f32]) {
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

/// Largest cosine of each candidate with another of the shopper's items, by item number; 0 elsewhere. Not a source: sixty products an
/// item are too many for a whole catalogue.
pub(crate) fn strongest(catalogue: &Catalogue, shopper: &Shopper, candidates: &[u32]) -> Vec<f32> {
    let mut out = vec![0f32; catalogue.len()];
    let Some(vectors) = catalogue.alike() else { return out };
    let theirs: Vec<(u32, &[f32])> =
        liked(catalogue, shopper).into_iter().filter_map(|(i, _)| Some((i, vectors.get(i)?))).collect();
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
    use crate::kind::Kind;
    use crate::log::{DAY_MS, Event, Log};
    use crate::memory::{Memory, MemoryOptions};

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
                log.push(u, Event { item, text: None, kind: Kind::Purchase, value: 1.0, at: i64::from(k) * DAY_MS });
            }
        }
        let memory = Memory::fit(&log, &catalogue, 9 * DAY_MS, &MemoryOptions::light());
        // The first shopper has no event.
        let shoppers: Vec<Shopper> = (0..7).map(|u| memory.shopper(log.events(u), 9 * DAY_MS)).collect();
        let many = score_many(&catalogue, &shoppers).unwrap();
        for (shopper, row) in shoppers.iter().zip(&many) {
            let mut alone = vec![0f32; items];
            score(&catalogue, shopper, &mut alone);
            assert_eq!(&alone, row);
        }
        assert!(many[0].iter().all(|&x| x == 0.0) && many[6].iter().any(|&x| x > 0.0));
    }
}
