//! One method per resource of the wire.

use hyper::Method;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use serde_json::Value;

use super::{Body, Client, LineStream};
use crate::problem::{Code, Problem};
use crate::time::Timestamp;
use crate::wire::{
    AddEncoder, AuditEntry, AuditVerification, BatchLine, ConsentChoice, ConsentReport, Decision, DeletedItem,
    EncoderInfo, EraseReceipt, Evaluation, EvaluationRequest, EvaluationSummary, Event, ExplanationFidelity,
    ExportLine, FidelityRequest, ForgetReport, ImportEvent, ImportQuery, Interaction, Item, ItemPatch, ListQuery,
    MembershipRequest, MembershipTest, ModelVersion, Page, PresetInfo, Profile, Replay, ReplayRequest, Run,
    SearchRequest, ServedList, SessionRequest, SimilarUsers, Status, SweepRequest, TrainRequest, User,
};

/// What may stand in a path segment as it is (RFC 3986 unreserved).
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

pub(super) fn segment(id: &str) -> String {
    utf8_percent_encode(id, SEGMENT).to_string()
}

pub(super) fn with_query(path: &str, query: &impl Serialize) -> Result<String, Problem> {
    let query =
        serde_urlencoded::to_string(query).map_err(|error| Problem::new(Code::BadParameter, error.to_string()))?;
    Ok(if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") })
}

#[derive(Serialize)]
struct PageQuery<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<u32>,
    /// Prefix of the id or words of the title.
    #[serde(skip_serializing_if = "Option::is_none")]
    q: Option<&'a str>,
}

pub(super) type Answer<T> = Result<T, Problem>;

/// Every method fails with the daemon's problem document, or with `not-running`.
#[allow(clippy::missing_errors_doc, reason = "said once, above")]
impl Client {
    /// `GET /v1/status`.
    pub async fn status(&self) -> Answer<Status> {
        self.get("/v1/status").await
    }

    /// `GET /v1/items`, a page; `q` is a prefix of the id or of the title.
    pub async fn items(&self, q: Option<&str>, cursor: Option<&str>, limit: Option<u32>) -> Answer<Page<Item>> {
        self.get(&with_query("/v1/items", &PageQuery { cursor, limit, q })?).await
    }

    /// `GET /v1/items/{id}`.
    pub async fn item(&self, id: &str) -> Answer<Item> {
        self.get(&format!("/v1/items/{}", segment(id))).await
    }

    /// `PUT /v1/items/{id}`: writes the whole item.
    pub async fn put_item(&self, item: &Item) -> Answer<Item> {
        self.call(Method::PUT, &format!("/v1/items/{}", segment(item.id.as_str())), Body::json(item)?).await
    }

    /// `PATCH /v1/items/{id}`.
    pub async fn patch_item(&self, id: &str, patch: &ItemPatch) -> Answer<Item> {
        self.call(Method::PATCH, &format!("/v1/items/{}", segment(id)), Body::json(patch)?).await
    }

    /// `DELETE /v1/items/{id}`.
    pub async fn delete_item(&self, id: &str) -> Answer<DeletedItem> {
        self.call(Method::DELETE, &format!("/v1/items/{}", segment(id)), Body::Empty).await
    }

    /// `POST /v1/{collection}` with NDJSON (`items`, `users` or `interactions`), answered line by line.
    pub async fn batch(&self, collection: &str, ndjson: Vec<u8>) -> Answer<LineStream<BatchLine>> {
        self.lines(Method::POST, &format!("/v1/{collection}"), Body::Ndjson(ndjson.into())).await
    }

    /// `POST /v1/interactions` with one document.
    pub async fn interact(&self, interaction: &Interaction) -> Answer<BatchLine> {
        self.post("/v1/interactions", interaction).await
    }

    /// `GET /v1/users`, a page; `q` is a prefix of the id.
    pub async fn users(&self, q: Option<&str>, cursor: Option<&str>, limit: Option<u32>) -> Answer<Page<User>> {
        self.get(&with_query("/v1/users", &PageQuery { cursor, limit, q })?).await
    }

    /// `GET /v1/users/{id}`.
    pub async fn user(&self, id: &str) -> Answer<User> {
        self.get(&format!("/v1/users/{}", segment(id))).await
    }

    /// `PUT /v1/users/{id}`.
    pub async fn put_user(&self, user: &User) -> Answer<User> {
        self.call(Method::PUT, &format!("/v1/users/{}", segment(user.id.as_str())), Body::json(user)?).await
    }

    /// `GET /v1/users/{id}/consent`.
    pub async fn consent(&self, id: &str) -> Answer<ConsentReport> {
        self.get(&format!("/v1/users/{}/consent", segment(id))).await
    }

    /// `GET /v1/users/{id}/export`: JSON, or one page of HTML.
    pub async fn export_user(&self, id: &str, html: bool) -> Answer<bytes::Bytes> {
        let form = if html { "html" } else { "json" };
        self.call_text(Method::GET, &format!("/v1/users/{}/export?format={form}", segment(id)), Body::Empty).await
    }

