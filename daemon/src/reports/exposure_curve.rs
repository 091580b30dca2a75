//! The curve of how exposure is shared among the items.

use mercer_shared::wire::{CurvePoint, ReportCurve};

/// Points of the curve beside the first.
const CURVE_POINTS: usize = 50;

/// How exposure is shared among the eligible items (a Lorenz curve, the most shown items first); `None` where nothing was shown.
pub(crate) fn exposure_curve(counts: &[f64]) -> Option<ReportCurve> {
    let total: f64 = counts.iter().sum();
    if counts.is_empty() || total <= 0.0 {
        return None;
    }
    let mut sorted = counts.to_vec();
    sorted.sort_by(|a, b| b.total_cmp(a));
    let sums: Vec<f64> = std::iter::once(0.0)
        .chain(sorted.iter().scan(0.0, |sum, count| {
            *sum += count;
            Some(*sum)
        }))
        .collect();
    let points = (0..=CURVE_POINTS).map(|n| {
        let items = n * counts.len() / CURVE_POINTS;
        CurvePoint { x: items as f64 / counts.len() as f64, y: sums[items] / total }
    });
    let mut points: Vec<CurvePoint> = points.collect();
    points.dedup_by_key(|point| point.x.to_bits());
    Some(ReportCurve {
        name: "exposure".to_owned(),
        label: "share of the items, the most shown first, against the share of the exposure that they get".to_owned(),
        points,
    })
}
