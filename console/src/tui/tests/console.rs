//! Consoles of the tests: one that has reached nothing yet, one that shows the shop on every screen, and how they are
//! steered and looked at.

use std::any::Any;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use mercer_shared::problem::Problem;
use mercer_shared::wire::*;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect, Size};

use super::answers::answer;
use super::fixtures::{list, now, profile, run, status, user_id, users};
use crate::tui::app::App;
use crate::tui::ask::{Answer, Ask, Reply};
use crate::tui::command::ScreenId;
use crate::tui::message::{Effect, Message};
use crate::tui::theme::Theme;
use crate::tui::view;
use crate::tui::widgets::draw;

/// A terminal that can show everything.
pub(super) const FULL: Theme = Theme { colour: true, unicode: true };

/// All screens.
pub(super) fn all_screens() -> Vec<ScreenId> {
    (0..fresh(80, 24).screens.len()).map(ScreenId).collect()
}

/// The screen with this title.
pub(super) fn screen_named(app: &App, title: &str) -> ScreenId {
    ScreenId(app.screens.iter().position(|screen| screen.about().title == title).unwrap())
}

/// The title of the current screen.
pub(super) fn title(app: &App) -> &'static str {
    app.screen().about().title
}

/// A screen's own state.
pub(super) fn state<T: Any>(app: &App) -> &T {
    app.screens.iter().find_map(|screen| (screen.as_ref() as &dyn Any).downcast_ref()).unwrap()
}

/// The same, to be changed.
pub(super) fn state_mut<T: Any>(app: &mut App) -> &mut T {
    app.screens.iter_mut().find_map(|screen| (screen.as_mut() as &mut dyn Any).downcast_mut()).unwrap()
}

/// Whether an overlay of this kind is open.
pub(super) fn is_open<T: Any>(app: &App) -> bool {
    app.context.overlay.as_ref().is_some_and(|overlay| (overlay.as_ref() as &dyn Any).is::<T>())
}

pub(super) fn picture(app: &App, theme: Theme) -> (Buffer, Option<Position>) {
    let mut buf = Buffer::empty(Rect::new(0, 0, app.context.size.width, app.context.size.height));
    let cursor = view::draw(app, theme, &mut buf);
    (buf, cursor)
}

/// What the console shows, as text.
pub(super) fn shown(app: &App) -> String {
    draw::rows(&picture(app, FULL).0).join("\n")
}

pub(super) fn press(app: &mut App, code: KeyCode) -> Vec<Effect> {
    app.update(Message::Key(KeyEvent::new(code, KeyModifiers::NONE)))
}

/// Types characters one by one, a line end as Enter; returns the effects of the last.
pub(super) fn press_keys(app: &mut App, text: &str) -> Vec<Effect> {
    let code = |c| if c == '\n' { KeyCode::Enter } else { KeyCode::Char(c) };
    text.chars().map(|c| press(app, code(c))).last().unwrap_or_default()
}

/// A problem instead of an answer.
pub(super) fn refuse(app: &mut App, ask: Ask, problem: Problem) {
    app.update(Message::Reply(Box::new(Reply { ask, result: Err(problem) })));
}

/// An event of the stream, so many milliseconds after now.
pub(super) fn event(kind: EventKind, after_ms: i64) -> Message {
    Message::Event(Box::new(Event { seq: 1, at: now().plus_millis(after_ms), kind }))
}

pub(super) fn reply(app: &mut App, ask: Ask, answer: Answer) {
    app.update(Message::Reply(Box::new(Reply { ask, result: Ok(answer) })));
}

/// Gives the shop's answer.
fn answer_to(app: &mut App, ask: Ask) {
    if let Some(answer) = answer(&ask) {
        reply(app, ask, answer);
    }
}

/// The first screens, which are filled by keys: overview, users, search.
const OPENED_BY_HAND: usize = 3;

/// A console of this size that has not reached anything yet.
pub(super) fn fresh(columns: u16, rows: u16) -> App {
    App::new("/run/mercer/mercer.sock".into(), Size::new(columns, rows), now()).0
}

/// A console that shows the shop on every screen.
pub(super) fn filled(columns: u16, rows: u16) -> App {
    let mut app = fresh(columns, rows);
    app.update(Message::StreamOpened);
    for n in 0..90_u64 {
        let mut status = status();
        status.now = now().plus_millis(-180_000 + 2000 * n as i64);
        app.context.now = status.now;
        status.traffic.lists = 12_345 - (90 - n) * 24 - (n * n) % 13;
        status.counts.interactions = 397_884 - (90 - n) * 8 + (n * 5) % 7;
        reply(&mut app, Ask::Status, Answer::Status(Box::new(status)));
    }
    app.update(Message::Tick(now()));
    reply(&mut app, Ask::Status, Answer::Status(Box::new(status())));
    let user = user_id("17850");
    // As an operator would: each screen is filled by keys and answers.
    press_keys(&mut app, "2");
    reply(&mut app, Ask::Users { prefix: String::new(), cursor: None }, Answer::Users(users()));
    press_keys(&mut app, "j\n");
    reply(&mut app, Ask::Profile(user.clone()), Answer::Profile(Box::new(profile())));
    reply(
        &mut app,
        Ask::Recommend { user: user.clone(), mode: Mode::Repeat, reasons: true },
        Answer::List(Box::new(list())),
    );
    press_keys(&mut app, "3/red dress under 50\n");
    reply(&mut app, Ask::Search { text: "red dress under 50".into(), reasons: true }, Answer::List(Box::new(list())));
    for kind in ReportKind::ALL {
        answer_to(&mut app, Ask::Report(kind));
    }
    for screen in all_screens().into_iter().skip(OPENED_BY_HAND) {
        app.go(screen);
        for effect in app.context.take_effects() {
            if let Effect::Ask(ask) = effect {
                answer_to(&mut app, ask);
            }
        }
    }
    answer_to(&mut app, Ask::Mitigation(Placement::new("default").unwrap()));
    for (seq, kind) in [
        EventKind::Interactions { accepted: 12, total: 397_884 },
        EventKind::Run(Box::new(run())),
        EventKind::Heartbeat,
    ]
    .into_iter()
    .enumerate()
    {
        let at = now().plus_millis(-5000 + 1000 * seq as i64);
        app.update(Message::Event(Box::new(Event { seq: seq as u64, at, kind })));
    }
    press_keys(&mut app, "1");
    app.context.notice = None;
    app
}
