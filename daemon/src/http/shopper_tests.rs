//! What each role sees of shoppers.

use mercer_shared::ids::UserId;
use mercer_shared::problem::Code;
use mercer_shared::wire::{AuditEntry, ExportLine, Interaction, Item, Page, User};
use mercer_store::{DocKind, Order};

use crate::http::peer::Viewer;
use crate::http::shoppers::{Asked, Sight};
use crate::ingest::consent::{self, api_origin};
use crate::ingest::erase::erase;
use crate::ingest::{interests, users, write};
use crate::serving::{profile, user_export, user_page};
use crate::state::app::Peer;
use crate::state::config::Config;
use crate::versions::test_app::TestApp;

const GROUPS: &str = "operator_group = 990\naudit_group = 991\n";
const PROTECTED: &str = "[reports]\nprotected = [\"gender\"]\n";

fn config(more: &str) -> Config {
    Config::parse(&format!("{GROUPS}{more}{PROTECTED}")).unwrap()
}

fn shop(config: Config) -> TestApp {
    let app = TestApp::with(config);
    let documents = ["ada", "bea"].map(|id| {
        serde_json::from_value::<User>(serde_json::json!({"id": id, "attributes": {"gender": "f", "region": "north"}}))
            .unwrap()
    });
    assert!(users::users(&app, documents.into(), &api_origin(None)).iter().all(Result::is_ok));
    let item = Item::new("lamp".parse().unwrap(), "Lamp");
    assert!(write::items(&app, vec![item]).iter().all(Result::is_ok));
    let lines = ["ada", "bea"].map(|id| {
        let line = serde_json::json!({
            "id": format!("order-of-{id}"), "user": id, "session": format!("visit-of-{id}"), "type": "purchase", "item": "lamp",
            "at": "2024-05-01T10:00:00Z"
        });
        serde_json::from_value::<Interaction>(line).unwrap()
    });
    assert!(write::interactions(&app, lines.into(), &api_origin(None)).iter().all(Result::is_ok));
    app.publish();
    app.set_warm();
    app
}

/// A peer of a group that is neither root nor the daemon's own user, whoever runs the tests.
fn viewer(app: &TestApp, gid: u32) -> Viewer {
    Viewer::of(Peer { uid: 4_000_000, gid, pid: None }, 4_000_001, &app.config)
}

const OPERATOR: u32 = 990;
const AUDITOR: u32 = 991;
const READER: u32 = 1000;

fn stored(app: &TestApp, id: &str) -> User {
    let view = app.view();
    view.user(view.user_number(id).unwrap()).unwrap()
}

fn names(user: &User) -> Vec<&str> {
    user.attributes.keys().map(String::as_str).collect()
}

#[test]
fn lists_of_shoppers_have_ids_and_attributes_by_role() {
    let app = shop(config(""));
    let pseudonym = app.store.pseudonym(&"ada".parse().unwrap()).hex();
    for (gid, id, attributes) in [
        (AUDITOR, "ada", vec!["gender", "region"]),
        (OPERATOR, "ada", vec!["region"]),
        (READER, pseudonym.as_str(), vec![]),
    ] {
        let listed = Sight::new(&app, viewer(&app, gid)).listed(stored(&app, "ada")).unwrap();
        assert_eq!((listed.id.as_str(), names(&listed)), (id, attributes), "{gid}");
    }
}

