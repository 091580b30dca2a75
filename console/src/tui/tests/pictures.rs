//! Every screen at 80x24 and 200x50 against a stored picture. `MERCER_BLESS=1` writes the pictures anew.

use std::path::PathBuf;

use super::fixtures::{filled, fresh};
use super::*;
use crate::tui::app::Link;
use crate::tui::screens::ScreenId;
use mercer_shared::problem::{Code, Problem};

fn compare(name: &str, text: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/pictures").join(format!("{name}.txt"));
    let text = format!("{text}\n");
    if std::env::var_os("MERCER_BLESS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        return std::fs::write(&path, text).unwrap();
    }
    let stored = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(stored == text, "{} differs; it is now:\n{text}", path.display());
}

#[test]
fn every_screen_looks_as_stored() {
    for (columns, lines) in [(80, 24), (200, 50), (60, 16)] {
        for screen in ScreenId::ALL {
            let mut app = filled(columns, lines);
            app.screen = screen;
            compare(&format!("{}-{columns}x{lines}", screen.title().to_lowercase()), &shown(&app));
        }
    }
}

#[test]
fn inner_tabs_look_as_stored() {
    for (columns, lines) in [(80, 24), (200, 50)] {
        let mut app = filled(columns, lines);
        keys(&mut app, "2");
        press(&mut app, KeyCode::Tab);
        compare(&format!("users-list-{columns}x{lines}"), &shown(&app));
        keys(&mut app, "6");
        press(&mut app, KeyCode::Tab);
        compare(&format!("diversity-{columns}x{lines}"), &shown(&app));
        press(&mut app, KeyCode::Tab);
        compare(&format!("fairness-{columns}x{lines}"), &shown(&app));
        keys(&mut app, "5cj");
        app.notice = None;
        compare(&format!("models-compare-{columns}x{lines}"), &shown(&app));
        keys(&mut app, "3");
        press(&mut app, KeyCode::Enter);
        let ask = crate::tui::asks::Ask::Related(app.search.related_to.clone().unwrap());
        let answer = crate::tui::asks::Answer::List(Box::new(super::fixtures::list()));
        super::fixtures::reply(&mut app, ask, answer);
        compare(&format!("search-related-{columns}x{lines}"), &shown(&app));
    }
    let mut app = filled(80, 24);
    keys(&mut app, "2");
    press(&mut app, KeyCode::Esc);
    compare("users-found-80x24", &shown(&app));
}

#[test]
fn overlays_and_first_start_look_as_stored() {
    let mut app = filled(80, 24);
    keys(&mut app, "5:ro");
    compare("palette-80x24", &shown(&app));
    press(&mut app, KeyCode::Enter);
    compare("confirm-80x24", &shown(&app));
    press(&mut app, KeyCode::Esc);
    app.notice = None;
    keys(&mut app, "?");
    compare("help-80x24", &shown(&app));
    press(&mut app, KeyCode::Esc);
    keys(&mut app, "6?");
    compare("formula-80x24", &shown(&app));

    let mut app = fresh(80, 24);
    app.update(Message::StreamEnded(Problem::new(
        Code::NotRunning,
        "/run/mercer/mercer.sock: No such file or directory",
    )));
    assert!(matches!(app.link, Link::Down { .. }));
    compare("no-daemon-80x24", &shown(&app));
}

#[test]
fn ascii_terminals_get_ascii_and_no_colour_gets_none() {
    for screen in ScreenId::ALL {
        let mut app = filled(100, 30);
        app.screen = screen;
        let (buf, _) = picture(&app, Theme { colour: false, unicode: false });
        for cell in &buf.content {
            assert!(cell.symbol().is_ascii(), "{screen:?}: {:?}", cell.symbol());
            assert_eq!(cell.fg, ratatui::style::Color::Reset);
            assert_eq!(cell.bg, ratatui::style::Color::Reset);
        }
    }
    let mut app = filled(80, 24);
    app.screen = ScreenId::Search;
    let (buf, _) = picture(&app, Theme { colour: false, unicode: false });
    compare("search-ascii-80x24", &rows(&buf).join("\n"));
}

#[test]
fn no_background_is_ever_set_and_nothing_a_terminal_obeys_is_shown() {
    for screen in ScreenId::ALL {
        let mut app = filled(120, 40);
        app.screen = screen;
        let (buf, _) = picture(&app, FULL);
        for cell in &buf.content {
            assert_eq!(cell.bg, ratatui::style::Color::Reset);
            assert!(!cell.symbol().chars().any(|c| c.is_control() || c == '\u{202e}'), "{:?}", cell.symbol());
        }
    }
}
