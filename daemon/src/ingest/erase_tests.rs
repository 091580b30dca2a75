//! Erasures end to end over the library: what is left in files, in memory, in the receipt.

use std::path::Path;

use mercer_shared::problem::Code;
use mercer_shared::signatures::{Expected, RECEIPT, verify_document};
use mercer_shared::time::Timestamp;
use mercer_shared::wire::{AuditEntry, ErasedState, Interaction, Item, Page, Run, RunKind, RunState, User};
use mercer_store::{DocKind, Order};

use crate::ingest::consent::{api_origin, change, report};
use crate::ingest::erase::erase;
use crate::ingest::{users, write};
use crate::state::config::{Config, EraseConfig};
use crate::state::signing::{Purpose, Signer};
use crate::versions::directory::draft;
use crate::versions::knowledge;
use crate::versions::test_app::TestApp;

const PLANTED: [&str; 6] =
    ["review of vera", "search of vera", "order of vera", "attribute of vera", "visit-of-vera", "anonymous-of-vera"];

fn app() -> TestApp {
    let erase = EraseConfig { compact_within_minutes: 0, ..EraseConfig::default() };
    let app = TestApp::with(Config { erase, ..Config::default() });
    assert!(write::items(&app, vec![Item::new("i".parse().unwrap(), "lamp")]).remove(0).is_ok());
    let note = User { attributes: [("note".into(), PLANTED[3].into())].into(), ..User::new("vera".parse().unwrap()) };
    for user in [note, User::new("wim".parse().unwrap())] {
        assert!(users::users(&app, vec![user], &api_origin(None)).remove(0).is_ok());
    }
    let lines = serde_json::json!([
        {"user": "vera", "type": "review", "item": "i", "text": PLANTED[0], "at": Timestamp::at(1)},
        {"user": "vera", "type": "search", "query": PLANTED[1], "at": Timestamp::at(2), "session": PLANTED[4]},
        {"user": "vera", "type": "purchase", "item": "i", "id": PLANTED[2], "at": Timestamp::at(3)},
        {"session": PLANTED[4], "type": "review", "item": "i", "text": PLANTED[5], "at": Timestamp::at(4)},
        {"user": "wim", "type": "review", "item": "i", "text": "review of wim", "at": Timestamp::at(5)},
    ]);
    let lines: Vec<Interaction> = serde_json::from_value(lines).unwrap();
    assert!(write::interactions(&app, lines, &api_origin(None)).iter().all(Result::is_ok));
    app
}

/// Whether a word is in any file below a directory, as it is or in what a file holds compressed.
fn holds(dir: &Path, word: &str) -> bool {
    std::fs::read_dir(dir).unwrap().flatten().any(|entry| {
        if entry.file_type().unwrap().is_dir() {
            return holds(&entry.path(), word);
        }
        let bytes = std::fs::read(entry.path()).unwrap();
        bytes.windows(word.len()).any(|window| window == word.as_bytes())
    })
}

#[test]
fn nothing_of_an_erased_user_is_left_in_the_state_directory() {
    let app = app();
    let state = &app.config.state;
    let done = state.join("inbox/done");
    std::fs::create_dir_all(&done).unwrap();
    std::fs::write(done.join("a.csv"), "user,text\nvera,mailed by vera\nwim,mailed by wim\n").unwrap();
    let rejected = state.join("inbox/rejected");
    std::fs::create_dir_all(&rejected).unwrap();
    std::fs::write(rejected.join("b.ndjson"), "{\"user:\"vera\",broken by vera\n{\"user:\"wim\",broken by wim\n")
        .unwrap();
    assert!(PLANTED.iter().any(|word| holds(state, word)), "this is what is looked for");
    let receipt = erase(&app, "vera", None).unwrap();
    for word in PLANTED.into_iter().chain(["mailed by vera", "broken by vera"]) {
        assert!(!holds(state, word), "`{word}` is left");
    }
    assert!(
        holds(state, "review of wim") && holds(state, "mailed by wim") && holds(state, "broken by wim"),
        "others stay"
    );
    let place = |name: &str| receipt.places.iter().find(|place| place.place == name).unwrap();
    assert_eq!(receipt.interactions, 4, "the anonymous line of the user's visit among them");
    assert_eq!(
        (place("store files").state, place("inbox").detail.as_str()),
        (ErasedState::Erased, "1 records or files that the inbox kept")
    );
    let rejected = place("rejected inbox files");
    assert_eq!(rejected.state, ErasedState::Erased);
    assert_eq!(place("stored reports").state, ErasedState::Nothing, "none was made");
    assert!(rejected.detail.contains("1 lines taken out, 0 files deleted whole"), "{}", rejected.detail);
    assert_eq!(place("versions").state, ErasedState::Nothing);
    let shop = app.shop.lock();
    assert!(shop.view().user_number("vera").is_none() && shop.view().session_index.is_empty());
    assert!(shop.view().texts.number(PLANTED[1]).is_none());
}

