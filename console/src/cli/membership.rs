//! `mercer eval membership`: whether a version's users can be told from others.

use mercer_shared::client::Client;
use mercer_shared::problem::exit;
use mercer_shared::wire::{MembershipRequest, MembershipTest, RunState};

use super::out::{Done, Out, Stop};
use super::table::Table;
use super::{follow, runs};
use crate::text;

/// Makes one, follows it and prints it.
pub(crate) async fn run(request: &MembershipRequest, client: &Client, out: &mut Out) -> Done {
    let run = client.start_membership(request).await?;
    let run = follow::follow(run, client, out).await?;
    if run.state != RunState::Succeeded {
        return runs::finish(&run, out);
    }
    show(&run.id, client, out).await
}

/// Prints one that was made.
pub(crate) async fn show(id: &str, client: &Client, out: &mut Out) -> Done {
    let test = client.membership_test(id).await?;
    if out.json {
        out.document(&test)?;
    } else {
        print(&test, out)?;
    }
    Ok(exit::OK)
}

fn print(test: &MembershipTest, out: &mut Out) -> Result<(), Stop> {
    out.heading(&format!("Membership test {} of {}", test.id, test.model))?;
    let mut table = Table::new()
        .text("attack")
        .number("members")
        .number("others")
        .number("recognised")
        .text("interval")
        .number("AUC");
    for attack in &test.attacks {
        table.row([
            attack.name.clone(),
            text::count(attack.members),
            text::count(attack.others),
            text::maybe(attack.tpr),
            text::interval(attack.low, attack.high),
            text::maybe(attack.auc),
        ]);
    }
    table.print(out)?;
    out.wrapped(format!(
        "recognised: share of members at a false positive rate of {}; an attack that knows nothing recognises as much",
        text::value(test.fpr)
    ))?;
    for attack in &test.attacks {
        let why = attack.undefined.as_ref().map(|why| format!(" (not measured: {why})")).unwrap_or_default();
        out.wrapped(format!("{}: {}{why}", attack.name, attack.what))?;
    }
    match &test.privacy {
        Some(privacy) => out.wrapped(format!(
            "the adapter was trained privately: epsilon {} at delta {} per {}",
            text::value(privacy.epsilon_total),
            privacy.delta,
            privacy.unit
        ))?,
        None => out.wrapped("the version was trained without noise")?,
    }
    test.notes.iter().try_for_each(|note| out.wrapped(format!("note: {note}")))
}
