//! The whole state of the console and its `update`. Nothing here waits, draws or reads a clock: a message goes in,
//! effects come out.

use std::path::PathBuf;

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use mercer_shared::problem::{Code, Problem};
use mercer_shared::time::Timestamp;
use mercer_shared::wire::{Event, EventKind};
use ratatui::layout::Size;

use super::ask::{Ask, Reply};
use super::chrome;
use super::command::{Action, ScreenId, key_name};
use super::commands::Commands;
use super::context::Context;
use super::message::{Effect, Message};
use super::overlay::Outcome;
use super::overlays::help::Help;
use super::overlays::palette::Palette;
use super::screen::Screen;
use super::screens;

/// Milliseconds between two questions for the status.
const POLL_MS: i64 = 2000;

/// The state.
#[derive(Debug)]
pub(crate) struct App {
    /// The state that all screens share.
    pub context: Context,
    /// The screens, in the order of their numbers.
    pub screens: Vec<Box<dyn Screen>>,
    /// The current one.
    pub current: ScreenId,
    /// The table of commands.
    pub commands: Commands,
    /// When the status was asked for last.
    polled: Timestamp,
    mouse: bool,
}

impl App {
    /// The state at the start, and the first effects.
    pub(crate) fn new(socket: PathBuf, size: Size, now: Timestamp) -> (Self, Vec<Effect>) {
        let screens = screens::all();
        let commands = Commands::new(screens.iter().map(|screen| screen.about()).collect());
        let context = Context::new(socket, size, now);
        let mut app = Self { context, screens, current: ScreenId(0), commands, polled: now, mouse: false };
        app.context.ask_status();
        app.context.effect(Effect::OpenStream);
        let effects = app.context.take_effects();
        (app, effects)
    }

    /// The current screen.
    pub(crate) fn screen(&self) -> &dyn Screen {
        self.screens[self.current.0].as_ref()
    }

    /// Lets a message change the state.
    pub(crate) fn update(&mut self, message: Message) -> Vec<Effect> {
        match message {
            Message::Key(key) => self.key(key),
            Message::Paste(text) => self.paste(&text),
            Message::Mouse(event) => self.mouse(event),
            Message::Resize(columns, rows) => self.context.size = Size::new(columns, rows),
            Message::Tick(now) => self.tick(now),
            Message::StreamOpened => {
                if self.context.link.opened(self.context.now) {
                    self.context.say("The daemon answers again");
                }
                self.load();
            }
            Message::Event(event) => self.event(&event),
            Message::StreamEnded(problem) => self.context.link.lost(problem, self.context.now),
            Message::Reply(reply) => self.reply(*reply),
        }
        self.context.take_effects()
    }

    /// Asks for the status and for what the current screen shows.
    fn load(&mut self) {
        self.context.ask_status();
        self.screens[self.current.0].load(&mut self.context);
    }

    fn tick(&mut self, now: Timestamp) {
        self.context.now = now;
        if self.context.notice.as_ref().is_some_and(|notice| notice.until <= now) {
            self.context.notice = None;
        }
        if self.context.link.retry(now) {
            self.context.effect(Effect::OpenStream);
        }
        let due = now.millis() - self.polled.millis() >= POLL_MS;
        if self.context.link.is_up() && due && !self.context.status.loading {
            self.polled = now;
            self.context.ask_status();
            self.screens[self.current.0].poll(&mut self.context);
        }
    }

    /// The daemon tells something.
    fn event(&mut self, event: &Event) {
        self.context.link.heard = Some(self.context.now);
        self.context.events.note(event);
        self.context.update_status(&event.kind);
        match &event.kind {
            EventKind::Alarm(alarm) => self.context.refuse(alarm.text.clone()),
            EventKind::Stopping => {
                let problem = Problem::new(Code::Unavailable, "the daemon is stopping");
                self.context.link.lost(problem, self.context.now);
            }
            _ => {}
        }
        for (place, screen) in self.screens.iter_mut().enumerate() {
            screen.event(event, place == self.current.0, &mut self.context);
        }
    }

