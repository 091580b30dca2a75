//! `mercer train`: starts a run, and follows it on request.

use clap::{Args, ValueEnum};
use mercer_shared::client::Client;
use mercer_shared::problem::exit;
use mercer_shared::wire::{TrainModel, TrainRequest, Tuning};

use super::budget::seconds;
use super::out::{Done, Out};
use super::{follow, runs};
use crate::text;

#[derive(Debug, Args)]
pub(crate) struct TrainArgs {
    /// What to train [default: ranker].
    #[arg(long, value_name = "MODEL")]
    pub(crate) model: Option<TrainedModel>,
    /// Follow the run to its end.
    #[arg(long)]
    pub(crate) wait: bool,
    /// Time that the whole cycle is planned to fit into, or longest time that the cross-encoder may be trained, such as 10m [default: the
    /// daemon's configuration].
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    pub(crate) budget: Option<u64>,
    /// Decides everything random in the run.
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// Leave the encoder as it is: refit the collaborative index and the ranker only.
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

/// What a run trains.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TrainedModel {
    /// The whole cycle up to the gate.
    Ranker,
    /// The cross-encoder: behaviour and item to the probability of a click or purchase.
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

/// What to ask of a run.
fn request(args: &TrainArgs) -> TrainRequest {
    TrainRequest {
        model: args.model.map(|model| match model {
            TrainedModel::Ranker => TrainModel::Ranker,
            TrainedModel::Pair => TrainModel::Pair,
        }),
        budget_seconds: args.budget,
        seed: args.seed,
        encoder: args.no_encoder.then_some(false),
        tuning: args.tuning.map(|tuning| match tuning {
            EncoderTuning::Lora => Tuning::Lora,
            EncoderTuning::Adalora => Tuning::Adalora,
            EncoderTuning::Full => Tuning::Full,
        }),
        promote: if args.promote { Some(true) } else { args.no_promote.then_some(false) },
        holdout: args.holdout.then_some(true),
        rebuild: None,
    }
}

/// `mercer train`.
pub(crate) async fn run(args: &TrainArgs, client: &Client, out: &mut Out) -> Done {
    let run = client.train(&request(args)).await?;
    if !args.wait {
        if out.json {
            out.document(&run)?;
        } else {
            out.line(format!("run {} is {}; follow it: mercer runs show {}", run.id, text::word(&run.state), run.id))?;
        }
        return Ok(exit::OK);
    }
    let run = follow::follow(run, client, out).await?;
    runs::finish(&run, out)
}
