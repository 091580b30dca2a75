//! Served lists: recommendations, searches, related items, what is popular.

use mercer_shared::client::Client;
use mercer_shared::wire::{ListItem, SearchRequest, ServedList};
use serde::Serialize;

use super::args::{Form, ListArgs, RecommendArgs, RelatedArgs, SearchArgs, TrendingArgs};
use super::out::{Done, Out, Stop};
use super::table::Table;
use super::text::{clean, figure, maybe, moment};

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
        parts.iter().take(PARTS).map(|part| format!("{} {}", part.source, figure(part.score))).collect();
    shown.join(" + ") + if parts.len() > PARTS { " + ..." } else { "" }
}

/// Prints a list, for people or as its document.
fn print(list: &ServedList, args: &ListArgs, out: &mut Out) -> Result<(), Stop> {
    if out.json {
        return out.document(list);
    }
    if list.items.is_empty() {
        out.line("nothing found")?;
    } else {
        let mut table = Table::new().number("#").text("item").title("title").number("price").number("score");
        let calibrated = list.items.iter().any(|item| item.probability.is_some());
        if calibrated {
            table = table.number("probability");
        }
        table = table.text("made of");
        for (rank, item) in list.items.iter().enumerate() {
            let mut row = vec![
                (rank + 1).to_string(),
                item.id.to_string(),
                item.title.clone(),
                item.price.map_or_else(|| "-".to_owned(), |price| format!("{price:.2}")),
                figure(item.score),
            ];
            if calibrated {
                row.push(item.probability.map_or_else(|| "-".to_owned(), |p| format!("{:.1} %", 100.0 * p)));
            }
            row.push(parts(item));
            table.row(row);
        }
        table.print(out)?;
    }
    if args.reasons {
        out.line("")?;
        out.heading("Why")?;
        for (rank, item) in list.items.iter().enumerate() {
            for reason in &item.reasons {
                out.line(format!("{}  {}: {}", rank + 1, clean(&item.title), clean(&reason.text)))?;
            }
        }
    }
    if let Some(bound) = list.understood.as_ref().and_then(|read| read.price) {
        out.line(format!("price read from the query: {} to {}", maybe(bound.min), maybe(bound.max)))?;
    }
    for note in &list.notes {
        out.line(format!("note: {}", clean(note)))?;
    }
    let as_of = list.at.map(|at| format!(", as of {}", moment(at))).unwrap_or_default();
    let took = list.took_us as f64 / 1000.0;
    out.line(format!("model {}{as_of}, query id {}, {took:.1} ms", list.model, list.query_id))
}
