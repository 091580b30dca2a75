//! Consent: reads and changes it, scope by scope.

use mercer_shared::ids::UserId;
use mercer_shared::problem::{Code, Problem};
use mercer_shared::time::Timestamp;
use mercer_shared::wire::{ConsentBasis, ConsentChoice, ConsentRecord, ConsentReport, ConsentScope};
use mercer_store::{Change, ConsentOrigin, StoredConsent, StoredUser};

use crate::ingest::audited;
use crate::state::app::{App, Peer};
use crate::state::problems::{Answer, store_problem};

/// The source of documents and requests over the socket.
const API: &str = "api";
/// The source of what nobody said.
const CONFIGURATION: &str = "configuration";

/// The origin of documents that a process sends over the socket.
#[must_use]
pub fn api_origin(peer: Option<Peer>) -> ConsentOrigin {
    origin(API.to_owned(), peer, ConsentChoice::UNSAID)
}

/// The origin of an import: an upload of a process, or a file of the inbox if there is none. `defaults` are those of its preset.
#[must_use]
pub(super) fn import_origin(peer: Option<Peer>, what: &str, defaults: ConsentChoice) -> ConsentOrigin {
    let way = if peer.is_some() { "import" } else { "inbox" };
    origin(format!("{way}:{what}"), peer, defaults)
}

fn origin(source: String, peer: Option<Peer>, defaults: ConsentChoice) -> ConsentOrigin {
    ConsentOrigin { source, uid: peer.map(|peer| peer.uid), at: Timestamp::now(), defaults }
}

fn id(text: &str) -> Answer<UserId> {
    UserId::new(text).map_err(|error| Problem::new(Code::BadId, error.to_string()))
}

/// The consent of a user with its ledger.
///
/// # Errors
/// `unknown-user`, `erased`, or the store's.
pub fn report(app: &App, user: &str) -> Answer<ConsentReport> {
    let id = id(user)?;
    if app.store.is_erased(&id) {
        return Err(Problem::new(Code::Erased, "this user was erased"));
    }
    let stored = app.store.stored_user(&id).map_err(|error| store_problem(&error))?;
    let stored = stored.ok_or_else(|| Problem::new(Code::UnknownUser, format!("there is no user `{id}`")))?;
    Ok(written(app, stored))
}

/// Changes the scopes that are named, from the next request on, and returns what holds then. Each change is in the ledger and in the
/// audit log.
///
/// # Errors
/// `bad-parameter` for a choice that names no scope, `unknown-user`, `erased`, `read-only`, or the store's.
pub fn change(app: &App, user: &str, choice: ConsentChoice, peer: Option<Peer>) -> Answer<ConsentReport> {
    app.writable()?;
    let id = id(user)?;
    if choice.is_empty() {
        let scopes = ConsentScope::ALL.map(ConsentScope::name).join(", ");
        return Err(Problem::new(Code::BadParameter, format!("no scope is named; there are {scopes}")));
    }
    let user = {
        let _in_order = app.write_order.users(std::iter::once(&id));
        let written =
            app.store.choose_consent(&id, choice, &api_origin(peer)).map_err(|error| store_problem(&error))?;
        let written = written.ok_or_else(|| Problem::new(Code::UnknownUser, format!("there is no user `{id}`")))?;
        if written.change != Change::Same {
            app.shop.lock().put_user(written.user.clone());
        }
        written.user
    };
    app.publish();
    audit(app, &id, choice, peer);
    Ok(written(app, user))
}

/// Notes in the audit log what a process said of a user's consent.
pub(crate) fn audit(app: &App, id: &UserId, said: ConsentChoice, peer: Option<Peer>) {
    let words = ConsentScope::ALL.into_iter().filter_map(|scope| {
        let agreed = said.get(scope)?;
        Some(format!("{scope} {}", if agreed { "on" } else { "off" }))
    });
    let words: Vec<String> = words.collect();
    if !words.is_empty() {
        app.audit(peer, "consent", &audited::name(app, id), words.join(", "));
    }
}

fn written(app: &App, user: StoredUser) -> ConsentReport {
    let StoredUser { id, consent: StoredConsent { records, ledger }, .. } = user;
    let default = app.config.consent.default;
    let mut consent = default;
    records.iter().for_each(|record| consent.set(record.scope, record.agreed));
    let record = |scope: ConsentScope| {
        let known = records.iter().find(|record| record.scope == scope).cloned();
        known.unwrap_or_else(|| ConsentRecord {
            scope,
            agreed: default.get(scope),
            basis: ConsentBasis::Default,
            source: CONFIGURATION.to_owned(),
            at: None,
        })
    };
    ConsentReport { user: id, consent, scopes: ConsentScope::ALL.map(record).to_vec(), ledger }
}
