//! Reports on a version: makes lists for the users who returned in the last window, as of its beginning, and computes their metrics with
//! `mercer-reports`.

use std::sync::Arc;

use mercer_rank::Window;
use mercer_shared::time::Timestamp;
use mercer_shared::wire::{ModelState, Report, ReportKind, Verdict};

use crate::reports::evaluated::Evaluated;
use crate::reports::hashes::hashes;
use crate::reports::health::Limits;
use crate::reports::window_lists::window;
use crate::reports::{
    before, concentration, consent_basis, data, diversity, fairness, item_side, privacy, quality, stored,
};
use crate::state::app::App;
use crate::state::problems::Answer;
use crate::state::report_cache::ReportKey;
pub use crate::state::report_cache::{Computed, GroupFacts, GroupMembers, PerUserSeries};
use crate::state::shop::ShopState;
use crate::versions::embedded_catalogue;
use crate::versions::load;
use crate::versions::registry;

/// Earlier reports that are read for previous values and trends.
const EARLIER: usize = 40;

/// A report on the serving model, or on another version, which is loaded for it. Each report is also stored.
///
/// # Errors
/// `not-found` for an unknown version.
pub fn report(app: &App, kind: ReportKind, version: Option<&str>) -> Answer<Report> {
    compute_for(app, kind, version).map(|computed| computed.report)
}

/// The same with the values per user that the rows rest on, so that two versions can be compared user by user. Computed once per state
/// of the shop.
///
/// # Errors
/// `not-found` for an unknown version, `unavailable` while the daemon warms up.
pub fn compute_for(app: &App, kind: ReportKind, version: Option<&str>) -> Answer<Computed> {
    app.warm()?;
    let view = with_version(app, version)?;
    let key = ReportKey { kind, version: view.model.meta.version.clone(), generation: view.generation };
    // The privacy report also changes with the ledger and with membership tests, which the shop's state does not know.
    if let Some(computed) = app.reports.get(&key).filter(|_| kind != ReportKind::Privacy) {
        return Ok((*computed).clone());
    }
    let mut computed = compute(app, kind, &view)?;
    let earlier = earlier(app, &computed.report)?;
    before::add(&mut computed.report, &earlier, |model| has_served(app, model));
    let changes = before::notes(&computed.report);
    computed.report.notes.splice(0..0, changes);
    stored::store(&app.store, computed.report.clone(), hashes(app, &view)?)?;
    app.reports.put(key, Arc::new(computed.clone()));
    Ok(computed)
}

/// Earlier reports of the kind, newest first. The version that served before is measured on the same window where no stored report has
/// that: only then does a difference come from the version.
fn earlier(app: &App, report: &Report) -> Answer<Vec<Report>> {
    let mut earlier = stored::earlier(&app.store, report.kind, EARLIER)?;
    let measured =
        |other: &&Report, version: &str| other.model == version && (other.from, other.to) == (report.from, report.to);
    let Some(version) = version_before(app, &report.model)? else { return Ok(earlier) };
    if report.from.is_none() || earlier.iter().any(|other| measured(&other, &version)) {
        return Ok(earlier);
    }
    // A version whose files are gone cannot be measured any more: the report then has no value of it on this window.
    match with_version(app, Some(&version)).and_then(|view| compute(app, report.kind, &view)) {
        Ok(computed) => earlier.insert(0, computed.report),
        Err(problem) => tracing::info!(%problem, version, "the version before could not be measured for a report"),
    }
    Ok(earlier)
}

/// The version that served before this one did.
fn version_before(app: &App, version: &str) -> Answer<Option<String>> {
    let promoted = registry::chain(&app.store)?.promoted;
    let place = promoted.iter().rposition(|one| one == version);
    Ok(place.and_then(|place| promoted[..place].iter().rfind(|one| *one != version).cloned()))
}

/// The published state of the shop with a version in place of the serving one, if another is named.
pub(crate) fn with_version(app: &App, version: Option<&str>) -> Answer<ShopState> {
    let mut view = (*app.view()).clone();
    if let Some(version) = version.filter(|version| *version != view.model.meta.version) {
        let meta = registry::show(app, version)?;
        let model = load::load(&app.config.state, meta)?;
        let embedded = embedded_catalogue::embed_catalogue(app, &model.encoder, |_| Answer::Ok(()))?;
        let (vectors, whitened) = embedded.under(&model)?;
        view.rank.catalogue.set_vectors(Some(vectors));
        view.rank.catalogue.set_whitened(whitened);
        view.model = Arc::new(model);
    }
    Ok(view)
}

