//! `mercer user consent`: what a shopper agreed to, with the ledger, and changes of single scopes.

use mercer_shared::client::Client;
use mercer_shared::ids::UserId;
use mercer_shared::problem::exit;
use mercer_shared::wire::{ConsentBasis, ConsentChange, ConsentChoice, ConsentRecord, ConsentReport, ConsentScope};

use super::out::{Done, Out, Stop};
use super::table::Table;
use crate::text;
use clap::{Args, ValueEnum};

/// A switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Switch {
    On,
    Off,
}

/// The scopes of consent; those without a switch stay as they are.
#[derive(Debug, Args)]
pub(crate) struct ScopeSwitches {
    /// History may shape this shopper's lists.
    #[arg(long, value_name = "on|off")]
    pub(crate) personalise: Option<Switch>,
    /// History may train models.
    #[arg(long, value_name = "on|off")]
    pub(crate) train: Option<Switch>,
    /// Declared attributes may be used in fairness reports.
    #[arg(long, value_name = "on|off")]
    pub(crate) audit_attributes: Option<Switch>,
    /// Explanations may name the shopper's own events.
    #[arg(long, value_name = "on|off")]
    pub(crate) explanations: Option<Switch>,
}

impl ScopeSwitches {
    /// What the switches say.
    pub(crate) fn choice(&self) -> ConsentChoice {
        let on = |switch: Option<Switch>| switch.map(|switch| switch == Switch::On);
        ConsentChoice {
            personalise: on(self.personalise),
            train: on(self.train),
            audit_attributes: on(self.audit_attributes),
            explanations: on(self.explanations),
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct ConsentArgs {
    /// Shopper's id.
    pub(crate) user: UserId,
    #[command(flatten)]
    pub(crate) scopes: ScopeSwitches,
}

/// `mercer user consent USER`.
pub(crate) async fn run(args: &ConsentArgs, client: &Client, out: &mut Out) -> Done {
    let choice = args.scopes.choice();
    let id = args.user.as_str();
    let report = if choice.is_empty() { client.consent(id).await? } else { client.change_consent(id, &choice).await? };
    if out.json {
        out.document(&report)?;
    } else {
        print(&report, out)?;
    }
    Ok(exit::OK)
}

fn word(scope: ConsentScope) -> String {
    scope.name().replace('_', " ")
}

const fn on_off(agreed: bool) -> &'static str {
    if agreed { "on" } else { "off" }
}

fn print(report: &ConsentReport, out: &mut Out) -> Result<(), Stop> {
    let mut table = Table::new().text("scope").text("is").text("basis").text("source").title("since");
    for ConsentRecord { scope, agreed, basis, source, at } in &report.scopes {
        let basis = match basis {
            ConsentBasis::Explicit => "said so",
            ConsentBasis::Default => "by default",
        };
        let since = at.map(text::moment).unwrap_or_default();
        table.row([word(*scope), on_off(*agreed).to_owned(), basis.to_owned(), text::clean(source), since]);
    }
    table.print(out)?;
    if report.ledger.is_empty() {
        return out.line("no change was recorded");
    }
    out.line("changes, oldest first:")?;
    let mut table = Table::new().text("when").text("scope").text("change").text("source").title("by");
    for ConsentChange { at, scope, from, to, source, uid, .. } in &report.ledger {
        let change = format!("{} -> {}", from.map_or("-", on_off), on_off(*to));
        let by = uid.map_or_else(|| "the daemon".to_owned(), |uid| format!("user {uid}"));
        table.row([text::moment(*at), word(*scope), change, text::clean(source), by]);
    }
    table.print(out)
}
