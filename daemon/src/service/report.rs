//! Reports on the serving model: lists for everybody who came back in the last window, made as of its beginning, and what they
//! are worth. The arithmetic is that of `mercer-reports`.

use std::sync::Arc;

use mercer_rank::{BlendWeights, Memory, MemoryOptions, Mode, Request, Snapshot};
use mercer_reports::{GroupOptions, group_report};
use mercer_search::passage_text;
use mercer_shared::problem::{Code, Problem};
use mercer_shared::time::Timestamp;
use mercer_shared::wire::{GroupRow, GroupTable, Report, ReportKind, ReportRow, Verdict};
use parking_lot::Mutex;

use super::evaluation::{Lists, evaluate, window};
use super::recommend::Scorer;
use super::{Answer, models};
use crate::app::{App, model_problem};
use crate::world::View;

/// Length of the lists that are judged.
const K: usize = 10;
/// Replicates of every interval.
const REPLICATES: usize = 2_000;
/// Seed of intervals and permutations.
const SEED: u64 = 7;
/// Shoppers with at most this many earlier events count as new.
const NEW_EVENTS: usize = 5;

type Key = (ReportKind, String, usize);

/// The last report of each kind, by model version and size of the log.
static KEPT: Mutex<Vec<(Key, Report)>> = Mutex::new(Vec::new());

/// A report on the serving model; a version that does not serve is loaded aside for it.
///
/// # Errors
/// `not-found` for an unknown version.
pub fn report(app: &App, kind: ReportKind, version: Option<&str>) -> Answer<Report> {
    let mut view = (*app.view()).clone();
    if let Some(version) = version.filter(|version| *version != view.model.meta.version) {
        view.model = Arc::new(models::load(&app.config.state, models::show(app, version)?)?);
    }
    let key = (kind, view.model.meta.version.clone(), view.rank.log.len());
    if let Some((_, report)) = KEPT.lock().iter().find(|(known, _)| *known == key) {
        return Ok(report.clone());
    }
    let report = compute(app, kind, &view)?;
    let mut kept = KEPT.lock();
    kept.retain(|((known, ..), _)| *known != kind);
    kept.push((key, report.clone()));
    Ok(report)
}

fn stamp(at: i64) -> Timestamp {
    Timestamp::default().plus_millis(at)
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
    (report.from, report.to) = (Some(stamp(from)), Some(stamp(to)));
    let memory = Arc::new(Memory::fit(&log, &view.rank.catalogue, from, &MemoryOptions::default()));
    let snapshot = Snapshot { log, catalogue: view.rank.catalogue.clone(), memory };
    let scorer = Scorer::new(view, &snapshot, from);
    if view.model.ranker.is_some() && view.model.meta.data.to.is_some_and(|to| to.millis() > from) {
        report.notes.push(
            "the serving ranker was trained on this window too, so the untrained blend is judged here; the gate's numbers of the version are those of its own ranker".to_owned(),
        );
    }
    let popularity = BlendWeights::popularity();
    let lists = |mode: Mode, baseline: bool| -> Answer<Lists> {
        evaluate(&snapshot, from, to, mode, K, |whom, r: &Request<'_>| {
            if baseline { mercer_rank::recommend(&snapshot, whom, from, r) } else { scorer.list(&snapshot, whom, from, r) }
        }, if baseline { &popularity } else { scorer.weights() })
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
                    report.rows.push(interval_row(&format!("{name}/{slice}"), &format!("{name}, {label}"), &values, &popular, formula));
                }
            }
        }
        ReportKind::Diversity => diversity(app, view, &snapshot, &any, &base, &mut report)?,
        ReportKind::Fairness => fairness(view, &snapshot, from, &any, &mut report),
    }
    Ok(report)
}

