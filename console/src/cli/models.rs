//! `mercer models` and `mercer encoder`.

use std::path::Path;

use mercer_shared::client::Client;
use mercer_shared::problem::{Code, Problem, exit};
use mercer_shared::wire::{AddEncoder, ModelVersion};

use super::args::{EncoderCommand, ModelsCommand};
use super::gate;
use super::out::{Done, Out, Stop};
use super::table::{Table, facts};
use super::text::{bytes, clean, count, figure, interval, maybe, maybe_moment, moment, word};

/// `mercer models`.
pub(crate) async fn models(command: Option<ModelsCommand>, client: &Client, out: &mut Out) -> Done {
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
        ModelsCommand::Promote { version } => (client.promote(&version).await?, "serves now"),
        ModelsCommand::Rollback => (client.rollback().await?, "serves again"),
        ModelsCommand::Pin { version } => (client.pin(&version, true).await?, "is kept"),
        ModelsCommand::Unpin { version } => (client.pin(&version, false).await?, "is no longer kept"),
    };
    if out.json {
        out.document(&version)?;
    } else {
        out.line(format!("{} {done} ({})", version.version, word(&version.state)))?;
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
            word(&version.state),
            if version.pinned { "yes" } else { "" }.to_owned(),
            moment(version.created),
            maybe_moment(version.promoted),
            version.parent.clone().unwrap_or_else(dash),
            version.run.clone().unwrap_or_else(dash),
            encoder_name(version),
            maybe(ndcg),
            version.gate.as_ref().map_or_else(dash, |gate| word(&gate.verdict)),
            bytes(version.bytes),
        ]);
    }
    table.print(out)?;
    Ok(exit::OK)
}

fn encoder_name(version: &ModelVersion) -> String {
    let tuned = if version.encoder.adapter.is_some() { " + adapter" } else { "" };
    format!("{}{tuned}", version.encoder.name)
}

/// Prints all of a version.
pub(crate) fn show(version: &ModelVersion, out: &mut Out) -> Result<(), Stop> {
    let dash = || "-".to_owned();
    out.heading(&format!("Model {}: {}", version.version, word(&version.state)))?;
    facts(
        out,
        &[
            ("made", moment(version.created)),
            ("promoted", maybe_moment(version.promoted)),
            ("parent", version.parent.clone().unwrap_or_else(dash)),
            ("run", version.run.clone().unwrap_or_else(dash)),
            ("kept", if version.pinned { "yes" } else { "no" }.to_owned()),
            ("encoder", encoder_name(version)),
            ("encoder sha256", version.encoder.sha256.clone()),
            ("interactions", count(version.data.interactions)),
            ("data", format!("{} to {}", maybe_moment(version.data.from), maybe_moment(version.data.to))),
            ("consent", version.data.consent_rule.clone()),
            ("seed", version.seed.to_string()),
            ("made by", version.code_version.clone()),
            ("size", bytes(version.bytes)),
        ],
    )?;
    if !version.metrics.is_empty() {
        out.line("")?;
        let mut table = Table::new().text("metric").text("slice").number("value").text("interval").number("users");
        for metric in &version.metrics {
            table.row([
                metric.name.clone(),
                metric.slice.clone(),
                maybe(metric.value),
                interval(metric.low, metric.high),
                count(metric.n),
            ]);
        }
        table.print(out)?;
    }
    for (head, sources) in &version.blend {
        let weights: Vec<_> = sources.iter().map(|(source, weight)| format!("{source} {}", figure(*weight))).collect();
        out.line(format!("blend {head}: {}", clean(&weights.join(", "))))?;
    }
    if let Some(report) = &version.gate {
        out.line("")?;
        gate::print(report, out)?;
    }
    Ok(())
}

/// A directory as the daemon can find it, whatever directory it was started in; a repository as it is.
fn source(named: &str) -> Result<String, Problem> {
    let path = Path::new(named);
    if !path.exists() && !named.starts_with(['.', '/']) {
        return Ok(named.to_owned());
    }
    let bad = |why: &dyn std::fmt::Display| Problem::new(Code::BadEncoder, format!("{named}: {why}"));
    let whole = path.canonicalize().map_err(|error| bad(&error))?;
    whole.into_os_string().into_string().map_err(|_| bad(&"the path is not UTF-8"))
}

/// `mercer encoder`.
pub(crate) async fn encoder(command: EncoderCommand, client: &Client, out: &mut Out) -> Done {
    let encoders = match command {
        EncoderCommand::Add { source: named, activate } => {
            let encoder = client.add_encoder(&AddEncoder { source: source(&named)?, activate }).await?;
            if out.json {
                out.document(&encoder)?;
                return Ok(exit::OK);
            }
            vec![encoder]
        }
        EncoderCommand::List => {
            let encoders = client.encoders().await?;
            if out.json {
                out.document(&encoders)?;
                return Ok(exit::OK);
            }
            encoders
        }
    };
    let mut table = Table::new()
        .text("encoder")
        .text("active")
        .text("from")
        .number("dim")
        .number("layers")
        .number("vocabulary")
        .number("size")
        .text("sha256");
    for encoder in encoders {
        table.row([
            encoder.name,
            if encoder.active { "yes" } else { "" }.to_owned(),
            if encoder.embedded { "the program" } else { "added" }.to_owned(),
            encoder.dim.to_string(),
            encoder.layers.to_string(),
            count(encoder.vocabulary.into()),
            bytes(encoder.bytes),
            encoder.sha256,
        ]);
    }
    table.print(out)?;
    Ok(exit::OK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_are_made_absolute_and_repositories_are_not() {
        assert_eq!(source("owner/name").unwrap(), "owner/name");
        assert_eq!(source("src").unwrap(), std::env::current_dir().unwrap().join("src").display().to_string());
        assert_eq!(source("./no-such-directory").unwrap_err().code, Code::BadEncoder);
    }
}
