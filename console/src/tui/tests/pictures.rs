//! Every screen at several sizes against a stored picture. `INSTA_UPDATE=always cargo test -p mercer-console` stores them
//! anew; without it nothing is written (`.config/insta.yaml`).

use crossterm::event::KeyCode;
use mercer_shared::problem::{Code, Problem};

use super::console::*;
use super::fixtures::list;
use crate::tui::ask::{Answer, Ask};
use crate::tui::link::LinkState;
use crate::tui::message::Message;
use crate::tui::screens::search::Search;
use crate::tui::theme::Theme;
use crate::tui::widgets::draw::rows;

/// Compares a picture with the stored one of this name, in `console/tests/pictures`.
fn compare(name: &str, picture: &str) {
    insta::with_settings!({
        snapshot_path => concat!(env!("CARGO_MANIFEST_DIR"), "/tests/pictures"),
        prepend_module_to_snapshot => false,
        omit_expression => true,
    }, {
        // A line of its own before the picture keeps its first row's blanks.
        insta::assert_snapshot!(name, format!("\n{picture}"));
    });
}

#[test]
fn every_screen_looks_as_stored() {
    for (columns, lines) in [(80, 24), (200, 50), (60, 16)] {
        for screen in all_screens() {
            let mut app = filled(columns, lines);
            app.current = screen;
            compare(&format!("{}-{columns}x{lines}", title(&app).to_lowercase()), &shown(&app));
        }
    }
}

#[test]
fn inner_tabs_look_as_stored() {
    for (columns, lines) in [(80, 24), (200, 50)] {
        let mut app = filled(columns, lines);
        press_keys(&mut app, "2");
        press(&mut app, KeyCode::Tab);
        compare(&format!("users-list-{columns}x{lines}"), &shown(&app));
        press_keys(&mut app, "6");
        press(&mut app, KeyCode::Tab);
        compare(&format!("diversity-{columns}x{lines}"), &shown(&app));
        press(&mut app, KeyCode::Tab);
        compare(&format!("fairness-{columns}x{lines}"), &shown(&app));
        press_keys(&mut app, "8s");
        press(&mut app, KeyCode::Enter);
        compare(&format!("mitigation-set-{columns}x{lines}"), &shown(&app));
        press(&mut app, KeyCode::Esc);
        app.context.notice = None;
        press(&mut app, KeyCode::Tab);
        press_keys(&mut app, "G");
        compare(&format!("mitigations-end-{columns}x{lines}"), &shown(&app));
        press_keys(&mut app, "5cj");
        app.context.notice = None;
        compare(&format!("models-compare-{columns}x{lines}"), &shown(&app));
        press_keys(&mut app, "3");
        press(&mut app, KeyCode::Enter);
        let ask = Ask::Related(state::<Search>(&app).related_to.clone().unwrap());
        reply(&mut app, ask, Answer::List(Box::new(list())));
        compare(&format!("search-related-{columns}x{lines}"), &shown(&app));
    }
    let mut app = filled(80, 24);
    press_keys(&mut app, "2");
    press(&mut app, KeyCode::Esc);
    compare("users-found-80x24", &shown(&app));
}

#[test]
fn overlays_and_first_start_look_as_stored() {
    let mut app = filled(80, 24);
    press_keys(&mut app, "5:ro");
    compare("palette-80x24", &shown(&app));
    press(&mut app, KeyCode::Enter);
    compare("confirm-80x24", &shown(&app));
    press(&mut app, KeyCode::Esc);
    app.context.notice = None;
    press_keys(&mut app, "?");
    compare("help-80x24", &shown(&app));
    press(&mut app, KeyCode::Esc);
    press_keys(&mut app, "6?");
    compare("formula-80x24", &shown(&app));

    let mut app = fresh(80, 24);
    app.update(Message::StreamEnded(Problem::new(
        Code::NotRunning,
        "/run/mercer/mercer.sock: No such file or directory",
    )));
    assert!(matches!(app.context.link.state, LinkState::Down { .. }));
    compare("no-daemon-80x24", &shown(&app));
}

#[test]
fn ascii_terminals_get_ascii_and_no_colour_gets_none() {
    for screen in all_screens() {
        let mut app = filled(100, 30);
        app.current = screen;
        let (buf, _) = picture(&app, Theme { colour: false, unicode: false });
        for cell in &buf.content {
            assert!(cell.symbol().is_ascii(), "{screen:?}: {:?}", cell.symbol());
            assert_eq!(cell.fg, ratatui::style::Color::Reset);
            assert_eq!(cell.bg, ratatui::style::Color::Reset);
        }
    }
    let mut app = filled(80, 24);
    app.current = screen_named(&app, "Search");
    let (buf, _) = picture(&app, Theme { colour: false, unicode: false });
    compare("search-ascii-80x24", &rows(&buf).join("\n"));
}

#[test]
fn no_background_is_ever_set_and_nothing_a_terminal_obeys_is_shown() {
    for screen in all_screens() {
        let mut app = filled(120, 40);
        app.current = screen;
        let (buf, _) = picture(&app, FULL);
        for cell in &buf.content {
            assert_eq!(cell.bg, ratatui::style::Color::Reset);
            assert!(!cell.symbol().chars().any(|c| c.is_control() || c == '\u{202e}'), "{:?}", cell.symbol());
        }
    }
}
