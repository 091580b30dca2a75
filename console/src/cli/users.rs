//! `mercer users`: lists shoppers, shows their attributes and consent, and erases them.

use std::io::{IsTerminal, stdin};

use mercer_shared::client::Client;
use mercer_shared::problem::{Code, Problem, exit};
use mercer_shared::wire::{Consent, User};

use super::out::{Done, Out, Stop};
use super::pages::{Paging, more, pages};
use super::table::Table;
use crate::text;
use clap::{Args, ValueEnum};
use mercer_shared::ids::UserId;

#[derive(Debug, Args)]
pub(crate) struct UsersArgs {
    /// Start of the id.
    pub(crate) prefix: Option<String>,
    #[command(flatten)]
    pub(crate) paging: Paging,
}

#[derive(Debug, Args)]
pub(crate) struct UserArgs {
    /// Shopper's id.
    pub(crate) user: UserId,
    /// Set a declared attribute; an empty value removes it.
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = name_and_value)]
    pub(crate) set: Vec<(String, String)>,
    /// History may shape this shopper's lists.
    #[arg(long, value_name = "on|off")]
    pub(crate) personalise: Option<Switch>,
    /// History may train models.
    #[arg(long, value_name = "on|off")]
    pub(crate) train: Option<Switch>,
    /// Declared attributes may be used in fairness reports.
    #[arg(long, value_name = "on|off")]
    pub(crate) audit_attributes: Option<Switch>,
}

/// A switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Switch {
    On,
    Off,
}

#[derive(Debug, Args)]
pub(crate) struct EraseArgs {
    /// Shopper's id.
    pub(crate) user: UserId,
    /// Do not ask.
    #[arg(long)]
    pub(crate) yes: bool,
}

fn name_and_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(format!("`{text}` is not NAME=VALUE")),
    }
}

/// `mercer users`.
pub(crate) async fn users(args: &UsersArgs, client: &Client, out: &mut Out) -> Done {
    let prefix = args.prefix.as_deref();
    let page = pages(args.paging.limit, async |cursor, limit| client.users(prefix, cursor, limit).await).await?;
    if out.json {
        out.document(&page)?;
        return Ok(exit::OK);
    }
    table(&page.items, out)?;
    more(&page, out)?;
    Ok(exit::OK)
}

fn table(users: &[User], out: &mut Out) -> Result<(), Stop> {
    let mut table = Table::new().text("user").text("agreed to").title("declared");
    for user in users {
        let declared: Vec<_> = user.attributes.iter().map(|(name, value)| format!("{name}={value}")).collect();
        table.row([user.id.to_string(), agreed(user.consent), declared.join(" ")]);
    }
    if table.is_empty() { out.line("no shopper found") } else { table.print(out) }
}

/// What a shopper agreed to, in words.
pub(crate) fn agreed(consent: Consent) -> String {
    let scopes = [
        ("personalise", consent.personalise),
        ("train", consent.train),
        ("audit attributes", consent.audit_attributes),
    ];
    let words: Vec<_> = scopes.iter().filter(|(_, on)| *on).map(|(word, _)| *word).collect();
    if words.is_empty() { "nothing".to_owned() } else { words.join(", ") }
}

/// `mercer user USER`.
pub(crate) async fn user(args: UserArgs, client: &Client, out: &mut Out) -> Done {
    let switches = [args.personalise, args.train, args.audit_attributes];
    let changes = !args.set.is_empty() || switches.iter().any(Option::is_some);
    let mut user = match client.user(args.user.as_str()).await {
        Err(problem) if changes && problem.code == Code::UnknownUser => {
            User { id: args.user, attributes: Default::default(), consent: Consent::default() }
        }
        known => known?,
    };
    if changes {
        for (name, value) in args.set {
            if value.is_empty() {
                user.attributes.remove(&name);
            } else {
                user.attributes.insert(name, value);
            }
        }
        let set = |slot: &mut bool, switch: Option<Switch>| {
            if let Some(switch) = switch {
                *slot = switch == Switch::On;
            }
        };
        set(&mut user.consent.personalise, args.personalise);
        set(&mut user.consent.train, args.train);
        set(&mut user.consent.audit_attributes, args.audit_attributes);
        user = client.put_user(&user).await?;
    }
    if out.json {
        out.document(&user)?;
    } else {
        table(&[user], out)?;
    }
    Ok(exit::OK)
}

/// `mercer erase USER`.
pub(crate) async fn erase(args: &EraseArgs, client: &Client, out: &mut Out) -> Done {
    if !args.yes {
        if !stdin().is_terminal() || !out.bars {
            let detail = format!("erasing {} cannot be undone; repeat the command with --yes", args.user);
            let title = "nothing was erased".to_owned();
            let hint = "--yes erases without a question".to_owned();
            return Err(Problem { title, hint, ..Problem::new(Code::BadParameter, detail) }.into());
        }
        out.say(format!("Erase every trace of {}? This cannot be undone. [y/N]", args.user))?;
        let mut answer = String::new();
        stdin().read_line(&mut answer)?;
        if !matches!(answer.trim(), "y" | "Y" | "yes") {
            out.say("nothing was erased")?;
            return Ok(exit::REFUSED);
        }
    }
    let receipt = client.erase(args.user.as_str()).await?;
    if out.json {
        out.document(&receipt)?;
        return Ok(exit::OK);
    }
    let events = text::plural(receipt.interactions, "interaction", "interactions");
    out.line(format!("erased at {}: {events}, pseudonym {}", text::moment(receipt.at), receipt.pseudonym))?;
    if !receipt.models.is_empty() {
        out.line(format!("versions trained on this shopper until they are rebuilt: {}", receipt.models.join(", ")))?;
    }
    Ok(exit::OK)
}
