//! Formats text, numbers and times for people, for the console's screens and the commands.
//!
//! * [`layout`]: removes what a terminal would obey from text of the shop; measures, cuts, pads and wraps in columns.
//! * [`number`]: counts, shares, measured values, intervals, bytes.
//! * [`time`]: moments (always UTC, and marked so), durations, ages.
//! * [`words`]: names of the wire in words that people understand.

mod layout;
mod number;
mod time;
mod words;

pub(crate) use layout::{clean, cut, pad, pad_left, width, wrap};
pub(crate) use number::{
    axis_count, bytes, count, interval, maybe, milliseconds, money, p_value, percent, plural, rate, signed, value,
};
pub(crate) use time::{age, ago, between, clock, date, duration, maybe_moment, moment, remaining, unmarked_moment};
pub(crate) use words::{mode, model_state, phase, scope, slice, word};
