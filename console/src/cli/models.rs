//! `mercer models`: versions, and which of them serves.

use mercer_shared::client::Client;
use mercer_shared::problem::exit;
use mercer_shared::wire::{ModelVersion, PrivacyGuarantee, TrainRequest};

use super::gate;
use super::out::{Done, Out, Stop};
use super::table::{Table, facts};
use crate::text;
use clap::Subcommand;

/// Model versions.
#[derive(Debug, Subcommand)]
pub(crate) enum ModelsCommand {
    /// All versions, newest first.
    List,
    /// One version with its numbers.
    Show {
        /// Version, such as v000002.
        version: String,
    },
    /// Makes a version answer from now on.
    Promote {
        /// Version, such as v000002.
        version: String,
    },
    /// Trains again on the remaining log, lets that version serve, and deletes those that know an erased shopper.
    Rebuild,
    /// Goes back to the version that served before.
    Rollback,
    /// Keeps a version when old ones are deleted.
    Pin {
        /// Version, such as v000002.
        version: String,
    },
    /// Lets a version be deleted when it is old.
    Unpin {
        /// Version, such as v000002.
        version: String,
    },
}

/// `mercer models rebuild`: starts the run that replaces the versions that know an erased shopper.
async fn rebuild(client: &Client, out: &mut Out) -> Done {
    let request = TrainRequest { rebuild: Some(true), ..TrainRequest::default() };
    let run = client.train(&request).await?;
    if out.json {
        out.document(&run)?;
    } else {
        out.line(format!("{} rebuilds from the remaining log; `mercer runs show {}` follows it", run.id, run.id))?;
    }
    Ok(exit::OK)
}

/// `mercer models`.
pub(crate) async fn run(command: Option<ModelsCommand>, client: &Client, out: &mut Out) -> Done {
    let (version, done) = match command.unwrap_or(ModelsCommand::List) {
        ModelsCommand::List => return list(client, out).await,
        ModelsCommand::Show { version } => {
            let version = client.model(&version).await?;
            if out.json {
                out.document(&version)?;
            } else {
                show(&version, out)?;
            }
            return Ok(exit::OK);
        }
        ModelsCommand::Rebuild => return rebuild(client, out).await,
        ModelsCommand::Promote { version } => (client.promote(&version).await?, "serves now"),
        ModelsCommand::Rollback => (client.rollback().await?, "serves again"),
        ModelsCommand::Pin { version } => (client.pin(&version, true).await?, "is kept"),
        ModelsCommand::Unpin { version } => (client.pin(&version, false).await?, "is no longer kept"),
    };
    if out.json {
        out.document(&version)?;
    } else {
        out.line(format!("{} {done} ({})", version.version, text::model_state(&version)))?;
    }
    Ok(exit::OK)
}

async fn list(client: &Client, out: &mut Out) -> Done {
    let page = client.models().await?;
    if out.json {
        out.document(&page)?;
        return Ok(exit::OK);
    }
    let mut table = Table::new()
        .text("version")
        .text("state")
        .text("kept")
        .text("made")
        .text("promoted")
        .text("parent")
        .text("run")
        .text("encoder")
        .number("ndcg@10")
        .text("gate")
        .number("size");
    let dash = || "-".to_owned();
    for version in &page.items {
        let ndcg = version.metrics.iter().find(|metric| metric.name == "ndcg@10").and_then(|metric| metric.value);
        table.row([
            version.version.clone(),
            text::model_state(version),
            if version.pinned { "yes" } else { "" }.to_owned(),
            text::moment(version.created),
            text::maybe_moment(version.promoted),
            version.parent.clone().unwrap_or_else(dash),
            version.run.clone().unwrap_or_else(dash),
            encoder_name(version),
            text::maybe(ndcg),
            version.gate.as_ref().map_or_else(dash, |gate| text::word(&gate.verdict)),
            text::bytes(version.bytes),
        ]);
    }
    table.print(out)?;
    Ok(exit::OK)
}

fn encoder_name(version: &ModelVersion) -> String {
    let tuned = if version.encoder.adapter.is_some() { " + adapter" } else { "" };
    format!("{}{tuned}", version.encoder.name)
}

/// Prints what is guaranteed about an adapter.
fn guarantee(privacy: &PrivacyGuarantee, out: &mut Out) -> Result<(), Stop> {
    out.heading("Differential privacy")?;
    facts(
        out,
        &[
            ("unit", privacy.unit.clone()),
            (
                "epsilon",
                format!(
                    "{} for its run, {} of {} with all runs before, at delta {}",
                    text::value(privacy.epsilon),
                    text::value(privacy.epsilon_total),
                    text::value(privacy.limit),
                    privacy.delta
                ),
            ),
            ("accountant", privacy.accountant.clone()),
            (
                "mechanism",
                format!(
                    "{} steps, noise {} times the clipping bound {}, each user drawn with probability {} ({}), divided by {}",
                    text::count(privacy.steps),
                    privacy.noise,
                    privacy.clip,
                    text::value(privacy.rate),
                    privacy.sampler,
                    privacy.expected_batch
                ),
            ),
            ("covers", privacy.covers.clone()),
        ],
    )
}

/// Prints all of a version.
pub(crate) fn show(version: &ModelVersion, out: &mut Out) -> Result<(), Stop> {
    let dash = || "-".to_owned();
    out.heading(&format!("Model {}: {}", version.version, text::model_state(version)))?;
    facts(
        out,
        &[
            ("made", text::moment(version.created)),
            ("promoted", text::maybe_moment(version.promoted)),
            ("parent", version.parent.clone().unwrap_or_else(dash)),
            ("run", version.run.clone().unwrap_or_else(dash)),
            ("kept", if version.pinned { "yes" } else { "no" }.to_owned()),
            ("encoder", encoder_name(version)),
            ("encoder sha256", version.encoder.sha256.clone()),
            ("interactions", text::count(version.data.interactions)),
            ("data", format!("{} to {}", text::maybe_moment(version.data.from), text::maybe_moment(version.data.to))),
            ("consent", version.data.consent_rule.clone()),
            ("seed", version.seed.to_string()),
            ("made by", version.code_version.clone()),
            ("size", text::bytes(version.bytes)),
        ],
    )?;
    if let Some(privacy) = &version.privacy {
        out.line("")?;
        guarantee(privacy, out)?;
    }
    if !version.metrics.is_empty() {
        out.line("")?;
        let mut table = Table::new().text("metric").text("slice").number("value").text("interval").number("users");
        for metric in &version.metrics {
            table.row([
                metric.name.clone(),
                text::slice(&metric.slice),
                text::maybe(metric.value),
                text::interval(metric.low, metric.high),
                text::count(metric.n),
            ]);
        }
        table.print(out)?;
    }
    for (head, sources) in &version.blend {
        let weights: Vec<_> =
            sources.iter().map(|(source, weight)| format!("{source} {}", text::value(*weight))).collect();
        out.line(format!("blend, {}: {}", text::slice(head), text::clean(&weights.join(", "))))?;
    }
    if let Some(report) = &version.gate {
        out.line("")?;
        gate::print(report, out)?;
    }
    Ok(())
}
