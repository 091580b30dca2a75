//! Text encoders: tokenisation, the BERT graph, packed weights, the embedded default and the model thread.

mod cache;
pub mod checkpoint;
pub mod config;
pub mod device;
pub mod embedded;
pub mod encoder;
pub mod error;
mod flat;
pub mod graph;
pub mod hf;
pub mod pack;
pub mod packed;
pub mod q4;
pub mod registry;
pub mod rules;
pub mod scripts;
mod simd;
pub mod tokens;
pub mod vocabulary;
pub mod worker;

pub use checkpoint::{Checkpoint, Identity, Origin};
pub use config::{BertConfig, HiddenAct, ModelType};
pub use device::DeviceInfo;
pub use encoder::{BertEncoder, Encoder, Vectors};
pub use error::ModelError;
pub use pack::{PackOptions, PackReport, pack};
pub use rules::{Pooling, TextKind, TextRules};
pub use tokens::Tokens;
pub use worker::{Embedded, ModelHandle, Pending, Priority, Worker, WorkerOptions, WorkerStats};
