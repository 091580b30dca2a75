//! What reaches the terminal: how many bytes, and whether a terminal emulator shows the picture.

use crossterm::event::KeyCode;

use super::console::*;
use super::fixtures::{now, status};
use crate::tui::app::App;
use crate::tui::ask::{Answer, Ask};
use crate::tui::message::Message;
use crate::tui::paint::Painter;
use crate::tui::widgets::draw::rows;

/// Most bytes that a tick may take in which only the numbers of the overview change (DESIGN.md section 10).
const BUDGET: usize = 600;

fn paint(painter: &mut Painter, app: &App) -> Vec<u8> {
    let (buf, cursor) = picture(app, FULL);
    let mut out = Vec::new();
    painter.paint(buf, cursor, &mut out);
    out
}

#[test]
fn an_idle_tick_writes_nothing() {
    for screen in all_screens() {
        let mut app = filled(80, 24);
        app.current = screen;
        let mut painter = Painter::new();
        assert!(!paint(&mut painter, &app).is_empty());
        for second in 1..=3 {
            app.update(Message::Tick(now().plus_millis(second * 1000)));
            assert_eq!(paint(&mut painter, &app), b"", "{screen:?} after {second} s");
        }
    }
}

#[test]
fn a_tick_with_new_numbers_stays_within_its_budget() {
    for (columns, lines) in [(80, 24), (200, 50)] {
        let mut app = filled(columns, lines);
        let mut painter = Painter::new();
        let whole = paint(&mut painter, &app).len();
        let mut next = status();
        next.now = now().plus_millis(2000);
        next.traffic.lists += 25;
        next.traffic.requests += 61;
        next.counts.interactions += 8;
        next.traffic.lists_per_second = 12.5;
        reply(&mut app, Ask::Status, Answer::Status(Box::new(next)));
        let bytes = paint(&mut painter, &app).len();
        // Sparklines move by a column: their rows are most of it.
        let budget = BUDGET + 12 * usize::from(columns);
        assert!(
            bytes > 0 && bytes <= budget,
            "{bytes} of {budget} at {columns}x{lines}; a whole picture takes {whole}"
        );
    }
}

#[test]
fn a_terminal_shows_what_was_drawn() {
    let mut emulator = vt100::Parser::new(24.try_into().unwrap(), 80.try_into().unwrap(), 0);
    let mut painter = Painter::new();
    let mut app = filled(80, 24);
    let mut steps: Vec<KeyCode> = "1234567".chars().map(KeyCode::Char).collect();
    steps.extend([
        KeyCode::Char(':'),
        KeyCode::Char('r'),
        KeyCode::Esc,
        KeyCode::Char('3'),
        KeyCode::Char('/'),
        KeyCode::Char('红'),
        KeyCode::Backspace,
        KeyCode::Esc,
    ]);
    steps.extend([KeyCode::Char('2'), KeyCode::Tab, KeyCode::Down, KeyCode::Down, KeyCode::Char('?')]);
    for code in steps {
        press(&mut app, code);
        let (buf, cursor) = picture(&app, FULL);
        emulator.process(&paint(&mut painter, &app));
        let screen = emulator.screen();
        for (y, row) in rows(&buf).iter().enumerate() {
            let line = screen.contents_between(y as u16, 0, y as u16, 80);
            assert_eq!(line.trim_end(), row, "row {y} after {code:?}");
        }
        for (n, cell) in buf.content.iter().enumerate() {
            let (x, y) = buf.pos_of(n);
            let seen = screen.cell(y, x).unwrap();
            if seen.has_contents() && seen.contents() == cell.symbol() && cell.symbol() != " " {
                let bold = cell.modifier.contains(ratatui::style::Modifier::BOLD);
                assert_eq!(seen.bold(), bold, "bold at {x},{y} after {code:?}");
                let plain = cell.fg == ratatui::style::Color::Reset;
                assert_eq!(seen.fgcolor() == vt100::Color::Default, plain, "colour at {x},{y} after {code:?}");
            }
        }
        assert_eq!(screen.hide_cursor(), cursor.is_none());
        if let Some(cursor) = cursor {
            assert_eq!(screen.cursor_position(), (cursor.y, cursor.x));
        }
    }
}

#[test]
fn only_short_codes_of_named_colours_are_sent() {
    let mut painter = Painter::new();
    let mut app = filled(200, 50);
    for screen in all_screens() {
        app.current = screen;
        let text = String::from_utf8(paint(&mut painter, &app)).unwrap();
        for code in text.split("\u{1b}[").skip(1).filter_map(|rest| rest.split_once('m')).map(|(code, _)| code) {
            if code.chars().all(|c| c.is_ascii_digit() || c == ';') {
                for part in code.split(';').filter(|part| !part.is_empty()) {
                    let n: u8 = part.parse().unwrap();
                    assert!(matches!(n, 0..=7 | 30..=37 | 39 | 90..=97), "{code}");
                }
            }
        }
    }
}

#[test]
fn a_new_size_or_a_repaint_paints_everything() {
    let mut painter = Painter::new();
    let mut app = filled(80, 24);
    let whole = paint(&mut painter, &app).len();
    app.update(Message::Resize(100, 30));
    assert!(paint(&mut painter, &app).len() > whole / 2);
    assert!(paint(&mut painter, &app).is_empty());
    painter.forget();
    assert!(paint(&mut painter, &app).len() > whole / 2);
}
