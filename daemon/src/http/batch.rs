//! Writes of single documents and NDJSON batches: an answer for every line, and no line half applied.

use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use mercer_shared::problem::{Code, Problem};
use mercer_shared::wire::{BatchLine, BatchSummary, Interaction, Item, LineResult, LineStatus, User};
use mercer_store::{Appended, Change};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use utoipa::IntoParams;

use crate::http::Shared;
use crate::http::extract::{Params, body, parse};
use crate::http::peer::Operator;
use crate::http::problem::{Refused, Reply, blocking};
use crate::ingest::write;
use crate::state::app::App;
use crate::state::problems::Answer;

/// Lines written at once.
const GROUP: usize = 2_000;

/// How a batch is answered.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct BatchParams {
    /// `errors` leaves out the lines that were accepted or known already.
    report: Option<String>,
}

impl BatchParams {
    fn errors_only(&self) -> Result<bool, Refused> {
        match self.report.as_deref() {
            None | Some("all") => Ok(false),
            Some("errors") => Ok(true),
            Some(other) => {
                Err(Refused(Problem::new(Code::BadParameter, format!("report is `{other}`, it takes all or errors"))))
            }
        }
    }
}

/// Writes items whole, one document or NDJSON.
#[utoipa::path(post, path = "/v1/items", tag = "catalogue", params(BatchParams), request_body(content = Item, description = "one document, or NDJSON as application/x-ndjson"),
    responses((status = 200, body = BatchLine, description = "NDJSON: a line for each line, a summary last"), (status = "default", body = Problem)))]
pub(crate) async fn items(
    shared: State<Shared>,
    peer: Operator,
    params: Params<BatchParams>,
    request: Request,
) -> Reply<Response> {
    write(shared, peer, params, request, "items", |app, lines: Vec<Item>| statuses(write::items(app, lines), of_change))
        .await
}

/// Writes users whole, one document or NDJSON.
#[utoipa::path(post, path = "/v1/users", tag = "users", params(BatchParams), request_body(content = User, description = "one document, or NDJSON as application/x-ndjson"),
    responses((status = 200, body = BatchLine, description = "NDJSON: a line for each line, a summary last"), (status = "default", body = Problem)))]
pub(crate) async fn users(
    shared: State<Shared>,
    peer: Operator,
    params: Params<BatchParams>,
    request: Request,
) -> Reply<Response> {
    write(shared, peer, params, request, "users", |app, lines: Vec<User>| statuses(write::users(app, lines), of_change))
        .await
}

/// Takes in interactions, one document or NDJSON. Accepted lines are durable.
#[utoipa::path(post, path = "/v1/interactions", tag = "interactions", params(BatchParams), request_body(content = Interaction, description = "one document, or NDJSON as application/x-ndjson"),
    responses((status = 200, body = BatchLine, description = "NDJSON: a line for each line, a summary last"), (status = "default", body = Problem)))]
pub(crate) async fn interactions(
    shared: State<Shared>,
    peer: Operator,
    params: Params<BatchParams>,
    request: Request,
) -> Reply<Response> {
    write(shared, peer, params, request, "interactions", |app, lines: Vec<Interaction>| {
        statuses(write::interactions(app, lines), |outcome| match outcome {
            Appended::Accepted(_) => LineStatus::Accepted,
            Appended::Duplicate(_) => LineStatus::Duplicate,
        })
    })
    .await
}

const fn of_change(change: Change) -> LineStatus {
    match change {
        Change::Same => LineStatus::Duplicate,
        Change::New | Change::Changed => LineStatus::Accepted,
    }
}

fn statuses<T>(answers: Vec<Answer<T>>, of: impl Fn(T) -> LineStatus) -> Vec<Answer<LineStatus>> {
    answers.into_iter().map(|answer| answer.map(&of)).collect()
}

async fn write<T: DeserializeOwned + Send + 'static>(
    State(shared): State<Shared>,
    Operator(peer): Operator,
    Params(params): Params<BatchParams>,
    request: Request,
    collection: &'static str,
    apply: impl Fn(&App, Vec<T>) -> Vec<Answer<LineStatus>> + Send + 'static,
) -> Reply<Response> {
    let errors_only = params.errors_only()?;
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or("").to_owned();
    let bytes = body(request, &shared).await?;
    if !kind.starts_with("application/x-ndjson") && !kind.starts_with("application/jsonl") {
        if bytes.trim_ascii_start().first() == Some(&b'[') {
            let detail = "the body is a list of documents; send it as application/x-ndjson";
            return Err(Refused(Problem::new(Code::WrongType, detail)));
        }
        let document: T = parse(&bytes)?;
        let status = blocking(move || {
            apply(&shared.app, vec![document])
                .pop()
                .unwrap_or_else(|| Err(Problem::new(Code::Internal, "the line got no answer")))
        })
        .await?;
        return Ok(Json(BatchLine::Line(LineResult { line: 1, status, code: None, detail: None })).into_response());
    }
    let out = blocking(move || {
        let (out, summary) = batch(&shared.app, &bytes, errors_only, &apply);
        let detail =
            format!("{} accepted, {} duplicates, {} rejected", summary.accepted, summary.duplicates, summary.rejected);
        shared.app.audit(Some(peer), "batch", collection, detail);
        Ok(out)
    })
    .await?;
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], Body::from(out)).into_response())
}

/// Applies a batch in groups: documents one a line, or the elements of a JSON list. The answer keeps their order and numbers
/// them by line, or by their place in the list.
fn batch<T: DeserializeOwned>(
    app: &App,
    bytes: &Bytes,
    errors_only: bool,
    apply: &impl Fn(&App, Vec<T>) -> Vec<Answer<LineStatus>>,
) -> (Vec<u8>, BatchSummary) {
    let mut out = Vec::new();
    let mut summary = BatchSummary::default();
    let mut answer = |line: u64, outcome: Answer<LineStatus>| {
        let (status, code, detail) = match outcome {
            Ok(status) => (status, None, None),
            Err(problem) => (LineStatus::Rejected, Some(problem.code), Some(problem.detail)),
        };
        match status {
            LineStatus::Accepted => summary.accepted += 1,
            LineStatus::Duplicate => summary.duplicates += 1,
            LineStatus::Rejected => summary.rejected += 1,
        }
        if status == LineStatus::Rejected || !errors_only {
            push(&mut out, &BatchLine::Line(LineResult { line, status, code, detail }));
        }
    };
    for group in mercer_import::split_body(bytes).chunks(GROUP) {
        let (mut good, mut outcomes) = (Vec::new(), Vec::with_capacity(group.len()));
        for document in group {
            let parsed = document.content.as_ref().map_err(Clone::clone);
            match parsed.and_then(|bytes| mercer_import::parse_line::<T>(bytes)) {
                Ok(parsed) => {
                    good.push(parsed);
                    outcomes.push((document.number, None));
                }
                Err(refusal) => outcomes.push((document.number, Some(Err(refusal.into())))),
            }
        }
        let mut applied = apply(app, good).into_iter();
        for (number, refused) in outcomes {
            let outcome = refused.or_else(|| applied.next());
            answer(number, outcome.unwrap_or_else(|| Err(Problem::new(Code::Internal, "the line got no answer"))));
        }
    }
    push(&mut out, &BatchLine::Summary { summary });
    (out, summary)
}

fn push(out: &mut Vec<u8>, line: &BatchLine) {
    // Wire types always have a JSON form.
    if serde_json::to_writer(&mut *out, line).is_ok() {
        out.push(b'\n');
    }
}
