//! Reports as they are printed, against stored pictures: at 80 columns no label is cut.

use mercer_shared::wire::ReportKind;

use super::daemon::Fake;
use crate::text;
use crate::tui::tests::fixture_reports::report;

fn printed(kind: ReportKind, columns: usize) -> String {
    let word = kind.as_str();
    let ran =
        Fake::default().on(&format!("GET /v1/reports/{word}"), report(kind)).columns(columns).run(&["report", word]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    ran.out
}

#[test]
fn printed_reports_look_as_stored() {
    for columns in [80, 200] {
        for kind in [ReportKind::Fairness, ReportKind::Data] {
            let name = format!("printed-{}-{columns}", kind.as_str());
            insta::with_settings!({
                snapshot_path => concat!(env!("CARGO_MANIFEST_DIR"), "/tests/pictures"),
                prepend_module_to_snapshot => false,
                omit_expression => true,
            }, {
                insta::assert_snapshot!(name, printed(kind, columns));
            });
        }
    }
}

#[test]
fn tables_of_reports_fit_80_columns_and_keep_every_label() {
    for kind in ReportKind::ALL {
        let out = printed(kind, 80);
        for row in report(kind).rows {
            assert!(out.contains(&row.label), "{} in {out}", row.label);
        }
        for line in out.lines() {
            assert!(text::width(line) <= 80, "{line}");
        }
    }
}