#[test]
fn asking_by_a_known_id_works_for_everybody_and_by_a_pseudonym_too() {
    let app = shop(config(""));
    let pseudonym = app.store.pseudonym(&"ada".parse().unwrap()).hex();
    let sight = Sight::new(&app, viewer(&app, READER));
    let by_id = sight.find("ada");
    assert_eq!(by_id, Asked { id: "ada".into(), by_pseudonym: false });
    let seen = sight.user(stored(&app, "ada"), &by_id).unwrap();
    assert_eq!((seen.id.as_str(), names(&seen).len()), ("ada", 0));
    let by_pseudonym = sight.find(&pseudonym);
    assert_eq!(by_pseudonym, Asked { id: "ada".into(), by_pseudonym: true });
    let seen = sight.user(stored(&app, "ada"), &by_pseudonym).unwrap();
    assert_eq!(seen.id.as_str(), pseudonym);
    let asked = sight.find(&"0".repeat(64));
    assert_eq!(asked, Asked { id: "0".repeat(64), by_pseudonym: false }, "nobody's");
    // A profile names its shopper as they were asked for, and the nearest ones as in lists.
    let shown = sight.profile(profile::profile(&app, "ada", None).unwrap(), &by_id).unwrap();
    assert_eq!((shown.user.as_str(), shown.attributes.len()), ("ada", 0));
    let near = sight.similar(profile::similar(&app, "ada").unwrap(), &by_pseudonym).unwrap();
    assert_eq!(near.user.as_str(), pseudonym);
    assert!(near.nearest.iter().all(|near| near.user.as_str() != "bea"));
}

#[test]
fn a_reveal_is_for_operators_and_audited() {
    let app = shop(config("[privacy]\nshow_ids = \"audit\"\n"));
    let ada: UserId = "ada".parse().unwrap();
    let operator = Sight::new(&app, viewer(&app, OPERATOR));
    let listed = operator.listed(stored(&app, "ada")).unwrap();
    assert_eq!(listed.id.as_str(), app.store.pseudonym(&ada).hex());
    let reveals = |app: &TestApp| {
        let page: Page<AuditEntry> = app.store.list_docs(DocKind::Audit, Order::Oldest, None, 100).unwrap();
        page.items.into_iter().filter(|entry| entry.action == "reveal").collect::<Vec<_>>()
    };
    assert!(Sight::new(&app, viewer(&app, READER)).reveal(&ada).is_err());
    assert!(reveals(&app).is_empty());
    assert!(operator.reveal(&ada).is_ok());
    let entries = reveals(&app);
    assert_eq!((entries.len(), entries[0].uid), (1, Some(4_000_000)));
    assert_eq!(entries[0].target, app.store.tombstone(&ada).hex(), "the entry names no id");
}

