//! Recommendation arithmetic: collaborative index, candidate sources, blend, baselines and ranker, as of a moment.
//!
//! This crate knows no store, clock or tensors. A [`Log`] holds the interactions; [`CollaborativeIndex::fit`] reads it up to a
//! cut-off; [`ScoringPolicy::list`] makes the list of a user as of a moment at or after that cut-off, from events up to that moment only.
//! The daemon calls it with "now", an evaluation with a past moment: both take the same path.
mod ablation;
mod baseline_blend;
mod baselines;
mod batch;
mod blend;
mod blend_fit;
mod candidates;
mod catalogue;
mod chunked;
mod collaborative_index;
mod content;
mod cooccurrence;
mod cutoff_lists;
mod cutoff_options;
mod cutoff_training;
mod dataset;
mod ease;
mod error;
pub mod evaluate;
mod features;
mod head;
mod ials;
mod kernels;
mod linalg;
mod log;
mod mlp;
mod mode;
mod neighbour_lists;
mod next_basket;
mod policy;
mod popularity;
mod ranker;
mod ranker_config;
mod recommend;
mod request;
mod score_pool;
mod sequence;
mod signal;
mod snapshot;
mod source;
mod source_scores;
mod sparse;
mod trees;
mod user_neighbours;
mod user_state;
mod vectors;
mod whitening;

pub use ablation::Ablation;
pub use baseline_blend::BaselineBlend;
pub use baselines::{BASELINES, Baseline, BaselineOptions, FittedBaseline};
pub use blend::BlendWeights;
pub use blend_fit::fit_blend_weights;
pub use catalogue::{Catalogue, ItemFacts, stable_key};
pub use collaborative_index::{CollaborativeIndex, IndexOptions};
pub use cutoff_lists::CutoffLists;
pub use cutoff_options::{
    Clock, ProgressHook, RankerTrainOptions, RankerTrainReport, RankerTrainSeconds, TrainProgress, cutoffs,
};
pub use cutoff_training::{RankerTraining, TrainedRanker, WeighUsers, train_ranker};
pub use dataset::{Dataset, Window};
pub use ease::EaseOptions;
pub use error::RankError;
pub use features::{FEATURES, Feature, FeatureUnit, Freshness, are_current_features};
pub use ials::IalsOptions;
pub use log::{DAY_MS, Event, Log, LogSummary};
pub use mercer_shared::interaction::{InteractionType, InterestWeights};
pub use mlp::MlpOptions;
pub use mode::{Mode, PerMode};
pub use policy::ScoringPolicy;
pub use popularity::{ItemStats, WINDOWS};
pub use ranker::Ranker;
pub use ranker_config::RankerConfig;
pub use recommend::{recommend, related, trending};
pub use request::{Candidates, RankRequest, RankedItem};
pub use sequence::{SequenceScorer, SequenceScorerHistory};
pub use signal::{SIGNALS, Signal};
pub use snapshot::{Recipient, Snapshot};
pub use source::{SOURCES, Source};
pub use trees::TreeOptions;
pub use user_state::{PurchaseHistory, UserState};
pub use vectors::Vectors;
pub use whitening::{WhitenedVectors, Whitening};
