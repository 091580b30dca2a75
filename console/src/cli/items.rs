//! `mercer items`: the catalogue.

use mercer_shared::client::Client;
use mercer_shared::problem::exit;
use mercer_shared::wire::Item;

use super::out::{Done, Out, Stop};
use super::pages::{Paging, more, pages};
use super::table::{Table, facts};
use crate::text;
use clap::{Args, Subcommand};
use mercer_shared::ids::ItemId;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct ItemsArgs {
    #[command(subcommand)]
    pub(crate) command: Option<ItemsCommand>,
    /// Start of the id, or words of the title.
    #[arg(conflicts_with = "id")]
    pub(crate) words: Option<String>,
    /// Show this item alone.
    #[arg(long, value_name = "ITEM")]
    pub(crate) id: Option<ItemId>,
    #[command(flatten)]
    pub(crate) paging: Paging,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ItemsCommand {
    /// Deletes an item: it leaves every list at once. Writing it again brings it back.
    Delete {
        /// The item.
        item: ItemId,
    },
}

/// `mercer items`.
pub(crate) async fn run(args: &ItemsArgs, client: &Client, out: &mut Out) -> Done {
    if let Some(ItemsCommand::Delete { item }) = &args.command {
        let deleted = client.delete_item(item.as_str()).await?;
        if out.json {
            out.document(&deleted)?;
        } else {
            out.say(format!("deleted {item}"))?;
        }
        return Ok(exit::OK);
    }
    if let Some(id) = &args.id {
        let item = client.item(id.as_str()).await?;
        if out.json {
            out.document(&item)?;
        } else {
            show(&item, out)?;
        }
        return Ok(exit::OK);
    }
    let words = args.words.as_deref();
    let page = pages(args.paging.limit, async |cursor, limit| client.items(words, cursor, limit).await).await?;
    if out.json {
        out.document(&page)?;
        return Ok(exit::OK);
    }
    let mut table =
        Table::new().text("item").title("title").text("category").text("brand").number("price").text("state");
    for item in &page.items {
        table.row([
            item.id.to_string(),
            item.title.clone(),
            item.category.join("/"),
            item.brand.clone().unwrap_or_default(),
            price(item),
            state(item).to_owned(),
        ]);
    }
    if table.is_empty() {
        out.line("no item found")?;
    } else {
        table.print(out)?;
    }
    more(&page, out)?;
    Ok(exit::OK)
}

fn price(item: &Item) -> String {
    match (item.price, &item.currency) {
        (Some(price), Some(currency)) => format!("{} {currency}", text::money(price)),
        (Some(price), None) => text::money(price),
        (None, _) => "-".to_owned(),
    }
}

fn state(item: &Item) -> &'static str {
    match (item.hidden, item.in_stock) {
        (true, _) => "hidden",
        (false, true) => "in stock",
        (false, false) => "out of stock",
    }
}

fn show(item: &Item, out: &mut Out) -> Result<(), Stop> {
    let dash = || "-".to_owned();
    let attributes: Vec<_> = item.attributes.iter().map(|(name, value)| format!("{name}={value}")).collect();
    facts(
        out,
        &[
            ("item", item.id.to_string()),
            ("title", item.title.clone()),
            ("category", item.category.join("/")),
            ("brand", item.brand.clone().unwrap_or_else(dash)),
            ("price", price(item)),
            ("seller", item.seller.clone().unwrap_or_else(dash)),
            ("attributes", attributes.join(", ")),
            ("available from", text::maybe_moment(item.available_from)),
            ("state", state(item).to_owned()),
            ("description", item.description.clone().unwrap_or_else(dash)),
        ],
    )
}
