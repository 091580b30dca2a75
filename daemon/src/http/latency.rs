//! Latency of requests as histograms by method and route.

use std::time::Duration;

use axum::extract::MatchedPath;
use axum::http::Method;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;

/// Upper bounds of the latency buckets in seconds: from a cached list to an upload.
const LATENCY_BUCKETS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0];

/// Labels of the latency histogram.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct RouteLabels {
    method: &'static str,
    route: String,
}

/// Latency of requests by method and route since the start. Clones share the counts.
#[derive(Debug, Clone)]
pub(super) struct RequestLatency(Family<RouteLabels, Histogram>);

impl Default for RequestLatency {
    fn default() -> Self {
        Self(Family::new_with_constructor(|| Histogram::new(LATENCY_BUCKETS)))
    }
}

impl RequestLatency {
    /// The histograms, as they are exported.
    pub(super) const fn family(&self) -> &Family<RouteLabels, Histogram> {
        &self.0
    }

    /// Counts a request; `route` is none where no route matched.
    pub(super) fn observe(&self, method: &Method, route: Option<&MatchedPath>, took: Duration) {
        // A client chooses method and path freely: only known ones become labels, or the series would grow without a bound.
        let method = match *method {
            Method::GET => "GET",
            Method::HEAD => "HEAD",
            Method::POST => "POST",
            Method::PUT => "PUT",
            Method::PATCH => "PATCH",
            Method::DELETE => "DELETE",
            _ => "other",
        };
        let route = route.map_or("unmatched", MatchedPath::as_str).to_owned();
        self.0.get_or_create(&RouteLabels { method, route }).observe(took.as_secs_f64());
    }
}
