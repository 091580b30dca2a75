//! `mercer eval`: a report that is read in a minute at 80 columns; `--json` and `--per-user` have everything.

use std::path::Path;

use mercer_shared::client::Client;
use mercer_shared::problem::{Code, Problem, exit};
use mercer_shared::wire::{DifferenceVerdict, EvaluatedSlice, Evaluation, EvaluationRequest, RunState};

use super::args::{EvalArgs, EvalCommand};
use super::out::{Done, Out, Stop};
use super::table::Table;
use super::text::{clean, count, cut, moment, word};
use super::{more, pages, train};

/// Columns of a name in the tables.
const NAME: usize = 16;
/// Slices whose paired differences are printed; `--json` has all.
const PAIRED: [&str; 3] = ["repeat-all", "new-all", "cold"];

/// Runs the command.
pub(crate) async fn run(args: EvalArgs, client: &Client, out: &mut Out) -> Done {
    let (id, per_user) = match args.command {
        Some(EvalCommand::List(paging)) => {
            let page = pages(paging.limit, async |cursor, limit| client.evaluations(cursor, limit).await).await?;
            if out.json {
                out.document(&page)?;
                return Ok(exit::OK);
            }
            let mut table =
                Table::new().text("run").text("made").text("model").text("cut-off").number("shoppers").title("verdict");
            for one in &page.items {
                table.row([
                    one.id.clone(),
                    moment(one.created),
                    one.model.clone(),
                    moment(one.at),
                    count(one.shoppers),
                    one.verdict.first().cloned().unwrap_or_default(),
                ]);
            }
            if table.is_empty() {
                out.line("no evaluation yet; make one: mercer eval")?;
            } else {
                table.print(out)?;
            }
            more(&page, out)?;
            return Ok(exit::OK);
        }
        Some(EvalCommand::Show { id, per_user }) => (id, per_user),
        Some(EvalCommand::Replay { id }) => return super::replays::show(&id, client, out).await,
        None if args.replay => return super::replays::run(&args, client, out).await,
        None => {
            let request = EvaluationRequest { at: args.at, k: Some(args.k), seed: args.seed };
            let run = client.evaluate(&request).await?;
            if args.detach {
                if out.json {
                    out.document(&run)?;
                } else {
                    out.line(format!("{} is {}; read it: mercer eval show {}", run.id, word(&run.state), run.id))?;
                }
                return Ok(exit::OK);
            }
            let run = train::follow(run, client, out).await?;
            if run.state != RunState::Succeeded {
                return train::finish(&run, out);
            }
            (run.id, args.per_user)
        }
    };
    let evaluation = client.evaluation(&id).await?;
    if let Some(file) = &per_user {
        save(&id, file, client).await?;
    }
    if out.json {
        out.document(&evaluation)?;
    } else {
        print(&evaluation, out)?;
        if let Some(file) = &per_user {
            out.line(format!("values per shopper: {}", clean(&file.display().to_string())))?;
        }
    }
    Ok(exit::OK)
}

async fn save(id: &str, file: &Path, client: &Client) -> Result<(), Problem> {
    let bytes = client.evaluation_shoppers(id).await?;
    tokio::fs::write(file, &bytes)
        .await
        .map_err(|error| Problem::new(Code::BadFile, format!("{}: {error}", file.display())))
}

/// `.4030`, or nothing.
fn short(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.4}").replacen("0.", ".", 1))
}

/// `+.041 [+.030,+.052]`.
fn difference(slice: Option<&EvaluatedSlice>, arm: &str) -> String {
    let found = slice.and_then(|slice| slice.against.iter().find(|other| other.arm == arm));
    let signed = |value: f64| format!("{value:+.3}").replacen("0.", ".", 1);
    found.map_or_else(
        || "-".to_owned(),
        |d| {
            let mark = match d.verdict {
                DifferenceVerdict::Better => "",
                DifferenceVerdict::Worse => "!",
                DifferenceVerdict::NoDifferenceShown => "~",
                DifferenceVerdict::Insufficient => "?",
            };
            format!("{mark}{} [{},{}]", signed(d.difference), signed(d.low), signed(d.high))
        },
    )
}

