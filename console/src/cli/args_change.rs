//! What the commands take that send, change or start something.

use clap::{Args, ValueEnum};
use mercer_shared::ids::{InteractionId, ItemId, SessionId, UserId};
use mercer_shared::time::Timestamp;
use mercer_shared::wire::InteractionType;

/// Formats that need no preset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ImportFormat {
    /// Mercer's own documents, one a line.
    Ndjson,
}

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
    /// Exit 1 if any line was rejected.
    #[arg(long)]
    pub(crate) strict: bool,
    #[arg(value_name = "FILE", required_unless_present = "list")]
    pub(crate) files: Vec<String>,
}

/// Reads `90`, `90s`, `10m`, `1h30m` as seconds.
pub(super) fn seconds(text: &str) -> Result<u64, String> {
    let bad = || format!("`{text}` is no duration such as 90s, 10m or 1h30m");
    if let Ok(plain) = text.parse::<u64>() {
        return if plain > 0 { Ok(plain) } else { Err(bad()) };
    }
    let duration: jiff::SignedDuration = text.parse().map_err(|_| bad())?;
    u64::try_from(duration.as_secs()).ok().filter(|seconds| *seconds > 0).ok_or_else(bad)
}

/// What a run trains.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TrainedModel {
    /// The whole cycle up to the gate.
    Ranker,
    /// The pair classifier: behaviour and item to the probability of a click or purchase.
    Pair,
}

/// How the encoder is fine-tuned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum EncoderTuning {
    /// Low-rank adapters of one rank.
    Lora,
    /// Low-rank adapters whose ranks go to the layers where they matter.
    Adalora,
    /// All weights of the upper layers.
    Full,
}

#[derive(Debug, Args)]
pub(crate) struct TrainArgs {
    /// What to train [default: ranker].
    #[arg(long, value_name = "MODEL")]
    pub(crate) model: Option<TrainedModel>,
    /// Follow the run to its end.
    #[arg(long)]
    pub(crate) wait: bool,
    /// Time that the whole cycle is planned to fit into, or longest time the pair classifier may be trained, such as 10m [default: the
    /// daemon's configuration].
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    pub(crate) budget: Option<u64>,
    /// Decides everything random in the run.
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// Leave the encoder alone: refit memory and blend only.
    #[arg(long)]
    pub(crate) no_encoder: bool,
    /// How to fine-tune the encoder [default: the daemon's configuration].
    #[arg(long, value_name = "HOW", conflicts_with = "no_encoder")]
    pub(crate) tuning: Option<EncoderTuning>,
    /// Promote the candidate at once if it passes the gate.
    #[arg(long, conflicts_with = "no_promote")]
    pub(crate) promote: bool,
    /// Leave a passing candidate to be promoted by hand.
    #[arg(long)]
    pub(crate) no_promote: bool,
    /// Also measure the candidate on the shoppers that are held out of training and gates, where there are any.
    #[arg(long)]
    pub(crate) holdout: bool,
}

/// A switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Switch {
    On,
    Off,
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(format!("`{text}` is not NAME=VALUE")),
    }
}

#[derive(Debug, Args)]
pub(crate) struct UserArgs {
    pub(crate) user: UserId,
    /// Set a declared attribute; an empty value removes it.
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = pair)]
    pub(crate) set: Vec<(String, String)>,
    /// History may shape this shopper's lists.
    #[arg(long, value_name = "on|off")]
    pub(crate) personalise: Option<Switch>,
    /// History may train models.
    #[arg(long, value_name = "on|off")]
    pub(crate) train: Option<Switch>,
    /// Declared attributes may be used in fairness reports.
    #[arg(long, value_name = "on|off")]
    pub(crate) audit_attributes: Option<Switch>,
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("who").required(true).multiple(true).args(["user", "session"]))]
pub(crate) struct InteractArgs {
    /// search, impression, view, click, cart, favourite, purchase, return, rating, review or dismiss.
    #[arg(value_name = "TYPE")]
    pub(crate) kind: InteractionType,
    /// To which item.
    pub(crate) item: Option<ItemId>,
    #[arg(long)]
    pub(crate) user: Option<UserId>,
    #[arg(long)]
    pub(crate) session: Option<SessionId>,
    /// Makes a retry idempotent.
    #[arg(long)]
    pub(crate) id: Option<InteractionId>,
    /// What was searched for.
    #[arg(long)]
    pub(crate) query: Option<String>,
    /// The served list this belongs to.
    #[arg(long)]
    pub(crate) query_id: Option<String>,
    /// Quantity or rating.
    #[arg(long)]
    pub(crate) value: Option<f64>,
    /// Text of a review.
    #[arg(long)]
    pub(crate) text: Option<String>,
    /// Rank in the served list, from 1.
    #[arg(long)]
    pub(crate) position: Option<u32>,
    /// When [default: now].
    #[arg(long, value_name = "TIME")]
    pub(crate) at: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct DemoArgs {
    /// Decides everything about the simulated shop and the training run.
    #[arg(long, default_value_t = 7)]
    pub(crate) seed: u64,
    /// Leave the state directory behind.
    #[arg(long)]
    pub(crate) keep: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        assert_eq!(seconds("10m"), Ok(600));
        assert_eq!(seconds("90"), Ok(90));
        assert_eq!(seconds("90s"), Ok(90));
        assert_eq!(seconds("1h30m"), Ok(5400));
        for bad in ["", "0", "-5m", "soon", "0s", "1x"] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }
}
