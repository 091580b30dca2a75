//! The screen of mitigations: what is in force and its price, what-if, and that nothing changes without a question.

use crossterm::event::KeyCode;
use mercer_shared::problem::{Code, Problem};
use mercer_shared::wire::*;

use super::console::*;
use super::fixture_mitigations::{mitigation, price, rerankers};
use crate::mitigations::MitigationDraft;
use crate::tui::app::App;
use crate::tui::ask::{Answer, Ask};
use crate::tui::message::Effect;
use crate::tui::overlays::confirm::Confirm;
use crate::tui::overlays::explanation::Explanation;
use crate::tui::overlays::prompt::Prompt;

const TYPED: &str = r#"--placement home {"rerankers":[{"kind":"mmr","lambda":0.3}],"note":"trial"}"#;

fn draft() -> MitigationDraft {
    MitigationDraft::parse(TYPED, &Placement::new("default").unwrap()).unwrap()
}

fn home_price() -> MitigationPrice {
    MitigationPrice { placement: draft().placement, ..price(draft().settings.rerankers) }
}

fn opened(columns: u16, rows: u16) -> App {
    let mut app = filled(columns, rows);
    press_keys(&mut app, "8");
    app
}

/// Opens the prompt of a key, replaces its text and sends it.
fn type_settings(app: &mut App, key: &str, text: &str) -> Vec<Effect> {
    press_keys(app, key);
    assert!(is_open::<Prompt>(app), "{}", shown(app));
    press(app, KeyCode::End);
    for _ in 0..1000 {
        press(app, KeyCode::Backspace);
    }
    press_keys(app, text);
    press(app, KeyCode::Enter)
}

#[test]
fn what_is_in_force_stands_with_its_price_and_history() {
    let app = opened(120, 60);
    let picture = shown(&app);
    for words in [
        "default, version 3",
        "set 2026-03-01 12:00:00 UTC by uid 1000",
        "small sellers asked for it",
        "1  mmr (lambda 0.7)",
        "Price on v000002",
        "1 list changed",
        "-0.0062",
        "[-0.0083, -0.0041]",
        "worst group of users: region Germany",
        "popularity (gamma -0.2, method pda)",
        "not measured",
    ] {
        assert!(picture.contains(words), "{words} in\n{picture}");
    }
}

#[test]
fn a_what_if_is_measured_and_changes_nothing() {
    let mut app = opened(120, 40);
    assert_eq!(type_settings(&mut app, "w", TYPED), [Effect::Ask(Ask::PriceMitigation(draft()))]);
    assert!(shown(&app).contains("Measuring on the validation window"), "{}", shown(&app));
    reply(&mut app, Ask::PriceMitigation(draft()), Answer::Price(Box::new(home_price())));
    let picture = shown(&app);
    assert!(picture.contains("What if, at home") && picture.contains("nothing is changed"), "{picture}");
    assert!(app.context.overlay.is_none());
    press_keys(&mut app, "f");
    assert!(is_open::<Explanation>(&app) && shown(&app).contains("how ndcg@10 is computed"), "{}", shown(&app));
    press(&mut app, KeyCode::Esc);
    // Setting the same asks at once: the price is known.
    press_keys(&mut app, "s");
    assert!(press(&mut app, KeyCode::Enter).is_empty());
    assert!(is_open::<Confirm>(&app), "{}", shown(&app));
    press(&mut app, KeyCode::Esc);
    press(&mut app, KeyCode::Esc);
    assert!(shown(&app).contains("default, version 3"), "{}", shown(&app));
}

#[test]
fn setting_measures_then_shows_the_price_and_asks() {
    let mut app = opened(80, 24);
    assert_eq!(type_settings(&mut app, "s", TYPED), [Effect::Ask(Ask::PriceMitigation(draft()))]);
    reply(&mut app, Ask::PriceMitigation(draft()), Answer::Price(Box::new(home_price())));
    assert!(is_open::<Confirm>(&app));
    let picture = shown(&app);
    for words in
        ["Set the mitigations of home?", "in place of dpp (theta 0.8)", "ndcg@10: 0.3767 to 0.3705", "worst-group"]
    {
        assert!(picture.contains(words), "{words} in\n{picture}");
    }
    press_keys(&mut app, "n");
    assert!(shown(&app).contains("Nothing was changed"));
    press_keys(&mut app, "s");
    press(&mut app, KeyCode::Enter);
    assert_eq!(press_keys(&mut app, "y"), [Effect::Ask(Ask::SetMitigation(draft()))]);
    let set = Mitigation { placement: draft().placement, ..mitigation() };
    reply(&mut app, Ask::SetMitigation(draft()), Answer::Mitigation(Box::new(set)));
    assert!(shown(&app).contains("home: version 3 is in force from the next list on"), "{}", shown(&app));
}

