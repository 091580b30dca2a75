//! Imports: reads files with `mercer_import` and writes their documents as `write` does.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mercer_import::{ImportFailure, Kind, Plan, Preset};
use mercer_shared::problem::{Code, Problem};
use mercer_shared::wire::{
    ConsentChoice, EventKind, ImportPhase, ImportProgress, ImportQuery, ImportReport, PresetInfo,
};
use mercer_store::{ConsentOrigin, KeyPurpose};

use crate::ingest::consent::import_origin;
use crate::ingest::import_sink::ShopSink;
use crate::state::app::{App, Peer};
use crate::state::config::TrainConfig;
use crate::state::problems::Answer;

/// Least time between two lines of progress.
const PROGRESS: Duration = Duration::from_millis(100);

/// The directory of uploads that are being read.
#[must_use]
pub fn spool_dir(state: &Path) -> PathBuf {
    state.join("spool")
}

/// Removes uploads that a daemon left behind when it died.
///
/// # Errors
/// What keeps the directory from being emptied.
pub fn clear_spool(state: &Path) -> io::Result<()> {
    match std::fs::remove_dir_all(spool_dir(state)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Presets that ship, and those of the configured directory.
///
/// # Errors
/// None at present.
pub fn presets(app: &App) -> Answer<Vec<PresetInfo>> {
    Ok(Preset::list(app.config.presets.as_deref()))
}

/// An import: the file's name and how it is read.
#[derive(Debug, Clone)]
pub struct ImportJob {
    /// Name of the file, for the report and to tell format and compression.
    pub name: String,
    /// How it is read.
    pub plan: Plan,
    /// Whether it only reports what would happen.
    pub dry_run: bool,
}

/// Chooses how a file is read, from the request alone.
///
/// # Errors
/// `unknown-preset`, `unknown-format`, `bad-parameter`.
pub fn plan(app: &App, query: &ImportQuery) -> Answer<ImportJob> {
    let bad = |detail: String| Problem::new(Code::BadParameter, detail);
    let plan = match (query.preset.as_deref(), query.format.as_deref()) {
        (Some(_), Some(_)) => return Err(bad("an import takes preset or format, not both".to_owned())),
        (Some(name), None) => Plan::Preset(name.to_owned(), Preset::find(name, app.config.presets.as_deref())?),
        (None, Some("ndjson")) => {
            let kind = query.kind.as_deref().unwrap_or("export");
            Plan::Ndjson(kind.parse::<Kind>().map_err(|error| bad(format!("kind: {error}")))?)
        }
        (None, Some(other)) => {
            let detail = format!("format is `{other}`, it takes ndjson; other files are read by a preset");
            return Err(Problem::new(Code::UnknownFormat, detail));
        }
        (None, None) => return Err(bad("an import needs preset=NAME or format=ndjson".to_owned())),
    };
    let name = if query.file.is_empty() { "upload".to_owned() } else { query.file.clone() };
    Ok(ImportJob { name, plan, dry_run: query.dry_run })
}

/// Whether an import can be begun.
///
/// # Errors
/// `read-only`, `unavailable`.
pub fn ready(app: &App, job: &ImportJob) -> Answer<()> {
    if app.is_stopping() {
        return Err(Problem::new(Code::Unavailable, "the daemon stops"));
    }
    if job.dry_run { Ok(()) } else { app.writable() }
}

/// Reads a file into the shop. Reports at most ten times a second to `progress` and to the stream of events.
///
/// # Errors
/// Why it ended, with the report of what was written until then. Written documents stay.
pub fn run(
    app: &Arc<App>,
    job: &ImportJob,
    file: &Path,
    peer: Option<Peer>,
    progress: &mut dyn FnMut(ImportProgress),
) -> Result<ImportReport, ImportFailure> {
    let mut last: Option<(Instant, ImportPhase)> = None;
    let mut told = |now: ImportProgress| {
        if last.is_some_and(|(at, phase)| phase == now.phase && at.elapsed() < PROGRESS) {
            return;
        }
        last = Some((Instant::now(), now.phase));
        app.tell(EventKind::Import(now.clone()));
        progress(now);
    };
    let origin = origin(app, job, peer);
    let mut sink = ShopSink::new(app, origin, job.dry_run);
    let plan = keyed(app, &job.plan);
    let outcome = mercer_import::run(file, &job.name, &plan, job.dry_run, &mut sink, &mut told);
    let outcome = match (outcome, sink.broken) {
        (Ok(report), Some(problem)) => Err(ImportFailure { problem, report: Box::new(report) }),
        (Err(failure), Some(problem)) => Err(ImportFailure { problem, ..failure }),
        (outcome, None) => outcome,
    };
    let mut outcome = outcome;
    let report = match &mut outcome {
        Ok(report) => report,
        Err(failure) => &mut *failure.report,
    };
    report.consent_kept = sink.kept.len() as u64;
    report.notes.extend(what_follows(&app.config.train, report));
    let (verb, report) = match &outcome {
        Ok(report) => ("import", report),
        Err(failure) => ("import-failed", &*failure.report),
    };
    if !job.dry_run && report.interactions.values().any(|added| *added > 0) {
        app.shop.lock().fit_rest();
    }
    app.publish();
    tracing::info!(
        file = job.name,
        dry_run = job.dry_run,
        lines = report.lines,
        accepted = report.accepted,
        seconds = report.seconds,
        "{verb}"
    );
    app.tell(EventKind::Imported(Box::new(report.clone())));
    if !job.dry_run {
        let mut detail = format!(
            "{} lines, {} accepted, {} duplicates, {} skipped, {} rejected",
            report.lines,
            report.accepted,
            report.duplicates,
            report.skipped.iter().map(|rule| rule.count).sum::<u64>(),
            report.rejected.iter().map(|reason| reason.count).sum::<u64>()
        );
        if report.consent_kept > 0 {
            detail = format!("{detail}, {} shoppers keep what they withdrew", report.consent_kept);
        }
        if let Err(failure) = &outcome {
            detail = format!("{detail}; {}", failure.problem);
        }
        app.audit(peer, verb, &job.name, detail);
    }
    outcome
}

/// A plan whose hashes only this installation can make.
fn keyed(app: &App, plan: &Plan) -> Plan {
    match plan {
        Plan::Preset(name, preset) => {
            let key = app.store.purpose_key(KeyPurpose::ImportHashes);
            Plan::Preset(name.clone(), preset.clone().with_key(key))
        }
        Plan::Ndjson(kind) => Plan::Ndjson(*kind),
    }
}

/// The origin of an import's documents: the defaults are those of its preset, by the configuration or by the preset itself.
fn origin(app: &App, job: &ImportJob, peer: Option<Peer>) -> ConsentOrigin {
    match &job.plan {
        Plan::Preset(name, preset) => {
            let configured = app.config.consent.presets.get(name).copied().unwrap_or_default();
            import_origin(peer, name, configured.or(preset.consent))
        }
        Plan::Ndjson(_) => import_origin(peer, "ndjson", ConsentChoice::UNSAID),
    }
}

/// A note on the run that the import may start, and how to cancel it. `None` if no interaction was added.
fn what_follows(config: &TrainConfig, report: &ImportReport) -> Option<String> {
    let added: u64 = report.interactions.values().sum();
    if report.dry_run || added == 0 {
        return None;
    }
    let (after, every) = (config.after_interactions, config.every_seconds);
    let minutes = config.budget_seconds.div_ceil(60);
    Some(if after > 0 && added >= after {
        format!(
            "a training run starts by itself within a minute and takes at most {minutes} min: {added} new interactions, the \
             limit is {after}. `mercer runs cancel ID` stops it; `train.after_interactions = 0` turns this off"
        )
    } else if after > 0 {
        format!(
            "a training run starts by itself once {after} interactions are new; this import added {added}. \
             `train.after_interactions = 0` turns this off"
        )
    } else if every > 0 {
        format!(
            "the next scheduled training run (every {every} s) learns from {added} new interactions. \
             `train.every_seconds = 0` turns this off"
        )
    } else {
        "nothing learns from these interactions by itself: `mercer train` does".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_says_what_an_import_sets_off() {
        let config = |after_interactions, every_seconds| TrainConfig {
            after_interactions,
            every_seconds,
            budget_seconds: 1_800,
            ..TrainConfig::default()
        };
        let report =
            |added| ImportReport { interactions: [("view".to_owned(), added)].into(), ..ImportReport::default() };
        let said = |config: &TrainConfig, added| what_follows(config, &report(added)).unwrap_or_default();
        let starts = said(&config(1_000, 0), 1_000);
        assert!(starts.contains("starts by itself within a minute") && starts.contains("30 min"), "{starts}");
        assert!(starts.contains("mercer runs cancel") && starts.contains("train.after_interactions = 0"), "{starts}");
        assert!(said(&config(1_000, 0), 999).contains("once 1000 interactions are new"));
        assert!(said(&config(0, 3_600), 5).contains("every 3600 s"));
        assert!(said(&config(0, 0), 5).contains("mercer train"));
        assert_eq!(what_follows(&config(1, 1), &report(0)), None);
        assert_eq!(what_follows(&config(1, 1), &ImportReport { dry_run: true, ..report(9) }), None);
    }
}
