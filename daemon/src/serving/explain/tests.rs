//! Reasons of lists whose causes are known.

use std::sync::Arc;

use mercer_rank::{CollaborativeIndex, IndexOptions};
use mercer_shared::ids::{ItemId, UserId};
use mercer_shared::time::Timestamp;
use mercer_shared::wire::{Candidates, Interaction, InteractionType, Item, Mode, OutOfStock};
use mercer_store::{Key, Store};

use super::*;
use crate::serving::list_query::row;
use crate::state::shop::ShopWriter;
use crate::state::shop::model::Model;
use crate::versions::startup::load_serving;

const NOW: i64 = 20_000 * DAY_MS;

/// One event of a log: who, what, which item, how many days ago.
struct Line(&'static str, InteractionType, u32, i64);

fn item(number: u32, categories: u32) -> Item {
    let id = ItemId::new(format!("i{number}")).unwrap();
    Item { category: vec![format!("c{}", number % categories)], ..Item::new(id, format!("Thing {number}")) }
}

fn model() -> (tempfile::TempDir, Arc<Model>) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("store"), Key::from_bytes([5; 32])).unwrap();
    let model = load_serving(&store, dir.path()).unwrap();
    (dir, model)
}

fn shop(model: Arc<Model>, items: impl IntoIterator<Item = Item>, lines: &[Line]) -> ShopState {
    let mut shop = ShopWriter::new(model);
    items.into_iter().for_each(|item| shop.put_item(item));
    for (seq, Line(user, kind, item, days)) in lines.iter().enumerate() {
        let event = Interaction {
            id: None,
            user: Some(UserId::new(*user).unwrap()),
            session: None,
            kind: *kind,
            item: Some(ItemId::new(format!("i{item}")).unwrap()),
            query: None,
            query_id: None,
            value: None,
            text: None,
            position: None,
            at: Timestamp::at(NOW - days * DAY_MS),
            source: None,
        };
        shop.interact(seq as u64, event);
    }
    let mut view = shop.view().clone();
    let index = CollaborativeIndex::fit(view.rank.dataset(), NOW, &IndexOptions::default());
    view.rank.index = Arc::new(index);
    view
}

fn request(k: usize, mode: Mode) -> ListRequest {
    ListRequest {
        k,
        filter: Default::default(),
        at: NOW,
        asked_at: None,
        mode,
        candidates: Candidates::All,
        reasons: true,
        out_of_stock: OutOfStock::Hide,
        profiling: Default::default(),
        mitigations: None,
        placement: String::new(),
        preview: false,
    }
}

struct Answer {
    rows: Vec<ListItem>,
    scope: ExplanationScope,
}

fn explained(view: &ShopState, user: Option<&str>, asked: &ListRequest, limit: Duration) -> Answer {
    let snapshot = view.rank.clone();
    let scorer = Scorer::new(view, &snapshot, NOW);
    let whom = user.map_or(Recipient::Session(&[]), |user| Recipient::User(view.user_number(user).unwrap()));
    let made =
        asked.list(view, asked.k, |allow| scorer.list(&snapshot, whom, NOW, &asked.request(Some(allow)))).unwrap();
    let mut rows: Vec<ListItem> = made.iter().filter_map(|ranked| row(view, ranked)).collect();
    let list = Explained { view, snapshot: &snapshot, scorer: &scorer, asked, whom, made: &made, limit };
    let scope = explain(list, &mut rows).unwrap();
    Answer { rows, scope }
}

const LONG: Duration = Duration::from_secs(3600);

/// Twelve shoppers with three purchases each; "me" bought item 0 often, long ago, and looked at twelve other things since.
fn busy() -> Vec<Line> {
    use InteractionType::{Purchase, View};
    const OTHERS: [&str; 12] = ["u0", "u1", "u2", "u3", "u4", "u5", "u6", "u7", "u8", "u9", "u10", "u11"];
    let mut lines = Vec::new();
    for (n, user) in OTHERS.into_iter().enumerate() {
        for step in 0..3 {
            lines.push(Line(user, Purchase, 20 + (n as u32 * 3 + step * 5) % 30, 5 + n as i64));
        }
    }
    lines.extend((0..8).map(|n| Line("me", Purchase, 0, 60 + 9 * n)));
    lines.extend((0..12).map(|n| Line("me", View, 1 + n, 3)));
    lines
}

