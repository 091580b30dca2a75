//! `mercer import`: sends files, shows how far they are, and prints a report that visibly adds up.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use mercer_shared::client::{Body, Client};
use mercer_shared::problem::{Code, Problem, exit};
use mercer_shared::wire::{ImportEvent, ImportPhase, ImportProgress, ImportQuery, ImportReport};

use super::out::{Done, Out, Stop};
use super::table::Table;
use crate::text;

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("how").required(true).args(["preset", "format", "list"]))]
pub(crate) struct ImportArgs {
    /// How the files are to be read; `--list` shows the presets.
    #[arg(long, value_name = "NAME")]
    pub(crate) preset: Option<String>,
    /// Mercer's own documents: `items=FILE`, `users=FILE`, `interactions=FILE`, or a FILE as `mercer export` writes it.
    #[arg(long)]
    pub(crate) format: Option<ImportFormat>,
    /// Show the presets.
    #[arg(long, conflicts_with_all = ["files", "dry_run", "strict"])]
    pub(crate) list: bool,
    /// Only tell what would happen.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Exit 1 if any line was rejected; without it, only if no line was good.
    #[arg(long)]
    pub(crate) strict: bool,
    /// Files to read. With `--format` also `items=FILE`, `users=FILE` or `interactions=FILE`.
    #[arg(value_name = "FILE", required_unless_present = "list")]
    pub(crate) files: Vec<String>,
}

/// Formats that need no preset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ImportFormat {
    /// Mercer's own documents, one a line.
    Ndjson,
}

/// Kinds of Mercer's own documents, in the order in which they are sent: what others name comes first.
const KINDS: [&str; 4] = ["items", "users", "interactions", "export"];
/// Seconds between two plain lines of progress.
const PLAIN_EVERY: f64 = 5.0;

/// What is to be sent.
#[derive(Debug, PartialEq, Eq)]
struct Part {
    kind: Option<&'static str>,
    path: PathBuf,
}

/// The files in the order in which they are sent.
fn parts(args: &ImportArgs) -> Vec<Part> {
    if args.format.is_none() {
        return args.files.iter().map(|file| Part { kind: None, path: file.into() }).collect();
    }
    let mut parts: Vec<Part> = args
        .files
        .iter()
        .map(|file| {
            let named = file
                .split_once('=')
                .and_then(|(kind, path)| Some((KINDS.into_iter().find(|known| *known == kind)?, path)));
            let (kind, path) = named.unwrap_or(("export", file));
            Part { kind: Some(kind), path: path.into() }
        })
        .collect();
    parts.sort_by_key(|part| KINDS.iter().position(|kind| Some(*kind) == part.kind));
    parts
}

/// `mercer import`.
pub(crate) async fn run(args: &ImportArgs, client: &Client, out: &mut Out) -> Done {
    if args.list {
        return presets(client, out).await;
    }
    let mut code = exit::OK;
    for part in parts(args) {
        let query = ImportQuery {
            file: part.path.file_name().unwrap_or(part.path.as_os_str()).to_string_lossy().into_owned(),
            preset: args.preset.clone(),
            format: args.format.map(|_| "ndjson".to_owned()),
            kind: part.kind.map(str::to_owned),
            dry_run: args.dry_run,
        };
        let report = send(&query, &part.path, client, out).await?;
        if is_failed(&report, args.strict) {
            code = exit::FAILED;
        }
    }
    Ok(code)
}

/// Whether an import failed: no line of the file was any good, or `--strict` asks for more.
fn is_failed(report: &ImportReport, strict: bool) -> bool {
    let good = report.accepted + report.duplicates;
    !report.rejected.is_empty() && (strict || good == 0)
}

async fn presets(client: &Client, out: &mut Out) -> Done {
    let presets = client.presets().await?;
    if out.json {
        out.document(&presets)?;
        return Ok(exit::OK);
    }
    let mut table = Table::new().text("preset").text("columns").title("what it reads");
    for preset in presets {
        table.row([preset.name, preset.columns.join(", "), preset.description]);
    }
    table.print(out)?;
    Ok(exit::OK)
}

/// Sends one file and prints its report.
///
/// # Errors
/// What the daemon says when the import broke; the report up to there is printed before.
pub(crate) async fn send(
    query: &ImportQuery,
    path: &Path,
    client: &Client,
    out: &mut Out,
) -> Result<ImportReport, Stop> {
    let whole = tokio::fs::metadata(path).await;
    if whole.as_ref().is_ok_and(std::fs::Metadata::is_dir) {
        return Err(Problem::new(Code::BadFile, format!("{} is a directory", path.display())).into());
    }
    let file = Body::file(path).await?;
    let mut watch = Watch::new(&query.file, whole.map_or(0, |whole| whole.len()), out)?;
    let mut answers = client.import(query, file).await?;
    while let Some(answer) = answers.next().await {
        match answer? {
            ImportEvent::Progress(progress) => watch.moves(&progress, out)?,
            ImportEvent::Report(report) => {
                watch.ends();
                print(&report, out)?;
                return Ok(*report);
            }
            ImportEvent::Failed { problem, report } => {
                watch.ends();
                print(&report, out)?;
                return Err(problem.into());
            }
        }
    }
    watch.ends();
    Err(Problem::new(Code::NotRunning, format!("{}: the answer ended without a report", query.file)).into())
}

/// Shows the progress of an import: a bar on a terminal, else a line now and then.
struct Watch {
    bar: Option<ProgressBar>,
    phase: Option<ImportPhase>,
    began: std::time::Instant,
    told: f64,
}

