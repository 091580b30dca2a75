//! The heads of the ranker: for all items, for novel ones and for cold ones. Each has its own feature scaling, networks and,
//! optionally, trees.
use serde::{Deserialize, Serialize};

use crate::features::WIDTH;
use crate::mlp::Mlp;
use crate::mode::Mode;
use crate::request::{Candidates, RankRequest};
use crate::trees::{Trees, standardise};

/// Which head answers a request; each has its own candidates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HeadKind {
    /// All items.
    All,
    /// Items that the user never bought.
    Novel,
    /// Items that nobody bought yet.
    Cold,
}

/// All heads, in the order of their places in reports.
pub(crate) const HEADS: [HeadKind; 3] = [HeadKind::All, HeadKind::Novel, HeadKind::Cold];

impl HeadKind {
    /// The head that answers a request.
    pub(crate) const fn for_request(mode: Mode, candidates: Candidates) -> Self {
        match (candidates, mode) {
            (Candidates::Cold, _) => Self::Cold,
            (_, Mode::Novel) => Self::Novel,
            (_, Mode::All) => Self::All,
        }
    }

    /// The request that the head is trained on.
    pub(crate) fn training_request(self) -> RankRequest<'static> {
        let (mode, candidates) = match self {
            Self::All => (Mode::All, Candidates::Warm),
            Self::Novel => (Mode::Novel, Candidates::Warm),
            Self::Cold => (Mode::All, Candidates::Cold),
        };
        RankRequest { mode, candidates, ..RankRequest::new(10) }
    }
}

/// Mean and deviation of each feature over the training rows, and the features that some rows lack: each has a flag for that.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Scale {
    mean: Vec<f32>,
    inverse: Vec<f32>,
    flagged: Vec<usize>,
}

/// A feature that a smaller share of the rows lacks, or has, gets no flag: a network cannot learn from so few.
const RARE: f64 = 1e-4;

impl Scale {
    /// Fits to rows of features. Columns in `hidden` are scaled to 0 and get no flag.
    pub(crate) fn fit<'a>(rows: impl Iterator<Item = &'a [f32]>, hidden: &[usize]) -> Self {
        let mut shown = [true; WIDTH];
        hidden.iter().for_each(|&f| shown[f] = false);
        let mut sums = vec![(0f64, 0f64, 0f64); WIDTH];
        let mut all = 0f64;
        for row in rows {
            all += 1.0;
            for ((s, &x), shown) in sums.iter_mut().zip(row).zip(shown) {
                if shown && x.is_finite() {
                    *s = (s.0 + 1.0, s.1 + f64::from(x), s.2 + f64::from(x) * f64::from(x));
                }
            }
        }
        let mean: Vec<f32> = sums.iter().map(|s| (s.1 / s.0.max(1.0)) as f32).collect();
        let inverse = sums
            .iter()
            .map(|s| {
                let n = s.0.max(1.0);
                let sd = (s.2 / n - (s.1 / n).powi(2)).max(0.0).sqrt();
                if sd > 1e-6 { (1.0 / sd) as f32 } else { 0.0 }
            })
            .collect();
        let share = |s: &(f64, f64, f64)| s.0 / all.max(1.0);
        let flagged = (0..WIDTH).filter(|&f| (RARE..=1.0 - RARE).contains(&share(&sums[f]))).collect();
        Self { mean, inverse, flagged }
    }

    /// Columns of a scaled row.
    pub(crate) fn width(&self) -> usize {
        WIDTH + self.flagged.len()
    }

    /// Standardised rows, clipped at 4; what is missing becomes 0, the mean, and 1 in its flag behind the features.
    pub(crate) fn apply(&self, x: &[f32]) -> Vec<f32> {
        let mut out = Vec::with_capacity(x.len() / WIDTH * self.width());
        for row in x.chunks_exact(WIDTH) {
            let scaled = row.iter().zip(&self.mean).zip(&self.inverse);
            out.extend(scaled.map(|((v, m), s)| if v.is_finite() { ((v - m) * s).clamp(-4.0, 4.0) } else { 0.0 }));
            out.extend(self.flagged.iter().map(|&f| f32::from(u8::from(!row[f].is_finite()))));
        }
        out
    }
}

/// Scale, networks and trees of one head. The score is the mean of the networks'; with trees, the sum of both after each was
/// standardised within the list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Head {
    pub(crate) scale: Scale,
    pub(crate) nets: Vec<Mlp>,
    #[serde(default)]
    pub(crate) trees: Option<Trees>,
}

impl Head {
    /// Scores of the rows of a list, `x` being `rows x WIDTH` unscaled features.
    pub(crate) fn score(&self, x: &[f32]) -> Vec<f32> {
        let mut out = vec![0f32; x.len() / WIDTH];
        let scaled = self.scale.apply(x);
        for net in &self.nets {
            for (a, b) in out.iter_mut().zip(net.score(&scaled)) {
                *a += b / self.nets.len() as f32;
            }
        }
        if let Some(trees) = &self.trees {
            let mut of_trees = trees.score(x);
            standardise(&mut of_trees);
            standardise(&mut out);
            out.iter_mut().zip(of_trees).for_each(|(a, b)| *a += b);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_the_mean_and_flagged() {
        let mut rows = [vec![1.0f32; WIDTH], vec![3.0; WIDTH], vec![2.0; WIDTH]];
        rows[2][5] = f32::NAN;
        rows.iter_mut().for_each(|row| row[6] = f32::NAN);
        let scale = Scale::fit(rows.iter().map(Vec::as_slice), &[]);
        // The seventh is missing everywhere: nothing can be learned from its flag.
        assert_eq!(scale.width(), WIDTH + 1);
        let flat: Vec<f32> = rows.concat();
        let x = scale.apply(&flat);
        let row = |r: usize| &x[r * scale.width()..(r + 1) * scale.width()];
        assert_eq!((row(2)[5], row(2)[6], row(2)[WIDTH]), (0.0, 0.0, 1.0));
        assert_eq!((row(0)[5], row(0)[WIDTH]), (-1.0, 0.0));
        assert!(x.iter().all(|v| v.is_finite()));
        // What is hidden is 0 and has no flag.
        let hidden = Scale::fit(rows.iter().map(Vec::as_slice), &[0, 5]);
        assert_eq!(hidden.width(), WIDTH);
        let x = hidden.apply(&flat);
        assert!(x.chunks_exact(WIDTH).all(|row| row[0] == 0.0 && row[5] == 0.0) && x[1] < 0.0);
    }
}
