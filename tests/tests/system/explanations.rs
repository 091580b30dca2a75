//! Reasons of lists: their ranks come true where the named events never happened; the audit log notes and proves what was done.

use std::time::Duration;

use mercer_shared::wire::{
    ConsentChoice, Interaction, Item, ListQuery, Reason, ReasonCategory, ServedList, UnexplainedCode,
};
use mercer_tests::{Daemon, Options, item};
use serde_json::json;

/// Forty things, four dozen shoppers with tastes, and "me", who bought the first thing often before looking at a dozen others.
fn log() -> (Vec<Item>, Vec<Interaction>) {
    let items = (0..40).map(|n| item(&format!("i{n}"), &format!("Thing {n}"))).collect();
    let mut lines = Vec::new();
    let mut add = |user: &str, kind: &str, thing: u32, day: u32| {
        let id = format!("{user}-{kind}-{thing}-{day}");
        let at = format!("2024-{:02}-{:02}T10:00:00Z", 1 + day / 28, 1 + day % 28);
        let line = json!({"id": id, "user": user, "type": kind, "item": format!("i{thing}"), "at": at});
        lines.push(serde_json::from_value(line).unwrap());
    };
    for user in 0..48u32 {
        for visit in 0..6u32 {
            add(
                &format!("u{user}"),
                "purchase",
                user % 4 * 10 + (user * 7 + visit * visit * 3) % 10,
                3 + visit * 20 + user % 9,
            );
        }
    }
    (0..8).for_each(|n| add("me", "purchase", 0, 4 + 9 * n));
    (0..12).for_each(|n| add("me", "view", 1 + 3 * n, 100));
    (items, lines)
}

fn key() -> Options {
    Options { key: Some(vec![9; 32]), ..Options::default() }
}

