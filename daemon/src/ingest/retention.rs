//! Retention: interactions older than their type is kept are removed from the store and from memory.

use std::collections::BTreeMap;

use mercer_shared::time::Timestamp;
use mercer_shared::wire::InteractionType;

use crate::ingest::compact;
use crate::state::app::App;
use crate::state::evaluation_files;
use crate::state::problems::{Answer, store_problem};

/// Removes what the configuration no longer keeps. Returns how many interactions of each type went; empty where nothing is limited.
///
/// # Errors
/// `read-only`, or the store's; what was removed before stays removed, and the next call removes the rest.
pub fn apply(app: &App, now: Timestamp) -> Answer<BTreeMap<InteractionType, u64>> {
    let limits = &app.config.retention;
    if InteractionType::ALL.iter().all(|kind| limits.days(*kind) == 0) {
        return Ok(BTreeMap::new());
    }
    app.writable()?;
    let keeps = |kind: InteractionType, at: Timestamp| limits.keeps(kind, at, now);
    let expired = {
        let _alone = app.write_order.alone();
        let expired = app.store.expire(keeps).map_err(|e| store_problem(&e))?;
        if expired.interactions() > 0 {
            app.shop.lock().expire(&keeps, &expired);
        }
        expired
    };
    if expired.interactions() == 0 {
        return Ok(expired.counts);
    }
    app.moments.forget_from(0);
    app.publish();
    app.model.forget_queries();
    evaluation_files::forget(app);
    compact::owe(app, now)?;
    let words = expired.counts.iter().map(|(kind, count)| format!("{count} {}", kind.as_str()));
    app.audit(None, "retention", "log", words.collect::<Vec<_>>().join(", "));
    Ok(expired.counts)
}

#[cfg(test)]
mod tests {
    use mercer_shared::wire::{Interaction, Item, User};

    use super::*;
    use crate::ingest::consent::api_origin;
    use crate::ingest::{users, write};
    use crate::state::config::{Config, RetentionConfig};
    use crate::versions::test_app::TestApp;

    const DAY: i64 = 86_400_000;

    #[test]
    fn what_is_older_than_its_type_is_kept_goes_from_store_and_memory() {
        let retention = RetentionConfig { search_days: 30, view_days: 10, ..RetentionConfig::default() };
        let app = TestApp::with(Config { retention, ..Config::default() });
        assert!(write::items(&app, vec![Item::new("i".parse().unwrap(), "lamp")]).remove(0).is_ok());
        assert!(users::users(&app, vec![User::new("doc".parse().unwrap())], &api_origin(None)).remove(0).is_ok());
        let now = Timestamp::now();
        let ago = |days: i64| Timestamp::at(now.millis() - days * DAY);
        let lines = serde_json::json!([
            {"user": "vera", "type": "search", "query": "old words", "at": ago(31)},
            {"user": "vera", "type": "search", "query": "new words", "at": ago(29)},
            {"user": "vera", "type": "view", "item": "i", "at": ago(11)},
            {"user": "vera", "type": "purchase", "item": "i", "at": ago(900)},
            {"user": "gone", "type": "view", "item": "i", "at": ago(12)},
            {"user": "doc", "type": "view", "item": "i", "at": ago(12)},
            {"session": "s", "type": "view", "item": "i", "at": ago(12)},
        ]);
        let lines: Vec<Interaction> = serde_json::from_value(lines).unwrap();
        assert!(write::interactions(&app, lines, &api_origin(None)).iter().all(Result::is_ok));
        app.publish();

        let counts = apply(&app, now).unwrap();
        assert_eq!(counts, [(InteractionType::Search, 1), (InteractionType::View, 4)].into());
        let left: Vec<String> = app
            .store
            .scan_interactions(0)
            .unwrap()
            .named()
            .map(|line| line.unwrap().1)
            .map(|line| line.query.unwrap_or_else(|| line.kind.as_str().to_owned()))
            .collect();
        assert_eq!(left, ["new words", "purchase"]);
        let view = app.view();
        let vera = view.user_number("vera").unwrap();
        assert_eq!(view.rank.log.events(vera).len(), 2);
        let queries: Vec<&str> = view.subject(vera).unwrap().queries.iter().map(|query| &*query.text).collect();
        assert_eq!(queries, ["new words"]);
        assert!(view.texts.number("old words").is_none() && view.texts.number("new words").is_some());
        assert!(view.user_number("gone").is_none() && view.session_index.is_empty());
        assert!(view.user_number("doc").is_some(), "a document stays");
        assert!(!app.store.is_erased(&"gone".parse().unwrap()), "nobody was erased");
        assert!(apply(&app, now).unwrap().is_empty(), "the second time there is nothing to do");
        let counts = app.store.counts();
        drop(app);
        assert_eq!(counts.interactions, 2);
    }
}
