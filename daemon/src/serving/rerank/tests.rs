//! Tests of re-ranking on a small shop: what each family does to a list, and what rows say about it.

use std::sync::Arc;

use mercer_rank::{
    Catalogue, CollaborativeIndex, DAY_MS, Dataset, Event, IndexOptions, InteractionType, ItemFacts, Log, Snapshot,
    Vectors,
};
use mercer_shared::ids::ItemId;
use mercer_shared::wire::{Item, ListItem, Reranker};

use super::pool::Reranked;
use super::rows::reorder;
use super::{Candidate, RerankContext, rerank};
use crate::state::mitigations::{ActiveMitigations, FairTables};
use crate::state::served_exposure::{ServedExposure, ShownItem};

const NOW: i64 = 100 * DAY_MS;
/// Items: the first half lamps of Acme, the second half cups of Zeta. Item 0 is bought most.
const ITEMS: u32 = 40;

struct Shop {
    items: imbl::Vector<Arc<Item>>,
    snapshot: Snapshot,
    history: Vec<Event>,
    served: ServedExposure,
    tables: FairTables,
}

fn purchase(item: u32, day: i64) -> Event {
    Event { item: Some(item), text: None, kind: InteractionType::Purchase, value: 1.0, at: day * DAY_MS }
}

fn second_half(item: u32) -> bool {
    item >= ITEMS / 2
}

impl Shop {
    fn new() -> Self {
        let item = |number: u32| {
            let id = ItemId::new(format!("i{number}")).unwrap();
            let (category, seller) = if second_half(number) { ("cups", "Zeta") } else { ("lamps", "Acme") };
            let mut item = Item { seller: Some(seller.into()), ..Item::new(id, format!("item {number}")) };
            item.category = vec![category.into(), format!("kind {number}")];
            item.attributes.insert("origin".into(), if number.is_multiple_of(4) { "local" } else { "far" }.into());
            Arc::new(item)
        };
        let mut catalogue = Catalogue::new((0..ITEMS).map(|_| ItemFacts::default()));
        // Pairs of alike items: 0 and 1, 2 and 3; the last two have no vector.
        let vector = |number: u32| -> Arc<[f32]> {
            (0..ITEMS / 2).map(|axis| if axis == number / 2 { 1.0 } else { 0.01 * (number % 2) as f32 }).collect()
        };
        let rows = (0..ITEMS - 2).map(|number| (number, vector(number)));
        catalogue.set_vectors(Some(Vectors::from_rows(ITEMS as usize / 2, rows).unwrap()));
        let mut log = Log::new();
        for user in 0..20 {
            log.push(user, purchase(0, i64::from(user)));
            log.push(user, purchase(user % 5, i64::from(user) + 1));
        }
        let index = CollaborativeIndex::fit(Dataset { log: &log, catalogue: &catalogue }, NOW, &IndexOptions::light());
        // Six lamps and two cups.
        let history = (0..8).map(|n| purchase(if n < 6 { n } else { 20 + n }, 90 + i64::from(n))).collect();
        Self {
            items: (0..ITEMS).map(item).collect(),
            snapshot: Snapshot { log, catalogue, index: Arc::new(index) },
            history,
            served: ServedExposure::default(),
            tables: FairTables::default(),
        }
    }

    fn context(&self) -> RerankContext<'_> {
        let Self { items, snapshot, history, served, tables } = self;
        RerankContext { items, snapshot, history, at: NOW, served, tables }
    }

    /// Re-ranks all items in the order of their numbers for a list of ten.
    fn rerank(&self, rerankers: &str) -> Reranked {
        let rerankers: Vec<Reranker> = serde_json::from_str(&format!("[{rerankers}]")).unwrap();
        let active = ActiveMitigations { placement: "home".into(), rerankers };
        rerank(&self.context(), &active, &candidates(), 10)
    }
}

fn candidates() -> Vec<Candidate> {
    (0..ITEMS).map(|item| Candidate { item, score: 5.0 - f64::from(item) / 10.0 }).collect()
}

/// Items of the second half among the first places.
fn second_halves(done: &Reranked, first: usize) -> usize {
    done.order.iter().take(first).filter(|&&place| second_half(place as u32)).count()
}

