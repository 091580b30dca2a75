//! `mercer users`: lists shoppers, shows their attributes and consent, and erases them.

use std::io::{IsTerminal, stdin};

use mercer_shared::client::Client;
use mercer_shared::problem::{Code, Problem, exit};
use mercer_shared::wire::{Consent, ConsentChoice, ConsentScope, User};

use super::consent::{self, ConsentArgs, ScopeSwitches};
use super::out::{Done, Out, Stop};
use super::pages::{Paging, more, pages};
use super::table::Table;
use super::user_data::{self, ForgetInterestArgs, UserExportArgs};
use crate::text;
use clap::{Args, Subcommand};
use mercer_shared::ids::UserId;

#[derive(Debug, Args)]
pub(crate) struct UsersArgs {
    /// Start of the id.
    pub(crate) prefix: Option<String>,
    #[command(flatten)]
    pub(crate) paging: Paging,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct UserArgs {
    #[command(subcommand)]
    pub(crate) command: Option<UserCommand>,
    /// Shopper's id.
    #[arg(required = true)]
    pub(crate) user: Option<UserId>,
    /// Set a declared attribute; an empty value removes it.
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = name_and_value)]
    pub(crate) set: Vec<(String, String)>,
    #[command(flatten)]
    pub(crate) scopes: ScopeSwitches,
}

/// What can be done with the data of a shopper.
#[derive(Debug, Subcommand)]
pub(crate) enum UserCommand {
    /// What a shopper agreed to, since when and by whom; switches change it.
    Consent(ConsentArgs),
    /// Everything that is held of a shopper: data, inferences, consent, versions.
    Export(UserExportArgs),
    /// Removes a derived interest and keeps it from coming back from the same events.
    ForgetInterest(ForgetInterestArgs),
    /// Erases a shopper everywhere.
    Erase(EraseArgs),
    /// Shows the id behind a pseudonym; for operators, and noted in the audit log.
    Reveal {
        /// Pseudonym, as lists of shoppers show it.
        pseudonym: UserId,
    },
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
        table.row([user.id.to_string(), agreed(user.consent.over(Consent::NONE)), declared.join(" ")]);
    }
    if table.is_empty() { out.line("no shopper found") } else { table.print(out) }
}

/// What a shopper agreed to, in words.
pub(crate) fn agreed(consent: Consent) -> String {
    let given = ConsentScope::ALL.into_iter().filter(|scope| consent.get(*scope));
    let words: Vec<_> = given.map(|scope| scope.name().replace('_', " ")).collect();
    if words.is_empty() { "nothing".to_owned() } else { words.join(", ") }
}

/// `mercer user USER`, and what can be done with a shopper's data.
pub(crate) async fn user(args: UserArgs, client: &Client, out: &mut Out) -> Done {
    match (args.command, args.user) {
        (Some(UserCommand::Consent(args)), _) => consent::run(&args, client, out).await,
        (Some(UserCommand::Export(args)), _) => user_data::export(&args, client, out).await,
        (Some(UserCommand::ForgetInterest(args)), _) => user_data::forget_interest(&args, client, out).await,
        (Some(UserCommand::Erase(args)), _) => erase(&args, client, out).await,
        (Some(UserCommand::Reveal { pseudonym }), _) => reveal(&pseudonym, client, out).await,
        (None, Some(id)) => show(id, args.set, args.scopes.choice(), client, out).await,
        (None, None) => Err(Problem::new(Code::BadParameter, "a shopper's id is missing").into()),
    }
}

/// `mercer user reveal PSEUDONYM`.
async fn reveal(pseudonym: &UserId, client: &Client, out: &mut Out) -> Done {
    let user = client.reveal(pseudonym.as_str()).await?;
    if out.json {
        out.document(&user)?
    } else {
        out.line(user.id.as_str())?
    }
    Ok(exit::OK)
}

/// Changes what is given, then shows the shopper.
async fn show(id: UserId, set: Vec<(String, String)>, consent: ConsentChoice, client: &Client, out: &mut Out) -> Done {
    let user = if !set.is_empty() {
        let mut attributes = match client.user(id.as_str()).await {
            Err(problem) if problem.code == Code::UnknownUser => Default::default(),
            known => known?.attributes,
        };
        for (name, value) in set {
            if value.is_empty() {
                attributes.remove(&name);
            } else {
                attributes.insert(name, value);
            }
        }
        client.put_user(&User { attributes, consent, ..User::new(id) }).await?
    } else if consent.is_empty() {
        client.user(id.as_str()).await?
    } else {
        match client.change_consent(id.as_str(), &consent).await {
            // A shop may know what a shopper agrees to before anything else.
            Err(problem) if problem.code == Code::UnknownUser => {
                client.put_user(&User { consent, ..User::new(id) }).await?
            }
            changed => {
                changed?;
                client.user(id.as_str()).await?
            }
        }
    };
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
    if !receipt.runs.is_empty() {
        out.line(format!("runs that have read this shopper's data: {}", receipt.runs.join(", ")))?;
    }
    let mut places = Table::new().text("place").text("what became of it").text("until").title("detail");
    for place in &receipt.places {
        places.row([
            place.place.clone(),
            text::word(&place.state),
            place.until.map_or_else(|| "-".to_owned(), text::moment),
            place.detail.clone(),
        ]);
    }
    if !receipt.places.is_empty() {
        places.print(out)?;
    }
    if receipt.signature.is_some() {
        out.line("the receipt is signed: keep it with --json, check it with mercer report verify")?;
    }
    Ok(exit::OK)
}