    /// `DELETE /v1/users/{id}/interests/{kind}/{value}`.
    pub async fn forget_interest(&self, id: &str, kind: &str, value: &str) -> Answer<ForgetReport> {
        let path = format!("/v1/users/{}/interests/{}/{}", segment(id), segment(kind), segment(value));
        self.call(Method::DELETE, &path, Body::Empty).await
    }

    /// `PATCH /v1/users/{id}/consent`: the scopes that are named.
    pub async fn change_consent(&self, id: &str, choice: &ConsentChoice) -> Answer<ConsentReport> {
        self.call(Method::PATCH, &format!("/v1/users/{}/consent", segment(id)), Body::json(choice)?).await
    }

    /// `GET /v1/users/{id}/profile`.
    pub async fn profile(&self, id: &str, at: Option<Timestamp>) -> Answer<Profile> {
        let query = ListQuery { at, ..ListQuery::default() };
        self.get(&with_query(&format!("/v1/users/{}/profile", segment(id)), &query)?).await
    }

    /// `GET /v1/users/{id}/recommendations`.
    pub async fn recommend(&self, id: &str, query: &ListQuery) -> Answer<ServedList> {
        self.get(&with_query(&format!("/v1/users/{}/recommendations", segment(id)), query)?).await
    }

    /// `GET /v1/users/{id}/similar`.
    pub async fn similar(&self, id: &str) -> Answer<SimilarUsers> {
        self.get(&format!("/v1/users/{}/similar", segment(id))).await
    }

    /// `DELETE /v1/users/{id}`.
    pub async fn erase(&self, id: &str) -> Answer<EraseReceipt> {
        self.call(Method::DELETE, &format!("/v1/users/{}", segment(id)), Body::Empty).await
    }

    /// `GET /v1/search`.
    pub async fn search(&self, request: &SearchRequest) -> Answer<ServedList> {
        self.get(&with_query("/v1/search", request)?).await
    }

    /// `GET /v1/items/{id}/related`.
    pub async fn related(&self, id: &str, query: &ListQuery) -> Answer<ServedList> {
        self.get(&with_query(&format!("/v1/items/{}/related", segment(id)), query)?).await
    }

    /// `GET /v1/trending`.
    pub async fn trending(&self, query: &ListQuery) -> Answer<ServedList> {
        self.get(&with_query("/v1/trending", query)?).await
    }

    /// `POST /v1/sessions/recommend`.
    pub async fn session(&self, request: &SessionRequest) -> Answer<ServedList> {
        self.post("/v1/sessions/recommend", request).await
    }

    /// `POST /v1/imports`: sends a file; progress and the report come line by line.
    pub async fn import(&self, query: &ImportQuery, file: Body) -> Answer<LineStream<ImportEvent>> {
        self.lines(Method::POST, &with_query("/v1/imports", query)?, file).await
    }

    /// `GET /v1/presets`.
    pub async fn presets(&self) -> Answer<Vec<PresetInfo>> {
        self.get("/v1/presets").await
    }

    /// `GET /v1/export`: the whole state.
    pub async fn export(&self) -> Answer<LineStream<ExportLine>> {
        self.lines(Method::GET, "/v1/export", Body::Empty).await
    }

    /// `POST /v1/runs`: asks for a training run.
    pub async fn train(&self, request: &TrainRequest) -> Answer<Run> {
        self.post("/v1/runs", request).await
    }

    /// `GET /v1/runs`, newest first.
    pub async fn runs(&self, cursor: Option<&str>, limit: Option<u32>) -> Answer<Page<Run>> {
        self.get(&with_query("/v1/runs", &PageQuery { cursor, limit, q: None })?).await
    }

    /// `GET /v1/runs/{id}`.
    pub async fn run(&self, id: &str) -> Answer<Run> {
        self.get(&format!("/v1/runs/{}", segment(id))).await
    }

    /// `POST /v1/runs/{id}/cancel`.
    pub async fn cancel(&self, id: &str) -> Answer<Run> {
        self.call(Method::POST, &format!("/v1/runs/{}/cancel", segment(id)), Body::Empty).await
    }

    /// `POST /v1/evaluations`: asks for an evaluation.
    pub async fn evaluate(&self, request: &EvaluationRequest) -> Answer<Run> {
        self.post("/v1/evaluations", request).await
    }

    /// `GET /v1/evaluations`, newest first.
    pub async fn evaluations(&self, cursor: Option<&str>, limit: Option<u32>) -> Answer<Page<EvaluationSummary>> {
        self.get(&with_query("/v1/evaluations", &PageQuery { cursor, limit, q: None })?).await
    }

    /// `GET /v1/evaluations/{id}`.
    pub async fn evaluation(&self, id: &str) -> Answer<Evaluation> {
        self.get(&format!("/v1/evaluations/{}", segment(id))).await
    }

