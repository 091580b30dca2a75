//! Contrastive fine-tuning of the encoder.
//!
//! A step encodes each distinct text of its batch once, in micro-batches of some hundred tokens whose graphs are kept. The loss is computed
//! over all vectors as leaves; its gradient then goes back through one micro-batch after the other (as in GradCache, Gao et al., arXiv
//! 2101.06983, without the second forward pass). So memory does not limit the number of in-batch negatives, and between micro-batches the run
//! can yield to serving or stop.

mod options;
mod run;
mod step;
mod training_set;

pub use options::{TuneOptions, TuneOutcome};
pub use run::tune;
pub use training_set::{Teacher, TeacherMargin, TrainingSet};

#[cfg(test)]
mod tests;
