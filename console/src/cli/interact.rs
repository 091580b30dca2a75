//! `mercer interact`: records one interaction.

use clap::Args;
use mercer_shared::client::Client;
use mercer_shared::ids::{InteractionId, ItemId, SessionId, UserId};
use mercer_shared::problem::{Code, Problem, exit};
use mercer_shared::time::Timestamp;
use mercer_shared::wire::{BatchLine, Interaction, InteractionType};

use super::out::{Done, Out};
use crate::text;

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

/// `mercer interact`.
pub(crate) async fn run(args: InteractArgs, client: &Client, out: &mut Out) -> Done {
    let interaction = Interaction {
        id: args.id,
        user: args.user,
        session: args.session,
        kind: args.kind,
        item: args.item,
        query: args.query,
        query_id: args.query_id,
        value: args.value,
        text: args.text,
        position: args.position,
        at: args.at.unwrap_or_else(Timestamp::now),
        source: None,
    };
    let answer = client.interact(&interaction).await?;
    if let BatchLine::Line(line) = &answer
        && let Some(code) = line.code
    {
        return Err(Problem::new(code, line.detail.clone().unwrap_or_default()).into());
    }
    if out.json {
        out.document(&answer)?;
        return Ok(exit::OK);
    }
    match answer {
        BatchLine::Line(line) => out.line(text::word(&line.status))?,
        BatchLine::Summary { summary } if summary.rejected > 0 => {
            return Err(Problem::new(Code::BadInteraction, "the daemon rejected it").into());
        }
        BatchLine::Summary { summary } => out.line(if summary.accepted > 0 { "accepted" } else { "duplicate" })?,
    }
    Ok(exit::OK)
}
