//! The shop in memory. [`ShopWriter`] owns the only writable copy. Readers take a [`ShopState`], which is immutable and
//! cheap to clone, so that a list is made from one state of the shop and one model version.

mod apply;
pub mod consent;
pub mod model;
pub mod sensitive;
pub mod state;
pub mod texts;
pub mod withheld;
pub mod writer;

pub use consent::{Agreement, ConsentShare, consent_shares};
pub use model::Model;
pub use state::{Canary, RECENT_QUERIES, ShopState, Subject, TypedQuery, Who};
pub use texts::Texts;
pub use writer::{CatalogueVectors, Due, ShopWriter};