fn compute(app: &App, kind: ReportKind, view: &ShopState) -> Answer<Computed> {
    let mut report = Report::new(kind, view.model.meta.version.clone(), Timestamp::now());
    let mut series = Series::default();
    match kind {
        ReportKind::Privacy => privacy::fill(app, view, &mut report)?,
        ReportKind::Data => data::rows(app, view, &view.training_log(), &mut report)?,
        ReportKind::Quality | ReportKind::Diversity | ReportKind::Fairness => {
            series = measured(app, view, &mut report)?;
        }
    }
    let Series { per_user, groups } = series;
    Ok(Computed { report, per_user, groups })
}

/// What stands behind the rows and tables of a report.
#[derive(Default)]
struct Series {
    per_user: Vec<PerUserSeries>,
    groups: GroupFacts,
}

/// Whether a version serves or served; one whose document is gone served once, for others are not reported on by themselves.
fn has_served(app: &App, model: &str) -> bool {
    let meta = app.store.get_model(model).ok().flatten();
    meta.is_none_or(|meta| matches!(meta.state, ModelState::Serving | ModelState::Retired | ModelState::Canary))
}

/// The reports that measure lists on the last window.
fn measured(app: &App, view: &ShopState, report: &mut Report) -> Answer<Series> {
    let log = view.training_log();
    let Some((from, to)) = window(&log, view.last_event) else {
        report.notes.push("empty window: the log is too short for a window of later interactions".to_owned());
        return Ok(Series::default());
    };
    (report.from, report.to) = (Some(Timestamp::at(from)), Some(Timestamp::at(to)));
    let evaluated = Evaluated::new(app, view, log, Window { cutoff: from, end: to })?;
    report.users = evaluated.any.users.len() as u64;
    if evaluated.any.users.is_empty() {
        report.notes.push("empty window: no shopper who had bought before bought within it".to_owned());
        return Ok(Series::default());
    }
    report.notes.extend(evaluated.note.clone());
    report.notes.push(consent_basis::basis(app, view, &evaluated.any.users));
    let mut groups = GroupFacts::default();
    let per_user = match report.kind {
        ReportKind::Diversity => diversity::rows(&evaluated, report)?,
        ReportKind::Fairness => {
            groups = fairness::user_side(&evaluated, report)?;
            item_side::item_side(&evaluated, report);
            vec![PerUserSeries {
                name: "ndcg@10/repeat".to_owned(),
                users: evaluated.any.users.clone(),
                values: evaluated.any.ndcg.clone(),
            }]
        }
        _ => quality::rows(&evaluated, report)?,
    };
    if report.kind == ReportKind::Quality {
        groups = summarise(&evaluated, report)?;
    } else {
        add_health(&evaluated, report);
    }
    groups.exact.extend(concentration::exact_counts(&evaluated));
    Ok(Series { per_user, groups })
}

/// Adds number 12, which says how far the others carry.
fn add_health(evaluated: &Evaluated<'_>, report: &mut Report) {
    let limits = Limits::of(evaluated, &report.groups);
    let row = limits.row();
    report.unreliable = row.verdict == Some(Verdict::Unhealthy);
    report.rows.push(row);
    report.notes.push(limits.words());
}

/// Collects the 12 numbers for operators, most of which belong to other reports.
fn summarise(evaluated: &Evaluated<'_>, report: &mut Report) -> Answer<GroupFacts> {
    let mut other = Report::new(ReportKind::Fairness, report.model.clone(), report.created);
    let groups = fairness::user_side(evaluated, &mut other)?;
    item_side::item_side(evaluated, &mut other);
    diversity::rows(evaluated, &mut other)?;
    add_health(evaluated, &mut other);
    report.unreliable = other.unreliable;
    report.notes.extend(other.notes.pop());
    let rows = report.rows.iter().chain(&other.rows);
    report.summary = rows.filter(|row| row.number.is_some()).cloned().collect();
    report.summary.sort_by_key(|row| row.number);
    Ok(groups)
}
