//! Erases users from the store, from memory and from files, and says in the receipt what became of their data in every place.

use mercer_shared::ids::UserId;
use mercer_shared::problem::{Code, Problem};
use mercer_shared::time::{DAY_MS, Timestamp};
use mercer_shared::wire::{EraseReceipt, ErasedPlace, ErasedState, ErasedUser, EventKind};
use mercer_store::{DocKind, Erasure};

use crate::ingest::redact::{self, Archive, Erased, Redacted};
use crate::ingest::{audited, compact};
use crate::state::app::{App, Peer};
use crate::state::erasure_times::ErasureTimes;
use crate::state::evaluation_files;
use crate::state::problems::{Answer, internal, store_problem};
use crate::state::signing::{Purpose, Signer};
use crate::versions::knowledge;

/// Erases a user everywhere and leaves a tombstone.
///
/// # Errors
/// `unknown-user`, `erased`, or the store's. What was erased until then stays erased.
pub fn erase(app: &App, id: &str, peer: Option<Peer>) -> Answer<EraseReceipt> {
    app.writable()?;
    let id = UserId::new(id).map_err(|error| Problem::new(Code::BadId, error.to_string()))?;
    let at = Timestamp::now();
    let (erasure, knows) = commit(app, &id, at)?;
    ErasureTimes::note(&app.store, at)?;
    app.moments.forget_from(0);
    app.publish();
    app.model.forget_queries();
    app.reports.clear();
    evaluation_files::forget(app);
    let pseudonym = erasure.pseudonym.hex();
    let tombstone = app.store.tombstone(&id).hex();
    let renamed = audited::forget(app, &pseudonym, &tombstone)?;
    let sessions = erasure.sessions.iter().map(|session| session.as_str().to_owned());
    let gone: Vec<String> = std::iter::once(id.as_str().to_owned()).chain(sessions).collect();
    let redact = |archive| {
        let presets = app.config.presets.as_deref();
        redact::archived(&app.config.state, archive, presets, Erased::Ids(&gone)).map_err(|e| internal(&e))
    };
    let (redacted, rejected) = (redact(Archive::Done)?, redact(Archive::Rejected)?);
    app.audit(peer, "erase", &tombstone, format!("{} interactions", erasure.interactions()));
    app.tell(EventKind::Erased { pseudonym: pseudonym.clone() });
    let gone_by = compact::owe(app, at)?;
    let reports = app.store.count_docs(DocKind::Report).map_err(|e| store_problem(&e))?;
    let compacted = app.config.erase.compact_within_minutes == 0 && compact::compact(app).is_ok();

    let gone_by = (!compacted).then_some(gone_by);
    let after = After { erasure: &erasure, knows: &knows, redacted, rejected, renamed, reports, gone_by };
    let places = after.places(app.config.erase.rebuild_within_days);
    let models = knows.versions.iter().cloned().chain(knows.cross_encoder.clone()).collect();
    let runs = knows.run.into_iter().collect();
    let interactions = erasure.interactions();
    let receipt = EraseReceipt { pseudonym, tombstone, at, interactions, models, runs, places, signature: None };
    let signed = Signer::new(&app.store, Purpose::Receipt).sign_document(&receipt)?;
    serde_json::from_slice(&signed).map_err(|error| internal(&error))
}

/// Erases the user from the store and from the shop in memory, in one order with every write.
fn commit(app: &App, id: &UserId, at: Timestamp) -> Answer<(Erasure, ErasedUser)> {
    // Nobody writes meanwhile: which visits are the user's is found in the log.
    let _alone = app.write_order.alone();
    if app.store.is_erased(id) {
        return Err(Problem::new(Code::Erased, "this user was erased before"));
    }
    if !app.store.knows_user(id).map_err(|e| store_problem(&e))? {
        return Err(Problem::new(Code::UnknownUser, format!("there is no user `{id}`")));
    }
    let erasure = app
        .served_log
        .erasing(&app.store, &app.store.pseudonym(id), || app.store.erase_user(id))
        .map_err(|e| store_problem(&e))?;
    {
        let mut shop = app.shop.lock();
        shop.erase(id);
        erasure.sessions.iter().for_each(|session| shop.erase_session(session));
    }
    let knows = knowledge::note(app, app.store.tombstone(id).hex(), at, erasure.first())?;
    Ok((erasure, knows))
}

