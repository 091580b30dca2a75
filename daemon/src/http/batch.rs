//! Writes of single documents and NDJSON batches. Every line gets an answer, and no line is half applied.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use mercer_shared::problem::{Code, Problem};
use mercer_shared::wire::{BatchLine, BatchSummary, LineResult, LineStatus};
use mercer_store::Change;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use utoipa::IntoParams;

use crate::http::extract::{QueryParams, body, parse};
use crate::http::ndjson::response;
use crate::http::peer::Operator;
use crate::http::problem::{HttpResult, ProblemResponse, blocking};
use crate::http::state::HttpState;
use crate::state::app::{App, Peer};
use crate::state::problems::Answer;

/// Lines written at once.
const GROUP: usize = 2_000;

/// How a batch is answered.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(super) struct BatchParams {
    /// `errors` leaves out the lines that were accepted or known already.
    report: Option<String>,
}

impl BatchParams {
    fn errors_only(&self) -> HttpResult<bool> {
        match self.report.as_deref() {
            None | Some("all") => Ok(false),
            Some("errors") => Ok(true),
            Some(other) => {
                Err(Problem::new(Code::BadParameter, format!("report is `{other}`, it takes all or errors")).into())
            }
        }
    }
}

/// A write of one document or of NDJSON, by an operator.
pub(super) struct BatchRequest {
    peer: Peer,
    errors_only: bool,
    ndjson: bool,
    bytes: Bytes,
}

impl FromRequest<HttpState> for BatchRequest {
    type Rejection = ProblemResponse;

    async fn from_request(request: Request, state: &HttpState) -> Result<Self, ProblemResponse> {
        let (mut parts, content) = request.into_parts();
        let Operator(peer) = Operator::from_request_parts(&mut parts, state).await?;
        let QueryParams(params) = QueryParams::<BatchParams>::from_request_parts(&mut parts, state).await?;
        let errors_only = params.errors_only()?;
        let content_type = parts.headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or("");
        let ndjson = content_type.starts_with("application/x-ndjson") || content_type.starts_with("application/jsonl");
        let bytes = body(Request::from_parts(parts, content), state).await?;
        Ok(Self { peer, errors_only, ndjson, bytes })
    }
}

impl BatchRequest {
    /// Parses the documents, applies them and answers line by line. `apply` returns one answer a document, in order.
    pub(super) async fn write<T: DeserializeOwned + Single + Send + 'static>(
        self,
        app: Arc<App>,
        collection: &'static str,
        apply: impl Fn(&App, Peer, Vec<T>) -> Vec<Answer<LineStatus>> + Send + 'static,
    ) -> HttpResult<Response> {
        let Self { peer, errors_only, ndjson, bytes } = self;
        let apply = move |app: &App, lines: Vec<T>| apply(app, peer, lines);
        if !ndjson {
            if bytes.trim_ascii_start().first() == Some(&b'[') {
                let detail = "the body is a list of documents; send it as application/x-ndjson";
                return Err(Problem::new(Code::WrongType, detail).into());
            }
            let document: T = parse(&bytes)?;
            let status = blocking(move || {
                let target = document.audited(&app);
                let answer = apply(&app, vec![document]).pop();
                let status = answer.unwrap_or_else(|| Err(Problem::new(Code::Internal, "the line got no answer")))?;
                match target {
                    // What changed nothing is no change.
                    Some(_) if status == LineStatus::Duplicate => {}
                    Some(target) => app.audit(Some(peer), "write", &target, collection),
                    None => app.audit_frequent(peer, "write", collection, accepted_word(status)),
                }
                Ok(status)
            })
            .await?;
            return Ok(Json(BatchLine::Line(LineResult { line: 1, status, code: None, detail: None })).into_response());
        }
        let out = blocking(move || {
            let (out, summary) = apply_lines(&app, &bytes, errors_only, &apply);
            let BatchSummary { accepted, duplicates, rejected } = summary;
            let detail = format!("{accepted} accepted, {duplicates} duplicates, {rejected} rejected");
            app.audit(Some(peer), "batch", collection, detail);
            Ok(out)
        })
        .await?;
        Ok(response(Body::from(out)))
    }
}

/// A document that can be written alone.
pub(super) trait Single {
    /// How the audit log names it; `None` for what is written too often for an entry each.
    fn audited(&self, app: &App) -> Option<String>;
}

const fn accepted_word(status: LineStatus) -> &'static str {
    match status {
        LineStatus::Accepted => "accepted",
        LineStatus::Duplicate => "known before",
        LineStatus::Rejected => "rejected",
    }
}

/// The status of a line from what the store changed.
pub(super) const fn change_status(change: Change) -> LineStatus {
    match change {
        Change::Same => LineStatus::Duplicate,
        Change::New | Change::Changed => LineStatus::Accepted,
    }
}

/// Maps the answers of a service to the statuses of lines.
pub(super) fn statuses<T>(answers: Vec<Answer<T>>, status: impl Fn(T) -> LineStatus) -> Vec<Answer<LineStatus>> {
    answers.into_iter().map(|answer| answer.map(&status)).collect()
}

/// Applies a batch in groups: documents one a line, or the elements of a JSON list. The answer keeps their order and numbers
/// them by line, or by their place in the list.
fn apply_lines<T: DeserializeOwned>(
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
