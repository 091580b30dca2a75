//! Reports on the serving model: lists for everybody who came back in the last window, made as of its beginning, and what they
//! are worth. The arithmetic is that of `mercer-reports`.

mod diversity;
mod fairness;

use std::sync::Arc;

use mercer_rank::{BlendWeights, Mode, Ranker, Snapshot};
use mercer_shared::problem::{Code, Problem};
use mercer_shared::time::Timestamp;
use mercer_shared::wire::{Report, ReportKind, ReportRow};
use mercer_store::DocKind;
use parking_lot::Mutex;

use super::evaluation::{Limits, Lists, evaluate, window};
use super::{Answer, models};
use crate::app::{App, store_problem};
use crate::world::View;

/// Length of the lists that are judged.
const K: usize = 10;
/// Replicates of every interval.
const REPLICATES: usize = 2_000;
/// Seed of intervals and permutations.
const SEED: u64 = 7;

type Key = (ReportKind, String, usize);

/// Reports that are kept in memory.
const MOST_KEPT: usize = 12;

/// The last reports by kind, model version and size of the log.
static KEPT: Mutex<Vec<(Key, Report)>> = Mutex::new(Vec::new());

/// A report on the serving model; a version that does not serve is loaded aside for it. Each report is kept in the store too.
///
/// # Errors
/// `not-found` for an unknown version.
pub fn report(app: &App, kind: ReportKind, version: Option<&str>) -> Answer<Report> {
    let mut view = (*app.view()).clone();
    if let Some(version) = version.filter(|version| *version != view.model.meta.version) {
        let meta = models::show(app, version)?;
        let model = models::load(&app.config.state, meta)?;
        let embedded = models::embed_catalogue(app, &model.encoder, |_| Answer::Ok(()))?;
        let (vectors, spread) = embedded.under(&model)?;
        view.rank.catalogue.set_vectors(Some(vectors));
        view.rank.catalogue.set_spread(spread);
        view.model = Arc::new(model);
    }
    let key = (kind, view.model.meta.version.clone(), view.rank.log.len());
    if let Some((_, report)) = KEPT.lock().iter().find(|(known, _)| *known == key) {
        return Ok(report.clone());
    }
    let report = compute(app, kind, &view)?;
    let name = format!("{}-{}", kind.as_str(), report.model);
    app.store.put_doc(DocKind::Report, &name, &report).map_err(|e| store_problem(&e))?;
    let mut kept = KEPT.lock();
    kept.retain(|((known, model, _), _)| *known != kind || *model != report.model);
    if kept.len() >= MOST_KEPT {
        kept.remove(0);
    }
    kept.push((key, report.clone()));
    Ok(report)
}

fn compute(app: &App, kind: ReportKind, view: &View) -> Answer<Report> {
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
    };
    let log = view.training_log();
    let Some((from, to)) = window(&log, view.last_event) else {
        report.notes.push("the log is too short for a window of later interactions".to_owned());
        return Ok(report);
    };
    (report.from, report.to) = (Some(Timestamp::at(from)), Some(Timestamp::at(to)));
    let memory = app.moments.at(view, from);
    let snapshot = Snapshot { log, catalogue: view.rank.catalogue.clone(), memory };
    let (ranker, weights, note) = speaker(app, view, &snapshot, from)?;
    report.notes.extend(note);
    let popularity = BlendWeights::popularity();
    let lists = |mode: Mode, baseline: bool| -> Answer<Lists> {
        let order = if baseline { (None, &popularity) } else { (ranker.as_deref(), &weights) };
        evaluate(&snapshot, (from, to), (mode, K), order, &Limits::NONE)
            .map_err(|error| Problem::new(Code::Internal, error.to_string()))
    };
    let any = lists(Mode::All, false)?;
    let base = lists(Mode::All, true)?;
    report.users = any.users.len() as u64;
    if any.users.is_empty() {
        report.notes.push("nobody came back within the window".to_owned());
        return Ok(report);
    }
    match kind {
        ReportKind::Quality => {
            let new = lists(Mode::New, false)?;
            let new_base = lists(Mode::New, true)?;
            for (slice, label, mine, theirs) in
                [("repeat", "any item", &any, &base), ("new", "unseen items", &new, &new_base)]
            {
                for (name, formula, value) in METRICS {
                    let values: Vec<f64> = (0..mine.users.len()).map(|u| value(mine, u)).collect();
                    let popular: Vec<f64> = (0..theirs.users.len()).map(|u| value(theirs, u)).collect();
                    report.rows.push(interval_row(
                        &format!("{name}/{slice}"),
                        &format!("{name}, {label}"),
                        &values,
                        &popular,
                        formula,
                    ));
                }
            }
        }
        ReportKind::Diversity => diversity::rows(app, view, &snapshot, (&any, &base), &mut report)?,
        ReportKind::Fairness => fairness::tables(app, view, &snapshot, from, &any, &mut report),
    }
    Ok(report)
}

