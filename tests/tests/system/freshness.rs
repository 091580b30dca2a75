//! What just happened shows in lists, profiles and searches without training. Changes become visible when the daemon publishes them,
//! which it counts: a test waits for that count and then asks once. How long it takes is a benchmark (`benches/socket.rs`).

use mercer_shared::time::Timestamp;
use mercer_shared::wire::{Interaction, InteractionType, ItemPatch, ListQuery, SearchRequest};
use mercer_tests::shop::SMALL;
use mercer_tests::{Daemon, eventually, interaction, item, purchase};

fn finds(daemon: &Daemon, q: &str, id: &str) -> bool {
    let request = SearchRequest { q: q.into(), k: Some(5), ..SearchRequest::default() };
    let list = daemon.ask(async |client| client.search(&request).await).unwrap();
    list.items.iter().any(|row| row.id.as_str() == id)
}

/// Whether the list of `newcomer` holds an item.
fn lists(daemon: &Daemon, id: &str) -> bool {
    let list = daemon.ask(async |client| client.recommend("newcomer", &ListQuery::default()).await).unwrap();
    list.items.iter().any(|row| row.id.as_str() == id)
}

#[test]
fn an_interaction_changes_the_next_list_and_profile() {
    let daemon = Daemon::start();
    SMALL.open(&daemon);
    daemon.embedded();
    for (round, item) in ["sim-i000003", "sim-i000011", "sim-i000027"].into_iter().enumerate() {
        let id = format!("fresh-{round}");
        let now = Interaction { at: Timestamp::now(), ..purchase(&id, "newcomer", item) };
        daemon.ask(async |client| client.interact(&now).await).unwrap();
        daemon.published();
        // Own repeats come into the list, and leave it when only new things are asked for.
        assert!(lists(&daemon, item), "{item} is not in the list");
        let profile = daemon.ask(async |client| client.profile("newcomer", None).await).unwrap();
        assert_eq!(profile.recent_events[0].kind, InteractionType::Purchase, "{profile:?}");
        assert_eq!(profile.recent_events.len(), round + 1, "{profile:?}");
    }
    let new = ListQuery { mode: Some(mercer_shared::wire::Mode::New), ..ListQuery::default() };
    let list = daemon.ask(async |client| client.recommend("newcomer", &new).await).unwrap();
    assert!(!list.items.is_empty() && list.items.iter().all(|row| row.id.as_str() != "sim-i000011"));
    let dismissal = Interaction { at: Timestamp::now(), ..interaction("d", "newcomer", "dismiss", "sim-i000027") };
    daemon.ask(async |client| client.interact(&dismissal).await).unwrap();
    daemon.published();
    assert!(!lists(&daemon, "sim-i000027"), "a dismissed item is still there");
}

#[test]
fn what_goes_together_is_known_without_a_fit_and_unknown_again_after_an_erasure() {
    let daemon = Daemon::start();
    SMALL.open(&daemon);
    daemon.ask(async |client| client.put_item(&item("sextant", "Brass sextant")).await).unwrap();
    daemon.embedded();
    // What the import left to fit is fitted; from here on the index only follows what is done.
    daemon.fitted();
    let fits = daemon.metric("mercer_index_fits_total");
    let related = || {
        let list = daemon.ask(async |client| client.related("sextant", &ListQuery::default()).await).unwrap();
        list.items.iter().map(|row| row.id.to_string()).collect::<Vec<_>>()
    };
    // Nobody has bought it, so its text alone says what is like it; the last of these is what will be bought with it.
    let before = related();
    let other = before.last().unwrap();
    let comes_first = || related().first() == Some(other);
    assert!(!comes_first());
    let shoppers = ["sailor-1", "sailor-2", "sailor-3"];
    for shopper in shoppers {
        for bought in ["sextant", other] {
            let now = Interaction { at: Timestamp::now(), ..purchase(&format!("{shopper}-{bought}"), shopper, bought) };
            daemon.ask(async |client| client.interact(&now).await).unwrap();
        }
    }
    // Six purchases are far from the tenth of the log after which everything is fitted anew.
    eventually("what was bought with it comes first", || comes_first().then_some(()));
    for shopper in shoppers {
        daemon.ask(async |client| client.erase(shopper).await).unwrap();
    }
    eventually("what nobody bought any more is forgotten", || (!comes_first()).then_some(()));
    assert_eq!(daemon.metric("mercer_index_fits_total"), fits, "everything was fitted anew");
}

#[test]
fn items_are_found_changed_and_hidden() {
    let daemon = Daemon::start();
    SMALL.open(&daemon);
    daemon.embedded();
    daemon.ask(async |client| client.put_item(&item("chess", "Walnut chessboard")).await).unwrap();
    // Among the first it is only with its vector.
    daemon.embedded();
    assert!(finds(&daemon, "chessboard", "chess"), "a new item is not found");
    let patch = ItemPatch { title: Some("Copper saxophone".into()), ..ItemPatch::default() };
    daemon.ask(async |client| client.patch_item("chess", &patch).await).unwrap();
    daemon.published();
    assert!(finds(&daemon, "saxophone", "chess"), "a changed item is not found");
    let patch = ItemPatch { hidden: Some(true), ..ItemPatch::default() };
    daemon.ask(async |client| client.patch_item("chess", &patch).await).unwrap();
    daemon.published();
    assert!(!finds(&daemon, "saxophone", "chess"), "a hidden item is still shown");
}

#[test]
fn an_item_is_found_by_what_it_means() {
    let daemon = Daemon::start();
    let shop = [
        ("chess", "Walnut chessboard"),
        ("hose", "Garden hose"),
        ("drill", "Cordless drill"),
        ("kettle", "Electric kettle"),
        ("boots", "Leather hiking boots"),
    ];
    for (id, title) in shop {
        daemon.ask(async |client| client.put_item(&item(id, title)).await).unwrap();
    }
    daemon.embedded();
    // No word in common: only the encoder can put these first.
    for (query, id) in
        [("board game for two players", "chess"), ("watering the lawn", "hose"), ("footwear for mountains", "boots")]
    {
        let request = SearchRequest { q: query.into(), ..SearchRequest::default() };
        let list = daemon.ask(async |client| client.search(&request).await).unwrap();
        assert_eq!(list.items[0].id.as_str(), id, "{query}: {list:?}");
    }
}
