//! Prints served lists: recommendations, searches, related items, trending items.

use mercer_shared::client::Client;
use mercer_shared::wire::{ListItem, SearchRequest, ServedList};
use serde::Serialize;

use super::out::{Done, Out, Stop};
use super::table::Table;
use crate::text;
use clap::{Args, ValueEnum};
use mercer_shared::filter::Filter;
use mercer_shared::ids::{ItemId, UserId};
use mercer_shared::time::Timestamp;
use mercer_shared::wire::{Candidates, ListQuery, Mode, Moved, OutOfStock, Placement, Profiling};
use std::path::PathBuf;

/// What every list takes.
#[derive(Debug, Clone, Args)]
pub(crate) struct ListArgs {
    /// How many items.
    #[arg(short, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) k: u32,
    /// Answer as of that moment (RFC 3339, or a date), from interactions up to it only.
    #[arg(long, value_name = "TIME")]
    pub(crate) at: Option<Timestamp>,
    /// all: every item; novel: leave out what the shopper bought. The wire's words for them are repeat and new.
    #[arg(long, value_name = "all|novel", value_parser = mode)]
    pub(crate) mode: Option<Mode>,
    /// Which items may appear.
    #[arg(long, value_name = "all|warm|cold")]
    pub(crate) candidates: Option<Candidates>,
    /// Conditions, such as `category:Home,brand:Acme|Apex,price:10..50,stock`.
    #[arg(long, value_name = "FILTER", value_parser = filter)]
    pub(crate) filter: Option<String>,
    /// Say why each item is there.
    #[arg(long)]
    pub(crate) reasons: bool,
    /// What to do with items that are out of stock; the daemon's configuration decides if this is absent.
    #[arg(long, value_name = "hide|demote|show")]
    pub(crate) out_of_stock: Option<OutOfStock>,
    /// off: use nothing that is known of the person, so that everybody gets the same list.
    #[arg(long, value_name = "on|off")]
    pub(crate) profiling: Option<Profiling>,
    /// Where the list is shown: the mitigations of that placement apply [default: default, of searches: search].
    #[arg(long, value_name = "NAME")]
    pub(crate) placement: Option<Placement>,
}

impl ListArgs {
    /// The wire's form of it.
    pub(crate) fn query(&self) -> ListQuery {
        ListQuery {
            k: Some(self.k),
            filter: self.filter.clone(),
            at: self.at,
            mode: self.mode,
            candidates: self.candidates,
            reasons: self.reasons.then_some(true),
            out_of_stock: self.out_of_stock,
            profiling: self.profiling,
            placement: self.placement.as_ref().map(|placement| placement.as_str().to_owned()),
            // An operator looks at it, no shopper.
            preview: Some(true),
        }
    }
}

/// Checks a filter here, so that a slip is a usage error; the daemon reads the same text.
fn filter(text: &str) -> Result<String, String> {
    text.parse::<Filter>().map(|filter| filter.to_string()).map_err(|error| error.to_string())
}

/// Reads which items may appear; the wire's own words are taken too.
fn mode(text: &str) -> Result<Mode, String> {
    match text {
        "all" => Ok(Mode::Repeat),
        "novel" => Ok(Mode::New),
        word => word.parse().map_err(|_| "it is `all` or `novel`".to_owned()),
    }
}

/// Forms of output beside the usual.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// One line a list: the ids and scores alone.
    Ndjson,
}

#[derive(Debug, Args)]
pub(crate) struct RecommendArgs {
    /// Shopper's id.
    #[arg(required_unless_present = "users", conflicts_with = "users")]
    pub(crate) user: Option<UserId>,
    /// A file with one shopper id a line; `-` is standard input. Implies `--output ndjson`.
    #[arg(long, value_name = "FILE")]
    pub(crate) users: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) list: ListArgs,
    /// ndjson: `{"user": ..., "items": [{"id": ..., "score": ...}]}` a line, in the order asked.
    #[arg(long)]
    pub(crate) output: Option<Form>,
}

#[derive(Debug, Args)]
pub(crate) struct SearchArgs {
    /// What is searched for.
    #[arg(required_unless_present = "queries", conflicts_with = "queries")]
    pub(crate) query: Option<String>,
    /// A file with `{"id": ..., "text": ...}` a line; `-` is standard input. Implies `--output ndjson`.
    #[arg(long, value_name = "FILE")]
    pub(crate) queries: Option<PathBuf>,
    /// Lean towards this shopper's taste.
    #[arg(long)]
    pub(crate) user: Option<UserId>,
    #[command(flatten)]
    pub(crate) list: ListArgs,
    /// ndjson: `{"query": ..., "items": [{"id": ..., "score": ...}]}` a line, in the order asked.
    #[arg(long)]
    pub(crate) output: Option<Form>,
}

#[derive(Debug, Args)]
pub(crate) struct RelatedArgs {
    /// Item's id.
    pub(crate) item: ItemId,
    #[command(flatten)]
    pub(crate) list: ListArgs,
}

#[derive(Debug, Args)]
pub(crate) struct TrendingArgs {
    #[command(flatten)]
    pub(crate) list: ListArgs,
}

/// Sources named beside a score.
const PARTS: usize = 3;

/// An item as scripts that score lists want it.
#[derive(Debug, Serialize)]
pub(crate) struct Scored {
    id: String,
    score: f64,
}

