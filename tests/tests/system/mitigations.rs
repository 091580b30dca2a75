//! Mitigations from the outside: a price is measured without changing anything, a switch changes the lists of its placement alone, an undo
//! brings the old ones back to the bit, and settings that cannot work are refused before anything of them applies.

use mercer_shared::wire::{
    Item, ListQuery, Mitigation, MitigationAction, MitigationSettings, Mode, PriceStatus, SearchRequest, ServedList,
};
use mercer_tests::shop::{END, Shop};
use mercer_tests::{Daemon, at, item, purchase};

const SHOP: Shop = Shop { seed: 11, users: 300, items: 150, interactions: 9_000 };
/// Shoppers whose lists are compared.
const USERS: u32 = 25;

fn settings(rerankers: &str) -> MitigationSettings {
    serde_json::from_str(&format!(r#"{{"rerankers": [{rerankers}]}}"#)).unwrap()
}

fn open() -> Daemon {
    let daemon = Daemon::start();
    SHOP.open(&daemon);
    daemon.embedded();
    daemon.fitted();
    daemon
}

fn query(placement: Option<&str>) -> ListQuery {
    ListQuery { k: Some(10), at: Some(at(END)), placement: placement.map(str::to_owned), ..ListQuery::default() }
}

/// Items with the bits of their scores, one line a list: for shoppers, of an item, of everybody.
fn lists(daemon: &Daemon, placement: Option<&str>) -> Vec<Vec<(String, u64)>> {
    let query = query(placement);
    let bits = |list: ServedList| list.items.into_iter().map(|row| (row.id.to_string(), row.score.to_bits())).collect();
    let users = (0..USERS).map(|user| format!("sim-u{user:06}"));
    let mut all: Vec<_> = users
        .filter_map(|user| daemon.ask(async |client| client.recommend(&user, &query).await).ok())
        .map(bits)
        .collect();
    assert!(all.len() > 10, "{}", all.len());
    all.push(bits(daemon.ask(async |client| client.related("sim-i000001", &query).await).unwrap()));
    all.push(bits(daemon.ask(async |client| client.trending(&query).await).unwrap()));
    all
}

fn set(daemon: &Daemon, placement: &str, rerankers: &str) -> Mitigation {
    daemon.ask(async |client| client.set_mitigation(placement, &settings(rerankers)).await).unwrap()
}

#[test]
fn a_price_changes_nothing_a_switch_changes_its_placement_and_an_undo_restores_it_to_the_bit() {
    const MMR: &str = r#"{"kind":"mmr","lambda":0.3}"#;
    let mut daemon = open();
    let plain = lists(&daemon, None);
    assert_eq!(lists(&daemon, Some("home")), plain, "nothing is on anywhere");

    let price = daemon.ask(async |client| client.mitigation_price("home", &settings(MMR)).await).unwrap();
    assert!(price.users > 20 && price.lists_changed > 0 && price.lists_changed <= price.users, "{price:?}");
    for name in ["ndcg@10", "coverage@10", "gini@10", "effective-items@10", "long-tail-share@10"] {
        let row = price.rows.iter().find(|row| row.name == name).unwrap_or_else(|| panic!("no {name}: {price:?}"));
        let (before, after, difference) = (row.before.unwrap(), row.after.unwrap(), row.difference.unwrap());
        assert!((after - before - difference).abs() < 1e-9, "{row:?}");
        assert!(row.low.unwrap() <= row.high.unwrap(), "{row:?}");
    }
    assert!(price.rows.iter().any(|row| row.name.starts_with("worst-group")), "{price:?}");
    // What was before is what the report of the same window says under the same name.
    let report = daemon.mercer_json(&["report", "diversity"]);
    for row in price.rows.iter().filter(|row| {
        ["coverage@10", "gini@10", "effective-items@10", "long-tail-share@10"].contains(&row.name.as_str())
    }) {
        let reported = report["rows"].as_array().unwrap().iter().find(|other| other["name"] == row.name.as_str());
        let value =
            reported.and_then(|other| other["value"].as_f64()).unwrap_or_else(|| panic!("{}: {report}", row.name));
        assert!((row.before.unwrap() - value).abs() < 1e-9 * value.abs().max(1.0), "{}: {row:?} {value}", row.name);
    }
    assert_eq!(lists(&daemon, Some("home")), plain, "a price changes nothing");
    assert!(daemon.ask(async |client| client.mitigations().await).unwrap().is_empty());
    let refused = daemon.ask(async |client| client.mitigation("home").await).unwrap_err();
    assert_eq!(refused.code.as_str(), "unknown-placement");

    let on = set(&daemon, "home", MMR);
    assert_eq!((on.current.version, on.current.action), (1, MitigationAction::Set));
    assert_eq!((on.price_status, on.price.as_ref()), (PriceStatus::Measured, Some(&price)));
    let mitigated = lists(&daemon, Some("home"));
    assert_ne!(mitigated, plain);
    assert_eq!(lists(&daemon, None), plain, "other placements stay as they are");
    assert!(daemon.terminate());
    daemon.launch();
    daemon.embedded();
    daemon.fitted();
    assert_eq!(lists(&daemon, Some("home")), mitigated, "a switch outlives a restart");

    let unpriced = set(&daemon, "home", r#"{"kind":"dpp"}"#);
    assert_eq!((unpriced.price_status, unpriced.price), (PriceStatus::NotMeasured, None));
    let back = daemon.ask(async |client| client.undo_mitigation("home").await).unwrap();
    assert_eq!(back.current.rerankers, on.current.rerankers);
    assert_eq!(lists(&daemon, Some("home")), mitigated, "the first setting is back");
    let off = daemon.ask(async |client| client.undo_mitigation("home").await).unwrap();
    assert_eq!((off.price_status, off.current.version, off.history.len()), (PriceStatus::Off, 4, 3));
    assert_eq!(lists(&daemon, Some("home")), plain, "and then the plain lists, to the bit");
    let nothing = daemon.ask(async |client| client.undo_mitigation("home").await).unwrap_err();
    assert_eq!(nothing.code.as_str(), "conflict");

    let audit = daemon.ask(async |client| client.audit(None, Some(50)).await).unwrap().items;
    let of = |action: &str| audit.iter().filter(|entry| entry.action == action && entry.target == "home").count();
    assert_eq!((of("mitigation-set"), of("mitigation-undo"), of("mitigation-what-if")), (2, 2, 1));
    let entry = audit.iter().find(|entry| entry.action == "mitigation-undo").unwrap();
    assert!(entry.detail.contains("before [{\"kind\":\"mmr\"") && entry.detail.ends_with("after []"), "{entry:?}");
}

#[test]
fn a_moved_row_says_so_and_no_rule_of_eligibility_is_broken() {
    let daemon = open();
    let items = daemon.ask(async |client| client.items(None, None, Some(1_000)).await).unwrap().items;
    let seller = |list: &ServedList, rank: usize| -> Option<String> {
        items.iter().find(|item: &&Item| item.id == list.items[rank].id)?.seller.clone()
    };
    let user = "sim-u000003";
    let ask = |placement, mode, filter: Option<String>| {
        let query = ListQuery { at: None, reasons: Some(true), mode: Some(mode), filter, ..query(placement) };
        daemon.ask(async |client| client.recommend(user, &query).await).unwrap()
    };
    let plain = ask(None, Mode::Repeat, None);
    assert!(plain.items.iter().all(|row| row.moved.is_none()));
    // The seller of the last row is owed two fifths of all exposure.
    let last = seller(&plain, 9).unwrap();
    set(&daemon, "basket", &format!(r#"{{"kind":"exposure","floors":{{"{last}":0.4}}}}"#));
    let moved = ask(Some("basket"), Mode::Repeat, None);
    let up =
        moved.items.iter().enumerate().find(|(_, row)| row.moved.as_ref().is_some_and(|moved| moved.to < moved.from));
    let (place, row) = up.unwrap_or_else(|| panic!("nothing moved up: {moved:?}"));
    let said = row.moved.as_ref().unwrap();
    assert_eq!(said.to as usize, place + 1);
    assert!(
        moved
            .items
            .iter()
            .flat_map(|row| &row.moved)
            .any(|moved| moved.by == format!("exposure floor for seller {last}"))
    );
    if (said.from as usize) <= plain.items.len() {
        assert_eq!(plain.items[said.from as usize - 1].id, row.id, "it stood where it says");
    }
    // Served lists pay the debt off: over many of them the seller gets its share.
    let (mut theirs, mut total) = (0.0, 0.0);
    for _ in 0..30 {
        let list = ask(Some("basket"), Mode::Repeat, None);
        for rank in 0..list.items.len() {
            let attention = 1.0 / (rank as f64 + 2.0).log2();
            total += attention;
            theirs += if seller(&list, rank).as_ref() == Some(&last) { attention } else { 0.0 };
        }
    }
    assert!((0.33..0.5).contains(&(theirs / total)), "{theirs} of {total}");

    let new = ask(Some("basket"), Mode::New, None);
    let profile = daemon.ask(async |client| client.profile(user, None).await).unwrap();
    let had = |id: &str| {
        profile.recent_events.iter().any(|event| {
            event.kind.as_str() == "purchase" && event.item.as_ref().is_some_and(|item| item.as_str() == id)
        })
    };
    assert!(!new.items.is_empty() && new.items.iter().all(|row| !had(row.id.as_str())));
    let brand = items.iter().find_map(|item| item.brand.clone()).unwrap();
    let filtered = ask(Some("basket"), Mode::Repeat, Some(format!("brand:{brand}")));
    let brand_of = |id: &mercer_shared::ids::ItemId| items.iter().find(|item| item.id == *id)?.brand.clone();
    assert!(!filtered.items.is_empty() && filtered.items.iter().all(|row| brand_of(&row.id).as_ref() == Some(&brand)));
    // Mitigations of lists leave searches alone, unless the search names the placement.
    set(&daemon, "default", r#"{"kind":"popularity","gamma":-1}"#);
    let search = |placement: Option<&str>| {
        let placement = placement.map(str::to_owned);
        let request = SearchRequest { q: "dress".into(), k: Some(10), placement, ..SearchRequest::default() };
        let list = daemon.ask(async |client| client.search(&request).await).unwrap();
        list.items.into_iter().map(|row| row.id.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(search(None), search(Some("nowhere")));
    assert_ne!(search(None), search(Some("default")));
}

#[test]
fn settings_that_cannot_work_are_refused_and_nothing_of_them_applies() {
    let daemon = Daemon::start();
    let refusal = |method: &str, path: &str, body: &str| {
        let answer = daemon.http(method, path, "application/json", body.as_bytes());
        assert!(answer.status >= 400, "{method} {path} {body}: {}", answer.json);
        answer.code().to_owned()
    };
    let mut lamp = item("lamp", "Lamp");
    lamp.seller = Some("Acme".into());
    daemon.ask(async |client| client.put_item(&lamp).await).unwrap();
    daemon.ask(async |client| client.interact(&purchase("1", "u", "lamp")).await).unwrap();
    daemon.published();
    for (rerankers, code) in [
        (r#"[{"kind":"mmr","lambda":1.5}]"#, "out-of-range"),
        (r#"[{"kind":"det_greedy","by":"seller","shares":{"Acme":0.9}}]"#, "bad-shares"),
        (r#"[{"kind":"xquad","by":"attribute:colour"}]"#, "unknown-attribute"),
        (r#"[{"kind":"exposure","floors":{"Nobody":0.1}}]"#, "unknown-attribute"),
        (r#"[{"kind":"exposure","floors":{"Acme":0.5},"caps":{"Acme":0.4}}]"#, "conflicting-constraints"),
        (r#"[{"kind":"mmr","lamda":0.5}]"#, "wrong-type"),
        (r#"[{"kind":"magic"}]"#, "wrong-type"),
    ] {
        let body = format!(r#"{{"rerankers": {rerankers}}}"#);
        assert_eq!(refusal("PUT", "/v1/mitigations/home", &body), code, "{body}");
        assert_eq!(refusal("POST", "/v1/mitigations/home/what-if", &body), code, "{body}");
    }
    let good = r#"{"rerankers": [{"kind":"mmr"}]}"#;
    assert_eq!(refusal("PUT", "/v1/mitigations/Home", good), "bad-placement");
    assert_eq!(refusal("GET", "/v1/trending?placement=a%20b", ""), "bad-placement");
    for (method, path) in [("GET", ""), ("DELETE", ""), ("POST", "/undo")] {
        assert_eq!(refusal(method, &format!("/v1/mitigations/home{path}"), ""), "unknown-placement", "{method} {path}");
    }
    assert_eq!(refusal("POST", "/v1/mitigations/home/what-if", good), "not-enough-data", "the log has no window");
    assert!(daemon.ask(async |client| client.mitigations().await).unwrap().is_empty());

    let file = daemon.file("mmr.json", good);
    let told = daemon.mercer_ok(&["mitigation", "set", &file, "--placement", "home"]);
    assert!(told.contains("mmr (lambda 0.7)") && told.contains("not measured"), "{told}");
    let told = daemon.mercer_ok(&["mitigation", "off", "--placement", "home"]);
    assert!(told.contains("off"), "{told}");
    let all = daemon.mercer_json(&["mitigation", "list"]);
    assert_eq!((all[0]["placement"].as_str(), all[0]["price_status"].as_str()), (Some("home"), Some("off")));
    let undone = daemon.mercer_json(&["mitigation", "undo", "--placement", "home"]);
    assert_eq!(undone["current"]["rerankers"][0]["kind"], "mmr");
}
