//! Model versions: their files, loading, promotion, rollback, pruning, canaries, interleaving, and the encoders they are built on.

pub mod add_encoder;
pub mod canary;
pub mod cross_encoder;
pub mod directory;
pub mod embedded_catalogue;
pub mod encoder_variant;
pub mod encoders;
pub mod interleaving;
pub mod knowledge;
pub mod layout;
pub mod load;
pub mod promote;
pub mod registry;
pub mod startup;
#[cfg(test)]
pub(crate) mod test_app;
pub mod trial;
