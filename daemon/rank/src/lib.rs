//! Mercer's recommendation arithmetic: memory, candidate sources, blends and baselines as of a moment.
//!
//! Nothing in here knows a store, a clock or tensors. A [`Log`] holds who did what when; [`Memory::fit`] reads it up to a
//! cut-off; [`recommend`] answers for one shopper as of a moment at or after that cut-off, from events up to it only. The
//! daemon calls it with "now", a replay with any moment: there is one path.
mod arms;
mod batch;
mod blend;
mod catalogue;
mod chunked;
mod content;
mod cooccur;
mod ease;
mod error;
/// Evaluation on a global time split.
pub mod evaluate;
mod features;
mod ials;
mod kernels;
mod kind;
mod linalg;
mod log;
mod memory;
mod mlp;
mod neighbours;
mod popularity;
mod ranker;
mod recommend;
mod refit;
mod replay;
mod replayed;
mod sequence;
mod shopper;
mod sources;
mod sparse;
mod successors;
mod ties;
mod trees;
mod whitening;

pub use arms::{ARMS, Arm, ArmOptions, Blended, FittedArm};
pub use blend::BlendWeights;
pub use catalogue::{Catalogue, ItemFacts, Spread, Vectors, tie_key};
pub use chunked::Chunked;
pub use ease::EaseOptions;
pub use error::RankError;
pub use features::{FEATURES, Feature, Kept, SIGNALS, Signal, Unit, are_current};
pub use ials::IalsOptions;
pub use kind::{KINDS, Kind, KindWeights, TARGETS};
pub use log::{DAY_MS, Event, Log, Shape};
pub use memory::{Memory, MemoryOptions};
pub use mlp::MlpOptions;
pub use popularity::{ItemStats, WINDOWS};
pub use ranker::Ranker;
pub use recommend::{Candidates, For, Mode, Request, Scored, Snapshot, recommend, related, trending};
pub use refit::refit_weights;
pub use replay::{
    Clock, Hook, Progress, ReplayOptions, ReplayReport, ReplaySeconds, Trained, cutoffs, train_ranker,
    train_ranker_watched,
};
pub use replayed::Replayed;
pub use sequence::{SequenceHistory, SequenceModel};
pub use shopper::{Own, Shopper};
pub use sources::{SOURCES, Source};
pub use trees::TreeOptions;
pub use whitening::Whitening;