    /// An answer, or why there is none.
    fn reply(&mut self, reply: Reply) {
        match &reply.result {
            Err(problem) if problem.code == Code::NotRunning => {}
            _ => self.context.link.heard = Some(self.context.now),
        }
        if let (true, Err(problem)) = (reply.ask.is_order(), &reply.result) {
            self.context.refuse(format!("{}: {}; {}", problem.title, problem.detail, problem.hint));
            return;
        }
        let mut left = Some(reply);
        for screen in &mut self.screens {
            left = left.and_then(|reply| screen.reply(reply, &mut self.context));
        }
    }

    /// Goes to a screen and asks for what it shows.
    pub(crate) fn go(&mut self, screen: ScreenId) {
        self.current = screen;
        self.context.overlay = None;
        if self.context.link.is_up() {
            self.screens[screen.0].load(&mut self.context);
        }
    }

    /// The screen so many places further, around the end.
    fn step(&self, by: usize) -> ScreenId {
        ScreenId((self.current.0 + by) % self.screens.len())
    }

    /// Runs a command.
    fn act(&mut self, action: Action, argument: Option<String>) {
        match action {
            Action::Quit => self.context.effect(Effect::Quit),
            Action::Help => {
                let title = self.screen().about().title;
                self.context.open(Help::new(title, &self.commands.own(self.current), &self.commands.everywhere()));
            }
            Action::Palette => self.context.open(Palette::new(self.commands.all())),
            Action::Screen(screen) => self.go(screen),
            Action::NextScreen => self.go(self.step(1)),
            Action::PreviousScreen => self.go(self.step(self.screens.len() - 1)),
            Action::Refresh if self.context.link.is_up() => self.load(),
            Action::Refresh => {
                self.context.link.hurry(self.context.now);
                self.tick(self.context.now);
            }
            Action::Repaint => self.context.effect(Effect::Repaint),
            Action::Mouse => {
                self.mouse = !self.mouse;
                self.context.say(if self.mouse { "The mouse is on" } else { "The mouse is off" });
                self.context.effect(Effect::Mouse(self.mouse));
            }
            action => {
                // A command of another screen, found in the palette, goes there first.
                if let Some(screen) = self.commands.screen_of(action, self.current).filter(|s| *s != self.current) {
                    self.go(screen);
                }
                self.screens[self.current.0].act(action, argument, &mut self.context);
            }
        }
    }

    /// Handles a key: the overlay takes it, or else the table of commands.
    fn key(&mut self, key: KeyEvent) {
        if key.kind == KeyEventKind::Release {
            return;
        }
        // Leaving always works, whatever is open.
        if key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL) {
            return self.context.effect(Effect::Quit);
        }
        let Some(name) = key_name(key) else { return };
        let page = self.context.page();
        let Some(overlay) = &mut self.context.overlay else {
            if let Some(command) = self.commands.for_key(self.current, &name) {
                self.act(command.action, None);
            }
            return;
        };
        let outcome = overlay.key(key, &name, page);
        if outcome != Outcome::Stay {
            self.context.overlay = None;
        }
        match outcome {
            Outcome::Stay | Outcome::Close => {}
            Outcome::Run(action, argument) => self.act(action, argument),
            Outcome::Filter(text) => self.screens[self.current.0].filter(text, &mut self.context),
            Outcome::Order(order) => self.order(order),
            Outcome::Decline => self.context.say("Nothing was changed"),
        }
    }

    fn order(&mut self, order: Ask) {
        self.context.say("Asked; waiting for the daemon");
        self.context.effect(Effect::Ask(order));
    }

    /// Passes pasted text to the text field in use, if any, so that a paste never runs commands.
    fn paste(&mut self, text: &str) {
        if let Some(overlay) = &mut self.context.overlay {
            overlay.paste(text);
        }
    }

    /// The wheel moves; a click on a tab goes to its screen.
    fn mouse(&mut self, event: MouseEvent) {
        if self.context.overlay.is_some() {
            return;
        }
        match event.kind {
            MouseEventKind::ScrollUp => self.act(Action::Up, None),
            MouseEventKind::ScrollDown => self.act(Action::Down, None),
            MouseEventKind::Down(MouseButton::Left) if event.row == 0 => {
                let columns = self.context.size.width;
                if let Some(screen) = chrome::tab_at(self.commands.screens(), self.current, columns, event.column) {
                    self.go(screen);
                }
            }
            _ => {}
        }
    }
}
