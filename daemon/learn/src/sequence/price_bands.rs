//! Price bands: tenths of the catalogue that a model was first trained on, so that currency and scale have no effect.

/// Number of bands, the unknown one (0) included.
pub const BANDS: usize = 11;

/// Borders between the tenths of the known prices, ascending; none when no price is known.
pub(crate) fn borders(prices: &[f32]) -> Vec<f32> {
    let mut known: Vec<f32> = prices.iter().copied().filter(|p| p.is_finite() && *p > 0.0).collect();
    known.sort_unstable_by(f32::total_cmp);
    if known.is_empty() {
        return Vec::new();
    }
    (1..BANDS - 1).map(|i| known[(i * known.len() / (BANDS - 1)).min(known.len() - 1)]).collect()
}

/// Band of a price: 0 unknown, else 1 to 10.
pub(crate) fn band(price: f32, borders: &[f32]) -> u8 {
    if !price.is_finite() || price <= 0.0 {
        return 0;
    }
    1 + borders.partition_point(|b| *b <= price) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bands_hold_a_tenth_each() {
        let prices: Vec<f32> = (1..=100).map(|p| p as f32).chain([0.0, f32::NAN]).collect();
        let borders = borders(&prices);
        let mut counts = [0; BANDS];
        prices.iter().for_each(|p| counts[usize::from(band(*p, &borders))] += 1);
        assert_eq!((counts[0], counts[1..].iter().sum::<i32>()), (2, 100));
        assert!(counts[1..].iter().all(|c| (9..=11).contains(c)), "{counts:?}");
        assert_eq!((band(5.0, &[]), super::borders(&[0.0]).len()), (1, 0));
    }
}
