//! The privacy report of a version: consent, who was erased and what still knows them, how old models are, what private training has
//! spent, and whether members can be told from others.

use mercer_shared::time::Timestamp;
use mercer_shared::wire::{ConsentScope, ModelVersion, Report, ReportRow};

use crate::state::app::App;
use crate::state::membership_documents::{self, MembershipKey};
use crate::state::privacy_ledger::Ledger;
use crate::state::problems::Answer;
use crate::state::shop::{ShopState, Subject, Who};
use crate::versions::{knowledge, registry};

/// Milliseconds of a day.
const DAY_MS: f64 = 86_400_000.0;

/// Fills a report on a version: nothing of it needs a window of later interactions.
///
/// # Errors
/// The store's; `not-found` for a version that was deleted meanwhile.
pub(crate) fn fill(app: &App, view: &ShopState, report: &mut Report) -> Answer<()> {
    let meta = registry::show(app, &report.model)?;
    consent(view, report);
    erased(app, &meta, report)?;
    models(app, &meta, report)?;
    budget(app, &meta, report)?;
    membership(app, &meta, report)?;
    report.notes.push(
        "keys: pseudonyms, tombstones, tie-breaks and each kind of signature have a key of their own, derived from one secret outside the \
         store; whoever holds it can link pseudonyms to ids, so they are personal data for them"
            .to_owned(),
    );
    report.notes.push(format!("consent of the version's data: {}", meta.data.consent_rule));
    Ok(())
}

/// A row without interval.
fn row(name: &str, label: &str, value: Result<f64, String>, n: u64, formula: &str) -> ReportRow {
    let (value, undefined) = match value {
        Ok(value) => (Some(value), None),
        Err(why) => (None, Some(why)),
    };
    ReportRow {
        name: name.to_owned(),
        label: label.to_owned(),
        value,
        undefined,
        n,
        formula: formula.to_owned(),
        ..ReportRow::default()
    }
}

/// Shares of the users by scope: those for whom it holds, and those who said so themselves.
fn consent(view: &ShopState, report: &mut Report) {
    let users: Vec<&Subject> =
        view.subjects.iter().map(|subject| &**subject).filter(|subject| matches!(subject.who, Who::User(_))).collect();
    report.users = users.len() as u64;
    let share = |counts: &dyn Fn(&Subject) -> bool| {
        let given = users.iter().filter(|subject| counts(subject)).count();
        if users.is_empty() { Err("no users".to_owned()) } else { Ok(given as f64 / users.len() as f64) }
    };
    for scope in ConsentScope::ALL {
        report.rows.push(row(
            &format!("consent_{scope}"),
            &format!("consent to {scope} in force"),
            share(&|subject| subject.consent.get(scope)),
            users.len() as u64,
            "users for whom the scope holds now, by their own word or by default, over all users",
        ));
        report.rows.push(row(
            &format!("agreed_{scope}"),
            &format!("agreed to {scope} explicitly"),
            share(&|subject| subject.explicit.get(scope) == Some(true)),
            users.len() as u64,
            "users who said so themselves, over all users",
        ));
    }
}

/// Erased users whom some model still knows.
fn erased(app: &App, meta: &ModelVersion, report: &mut Report) -> Answer<()> {
    let known = knowledge::list(app)?;
    let formula = "erased users on whose events a kept version, the cross-encoder or a run in progress was trained; 0 once those are rebuilt";
    report.rows.push(row(
        "erased_known",
        "erased users whom a model still knows",
        Ok(known.len() as f64),
        known.len() as u64,
        formula,
    ));
    let by_this = known.iter().filter(|erased| erased.versions.contains(&meta.version)).count();
    report.rows.push(row(
        "erased_known_by_version",
        "erased users whom this version still knows",
        Ok(by_this as f64),
        known.len() as u64,
        formula,
    ));
    let mut versions: Vec<&str> = known.iter().flat_map(|erased| erased.versions.iter().map(String::as_str)).collect();
    versions.sort_unstable();
    versions.dedup();
    if !versions.is_empty() {
        report.notes.push(format!("versions that know an erased user: {}", versions.join(", ")));
    }
    let days = app.config.erase.rebuild_within_days;
    report.notes.push(match days {
        0 => "versions that know an erased user are rebuilt on request only (erase.rebuild_within_days)".to_owned(),
        days => format!("versions that know an erased user are rebuilt within {days} days"),
    });
    Ok(())
}

