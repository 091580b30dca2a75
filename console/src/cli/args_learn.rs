//! What the commands take that measure and compare: evaluations, sweeps, runs.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use mercer_shared::time::Timestamp;
use mercer_shared::wire::Setting;

use super::args::Paging;
use super::args_change::seconds;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct EvalArgs {
    #[command(subcommand)]
    pub(crate) command: Option<EvalCommand>,
    /// The cut-off: nothing later is known to any method; truth is the window after it [default: the beginning of the last window].
    #[arg(long, value_name = "TIME")]
    pub(crate) at: Option<Timestamp>,
    /// Length of the lists.
    #[arg(short, long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) k: u32,
    /// Decides intervals, and whatever is trained for the evaluation.
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// Only start it; `mercer eval show` prints it later.
    #[arg(long, conflicts_with = "per_user")]
    pub(crate) detach: bool,
    /// Also write the values of each shopper, under pseudonyms, as Parquet.
    #[arg(long, value_name = "FILE")]
    pub(crate) per_user: Option<PathBuf>,
    /// Ask instead whether fine-tuning the encoder pays: window after window, against frozen, placebo and stale arms.
    #[arg(long, conflicts_with_all = ["at", "k", "detach", "per_user"])]
    pub(crate) replay: bool,
    /// Windows of the replay; a claim needs 8.
    #[arg(long, default_value_t = 8, requires = "replay", value_parser = clap::value_parser!(u32).range(2..=52))]
    pub(crate) windows: u32,
    /// Steps of the encoder per window of the replay.
    #[arg(long, default_value_t = 40, requires = "replay", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) steps: u32,
    /// Seeds of the replay; a claim needs 5.
    #[arg(long, default_value_t = 1, requires = "replay", value_parser = clap::value_parser!(u32).range(1..=20))]
    pub(crate) seeds: u32,
}

/// Evaluations that were made.
#[derive(Debug, Subcommand)]
pub(crate) enum EvalCommand {
    /// Evaluations, newest first.
    List(Paging),
    /// One evaluation again, by the id of its run.
    Show {
        id: String,
        /// Also write the values of each shopper, under pseudonyms, as Parquet.
        #[arg(long, value_name = "FILE")]
        per_user: Option<PathBuf>,
    },
    /// One replay again, by the id of its run.
    Replay { id: String },
}

/// Training runs.
#[derive(Debug, Subcommand)]
pub(crate) enum RunsCommand {
    /// Runs, newest first.
    List(Paging),
    /// One run with its log and the gate's numbers.
    Show { id: String },
    /// Stops a run.
    Cancel { id: String },
    /// What two runs differ in, and what each came to.
    Compare {
        #[arg(value_name = "A")]
        first: String,
        #[arg(value_name = "B")]
        second: String,
    },
    /// Writes a run's settings, curves and numbers for other programs.
    #[command(group = clap::ArgGroup::new("into").required(true).multiple(true).args(["tensorboard", "ndjson"]))]
    Export {
        id: String,
        /// A directory for TensorBoard event files; each run gets a directory of its own in it.
        #[arg(long, value_name = "DIR")]
        tensorboard: Option<PathBuf>,
        /// One document a line; `-` is standard output.
        #[arg(long, value_name = "FILE")]
        ndjson: Option<PathBuf>,
    },
}

/// Reads `KEY=V1,V2`: numbers, `true`, `false` or words.
fn grid(text: &str) -> Result<(String, Vec<Setting>), String> {
    let Some((name, values)) = text.split_once('=').filter(|(name, values)| !name.is_empty() && !values.is_empty())
    else {
        return Err(format!("`{text}` is not KEY=VALUE,VALUE"));
    };
    let value = |word: &str| match (word, word.parse::<f64>()) {
        ("true" | "on" | "yes", _) => Setting::Flag(true),
        ("false" | "off" | "no", _) => Setting::Flag(false),
        (_, Ok(number)) if number.is_finite() => Setting::Number(number),
        _ => Setting::Text(word.to_owned()),
    };
    Ok((name.to_owned(), values.split(',').map(|word| value(word.trim())).collect()))
}

#[derive(Debug, Args)]
pub(crate) struct SweepArgs {
    /// Values of a setting, such as `ranker.hidden=32,64`; the grid is the product of all that are named.
    #[arg(long = "set", value_name = "KEY=V1,V2", required = true, value_parser = grid)]
    pub(crate) set: Vec<(String, Vec<Setting>)>,
    /// No further point is begun after that time, such as 10m.
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = seconds)]
    pub(crate) budget: u64,
    /// Decides everything random in it.
    #[arg(long)]
    pub(crate) seed: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grids() {
        let numbers = vec![Setting::Number(32.0), Setting::Number(0.5)];
        assert_eq!(grid("ranker.hidden=32,.5"), Ok(("ranker.hidden".to_owned(), numbers)));
        assert_eq!(grid("ranker.dropout=true, off").unwrap().1, [Setting::Flag(true), Setting::Flag(false)]);
        for bad in ["", "x", "x=", "=1"] {
            assert!(grid(bad).is_err(), "{bad}");
        }
    }
}
