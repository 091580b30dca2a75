//! Text encoders: tokenisation, the BERT graph, packed weights, the embedded default and the model thread.

pub mod checkpoint;
pub mod config;
pub mod device;
pub mod embedded;
pub mod encoder;
pub mod error;
pub mod graph;
pub mod hf;
mod load;
pub mod pack;
pub mod packed;
pub mod q4;
mod query_cache;
pub mod registry;
pub mod rules;
pub mod scripts;
mod simd;
pub mod tokens;
mod unpadded;
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
