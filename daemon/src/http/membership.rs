//! Membership tests of versions. Starting one needs an operator and is audited.

use axum::Json;
use axum::extract::{Request, State};
use mercer_shared::problem::Problem;
use mercer_shared::wire::{MembershipRequest, MembershipTest, Run};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::evaluation::membership;
use crate::http::extract::{PathId, read_optional};
use crate::http::peer::Operator;
use crate::http::problem::{HttpResult, blocking};
use crate::http::state::HttpState;
use crate::jobs;

/// Routes of membership tests.
pub(super) fn routes() -> OpenApiRouter<HttpState> {
    OpenApiRouter::default().routes(routes!(start_membership)).routes(routes!(membership_test))
}

/// Asks for a membership test of a version. It is a run and is followed as one.
#[utoipa::path(post, path = "/v1/membership-tests", tag = "evaluations", request_body = MembershipRequest,
    responses((status = 200, body = Run), (status = "default", body = Problem)))]
async fn start_membership(
    State(state): State<HttpState>,
    Operator(peer): Operator,
    request: Request,
) -> HttpResult<Json<Run>> {
    let request: MembershipRequest = read_optional(request, &state).await?;
    blocking(move || {
        let run = jobs::start_membership(&state.app, &request)?;
        state.app.audit(Some(peer), "test-membership", &run.id, serde_json::to_string(&request).unwrap_or_default());
        Ok(run)
    })
    .await
    .map(Json)
}

/// A membership test with its numbers, by the id of its run.
#[utoipa::path(get, path = "/v1/membership-tests/{id}", tag = "evaluations", params(("id" = String, Path, description = "the run that made it")),
    responses((status = 200, body = MembershipTest), (status = "default", body = Problem)))]
async fn membership_test(State(state): State<HttpState>, PathId(id): PathId) -> HttpResult<Json<MembershipTest>> {
    blocking(move || membership::show(&state.app, &id)).await.map(Json)
}
