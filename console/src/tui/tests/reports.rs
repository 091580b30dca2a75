//! The screen of reports: what is said while one is computed, and where versions are mixed.

use crossterm::event::KeyCode;
use mercer_shared::wire::ReportKind;

use super::console::{filled, fresh, press, press_keys, reply, shown};
use super::fixture_reports::report;
use crate::tui::ask::{Answer, Ask};

#[test]
fn the_formula_can_be_read_while_another_report_is_computed() {
    let mut app = fresh(80, 24);
    press_keys(&mut app, "6");
    reply(&mut app, Ask::Report(ReportKind::Quality), Answer::Report(Box::new(report(ReportKind::Quality))));
    // Diversity is asked for and does not come.
    press(&mut app, KeyCode::Tab);
    press_keys(&mut app, "?");
    assert!(shown(&app).contains("The diversity report"), "{}", shown(&app));
    press(&mut app, KeyCode::Esc);
    press(&mut app, KeyCode::BackTab);
    press_keys(&mut app, "?");
    assert!(shown(&app).contains("discount log2(rank + 1)"), "{}", shown(&app));
}

#[test]
fn reports_of_two_versions_do_not_stand_side_by_side_without_a_word() {
    let mut app = filled(200, 30);
    press_keys(&mut app, "6");
    assert!(!shown(&app).contains("other version"));
    let mut other = report(ReportKind::Diversity);
    other.model = "v000003".into();
    reply(&mut app, Ask::Report(ReportKind::Diversity), Answer::Report(Box::new(other)));
    assert!(shown(&app).contains("other version or window: diversity is of v000003"), "{}", shown(&app));
}
