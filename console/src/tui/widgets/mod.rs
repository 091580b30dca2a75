//! The parts that views are put together from. All of them draw into a buffer, clip to their area, and never fail; none
//! knows the state of the console. Tables, bars and plots are our own: ratatui's tables have no columns that give way, and its
//! charts no plain characters for terminals without Unicode.

pub(crate) mod bars;
pub(crate) mod draw;
pub(crate) mod frame;
pub(crate) mod input;
pub(crate) mod plot;
pub(crate) mod split;
pub(crate) mod states;
pub(crate) mod table;
