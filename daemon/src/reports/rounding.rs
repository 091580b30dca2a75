//! Rounds what reports tell of shoppers, so that two reports do not tell what one shopper changed between them (METRICS.md section 5).

use mercer_reports::Interval;
use mercer_reports::table_rounding::{CellSize, TableDraws, interval_step, outward};
use mercer_shared::wire::ReportRow;
use mercer_store::KeyPurpose;

use crate::state::app::App;

/// Shoppers below which nothing is told of them.
pub(crate) const LEAST: usize = 10;
/// Shoppers by which the limits of small groups are blurred.
pub(crate) const BLUR: usize = 3;
/// Digits of a value without an interval.
const DIGITS: i32 = 3;

/// The secret seed of the draws of a table: another one for each installation and each table.
pub(crate) fn secret_seed(app: &App, table: &str) -> u64 {
    let hash = blake3::keyed_hash(&app.store.purpose_key(KeyPurpose::ReportRounding), table.as_bytes());
    hash.as_bytes().iter().take(8).fold(0, |seed, byte| seed << 8 | u64::from(*byte))
}

/// Parts of one number of shoppers, as they are told.
pub(crate) struct RoundedShares {
    draws: TableDraws,
    total: usize,
}

impl RoundedShares {
    /// Of `total` shoppers, with the exact size of every part that will be told.
    pub(crate) fn new<'a>(seed: u64, total: usize, parts: impl IntoIterator<Item = CellSize<'a>>) -> Self {
        let all = std::iter::once(CellSize { cell: "", users: total });
        Self { draws: TableDraws::of(seed, "shares", all.chain(parts)), total }
    }

    /// All of them, in tens.
    pub(crate) fn total(&self) -> usize {
        self.draws.size("", self.total)
    }

    /// The share of a part; `None` of fewer than ten shoppers.
    pub(crate) fn share(&self, part: CellSize<'_>) -> Option<f64> {
        let total = self.total();
        let told = self.draws.size(part.cell, part.users).min(total);
        (self.total >= LEAST).then(|| told as f64 / total as f64)
    }
}

/// Rounds the numbers of rows that rest on shoppers: sizes to tens, values and bounds to what their interval supports. Equal sizes
/// stay equal.
pub(crate) fn round_rows(seed: u64, rows: &mut [ReportRow]) -> TableDraws {
    let sizes = rows.iter().map(|row| CellSize { cell: &row.name, users: row.n as usize });
    let sizes = TableDraws::of(seed, "rows", sizes);
    let draws = sizes.with_values(rows.iter().filter_map(|row| row.value));
    for row in rows {
        row.n = rounded_size(&sizes, row.n);
        let bounds = row.low.zip(row.high);
        let step = match (bounds, row.value) {
            (Some((low, high)), _) if high > low => interval_step(low, high),
            (_, Some(value)) if value != 0.0 => 10.0_f64.powi(value.abs().log10().floor() as i32 + 1 - DIGITS),
            _ => continue,
        };
        row.value = row.value.map(|value| draws.value(&row.name, value, step));
        if let Some((low, high)) = bounds {
            let told = outward(Interval { low, high, level: 0.95, replicates: 0 }, step);
            (row.low, row.high) = (Some(told.low), Some(told.high));
            row.value = row.value.map(|value| value.clamp(told.low, told.high));
        }
    }
    sizes
}

/// A number of shoppers in tens. The draw is that of the number, so that a number which stands in many rows is told in one way.
pub(crate) fn rounded_size(draws: &TableDraws, users: u64) -> u64 {
    draws.size(&users.to_string(), users as usize) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reports::rows::plain_row;

    #[test]
    fn shares_are_of_rounded_numbers_and_of_ten_shoppers_at_least() {
        let part = CellSize { cell: "train", users: 31 };
        for seed in 0..50 {
            let shares = RoundedShares::new(seed, 44, [part]);
            assert!([40, 50].contains(&shares.total()));
            let possible = [30.0 / 40.0, 1.0, 30.0 / 50.0, 40.0 / 50.0];
            assert!(possible.contains(&shares.share(part).unwrap()), "{:?}", shares.share(part));
        }
        assert_eq!(RoundedShares::new(1, 9, [part]).share(part), None);
    }

    #[test]
    fn rows_keep_their_value_within_their_bounds_and_lose_their_last_digits() {
        let row = |name: &str, value: f64, n| plain_row(name, "", Some(value), n, "");
        let mut rows = vec![
            ReportRow { low: Some(0.311_37), high: Some(0.464_93), ..row("known/region", 60.0 / 155.0, 155) },
            row("users/gini", 0.412_345_678, 155),
            ReportRow { undefined: Some("none".to_owned()), value: None, ..row("none", 0.0, 30) },
        ];
        let sizes = round_rows(5, &mut rows);
        assert!([150, 160].contains(&rows[0].n) && rows[0].n == rows[1].n && rows[2].n == 30);
        assert_eq!(rounded_size(&sizes, 155), rows[0].n);
        let known = rows[0].value.unwrap();
        assert!((known * 100.0 - (known * 100.0).round()).abs() < 1e-9 && (known - 0.387).abs() < 0.01, "{known}");
        assert!(rows[0].low.unwrap() <= 0.311_37 && rows[0].high.unwrap() >= 0.464_93);
        let gini = rows[1].value.unwrap();
        assert!([0.412, 0.413].contains(&gini), "{gini}");
    }
}
