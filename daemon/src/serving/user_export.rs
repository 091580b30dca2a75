//! The export of everything that is held of one user.

use std::collections::BTreeMap;

use mercer_shared::ids::UserId;
use mercer_shared::problem::{Code, Problem};
use mercer_shared::time::Timestamp;
use mercer_shared::wire::{
    AuditEntry, InferredData, KeptList, KnowingVersion, ListsServed, Page, PortableData, Profile, UserExport,
};
use mercer_store::{DocKind, Order};

use crate::ingest::{audited, consent};
use crate::serving::profile::profile;
use crate::state::app::{App, Peer};
use crate::state::privacy_ledger::Ledger;
use crate::state::problems::{Answer, store_problem};
use crate::versions::{cross_encoder, registry};

/// Entries of the audit log that are read at once.
const PAGE: usize = 1_000;

/// Everything that is held of a user; the export is noted in the audit log.
///
/// # Errors
/// `unknown-user`, `erased`, `bad-id`, or the store's.
pub fn export(app: &App, user: &str, peer: Option<Peer>) -> Answer<UserExport> {
    let id = UserId::new(user).map_err(|error| Problem::new(Code::BadId, error.to_string()))?;
    let consent = consent::report(app, user)?;
    let stored = app.store.stored_user(&id).map_err(|error| store_problem(&error))?;
    let stored = stored.ok_or_else(|| Problem::new(Code::UnknownUser, format!("there is no user `{id}`")))?;
    let lines = app.store.interactions_of(&id).map_err(|error| store_problem(&error))?;
    let first = lines.first().map(|(seq, _)| *seq);
    let interactions: Vec<_> = lines.into_iter().map(|(_, line)| line).collect();
    let mut notes = vec![
        "profile.nearest is left out: similar shoppers are other people".to_owned(),
        "a version is listed if the log held the shopper's interactions when it was trained, also where consent kept \
         them out of the training"
            .to_owned(),
    ];
    notes.extend(privacy_spent(app, interactions.iter().map(|line| line.at).min())?);
    let mut query_ids: Vec<String> = interactions.iter().filter_map(|line| line.query_id.clone()).collect();
    query_ids.sort();
    query_ids.dedup();
    // Similar users are other people, whose data this is not.
    let profile = Profile { nearest: Vec::new(), ..profile(app, user, None)? };
    app.audit(peer, "export-user", &audited::name(app, &id), format!("{} interactions", interactions.len()));
    Ok(UserExport {
        at: Timestamp::now(),
        inferred: InferredData { segments: segments(&profile), profile, forgotten_interests: stored.forgotten },
        portable: PortableData { attributes: stored.attributes, interactions },
        consent,
        lists_served: ListsServed {
            kept: true,
            detail: format!(
                "lists of the last {} days, without searches and visits that name no shopper; `query_ids` are those that the shopper's \
                 interactions name",
                app.config.serve.log_days
            ),
            query_ids,
            lists: kept_lists(app, &id)?,
        },
        versions: versions(app, first)?,
        audit: entries(app, &id)?,
        notes,
        user: id,
    })
}

/// The lists that went out to a user, oldest first.
fn kept_lists(app: &App, id: &UserId) -> Answer<Vec<KeptList>> {
    app.served_log.flush(&app.store).map_err(|error| store_problem(&error))?;
    let lists = app.store.served_to(&app.store.pseudonym(id)).map(|record| {
        let record = record.map_err(|error| store_problem(&error))?;
        Ok(KeptList {
            query_id: record.query_id,
            at: record.at,
            model: record.version,
            placement: record.placement,
            items: record.rows.into_iter().map(|row| row.item).collect(),
        })
    });
    lists.collect()
}

/// What private training has cost a user, in words; `None` where it never ran or the user has no events.
fn privacy_spent(app: &App, first_event: Option<Timestamp>) -> Answer<Option<String>> {
    let (ledger, delta) = (Ledger::load(&app.store)?, app.config.privacy.delta);
    let Some(first_event) = first_event.filter(|_| !ledger.entries().is_empty()) else { return Ok(None) };
    Ok(Some(format!(
        "private training has cost this shopper, whose first kept event is of {first_event}, at most epsilon {:.4} at delta {delta}; one who \
         was here from the first run on, {:.4}",
        ledger.epsilon_of_user(first_event, delta)?,
        ledger.epsilon(delta)?
    )))
}