impl Watch {
    fn new(name: &str, whole: u64, out: &mut Out) -> Result<Self, Stop> {
        let bar = out.bars.then(|| {
            let bar = ProgressBar::new(whole).with_prefix(text::clean(name));
            if let Ok(style) = ProgressStyle::with_template(
                "{prefix} {msg} [{bar:24}] {bytes}/{total_bytes} {bytes_per_sec} ETA {eta}",
            ) {
                bar.set_style(style.progress_chars("=> "));
            }
            bar.set_message("sending");
            bar.enable_steady_tick(std::time::Duration::from_millis(250));
            bar
        });
        if bar.is_none() && !out.json {
            out.say(format!("{}: sending {}", text::clean(name), text::bytes(whole)))?;
        }
        Ok(Self { bar, phase: None, began: std::time::Instant::now(), told: 0.0 })
    }

    fn moves(&mut self, progress: &ImportProgress, out: &mut Out) -> Result<(), Stop> {
        let new_phase = self.phase.replace(progress.phase) != Some(progress.phase);
        if new_phase {
            self.began = std::time::Instant::now();
            self.told = 0.0;
        }
        let elapsed = self.began.elapsed().as_secs_f64();
        let rate = if elapsed > 0.2 { progress.lines as f64 / elapsed } else { 0.0 };
        let lines = text::plural(progress.lines, "line", "lines");
        let what = format!("{} {lines}, {}/s", text::word(&progress.phase), text::rate(rate));
        if let Some(bar) = &self.bar {
            if new_phase {
                bar.reset();
            }
            bar.set_length(progress.total_bytes);
            bar.set_position(progress.bytes);
            bar.set_message(what);
        } else if !out.json && progress.phase != ImportPhase::Done && (new_phase || elapsed - self.told >= PLAIN_EVERY)
        {
            self.told = elapsed;
            let share = 100.0 * progress.bytes as f64 / progress.total_bytes.max(1) as f64;
            let left = if progress.bytes > 0 && elapsed > 0.2 {
                let rest = progress.total_bytes.saturating_sub(progress.bytes) as f64;
                format!(", {} left", text::remaining(elapsed * rest / progress.bytes as f64))
            } else {
                String::new()
            };
            out.say(format!("{}: {what}, {share:.0} %{left}", text::clean(&progress.file)))?;
        }
        Ok(())
    }

    fn ends(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// The first lines a count was made of.
fn at(lines: &[u64], all: u64) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let shown: Vec<_> = lines.iter().take(5).map(u64::to_string).collect();
    format!("line {}{}", shown.join(", "), if all > shown.len() as u64 { ", ..." } else { "" })
}

/// Prints a report as a sum: lines read on top, their outcomes below, and whether they add up.
pub(crate) fn print(report: &ImportReport, out: &mut Out) -> Result<(), Stop> {
    if out.json {
        return out.document(report);
    }
    let dry = if report.dry_run { " (dry run: nothing was written)" } else { "" };
    out.heading(&format!("{}: {}{dry}", text::clean(&report.file), text::clean(&report.format)))?;
    let mut rows = vec![
        ("lines read".to_owned(), report.lines, String::new()),
        ("= accepted".to_owned(), report.accepted, String::new()),
        ("+ duplicates".to_owned(), report.duplicates, String::new()),
    ];
    for rule in &report.skipped {
        rows.push((format!("+ skipped by rule {}", rule.rule), rule.count, at(&rule.first_lines, rule.count)));
    }
    for reason in &report.rejected {
        let why = format!("{}: {}", at(&reason.first_lines, reason.count), reason.reason);
        rows.push((format!("+ rejected as {}", reason.code), reason.count, why));
    }
    let mut table = Table::new().text("what").number("lines").text("where");
    for (what, lines, place) in rows {
        table.row([what, text::count(lines), place]);
    }
    for line in table.lines(None).iter().skip(1) {
        out.line(format!("  {line}"))?;
    }
    out.line(if report.adds_up() { "  the sum is right" } else { "  THE SUM IS WRONG: please report this" })?;
    let mut written = vec![text::plural(report.items, "item", "items"), text::plural(report.users, "user", "users")];
    written.extend(report.interactions.iter().map(|(kind, number)| format!("{} {kind}", text::count(*number))));
    let rate = if report.seconds > 0.0 { report.lines as f64 / report.seconds } else { 0.0 };
    out.line(format!("  {}: {}", if report.dry_run { "would write" } else { "wrote" }, written.join(", ")))?;
    out.line(format!("  took {}, {} lines/s", text::duration(report.seconds), text::rate(rate)))?;
    if report.consent_kept > 0 {
        let who = text::plural(report.consent_kept, "shopper", "shoppers");
        out.line(format!(
            "  consent kept: for {who} the file asks for what they withdrew themselves, and that stays off. Where a shopper agreed \
             again, `mercer user consent ID --SCOPE on` switches it on"
        ))?;
    }
    report.notes.iter().try_for_each(|note| out.line(format!("  note: {}", text::clean(note))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Arguments {
        #[command(flatten)]
        import: ImportArgs,
    }

    fn order(args: &[&str]) -> Vec<(Option<&'static str>, String)> {
        let args = Arguments::try_parse_from([&["import"], args].concat()).unwrap();
        parts(&args.import).into_iter().map(|part| (part.kind, part.path.display().to_string())).collect()
    }

    #[test]
    fn documents_go_before_what_names_them() {
        assert_eq!(
            order(&["--format", "ndjson", "interactions=c", "items=a=1", "users=b", "all.ndjson", "odd=name"]),
            [
                (Some("items"), "a=1".to_owned()),
                (Some("users"), "b".to_owned()),
                (Some("interactions"), "c".to_owned()),
                (Some("export"), "all.ndjson".to_owned()),
                (Some("export"), "odd=name".to_owned()),
            ]
        );
        assert_eq!(order(&["--preset", "p", "items=x"]), [(None, "items=x".to_owned())]);
    }
}
