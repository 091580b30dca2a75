//! Text encoders: tokenisation, the BERT graph, packed weights, the embedded default and the model thread.

pub mod config;
pub mod error;

pub use config::{BertConfig, HiddenAct, ModelType};
pub use error::ModelError;
