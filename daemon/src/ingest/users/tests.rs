//! Writes of users: consent is kept, and memory follows the order of the store.

use std::sync::Arc;

use mercer_shared::wire::{Consent, ConsentChoice, ConsentScope};

use super::*;
use crate::ingest::consent::{api_origin, change, report};
use crate::ingest::erase::erase;
use crate::ingest::write;
use crate::versions::test_app::TestApp;

fn user(id: &str, consent: &str) -> User {
    User { consent: serde_json::from_str(consent).unwrap(), ..User::new(id.parse().unwrap()) }
}

fn put(app: &App, user: User) -> Change {
    users(app, vec![user], &api_origin(None)).remove(0).unwrap()
}

fn view(user: &str, at: i64) -> Interaction {
    serde_json::from_value(serde_json::json!({
        "user": user, "session": format!("visit of {user}"), "type": "view", "item": "i", "at": Timestamp::at(at)
    }))
    .unwrap()
}

/// What memory and store say of a user must be the same.
fn consent(app: &App, id: &str) -> Consent {
    let stored = report(app, id).unwrap().consent;
    let view = app.view_that(|view| view.user_number(id).is_some());
    let number = view.user_number(id).unwrap();
    assert_eq!(app.shop.lock().view().subject(number).unwrap().consent, stored);
    stored
}

