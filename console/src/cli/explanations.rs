//! `mercer eval explanations`: whether the reasons that lists give are true.

use clap::Args;
use mercer_shared::client::Client;
use mercer_shared::problem::exit;
use mercer_shared::wire::{CheckedShare, ExplanationFidelity, FidelityRequest};

use super::out::{Done, Out, Stop};
use super::table::Table;
use crate::text;

#[derive(Debug, Args)]
pub(crate) struct ExplanationArgs {
    /// Lists, each of another shopper.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=2_000))]
    lists: u32,
    /// Length of the lists.
    #[arg(short, long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100))]
    k: u32,
    /// Decides which shoppers are drawn.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Claims that are also replayed with the collaborative index fitted anew without the named events; each fits the whole log.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(0..=1_000))]
    refits: u32,
    /// Seconds after which no further list is begun.
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..=3_600))]
    limit: u32,
}

/// Runs the command. Fails (exit code 1) if fewer than 95 % of the stated ranks come true.
pub(crate) async fn run(args: &ExplanationArgs, client: &Client, out: &mut Out) -> Done {
    let request = FidelityRequest {
        lists: Some(args.lists),
        k: Some(args.k),
        seed: Some(args.seed),
        refits: Some(args.refits),
        limit_seconds: Some(args.limit),
    };
    let found = client.explanation_fidelity(&request).await?;
    if out.json {
        out.document(&found)?
    } else {
        print(&found, out)?
    }
    Ok(if found.valid == Some(false) { exit::FAILED } else { exit::OK })
}

fn share(share: CheckedShare) -> [String; 3] {
    let interval = match (share.low, share.high) {
        (Some(low), Some(high)) => format!("{} to {}", text::percent(low), text::percent(high)),
        _ => "-".to_owned(),
    };
    [share.share.map_or_else(|| "-".to_owned(), text::percent), interval, text::count(share.n)]
}

fn print(found: &ExplanationFidelity, out: &mut Out) -> Result<(), Stop> {
    out.heading("Reasons, replayed")?;
    let mut table = Table::new().title("measure").number("value").text("95 % interval").number("n");
    for (name, value) in [
        ("stated ranks that come true", found.validity),
        ("claims that fall after a refit", found.falls_after_refit),
        ("rows with a reason", found.explained),
    ] {
        let [value, interval, n] = share(value);
        table.row([name.to_owned(), value, interval, n]);
    }
    if let Some(curve) = &found.deletion {
        let name = "deletion area, random minus explained".to_owned();
        let interval = text::interval(curve.low, curve.high);
        table.row([name, text::value(curve.gain), interval, text::count(curve.lists)]);
    }
    let stability = found.stability.map_or_else(|| "-".to_owned(), text::percent);
    table.row(["same strongest reason when repeated".to_owned(), stability, "-".to_owned(), text::count(found.rows)]);
    table.print(out)?;
    out.line("")?;
    out.heading("What they rest on")?;
    let mut table = Table::new().title("category").number("strongest").number("all");
    for count in &found.categories {
        let words = count.category.words().to_owned();
        table.row([words, text::count(count.strongest), text::count(count.reasons)]);
    }
    table.print(out)?;
    out.line("")?;
    out.line(match found.valid {
        Some(true) => "at least 95 % of the stated ranks come true",
        Some(false) => "fewer than 95 % of the stated ranks come true",
        None => "no reason names own events: nothing could be replayed",
    })?;
    let lists = format!("{} of {} lists", text::count(found.lists), text::count(found.asked));
    let cut =
        if found.incomplete > 0 { format!(", {} cut by the time limit", found.incomplete) } else { String::new() };
    out.line(format!("model {}, {lists}{cut}, as of {}, {:.1} s", found.model, text::moment(found.at), found.seconds))
}
