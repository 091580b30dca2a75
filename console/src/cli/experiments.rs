//! `mercer exposure`, `mercer counterfactual`, `mercer interleave`: what was really served, and experiments on it.

use clap::{Args, Subcommand};
use mercer_shared::client::Client;
use mercer_shared::problem::exit;
use mercer_shared::wire::{
    Counterfactual, CounterfactualQuery, ExposureQuery, ExposureShare, Interleaving, InterleavingRequest,
    ServedExposureReport,
};

use super::out::{Done, Out, Stop};
use super::table::Table;
use crate::text;

#[derive(Debug, Args)]
pub(crate) struct ExposureArgs {
    /// Days up to today (UTC).
    #[arg(long, default_value_t = 30)]
    pub(crate) days: u32,
    /// Items, sellers and brands that are named.
    #[arg(long, default_value_t = 10)]
    pub(crate) limit: u32,
}

#[derive(Debug, Args)]
pub(crate) struct CounterfactualArgs {
    /// Of this version instead of the serving one.
    #[arg(long, value_name = "VERSION")]
    pub(crate) model: Option<String>,
}

/// Interleaving of two versions.
#[derive(Debug, Subcommand)]
pub(crate) enum InterleaveCommand {
    /// What shoppers preferred so far.
    Status,
    /// Interleaves a version with the serving one.
    Start {
        /// The version to compare.
        version: String,
        /// Share of the shoppers who get interleaved lists.
        #[arg(long, default_value_t = 0.1)]
        share: f64,
    },
    /// Ends it; everybody gets the serving version's lists again.
    Stop,
}

/// Runs `mercer exposure`.
pub(crate) async fn exposure(args: &ExposureArgs, client: &Client, out: &mut Out) -> Done {
    let query = ExposureQuery { days: Some(args.days), limit: Some(args.limit) };
    let report = client.exposure(&query).await?;
    if out.json {
        out.document(&report)?;
    } else {
        print_exposure(&report, out)?;
    }
    Ok(exit::OK)
}

fn print_exposure(report: &ServedExposureReport, out: &mut Out) -> Result<(), Stop> {
    out.heading(&format!(
        "exposure in {} since {}",
        text::plural(report.lists, "list", "lists"),
        text::moment(report.from)
    ))?;
    out.line(format!(
        "{} of {} eligible items were shown; effective items {}, Gini {}",
        text::count(report.shown),
        text::count(report.eligible),
        text::maybe(report.effective_items),
        text::maybe(report.gini)
    ))?;
    let mut items = Table::new().text("item").title("title").number("exposure").number("share");
    for item in &report.items {
        items.row([
            item.id.to_string(),
            item.title.clone(),
            text::maybe(Some(item.exposure)),
            text::percent(item.share),
        ]);
    }
    if !report.items.is_empty() {
        items.print(out)?;
    }
    for (what, shares) in [("seller", &report.sellers), ("brand", &report.brands)] {
        owners(what, shares, out)?;
    }
    if report.unkept > 0 {
        let lists = text::plural(report.unkept, "list was", "lists were");
        out.line(format!("note: {lists} counted but not kept: the store was slower than the requests"))?;
    }
    Ok(())
}

fn owners(what: &'static str, shares: &[ExposureShare], out: &mut Out) -> Result<(), Stop> {
    if shares.is_empty() {
        return Ok(());
    }
    let mut table = Table::new().text(what).number("items").number("exposure").number("share");
    for owner in shares {
        table.row([
            owner.name.clone().unwrap_or_else(|| "(none named)".to_owned()),
            text::count(owner.items),
            text::maybe(Some(owner.exposure)),
            text::percent(owner.share),
        ]);
    }
    out.line("")?;
    table.print(out)
}

/// Runs `mercer counterfactual`.
pub(crate) async fn counterfactual(args: &CounterfactualArgs, client: &Client, out: &mut Out) -> Done {
    let estimate = client.counterfactual(&CounterfactualQuery { model: args.model.clone() }).await?;
    if out.json {
        out.document(&estimate)?;
    } else {
        print_estimate(&estimate, out)?;
    }
    Ok(exit::OK)
}

fn print_estimate(estimate: &Counterfactual, out: &mut Out) -> Result<(), Stop> {
    out.heading(&format!(
        "{} at {}",
        estimate.model,
        text::plural(estimate.decisions, "explored place", "explored places")
    ))?;
    out.line(format!("earned by chance: {}", text::maybe(estimate.logged_reward)))?;
    match &estimate.refused {
        Some(why) => out.line(format!("no estimate: {}", text::clean(why)))?,
        None => out.line(format!(
            "the version would have earned {} {} (self-normalised), {} (plain), {} (doubly robust)",
            text::maybe(estimate.snips),
            text::interval(estimate.low, estimate.high),
            text::maybe(estimate.ips),
            text::maybe(estimate.doubly_robust)
        ))?,
    }
    out.line(format!(
        "effective decisions {}, mean weight {}",
        text::maybe(estimate.effective),
        text::maybe(estimate.mean_weight)
    ))
}

/// Runs `mercer interleave`.
pub(crate) async fn interleave(command: &InterleaveCommand, client: &Client, out: &mut Out) -> Done {
    let verdict = match command {
        InterleaveCommand::Status => {
            let Some(verdict) = client.interleaving().await? else {
                if out.json {
                    out.document(&())?;
                } else {
                    out.line("no versions are interleaved")?;
                }
                return Ok(exit::OK);
            };
            verdict
        }
        InterleaveCommand::Start { version, share } => {
            client.start_interleaving(&InterleavingRequest { version: version.clone(), share: *share }).await?
        }
        InterleaveCommand::Stop => client.end_interleaving().await?,
    };
    if out.json {
        out.document(&verdict)?;
    } else {
        print_verdict(&verdict, out)?;
    }
    Ok(exit::OK)
}

fn print_verdict(verdict: &Interleaving, out: &mut Out) -> Result<(), Stop> {
    out.heading(&format!(
        "{} interleaved with {} for {} of the shoppers since {}",
        verdict.version,
        verdict.serving,
        text::percent(verdict.share),
        text::moment(verdict.since)
    ))?;
    out.line(format!(
        "{}; shoppers who took more from {}: {}, from {}: {}, equally much: {}",
        text::plural(verdict.lists, "list", "lists"),
        verdict.version,
        text::count(verdict.wins),
        verdict.serving,
        text::count(verdict.losses),
        text::count(verdict.ties)
    ))?;
    match (verdict.delta, verdict.p) {
        (Some(delta), Some(p)) => out.line(format!(
            "preference {delta:+.3}, p {} (a preference of shoppers, not a lift in revenue)",
            text::p_value(p)
        )),
        _ => out.line(verdict.undefined.clone().unwrap_or_default()),
    }
}
