//! Interactions, written one by one or as NDJSON.

use axum::extract::State;
use axum::response::Response;
use mercer_shared::problem::Problem;
use mercer_shared::wire::{BatchLine, Interaction, LineStatus};
use mercer_store::Appended;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::batch::{BatchParams, BatchRequest, Single, statuses};
use crate::http::problem::HttpResult;
use crate::http::state::HttpState;
use crate::ingest::consent::api_origin;
use crate::ingest::write;
use crate::state::app::App;

impl Single for Interaction {
    fn audited(&self, _: &App) -> Option<String> {
        None
    }
}

/// Routes of interactions.
pub(super) fn routes() -> OpenApiRouter<HttpState> {
    OpenApiRouter::default().routes(routes!(interactions))
}

/// Takes in interactions, one document or NDJSON. Accepted lines are durable.
#[utoipa::path(post, path = "/v1/interactions", tag = "interactions", params(BatchParams), request_body(content = Interaction, description = "one document, or NDJSON as application/x-ndjson"),
    responses((status = 200, body = BatchLine, description = "NDJSON: a line for each line, a summary last"), (status = "default", body = Problem)))]
async fn interactions(State(state): State<HttpState>, batch: BatchRequest) -> HttpResult<Response> {
    batch
        .write(state.app, "interactions", |app, peer, lines: Vec<Interaction>| {
            statuses(write::interactions(app, lines, &api_origin(Some(peer))), |outcome| match outcome {
                Appended::Accepted(_) => LineStatus::Accepted,
                Appended::Duplicate(_) => LineStatus::Duplicate,
            })
        })
        .await
}
