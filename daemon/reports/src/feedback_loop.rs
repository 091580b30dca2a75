//! Feedback loops: does what is shown cause what is bought, beyond what people buy without being shown it (bias in the data).
//!
//! A shop shows what people like, so buyers of a shown item are no proof of anything. What a showing causes is seen in time: for each
//! user and item, purchases within a horizon H after the first showing are compared with those in the window of H before it and the
//! window from H to 2H after it. A stable taste, and a trend that rises or falls evenly, are the same on both sides and cancel. A shop
//! that never shows what was bought has no purchases before; then only the later window is left, and the estimate says so.

use serde::{Deserialize, Serialize};

use crate::exposure_ratio::BootstrapOptions;
use crate::resample::{Interval, bootstrap_statistic, percentile_interval};
use crate::value::{Measure, Undefined, Value, finite};

/// One user's first showing of an item, and when the same user bought it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Showing {
    /// The user, as an index.
    pub user: usize,
    /// First showing, in milliseconds.
    pub shown: i64,
    /// Purchases of the item by the user, in milliseconds.
    pub bought: Vec<i64>,
}

/// The span of the log and the horizon, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoopWindow {
    /// Start of the log.
    pub from: i64,
    /// End of the log.
    pub to: i64,
    /// How long a showing may act.
    pub horizon: i64,
}

/// What showings cause.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ShowingLift {
    /// Showings with a purchase within the horizon over those with one in a window of the same length around it. 1: showing changes
    /// nothing; 2: half of the purchases that follow a showing would not have been made.
    pub lift: Value,
    /// Percentile interval of the logarithm by user bootstrap.
    pub interval: Option<Interval>,
    /// Showings whose windows all lie within the log.
    pub showings: usize,
    /// Showings with a purchase within the horizon, in the window before the showing, and in the window after the horizon.
    pub purchases: [usize; 3],
    /// True if no shown item had been bought by the same user before: purchases before a showing cannot be compared then.
    pub hides_bought: bool,
}

/// Fewest purchases in the three windows together from which a lift is estimated.
pub const LOOP_PURCHASES: usize = 20;

/// The lift of showings.
///
/// # Errors
/// [`Undefined::BadParameter`] for a horizon that is not positive, [`Undefined::TooFew`] below 20 purchases around showings.
pub fn showing_lift(
    showings: &[Showing],
    window: LoopWindow,
    options: BootstrapOptions,
) -> Result<ShowingLift, Undefined> {
    let h = window.horizon;
    if h <= 0 {
        return Err(Undefined::BadParameter);
    }
    // Unless all three windows lie within the log, an empty one may only be cut off.
    let whole = |one: &&Showing| one.shown - h >= window.from && one.shown + 2 * h <= window.to;
    let used: Vec<&Showing> = showings.iter().filter(whole).collect();
    let has = |one: &Showing, from: i64, to: i64| one.bought.iter().any(|at| from < *at && *at <= to);
    let windows = |one: &Showing| {
        let t = one.shown;
        // A purchase at the moment of the showing is before it: the showing cannot have caused it.
        [has(one, t, t + h), has(one, t - h, t), has(one, t + h, t + 2 * h)]
    };
    let users = used.iter().map(|one| one.user + 1).max().unwrap_or(0);
    let mut per_user = vec![[0.0_f64; 3]; users];
    let mut purchases = [0_usize; 3];
    for one in &used {
        for (side, hit) in windows(one).into_iter().enumerate() {
            per_user[one.user][side] += f64::from(u8::from(hit));
            purchases[side] += usize::from(hit);
        }
    }
    if purchases.iter().sum::<usize>() < LOOP_PURCHASES {
        return Err(Undefined::TooFew);
    }
    let hides_bought = !used.iter().any(|one| one.bought.iter().any(|at| *at <= one.shown));
    let lift = |weight: &dyn Fn(usize) -> f64| {
        let mut sums = [0.0; 3];
        for (user, counts) in per_user.iter().enumerate() {
            sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += weight(user) * count);
        }
        let around = if hides_bought { sums[2] } else { f64::midpoint(sums[1], sums[2]) };
        // Half a purchase on both sides keeps a ratio without purchases around finite (Haldane).
        finite((sums[0] + 0.5) / (around + 0.5))
    };
    let sample: Vec<Measure> = bootstrap_statistic(users, options.replicates, options.seed, |weights| {
        lift(&|user| f64::from(weights[user])).map(f64::ln)
    });
    let interval = percentile_interval(&sample, options.level).ok();
    Ok(ShowingLift {
        lift: lift(&|_| 1.0).into(),
        interval: interval.map(|log| Interval { low: log.low.exp(), high: log.high.exp(), ..log }),
        showings: used.len(),
        purchases,
        hides_bought,
    })
}

impl ShowingLift {
    /// Whether showings cause purchases: the interval lies above 1.
    #[must_use]
    pub fn is_loop(&self) -> bool {
        self.interval.is_some_and(|interval| interval.low > 1.0)
    }
}
