//! Metrics in the text format of Prometheus (exposition format 0.0.4): the numbers of the status, read at each scrape, and the latency
//! of requests as histograms. [`METRICS`] is the list; the documentation is generated from it.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use mercer_shared::problem::{Code, Problem};
use mercer_shared::wire::{Health, Status};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric, prometheus_text};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::latency::RequestLatency;
use crate::http::problem::{HttpResult, blocking};
use crate::http::state::HttpState;
use crate::serving::status;

/// A metric as it is documented.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// Name of the family, as a query names it.
    pub name: &'static str,
    /// What it measures, in one sentence.
    pub help: &'static str,
    /// Its type and where its value comes from.
    source: Source,
}

/// The type of a metric and where its value comes from.
#[derive(Debug, Clone, Copy)]
enum Source {
    /// A gauge of whole numbers.
    Gauge(fn(&Status) -> u64),
    /// A gauge of any number.
    FloatGauge(fn(&Status) -> f64),
    /// A counter since the start of the daemon.
    Counter(fn(&Status) -> u64),
    /// A gauge that is always 1; its labels describe the daemon.
    Info,
    /// The latency histogram by method and route.
    Latency,
}

impl Metric {
    /// The type as Prometheus names it.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self.source {
            Source::Gauge(_) | Source::FloatGauge(_) | Source::Info => "gauge",
            Source::Counter(_) => "counter",
            Source::Latency => "histogram",
        }
    }
}

const fn gauge(name: &'static str, help: &'static str, value: fn(&Status) -> u64) -> Metric {
    Metric { name, help, source: Source::Gauge(value) }
}

const fn float_gauge(name: &'static str, help: &'static str, value: fn(&Status) -> f64) -> Metric {
    Metric { name, help, source: Source::FloatGauge(value) }
}

const fn counter(name: &'static str, help: &'static str, value: fn(&Status) -> u64) -> Metric {
    Metric { name, help, source: Source::Counter(value) }
}

/// Every metric that the daemon exposes.
pub const METRICS: &[Metric] = &[
    Metric {
        name: "mercer_info",
        help: "Version, model, encoder and device of the daemon, as labels; always 1.",
        source: Source::Info,
    },
    float_gauge("mercer_start_time_seconds", "Start of the daemon, seconds of Unix time.", |status| {
        status.started.millis() as f64 / 1e3
    }),
    gauge("mercer_health", "0 ok, 1 degraded, 2 read-only, 3 starting.", |status| match status.health {
        Health::Ok => 0,
        Health::Degraded => 1,
        Health::ReadOnly => 2,
        Health::Starting => 3,
    }),
    gauge("mercer_alarms", "Alarms that are raised.", |status| status.alarms.len() as u64),
    gauge("mercer_items", "Items in the catalogue.", |status| status.counts.items),
    gauge("mercer_items_embedded", "Items that have a vector.", |status| status.counts.embedded),
    gauge("mercer_users", "Users that are known.", |status| status.counts.users),
    gauge("mercer_interactions", "Interactions in the store.", |status| status.counts.interactions),
    gauge("mercer_interactions_new", "Interactions that the serving model has not seen.", |status| {
        status.counts.new_interactions
    }),
    gauge("mercer_interactions_unfitted", "Interactions since the last fit of the collaborative index.", |status| {
        status.upkeep.unfitted
    }),
    counter("mercer_index_fits_total", "Fits of the collaborative index to the whole log.", |status| {
        status.upkeep.index_fits
    }),
    counter("mercer_publications_total", "How often changes were made visible to readers.", |status| {
        status.upkeep.publications
    }),
    Metric {
        name: "mercer_request_duration_seconds",
        help: "Time until the response head, by method and route (the path of openapi.json, or `unmatched`).",
        source: Source::Latency,
    },
    counter("mercer_requests_total", "Requests answered.", |status| status.traffic.requests),
    counter("mercer_request_failures_total", "Requests that failed by the daemon's fault (5xx).", |status| {
        status.traffic.failures
    }),
    counter("mercer_requests_overloaded_total", "Requests refused because of load (429).", |status| {
        status.traffic.overloaded
    }),
    counter("mercer_lists_total", "Lists served.", |status| status.traffic.lists),
    float_gauge("mercer_lists_per_second", "Lists per second over the last minute.", |status| {
        status.traffic.lists_per_second
    }),
    float_gauge("mercer_interactions_per_second", "Interactions accepted per second over the last minute.", |status| {
        status.traffic.interactions_per_second
    }),
    gauge("mercer_queue_serving", "Texts of requests that wait for the encoder.", |status| status.queue.serving),
    gauge("mercer_queue_capacity", "Most texts that may wait in mercer_queue_serving.", |status| status.queue.capacity),
    gauge("mercer_queue_background", "Items that wait for the encoder.", |status| status.queue.background),
    gauge("mercer_training", "1 while a run is in progress, else 0.", |status| {
        u64::from(status.run.as_ref().is_some_and(|run| !run.state.is_final()))
    }),
    gauge("mercer_resident_memory_bytes", "Resident memory.", |status| status.memory_bytes),
    gauge("mercer_store_bytes", "Size of the store on disk.", |status| status.store_bytes),
];