#[test]
fn what_a_peer_cannot_see_it_cannot_remove() {
    let app = shop(config(""));
    let document = || serde_json::from_str::<User>(r#"{"id": "ada", "attributes": {"size": "m"}}"#).unwrap();
    let kept = Sight::new(&app, viewer(&app, OPERATOR)).keep_unseen(document());
    assert_eq!(names(&kept), ["gender", "size"], "the region was seen and left out");
    let kept = Sight::new(&app, viewer(&app, AUDITOR)).keep_unseen(document());
    assert_eq!(names(&kept), ["size"]);
}

#[test]
fn an_export_without_ids_has_no_id_in_it() {
    let app = shop(config(""));
    let export = |gid| {
        let sight = Sight::new(&app, viewer(&app, gid));
        let mut lines: Vec<ExportLine> = Vec::new();
        app.store
            .export(|line| {
                lines.push(sight.exported(line).unwrap());
                Ok::<_, mercer_store::StoreError>(())
            })
            .unwrap();
        (serde_json::to_string(&lines).unwrap(), sight.words())
    };
    let (text, words) = export(READER);
    for trace in ["ada", "bea", "order-of", "visit-of", "gender", "north"] {
        assert!(!text.contains(trace), "{trace}: {text}");
    }
    // The shopper and their interactions stay linked.
    let pseudonym = app.store.pseudonym(&"ada".parse().unwrap()).hex();
    assert_eq!(text.matches(&pseudonym).count(), 2, "{text}");
    assert!(words.starts_with("pseudonyms"));
    let (text, words) = export(OPERATOR);
    assert!(text.contains("\"ada\"") && text.contains("north") && !text.contains("gender"), "{text}");
    assert_eq!(words, "ids, without protected attributes");
    let (text, words) = export(AUDITOR);
    assert!(text.contains("\"ada\"") && text.contains("gender") && text.contains("order-of-ada"));
    assert_eq!(words, "ids and attributes");
}

#[test]
fn the_export_of_a_shopper_keeps_protected_attributes_from_operators() {
    let app = shop(config(""));
    let declared = |gid| {
        let export = crate::serving::user_export::export(&app, "ada", None).unwrap();
        let asked = Asked { id: "ada".to_owned(), by_pseudonym: false };
        let export = Sight::new(&app, viewer(&app, gid)).user_export(export, &asked).unwrap();
        let names =
            |attributes: &std::collections::BTreeMap<String, String>| attributes.keys().cloned().collect::<Vec<_>>();
        (names(&export.portable.attributes), names(&export.inferred.profile.attributes), export.notes.len())
    };
    let (all, some) = (declared(AUDITOR), declared(OPERATOR));
    assert_eq!(
        (all.0, all.1),
        (vec!["gender".to_owned(), "region".into()], vec!["gender".to_owned(), "region".into()])
    );
    assert_eq!((some.0, some.1), (vec!["region".to_owned()], vec!["region".to_owned()]));
    assert_eq!(some.2, all.2 + 1, "what is left out is said");
}

#[test]
fn what_is_done_by_pseudonym_tells_no_id() {
    let app = shop(config("[privacy]\nshow_ids = \"audit\"\n"));
    let pseudonym = app.store.pseudonym(&"ada".parse().unwrap()).hex();
    let operator = Sight::new(&app, viewer(&app, OPERATOR));
    let refuse = serde_json::from_str(r#"{"train":false}"#).unwrap();
    let changed = operator
        .of(&pseudonym, |asked| operator.consent(consent::change(&app, &asked.id, refuse, None)?, asked))
        .unwrap();
    assert_eq!((changed.user.as_str(), changed.consent.train), (pseudonym.as_str(), false));
    assert!(!consent::report(&app, "ada").unwrap().consent.train, "it is the shopper's own consent");
    let export = operator
        .of(&pseudonym, |asked| operator.user_export(user_export::export(&app, &asked.id, None)?, asked))
        .unwrap();
    let texts = [serde_json::to_string(&export).unwrap(), user_page::html(&export)];
    for text in texts {
        assert!(text.contains(&pseudonym));
        for trace in ["\"ada\"", ">ada<", "order-of-ada", "visit-of-ada", "bea"] {
            assert!(!text.contains(trace), "{trace}: {text}");
        }
    }
    let forget = |kind: &str, value: &str| {
        operator
            .of(&pseudonym, |asked| operator.forgotten(interests::forget(&app, &asked.id, kind, value, None)?, asked))
    };
    assert_eq!(forget("item", "lamp").unwrap().user.as_str(), pseudonym);
    let refused = forget("brand", "Acme").unwrap_err();
    assert!(refused.detail.contains(&pseudonym) && !refused.detail.contains("`ada`"), "{}", refused.detail);
    // Whoever sees ids gets them.
    let auditor = Sight::new(&app, viewer(&app, AUDITOR));
    let seen = auditor.of(&pseudonym, |asked| auditor.consent(consent::report(&app, &asked.id)?, asked)).unwrap();
    assert_eq!(seen.user.as_str(), "ada");
    // An erasure leaves nothing that the pseudonym leads to.
    assert!(operator.of(&pseudonym, |asked| erase(&app, &asked.id, None)).is_ok());
    let again = operator.of(&pseudonym, |asked| erase(&app, &asked.id, None)).unwrap_err();
    assert_eq!(again.code, Code::Erased);
    let nobody = "0".repeat(64);
    assert_eq!(operator.of(&nobody, |asked| consent::report(&app, &asked.id)).unwrap_err().code, Code::UnknownUser);
}
