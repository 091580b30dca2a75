//! The state that handlers share.

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::http::latency::RequestLatency;
use crate::state::app::App;

/// Largest body of a request that is no import, in bytes.
pub(super) const MAX_BODY: usize = 64 << 20;

/// What handlers share.
#[derive(Clone)]
pub(super) struct HttpState {
    /// The daemon.
    pub app: Arc<App>,
    /// One permit for each request of the group `work` that may be in progress.
    pub permits: Arc<Semaphore>,
    /// Latency of requests.
    pub latency: RequestLatency,
    /// The OpenAPI document.
    pub document: &'static utoipa::openapi::OpenApi,
}
