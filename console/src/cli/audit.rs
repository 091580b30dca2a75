//! `mercer audit`: who changed what, and whether the log is whole.

use clap::{Args, Subcommand};
use mercer_shared::client::Client;
use mercer_shared::problem::exit;
use mercer_shared::wire::AuditVerification;

use super::out::{Done, Out, Stop};
use super::pages::{Paging, more, pages};
use super::table::Table;
use crate::text;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct AuditArgs {
    #[command(subcommand)]
    command: Option<AuditCommand>,
    #[command(flatten)]
    paging: Paging,
}

/// What else can be done with the audit log.
#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Checks the hash chain and names the first entry that was changed, removed, moved, added or cut off.
    Verify {
        /// A head that an earlier check printed: it must still be in the chain.
        #[arg(long, value_name = "HASH")]
        head: Option<String>,
    },
}

/// Runs the command.
pub(crate) async fn run(args: AuditArgs, client: &Client, out: &mut Out) -> Done {
    match args.command {
        None => list(args.paging, client, out).await,
        Some(AuditCommand::Verify { head }) => verify(head.as_deref(), client, out).await,
    }
}

/// Fails (exit code 1) if the log is not what was written.
async fn verify(head: Option<&str>, client: &Client, out: &mut Out) -> Done {
    let found = client.verify_audit(head).await?;
    if out.json {
        out.document(&found)?
    } else {
        print(&found, out)?
    }
    Ok(if found.intact { exit::OK } else { exit::FAILED })
}

fn print(found: &AuditVerification, out: &mut Out) -> Result<(), Stop> {
    match &found.broken {
        None => out.line("the audit log is whole")?,
        Some(broken) => out.line(format!("the audit log is broken: {}", text::clean(&broken.text)))?,
    }
    let chain = match (found.first, found.last) {
        (Some(first), Some(last)) => format!("chained from {first} to {last}"),
        _ => "no chain yet".to_owned(),
    };
    out.line(format!("{}, {chain}", text::plural(found.entries, "entry", "entries")))?;
    if found.unchained > 0 {
        out.line(format!("{} from before the chain cannot be checked", text::count(found.unchained)))?;
    }
    if found.erased > 0 {
        out.line(format!("{} of erased shoppers have another name", text::count(found.erased)))?;
    }
    match &found.head {
        Some(head) => out.line(format!("head {head}")),
        None => Ok(()),
    }
}

async fn list(paging: Paging, client: &Client, out: &mut Out) -> Done {
    let page = pages(paging.limit, async |cursor, limit| client.audit(cursor, limit).await).await?;
    if out.json {
        out.document(&page)?;
        return Ok(exit::OK);
    }
    let mut table = Table::new().number("#").text("when").text("who").text("action").text("target").title("detail");
    for entry in &page.items {
        let uid = entry.uid.map_or_else(|| "the daemon".to_owned(), |uid| format!("uid {uid}"));
        let pid = entry.pid.map(|pid| format!(" pid {pid}")).unwrap_or_default();
        table.row([
            entry.seq.to_string(),
            text::moment(entry.at),
            uid + &pid,
            entry.action.clone(),
            entry.target.clone(),
            entry.detail.clone(),
        ]);
    }
    if table.is_empty() {
        out.line("no change yet")?;
    } else {
        table.print(out)?;
    }
    more(&page, out)?;
    Ok(exit::OK)
}
