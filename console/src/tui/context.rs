//! State that all screens share: the clock, the size, the connection, the daemon's status, the live stream. Screens
//! also leave their requests here: questions, notices, an overlay.

use std::path::PathBuf;

use mercer_shared::time::Timestamp;
use mercer_shared::wire::{EventKind, Status};
use ratatui::layout::{Rect, Size};

use super::ask::Ask;
use super::event_log::EventLog;
use super::link::Link;
use super::message::Effect;
use super::overlay::Overlay;
use super::remote::Remote;
use super::widgets::split::{split_bottom, split_top};

/// Milliseconds that a notice stays.
const NOTICE_MS: i64 = 6000;
/// Rows of the header with its rule, and of the footer.
const HEADER_ROWS: u16 = 2;
const FOOTER_ROWS: u16 = 1;
/// Rows of a list's pane that are not rows of the list: its headings.
const LIST_HEADINGS: usize = 3;

/// A word about what just happened.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Notice {
    /// The word.
    pub text: String,
    /// Whether it reports a failure.
    pub failure: bool,
    /// When it goes.
    pub until: Timestamp,
}

/// The parts of the terminal.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Areas {
    /// Name, tabs, and the rule with the daemon's state.
    pub header: Rect,
    /// The screen.
    pub body: Rect,
    /// Keys, a notice, or a line being typed.
    pub footer: Rect,
}

impl Areas {
    /// Divides a terminal.
    pub(crate) fn of(whole: Rect) -> Self {
        let (header, rest) = split_top(whole, HEADER_ROWS);
        let (body, footer) = split_bottom(rest, FOOTER_ROWS);
        Self { header, body, footer }
    }
}

/// The state that all screens share.
#[derive(Debug)]
pub(crate) struct Context {
    /// The socket of the daemon.
    pub socket: PathBuf,
    /// The clock of this machine.
    pub now: Timestamp,
    /// The daemon's clock minus this machine's, in milliseconds, at the latest status.
    pub skew_ms: i64,
    /// The size of the terminal.
    pub size: Size,
    /// The line to the daemon.
    pub link: Link,
    /// The status of the daemon.
    pub status: Remote<Box<Status>>,
    /// The live stream.
    pub events: EventLog,
    /// The overlay over the screen, if any.
    pub overlay: Option<Box<dyn Overlay>>,
    /// A word about what just happened.
    pub notice: Option<Notice>,
    effects: Vec<Effect>,
}

impl Context {
    /// The context at the start: nothing is known of the daemon yet.
    pub(crate) fn new(socket: PathBuf, size: Size, now: Timestamp) -> Self {
        Self {
            socket,
            now,
            skew_ms: 0,
            size,
            link: Link::new(),
            status: Remote::default(),
            events: EventLog::default(),
            overlay: None,
            notice: None,
            effects: Vec::new(),
        }
    }

    /// The parts of the terminal.
    pub(crate) fn areas(&self) -> Areas {
        Areas::of(Rect::new(0, 0, self.size.width, self.size.height))
    }

    /// Rows that a page of a list has.
    pub(crate) fn page(&self) -> usize {
        usize::from(self.areas().body.height).saturating_sub(LIST_HEADINGS).max(1)
    }

    /// The daemon's clock.
    pub(crate) fn daemon_now(&self) -> Timestamp {
        self.now.plus_millis(self.skew_ms)
    }

    /// The daemon's clock at the latest status. Countdowns use it, so that an idle console draws nothing between two
    /// polls.
    pub(crate) fn polled_at(&self) -> Timestamp {
        self.status.value.as_ref().map_or_else(|| self.daemon_now(), |status| status.now)
    }

    /// Age of stale data in milliseconds; `None` while the data are fresh.
    pub(crate) fn stale(&self) -> Option<i64> {
        self.link.stale(self.now)
    }

    /// Shows a notice.
    pub(crate) fn say(&mut self, text: impl Into<String>) {
        self.notice = Some(Notice { text: text.into(), failure: false, until: self.now.plus_millis(NOTICE_MS) });
    }

    /// Shows an error: a failure, or the reason why a command cannot run.
    pub(crate) fn refuse(&mut self, text: impl Into<String>) {
        self.notice = Some(Notice { text: text.into(), failure: true, until: self.now.plus_millis(NOTICE_MS) });
    }

    /// Opens an overlay.
    pub(crate) fn open(&mut self, overlay: impl Overlay) {
        self.overlay = Some(Box::new(overlay));
    }

    /// Lets something happen outside the state.
    pub(crate) fn effect(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    /// Asks the daemon for something that is kept in `slot`.
    pub(crate) fn ask<T>(&mut self, slot: &mut Remote<T>, ask: Ask) {
        slot.loading = true;
        self.effect(Effect::Ask(ask));
    }

    /// Asks the daemon how it is.
    pub(crate) fn ask_status(&mut self) {
        self.status.loading = true;
        self.effect(Effect::Ask(Ask::Status));
    }

    /// Takes what shall happen outside the state, in order.
    pub(crate) fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// Lets an event move the numbers of the latest status on.
    pub(crate) fn update_status(&mut self, event: &EventKind) {
        let Some(status) = &mut self.status.value else { return };
        match event {
            EventKind::Interactions { total, .. } => {
                status.counts.interactions = status.counts.interactions.max(*total);
            }
            EventKind::Items { total, .. } => status.counts.items = *total,
            EventKind::Run(run) if status.run.as_ref().is_none_or(|known| known.id <= run.id) => {
                status.run = Some((**run).clone());
            }
            EventKind::Alarm(alarm) if status.alarms.iter().all(|known| known.kind != alarm.kind) => {
                status.alarms.push(alarm.clone());
            }
            _ => {}
        }
    }
}
