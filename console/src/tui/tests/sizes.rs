//! No size, no screen and no order of keys makes the console panic, write beside its area, or put the cursor outside.

use crossterm::event::KeyCode;
use mercer_shared::problem::{Code, Problem};
use proptest::prelude::*;

use super::console::*;
use super::fixtures::now;
use crate::tui::message::Message;

const KEYS: &[KeyCode] = &[
    KeyCode::Enter,
    KeyCode::Esc,
    KeyCode::Tab,
    KeyCode::BackTab,
    KeyCode::Up,
    KeyCode::Down,
    KeyCode::Left,
    KeyCode::Right,
    KeyCode::PageUp,
    KeyCode::PageDown,
    KeyCode::Home,
    KeyCode::End,
    KeyCode::Backspace,
];

fn key() -> impl Strategy<Value = KeyCode> {
    prop_oneof![
        prop::sample::select(KEYS),
        prop::sample::select("123456789jkhlgG:/?wmscPBpxoifF[]rynS红 ".chars().collect::<Vec<_>>())
            .prop_map(KeyCode::Char),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn any_keys_at_any_size(columns in 1..=250_u16, lines in 1..=80_u16, full: bool, down: bool, pressed in prop::collection::vec(key(), 0..40)) {
        let mut app = if full { filled(columns, lines) } else { fresh(columns, lines) };
        if down {
            app.update(Message::StreamEnded(Problem::new(Code::NotRunning, "gone")));
            app.update(Message::Tick(now().plus_millis(500)));
        }
        for code in pressed {
            press(&mut app, code);
            let (buf, cursor) = picture(&app, FULL);
            prop_assert_eq!(buf.content.len(), usize::from(columns) * usize::from(lines));
            if let Some(cursor) = cursor {
                prop_assert!(cursor.x < columns && cursor.y < lines);
            }
        }
    }
}

#[test]
fn every_screen_at_every_size() {
    for screen in all_screens() {
        let mut app = filled(1, 1);
        app.current = screen;
        // Every width with a few heights and every height with a few widths reach every branch of the layouts.
        let widths = (1..=250).flat_map(|w| [1, 16, 24, 80].map(|h| (w, h)));
        let heights = (1..=80).flat_map(|h| [60, 80, 96, 130, 200].map(|w| (w, h)));
        for (columns, lines) in widths.chain(heights) {
            app.update(Message::Resize(columns, lines));
            picture(&app, FULL);
        }
    }
}

#[test]
fn a_terminal_too_small_says_so() {
    let app = filled(59, 16);
    assert!(shown(&app).contains("mercer needs 60x16"));
    let app = filled(60, 15);
    assert!(shown(&app).contains("mercer needs 60x16"));
    assert!(!shown(&filled(60, 16)).contains("needs"));
}
