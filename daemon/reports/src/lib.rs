//! Metrics, intervals, gate, diversity, fairness, privacy accounting and explanations of Mercer: pure arithmetic on slices.
//!
//! No store, clock, tensors or wire types. Every number follows METRICS.md, whose test vectors are this crate's tests. Four rules hold
//! everywhere (METRICS.md section 0):
//!
//! * a number that cannot be computed is [`Undefined`] with a reason, never 0; a mean tells how many values it used;
//! * sums are in `f64` in the order of the slice and random draws are seeded, so every number repeats bit for bit;
//! * means are per user, and intervals resample users, never queries;
//! * ties are broken by a keyed hash of the item id ([`ties`]), or averaged over.

pub mod accuracy;
pub mod adwin;
pub mod alpha_ledger;
pub mod attention;
pub mod attribution;
pub mod auc_intervals;
pub mod blocks;
pub mod bursts;
pub mod calibrate;
pub mod calibration_error;
pub mod classification;
pub mod clipping;
pub mod compare;
pub mod concentration;
pub mod continual;
pub mod counterfactual;
pub mod distributions;
pub mod diversity;
pub mod drift;
pub mod expected_exposure;
pub mod exposure;
pub mod exposure_ratio;
pub mod fair_prefix;
pub mod feedback_loop;
pub mod fidelity;
pub mod gaps;
pub mod gate;
pub(crate) mod group_resampling;
pub mod group_statistic;
pub mod groups;
pub mod harm;
pub mod interleave;
pub mod membership;
pub mod noised_counts;
pub mod novelty;
pub mod page_hinkley;
pub mod pairwise;
pub mod parity;
pub mod popularity;
pub mod position_bias;
pub mod proportions;
pub mod ranking_parity;
pub mod ratings;
pub mod rdp;
pub mod rerank;
pub mod resample;
pub mod scores;
pub mod signed_rank;
pub mod small_groups;
pub mod table_rounding;
pub mod ties;
pub mod value;

pub use accuracy::{Gain, Metric};
pub use adwin::{Adwin, AdwinOptions};
pub use alpha_ledger::{AlphaLedger, Spending};
pub use blocks::{Observation, bootstrap_windows};
pub use compare::{PairedComparison, compare_paired};
pub use gate::{Comparator, GateDecision, GateOptions, Purpose, Rule, Trial, gate};
pub use groups::{GroupOptions, GroupReport, group_report};
pub use page_hinkley::{PageHinkley, PageHinkleyOptions};
pub use resample::{Estimate, Interval, bootstrap_mean, bootstrap_means, bootstrap_statistic};
pub use value::{Mean, Measure, Undefined, Value, mean, mean_of};