#[test]
fn the_strongest_event_is_found_however_old_it_is() {
    let (_dir, model) = model();
    let view = shop(model, (0..60).map(|n| item(n, 5)), &busy());
    let answer = explained(&view, Some("me"), &request(20, Mode::Repeat), LONG);
    assert!(answer.scope.complete, "{:?}", answer.scope);
    assert_eq!((answer.scope.own, answer.scope.own_tried), (13, 13));
    let row = answer.rows.iter().find(|row| row.id.as_str() == "i0").unwrap();
    let first = &row.reasons[0];
    assert_eq!(
        (first.category, first.item.as_ref().map(ItemId::as_str)),
        (ReasonCategory::OwnItem, Some("i0")),
        "{row:?}"
    );
    assert!(first.rank_without.is_none_or(|rank| rank > first.rank.unwrap()), "{first:?}");
    assert!(first.text.contains("your own earlier interest in it this item would fall from rank"), "{}", first.text);
    // The deepest fall stands first.
    let fall = |reason: &Reason| reason.rank_without.unwrap_or(201) - reason.rank.unwrap();
    for row in &answer.rows {
        assert!(row.reasons.windows(2).all(|pair| fall(&pair[0]) >= fall(&pair[1])), "{row:?}");
        assert_eq!(row.reasons.is_empty(), row.unexplained.is_some(), "{row:?}");
    }
}

#[test]
fn stated_ranks_are_those_of_a_log_without_the_named_events() {
    let (_dir, model) = model();
    let view = shop(model, (0..60).map(|n| item(n, 5)), &busy());
    let asked = request(20, Mode::Repeat);
    let answer = explained(&view, Some("me"), &asked, LONG);
    let me = view.user_number("me").unwrap();
    let mut replayed = 0;
    for row in &answer.rows {
        for reason in row.reasons.iter().filter(|reason| reason.item.is_some() && reason.together_with.is_none()) {
            let left_out = view.item_number(reason.item.as_ref().unwrap().as_str());
            let mut erased = view.rank.clone();
            let events = erased.log.events(me).iter().filter(|event| event.item != left_out).copied().collect();
            erased.log.set_user(me, events);
            let scorer = Scorer::new(&view, &erased, NOW);
            let list = asked
                .list(&view, DEPTH, |allow| {
                    let request = mercer_rank::RankRequest { k: DEPTH, ..asked.request(Some(allow)) };
                    scorer.list(&erased, Recipient::User(me), NOW, &request)
                })
                .unwrap();
            let number = view.item_number(row.id.as_str()).unwrap();
            let rank = list.iter().position(|ranked| ranked.item == number).map(|place| place as u32 + 1);
            assert_eq!(rank, reason.rank_without, "{reason:?}");
            replayed += 1;
        }
    }
    assert!(replayed >= 5, "{replayed}");
}

#[test]
fn two_causes_that_hide_each_other_are_found_together() {
    let (_dir, model) = model();
    // Nobody else buys anything: only the category of the two purchases speaks for an item, and either of them suffices.
    let lines = [Line("me", InteractionType::Purchase, 0, 9), Line("me", InteractionType::Purchase, 5, 8)];
    let view = shop(model, (0..40).map(|n| item(n, 5)), &lines);
    let answer = explained(&view, Some("me"), &request(6, Mode::New), LONG);
    let together: Vec<&Reason> =
        answer.rows.iter().flat_map(|row| &row.reasons).filter(|reason| reason.together_with.is_some()).collect();
    assert!(!together.is_empty(), "{:?}", answer.rows);
    for reason in together {
        let second = reason.together_with.as_ref().unwrap();
        let mut items = [reason.item.as_ref().unwrap().as_str(), second.item.as_ref().unwrap().as_str()];
        items.sort_unstable();
        assert_eq!(items, ["i0", "i5"]);
        assert!(reason.text.starts_with("without both") && reason.text.contains("alone it stays"), "{}", reason.text);
    }
    assert!(answer.scope.pairs_tried > 0);
}