/// The groups that reports and rules count a user in.
fn segments(profile: &Profile) -> BTreeMap<String, String> {
    let word = |value: serde_json::Value| value.as_str().map(str::to_owned);
    let stage = serde_json::to_value(profile.lifecycle.stage).ok().and_then(word);
    let first = |list: &[mercer_shared::wire::Interest]| list.first().map(|interest| interest.name.clone());
    let all = [
        ("lifecycle", stage),
        ("price band", first(&profile.price_bands)),
        ("first category", first(&profile.categories)),
        ("first brand", first(&profile.brands)),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

fn versions(app: &App, first: Option<u64>) -> Answer<Vec<KnowingVersion>> {
    let saw = registry::saw(app, first);
    let known = registry::list(app)?.items.into_iter().filter(|model| saw.contains(&model.version));
    let mut all: Vec<KnowingVersion> = known
        .map(|model| KnowingVersion {
            version: model.version,
            created: Some(model.created),
            consent_rule: model.data.consent_rule,
        })
        .collect();
    all.extend(cross_encoder::saw(app, first).map(|version| KnowingVersion {
        version,
        created: None,
        consent_rule: "shoppers without consent to training are left out".to_owned(),
    }));
    Ok(all)
}

/// Entries of the audit log about a user, oldest first.
fn entries(app: &App, id: &UserId) -> Answer<Vec<AuditEntry>> {
    let names = [audited::name(app, id), app.store.pseudonym(id).hex()];
    let (mut found, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let page: Page<AuditEntry> = app
            .store
            .list_docs(DocKind::Audit, Order::Oldest, cursor.as_deref(), PAGE)
            .map_err(|error| store_problem(&error))?;
        found.extend(page.items.into_iter().filter(|entry| names.contains(&entry.target)));
        cursor = page.next_cursor;
        if cursor.is_none() {
            return Ok(found);
        }
    }
}

#[cfg(test)]
mod tests {
    use mercer_shared::wire::{Interaction, Item, User};

    use super::*;
    use crate::ingest::consent::{api_origin, change};
    use crate::ingest::{erase, interests, users, write};
    use crate::serving::user_page;
    use crate::state::config::PrivacyConfig;
    use crate::state::privacy_ledger::{Entry, RunBudget};
    use crate::versions::directory::draft;
    use crate::versions::test_app::TestApp;

    fn app() -> TestApp {
        let app = TestApp::new();
        let lamp = Item { brand: Some("Acme".into()), ..Item::new("i".parse().unwrap(), "lamp <b>") };
        assert!(write::items(&app, vec![lamp]).remove(0).is_ok());
        let vera =
            User { attributes: [("region".into(), "north".into())].into(), ..User::new("vera".parse().unwrap()) };
        assert!(users::users(&app, vec![vera], &api_origin(None)).remove(0).is_ok());
        let lines = serde_json::json!([
            {"user": "vera", "type": "purchase", "item": "i", "at": Timestamp::at(3), "query_id": "q1", "session": "visit"},
            {"session": "visit", "type": "view", "item": "i", "at": Timestamp::at(2)},
            {"user": "wim", "type": "purchase", "item": "i", "at": Timestamp::at(4)},
        ]);
        let lines: Vec<Interaction> = serde_json::from_value(lines).unwrap();
        assert!(write::interactions(&app, lines, &api_origin(None)).iter().all(Result::is_ok));
        change(&app, "vera", serde_json::from_str(r#"{"train":false}"#).unwrap(), None).unwrap();
        app.publish();
        app
    }

    #[test]
    fn an_export_has_everything_of_one_user_and_nothing_of_others() {
        let app = app();
        let mut model = draft(Timestamp::now());
        (model.version, model.data.cursor) = ("v000077".to_owned(), 3);
        app.store.put_model(&model).unwrap();
        interests::forget(&app, "vera", "brand", "Acme", None).unwrap();
        let first = export(&app, "vera", None).unwrap();
        assert_eq!(first.portable.attributes["region"], "north");
        let kinds: Vec<_> = first.portable.interactions.iter().map(|line| line.kind.as_str()).collect();
        assert_eq!(kinds, ["purchase", "view"], "the anonymous view of the own visit too");
        assert_eq!(first.lists_served.query_ids, ["q1"]);
        assert_eq!(first.versions.iter().map(|known| known.version.as_str()).collect::<Vec<_>>(), ["v000077"]);
        assert_eq!((first.consent.ledger.len(), first.consent.consent.train), (1, false));
        assert_eq!((first.inferred.forgotten_interests.len(), first.inferred.profile.withheld), (1, 1));
        assert_eq!(first.inferred.segments["lifecycle"], "prospect");
        let text = serde_json::to_string(&first).unwrap();
        assert!(!text.contains("wim"), "another person is in it");
        let actions = |export: &UserExport| export.audit.iter().map(|entry| entry.action.clone()).collect::<Vec<_>>();
        assert_eq!(actions(&first), ["consent", "forget-interest", "export-user"]);
        let page = user_page::html(&first);
        assert!(page.starts_with("<!DOCTYPE html>") && page.contains("north") && page.contains("forget-interest"));
        assert!(
            !page.contains("<b>") && !page.contains("http://") && !page.contains("<script"),
            "self-contained and escaped"
        );
    }

    #[test]
    fn an_export_says_what_private_training_has_cost_this_user() {
        let app = app();
        let told =
            |user: &str| export(&app, user, None).unwrap().notes.into_iter().find(|note| note.contains("epsilon"));
        assert_eq!(told("vera"), None, "it never ran");
        let config = PrivacyConfig { epsilon: 5.0, ..PrivacyConfig::default() };
        let mut spent = Vec::new();
        // The first run read nothing later than the moment 2: it saw the visit of vera and nothing of wim.
        for (run, until) in [("r1", 2), ("r2", 9)] {
            let entry = Entry {
                run: run.to_owned(),
                at: Timestamp::at(10),
                until: Timestamp::at(until),
                noise: 1.0,
                rate: 0.1,
                clip: 1.0,
                expected_batch: 64.0,
                steps: 0,
            };
            let mut budget = RunBudget::open(&app.store, &config, entry).unwrap();
            assert!(budget.book().unwrap());
            spent.push(format!("at most epsilon {:.4}", budget.guarantee().unwrap().epsilon));
            spent.push(format!("at most epsilon {:.4}", budget.epsilon().unwrap()));
        }
        let [_, _, one_run, both_runs] = &spent[..] else { panic!("two runs") };
        assert_ne!(one_run, both_runs);
        assert!(told("vera").unwrap().contains(both_runs), "{:?}", told("vera"));
        assert!(told("wim").unwrap().contains(one_run), "{:?}", told("wim"));
    }

    #[test]
    fn nobody_is_exported_who_is_not_there() {
        let app = app();
        assert_eq!(export(&app, "nobody", None).unwrap_err().code, Code::UnknownUser);
        erase::erase(&app, "vera", None).unwrap();
        assert_eq!(export(&app, "vera", None).unwrap_err().code, Code::Erased);
    }
}
