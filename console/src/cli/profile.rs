//! `mercer profile USER`: what is known of a shopper, and from which events.

use mercer_shared::client::Client;
use mercer_shared::problem::exit;
use mercer_shared::wire::{EventRef, Interest, Profile};

use super::out::{Done, Out, Stop};
use super::table::{Table, facts};
use super::users::agreed;
use crate::text;
use clap::Args;
use mercer_shared::ids::UserId;
use mercer_shared::time::Timestamp;

#[derive(Debug, Args)]
pub(crate) struct ProfileArgs {
    /// Shopper's id.
    pub(crate) user: UserId,
    /// As of that moment: RFC 3339, or a date.
    #[arg(long, value_name = "TIME")]
    pub(crate) at: Option<Timestamp>,
}

/// Events named beside an interest.
const NAMED: usize = 2;

/// Runs the command.
pub(crate) async fn run(args: &ProfileArgs, client: &Client, out: &mut Out) -> Done {
    let profile = client.profile(args.user.as_str(), args.at).await?;
    if out.json {
        out.document(&profile)?;
    } else {
        print(&profile, out)?;
    }
    Ok(exit::OK)
}

fn tenths(number: Option<f64>) -> String {
    number.map_or_else(|| "-".to_owned(), |number| format!("{number:.1}"))
}

fn print(profile: &Profile, out: &mut Out) -> Result<(), Stop> {
    let life = &profile.lifecycle;
    let pairs = |pairs: &mut dyn Iterator<Item = String>| {
        let all: Vec<_> = pairs.collect();
        if all.is_empty() { "-".to_owned() } else { all.join(", ") }
    };
    out.heading(&format!(
        "{} as of {}, model {}",
        text::clean(profile.user.as_str()),
        text::moment(profile.at),
        profile.model
    ))?;
    facts(
        out,
        &[
            ("stage", text::word(&life.stage)),
            ("first event", text::maybe_moment(life.first)),
            ("last event", text::maybe_moment(life.last)),
            ("days since a purchase", tenths(life.recency_days)),
            ("baskets", text::count(life.baskets)),
            ("baskets per 30 days", tenths(life.frequency)),
            ("spent", life.monetary.map_or_else(|| "-".to_owned(), text::money)),
            ("events", pairs(&mut life.counts.iter().map(|(kind, number)| format!("{} {kind}", text::count(*number))))),
            ("declared", pairs(&mut profile.attributes.iter().map(|(name, value)| format!("{name}={value}")))),
            ("agreed to", agreed(profile.consent)),
        ],
    )?;
    for (title, interests) in [
        ("Categories", &profile.categories),
        ("Brands", &profile.brands),
        ("Price bands", &profile.price_bands),
        ("Items", &profile.items),
    ] {
        interest(title, interests, out)?;
    }
    if !profile.recent_events.is_empty() {
        section("Latest events", out)?;
        let mut table = Table::new().text("when").text("what").text("item").title("title").number("value");
        for event in &profile.recent_events {
            table.row([
                text::moment(event.at),
                text::word(&event.kind),
                event.item.as_ref().map_or_else(String::new, ToString::to_string),
                event.title.clone().or_else(|| event.query.clone()).unwrap_or_default(),
                event.value.map_or_else(String::new, |value| value.to_string()),
            ]);
        }
        table.print(out)?;
    }
    if !profile.recent_queries.is_empty() {
        section("Latest queries", out)?;
        for query in &profile.recent_queries {
            out.line(format!("{}  {}", text::moment(query.at), text::clean(&query.text)))?;
        }
    }
    if !profile.nearest.is_empty() {
        section("Nearest shoppers", out)?;
        let mut table = Table::new().text("user").number("similarity");
        for near in &profile.nearest {
            table.row([near.user.to_string(), text::value(near.similarity)]);
        }
        table.print(out)?;
    }
    Ok(())
}

fn section(title: &str, out: &mut Out) -> Result<(), Stop> {
    out.line("")?;
    out.heading(title)
}

fn interest(title: &'static str, interests: &[Interest], out: &mut Out) -> Result<(), Stop> {
    if interests.is_empty() {
        return Ok(());
    }
    section(title, out)?;
    let mut table = Table::new().number("share").number("events").title("name").text("from");
    for one in interests {
        let from: Vec<_> = one.from.iter().take(NAMED).map(event).collect();
        table.row([
            text::percent(one.weight),
            text::count(one.events),
            one.name.clone(),
            from.join("; ") + if one.from.len() > NAMED { "; ..." } else { "" },
        ]);
    }
    table.print(out)
}

fn event(event: &EventRef) -> String {
    let item = event.item.as_ref().map(|item| format!(" {item}")).unwrap_or_default();
    format!("{}{item} {}", text::word(&event.kind), text::moment(event.at))
}
