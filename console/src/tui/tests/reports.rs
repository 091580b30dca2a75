//! The screen of reports: what is said while one is computed, and where versions are mixed.

use crossterm::event::KeyCode;
use mercer_shared::wire::{Report, ReportKind};

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

/// Shows two reports, then the tab of the second.
fn beside(first: Report, second: Report, columns: u16) -> String {
    let mut app = fresh(columns, 24);
    press_keys(&mut app, "6");
    let place = |kind| ReportKind::ALL.iter().position(|known| *known == kind).unwrap();
    let tabs = place(second.kind);
    for report in [first, second] {
        reply(&mut app, Ask::Report(report.kind), Answer::Report(Box::new(report)));
    }
    for _ in 0..tabs {
        press(&mut app, KeyCode::Tab);
    }
    shown(&app)
}

#[test]
fn the_window_of_the_log_is_no_other_window() {
    let data =
        || Report { from: report(ReportKind::Fairness).from.map(|at| at.plus_millis(-1)), ..report(ReportKind::Data) };
    for (first, second) in [(report(ReportKind::Fairness), data()), (data(), report(ReportKind::Fairness))] {
        let picture = beside(first, second, 200);
        assert!(picture.contains("v000002, n 1,812") && !picture.contains("other version or window"), "{picture}");
    }
}

#[test]
fn another_version_is_told_at_80_columns_too() {
    let other = |kind| Report { model: "v000003".into(), ..report(kind) };
    for kind in [ReportKind::Diversity, ReportKind::Fairness, ReportKind::Privacy] {
        let picture = beside(report(ReportKind::Quality), other(kind), 80);
        assert!(picture.contains("quality is of v000002; r asks again"), "{picture}");
    }
}

#[test]
fn no_label_of_a_report_is_cut_at_any_width() {
    for columns in [60, 80, 100, 200] {
        let mut app = filled(columns, 60);
        press_keys(&mut app, "6");
        for kind in ReportKind::ALL {
            let picture = shown(&app);
            let words: Vec<&str> = picture.split_whitespace().filter(|word| !"▌│".contains(word)).collect();
            let picture = words.join(" ");
            for row in report(kind).rows {
                assert!(picture.contains(&row.label), "{columns}: `{}` in {picture}", row.label);
            }
            press(&mut app, KeyCode::Tab);
        }
    }
}

#[test]
fn earlier_values_stand_beside_their_version_and_date() {
    let mut app = filled(80, 24);
    press_keys(&mut app, "6f");
    let picture = shown(&app);
    for words in ["2026-02-27 03:00  v000001", "2026-03-01 03:00  v000002", "0.3398 to 0.3767"] {
        assert!(picture.contains(words), "{words} in {picture}");
    }
    // A text that fits stands still, any other key closes it.
    press_keys(&mut app, "j");
    assert_eq!(shown(&app).matches("v000002").count(), picture.matches("v000002").count());
    press_keys(&mut app, "x");
    assert!(!shown(&app).contains("2026-02-27"), "{}", shown(&app));
}
