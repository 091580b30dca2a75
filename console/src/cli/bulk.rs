//! Requests lists for many shoppers or queries: one line in, one line out, in order, with several requests at once.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::time::Duration;

use futures_util::stream::{self, Stream, StreamExt};
use mercer_shared::client::Client;
use mercer_shared::problem::{Code, Problem, exit};
use mercer_shared::wire::ServedList;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::mpsc;

use super::lists::{ListArgs, Scored, SearchArgs, scored, search_request};
use super::out::{Done, Out};
use crate::text;

/// Requests under way at once.
const IN_FLIGHT: usize = 8;
/// Longest line in bytes, the same as the daemon's.
const LINE: u64 = 1 << 20;
/// Most retries with an overloaded daemon, and the pause if the daemon names none.
const RETRIES: u32 = 30;
const PAUSE: u32 = 1;

/// One line of the answer.
#[derive(Debug, Serialize)]
struct Answer {
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    query: Option<Value>,
    items: Vec<Scored>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<Code>,
}

/// The answer to one line of a file.
#[derive(Debug)]
struct Answered {
    /// What the line named.
    name: String,
    answer: Answer,
    /// Why there is no list.
    problem: Option<Problem>,
}

/// A line of a file.
#[derive(Debug)]
struct NumberedLine {
    /// From 1.
    number: u64,
    text: String,
}

/// One line of a file of queries.
#[derive(Debug, Deserialize)]
struct Query {
    id: Value,
    text: String,
}

/// Reads the non-empty lines of a file or of standard input. A separate thread reads, because standard input may block.
fn lines(file: &Path) -> Result<impl Stream<Item = Result<NumberedLine, Problem>> + use<>, Problem> {
    let bad = |error: &dyn std::fmt::Display| Problem::new(Code::BadFile, format!("{}: {error}", file.display()));
    let mut reader: Box<dyn BufRead + Send> = if file == Path::new("-") {
        Box::new(BufReader::new(std::io::stdin()))
    } else {
        Box::new(BufReader::new(File::open(file).map_err(|error| bad(&error))?))
    };
    let name = file.display().to_string();
    let (sender, receiver) = mpsc::channel(IN_FLIGHT);
    std::thread::spawn(move || {
        for number in 1.. {
            let mut line = Vec::new();
            let read = reader.by_ref().take(LINE).read_until(b'\n', &mut line);
            let bad =
                |what: &dyn std::fmt::Display| Problem::new(Code::BadFile, format!("{name}: line {number}: {what}"));
            let line = match read {
                Ok(0) => return,
                Ok(read) if read as u64 == LINE && line.last() != Some(&b'\n') => {
                    Err(Problem::new(Code::LineTooLong, format!("{name}: line {number}")))
                }
                Ok(_) => String::from_utf8(line).map_err(|_| bad(&"is not UTF-8")),
                Err(error) => Err(bad(&error)),
            };
            let line = line.map(|line| line.trim_end_matches(['\n', '\r']).to_owned());
            let last = line.is_err();
            if line.as_ref().is_ok_and(|line| line.trim().is_empty()) {
                continue;
            }
            if sender.blocking_send(line.map(|text| NumberedLine { number, text })).is_err() || last {
                return;
            }
        }
    });
    Ok(stream::unfold(receiver, |mut receiver| async move { receiver.recv().await.map(|line| (line, receiver)) }))
}

/// Asks again while the daemon says that it has too much to do.
async fn patiently(mut ask: impl AsyncFnMut() -> Result<ServedList, Problem>) -> Result<ServedList, Problem> {
    let mut tries = 0;
    loop {
        match ask().await {
            Err(problem) if problem.code == Code::Overloaded && tries < RETRIES => {
                tries += 1;
                let pause = problem.retry_after.unwrap_or(PAUSE).max(1);
                tokio::time::sleep(Duration::from_secs(pause.into())).await;
            }
            answer => return answer,
        }
    }
}

/// Writes answers in order. A refused line is reported and the others continue; a missing daemon ends the command.
async fn print(answers: impl Stream<Item = Result<Answered, Problem>>, out: &mut Out) -> Done {
    let mut answers = std::pin::pin!(answers);
    let mut code = exit::OK;
    while let Some(answer) = answers.next().await {
        let Answered { name, answer, problem } = answer?;
        match problem {
            Some(problem) if matches!(problem.code, Code::NotRunning | Code::Forbidden) => return Err(problem.into()),
            Some(problem) => {
                code = exit::FAILED;
                out.say(format!("mercer: {}: {}: {}", text::clean(&name), problem.code, text::clean(&problem.detail)))?;
            }
            None => {}
        }
        out.record(&answer)?;
    }
    Ok(code)
}

/// `mercer recommend --users FILE`.
pub(crate) async fn recommend(file: &Path, args: &ListArgs, client: &Client, out: &mut Out) -> Done {
    let query = args.query();
    let answers = lines(file)?
        .map(|line| async {
            let user = line?.text;
            let list = patiently(async || client.recommend(&user, &query).await).await;
            let (items, problem) = split(list);
            let code = problem.as_ref().map(|problem| problem.code);
            Ok(Answered { name: user.clone(), answer: Answer { user: Some(user), query: None, items, code }, problem })
        })
        .buffered(IN_FLIGHT);
    print(answers, out).await
}

/// `mercer search --queries FILE`.
pub(crate) async fn search(file: &Path, args: &SearchArgs, client: &Client, out: &mut Out) -> Done {
    let answers = lines(file)?
        .map(|line| async {
            let NumberedLine { number, text } = line?;
            let query: Query = serde_json::from_str(&text).map_err(|error| {
                Problem::new(Code::BrokenJson, format!("{}: line {number}: {error}", file.display()))
            })?;
            let list = patiently(async || client.search(&search_request(&query.text, args)).await).await;
            let (items, problem) = split(list);
            let code = problem.as_ref().map(|problem| problem.code);
            let name = query.id.to_string();
            Ok(Answered { name, answer: Answer { user: None, query: Some(query.id), items, code }, problem })
        })
        .buffered(IN_FLIGHT);
    print(answers, out).await
}

fn split(list: Result<ServedList, Problem>) -> (Vec<Scored>, Option<Problem>) {
    match list {
        Ok(list) => (scored(&list), None),
        Err(problem) => (Vec::new(), Some(problem)),
    }
}
