//! Features that a counterfactual list is made without.
use super::feature::Feature;
use super::row::WIDTH;
use super::table::FEATURES;
use crate::ablation::Ablation;
use crate::signal::Signal;

/// Features that only tell how recently an item began to sell; the other features of popularity stay when an item's newness is left out.
const NEWNESS: [&str; 4] = [
    "popular: growth of 7 d, log",
    "popular: growth of 30 d, log",
    "popular: first purchases of 30 d, log share of maximum",
    "item: first purchases among those of 30 d",
];

impl Ablation {
    fn leaves_out_feature(self, feature: &Feature) -> bool {
        match feature.signal {
            Signal::Collaborative | Signal::Sequence => self.collaborative,
            Signal::Popularity => self.popularity || (self.newness && NEWNESS.contains(&feature.name)),
            _ => false,
        }
    }

    /// Sets the columns of left-out features to their means over the rows; `x` is `rows x WIDTH`, row-major. A column without any value
    /// stays missing.
    pub(crate) fn flatten(self, x: &mut [f32]) {
        for (column, _) in FEATURES.iter().enumerate().filter(|(_, feature)| self.leaves_out_feature(feature)) {
            let (mut sum, mut n) = (0f64, 0u32);
            for value in x.iter().skip(column).step_by(WIDTH).filter(|value| value.is_finite()) {
                sum += f64::from(*value);
                n += 1;
            }
            if n > 0 {
                let mean = (sum / f64::from(n)) as f32;
                x.iter_mut().skip(column).step_by(WIDTH).for_each(|value| *value = mean);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_features_of_newness_exist_and_are_of_popularity() {
        for name in NEWNESS {
            let feature = FEATURES.iter().find(|feature| feature.name == name);
            assert_eq!(feature.map(|feature| feature.signal), Some(Signal::Popularity), "{name}");
        }
    }

    #[test]
    fn left_out_columns_become_their_mean_and_the_others_stay() {
        let popular = FEATURES.iter().position(|f| f.signal == Signal::Popularity).unwrap();
        let own = FEATURES.iter().position(|f| f.signal == Signal::Own).unwrap();
        let mut x: Vec<f32> = (0..3 * WIDTH).map(|n| (n / WIDTH) as f32).collect();
        x[popular + 2 * WIDTH] = f32::NAN;
        let before = x.clone();
        Ablation { popularity: true, ..Ablation::NONE }.flatten(&mut x);
        for row in 0..3 {
            assert_eq!(x[row * WIDTH + popular], 0.5, "the mean of 0 and 1");
            assert_eq!(x[row * WIDTH + own], before[row * WIDTH + own]);
        }
        let mut same = before.clone();
        Ablation::NONE.flatten(&mut same);
        assert!(same.iter().zip(&before).all(|(a, b)| a.to_bits() == b.to_bits()));
    }
}
