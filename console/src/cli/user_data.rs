//! `mercer user export` and `mercer user forget-interest`.

use std::io::Write;
use std::path::PathBuf;

use mercer_shared::client::Client;
use mercer_shared::ids::UserId;
use mercer_shared::problem::{Code, Problem, exit};
use mercer_shared::wire::InterestKind;

use super::out::{Done, Out};
use crate::text;
use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct UserExportArgs {
    /// Shopper's id.
    pub(crate) user: UserId,
    /// As one self-contained page instead of JSON.
    #[arg(long)]
    pub(crate) html: bool,
    /// File to write; standard output if absent. It is made readable for its owner alone.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ForgetInterestArgs {
    /// Shopper's id.
    pub(crate) user: UserId,
    /// The interest as the profile names it, such as `Outdoor / Camping`.
    #[arg(value_name = "NEED")]
    pub(crate) value: String,
    /// What it is in.
    #[arg(long, value_name = "category|brand|price_band|item", default_value = "category")]
    pub(crate) kind: InterestKind,
}

/// `mercer user export USER`.
pub(crate) async fn export(args: &UserExportArgs, client: &Client, out: &mut Out) -> Done {
    let bytes = client.export_user(args.user.as_str(), args.html).await?;
    let Some(path) = &args.output else {
        out.line(String::from_utf8_lossy(&bytes))?;
        return Ok(exit::OK);
    };
    let bad = |error: std::io::Error| Problem::new(Code::BadFile, format!("{}: {error}", path.display()));
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).map_err(bad)?;
    file.write_all(&bytes).and_then(|()| file.sync_all()).map_err(bad)?;
    out.say(format!("{} written to {}", text::plural(bytes.len() as u64, "byte", "bytes"), path.display()))?;
    Ok(exit::OK)
}

/// `mercer user forget-interest USER NEED`.
pub(crate) async fn forget_interest(args: &ForgetInterestArgs, client: &Client, out: &mut Out) -> Done {
    let report = client.forget_interest(args.user.as_str(), args.kind.name(), &args.value).await?;
    if out.json {
        out.document(&report)?;
    } else {
        let events = text::plural(report.events, "event shapes", "events shape");
        out.line(format!("{} {}: {events} nothing any more", report.forgotten.kind.name(), report.forgotten.value))?;
    }
    Ok(exit::OK)
}