#[test]
fn every_order_is_one_of_all_candidates() {
    let shop = Shop::new();
    for reranker in [
        r#"{"kind":"mmr"}"#,
        r#"{"kind":"dpp"}"#,
        r#"{"kind":"xquad","lambda":0.9}"#,
        r#"{"kind":"calibrated"}"#,
        r#"{"kind":"det_greedy","by":"seller","shares":{"Zeta":0.5,"*":0.5}}"#,
        r#"{"kind":"fair_star_ir","by":"seller","protected":"Zeta","p":0.5}"#,
        r#"{"kind":"exposure","floors":{"Zeta":0.3}}"#,
        r#"{"kind":"popularity"}"#,
    ] {
        let done = shop.rerank(reranker);
        let mut all = done.order.clone();
        all.sort_unstable();
        assert!(all.into_iter().eq(0..ITEMS as usize), "{reranker}: {done:?}");
        let plain: Vec<usize> = (0..ITEMS as usize).collect();
        assert_ne!(done.order, plain, "{reranker} changes nothing");
        for (to, &from) in done.order.iter().enumerate().take(10) {
            assert_eq!(done.by[from].is_empty(), to == from, "{reranker}: {from} to {to} by {:?}", done.by[from]);
        }
    }
}

#[test]
fn a_weight_of_nothing_leaves_the_list_bit_for_bit() {
    let shop = Shop::new();
    let plain: Vec<usize> = (0..ITEMS as usize).collect();
    for reranker in [
        r#"{"kind":"mmr","lambda":1}"#,
        r#"{"kind":"xquad","lambda":0}"#,
        r#"{"kind":"calibrated","lambda":0}"#,
        r#"{"kind":"popularity","gamma":0}"#,
    ] {
        let done = shop.rerank(reranker);
        assert_eq!(done.order, plain, "{reranker}");
        assert!(done.by.iter().all(String::is_empty));
    }
}

#[test]
fn diversity_parts_items_that_are_alike_and_says_who_has_no_vector() {
    let shop = Shop::new();
    for reranker in [r#"{"kind":"mmr","lambda":0.5}"#, r#"{"kind":"dpp","theta":0.5}"#] {
        let done = shop.rerank(reranker);
        let alike = |pair: [usize; 2]| pair.map(|item| done.order[..10].contains(&item)) == [true; 2];
        assert!(!alike([0, 1]) && !alike([2, 3]), "{reranker}: {done:?}");
        assert!(done.notes[0].contains("2 of 40 candidates have no vector"), "{:?}", done.notes);
    }
}

