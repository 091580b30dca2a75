//! The privacy report on made-up shoppers, runs and versions.

use mercer_shared::wire::{ConsentChoice, MembershipAttack, MembershipTest, ReportKind, User};

use super::*;
use crate::ingest::consent::{api_origin, change};
use crate::ingest::users;
use crate::reports::report::report;
use crate::state::config::{Config, PrivacyConfig};
use crate::state::privacy_ledger::{Entry, RunBudget};
use crate::versions::test_app::TestApp;

fn filled(app: &TestApp) -> Report {
    let view = app.view();
    let mut filled = report_of(&view.model.meta.version);
    fill(app, &view, &mut filled).unwrap();
    filled
}

fn report_of(version: &str) -> Report {
    Report::new(ReportKind::Privacy, version.to_owned(), Timestamp::now())
}

fn row_of<'a>(report: &'a Report, name: &str) -> &'a ReportRow {
    report.rows.iter().find(|row| row.name == name).unwrap_or_else(|| panic!("no row {name}"))
}

#[test]
fn shares_of_consent_tell_what_holds_from_what_was_said() {
    let app = TestApp::new();
    let all = (0..40).map(|n| User::new(format!("u{n}").parse().unwrap())).collect();
    assert!(users::users(&app, all, &api_origin(None)).iter().all(Result::is_ok));
    let say = |id: &str, train: bool| {
        let choice = ConsentChoice { train: Some(train), ..ConsentChoice::default() };
        change(&app, id, choice, None).unwrap();
    };
    (0..10).for_each(|n| say(&format!("u{n}"), false));
    (10..20).for_each(|n| say(&format!("u{n}"), true));
    app.publish();
    let found = filled(&app);
    assert_eq!(found.users, 40);
    assert_eq!(row_of(&found, "consent_train").value, Some(0.75));
    assert_eq!(row_of(&found, "agreed_train").value, Some(0.25));
    assert_eq!(row_of(&found, "consent_explanations").value, Some(1.0));
    assert_eq!(row_of(&found, "agreed_explanations").value, Some(0.0));
    assert_eq!(row_of(&found, "erased_known").value, Some(0.0));
}

#[test]
fn one_shopper_who_changes_a_scope_is_not_counted_out() {
    let app = TestApp::new();
    let all = (0..43).map(|n| User::new(format!("u{n}").parse().unwrap())).collect();
    assert!(users::users(&app, all, &api_origin(None)).iter().all(Result::is_ok));
    app.publish();
    let tens = |report: &Report| {
        let shares = report.rows.iter().filter(|row| row.name.starts_with("consent_")).filter_map(|row| row.value);
        shares.map(|share| share * report.users as f64).collect::<Vec<_>>()
    };
    let before = filled(&app);
    change(&app, "u7", ConsentChoice { audit_attributes: Some(false), ..ConsentChoice::default() }, None).unwrap();
    app.publish();
    let after = filled(&app);
    for report in [&before, &after] {
        assert!(report.users.is_multiple_of(10), "{}", report.users);
        assert!(tens(report).iter().all(|users| (users / 10.0 - (users / 10.0).round()).abs() < 1e-9), "{report:?}");
    }
    // Nine shoppers are too few for any share.
    let few = TestApp::new();
    let nine = (0..9).map(|n| User::new(format!("u{n}").parse().unwrap())).collect();
    assert!(users::users(&few, nine, &api_origin(None)).iter().all(Result::is_ok));
    few.publish();
    assert_eq!(row_of(&filled(&few), "consent_train").undefined.as_deref(), Some("suppressed: fewer than 10 users"));
}

#[test]
fn what_is_not_known_has_a_reason_and_no_number() {
    let found = filled(&TestApp::new());
    for name in ["consent_train", "epsilon_limit", "epsilon_adapter", "membership", "oldest_model_days"] {
        let row = row_of(&found, name);
        assert!(row.value.is_none() && row.undefined.as_ref().is_some_and(|why| !why.is_empty()), "{row:?}");
    }
    assert_eq!(row_of(&found, "epsilon_spent").value, Some(0.0));
}

#[test]
fn the_ledger_and_a_membership_test_show() {
    let privacy = PrivacyConfig { epsilon: 3.0, ..PrivacyConfig::default() };
    let app = TestApp::with(Config { privacy, ..Config::default() });
    let entry = Entry {
        run: "r000001".to_owned(),
        at: Timestamp::now(),
        until: Timestamp::now(),
        noise: 1.0,
        rate: 0.01,
        clip: 1.0,
        expected_batch: 64.0,
        steps: 0,
    };
    let mut budget = RunBudget::open(&app.store, &app.config.privacy, entry).unwrap();
    assert!(budget.book().unwrap());
    let attack = MembershipAttack {
        name: "encoder_loss".to_owned(),
        what: "a test".to_owned(),
        members: 200,
        others: 100,
        tpr: Some(0.02),
        low: Some(0.005),
        high: Some(0.05),
        auc: Some(0.51),
        undefined: None,
    };
    let version = app.view().model.meta.version.clone();
    let test = MembershipTest {
        id: "r000002".to_owned(),
        created: Timestamp::now(),
        model: version,
        held_out: 0.3,
        fpr: 0.01,
        attacks: vec![attack],
        privacy: None,
        notes: Vec::new(),
    };
    membership_documents::store(&app, &test).unwrap();
    let found = filled(&app);
    assert_eq!(row_of(&found, "epsilon_limit").value, Some(3.0));
    assert_eq!(row_of(&found, "epsilon_spent").value, Some(budget.epsilon().unwrap()));
    let row = row_of(&found, "membership_encoder_loss");
    assert_eq!(
        (row.value, row.low, row.high, row.n, row.baseline),
        (Some(0.02), Some(0.005), Some(0.05), 300, Some(0.01))
    );
}

#[test]
fn an_unknown_version_is_refused() {
    let app = TestApp::new();
    let view = app.view();
    assert!(fill(&app, &view, &mut report_of("v999999")).is_err());
    assert!(report(&app, ReportKind::Privacy, Some("v999999")).is_err());
}
