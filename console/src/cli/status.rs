//! `mercer status`: the daemon at a glance.

use mercer_shared::client::Client;
use mercer_shared::problem::exit;

use super::out::{Done, Out};
use super::table::facts;
use super::text::{ago, bytes, clean, count, moment, word};

/// Runs the command.
pub(crate) async fn status(client: &Client, out: &mut Out) -> Done {
    let status = client.status().await?;
    if out.json {
        out.document(&status)?;
        return Ok(exit::OK);
    }
    let (counts, traffic) = (&status.counts, &status.traffic);
    let latency = traffic.latency;
    out.heading(&format!("mercerd {}: {}", status.version, word(&status.health)))?;
    let mut rows = vec![
        ("running for", format!("{} (pid {})", ago(status.started, status.now), status.pid)),
        ("model", format!("{} since {}", status.model.version, moment(status.model.since))),
        ("encoder", format!("{}, {} components, on {}", status.model.encoder, status.model.dim, status.device)),
        ("items", format!("{} ({} with vector)", count(counts.items), count(counts.embedded))),
        ("users", count(counts.users)),
        (
            "interactions",
            format!("{} ({} since the model)", count(counts.interactions), count(counts.new_interactions)),
        ),
        (
            "requests",
            format!(
                "{}, {} lists, {} failed, {} refused for load",
                count(traffic.requests),
                count(traffic.lists),
                count(traffic.failures),
                count(traffic.overloaded)
            ),
        ),
        (
            "last minute",
            format!("{:.2} lists/s, {:.2} interactions/s", traffic.lists_per_second, traffic.interactions_per_second),
        ),
        (
            "latency of lists",
            format!("p50 {:.1} ms, p95 {:.1} ms, p99 {:.1} ms", latency.p50_ms, latency.p95_ms, latency.p99_ms),
        ),
        (
            "queue",
            format!(
                "{} of {} for requests, {} items",
                count(status.queue.serving),
                count(status.queue.capacity),
                count(status.queue.background)
            ),
        ),
        ("memory", bytes(status.memory_bytes)),
        ("store", format!("{}, schema {}, in {}", bytes(status.store_bytes), status.schema, status.state)),
    ];
    if let Some(run) = &status.run {
        let model = run.model.as_ref().map(|model| format!(", model {model}")).unwrap_or_default();
        rows.push(("training", format!("{} {}, {}{model}", run.id, word(&run.state), word(&run.phase))));
    }
    facts(out, &rows)?;
    for alarm in &status.alarms {
        out.line(format!("ALARM {} since {}: {}", alarm.kind, moment(alarm.since), clean(&alarm.text)))?;
    }
    Ok(exit::OK)
}