#[test]
fn a_document_without_consent_never_brings_it_back() {
    let app = TestApp::new();
    assert_eq!(put(&app, user("ada", "{}")), Change::New);
    change(&app, "ada", ConsentChoice { train: Some(false), ..ConsentChoice::default() }, None).unwrap();
    change(&app, "ada", ConsentChoice { personalise: Some(false), ..ConsentChoice::default() }, None).unwrap();
    let withdrawn = Consent { train: false, personalise: false, ..Consent::default() };
    assert_eq!(consent(&app, "ada"), withdrawn, "two changes in a row lose nothing");
    put(&app, User { attributes: [("region".into(), "north".into())].into(), ..user("ada", "{}") });
    assert_eq!(consent(&app, "ada"), withdrawn);
    put(&app, user("ada", r#"{"explanations":true}"#));
    assert_eq!(consent(&app, "ada"), withdrawn);
    put(&app, user("ada", r#"{"train":true}"#));
    assert_eq!(consent(&app, "ada"), Consent { train: true, ..withdrawn });
    let ledger = report(&app, "ada").unwrap().ledger;
    let told: Vec<_> = ledger.iter().map(|change| (change.scope, change.from, change.to)).collect();
    assert_eq!(
        told,
        [
            (ConsentScope::Train, None, false),
            (ConsentScope::Personalise, None, false),
            (ConsentScope::Explanations, None, true),
            (ConsentScope::Train, Some(false), true),
        ]
    );
}

#[test]
fn who_comes_by_interactions_has_the_consent_of_the_source() {
    let app = TestApp::new();
    app.shop.lock().put_item(mercer_shared::wire::Item::new("i".parse().unwrap(), "thing"));
    let defaults = ConsentChoice { train: Some(false), ..ConsentChoice::default() };
    let origin = ConsentOrigin { defaults, source: "import:x".to_owned(), ..api_origin(None) };
    assert!(write::interactions(&app, vec![view("ada", 1)], &api_origin(None)).remove(0).is_ok());
    let lines = vec![view("ada", 2), view("bea", 2)];
    assert!(write::interactions(&app, lines, &origin).iter().all(Result::is_ok));
    assert!(consent(&app, "ada").train, "known before the import");
    assert!(!consent(&app, "bea").train);
    let scope = &report(&app, "bea").unwrap().scopes[1];
    assert_eq!((scope.scope, scope.source.as_str()), (ConsentScope::Train, "import:x"));
    assert_eq!(scope.basis, mercer_shared::wire::ConsentBasis::Default);
}

#[test]
fn memory_follows_the_order_of_the_store() {
    const THREADS: i64 = 4;
    const ROUNDS: i64 = 40;
    let test = TestApp::new();
    let app = Arc::clone(&test.app);
    app.shop.lock().put_item(mercer_shared::wire::Item::new("i".parse().unwrap(), "thing"));
    for round in 0..ROUNDS {
        let id = format!("user {round}");
        put(&app, user(&id, "{}"));
        std::thread::scope(|scope| {
            for thread in 0..THREADS {
                let (app, id) = (Arc::clone(&app), id.clone());
                scope.spawn(move || {
                    let _ = write::interactions(&app, vec![view(&id, round * 100 + thread + 1)], &api_origin(None));
                    let wish = format!(r#"{{"train":{}}}"#, thread % 2 == 0);
                    // The user may be gone by now.
                    let _ = users(&app, vec![user(&id, &wish)], &api_origin(None));
                });
            }
            if round % 2 == 0 {
                let (app, id) = (Arc::clone(&app), id.clone());
                scope.spawn(move || erase(&app, &id, None).unwrap());
            }
        });
        let erased = app.store.is_erased(&id.parse().unwrap());
        assert_eq!(erased, round % 2 == 0);
        let shop = app.shop.lock();
        let number = shop.view().user_number(&id);
        assert_eq!(number.is_none(), erased, "a profile of {id} is left in memory");
        let session: mercer_shared::ids::SessionId = format!("visit of {id}").parse().unwrap();
        assert!(!erased || shop.view().session_index.get(&session).is_none());
        drop(shop);
        if !erased {
            consent(&app, &id);
            let number = number.unwrap();
            assert_eq!(app.shop.lock().view().rank.log.events(number).len(), THREADS as usize);
        }
    }
}

#[test]
fn a_user_is_in_force_when_the_write_is_answered() {
    let app = TestApp::new();
    for (round, region) in ["north", "south", "east"].into_iter().enumerate() {
        let user = User {
            attributes: [("region".to_owned(), region.to_owned())].into(),
            consent: ConsentChoice { personalise: Some(round % 2 == 0), ..ConsentChoice::UNSAID },
            ..User::new("ada".parse().unwrap())
        };
        assert!(users(&app, vec![user], &api_origin(None)).remove(0).is_ok());
        // Nobody publishes here but the write itself.
        let view = app.view();
        let known = view.user(view.user_number("ada").unwrap()).unwrap();
        assert_eq!(known.attributes["region"], region);
        assert_eq!(view.subject(view.user_number("ada").unwrap()).unwrap().consent.personalise, round % 2 == 0);
    }
}

/// Imports a file of users and returns its report.
fn import_users(app: &std::sync::Arc<App>, text: &str, dry_run: bool) -> mercer_shared::wire::ImportReport {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("users.ndjson");
    std::fs::write(&file, text).unwrap();
    let query = mercer_shared::wire::ImportQuery {
        file: "users.ndjson".to_owned(),
        preset: None,
        format: Some("ndjson".to_owned()),
        kind: Some("users".to_owned()),
        dry_run,
    };
    let job = crate::ingest::import::plan(app, &query).unwrap();
    crate::ingest::import::run(app, &job, &file, None, &mut |_| {}).unwrap()
}

#[test]
fn an_old_file_does_not_undo_a_withdrawal() {
    let test = TestApp::new();
    let app = Arc::clone(&test.app);
    let old = concat!(
        r#"{"id":"ada","attributes":{"region":"north"},"consent":{"train":true,"personalise":true}}"#,
        "\n",
        r#"{"id":"bea","consent":{"train":true}}"#,
        "\n"
    );
    assert_eq!(import_users(&app, old, false).consent_kept, 0);
    put(&app, user("ada", "{}"));
    change(&app, "ada", ConsentChoice { train: Some(false), ..ConsentChoice::default() }, None).unwrap();
    let ledger = report(&app, "ada").unwrap().ledger;
    for dry_run in [true, false] {
        let again = import_users(&app, &old.repeat(2), dry_run);
        assert_eq!((again.consent_kept, again.accepted + again.duplicates), (1, 4), "a shopper counts once");
        assert!(!consent(&app, "ada").train && consent(&app, "bea").train);
    }
    assert_eq!(report(&app, "ada").unwrap().ledger, ledger, "nothing of it is recorded");
    let view = app.view();
    let attributes = view.user(view.user_number("ada").unwrap()).unwrap().attributes;
    assert_eq!(attributes["region"], "north", "the rest of the document applies");
    // A file may withdraw, and an act switches on again.
    import_users(&app, "{\"id\":\"ada\",\"consent\":{\"personalise\":false}}\n", false);
    assert!(!consent(&app, "ada").personalise);
    change(&app, "ada", ConsentChoice { train: Some(true), ..ConsentChoice::default() }, None).unwrap();
    assert!(consent(&app, "ada").train);
    assert_eq!(import_users(&app, old, false).consent_kept, 0, "a file withdrew it, a file may switch it on");
    assert!(consent(&app, "ada").personalise);
}
