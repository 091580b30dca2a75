//! The arguments of `mercer report`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use mercer_shared::wire::{ExportFormat, Language, ReportKind};

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
