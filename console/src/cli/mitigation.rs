//! `mercer mitigation`: what re-ranks the lists of a placement, and what it costs.

use std::io::Read;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use mercer_shared::client::Client;
use mercer_shared::problem::{Code, Problem, exit};
use mercer_shared::wire::{
    Mitigation, MitigationPrice, MitigationRevision, MitigationSettings, Placement, PriceStatus,
};

use super::out::{Done, Out, Stop};
use super::table::Table;
use crate::mitigations::{
    EXAMPLES, action, price_basis, price_difference, price_interval, price_label, price_word, read_settings, reranker,
    rerankers,
};
use crate::text;

/// Mitigations of placements.
#[derive(Debug, Subcommand)]
pub(crate) enum MitigationCommand {
    /// Placements for which something was ever set.
    List,
    /// The mitigations of a placement, their price and history.
    Show(PlacementArg),
    /// Sets the mitigations of a placement from a file.
    #[command(after_long_help = examples())]
    Set(SettingsArgs),
    /// Measures what settings would cost and change; changes nothing.
    #[command(after_long_help = examples())]
    WhatIf(SettingsArgs),
    /// Brings back what was in force before.
    Undo(PlacementArg),
    /// Turns the mitigations of a placement off.
    Off(PlacementArg),
}

/// Settings with each kind of re-ranker, for the help.
pub(crate) fn examples() -> String {
    let mut help = String::from(
        "Settings are re-rankers in the order in which they work, and the reason for the history:\n  \
         {\"rerankers\": [{\"kind\": \"mmr\", \"lambda\": 0.7}], \"note\": \"trial\"}\nEach kind of re-ranker:\n",
    );
    for (what, example) in EXAMPLES {
        help.push_str(&format!("  {what}:\n    {example}\n"));
    }
    help.push_str(
        "`by` takes category, brand, seller or attribute:NAME (exposure: seller or brand); `*` is everybody whom the table does not \
         name.\nMeasure first, then set:\n  echo '{\"rerankers\": [{\"kind\": \"mmr\"}]}' > mmr.json\n  \
         mercer mitigation what-if mmr.json --placement home\n  mercer mitigation set mmr.json --placement home",
    );
    help
}

#[derive(Debug, Args)]
pub(crate) struct PlacementArg {
    /// Where lists are shown, such as home or basket.
    #[arg(long, default_value = Placement::DEFAULT, value_name = "NAME")]
    pub(crate) placement: Placement,
}

#[derive(Debug, Args)]
pub(crate) struct SettingsArgs {
    /// JSON: `{"rerankers": [{"kind": "mmr", "lambda": 0.7}]}`; `-` is standard input. `--help` has an example of each kind.
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) at: PlacementArg,
}

/// Runs the command.
pub(crate) async fn run(command: Option<MitigationCommand>, client: &Client, out: &mut Out) -> Done {
    match command.unwrap_or(MitigationCommand::List) {
        MitigationCommand::List => {
            let all = client.mitigations().await?;
            if out.json { out.document(&all)? } else { table(&all, out)? }
        }
        MitigationCommand::Show(at) => shown(&client.mitigation(at.placement.as_str()).await?, out)?,
        MitigationCommand::Set(args) => {
            let settings = read(&args.file)?;
            shown(&client.set_mitigation(args.at.placement.as_str(), &settings).await?, out)?;
        }
        MitigationCommand::WhatIf(args) => {
            let settings = read(&args.file)?;
            let price = client.mitigation_price(args.at.placement.as_str(), &settings).await?;
            if out.json { out.document(&price)? } else { print_price(&price, out)? }
        }
        MitigationCommand::Undo(at) => shown(&client.undo_mitigation(at.placement.as_str()).await?, out)?,
        MitigationCommand::Off(at) => shown(&client.mitigation_off(at.placement.as_str()).await?, out)?,
    }
    Ok(exit::OK)
}

/// Reads settings from a file.
fn read(file: &Path) -> Result<MitigationSettings, Problem> {
    let bad = |error: &dyn std::fmt::Display| Problem::new(Code::BadFile, format!("{}: {error}", file.display()));
    let mut text = String::new();
    if file == Path::new("-") {
        std::io::stdin().read_to_string(&mut text).map_err(|error| bad(&error))?;
    } else {
        text = std::fs::read_to_string(file).map_err(|error| bad(&error))?;
    }
    read_settings(&text).map_err(|error| bad(&error))
}

fn table(all: &[Mitigation], out: &mut Out) -> Result<(), Stop> {
    if all.is_empty() {
        return out.line("no mitigation was ever set: all lists are plain");
    }
    let mut table = Table::new().label("placement").number("version").text("changed").text("price").words("re-rankers");
    for one in all {
        table.row([
            one.placement.to_string(),
            one.current.version.to_string(),
            text::moment(one.current.changed),
            price_word(one),
            rerankers(&one.current.rerankers),
        ]);
    }
    table.print(out)
}

fn revision_row(revision: &MitigationRevision) -> [String; 6] {
    [
        revision.version.to_string(),
        action(revision).to_owned(),
        text::moment(revision.changed),
        revision.uid.map_or_else(|| "-".to_owned(), |uid| uid.to_string()),
        rerankers(&revision.rerankers),
        revision.note.clone().unwrap_or_default(),
    ]
}

/// Prints a placement, for people or as its document.
fn shown(one: &Mitigation, out: &mut Out) -> Result<(), Stop> {
    if out.json {
        return out.document(one);
    }
    out.heading(&format!("Placement {}, version {}", one.placement, one.current.version))?;
    let mut table = Table::new().number("version").text("by").text("changed").text("uid");
    table = table.label("re-rankers").text("why").below();
    table.row(revision_row(&one.current));
    one.history.iter().for_each(|revision| table.row(revision_row(revision)));
    table.print(out)?;
    one.notes.iter().try_for_each(|note| out.line(format!("note: {}", text::clean(note))))?;
    match &one.price {
        Some(price) => {
            out.line("")?;
            print_price(price, out)
        }
        None if one.price_status == PriceStatus::Off => Ok(()),
        None => out.line("price: not measured; `mercer mitigation what-if` measures it"),
    }
}

/// Prints a price.
fn print_price(price: &MitigationPrice, out: &mut Out) -> Result<(), Stop> {
    out.heading(&format!("Price at {} on {}, measured {}", price.placement, price.model, text::moment(price.created)))?;
    for one in &price.rerankers {
        out.sentence(reranker(one))?;
    }
    out.sentence(price_basis(price))?;
    let mut table = Table::new()
        .label("name")
        .label("what")
        .number("before")
        .number("after")
        .number("difference")
        .text("95 % interval")
        .number("p")
        .number("n");
    for row in &price.rows {
        let difference = row.difference.map_or_else(|| "-".to_owned(), price_difference);
        table.row([
            row.name.clone(),
            price_label(row),
            text::maybe(row.before),
            text::maybe(row.after),
            difference,
            price_interval(row),
            row.p.map_or_else(|| "-".to_owned(), text::p_value),
            text::count(row.n),
        ]);
    }
    table.print(out)?;
    price.notes.iter().try_for_each(|note| out.sentence(format!("note: {}", text::clean(note))))
}
