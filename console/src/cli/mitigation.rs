//! `mercer mitigation`: what re-ranks the lists of a placement, and what it costs.

use std::io::Read;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use mercer_shared::client::Client;
use mercer_shared::problem::{Code, Problem, exit};
use mercer_shared::wire::{
    Mitigation, MitigationAction, MitigationPrice, MitigationRevision, MitigationSettings, Placement, PriceStatus,
    Reranker,
};

use super::out::{Done, Out, Stop};
use super::table::Table;
use crate::text;

/// Mitigations of placements.
#[derive(Debug, Subcommand)]
pub(crate) enum MitigationCommand {
    /// Placements for which something was ever set.
    List,
    /// The mitigations of a placement, their price and history.
    Show(PlacementArg),
    /// Sets the mitigations of a placement from a file.
    Set(SettingsArgs),
    /// Measures what settings would cost and change; changes nothing.
    WhatIf(SettingsArgs),
    /// Brings back what was in force before.
    Undo(PlacementArg),
    /// Turns the mitigations of a placement off.
    Off(PlacementArg),
}

#[derive(Debug, Args)]
pub(crate) struct PlacementArg {
    /// Where lists are shown, such as home or basket.
    #[arg(long, default_value = Placement::DEFAULT, value_name = "NAME")]
    pub(crate) placement: Placement,
}

#[derive(Debug, Args)]
pub(crate) struct SettingsArgs {
    /// JSON: `{"rerankers": [{"kind": "mmr", "lambda": 0.7}]}`; `-` is standard input.
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
    serde_json::from_str(&text).map_err(|error| bad(&error))
}

/// A re-ranker as people read it: its kind and parameters.
pub(crate) fn reranker(one: &Reranker) -> String {
    let mut fields = serde_json::to_value(one).unwrap_or_default();
    let parameters = fields.as_object_mut().map(|fields| {
        fields.remove("kind");
        let words: Vec<_> = fields.iter().map(|(name, value)| format!("{name} {}", plain(value))).collect();
        words.join(", ")
    });
    format!("{} ({})", one.kind(), text::clean(&parameters.unwrap_or_default()))
}

fn plain(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(word) => word.clone(),
        serde_json::Value::Object(table) => {
            let entries: Vec<_> = table.iter().map(|(name, value)| format!("{name} {}", plain(value))).collect();
            format!("[{}]", entries.join(", "))
        }
        other => other.to_string(),
    }
}

/// The re-rankers of a revision in one line.
pub(crate) fn rerankers(revision: &MitigationRevision) -> String {
    if revision.rerankers.is_empty() {
        return "off".to_owned();
    }
    revision.rerankers.iter().map(reranker).collect::<Vec<_>>().join("; ")
}

fn price_word(mitigation: &Mitigation) -> String {
    match mitigation.price_status {
        PriceStatus::Measured => "measured".to_owned(),
        PriceStatus::OtherVersion => {
            let model = mitigation.price.as_ref().map_or("another version", |price| price.model.as_str());
            format!("measured on {model}")
        }
        PriceStatus::NotMeasured => "not measured".to_owned(),
        PriceStatus::Off => "-".to_owned(),
    }
}

fn table(all: &[Mitigation], out: &mut Out) -> Result<(), Stop> {
    if all.is_empty() {
        return out.line("no mitigation was ever set: all lists are plain");
    }
    let mut table = Table::new().text("placement").number("version").text("changed").text("price").title("re-rankers");
    for one in all {
        table.row([
            one.placement.to_string(),
            one.current.version.to_string(),
            text::moment(one.current.changed),
            price_word(one),
            rerankers(&one.current),
        ]);
    }
    table.print(out)
}

fn revision_row(revision: &MitigationRevision) -> [String; 6] {
    let action = match revision.action {
        MitigationAction::Set => "set",
        MitigationAction::Off => "off",
        MitigationAction::Undo => "undo",
    };
    [
        revision.version.to_string(),
        action.to_owned(),
        text::moment(revision.changed),
        revision.uid.map_or_else(|| "-".to_owned(), |uid| uid.to_string()),
        rerankers(revision),
        revision.note.clone().unwrap_or_default(),
    ]
}

/// Prints a placement, for people or as its document.
fn shown(one: &Mitigation, out: &mut Out) -> Result<(), Stop> {
    if out.json {
        return out.document(one);
    }
    out.heading(&format!("Placement {}, version {}", one.placement, one.current.version))?;
    let mut table =
        Table::new().number("version").text("by").text("changed").text("uid").title("re-rankers").text("why");
    table.row(revision_row(&one.current));
    one.history.iter().for_each(|revision| table.row(revision_row(revision)));
    table.print(out)?;
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
        out.line(reranker(one))?;
    }
    out.line(format!(
        "{}, window {} to {}; {} changed",
        text::plural(price.users, "shopper", "shoppers"),
        text::maybe_moment(price.from),
        text::maybe_moment(price.to),
        text::plural(price.lists_changed, "list", "lists")
    ))?;
    let mut table = Table::new()
        .text("name")
        .title("what")
        .number("before")
        .number("after")
        .number("difference")
        .text("95 % interval")
        .number("p")
        .number("n");
    for row in &price.rows {
        let difference = row.difference.map_or_else(|| "-".to_owned(), text::signed);
        let missing = row.undefined.as_ref().map(|why| format!("undefined: {why}"));
        table.row([
            row.name.clone(),
            missing.map_or_else(|| row.label.clone(), |missing| format!("{} ({missing})", row.label)),
            text::maybe(row.before),
            text::maybe(row.after),
            difference,
            text::interval(row.low, row.high),
            row.p.map_or_else(|| "-".to_owned(), text::p_value),
            text::count(row.n),
        ]);
    }
    table.print(out)?;
    price.notes.iter().try_for_each(|note| out.line(format!("note: {}", text::clean(note))))
}