/// Text in lines of at most 80 columns, the later ones indented.
pub(crate) fn wrapped(text: &str, out: &mut Out) -> Result<(), Stop> {
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > 80 {
            out.line(&line)?;
            "  ".clone_into(&mut line);
        }
        if !line.is_empty() && line != "  " {
            line.push(' ');
        }
        line.push_str(word);
    }
    out.line(&line)
}

/// Prints an evaluation for people.
fn print(evaluation: &Evaluation, out: &mut Out) -> Result<(), Stop> {
    let e = evaluation;
    out.heading(&format!("Evaluation {}: {} and what a shop could pick instead", e.id, e.model))?;
    wrapped(
        &format!(
            "what {} shoppers took from {} to {}; lists of {} as of the beginning, every item ranked",
            count(e.shoppers),
            moment(e.at),
            moment(e.to),
            e.k
        ),
        out,
    )?;
    out.line("")?;
    out.heading(&format!(
        "{:NAME$} {:>15} {:>15} {:>7} {:>16}",
        format!("NDCG@{}", e.k),
        "repeat",
        "new",
        "cold",
        "repeat by shopper"
    ))?;
    let names = ["all", "warm", "all", "warm", "", "light", "heavy"];
    let heads: Vec<String> = names.iter().map(|name| format!("{name:>7}")).collect();
    out.heading(&format!("{:NAME$} {}", "", heads.join(" ")))?;
    let headline = |slice: &EvaluatedSlice, arm: &str| {
        let values = slice.arms.iter().find(|values| values.arm == arm);
        values.and_then(|values| values.values.first()).and_then(|measured| measured.value)
    };
    for arm in &e.arms {
        let cells: Vec<String> =
            e.slices.iter().map(|slice| format!("{:>7}", short(headline(slice, &arm.name)))).collect();
        out.line(format!("{:NAME$} {}", cut(&clean(&arm.name), NAME), cells.join(" ")))?;
    }
    let shoppers: Vec<String> = e.slices.iter().map(|slice| format!("{:>7}", count(slice.n))).collect();
    out.line(format!("{:NAME$} {}", "shoppers", shoppers.join(" ")))?;
    out.line("")?;
    out.heading(&format!("Mercer less each, paired, 95 % ({})", "~ none shown, ! worse, ? too few"))?;
    let heads: Vec<String> = PAIRED.iter().map(|name| format!("{name:>20}")).collect();
    out.heading(&format!("{:NAME$} {}", "", heads.join(" ")))?;
    for arm in e.arms.iter().skip(1) {
        let cells: Vec<String> = PAIRED
            .iter()
            .map(|name| difference(e.slices.iter().find(|slice| slice.name == *name), &arm.name))
            .map(|cell| format!("{cell:>20}"))
            .collect();
        out.line(format!("{:NAME$} {}", cut(&clean(&arm.name), NAME), cells.join(" ")))?;
    }
    out.line("")?;
    out.heading("Verdict")?;
    e.verdict.iter().try_for_each(|line| wrapped(&clean(line), out))?;
    out.line("")?;
    out.heading("Settings")?;
    let chosen = e
        .tuned_from
        .map(|from| format!("chosen on {} to {}, the window before the cut-off", moment(from), moment(e.at)));
    wrapped(&chosen.unwrap_or_else(|| "not chosen: no window before the cut-off".to_owned()), out)?;
    for arm in &e.arms {
        let mut said: Vec<String> = arm.settings.iter().map(|(mode, setting)| format!("{mode}: {setting}")).collect();
        if said.len() == 2 && arm.settings.get("repeat") == arm.settings.get("new") {
            said = arm.settings.get("new").cloned().into_iter().collect();
        }
        let tried = if arm.tried > 1 { format!(" (of {})", arm.tried) } else { String::new() };
        wrapped(&clean(&format!("{}: {}{tried}", arm.name, said.join("; "))), out)?;
    }
    let border = format!("light: bought on at most {} days before; heavy: on more", e.light_baskets);
    wrapped(&border, out)?;
    e.notes.iter().try_for_each(|note| wrapped(&clean(&format!("note: {note}")), out))
}
