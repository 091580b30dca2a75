//! `mercer encoder`: installed encoders, and adding one.

use std::path::Path;

use clap::Subcommand;
use mercer_shared::client::Client;
use mercer_shared::problem::{Code, Problem, exit};
use mercer_shared::wire::AddEncoder;

use super::out::{Done, Out};
use super::table::Table;
use crate::text;

/// Encoders.
#[derive(Debug, Subcommand)]
pub(crate) enum EncoderCommand {
    /// Installed encoders.
    List,
    /// Checks an encoder and installs it.
    Add {
        /// A directory in Hugging Face layout, or a hub repository `owner/name`.
        #[arg(value_name = "DIR|REPO")]
        source: String,
        /// Build new model versions on it.
        #[arg(long)]
        activate: bool,
    },
}

/// An absolute path for a directory, so that the daemon finds it from any working directory; the name of a repository
/// as it is.
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
pub(crate) async fn run(command: EncoderCommand, client: &Client, out: &mut Out) -> Done {
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
            text::count(encoder.vocabulary.into()),
            text::bytes(encoder.bytes),
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