#[test]
fn the_receipt_is_signed() {
    let app = app();
    let receipt = erase(&app, "vera", None).unwrap();
    let public_key = Signer::new(&app.store, Purpose::Receipt).public_key();
    let expected = Expected { purpose: RECEIPT, public_key: &public_key };
    let check =
        |receipt| verify_document(&serde_json::to_vec(receipt).unwrap(), expected).map_err(|problem| problem.code);
    assert_eq!(check(&receipt).err(), None);
    let forged = mercer_shared::wire::EraseReceipt { interactions: 3, ..receipt.clone() };
    assert!(check(&forged).is_err());
}

#[test]
fn an_erasure_is_refused_twice_and_an_import_brings_nobody_back() {
    let app = app();
    assert_eq!(erase(&app, "nobody", None).unwrap_err().code, Code::UnknownUser);
    erase(&app, "vera", None).unwrap();
    assert_eq!(erase(&app, "vera", None).unwrap_err().code, Code::Erased);
    let back = users::users(&app, vec![User::new("vera".parse().unwrap())], &api_origin(None)).remove(0);
    assert_eq!(back.unwrap_err().code, Code::Erased);
    let consent = serde_json::from_str(r#"{"train":true}"#).unwrap();
    assert_eq!(change(&app, "vera", consent, None).unwrap_err().code, Code::Erased);
    assert_eq!(report(&app, "vera").unwrap_err().code, Code::Erased);
}

#[test]
fn versions_and_the_run_in_progress_are_listed_until_they_are_gone() {
    let app = app();
    let version = |name: &str, cursor: u64| {
        let mut model = draft(Timestamp::now());
        model.version = name.to_owned();
        model.data.cursor = cursor;
        app.store.put_model(&model).unwrap();
    };
    version("v000007", 0);
    version("v000008", 3);
    let run = serde_json::json!({
        "id": "r000042", "state": "running", "cause": "operator", "phase": "examples", "created": "2026-01-01T00:00:00Z",
        "step": 0, "steps": 0, "device": "cpu", "memory_bytes": 0, "seed": 1
    });
    let run: Run = serde_json::from_value(run).unwrap();
    assert_eq!((run.state, run.record.kind), (RunState::Running, RunKind::Train));
    *app.runs.current.lock() = Some(run);
    let receipt = erase(&app, "vera", None).unwrap();
    assert_eq!((receipt.models, receipt.runs), (vec!["v000008".to_owned()], vec!["r000042".to_owned()]));

    // The run makes a version that has read the user.
    version("v000009", 9);
    knowledge::made(&app.store, "r000042", "v000009").unwrap();
    version("v000010", 9);
    knowledge::made(&app.store, "r000043", "v000010").unwrap();
    *app.runs.current.lock() = None;
    let known = knowledge::list(&app).unwrap();
    assert_eq!(known[0].versions, ["v000008", "v000009"]);
    assert!(known[0].run.is_none() && known[0].tombstone == receipt.tombstone);
    assert!(knowledge::knows_erased(&app, "v000009").unwrap() && !knowledge::knows_erased(&app, "v000010").unwrap());
    for gone in ["v000008", "v000009"] {
        app.store.remove_doc(DocKind::Model, gone).unwrap();
    }
    assert!(knowledge::list(&app).unwrap().is_empty(), "nobody knows the user any more");
}

#[test]
fn the_audit_log_keeps_no_pseudonym() {
    let app = app();
    let pseudonym = app.store.pseudonym(&"vera".parse().unwrap()).hex();
    app.audit(None, "put-user", &pseudonym, "as older programs wrote it");
    change(&app, "vera", serde_json::from_str(r#"{"train":false}"#).unwrap(), None).unwrap();
    let receipt = erase(&app, "vera", None).unwrap();
    let page: Page<AuditEntry> = app.store.list_docs(DocKind::Audit, Order::Oldest, None, 100).unwrap();
    assert!(page.items.iter().all(|entry| entry.target != pseudonym));
    let of_user =
        page.items.iter().filter(|entry| entry.target == receipt.tombstone).map(|entry| entry.action.as_str());
    assert_eq!(of_user.collect::<Vec<_>>(), ["put-user", "consent", "erase"]);
    let checked = app.store.verify_audit(None).unwrap();
    assert!(checked.intact && checked.erased == 1, "{checked:?}");
}