/// Ages of the versions that are kept.
fn models(app: &App, meta: &ModelVersion, report: &mut Report) -> Answer<()> {
    let now = Timestamp::now().millis();
    let days = |since: Timestamp| (now - since.millis()).max(0) as f64 / DAY_MS;
    let kept = registry::list(app)?.items;
    let trained: Vec<&ModelVersion> = kept.iter().filter(|version| version.data.interactions > 0).collect();
    let oldest = trained.iter().map(|version| days(version.created)).reduce(f64::max);
    report.rows.push(row(
        "oldest_model_days",
        "age of the oldest kept version that was trained on shoppers, days",
        oldest.ok_or_else(|| "no version was trained on shoppers".to_owned()),
        trained.len() as u64,
        "now less the moment it was made; an erased shopper is in no version that was made after the erasure",
    ));
    let own = if meta.data.interactions > 0 {
        Ok(days(meta.created))
    } else {
        Err("the version was not trained on shoppers".to_owned())
    };
    report.rows.push(row("model_days", "age of this version, days", own, 1, "now less the moment it was made"));
    Ok(())
}

/// What private training has spent, and what is guaranteed about this version's adapter.
fn budget(app: &App, meta: &ModelVersion, report: &mut Report) -> Answer<()> {
    let config = &app.config.privacy;
    let ledger = Ledger::load(&app.store)?;
    let spending = ledger.spending(config)?;
    let about =
        format!("RDP of the Poisson-subsampled Gaussian, composed over all runs, at delta {}, per user", config.delta);
    report.rows.push(row(
        "epsilon_spent",
        "epsilon spent by private training",
        Ok(spending.epsilon),
        spending.runs,
        &about,
    ));
    let limit = if config.is_on() { Ok(config.epsilon) } else { Err("private training is off".to_owned()) };
    report.rows.push(row(
        "epsilon_limit",
        "epsilon that may be spent",
        limit,
        spending.runs,
        "privacy.epsilon; a step beyond it is refused",
    ));
    let own = match (&meta.privacy, &meta.encoder.adapter) {
        (Some(privacy), _) => Ok(privacy.epsilon_total),
        (None, Some(_)) => Err("its adapter was trained without noise: no epsilon holds".to_owned()),
        (None, None) => Err("it serves its base encoder: nobody's data is in it".to_owned()),
    };
    report.rows.push(row(
        "epsilon_adapter",
        "epsilon of this version's adapter",
        own,
        meta.privacy.as_ref().map_or(0, |p| p.steps),
        &about,
    ));
    if let Some(privacy) = &meta.privacy {
        report.notes.push(format!("the guarantee covers {}", privacy.covers));
    }
    Ok(())
}

/// The latest membership test of this version.
fn membership(app: &App, meta: &ModelVersion, report: &mut Report) -> Answer<()> {
    let formula =
        "share of the version's users that the attack recognises at 1 % false positives; .01 if it knows nothing";
    let Some(test) = membership_documents::get(app, MembershipKey::Version(&meta.version))? else {
        let why = format!("not measured; measure it: mercer eval membership --model {}", meta.version);
        report.rows.push(row("membership", "membership test, TPR at 1 % FPR", Err(why), 0, formula));
        return Ok(());
    };
    for attack in &test.attacks {
        let value = attack.tpr.ok_or_else(|| attack.undefined.clone().unwrap_or_default());
        let named = row(
            &format!("membership_{}", attack.name),
            &format!("membership test by {}, TPR at 1 % FPR", attack.name.replace('_', " ")),
            value,
            attack.members + attack.others,
            formula,
        );
        report.rows.push(ReportRow { low: attack.low, high: attack.high, baseline: Some(test.fpr), ..named });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
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
        for id in ["a", "b", "c", "d"] {
            assert!(users::users(&app, vec![User::new(id.parse().unwrap())], &api_origin(None)).remove(0).is_ok());
        }
        let say = |id: &str, train: bool| {
            let choice = ConsentChoice { train: Some(train), ..ConsentChoice::default() };
            change(&app, id, choice, None).unwrap();
        };
        say("a", false);
        say("b", true);
        app.publish();
        let found = filled(&app);
        assert_eq!(found.users, 4);
        assert_eq!(row_of(&found, "consent_train").value, Some(0.75));
        assert_eq!(row_of(&found, "agreed_train").value, Some(0.25));
        assert_eq!(row_of(&found, "consent_explanations").value, Some(1.0));
        assert_eq!(row_of(&found, "agreed_explanations").value, Some(0.0));
        assert_eq!(row_of(&found, "erased_known").value, Some(0.0));
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
}