/// Routes of the metrics.
pub(super) fn routes() -> OpenApiRouter<HttpState> {
    OpenApiRouter::default().routes(routes!(metrics))
}

/// The numbers of the status for Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "daemon",
    responses((status = 200, body = String, content_type = "text/plain"), (status = "default", body = Problem)))]
async fn metrics(State(state): State<HttpState>) -> HttpResult<Response> {
    let latency = state.latency.clone();
    let status = blocking(move || Ok(status::status(&state.app))).await?;
    let text = encode(status, latency).map_err(|error| Problem::new(Code::Internal, error.to_string()))?;
    Ok(([(header::CONTENT_TYPE, prometheus_text::CONTENT_TYPE)], text).into_response())
}

/// The metrics of one scrape as text.
fn encode(status: Status, latency: RequestLatency) -> Result<String, std::fmt::Error> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Scrape { status, latency }));
    let mut text = String::new();
    prometheus_text::encode(&mut text, &registry)?;
    Ok(text)
}

/// What one scrape reads.
#[derive(Debug)]
struct Scrape {
    status: Status,
    latency: RequestLatency,
}

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        for Metric { name, help, source } in METRICS {
            let mut write = |name: &str, metric: &dyn EncodeMetric| {
                metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)
            };
            match source {
                Source::Gauge(value) => write(name, &ConstGauge::new(value(&self.status)))?,
                Source::FloatGauge(value) => write(name, &ConstGauge::new(value(&self.status)))?,
                // The encoder appends `_total` to a counter and `_info` to an info.
                Source::Counter(value) => {
                    write(name.trim_end_matches("_total"), &ConstCounter::new(value(&self.status)))?;
                }
                Source::Info => write(name.trim_end_matches("_info"), &Info::new(InfoLabels::new(&self.status)))?,
                Source::Latency => write(name, self.latency.family())?,
            }
        }
        Ok(())
    }
}

/// Labels of `mercer_info`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct InfoLabels {
    version: String,
    model: String,
    encoder: String,
    device: String,
}

impl InfoLabels {
    fn new(status: &Status) -> Self {
        Self {
            version: status.version.clone(),
            model: status.model.version.clone(),
            encoder: status.model.encoder.clone(),
            device: status.device.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use axum::http::Method;

    use super::*;

    fn status() -> Status {
        serde_json::from_value(serde_json::json!({
            "version": "1", "pid": 1, "started": "2024-01-01T00:00:00Z", "now": "2024-01-01T00:00:00Z", "health": "degraded",
            "device": "a\"b\\c\nd", "state": "/s", "schema": 1,
            "model": {"version": "v000001", "since": "2024-01-01T00:00:00Z", "encoder": "e", "dim": 4},
            "counts": {"items": 7, "embedded": 6, "users": 5, "interactions": 4, "new_interactions": 3},
            "traffic": {"lists": 9, "requests": 11, "failures": 0, "overloaded": 2, "lists_per_second": 0.15,
                "interactions_per_second": 0.0, "latency": {"p50_ms": 0.0, "p95_ms": 0.0, "p99_ms": 0.0}},
            "queue": {"serving": 0, "capacity": 256, "background": 1}, "alarms": [], "memory_bytes": 4096, "store_bytes": 512
        }))
        .unwrap()
    }

    #[test]
    fn the_text_has_every_metric_of_the_list_with_its_type() {
        let latency = RequestLatency::default();
        latency.observe(&Method::GET, None, Duration::from_millis(3));
        let text = encode(status(), latency).unwrap();
        let types: BTreeSet<String> =
            text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).map(str::to_owned).collect();
        let listed: BTreeSet<String> =
            METRICS.iter().map(|metric| format!("{} {}", metric.name, metric.kind())).collect();
        assert_eq!(types, listed);
        for line in [
            "mercer_health 1",
            "mercer_items 7",
            "mercer_requests_total 11",
            "mercer_lists_per_second 0.15",
            r#"mercer_info{version="1",model="v000001",encoder="e",device="a\"b\\c\nd"} 1"#,
        ] {
            assert!(text.lines().any(|other| other == line), "`{line}` is missing:\n{text}");
        }
    }

    #[test]
    fn latency_is_counted_by_method_and_route_in_cumulative_buckets() {
        let latency = RequestLatency::default();
        for ms in [3, 3, 70] {
            latency.observe(&Method::from_bytes(b"BREW").unwrap(), None, Duration::from_millis(ms));
        }
        let text = encode(status(), latency).unwrap();
        let bucket = |bound: &str, count: u32| {
            let line = format!(
                r#"mercer_request_duration_seconds_bucket{{method="other",route="unmatched",le="{bound}"}} {count}"#
            );
            assert!(text.lines().any(|other| other == line), "`{line}` is missing:\n{text}");
        };
        bucket("0.0025", 0);
        bucket("0.005", 2);
        bucket("0.05", 2);
        bucket("0.1", 3);
        bucket("+Inf", 3);
    }
}