/// The items of a list, without all that is for people.
pub(crate) fn scored(list: &ServedList) -> Vec<Scored> {
    list.items.iter().map(|item| Scored { id: item.id.as_str().to_owned(), score: item.score }).collect()
}

/// The search that the options ask for.
pub(crate) fn search_request(q: &str, args: &SearchArgs) -> SearchRequest {
    let list = args.list.query();
    SearchRequest {
        q: q.to_owned(),
        user: args.user.clone(),
        k: list.k,
        filter: list.filter,
        at: list.at,
        mode: list.mode,
        candidates: list.candidates,
        reasons: list.reasons,
        out_of_stock: list.out_of_stock,
        profiling: list.profiling,
        placement: list.placement,
        preview: Some(true),
    }
}

/// `mercer recommend USER`.
pub(crate) async fn recommend(args: &RecommendArgs, client: &Client, out: &mut Out) -> Done {
    let user = args.user.as_ref().map_or("", |user| user.as_str());
    let list = client.recommend(user, &args.list.query()).await?;
    match args.output {
        Some(Form::Ndjson) => out.record(&serde_json::json!({"user": user, "items": scored(&list)}))?,
        None => print(&list, &args.list, out)?,
    }
    Ok(0)
}

/// `mercer search QUERY`.
pub(crate) async fn search(args: &SearchArgs, client: &Client, out: &mut Out) -> Done {
    let query = args.query.as_deref().unwrap_or_default();
    let list = client.search(&search_request(query, args)).await?;
    match args.output {
        Some(Form::Ndjson) => out.record(&serde_json::json!({"query": query, "items": scored(&list)}))?,
        None => print(&list, &args.list, out)?,
    }
    Ok(0)
}

/// `mercer related ITEM`.
pub(crate) async fn related(args: &RelatedArgs, client: &Client, out: &mut Out) -> Done {
    let list = client.related(args.item.as_str(), &args.list.query()).await?;
    print(&list, &args.list, out)?;
    Ok(0)
}

/// `mercer trending`.
pub(crate) async fn trending(args: &TrendingArgs, client: &Client, out: &mut Out) -> Done {
    let list = client.trending(&args.list.query()).await?;
    print(&list, &args.list, out)?;
    Ok(0)
}

/// The strongest parts of a score, strongest first.
fn parts(item: &ListItem) -> String {
    let mut parts: Vec<_> = item.parts.iter().filter(|part| part.score != 0.0).collect();
    parts.sort_by(|a, b| b.score.abs().total_cmp(&a.score.abs()).then_with(|| a.source.cmp(&b.source)));
    let shown: Vec<_> =
        parts.iter().take(PARTS).map(|part| format!("{} {}", part.source, text::value(part.score))).collect();
    shown.join(" + ") + if parts.len() > PARTS { " + ..." } else { "" }
}

/// A price that may be missing.
fn price(price: Option<f64>) -> String {
    price.map_or_else(|| "-".to_owned(), text::money)
}

/// Prints a list, for people or as its document.
fn print(list: &ServedList, args: &ListArgs, out: &mut Out) -> Result<(), Stop> {
    if out.json {
        return out.document(list);
    }
    if list.items.is_empty() {
        out.line("no item found")?;
    } else {
        let mut table = Table::new().number("#").text("item").title("title").number("price").number("score");
        let calibrated = list.items.iter().any(|item| item.probability.is_some());
        if calibrated {
            table = table.number("probability");
        }
        // A ranker's scores have no parts.
        let with_parts = list.items.iter().any(|item| !item.parts.is_empty());
        if with_parts {
            table = table.text("made of");
        }
        for (rank, item) in list.items.iter().enumerate() {
            let mut row = vec![
                (rank + 1).to_string(),
                item.id.to_string(),
                item.title.clone(),
                price(item.price),
                text::value(item.score),
            ];
            if calibrated {
                row.push(item.probability.map_or_else(|| "-".to_owned(), text::percent));
            }
            if with_parts {
                row.push(parts(item));
            }
            table.row(row);
        }
        table.print(out)?;
    }
    if args.reasons {
        out.line("")?;
        out.heading("Why")?;
        for (rank, item) in list.items.iter().enumerate() {
            let title = text::clean(&item.title);
            if let Some(Moved { from, to, by }) = &item.moved {
                out.line(format!("{}  {title}: moved from rank {from} to {to} by {}", rank + 1, text::clean(by)))?;
            }
            for reason in &item.reasons {
                let category = reason.category.words();
                out.line(format!("{}  {title}: {category}: {}", rank + 1, text::clean(&reason.text)))?;
            }
            if let Some(none) = &item.unexplained {
                out.line(format!("{}  {title}: {}", rank + 1, text::clean(&none.text)))?;
            }
        }
        if let Some(scope) = &list.explanation {
            out.line(text::scope(scope))?;
        }
    }
    if let Some(bound) = list.understood.as_ref().and_then(|read| read.price) {
        out.line(format!("price read from the query: {} to {}", price(bound.min), price(bound.max)))?;
    }
    for note in &list.notes {
        out.line(format!("note: {}", text::clean(note)))?;
    }
    let as_of = list.at.map(|at| format!(", as of {}", text::moment(at))).unwrap_or_default();
    let took = list.took_us as f64 / 1000.0;
    out.line(format!("model {}{as_of}, query id {}, {took:.1} ms", list.model, list.query_id))
}
