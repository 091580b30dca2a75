//! The line to the daemon: lost, retried, found again; what is shown meanwhile is marked stale, and keys go on working.

use mercer_shared::problem::{Code, Problem};
use mercer_shared::wire::EventKind;

use super::console::*;
use super::fixtures::{now, status};
use crate::tui::app::App;
use crate::tui::ask::{Answer, Ask};
use crate::tui::link::LinkState;
use crate::tui::message::{Effect, Message};
use crate::tui::screens::models::Models;
use crate::tui::screens::overview::Overview;

fn gone() -> Message {
    Message::StreamEnded(Problem::new(Code::NotRunning, "/run/mercer/mercer.sock: Connection refused"))
}

fn tick(app: &mut App, second: i64) -> Vec<Effect> {
    app.update(Message::Tick(now().plus_millis(second * 1000)))
}

#[test]
fn starts_without_a_daemon_and_says_how_to_start_one() {
    let mut app = fresh(80, 24);
    app.update(gone());
    let text = shown(&app);
    assert!(text.contains("No daemon answers"), "{text}");
    assert!(text.contains("--socket /run/mercer/mercer.sock"), "{text}");
    assert!(text.contains("mercerd --state "), "{text}");
    assert!(text.contains("mercer demo"), "{text}");
}

#[test]
fn waits_longer_from_attempt_to_attempt() {
    let mut app = fresh(80, 24);
    let mut second = 0;
    let mut waits = Vec::new();
    for _ in 0..6 {
        app.update(gone());
        let start = second;
        loop {
            second += 1;
            if tick(&mut app, second).contains(&Effect::OpenStream) {
                break;
            }
        }
        waits.push(second - start);
    }
    assert_eq!(waits, [1, 2, 4, 4, 4, 4]);
}

#[test]
fn a_lost_daemon_leaves_stale_data_with_its_age_and_live_keys() {
    let mut app = filled(80, 24);
    assert!(app.context.stale().is_none());
    app.update(gone());
    tick(&mut app, 0);
    assert_eq!(app.context.stale(), Some(0));
    app.update(Message::Tick(now().plus_millis(900)));
    let text = shown(&app);
    assert!(text.contains("stale") && text.contains("retry in"), "{text}");
    assert!(text.contains("397,884"), "the numbers stay: {text}");
    press_keys(&mut app, "5j");
    assert_eq!((title(&app), state::<Models>(&app).selected), ("Models", 1));
    assert!(shown(&app).contains("v000003"));
    // Everything but the frame is faint.
    let (buf, _) = picture(&app, FULL);
    let body = app.context.areas().body;
    for position in body.positions() {
        assert!(buf[position].modifier.contains(ratatui::style::Modifier::DIM));
    }
}

#[test]
fn a_daemon_that_came_back_is_asked_for_everything_again() {
    let mut app = filled(80, 24);
    press_keys(&mut app, "5");
    app.update(gone());
    assert_eq!(tick(&mut app, 1), [Effect::OpenStream]);
    let effects = app.update(Message::StreamOpened);
    assert!(effects.contains(&Effect::Ask(Ask::Status)) && effects.contains(&Effect::Ask(Ask::Models)));
    assert!(app.context.stale().is_none());
    assert!(shown(&app).contains("The daemon answers again"));
}

#[test]
fn a_daemon_that_is_silent_is_stale_and_one_that_says_goodbye_is_down() {
    let mut app = filled(80, 24);
    app.context.link.heard = Some(now());
    tick(&mut app, 3);
    assert!(app.context.stale().is_none());
    tick(&mut app, 9);
    assert_eq!(app.context.stale(), Some(9000));
    assert!(shown(&app).contains("stale 9 s, no answer"));
    app.update(event(EventKind::Heartbeat, 0));
    assert!(app.context.stale().is_none());
    app.update(event(EventKind::Stopping, 0));
    assert!(matches!(app.context.link.state, LinkState::Down { .. }));
}

#[test]
fn r_tries_at_once_while_the_daemon_is_away() {
    let mut app = filled(80, 24);
    app.update(gone());
    assert_eq!(press_keys(&mut app, "r"), [Effect::OpenStream]);
}

#[test]
fn a_restarted_daemon_makes_no_false_rate() {
    let mut app = filled(80, 24);
    let before = state::<Overview>(&app).lists.len();
    let mut other = status();
    other.pid = 9;
    other.traffic.lists = 0;
    other.now = now().plus_millis(4000);
    reply(&mut app, Ask::Status, Answer::Status(Box::new(other)));
    assert_eq!(state::<Overview>(&app).lists.len(), before);
}

#[test]
fn the_status_is_asked_for_every_two_seconds_and_never_twice_at_once() {
    let mut app = filled(80, 24);
    assert!(tick(&mut app, 1).is_empty());
    assert_eq!(tick(&mut app, 2), [Effect::Ask(Ask::Status)]);
    assert!(tick(&mut app, 4).is_empty(), "the first is not answered yet");
}
