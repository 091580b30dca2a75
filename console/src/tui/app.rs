//! The whole state of the console, and what every message does to it. Nothing here waits, draws or asks a clock: a
//! message goes in, effects come out.

use std::path::PathBuf;

use mercer_shared::problem::Problem;
use mercer_shared::time::Timestamp;
use mercer_shared::wire::Status;
use ratatui::layout::Rect;

use super::asks::Ask;
use super::commands::Action;
pub(crate) use super::messages::{Effect, Message, Remote};
pub(crate) use super::overlays::{Confirm, Link, Notice, Overlay, Purpose};
use super::screens::{self, ScreenId, log, models, overview, reports, search, training, users};
use super::widgets::input::Input;

/// Milliseconds between two questions for the status.
const POLL_MS: i64 = 2000;
/// Milliseconds without any word of the daemon after which what is shown counts as stale.
const SILENCE_MS: i64 = 7000;
/// Milliseconds that a notice stays.
const NOTICE_MS: i64 = 6000;
/// Longest wait between two attempts to reach the daemon, in milliseconds.
const LONGEST_WAIT_MS: i64 = 4000;

/// The state.
#[derive(Debug)]
pub(crate) struct App {
    /// The socket of the daemon.
    pub socket: PathBuf,
    /// The clock of this machine.
    pub now: Timestamp,
    /// Columns and rows of the terminal.
    pub size: (u16, u16),
    /// The current screen.
    pub screen: ScreenId,
    /// The line to the daemon.
    pub link: Link,
    /// Why the line was last lost or not opened.
    pub refusal: Option<Problem>,
    /// When the daemon last said anything.
    pub heard: Option<Timestamp>,
    /// How the daemon is.
    pub status: Remote<Status>,
    /// When the status was asked for last.
    pub polled: Option<Timestamp>,
    /// What lies over the screen.
    pub overlay: Overlay,
    /// A word about what just happened.
    pub notice: Option<Notice>,
    /// Whether the mouse is on.
    pub mouse: bool,
    /// The screens' own states.
    pub overview: overview::State,
    /// Shoppers.
    pub users: users::State,
    /// Searching.
    pub search: search::State,
    /// Training.
    pub training: training::State,
    /// Versions.
    pub models: models::State,
    /// Reports.
    pub reports: reports::State,
    /// What happened.
    pub log: log::State,
}

impl App {
    /// The state at the start, and the first effects.
    pub(crate) fn new(socket: PathBuf, size: (u16, u16), now: Timestamp) -> (Self, Vec<Effect>) {
        let mut app = Self {
            socket,
            now,
            size,
            screen: ScreenId::Overview,
            link: Link::Opening { attempt: 0 },
            refusal: None,
            heard: None,
            status: Remote::default(),
            polled: Some(now),
            overlay: Overlay::None,
            notice: None,
            mouse: false,
            overview: overview::State::default(),
            users: users::State::default(),
            search: search::State::default(),
            training: training::State::default(),
            models: models::State::default(),
            reports: reports::State::default(),
            log: log::State::default(),
        };
        let status = app.status.ask(Ask::Status);
        (app, vec![status, Effect::OpenStream])
    }

    /// Where the current screen draws.
    pub(crate) fn body(&self) -> Rect {
        super::view::body(Rect::new(0, 0, self.size.0, self.size.1))
    }

    /// Rows that a page of a list has.
    pub(crate) fn page(&self) -> usize {
        usize::from(self.body().height).saturating_sub(3).max(1)
    }

    /// The daemon's clock.
    pub(crate) fn daemon_now(&self) -> Timestamp {
        // Both clocks at the moment of the last status; the difference is kept by the overview.
        self.now.plus_millis(self.overview.skew_ms)
    }

    /// For how many milliseconds what is shown has not been fresh; nothing while it is.
    pub(crate) fn stale(&self) -> Option<i64> {
        let silent = self.heard.map_or(0, |heard| self.now.millis() - heard.millis());
        match self.link {
            Link::Down { .. } => Some(silent),
            Link::Opening { .. } if self.heard.is_some() => Some(silent),
            Link::Opening { .. } => None,
            Link::Up => (silent > SILENCE_MS).then_some(silent),
        }
    }

    /// Says what just happened.
    pub(crate) fn say(&mut self, text: impl Into<String>, bad: bool) {
        self.notice = Some(Notice { text: text.into(), bad, until: self.now.plus_millis(NOTICE_MS) });
    }

    /// Says it and does nothing else: what an order lacks.
    pub(crate) fn refuse(&mut self, text: impl Into<String>) -> Vec<Effect> {
        self.say(text, true);
        Vec::new()
    }

