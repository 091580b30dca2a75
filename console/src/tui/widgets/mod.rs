//! The widgets of the views. Each draws into a buffer, clips to its area, never fails, and does not know the state of
//! the console. Tables, bars and plots are our own: ratatui's tables have no columns that shrink by priority, and its
//! charts no plain characters for terminals without Unicode.

pub(crate) mod bars;
pub(crate) mod draw;
pub(crate) mod frame;
pub(crate) mod input;
pub(crate) mod plot;
pub(crate) mod split;
pub(crate) mod states;
pub(crate) mod table;
