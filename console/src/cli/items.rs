//! The catalogue, and single interactions with it.

use mercer_shared::client::Client;
use mercer_shared::problem::{Code, Problem, exit};
use mercer_shared::time::Timestamp;
use mercer_shared::wire::{BatchLine, Interaction, Item};

use super::args::{InteractArgs, ItemsArgs};
use super::out::{Done, Out, Stop};
use super::table::{Table, facts};
use super::text::{maybe_moment, word};
use super::{more, pages};

/// `mercer items`.
pub(crate) async fn items(args: &ItemsArgs, client: &Client, out: &mut Out) -> Done {
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
        (Some(price), Some(currency)) => format!("{price:.2} {currency}"),
        (Some(price), None) => format!("{price:.2}"),
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
            ("available from", maybe_moment(item.available_from)),
            ("state", state(item).to_owned()),
            ("description", item.description.clone().unwrap_or_else(dash)),
        ],
    )
}

/// `mercer interact`.
pub(crate) async fn interact(args: InteractArgs, client: &Client, out: &mut Out) -> Done {
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
        BatchLine::Line(line) => out.line(word(&line.status))?,
        BatchLine::Summary { summary } if summary.rejected > 0 => {
            return Err(Problem::new(Code::BadInteraction, "the daemon rejected it").into());
        }
        BatchLine::Summary { summary } => out.line(if summary.accepted > 0 { "accepted" } else { "duplicate" })?,
    }
    Ok(exit::OK)
}
