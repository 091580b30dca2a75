//! What `mercerd` does beside serving: packing encoders, simulating a shop, printing documents.

use std::io::{BufWriter, Write, stdout};
use std::path::PathBuf;

use clap::{Args, Subcommand};
use mercer_daemon::simulate::{Options, SimulateError, simulate, write_ndjson};
use mercer_model::PackOptions;
use mercer_model::packed::Bits;
use mercer_model::scripts::Script;
use mercer_shared::problem::{Code, Problem};
use mercer_shared::time::Timestamp;

use crate::docs::Document;

fn unwritable(error: &std::io::Error) -> Problem {
    Problem::new(Code::BadFile, format!("standard output: {error}"))
}

/// Work on encoders.
#[derive(Debug, Subcommand)]
pub(crate) enum EncoderCommand {
    /// Brings an encoder below a size limit: cuts its vocabulary to scripts and texts in use, stores 4- or 8-bit blocks.
    Pack(Pack),
}

/// What to pack and how.
#[derive(Debug, Args)]
pub(crate) struct Pack {
    /// Encoder directory in Hugging Face layout.
    #[arg(value_name = "DIR")]
    source: PathBuf,
    /// Scripts to keep, such as latin,han; all pieces are kept without this.
    #[arg(long, value_delimiter = ',')]
    scripts: Vec<Script>,
    /// Text files, one text a line: longer pieces that occur nowhere in them are dropped.
    #[arg(long, num_args = 1.., value_name = "FILE")]
    used_by: Vec<PathBuf>,
    /// Bits of one stored weight: 4 or 8.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u8).range(4..=8))]
    bits: u8,
    /// Largest file to write, in bytes.
    #[arg(long, default_value_t = 24_000_000, value_name = "BYTES")]
    limit: usize,
    /// File to write.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

impl EncoderCommand {
    /// Does it and prints what was done.
    pub(crate) fn run(self) -> Result<(), Problem> {
        let Self::Pack(pack) = self;
        let bits = match pack.bits {
            4 => Bits::Four,
            8 => Bits::Eight,
            other => return Err(Problem::new(Code::BadParameter, format!("--bits is {other}, it takes 4 or 8"))),
        };
        let options = PackOptions {
            source: pack.source,
            output: pack.output,
            scripts: pack.scripts,
            used_by: pack.used_by,
            bits,
            limit: pack.limit,
        };
        let report = mercer_model::pack(&options).map_err(|error| Problem::new(Code::BadEncoder, error.to_string()))?;
        writeln!(stdout(), "{report:#?}").map_err(|error| unwritable(&error))
    }
}

/// The simulated shop; the same options and end give the same bytes.
#[derive(Debug, Args)]
pub(crate) struct Simulate {
    /// Decides everything that is left open.
    #[arg(long, default_value_t = Options::default().seed)]
    seed: u64,
    /// Shoppers.
    #[arg(long, default_value_t = Options::default().users)]
    users: usize,
    /// Items.
    #[arg(long, default_value_t = Options::default().items)]
    items: usize,
    /// Days of the log.
    #[arg(long, default_value_t = Options::default().days)]
    days: u32,
    /// Interactions to aim at.
    #[arg(long, default_value_t = Options::default().interactions)]
    interactions: usize,
    /// When the log ends; the clock if absent.
    #[arg(long, value_name = "TIME")]
    end: Option<Timestamp>,
    /// Taste does not change half way.
    #[arg(long)]
    no_drift: bool,
    /// No group is disadvantaged.
    #[arg(long)]
    no_bias: bool,
    /// Shoppers and items meet by chance alone.
    #[arg(long)]
    no_signal: bool,
}

impl Simulate {
    /// Writes the shop to standard output.
    pub(crate) fn run(self) -> Result<(), Problem> {
        let options = Options {
            seed: self.seed,
            users: self.users,
            items: self.items,
            days: self.days,
            interactions: self.interactions,
            drift: !self.no_drift,
            bias: !self.no_bias,
            signal: !self.no_signal,
            ..Options::default()
        }
        .ending_at(self.end.unwrap_or_else(Timestamp::now));
        let refused = |error: SimulateError| match error {
            SimulateError::Write(error) => unwritable(&error),
            SimulateError::Options(_) => Problem::new(Code::BadParameter, error.to_string()),
            other => Problem::new(Code::Internal, other.to_string()),
        };
        let shop = simulate(options).map_err(refused)?;
        let mut out = BufWriter::new(stdout().lock());
        match write_ndjson(shop, &mut out) {
            // The reader closed the pipe.
            Err(SimulateError::Write(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
            Err(SimulateError::Json(error)) if error.io_error_kind() == Some(std::io::ErrorKind::BrokenPipe) => Ok(()),
            written => written.map(|_| ()).map_err(refused),
        }
    }
}

/// Prints the OpenAPI document.
pub(crate) fn openapi() -> Result<(), Problem> {
    let text = mercer_daemon::http::openapi::text().map_err(|error| Problem::new(Code::Internal, error.to_string()))?;
    print(&text)
}

/// Prints a reference page or a configuration file.
pub(crate) fn docs(document: Document) -> Result<(), Problem> {
    print(&document.text()?)
}

fn print(text: &str) -> Result<(), Problem> {
    stdout().write_all(text.as_bytes()).map_err(|error| unwritable(&error))
}
