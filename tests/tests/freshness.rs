//! What just happened shows: interactions within a second in list and profile, items within two in search. No training.

use std::time::Duration;

use mercer_shared::time::Timestamp;
use mercer_shared::wire::{Interaction, InteractionType, ItemPatch, ListQuery, SearchRequest};
use mercer_tests::shop::SMALL;
use mercer_tests::{Daemon, interaction, item, purchase, within};

const LISTS: Duration = Duration::from_secs(1);
const SEARCH: Duration = Duration::from_secs(2);

fn finds(daemon: &Daemon, q: &str, id: &str) -> Option<()> {
    let request = SearchRequest { q: q.into(), k: Some(5), ..SearchRequest::default() };
    let list = daemon.ask(async |client| client.search(&request).await).ok()?;
    list.items.iter().any(|row| row.id.as_str() == id).then_some(())
}

#[test]
fn an_interaction_changes_the_next_list_and_profile_within_a_second() {
    let daemon = Daemon::start();
    SMALL.open(&daemon);
    daemon.embedded();
    for (round, item) in ["sim-i000003", "sim-i000011", "sim-i000027"].into_iter().enumerate() {
        let id = format!("fresh-{round}");
        let now = Interaction { at: Timestamp::now(), ..purchase(&id, "newcomer", item) };
        daemon.ask(async |client| client.interact(&now).await).unwrap();
        // Own repeats come into the list, and leave it when only new things are asked for.
        let (shown, took) = within(LISTS, || {
            let list = daemon.ask(async |client| client.recommend("newcomer", &ListQuery::default()).await).ok()?;
            list.items.iter().any(|row| row.id.as_str() == item).then_some(())
        });
        assert!(shown.is_some(), "{item} is not in the list after {took:?}");
        let (known, took) = within(LISTS, || {
            let profile = daemon.ask(async |client| client.profile("newcomer", None).await).ok()?;
            let event = profile.recent_events.first()?;
            (event.kind == InteractionType::Purchase && profile.recent_events.len() == round + 1).then_some(())
        });
        assert!(known.is_some(), "the profile does not know of {item} after {took:?}");
    }
    let new = ListQuery { mode: Some(mercer_shared::wire::Mode::New), ..ListQuery::default() };
    let list = daemon.ask(async |client| client.recommend("newcomer", &new).await).unwrap();
    assert!(!list.items.is_empty() && list.items.iter().all(|row| row.id.as_str() != "sim-i000011"));
    let dismissal = Interaction { at: Timestamp::now(), ..interaction("d", "newcomer", "dismiss", "sim-i000027") };
    daemon.ask(async |client| client.interact(&dismissal).await).unwrap();
    let (gone, took) = within(LISTS, || {
        let list = daemon.ask(async |client| client.recommend("newcomer", &ListQuery::default()).await).ok()?;
        list.items.iter().all(|row| row.id.as_str() != "sim-i000027").then_some(())
    });
    assert!(gone.is_some(), "a dismissed item is still there after {took:?}");
}

#[test]
fn what_goes_together_is_known_without_a_fit_and_unknown_again_after_an_erasure() {
    let daemon = Daemon::start();
    SMALL.open(&daemon);
    daemon.ask(async |client| client.put_item(&item("sextant", "Brass sextant")).await).unwrap();
    daemon.embedded();
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
    // Six purchases are far from the tenth of the log after which everything is fitted again.
    let (known, took) = within(LISTS, || comes_first().then_some(()));
    assert!(known.is_some(), "{other} does not come first after {took:?}: {:?}", related());
    for shopper in shoppers {
        daemon.ask(async |client| client.erase(shopper).await).unwrap();
    }
    let (gone, took) = within(LISTS, || (!comes_first()).then_some(()));
    assert!(gone.is_some(), "what nobody bought is still tied after {took:?}");
}

#[test]
fn items_are_found_changed_and_hidden_within_two_seconds() {
    let daemon = Daemon::start();
    SMALL.open(&daemon);
    daemon.embedded();
    daemon.ask(async |client| client.put_item(&item("chess", "Walnut chessboard")).await).unwrap();
    let (found, took) = within(SEARCH, || finds(&daemon, "chessboard", "chess"));
    assert!(found.is_some(), "a new item is not found after {took:?}");
    let patch = ItemPatch { title: Some("Copper saxophone".into()), ..ItemPatch::default() };
    daemon.ask(async |client| client.patch_item("chess", &patch).await).unwrap();
    let (found, took) = within(SEARCH, || finds(&daemon, "saxophone", "chess"));
    assert!(found.is_some(), "a changed item is not found after {took:?}");
    let patch = ItemPatch { hidden: Some(true), ..ItemPatch::default() };
    daemon.ask(async |client| client.patch_item("chess", &patch).await).unwrap();
    let (hidden, took) = within(SEARCH, || finds(&daemon, "saxophone", "chess").is_none().then_some(()));
    assert!(hidden.is_some(), "a hidden item is still shown after {took:?}");
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
        let first = || {
            let list = daemon.ask(async |client| client.search(&request).await).ok()?;
            list.items.first().map(|row| row.id.to_string())
        };
        let (found, _) = within(SEARCH, || first().filter(|first| first == id));
        assert!(found.is_some(), "{query}: {:?} comes first", first());
    }
}
