//! Differentially private fine-tuning of the encoder's adapter (DP-SGD, Abadi et al., arXiv 1607.00133), with a user as the unit.
//!
//! What makes the guarantee true (METRICS.md section 5), and where it is in the code:
//!
//! | condition | place |
//! |---|---|
//! | all examples of a user make one gradient, clipped over all trainable parameters together | [`ClippedSum::add`] |
//! | each user is drawn on its own with the same probability (Poisson sampling), not by shuffled batches | [`PrivateRng::sample`] |
//! | the sum is divided by a constant that does not depend on the data | [`PrivateOptions::expected_batch`] |
//! | no user's text is a negative of another user: negatives come from the catalogue | [`PrivateSet::catalogue`] |
//! | Gaussian noise on every trainable parameter in every step, also in one that drew nobody | [`ClippedSum::release`] |
//! | noise and sampling from the operating system's randomness, never from a seed that is stored | [`PrivateRng::from_os`] |
//! | a step is booked before it is taken, so that a crash cannot lose one | [`PrivacyLedger::book`] |
//! | nothing else of the data leaves a step: no loss, no gradient norm before the noise | `run` |
//!
//! candle gives no gradient per example. A loop over users costs little here, because the texts of one user fill a micro-batch of the plain
//! run as well; `examples/step_time.rs` measures it.
//!
//! Negatives are of two kinds. Some are the same for all users of a step; their vectors are computed once without gradient, which is cheap.
//! A few are drawn for each user and train with it, so that items are also pushed apart.
//!
//! Not covered: floating-point attacks on the noise beyond the sum of four normal numbers (Holohan and Braghin, arXiv 2107.10138), and what
//! the time of a step tells about the number of users in it.

mod clipped_sum;
mod options;
mod random;
mod run;
mod set;
mod step;
mod user_loss;

pub use clipped_sum::ClippedSum;
pub use options::{PrivacyLedger, PrivateOptions};
pub use random::PrivateRng;
pub use run::tune_privately;
pub use set::{CatalogueText, PrivateSet};
pub use user_loss::{UserLossOptions, user_losses};

#[cfg(test)]
mod membership_tests;
#[cfg(test)]
mod tests;