#[test]
fn settings_without_a_window_may_be_set_but_wrong_ones_are_refused() {
    let mut app = opened(100, 24);
    type_settings(&mut app, "s", TYPED);
    refuse(&mut app, Ask::PriceMitigation(draft()), Problem::new(Code::NotEnoughData, "the log is too short"));
    assert!(is_open::<Confirm>(&app));
    assert!(shown(&app).contains("Its price is not known: the log is too short."), "{}", shown(&app));
    press_keys(&mut app, "n");
    press(&mut app, KeyCode::Esc);
    type_settings(&mut app, "s", TYPED);
    refuse(&mut app, Ask::PriceMitigation(draft()), Problem::new(Code::OutOfRange, "lambda is 7, it takes 0 to 1"));
    assert!(app.context.overlay.is_none());
    assert!(shown(&app).contains("lambda is 7, it takes 0 to 1"), "{}", shown(&app));
}

#[test]
fn a_mistake_in_the_line_is_told_by_its_field_and_asks_nothing() {
    let mut app = opened(120, 24);
    let typed = r#"{"rerankers":[{"kind":"mmr","lambda":"high"}]}"#;
    assert!(type_settings(&mut app, "w", typed).is_empty());
    assert!(shown(&app).contains("rerankers[0] (mmr), lambda:"), "{}", shown(&app));
    assert!(type_settings(&mut app, "w", "").is_empty());
    assert!(shown(&app).contains("the settings are empty"), "{}", shown(&app));
}

#[test]
fn undo_and_off_ask_first() {
    let default = || Placement::new("default").unwrap();
    let mut app = opened(80, 24);
    assert!(press_keys(&mut app, "u").is_empty());
    assert!(is_open::<Confirm>(&app) && shown(&app).contains("Version 2 comes back: off."), "{}", shown(&app));
    assert_eq!(press_keys(&mut app, "y"), [Effect::Ask(Ask::UndoMitigation(default()))]);
    assert!(press_keys(&mut app, "x").is_empty());
    assert!(shown(&app).contains("Turn the mitigations of default off?"), "{}", shown(&app));
    assert_eq!(press_keys(&mut app, "y"), [Effect::Ask(Ask::MitigationOff(default()))]);
    refuse(&mut app, Ask::MitigationOff(default()), Problem::new(Code::Forbidden, "only operators may"));
    assert!(shown(&app).contains("only operators may"), "{}", shown(&app));
    // What is off cannot be turned off, and what never was set has nothing before it.
    let current = MitigationRevision { rerankers: Vec::new(), before: None, ..mitigation().current };
    let off = Mitigation { current, price: None, price_status: PriceStatus::Off, ..mitigation() };
    reply(&mut app, Ask::Mitigation(default()), Answer::Mitigation(Box::new(off)));
    press_keys(&mut app, "x");
    assert!(app.context.overlay.is_none() && shown(&app).contains("are off already"), "{}", shown(&app));
    press_keys(&mut app, "u");
    assert!(app.context.overlay.is_none() && shown(&app).contains("Nothing to undo"), "{}", shown(&app));
}

#[test]
fn the_prompt_begins_with_what_is_in_force_and_the_palette_takes_settings() {
    let mut app = opened(200, 24);
    press_keys(&mut app, "w");
    let json = serde_json::to_string(&rerankers()).unwrap();
    assert!(shown(&app).contains(&format!("--placement default {{\"rerankers\":{}", &json[..60])), "{}", shown(&app));
    press(&mut app, KeyCode::Esc);
    press_keys(&mut app, "1");
    let typed = format!(":what-if {TYPED}\n");
    let effects = press_keys(&mut app, &typed);
    assert!(effects.contains(&Effect::Ask(Ask::PriceMitigation(draft()))), "{effects:?}");
    assert_eq!(title(&app), "Mitigations");
}

#[test]
fn another_change_is_noticed_and_the_selection_moves() {
    let mut app = opened(80, 24);
    let home = Placement::new("home").unwrap();
    let effects = press_keys(&mut app, "j");
    assert!(effects.contains(&Effect::Ask(Ask::Mitigation(home.clone()))), "{effects:?}");
    // An answer about the placement before comes too late.
    let default = Placement::new("default").unwrap();
    reply(&mut app, Ask::Mitigation(default), Answer::Mitigation(Box::new(mitigation())));
    assert!(!shown(&app).contains("default, version 3"), "{}", shown(&app));
}