    /// `GET /v1/evaluations/{id}/shoppers`: the values of each shopper, as Parquet.
    pub async fn evaluation_shoppers(&self, id: &str) -> Answer<bytes::Bytes> {
        self.call_text(Method::GET, &format!("/v1/evaluations/{}/shoppers", segment(id)), Body::Empty).await
    }

    /// `POST /v1/membership-tests`: asks for a membership test.
    pub async fn start_membership(&self, request: &MembershipRequest) -> Answer<Run> {
        self.post("/v1/membership-tests", request).await
    }

    /// `GET /v1/membership-tests/{id}`.
    pub async fn membership_test(&self, id: &str) -> Answer<MembershipTest> {
        self.get(&format!("/v1/membership-tests/{}", segment(id))).await
    }

    /// `POST /v1/replays`: asks for a replay.
    pub async fn start_replay(&self, request: &ReplayRequest) -> Answer<Run> {
        self.post("/v1/replays", request).await
    }

    /// `GET /v1/replays/{id}`.
    pub async fn replay(&self, id: &str) -> Answer<Replay> {
        self.get(&format!("/v1/replays/{}", segment(id))).await
    }

    /// `POST /v1/sweeps`: asks for a search over settings.
    pub async fn sweep(&self, request: &SweepRequest) -> Answer<Run> {
        self.post("/v1/sweeps", request).await
    }

    /// `GET /v1/models`, newest first.
    pub async fn models(&self) -> Answer<Page<ModelVersion>> {
        self.get("/v1/models").await
    }

    /// `GET /v1/models/{version}`.
    pub async fn model(&self, version: &str) -> Answer<ModelVersion> {
        self.get(&format!("/v1/models/{}", segment(version))).await
    }

    /// `POST /v1/models/{version}/promote`.
    pub async fn promote(&self, version: &str) -> Answer<ModelVersion> {
        self.call(Method::POST, &format!("/v1/models/{}/promote", segment(version)), Body::Empty).await
    }

    /// `POST /v1/models/rollback`: back to the version that served before.
    pub async fn rollback(&self) -> Answer<ModelVersion> {
        self.call(Method::POST, "/v1/models/rollback", Body::Empty).await
    }

    /// `POST /v1/models/{version}/pin` or `/unpin`.
    pub async fn pin(&self, version: &str, pinned: bool) -> Answer<ModelVersion> {
        let verb = if pinned { "pin" } else { "unpin" };
        self.call(Method::POST, &format!("/v1/models/{}/{verb}", segment(version)), Body::Empty).await
    }

    /// `GET /v1/decisions`, newest first.
    pub async fn decisions(&self, cursor: Option<&str>, limit: Option<u32>) -> Answer<Page<Decision>> {
        self.get(&with_query("/v1/decisions", &PageQuery { cursor, limit, q: None })?).await
    }

    /// `GET /v1/audit`, newest first.
    pub async fn audit(&self, cursor: Option<&str>, limit: Option<u32>) -> Answer<Page<AuditEntry>> {
        self.get(&with_query("/v1/audit", &PageQuery { cursor, limit, q: None })?).await
    }

    /// `GET /v1/audit/verify`: checks the hash chain; `head` is one that an earlier check returned.
    pub async fn verify_audit(&self, head: Option<&str>) -> Answer<AuditVerification> {
        #[derive(Serialize)]
        struct Query<'a> {
            #[serde(skip_serializing_if = "Option::is_none")]
            head: Option<&'a str>,
        }
        self.get(&with_query("/v1/audit/verify", &Query { head })?).await
    }

    /// `GET /v1/users/{id}?reveal=true`: the shopper behind a pseudonym; audited.
    pub async fn reveal(&self, pseudonym: &str) -> Answer<User> {
        self.get(&format!("/v1/users/{}?reveal=true", segment(pseudonym))).await
    }

    /// `GET /v1/explanations/fidelity`: replays the reasons of a sample of lists.
    pub async fn explanation_fidelity(&self, request: &FidelityRequest) -> Answer<ExplanationFidelity> {
        self.get(&with_query("/v1/explanations/fidelity", request)?).await
    }

    /// `GET /v1/events`: the live stream.
    pub async fn events(&self) -> Answer<LineStream<Event>> {
        self.lines(Method::GET, "/v1/events", Body::Empty).await
    }

    /// `GET /v1/encoders`.
    pub async fn encoders(&self) -> Answer<Vec<EncoderInfo>> {
        self.get("/v1/encoders").await
    }

    /// `POST /v1/encoders`.
    pub async fn add_encoder(&self, request: &AddEncoder) -> Answer<EncoderInfo> {
        self.post("/v1/encoders", request).await
    }

    /// `GET /v1/config`: the configuration in force.
    pub async fn config(&self) -> Answer<Value> {
        self.get("/v1/config").await
    }
}