type PerUser = fn(&Lists, usize) -> f64;
const METRICS: [(&str, &str, PerUser); 4] = [
    ("ndcg@10", "sum of 1/log2(rank+1) over hits, divided by the ideal order's; binary gains; mean over users", |l, u| l.ndcg[u]),
    ("recall@10", "hits / relevant items; mean over users", |l, u| l.hits(u) as f64 / l.truth[u].len().max(1) as f64),
    ("hit@10", "1 if there is a hit; mean over users", |l, u| f64::from(u8::from(l.hits(u) > 0))),
    ("mrr@10", "1 / rank of the first hit, 0 without; mean over users", |l, u| l.first_hit(u).map_or(0.0, |rank| 1.0 / rank as f64)),
];

fn interval_row(name: &str, label: &str, values: &[f64], popular: &[f64], formula: &str) -> ReportRow {
    let mut row = plain_row(name, label, None, values.len(), formula);
    match mercer_reports::bootstrap_mean(values, 0.95, REPLICATES, SEED) {
        Ok((mean, interval)) => {
            row.value = Some(mean);
            (row.low, row.high) = (Some(interval.low), Some(interval.high));
        }
        Err(reason) => row.undefined = Some(format!("{reason:?}")),
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

fn diversity(
    app: &App,
    view: &View,
    snapshot: &Snapshot,
    mine: &Lists,
    popular: &Lists,
    report: &mut Report,
) -> Answer<()> {
    use mercer_reports::diversity as d;
    let catalogue = view.items.len();
    let eligible = view.rank.catalogue.iter().filter(|facts| !facts.hidden).count();
    let purchases: Vec<f64> = (0..catalogue as u32).map(|i| snapshot.memory.stats(i).map_or(0.0, |s| f64::from(s.count))).collect();
    // The ruler is the base encoder, never the model under test, or tuning would move the ruler (METRICS.md section 3).
    let ruler = Arc::new(
        mercer_model::BertEncoder::on_best_device(models::base(&app.config.state, &view.model.meta.encoder.name)?)
            .map_err(|e| model_problem(&e))?,
    );
    let mut shown: Vec<u32> = mine.lists.iter().chain(&popular.lists).flatten().copied().collect();
    shown.sort_unstable();
    shown.dedup();
    let texts: Vec<String> = shown.iter().filter_map(|&i| view.item(i)).map(|item| passage_text(item)).collect();
    let rows = app
        .vectors
        .embed(&app.model, &ruler, &texts, mercer_model::Priority::Background)
        .map_err(|e| model_problem(&e))?;
    let vectors: rustc_hash::FxHashMap<u32, &Arc<[f32]>> = shown.iter().copied().zip(&rows).collect();
    let numbers = |lists: &Lists| -> Vec<Result<f64, String>> {
        let say = |reason: mercer_reports::Undefined| format!("{reason:?}");
        let counts = d::counts(&lists.lists, K, catalogue).map_err(say);
        let each = |f: &dyn Fn(&[f64]) -> Result<f64, mercer_reports::Undefined>| counts.clone().and_then(|c| f(&c).map_err(say));
        let ild: Vec<f64> = lists
            .lists
            .iter()
            .filter_map(|list| {
                let rows: Vec<&[f32]> = list.iter().filter_map(|i| vectors.get(i)).map(|row| &***row).collect();
                d::ild(&rows).ok()
            })
            .collect();
        let tail = d::tail_membership(&purchases, 0.8).map_err(say);
        vec![
            each(&|c| Ok(c.iter().filter(|n| **n > 0.0).count() as f64 / eligible.max(1) as f64)),
            each(&|c| d::gini(c)),
            each(&|c| d::effective_items(c)),
            if ild.is_empty() { Err("no list of two items".to_owned()) } else { Ok(ild.iter().sum::<f64>() / ild.len() as f64) },
            tail.and_then(|tail| counts.clone().and_then(|c| d::tail_share(&c, &tail).map_err(say))),
            mercer_reports::novelty::novelty(&lists.lists, &purchases).map_err(say),
        ]
    };
    let labels = [
        ("coverage@10", "share of eligible items shown to anybody", "items in at least one list / eligible items"),
        ("gini@10", "concentration of exposure, 0 even, 1 one item", "sum (2i-n-1) c_(i) / (n sum c), zeros included"),
        ("effective-items@10", "items that share the exposure as if evenly", "exp(-sum p ln p)"),
        ("ild@10", "dissimilarity within a list, frozen ruler", "mean over pairs of 1 - cosine by the base encoder; mean over lists"),
        ("long-tail-share@10", "exposure of the long tail", "tail: items beyond the smallest set with 80 % of purchases, unsold ones included"),
        ("novelty@10", "surprise in bits", "mean -log2(n_i / N) over shown items, add-one for unsold ones"),
    ];
    for (((name, label, formula), value), base) in labels.into_iter().zip(numbers(mine)).zip(numbers(popular)) {
        let mut row = plain_row(name, label, value.as_ref().ok().copied(), mine.lists.len(), formula);
        row.undefined = value.err();
        row.baseline = base.ok();
        report.rows.push(row);
    }
    Ok(())
}

fn fairness(view: &View, snapshot: &Snapshot, from: i64, any: &Lists, report: &mut Report) {
    let values: Vec<Option<f64>> = any.ndcg.iter().copied().map(Some).collect();
    let mut attributes: Vec<String> = any
        .users
        .iter()
        .filter_map(|&u| view.subject(u))
        .filter(|s| s.consent.audit_attributes)
        .flat_map(|s| s.attributes.keys().cloned())
        .collect();
    attributes.sort();
    attributes.dedup();
    let options = GroupOptions { seed: SEED, ..GroupOptions::default() };
    let mut reports = Vec::new();
    let mut keep = |attribute: &str, outcome: Result<mercer_reports::groups::GroupReport, mercer_reports::Undefined>| match outcome {
        Ok(table) => reports.push(table),
        Err(why) => report.notes.push(format!("{attribute}: no comparison, {why}")),
    };
    for attribute in &attributes {
        let groups: Vec<&str> = any
            .users
            .iter()
            .map(|&u| {
                view.subject(u)
                    .filter(|s| s.consent.audit_attributes)
                    .and_then(|s| s.attributes.get(attribute))
                    .map_or(mercer_reports::groups::UNKNOWN, String::as_str)
            })
            .collect();
        keep(attribute, group_report(attribute, "ndcg@10", &values, &groups, &options));
    }
    let tenure: Vec<&str> = any
        .users
        .iter()
        .map(|&u| if snapshot.log.until(u, from).len() <= NEW_EVENTS { "new" } else { "heavy" })
        .collect();
    keep("history", group_report("history", "ndcg@10", &values, &tenure, &options));
    mercer_reports::groups::holm_over(&mut reports, 0.95);
    report.groups = reports.into_iter().map(table).collect();
    report.rows.push(interval_row("ndcg@10/repeat", "ndcg@10, any item, all users", &any.ndcg, &[], METRICS[0].1));
    report.notes.push(format!("history: `new` has at most {NEW_EVENTS} earlier events; attributes are declared and consented, never inferred"));
}

fn table(report: mercer_reports::groups::GroupReport) -> GroupTable {
    use mercer_reports::groups::{Display, GroupVerdict};
    GroupTable {
        attribute: report.attribute,
        metric: report.metric,
        groups: report
            .groups
            .into_iter()
            .map(|row| GroupRow {
                group: row.group,
                // The size of a suppressed group is hidden too.
                n: row.n.unwrap_or(0) as u64,
                share: row.share.value.unwrap_or(0.0),
                suppressed: matches!(row.display, Display::Suppressed),
                mean: row.mean.value,
                low: row.interval.as_ref().map(|i| i.low),
                high: row.interval.as_ref().map(|i| i.high),
            })
            .collect(),
        gap: report.gap.value,
        noise_floor: report.noise_floor.value,
        p: report.p.value,
        p_holm: report.p_adjusted,
        worst: report.worst,
        verdict: match report.verdict {
            GroupVerdict::WithinNoise => Verdict::WithinNoise,
            GroupVerdict::AboveNoise => Verdict::AboveNoise,
            GroupVerdict::InsufficientData => Verdict::InsufficientData,
        },
    }
}