fn daemon(lines: &[Interaction]) -> Daemon {
    let daemon = Daemon::start_with(&key());
    let (items, _) = log();
    let text = |documents: Vec<String>| documents.join("\n").into_bytes();
    let items = text(items.iter().map(|item| serde_json::to_string(item).unwrap()).collect());
    let lines = text(lines.iter().map(|line| serde_json::to_string(line).unwrap()).collect());
    for (path, body) in [("/v1/items", items), ("/v1/interactions", lines)] {
        let answer = daemon.http("POST", path, "application/x-ndjson", &body);
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
    daemon.embedded();
    daemon.fitted();
    daemon
}

fn list(daemon: &Daemon, reasons: bool, k: u32) -> ServedList {
    let query = ListQuery { k: Some(k), reasons: Some(reasons), ..ListQuery::default() };
    daemon.ask(async |client| client.recommend("me", &query).await).unwrap()
}

fn rank(list: &ServedList, id: &str) -> u32 {
    list.items.iter().position(|row| row.id.as_str() == id).map_or(u32::MAX, |place| place as u32 + 1)
}

#[test]
fn stated_falls_come_true_on_a_daemon_without_the_named_events() {
    let (_, lines) = log();
    let one = daemon(&lines);
    let served = list(&one, true, 10);
    let scope = served.explanation.expect("a list with reasons says how far they were searched");
    assert!(scope.complete && scope.own == 13 && scope.own_tried == 13, "{scope:?}");
    for row in &served.items {
        assert_eq!(row.reasons.is_empty(), row.unexplained.is_some(), "{row:?}");
        assert!(row.parts.iter().map(|part| part.score).sum::<f64>() - row.score < 1e-4, "{row:?}");
    }
    // The thing that was bought often, but before twelve others were looked at.
    let first = served.items.iter().find(|row| row.id.as_str() == "i0").expect("an own repeat is listed");
    let reason = &first.reasons[0];
    assert_eq!(reason.category, ReasonCategory::OwnItem, "{first:?}");
    // The deepest falls that name own events, each on a daemon of its own.
    let fall = |reason: &Reason| reason.rank_without.unwrap_or(u32::MAX) - reason.rank.unwrap();
    let mut claims: Vec<(&str, &Reason)> = served
        .items
        .iter()
        .flat_map(|row| row.reasons.iter().map(|reason| (row.id.as_str(), reason)))
        .filter(|(_, reason)| reason.item.is_some() && reason.together_with.is_none())
        .collect();
    claims.sort_by_key(|(_, reason)| std::cmp::Reverse(fall(reason)));
    assert!(claims.len() >= 2, "{:?}", served.items);
    for (id, reason) in claims.into_iter().take(2) {
        let named = reason.item.as_ref().unwrap();
        let without = lines.iter().filter(|line| {
            !(line.user.as_ref().is_some_and(|user| user.as_str() == "me") && line.item.as_ref() == Some(named))
        });
        let two = daemon(&without.cloned().collect::<Vec<_>>());
        let found = rank(&list(&two, false, 40), id);
        assert!(found > reason.rank.unwrap(), "{id}: {reason:?}, found at {found}");
    }
}

#[test]
fn the_command_replays_reasons_and_consent_switches_them_off() {
    let (_, lines) = log();
    let daemon = daemon(&lines);
    let found = daemon.mercer_json(&["eval", "explanations", "--lists", "8", "--refits", "2"]);
    assert_eq!((found["lists"].as_u64(), found["valid"].as_bool()), (Some(8), Some(true)), "{found}");
    assert!(found["validity"]["n"].as_u64() > Some(10) && found["validity"]["share"].as_f64() == Some(1.0), "{found}");
    let text = daemon.mercer_ok(&["eval", "explanations", "--lists", "8", "--refits", "0"]);
    assert!(text.contains("stated ranks that come true") && text.contains("at least 95 %"), "{text}");
    let text = daemon.mercer_ok(&["recommend", "me", "-k", "5", "--reasons"]);
    assert!(text.contains("own item: without") && text.contains("reasons: tried 13 of 13 own items"), "{text}");
    let refused = ConsentChoice { explanations: Some(false), ..ConsentChoice::UNSAID };
    daemon.ask(async |client| client.change_consent("me", &refused).await).unwrap();
    let served = list(&daemon, true, 5);
    for row in &served.items {
        assert!(row.reasons.is_empty(), "{row:?}");
        assert_eq!(row.unexplained.as_ref().map(|none| none.code), Some(UnexplainedCode::NotAgreed));
    }
}

#[test]
fn what_was_done_stands_in_a_log_that_proves_itself() {
    let (_, lines) = log();
    let daemon = daemon(&lines[..10]);
    let one = serde_json::to_vec(&lines[20]).unwrap();
    assert_eq!(daemon.http("POST", "/v1/interactions", "application/json", &one).status, 200);
    assert_eq!(daemon.http("POST", "/v1/users", "application/json", br#"{"id": "kim"}"#).status, 200);
    for _ in 0..30 {
        assert_eq!(daemon.http("POST", "/v1/items", "application/json", br#"{"id": "", "title": "x"}"#).status, 422);
    }
    daemon.mercer_ok(&["export"]);
    let actions = || {
        let page = daemon.ask(async |client| client.audit(None, Some(1_000)).await).unwrap();
        page.items.into_iter().map(|entry| (entry.action, entry.target, entry.detail)).collect::<Vec<_>>()
    };
    let has = |action: &str, target: &str| actions().iter().any(|entry| entry.0 == action && entry.1 == target);
    assert!(has("export", "store") && has("batch", "items"), "{:?}", actions());
    let one = |entry: &&(String, String, String)| entry.0 == "write" && entry.2 == "users";
    assert_eq!(actions().iter().filter(one).count(), 1, "{:?}", actions());
    // Frequent acts are written once their minute is over.
    let written = eventually_for(Duration::from_secs(150), || has("refused", "POST /v1/items"));
    assert!(written, "{:?}", actions());
    let refused: Vec<_> = actions().into_iter().filter(|entry| entry.0 == "refused").collect();
    assert!(refused.len() <= 3 && refused.iter().any(|entry| entry.2.contains("30 bad-id")), "{refused:?}");
    let text = daemon.mercer_ok(&["audit", "verify"]);
    assert!(text.contains("the audit log is whole") && text.contains("head "), "{text}");
    let head = daemon.mercer_json(&["audit", "verify"])["head"].as_str().unwrap().to_owned();
    daemon.mercer_ok(&["audit", "verify", "--head", &head]);
    assert_eq!(daemon.mercer(&["audit", "verify", "--head", &"0".repeat(64)]).status.code(), Some(1));
    assert_eq!(daemon.mercer(&["audit", "verify", "--head", "zz"]).status.code(), Some(2));
    // A pseudonym can be asked for, and revealed.
    let pseudonym = "0".repeat(64);
    assert_ne!(daemon.mercer(&["user", "reveal", &pseudonym]).status.code(), Some(0));
}

/// Asks until something holds or the time is over.
fn eventually_for(limit: Duration, holds: impl Fn() -> bool) -> bool {
    mercer_tests::within(limit, || holds().then_some(())).0.is_some()
}
