//! `mercer status`: the daemon at a glance.

use mercer_shared::client::Client;
use mercer_shared::problem::exit;

use super::out::{Done, Out};
use super::table::facts;
use crate::text;

/// Runs the command.
pub(crate) async fn run(client: &Client, out: &mut Out) -> Done {
    let status = client.status().await?;
    if out.json {
        out.document(&status)?;
        return Ok(exit::OK);
    }
    let (counts, traffic) = (&status.counts, &status.traffic);
    let latency = traffic.latency;
    out.heading(&format!("mercerd {}: {}", status.version, text::word(&status.health)))?;
    let mut rows = vec![
        ("running for", format!("{} (pid {})", text::between(status.started, status.now), status.pid)),
        ("model", format!("{} since {}", status.model.version, text::moment(status.model.since))),
        ("encoder", format!("{}, {} components, on {}", status.model.encoder, status.model.dim, status.device)),
        ("items", format!("{} ({} embedded)", text::count(counts.items), text::count(counts.embedded))),
        ("users", text::count(counts.users)),
        (
            "interactions",
            format!(
                "{} ({} since the model was trained)",
                text::count(counts.interactions),
                text::count(counts.new_interactions)
            ),
        ),
        (
            "requests",
            format!(
                "{}, {}, {} failed, {} refused for load",
                text::count(traffic.requests),
                text::plural(traffic.lists, "list", "lists"),
                text::count(traffic.failures),
                text::count(traffic.overloaded)
            ),
        ),
        (
            "last minute",
            format!(
                "{} lists/s, {} interactions/s",
                text::rate(traffic.lists_per_second),
                text::rate(traffic.interactions_per_second)
            ),
        ),
        (
            "latency of lists",
            format!(
                "p50 {}, p95 {}, p99 {}",
                text::milliseconds(latency.p50_ms),
                text::milliseconds(latency.p95_ms),
                text::milliseconds(latency.p99_ms)
            ),
        ),
        (
            "queue",
            format!(
                "{} of {} for requests, {} to embed",
                text::count(status.queue.serving),
                text::count(status.queue.capacity),
                text::plural(status.queue.background, "item", "items")
            ),
        ),
        ("memory", text::bytes(status.memory_bytes)),
        ("store", format!("{}, schema {}, in {}", text::bytes(status.store_bytes), status.schema, status.state)),
    ];
    if let Some(run) = &status.run {
        let model = run.model.as_ref().map(|model| format!(", model {model}")).unwrap_or_default();
        rows.push(("training", format!("{} {}, {}{model}", run.id, text::word(&run.state), text::phase(&run.phase))));
    }
    if let Some(privacy) = &status.privacy {
        rows.push((
            "privacy",
            format!(
                "epsilon {} of {} spent at delta {} per {}, {}",
                text::value(privacy.epsilon),
                text::value(privacy.limit),
                privacy.delta,
                privacy.unit,
                text::plural(privacy.runs, "run", "runs")
            ),
        ));
    }
    facts(out, &rows)?;
    for alarm in &status.alarms {
        out.line(format!("ALARM {} since {}: {}", alarm.kind, text::moment(alarm.since), text::clean(&alarm.text)))?;
    }
    Ok(exit::OK)
}
