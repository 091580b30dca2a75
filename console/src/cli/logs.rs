//! Prints streams line by line: live events, the agent's decisions, the audit log, the export.

use mercer_shared::client::Client;
use mercer_shared::problem::exit;
use mercer_shared::wire::{Event, EventKind};

use super::out::{Done, Out};
use super::pages::{Paging, more, pages};
use super::table::Table;
use crate::text;

/// `mercer events`.
pub(crate) async fn events(client: &Client, out: &mut Out) -> Done {
    let mut events = client.events().await?;
    while let Some(event) = events.next().await {
        let event = event?;
        if out.json {
            out.record(&event)?;
        } else if let Some(text) = sentence(&event.kind) {
            out.line(format!("{}  {}", text::moment(event.at), text::clean(&text)))?;
        } else {
            continue;
        }
        out.flush()?;
        if matches!(event, Event { kind: EventKind::Stopping, .. }) {
            break;
        }
    }
    Ok(exit::OK)
}

/// An event in words; nothing for a heartbeat.
fn sentence(kind: &EventKind) -> Option<String> {
    Some(match kind {
        EventKind::Heartbeat => return None,
        EventKind::Lagged { missed } => {
            format!("lagged: {} left out", text::plural(*missed, "event was", "events were"))
        }
        EventKind::Interactions { accepted, total } => {
            format!("interactions: {} more, {} in all", text::count(*accepted), text::count(*total))
        }
        EventKind::Items { written, total } => {
            format!("items: {} written, {} in all", text::count(*written), text::count(*total))
        }
        EventKind::Erased { pseudonym } => format!("erased: a shopper, pseudonym {pseudonym}"),
        EventKind::Import(progress) => {
            format!(
                "import {}: {}, {}",
                progress.file,
                text::word(&progress.phase),
                text::plural(progress.lines, "line", "lines")
            )
        }
        EventKind::Imported(report) => format!(
            "imported {}: {}, {} accepted, {}",
            report.file,
            text::plural(report.lines, "line", "lines"),
            text::count(report.accepted),
            text::plural(report.duplicates, "duplicate", "duplicates")
        ),
        EventKind::Run(run) => {
            let loss = run.loss.map(|loss| format!(", loss {}", text::value(loss))).unwrap_or_default();
            format!(
                "run {}: {}, {}, step {} of {}{loss}",
                run.id,
                text::word(&run.state),
                text::phase(&run.phase),
                run.step,
                run.steps
            )
        }
        EventKind::Model(version) => format!("model {}: {}", version.version, text::model_state(version)),
        EventKind::Decision(decision) => {
            format!("decision {}: {} ({}): {}", decision.seq, decision.action, decision.rule, decision.saw)
        }
        EventKind::Alarm(alarm) => format!("alarm {}: {}", alarm.kind, alarm.text),
        EventKind::Stopping => "the daemon stops".to_owned(),
    })
}

/// `mercer decisions`.
pub(crate) async fn decisions(paging: Paging, client: &Client, out: &mut Out) -> Done {
    let page = pages(paging.limit, async |cursor, limit| client.decisions(cursor, limit).await).await?;
    if out.json {
        out.document(&page)?;
        return Ok(exit::OK);
    }
    let mut table = Table::new().number("#").text("when").text("rule").text("action").title("saw").text("outcome");
    for decision in &page.items {
        table.row([
            decision.seq.to_string(),
            text::moment(decision.at),
            decision.rule.clone(),
            decision.action.clone(),
            decision.saw.clone(),
            decision.outcome.clone().unwrap_or_else(|| "-".to_owned()),
        ]);
    }
    if table.is_empty() {
        out.line("no decision yet")?;
    } else {
        table.print(out)?;
    }
    more(&page, out)?;
    Ok(exit::OK)
}

/// `mercer export`.
pub(crate) async fn export(client: &Client, out: &mut Out) -> Done {
    let mut lines = client.export().await?;
    while let Some(line) = lines.next().await {
        out.record(&line?)?;
    }
    Ok(exit::OK)
}
