//! The privacy report of a version: consent, who was erased and what still knows them, how old models are, what private training has
//! spent, and whether members can be told from others.

use mercer_reports::table_rounding::CellSize;
use mercer_shared::time::Timestamp;
use mercer_shared::wire::{ConsentScope, ModelVersion, Report, ReportRow};

use crate::reports::rounding::{LEAST, RoundedShares, secret_seed};
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
    consent(app, view, report);
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

/// Shares of the users by scope: those for whom it holds, and those who said so themselves. All numbers are rounded, so that two reports
/// do not tell which scope one shopper changed between them.
fn consent(app: &App, view: &ShopState, report: &mut Report) {
    let users: Vec<&Subject> =
        view.subjects.iter().map(|subject| &**subject).filter(|subject| matches!(subject.who, Who::User(_))).collect();
    let count = |counts: &dyn Fn(&Subject) -> bool| users.iter().filter(|subject| counts(subject)).count();
    let parts: Vec<(ConsentScope, [(String, usize); 2])> = ConsentScope::ALL
        .into_iter()
        .map(|scope| {
            let in_force = count(&|subject| subject.consent.get(scope));
            let explicit = count(&|subject| subject.explicit.get(scope) == Some(true));
            (scope, [(format!("consent_{scope}"), in_force), (format!("agreed_{scope}"), explicit)])
        })
        .collect();
    let cells = parts.iter().flat_map(|(_, cells)| cells).map(|(cell, users)| CellSize { cell, users: *users });
    let shares = RoundedShares::new(secret_seed(app, "privacy"), users.len(), cells);
    report.users = shares.total() as u64;
    for (scope, cells) in &parts {
        let words = [
            (
                format!("consent to {scope} in force"),
                "users for whom the scope holds now, by their own word or by default, over all users; both rounded at random to tens",
            ),
            (
                format!("agreed to {scope} explicitly"),
                "users who said so themselves, over all users; both rounded at random to tens",
            ),
        ];
        for ((name, users), (label, formula)) in cells.iter().zip(words) {
            let share = shares.share(CellSize { cell: name, users: *users });
            let share = share.ok_or_else(|| format!("suppressed: fewer than {LEAST} users"));
            report.rows.push(row(name, &label, share, report.users, formula));
        }
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
        1 => "versions that know an erased user are rebuilt within a day".to_owned(),
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
mod tests;
