//! Reports on a version: makes lists for the users who returned in the last window, as of its beginning, and computes their metrics with
//! `mercer-reports`.

use std::sync::Arc;

use mercer_rank::{BlendWeights, Mode, RankRequest, ScoringPolicy, Snapshot, Window};
use mercer_shared::problem::{Code, Problem};
use mercer_shared::time::Timestamp;
use mercer_shared::wire::{Report, ReportKind};

use crate::reports::diversity::ReportLists;
use crate::reports::hashes::hashes;
use crate::reports::rows::{K, METRICS, interval_row};
use crate::reports::window_lists::{Limits, Lists, evaluate, window};
use crate::reports::window_scorer::window_policy;
use crate::reports::{data, diversity, fairness, privacy, stored};
use crate::state::app::App;
use crate::state::problems::Answer;
use crate::state::report_cache::ReportKey;
pub use crate::state::report_cache::{Computed, PerUserSeries};
use crate::state::shop::ShopState;
use crate::versions::embedded_catalogue;
use crate::versions::load;
use crate::versions::registry;

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
    let computed = compute(app, kind, &view)?;
    stored::store(&app.store, computed.report.clone(), hashes(app, &view)?)?;
    app.reports.put(key, Arc::new(computed.clone()));
    Ok(computed)
}

/// The published state of the shop with a version in place of the serving one, if another is named.
fn with_version(app: &App, version: Option<&str>) -> Answer<ShopState> {
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
    let mut report = Report {
        kind,
        model: view.model.meta.version.clone(),
        created: Timestamp::now(),
        from: None,
        to: None,
        users: 0,
        rows: Vec::new(),
        groups: Vec::new(),
        notes: Vec::new(),
        curves: Vec::new(),
    };
    let mut per_user = Vec::new();
    if kind == ReportKind::Privacy {
        privacy::fill(app, view, &mut report)?;
        return Ok(Computed { report, per_user });
    }
    let log = view.training_log();
    if kind == ReportKind::Data {
        data::rows(app, view, &log, &mut report)?;
        return Ok(Computed { report, per_user });
    }
    let Some((from, to)) = window(&log, view.last_event) else {
        report.notes.push("the log is too short for a window of later interactions".to_owned());
        return Ok(Computed { report, per_user });
    };
    (report.from, report.to) = (Some(Timestamp::at(from)), Some(Timestamp::at(to)));
    let index = app.moments.at(view, from);
    let snapshot = Snapshot { log, catalogue: view.rank.catalogue.clone(), index };
    let (ranker, weights, note) = window_policy(app, view, &snapshot, from)?;
    report.notes.extend(note);
    let popularity = BlendWeights::popularity();
    let lists = |mode: Mode, baseline: bool| -> Answer<Lists> {
        let policy = if baseline {
            ScoringPolicy::blend(&popularity)
        } else {
            ScoringPolicy { ranker: ranker.as_deref(), blend: &weights }
        };
        let request = RankRequest { mode, ..RankRequest::new(K) };
        evaluate(&snapshot, Window { cutoff: from, end: to }, &request, policy, &Limits::NONE)
            .map_err(|error| Problem::new(Code::Internal, error.to_string()))
    };
    let any = lists(Mode::All, false)?;
    let base = lists(Mode::All, true)?;
    report.users = any.users.len() as u64;
    if any.users.is_empty() {
        report.notes.push("no shopper came back within the window".to_owned());
        return Ok(Computed { report, per_user });
    }
    match kind {
        ReportKind::Quality => {
            let new = lists(Mode::Novel, false)?;
            let new_base = lists(Mode::Novel, true)?;
            for (slice, label, mine, theirs) in
                [("repeat", "all items", &any, &base), ("new", "novel items", &new, &new_base)]
            {
                for (name, formula, value) in METRICS {
                    let values: Vec<f64> = (0..mine.users.len()).map(|u| value(mine, u)).collect();
                    let popular: Vec<f64> = (0..theirs.users.len()).map(|u| value(theirs, u)).collect();
                    let row = format!("{name}/{slice}");
                    report.rows.push(interval_row(&row, &format!("{name}, {label}"), &values, &popular, formula));
                    per_user.push(PerUserSeries { name: row, users: mine.users.clone(), values });
                }
            }
        }
        ReportKind::Diversity => {
            diversity::rows(app, view, &snapshot, ReportLists { model: &any, popularity: &base }, &mut report)?
        }
        // Returned above: they need no lists.
        ReportKind::Privacy | ReportKind::Data => {}
        ReportKind::Fairness => {
            fairness::tables(app, view, &snapshot, from, &any, &mut report);
            per_user.push(PerUserSeries { name: "ndcg@10/repeat".to_owned(), users: any.users, values: any.ndcg });
        }
    }
    Ok(Computed { report, per_user })
}
