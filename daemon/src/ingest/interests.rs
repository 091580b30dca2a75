//! Removes a derived interest of a user and keeps it from coming back from the same events.

use mercer_shared::ids::UserId;
use mercer_shared::problem::{Code, Problem};
use mercer_shared::time::Timestamp;
use mercer_shared::wire::{ForgetReport, ForgottenInterest, InterestKind};

use crate::ingest::audited;
use crate::state::app::{App, Peer};
use crate::state::problems::{Answer, store_problem};

/// Removes an interest: the events behind it shape no list, profile or model any more, from the next request on and after a restart.
/// New events may bring it back.
///
/// # Errors
/// `bad-parameter` for an unknown kind, `unknown-user`, `erased`, `not-found` where no event of the user is behind it, `read-only`.
pub fn forget(app: &App, user: &str, kind: &str, value: &str, peer: Option<Peer>) -> Answer<ForgetReport> {
    app.writable()?;
    let id = UserId::new(user).map_err(|error| Problem::new(Code::BadId, error.to_string()))?;
    let kind: InterestKind = kind.parse().map_err(|error| Problem::new(Code::BadParameter, error))?;
    let forgotten = ForgottenInterest { kind, value: value.to_owned(), at: Timestamp::now() };
    let events = {
        let _in_order = app.write_order.users(std::iter::once(&id));
        let unknown = || Problem::new(Code::UnknownUser, format!("there is no user `{id}`"));
        if app.store.is_erased(&id) {
            return Err(Problem::new(Code::Erased, "this user was erased"));
        }
        let count = app.shop.lock().events_behind(&id, &forgotten).ok_or_else(unknown)?;
        if count == 0 {
            let detail = format!("no event of `{id}` is behind an interest in {} `{value}`", kind.name());
            return Err(Problem::new(Code::NotFound, detail));
        }
        let written = app.store.forget_interest(&id, forgotten.clone()).map_err(|error| store_problem(&error))?;
        app.shop.lock().put_user(written.ok_or_else(unknown)?.user);
        count
    };
    app.moments.forget_from(0);
    app.publish();
    app.audit(peer, "forget-interest", &audited::name(app, &id), kind.name());
    Ok(ForgetReport { user: id, forgotten, events })
}

#[cfg(test)]
mod tests {
    use mercer_shared::wire::{Interaction, Item};

    use super::*;
    use crate::ingest::consent::api_origin;
    use crate::ingest::write;
    use crate::versions::test_app::TestApp;

    fn shop() -> TestApp {
        let app = TestApp::new();
        let item = |id: &str, title: &str, category: &[&str]| Item {
            category: category.iter().map(|level| (*level).to_owned()).collect(),
            ..Item::new(id.parse().unwrap(), title)
        };
        let items = vec![
            item("tent", "Tent", &["Outdoor", "Camping"]),
            item("rope", "Rope", &["Outdoor"]),
            item("oil", "Olive oil", &["Food"]),
            item("kit", "HIV test", &["Care"]),
        ];
        assert!(write::items(&app, items).iter().all(Result::is_ok));
        buy(&app, &["tent", "rope", "oil", "kit"], 1_000);
        app
    }

    fn buy(app: &TestApp, items: &[&str], from: i64) {
        let line = |(place, item): (usize, &&str)| -> Interaction {
            let at = Timestamp::at(from + place as i64);
            serde_json::from_value(serde_json::json!({"user": "vera", "type": "purchase", "item": item, "at": at}))
                .unwrap()
        };
        let lines = items.iter().enumerate().map(line).collect();
        assert!(write::interactions(app, lines, &api_origin(None)).iter().all(Result::is_ok));
        app.publish();
    }

    /// The items behind the user's profile and lists.
    fn history(app: &TestApp) -> Vec<String> {
        let view = app.view();
        let number = view.user_number("vera").unwrap();
        let events = view.rank.log.events(number);
        events.iter().map(|event| view.item(event.item.unwrap()).unwrap().id.to_string()).collect()
    }

    #[test]
    fn a_removed_interest_does_not_come_back_from_the_same_events() {
        let app = shop();
        assert_eq!(history(&app), ["tent", "rope", "oil"], "what the law protects shapes nothing");
        let report = forget(&app, "vera", "category", "Outdoor", None).unwrap();
        assert_eq!(report.events, 2, "narrower categories too");
        assert_eq!(history(&app), ["oil"]);
        // Neither by a document nor by a change of the item.
        let document = mercer_shared::wire::User::new("vera".parse().unwrap());
        assert!(crate::ingest::users::users(&app, vec![document], &api_origin(None)).remove(0).is_ok());
        let rope = Item { category: vec!["Outdoor".into()], ..Item::new("rope".parse().unwrap(), "Long rope") };
        assert!(write::items(&app, vec![rope]).remove(0).is_ok());
        app.publish();
        assert_eq!(history(&app), ["oil"]);
        // New events count again.
        buy(&app, &["rope"], Timestamp::now().millis() + 60_000);
        assert_eq!(history(&app), ["oil", "rope"]);
        let stored = app.store.scan_interactions(0).unwrap().count();
        assert_eq!(stored, 5, "the log keeps everything");
    }

    #[test]
    fn what_cannot_be_forgotten_is_refused() {
        let app = shop();
        let code = |user: &str, kind: &str, value: &str| forget(&app, user, kind, value, None).unwrap_err().code;
        assert_eq!(code("vera", "colour", "red"), Code::BadParameter);
        assert_eq!(code("vera", "brand", "Acme"), Code::NotFound);
        assert_eq!(code("nobody", "category", "Food"), Code::UnknownUser);
    }

    #[test]
    fn an_item_that_becomes_sensitive_leaves_the_history_and_comes_back() {
        let app = shop();
        let oil = |word: &str| Item {
            attributes: [("sensitive".to_owned(), word.to_owned())].into(),
            ..Item::new("oil".parse().unwrap(), "Olive oil")
        };
        for (word, expected) in [("yes", vec!["tent", "rope"]), ("no", vec!["tent", "rope", "oil"])] {
            assert!(write::items(&app, vec![oil(word)]).remove(0).is_ok());
            app.publish();
            assert_eq!(history(&app), expected);
        }
    }

    #[test]
    fn a_sensitive_search_is_not_kept_in_memory() {
        let app = shop();
        let search = |query: &str| -> Interaction {
            serde_json::from_value(
                serde_json::json!({"user": "vera", "type": "search", "query": query, "at": Timestamp::at(5)}),
            )
            .unwrap()
        };
        let lines = vec![search("pregnancy test"), search("lamp")];
        assert!(write::interactions(&app, lines, &api_origin(None)).iter().all(Result::is_ok));
        app.publish();
        let view = app.view();
        let subject = view.subject(view.user_number("vera").unwrap()).unwrap();
        let queries: Vec<&str> = subject.queries.iter().map(|query| &*query.text).collect();
        assert_eq!(queries, ["lamp"]);
        assert!(view.texts.number("pregnancy test").is_none());
        assert_eq!(subject.withheld_searches, 1);
    }
}