/// What an erasure did, for its receipt.
struct After<'a> {
    erasure: &'a Erasure,
    knows: &'a ErasedUser,
    /// In files of the inbox that were read.
    redacted: Redacted,
    /// In files of the inbox that were rejected.
    rejected: Redacted,
    /// Entries of the audit log that named the pseudonym.
    renamed: u64,
    /// Stored reports, all of which were made before.
    reports: u64,
    /// By when the store's files hold nothing any more; none if they do not already.
    gone_by: Option<Timestamp>,
}

impl After<'_> {
    /// Every place where data of a user can be.
    fn places(&self, rebuild_within_days: u64) -> Vec<ErasedPlace> {
        let Self { erasure, knows, redacted, rejected, renamed, reports, gone_by } = self;
        let gone = |place: &str, count: u64, what: &str| ErasedPlace {
            place: place.to_owned(),
            state: if count > 0 { ErasedState::Erased } else { ErasedState::Nothing },
            detail: format!("{count} {what}"),
            until: None,
        };
        let kept = |place: &str, names: Vec<String>, detail: &str, until: Option<Timestamp>| ErasedPlace {
            place: place.to_owned(),
            state: if names.is_empty() { ErasedState::Nothing } else { ErasedState::Pending },
            detail: if names.is_empty() { "none".to_owned() } else { format!("{}: {detail}", names.join(", ")) },
            until: until.filter(|_| !names.is_empty()),
        };
        let rebuilt = (rebuild_within_days > 0).then(|| {
            knows.at.plus_millis(i64::try_from(rebuild_within_days).unwrap_or(i64::MAX / DAY_MS).saturating_mul(DAY_MS))
        });
        let rebuild = "trained on this user's data; a rebuild from the remaining log and its deletion end that";
        vec![
            gone("log", erasure.interactions(), "interactions"),
            gone("document", u64::from(erasure.document), "documents with attributes, consent and its ledger"),
            gone("served lists", erasure.served, "lists that were kept, and their part in the exposure"),
            gone("names", 1 + erasure.sessions.len() as u64, "sealed ids of the user and of visits"),
            ErasedPlace {
                place: "store files".to_owned(),
                state: if gone_by.is_some() { ErasedState::Pending } else { ErasedState::Erased },
                detail: "the files of the store are written anew without what was erased".to_owned(),
                until: *gone_by,
            },
            gone("memory", 1, "profile with interests, queries, segments and part in the collaborative index"),
            gone("caches", 1, "sets of indexes of past moments and of vectors of searches and reports"),
            gone("evaluation files", 1, "sets of values per user"),
            gone("inbox", redacted.records + redacted.files, "records or files that the inbox kept"),
            gone(
                "rejected inbox files",
                rejected.records + rejected.files,
                &format!(
                    "lines or files: {} lines taken out, {} files deleted whole because they cannot be taken apart",
                    rejected.records, rejected.files
                ),
            ),
            ErasedPlace {
                place: "stored reports".to_owned(),
                state: if *reports > 0 { ErasedState::Marked } else { ErasedState::Nothing },
                detail: format!(
                    "{reports} reports, totals over groups of ten shoppers and more; they are marked as made before this erasure"
                ),
                until: None,
            },
            gone("audit log", *renamed, "entries whose pseudonym became the tombstone"),
            kept(
                "runs",
                knows.run.iter().cloned().collect(),
                "has read the data before; its checkpoints go when it ends, and what it makes is listed as knowing the user",
                None,
            ),
            kept("versions", knows.versions.clone(), rebuild, rebuilt),
            kept("cross-encoder", knows.cross_encoder.iter().cloned().collect(), "until it is trained again", None),
        ]
    }
}
