//! The numbers of the status in Prometheus' text format (exposition format 0.0.4).

use std::fmt::{Display, Write};

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use mercer_shared::problem::Problem;
use mercer_shared::wire::{Health, Status};

use crate::http::Shared;
use crate::http::problem::{Reply, blocking};
use crate::serving::status;

/// The numbers of the status for Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "daemon",
    responses((status = 200, body = String, content_type = "text/plain"), (status = "default", body = Problem)))]
pub(crate) async fn metrics(State(shared): State<Shared>) -> Reply<Response> {
    let status = blocking(move || Ok(status::status(&shared.app))).await?;
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text(&status)).into_response())
}

struct Text(String);

impl Text {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing into a string cannot fail.
        let _ = write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    fn one(&mut self, name: &str, kind: &str, help: &str, value: impl Display) {
        self.family(name, kind, help);
        let _ = writeln!(self.0, "{name} {value}");
    }
}

/// A label's value as the format wants it.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn text(status: &Status) -> String {
    let mut out = Text(String::new());
    out.family("mercer_info", "gauge", "Program and model that answer; always 1.");
    let _ = writeln!(
        out.0,
        "mercer_info{{version=\"{}\",model=\"{}\",encoder=\"{}\",device=\"{}\"}} 1",
        escaped(&status.version),
        escaped(&status.model.version),
        escaped(&status.model.encoder),
        escaped(&status.device)
    );
    let started = status.started.millis() as f64 / 1e3;
    out.one("mercer_start_time_seconds", "gauge", "When the daemon started, seconds of Unix time.", started);
    let health = match status.health {
        Health::Ok => 0,
        Health::Degraded => 1,
        Health::ReadOnly => 2,
        Health::Starting => 3,
    };
    out.one("mercer_health", "gauge", "0 ok, 1 degraded, 2 read-only, 3 starting.", health);
    out.one("mercer_alarms", "gauge", "Alarms that stand.", status.alarms.len());
    let counts = &status.counts;
    out.one("mercer_items", "gauge", "Items.", counts.items);
    out.one("mercer_items_embedded", "gauge", "Items whose vector is ready.", counts.embedded);
    out.one("mercer_users", "gauge", "Users.", counts.users);
    out.one("mercer_interactions", "gauge", "Interactions kept.", counts.interactions);
    let help = "Interactions since the serving model's data.";
    out.one("mercer_interactions_new", "gauge", help, counts.new_interactions);
    let traffic = &status.traffic;
    out.one("mercer_requests_total", "counter", "Requests answered.", traffic.requests);
    out.one(
        "mercer_request_failures_total",
        "counter",
        "Requests that failed by the daemon's fault.",
        traffic.failures,
    );
    out.one("mercer_requests_overloaded_total", "counter", "Requests refused because of load.", traffic.overloaded);
    out.one("mercer_lists_total", "counter", "Lists served.", traffic.lists);
    out.one("mercer_lists_per_second", "gauge", "Lists a second over the last minute.", traffic.lists_per_second);
    let help = "Interactions taken a second over the last minute.";
    out.one("mercer_interactions_per_second", "gauge", help, traffic.interactions_per_second);
    out.family("mercer_list_latency_seconds", "gauge", "Latency of the last thousand lists by quantile.");
    let latency = &traffic.latency;
    for (quantile, ms) in [("0.5", latency.p50_ms), ("0.95", latency.p95_ms), ("0.99", latency.p99_ms)] {
        let _ = writeln!(out.0, "mercer_list_latency_seconds{{quantile=\"{quantile}\"}} {}", ms / 1e3);
    }
    out.one("mercer_queue_serving", "gauge", "Texts waiting to be embedded for requests.", status.queue.serving);
    out.one("mercer_queue_capacity", "gauge", "Room for such texts.", status.queue.capacity);
    out.one("mercer_queue_background", "gauge", "Items waiting to be embedded.", status.queue.background);
    let training = status.run.as_ref().is_some_and(|run| !run.state.is_final());
    out.one("mercer_training", "gauge", "Whether a training run is in progress.", u8::from(training));
    out.one("mercer_resident_memory_bytes", "gauge", "Resident memory.", status.memory_bytes);
    out.one("mercer_store_bytes", "gauge", "Store on disk.", status.store_bytes);
    out.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_escaped() {
        assert_eq!(escaped("a\"b\\c\nd"), r#"a\"b\\c\nd"#);
    }
}
