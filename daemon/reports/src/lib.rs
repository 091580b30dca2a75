//! Metrics, intervals, gate, diversity and fairness of Mercer: pure arithmetic on slices.
//!
//! Nothing here knows the store, the clock, the tensors or the wire. Every figure follows METRICS.md, whose vectors are this
//! crate's tests. Four rules hold everywhere (METRICS.md section 0):
//!
//! * what cannot be computed is [`Undefined`] with a reason, never 0, and means say how many values they used;
//! * accumulation is in `f64` in the order of the slice, and random draws come from a seed, so a figure repeats bit for bit;
//! * means are per user, and intervals resample users, never queries;
//! * ties are broken by a keyed hash of the item id ([`ties`]), or averaged over.

pub mod accuracy;
pub mod adwin;
pub mod blocks;
pub mod calibrate;
pub mod classification;
pub mod compare;
pub mod counterfactual;
pub mod distributions;
pub mod diversity;
pub mod drift;
pub mod exposure;
pub mod gaps;
pub mod gate;
pub mod groups;
pub mod interleave;
pub mod novelty;
pub mod page_hinkley;
pub mod parity;
pub mod proportions;
pub mod rerank;
pub mod resample;
pub mod spending;
pub mod ties;
pub mod value;

pub use accuracy::{Gain, Metric};
pub use adwin::{Adwin, AdwinOptions};
pub use blocks::{Observation, bootstrap_windows};
pub use compare::{PairedComparison, compare_paired};
pub use gate::{GateDecision, GateOptions, Opponent, Purpose, Rule, Trial, gate};
pub use groups::{GroupOptions, GroupReport, group_report};
pub use page_hinkley::{PageHinkley, PageHinkleyOptions};
pub use resample::{Estimate, Interval, bootstrap_mean, bootstrap_means, bootstrap_statistic};
pub use spending::{AlphaLedger, Spending};
pub use value::{Mean, Measure, Undefined, Value, mean, mean_of};