#[test]
fn target_shares_hold_in_every_prefix() {
    let shop = Shop::new();
    let done = shop.rerank(r#"{"kind":"det_greedy","by":"seller","shares":{"Zeta":0.3,"*":0.7}}"#);
    for first in 1..=10 {
        let held = second_halves(&done, first) as f64;
        let wanted = first as f64 * 0.3;
        assert!(held >= wanted.floor() && held <= wanted.ceil(), "{held} of {first}");
    }
    assert!(done.by.iter().any(|by| by == "target share of 30 % for seller Zeta"), "{:?}", done.by);
}

#[test]
fn fair_prefixes_hold_enough_of_the_protected_group() {
    let shop = Shop::new();
    let done = shop.rerank(r#"{"kind":"fair_star_ir","by":"category","protected":"cups","p":0.5,"alpha":0.1}"#);
    // METRICS.md TV-F5: the adjusted table of (10, .5, .1).
    for (first, least) in [0, 0, 0, 0, 1, 1, 2, 2, 2, 3].into_iter().enumerate() {
        assert!(second_halves(&done, first + 1) >= least, "{done:?}");
    }
    assert_eq!(second_halves(&done, 10), 3, "no more than the table demands");
    assert!(done.by.iter().any(|by| by == "fair prefixes (FA*IR) for category cups"));
}

#[test]
fn an_exposure_floor_is_paid_over_lists_and_named_as_the_cause() {
    let shop = Shop::new();
    let floor = r#"{"kind":"exposure","floors":{"Zeta":0.25}}"#;
    let (mut zeta, mut total) = (0.0, 0.0);
    let mut named = false;
    for _ in 0..60 {
        let done = shop.rerank(floor);
        let list: Vec<usize> = done.order.iter().copied().take(10).collect();
        named |= list.iter().any(|&place| done.by[place] == "exposure floor for seller Zeta");
        let sellers = list.iter().map(|&place| shop.items[place].seller.as_deref());
        shop.served.record("home", NOW, sellers.map(|seller| ShownItem { seller, brand: None }));
        for (position, &place) in list.iter().enumerate() {
            let attention = 1.0 / (position as f64 + 2.0).log2();
            total += attention;
            zeta += if second_half(place as u32) { attention } else { 0.0 };
        }
    }
    let share = zeta / total;
    assert!(named && (0.22..0.30).contains(&share), "{share}");
    // A cap on the other seller does the same from above.
    let other = Shop::new();
    for _ in 0..60 {
        let done = other.rerank(r#"{"kind":"exposure","caps":{"Acme":0.75}}"#);
        let sellers = done.order.iter().take(10).map(|&place| other.items[place].seller.as_deref());
        other.served.record("home", NOW, sellers.map(|seller| ShownItem { seller, brand: None }));
    }
    assert!(second_halves(&other.rerank(r#"{"kind":"exposure","caps":{"Acme":0.75}}"#), 10) >= 1);
}

#[test]
fn popularity_is_taken_out_or_put_in() {
    let shop = Shop::new();
    let down = shop.rerank(r#"{"kind":"popularity","gamma":-0.5}"#);
    assert_ne!(down.order[0], 0, "item 0 sells most and falls");
    let up = shop.rerank(r#"{"kind":"popularity","gamma":0.5}"#);
    assert_eq!(up.order[0], 0);
}

#[test]
fn a_shopper_without_history_keeps_the_list_and_it_is_said() {
    let shop = Shop { history: Vec::new(), ..Shop::new() };
    for reranker in [r#"{"kind":"xquad"}"#, r#"{"kind":"calibrated"}"#] {
        let done = shop.rerank(reranker);
        assert!(done.order.iter().copied().eq(0..ITEMS as usize), "{done:?}");
        assert!(done.notes[0].contains("left the list as it was"), "{:?}", done.notes);
    }
}

#[test]
fn a_calibrated_list_holds_both_of_the_shoppers_categories() {
    let shop = Shop::new();
    let done = shop.rerank(r#"{"kind":"calibrated","lambda":0.9}"#);
    // Two of eight purchases are cups, the later ones.
    assert!((2..=4).contains(&second_halves(&done, 10)), "{done:?}");
}

#[test]
fn a_second_reranker_respects_what_the_first_one_made() {
    let shop = Shop::new();
    let shares = r#"{"kind":"det_greedy","by":"seller","shares":{"Zeta":0.5,"*":0.5}}"#;
    let one = shop.rerank(shares);
    let both = shop.rerank(&format!(r#"{shares}, {{"kind":"mmr","lambda":1}}"#));
    assert_eq!(one.order, both.order, "relevance belongs to the place");
    assert_eq!(one.by, both.by);
}

fn row(item: u32) -> ListItem {
    ListItem {
        id: ItemId::new(format!("i{item}")).unwrap(),
        title: String::new(),
        category: Vec::new(),
        price: None,
        score: 1.0,
        probability: None,
        parts: Vec::new(),
        propensity: None,
        team: None,
        reasons: Vec::new(),
        unexplained: None,
        moved: None,
    }
}

#[test]
fn rows_say_how_they_moved_only_if_asked_and_rows_behind_the_head_stay() {
    let done = Reranked { order: vec![2, 0, 1], by: vec!["a".into(), "a".into(), "b".into()], notes: Vec::new() };
    let rows = |k, reasons| {
        let mut rows: Vec<ListItem> = (0..5).map(row).collect();
        reorder(&mut rows, &done, k, reasons);
        rows
    };
    let ids = |rows: &[ListItem]| rows.iter().map(|row| row.id.to_string()).collect::<Vec<_>>().join(" ");
    let shown = rows(5, true);
    assert_eq!(ids(&shown), "i2 i0 i1 i3 i4");
    let moved = shown[0].moved.as_ref().unwrap();
    assert_eq!((moved.from, moved.to, moved.by.as_str()), (3, 1, "b"));
    assert!(shown[3].moved.is_none());
    let plain = rows(2, false);
    assert_eq!(ids(&plain), "i2 i0");
    assert!(plain.iter().all(|row| row.moved.is_none()));
}