#[test]
fn popularity_and_other_people_are_reasons_without_names() {
    let (_dir, model) = model();
    use InteractionType::Purchase;
    let mut lines = vec![Line("me", Purchase, 0, 9)];
    // Who buys 0 also buys 7; everybody else buys 30 to 32.
    const FOLLOWERS: [&str; 6] = ["ann", "ben", "cat", "dan", "eve", "fay"];
    const CROWD: [&str; 8] = ["gus", "hal", "ivy", "jan", "kim", "leo", "mia", "ned"];
    for user in FOLLOWERS {
        lines.extend([Line(user, Purchase, 0, 12), Line(user, Purchase, 7, 11)]);
    }
    for user in CROWD {
        lines.extend([Line(user, Purchase, 30, 4), Line(user, Purchase, 31, 3), Line(user, Purchase, 32, 2)]);
    }
    let view = shop(model, (0..40).map(|n| item(n, 5)), &lines);
    let answer = explained(&view, Some("me"), &request(10, Mode::New), LONG);
    let by = |id: &str| answer.rows.iter().find(|row| row.id.as_str() == id).unwrap();
    let has = |row: &ListItem, category| row.reasons.iter().any(|reason| reason.category == category);
    assert!(has(by("i7"), ReasonCategory::PeopleLikeYou), "{:?}", by("i7"));
    let visitor = explained(&view, None, &request(10, Mode::Repeat), LONG);
    assert!(visitor.rows.iter().any(|row| has(row, ReasonCategory::PopularNow)), "{:?}", visitor.rows);
    assert_eq!(visitor.scope.own, 0);
    // The items named are the shopper's own; no text has another's id.
    for reason in answer.rows.iter().chain(&visitor.rows).flat_map(|row| &row.reasons) {
        assert!(reason.item.as_ref().is_none_or(|item| item.as_str() == "i0"), "{reason:?}");
        assert!(FOLLOWERS.iter().chain(&CROWD).all(|user| !reason.text.contains(user)), "{}", reason.text);
    }
}

#[test]
fn where_nothing_moves_a_row_that_is_said() {
    let (_dir, model) = model();
    let view = shop(model, [item(0, 1)], &[Line("me", InteractionType::Purchase, 0, 9)]);
    let answer = explained(&view, Some("me"), &request(5, Mode::Repeat), LONG);
    let none = answer.rows[0].unexplained.as_ref().unwrap();
    assert_eq!(none.code, UnexplainedCode::NothingMovesIt);
    assert!(none.text.contains("no honest explanation") && answer.rows[0].reasons.is_empty());
}

#[test]
fn a_limit_is_kept_and_said() {
    let (_dir, model) = model();
    let view = shop(model, (0..60).map(|n| item(n, 5)), &busy());
    let answer = explained(&view, Some("me"), &request(5, Mode::Repeat), Duration::ZERO);
    let ExplanationScope { own, own_tried, others_tried, limit_ms, complete, .. } = answer.scope;
    assert_eq!((own, own_tried, others_tried, limit_ms, complete), (13, 0, 0, 0, false));
    for row in &answer.rows {
        assert_eq!(row.unexplained.as_ref().map(|none| none.code), Some(UnexplainedCode::OutOfTime));
    }
}

#[test]
fn an_offer_is_a_price_below_the_list_price() {
    let (_dir, model) = model();
    let priced = |number, price: f64, listed: Option<&str>| {
        let mut item = Item { price: Some(price), ..item(number, 2) };
        item.attributes.extend(listed.map(|listed| ("list_price".to_owned(), listed.to_owned())));
        item
    };
    let items =
        [priced(0, 8.0, Some("10.0")), priced(1, 8.0, Some("8")), priced(2, 8.0, Some("ten")), priced(3, 8.0, None)];
    let view = shop(model, items, &[]);
    let found: Vec<Option<f64>> = (0..4).map(|n| list_price(&view, n)).collect();
    assert_eq!(found, [Some(10.0), None, None, None]);
}