/// What of a version may speak about a window that begins at `from`: its ranker where that has seen nothing of the window, else
/// the one that the gate judged, else the blend; and which it is, where it is not the version itself.
pub(super) fn speaker(
    app: &App,
    view: &View,
    snapshot: &Snapshot,
    from: i64,
) -> Answer<(Option<Arc<Ranker>>, BlendWeights, Option<String>)> {
    let (model, meta) = (&view.model, &view.model.meta);
    let rule = || BlendWeights::for_memory(&snapshot.memory);
    if meta.data.to.is_none_or(|to| to.millis() <= from) {
        return Ok((model.ranker.clone(), model.blend.clone().unwrap_or_else(rule), None));
    }
    let judged = match &meta.gate {
        Some(gate) if gate.from.millis() <= from => models::judged_ranker(app, view, from)?,
        _ => None,
    };
    let note = match &judged {
        Some(_) => {
            "the version has learned from this window too, so its ranker as the gate judged it speaks, which has not"
                .to_owned()
        }
        None => {
            "the version has learned from this window too, so the blend that needs no training is judged".to_owned()
        }
    };
    Ok((judged.map(Arc::new), rule(), Some(note)))
}

type PerUser = fn(&Lists, usize) -> f64;
const METRICS: [(&str, &str, PerUser); 4] = [
    (
        "ndcg@10",
        "sum of 1/log2(rank+1) over hits, divided by the ideal order's; binary gains; mean over users",
        |l, u| l.ndcg[u],
    ),
    ("recall@10", "hits / relevant items; mean over users", |l, u| l.hits(u) as f64 / l.truth[u].len().max(1) as f64),
    ("hit@10", "1 if there is a hit; mean over users", |l, u| f64::from(u8::from(l.hits(u) > 0))),
    ("mrr@10", "1 / rank of the first hit, 0 without; mean over users", |l, u| {
        l.first_hit(u).map_or(0.0, |rank| 1.0 / rank as f64)
    }),
];

fn interval_row(name: &str, label: &str, values: &[f64], popular: &[f64], formula: &str) -> ReportRow {
    let mut row = plain_row(name, label, None, values.len(), formula);
    match mercer_reports::bootstrap_mean(values, 0.95, REPLICATES, SEED) {
        Ok((mean, interval)) => {
            row.value = Some(mean);
            (row.low, row.high) = (Some(interval.low), Some(interval.high));
        }
        Err(reason) => row.undefined = Some(reason.to_string()),
    }
    row.baseline = (!popular.is_empty()).then(|| popular.iter().sum::<f64>() / popular.len() as f64);
    row
}

fn plain_row(name: &str, label: &str, value: Option<f64>, n: usize, formula: &str) -> ReportRow {
    ReportRow {
        name: name.to_owned(),
        label: label.to_owned(),
        value,
        undefined: None,
        low: None,
        high: None,
        n: n as u64,
        baseline: None,
        formula: formula.to_owned(),
        verdict: None,
    }
}
