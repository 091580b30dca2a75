//! The components that lie over a screen.

pub(crate) mod confirm;
pub(crate) mod explanation;
pub(crate) mod help;
pub(crate) mod palette;
pub(crate) mod prompt;
