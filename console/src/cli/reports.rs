//! `mercer report`: every number with its interval, what it rests on and, where there is one, its verdict.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use mercer_shared::client::Client;
use mercer_shared::problem::{Code, Problem, exit};
use mercer_shared::wire::{ExportFormat, Language, Report, ReportKind};

use super::out::{Done, Out, Stop};
use super::{ranking_parameters, report_files, report_tables, stored_reports};
use crate::text;

#[derive(Debug, Default, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct ReportArgs {
    #[command(subcommand)]
    pub(crate) command: Option<ReportCommand>,
    /// Which report.
    #[arg(required = true, value_name = "KIND")]
    pub(crate) kind: Option<ReportKind>,
    /// Of this version instead of the serving one.
    #[arg(long, value_name = "VERSION")]
    pub(crate) model: Option<String>,
    /// Also the difference from this version, on the same window and users.
    #[arg(long, value_name = "VERSION")]
    pub(crate) against: Option<String>,
    /// Write the report to a file, signed. The ending says the format: json, csv, parquet, html.
    #[arg(long, value_name = "FILE")]
    pub(crate) export: Option<PathBuf>,
    /// Format of the file, where its ending does not say it.
    #[arg(long, requires = "export", value_name = "FORMAT")]
    pub(crate) format: Option<ExportFormat>,
    /// Export exact counts instead of noised ones; for operators.
    #[arg(long, requires = "export")]
    pub(crate) exact: bool,
    /// Overwrite the file.
    #[arg(long, requires = "export")]
    pub(crate) force: bool,
}

impl ReportArgs {
    /// The report of the serving version.
    pub(crate) fn of(kind: ReportKind) -> Self {
        Self { kind: Some(kind), ..Self::default() }
    }
}

/// What else can be done with reports.
#[derive(Debug, Subcommand)]
pub(crate) enum ReportCommand {
    /// Checks the signature of an exported report.
    Verify {
        /// The exported file; a file of the same name with .sig beside it has the signature of CSV, Parquet and HTML.
        file: PathBuf,
        /// Public key of the installation that made it [default: that of the running daemon].
        #[arg(long, value_name = "KEY")]
        key: Option<String>,
    },
    /// Shows a stored report.
    Show {
        /// The stored report, such as p000001.
        id: String,
    },
    /// One number over the stored reports.
    Trend {
        /// Which report.
        kind: ReportKind,
        /// Name of the row, such as ndcg@10/repeat.
        row: String,
        /// Of this version only.
        #[arg(long, value_name = "VERSION")]
        model: Option<String>,
    },
    /// The main ranking parameters in words, for the shop's public page.
    Parameters {
        /// en or zh.
        #[arg(long, default_value = "en")]
        language: Language,
    },
    /// Prints the public key by which exported reports of this installation are checked.
    Key,
}

/// Runs the command.
pub(crate) async fn run(args: &ReportArgs, client: &Client, out: &mut Out) -> Done {
    match &args.command {
        Some(ReportCommand::Verify { file, key }) => {
            return report_files::verify(file, key.as_deref(), client, out).await;
        }
        Some(ReportCommand::Show { id }) => return stored_reports::show(id, client, out).await,
        Some(ReportCommand::Trend { kind, row, model }) => {
            return stored_reports::trend(*kind, row, model.as_deref(), client, out).await;
        }
        Some(ReportCommand::Parameters { language }) => {
            return ranking_parameters::run(*language, client, out).await;
        }
        Some(ReportCommand::Key) => return report_files::key(client, out).await,
        None => {}
    }
    // The command line demands it where there is no subcommand.
    let Some(kind) = args.kind else {
        return Err(
            Problem::new(Code::BadParameter, "which report? quality, diversity, fairness, privacy, data").into()
        );
    };
    if let Some(file) = &args.export {
        return report_files::export(kind, file, args, client, out).await;
    }
    match &args.against {
        Some(against) => {
            let answer = client.report_against(kind, args.model.as_deref(), against).await?;
            if out.json {
                out.document(&answer)?;
            } else {
                print(&answer.report, out)?;
                answer.difference.iter().try_for_each(|d| stored_reports::difference(&answer.report.model, d, out))?;
            }
        }
        None => {
            let report = client.report(kind, args.model.as_deref()).await?;
            if out.json {
                out.document(&report)?;
            } else {
                print(&report, out)?;
            }
        }
    }
    Ok(exit::OK)
}

/// Prints a report for people.
pub(crate) fn print(report: &Report, out: &mut Out) -> Result<(), Stop> {
    out.heading(&format!(
        "{} of {}, computed {}",
        text::word(&report.kind),
        report.model,
        text::moment(report.created)
    ))?;
    out.line(format!(
        "{}, window {} to {}",
        text::plural(report.users, "shopper", "shoppers"),
        text::maybe_moment(report.from),
        text::maybe_moment(report.to)
    ))?;
    report_tables::print(report, out)?;
    report.notes.iter().try_for_each(|note| out.line(format!("note: {}", text::clean(note))))
}
