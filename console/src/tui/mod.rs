//! The console on a terminal.
//!
//! Messages come in (keys, mouse, size, time, events, answers), the state changes, effects go out, and what changed is
//! drawn. [`app`] holds the state and the one `update`, [`view`] draws it, [`mod@run`] moves messages and effects between them
//! and the outside. An arrow means "imports"; there is no circle between files:
//!
//! ```text
//! run                        the loop: terminal, daemon, clock, signals
//!  -> view                   the whole picture, a pure function of the state
//!    -> app                  the state; routes messages to the overlay, the screens, the table of commands
//!      -> screens/*          one file each behind `trait Screen`; listed once, in screens/mod.rs
//!      -> chrome             header and footer
//!        -> commands         the table: footer, help, palette and manual come from it
//!          -> screen         trait Screen (about, load, poll, act, filter, reply, event, view)
//!            -> context      what screens share: clock, size, link, status, event log; takes questions, notices, overlays
//!      -> overlays/*         components behind `trait Overlay` (key, paste, view): help, palette, prompt, confirm, explanation
//!        -> overlay          the trait
//!          -> command, ask   an action with its keys and words; a question to the daemon with its answer
//!    -> pane, widgets/*      what panes, tables, plots and lines look like; they know no state
//!      -> theme, crate::text styles; numbers, times and foreign text
//! ```
//!
//! A screen is added with one file in `screens/` that implements `Screen`, and one line in `screens/mod.rs`. Its keys stand
//! in its own `About`; number, tab, footer, help, palette, manual and the pictures of the tests follow. A question that no
//! screen has asked yet is added to [`ask`].

mod app;
mod ask;
mod chrome;
mod command;
mod commands;
mod context;
mod event_log;
mod link;
mod message;
mod overlay;
mod overlays;
mod paint;
mod pane;
mod remote;
mod run;
mod screen;
mod screens;
mod terminal;
mod theme;
mod view;
mod widgets;

#[cfg(test)]
pub(crate) mod tests;

pub(crate) use run::run;
pub(crate) use screens::manual;