    /// Lets a message change the state.
    pub(crate) fn update(&mut self, message: Message) -> Vec<Effect> {
        match message {
            Message::Key(key) => super::keys::key(self, key),
            Message::Paste(text) => super::keys::paste(self, &text),
            Message::Mouse(event) => super::keys::mouse(self, event),
            Message::Resize(columns, rows) => {
                self.size = (columns, rows);
                Vec::new()
            }
            Message::Tick(now) => self.tick(now),
            Message::StreamOpened => {
                let back = matches!(self.link, Link::Opening { attempt } if attempt > 0);
                self.link = Link::Up;
                self.refusal = None;
                self.heard = Some(self.now);
                if back {
                    self.say("The daemon answers again", false);
                }
                let mut effects = vec![self.status.ask(Ask::Status)];
                effects.extend(screens::load(self));
                effects
            }
            Message::Event(event) => {
                self.heard = Some(self.now);
                super::replies::event(self, *event)
            }
            Message::StreamEnded(problem) => {
                let attempt = match self.link {
                    Link::Opening { attempt } => attempt + 1,
                    _ => 1,
                };
                // 1, 2, 4 seconds; ticks come once a second, so that shorter waits would only look like progress.
                let wait = (1000_i64 << (attempt - 1).min(3)).min(LONGEST_WAIT_MS);
                self.link = Link::Down { attempt, again: self.now.plus_millis(wait) };
                self.refusal = Some(problem);
                Vec::new()
            }
            Message::Reply(ask, result) => super::replies::reply(self, ask, *result),
        }
    }

    fn tick(&mut self, now: Timestamp) -> Vec<Effect> {
        self.now = now;
        if self.notice.as_ref().is_some_and(|notice| notice.until <= now) {
            self.notice = None;
        }
        if let Link::Down { attempt, again, .. } = self.link {
            if now < again {
                return Vec::new();
            }
            self.link = Link::Opening { attempt };
            return vec![Effect::OpenStream];
        }
        let due = self.polled.is_none_or(|polled| now.millis() - polled.millis() >= POLL_MS);
        if self.link == Link::Up && due && !self.status.loading {
            self.polled = Some(now);
            let mut effects = vec![self.status.ask(Ask::Status)];
            effects.extend(self.refresh_quietly());
            return effects;
        }
        Vec::new()
    }

    /// What the current screen asks for again without being told, each at its own pace.
    fn refresh_quietly(&mut self) -> Vec<Effect> {
        match self.screen {
            ScreenId::Users => users::refresh(self),
            ScreenId::Training => training::refresh(self),
            ScreenId::Log => log::refresh(self),
            _ => Vec::new(),
        }
    }

    /// Goes to a screen and asks for what it shows.
    pub(crate) fn go(&mut self, screen: ScreenId) -> Vec<Effect> {
        self.screen = screen;
        self.overlay = Overlay::None;
        if self.link == Link::Up { screens::load(self) } else { Vec::new() }
    }

    /// Runs a command.
    pub(crate) fn act(&mut self, action: Action, argument: Option<String>) -> Vec<Effect> {
        match action {
            Action::Quit => vec![Effect::Quit],
            Action::Help => {
                self.overlay = Overlay::Help(0);
                Vec::new()
            }
            Action::Palette => {
                self.overlay = Overlay::Palette(Input::default(), 0);
                Vec::new()
            }
            Action::Screen(screen) => self.go(screen),
            Action::NextScreen => self.go(self.screen.step(1)),
            Action::PreviousScreen => self.go(self.screen.step(ScreenId::ALL.len() - 1)),
            Action::Refresh => {
                if let Link::Down { again, .. } = &mut self.link {
                    *again = self.now;
                    return self.tick(self.now);
                }
                let mut effects = vec![self.status.ask(Ask::Status)];
                effects.extend(screens::load(self));
                effects
            }
            Action::Repaint => vec![Effect::Repaint],
            Action::Mouse => {
                self.mouse = !self.mouse;
                self.say(if self.mouse { "The mouse is on" } else { "The mouse is off" }, false);
                vec![Effect::Mouse(self.mouse)]
            }
            Action::OpenUser if self.screen != ScreenId::Users => {
                let mut effects = self.go(ScreenId::Users);
                effects.extend(users::act(self, Action::OpenUser, argument));
                effects
            }
            Action::Query if self.screen != ScreenId::Search => {
                let mut effects = self.go(ScreenId::Search);
                effects.extend(search::act(self, Action::Query, argument));
                effects
            }
            action => screens::act(self, action, argument),
        }
    }

    /// Asks before an order is given.
    pub(crate) fn confirm(&mut self, confirm: Confirm) -> Vec<Effect> {
        self.overlay = Overlay::Confirm(confirm);
        Vec::new()
    }
}

/// The index that a movement leads to in a list of so many.
pub(crate) fn moved(index: usize, action: Action, len: usize, page: usize) -> Option<usize> {
    let last = len.saturating_sub(1);
    Some(match action {
        Action::Up => index.saturating_sub(1),
        Action::Down => (index + 1).min(last),
        Action::PageUp => index.saturating_sub(page),
        Action::PageDown => (index + page).min(last),
        Action::Top => 0,
        Action::Bottom => last,
        _ => return None,
    })
}
