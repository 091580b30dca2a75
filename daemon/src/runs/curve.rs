//! The loss curve of a run. Points are means over growing intervals, so that a run of any length keeps a bounded number of points.

use mercer_shared::wire::LossPoint;

/// Points that are kept at most.
pub(crate) const MAX_POINTS: usize = 500;

/// A curve in the making. Each point is the mean of the losses since the point before.
#[derive(Debug)]
pub(crate) struct Curve {
    points: Vec<LossPoint>,
    stride: u64,
    sum: f64,
    count: u64,
}

impl Default for Curve {
    fn default() -> Self {
        Self { points: Vec::new(), stride: 1, sum: 0.0, count: 0 }
    }
}

impl Curve {
    /// Adds the loss of a step.
    pub(crate) fn push(&mut self, step: u64, loss: f64) {
        self.sum += loss;
        self.count += 1;
        if self.count < self.stride {
            return;
        }
        self.points.push(LossPoint { step, loss: self.sum / self.count as f64 });
        (self.sum, self.count) = (0.0, 0);
        if self.points.len() >= MAX_POINTS {
            self.points = self
                .points
                .chunks(2)
                .filter_map(|pair| {
                    let last = pair.last()?;
                    let mean = pair.iter().map(|point| point.loss).sum::<f64>() / pair.len() as f64;
                    Some(LossPoint { step: last.step, loss: mean })
                })
                .collect();
            self.stride *= 2;
        }
    }

    /// The curve of a run that continues at `step`, with the points before it.
    pub(crate) fn going_on(points: &[LossPoint], step: u64) -> Self {
        let points: Vec<LossPoint> = points.iter().copied().filter(|point| point.step < step).collect();
        let stride = points.windows(2).next_back().map_or(1, |pair| pair[1].step - pair[0].step).max(1);
        Self { points, stride, ..Self::default() }
    }

    /// The points so far.
    pub(crate) fn points(&self) -> &[LossPoint] {
        &self.points
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_run_keeps_few_points_and_the_mean() {
        let mut curve = Curve::default();
        for step in 1..=8_000 {
            curve.push(step, if step % 2 == 0 { 1.0 } else { 3.0 });
        }
        let points = curve.points();
        assert!(points.len() <= MAX_POINTS && points.len() > MAX_POINTS / 4, "{}", points.len());
        assert!(points.windows(2).all(|pair| pair[0].step < pair[1].step));
        assert!(points.iter().skip(1).all(|point| (point.loss - 2.0).abs() < 1e-9));
    }

    #[test]
    fn a_resumed_run_forgets_what_is_done_again() {
        let mut curve = Curve::default();
        (1..=9).for_each(|step| curve.push(step, 1.0));
        let mut curve = Curve::going_on(curve.points(), 6);
        curve.push(6, 2.0);
        assert_eq!(curve.points().iter().map(|p| p.step).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn a_short_run_keeps_every_step() {
        let mut curve = Curve::default();
        (1..=3).for_each(|step| curve.push(step, step as f64));
        assert_eq!(curve.points().iter().map(|p| p.loss).collect::<Vec<_>>(), [1.0, 2.0, 3.0]);
    }
}
