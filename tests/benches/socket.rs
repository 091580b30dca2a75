//! What the socket carries, measured on a running daemon: lists a second beside the plain popularity list of the same run, lines a
//! second of a batch, and how long it takes until what was acknowledged shows. `cargo bench -p mercer-tests`.

use std::cell::Cell;

use divan::Bencher;
use divan::counter::ItemsCount;
use mercer_shared::time::Timestamp;
use mercer_shared::wire::{Interaction, ListQuery, SearchRequest};
use mercer_tests::shop::{END, Shop};
use mercer_tests::{Daemon, item, purchase};

const SHOP: Shop = Shop { seed: 1, users: 500, items: 1_000, interactions: 30_000 };
/// Lines of one batch.
const BATCH: u32 = 2_000;

fn main() {
    divan::main();
}

fn open() -> Daemon {
    let daemon = Daemon::start();
    SHOP.open(&daemon);
    daemon.embedded();
    daemon
}

fn query() -> ListQuery {
    ListQuery { k: Some(20), at: Some(mercer_tests::at(END)), ..ListQuery::default() }
}

/// The reference: what everybody buys.
#[divan::bench(sample_count = 20, sample_size = 10)]
fn popularity_list(bencher: Bencher) {
    let daemon = open();
    let query = query();
    bencher
        .counter(ItemsCount::new(1_u32))
        .bench_local(|| daemon.ask(async |client| client.trending(&query).await).unwrap());
}

#[divan::bench(sample_count = 20, sample_size = 10)]
fn personal_list(bencher: Bencher) {
    let daemon = open();
    let (query, next) = (query(), Cell::new(0));
    bencher.counter(ItemsCount::new(1_u32)).bench_local(|| {
        let user = format!("sim-u{:06}", next.replace((next.get() + 1) % SHOP.users));
        // A shopper of whom nothing is known yet is an answer too.
        daemon.ask(async |client| client.recommend(&user, &query).await)
    });
}

#[divan::bench(sample_count = 20, sample_size = 5)]
fn search(bencher: Bencher) {
    let daemon = open();
    let next = Cell::new(0);
    bencher.counter(ItemsCount::new(1_u32)).bench_local(|| {
        let colour = ["red", "blue", "green", "black", "white"][next.replace(next.get() + 1) % 5];
        let request = SearchRequest { q: format!("{colour} dress {}", next.get()), ..SearchRequest::default() };
        daemon.ask(async |client| client.search(&request).await).unwrap()
    });
}

#[divan::bench(sample_count = 10, sample_size = 1)]
fn ingest_lines(bencher: Bencher) {
    let daemon = Daemon::start();
    daemon.ask(async |client| client.put_item(&item("a", "Lamp")).await).unwrap();
    let next = Cell::new(0);
    bencher.counter(ItemsCount::new(BATCH)).bench_local(|| {
        let round = next.replace(next.get() + 1);
        let batch: String = (0..BATCH)
            .map(|n| {
                format!("{{\"id\":\"{round}-{n}\",\"user\":\"u{n}\",\"type\":\"purchase\",\"item\":\"a\",\"at\":\"2024-05-01T10:00:00Z\"}}\n")
            })
            .collect();
        daemon.ask(async |client| {
            let mut answers = client.batch("interactions", batch.into_bytes()).await.unwrap();
            while let Some(line) = answers.next().await {
                line.unwrap();
            }
        });
    });
}

/// From sending a purchase until the list of its shopper, who is new, holds the item. The promise is a second.
#[divan::bench(sample_count = 20, sample_size = 1)]
fn purchase_until_listed(bencher: Bencher) {
    let daemon = open();
    let next = Cell::new(0);
    bencher.bench_local(|| {
        let n = next.replace(next.get() + 1);
        let (user, item) = (format!("new-{n}"), format!("sim-i{n:06}"));
        let now = Interaction { at: Timestamp::now(), ..purchase(&format!("fresh-{n}"), &user, &item) };
        daemon.ask(async |client| client.interact(&now).await).unwrap();
        let listed = || {
            let list = daemon.ask(async |client| client.recommend(&user, &ListQuery::default()).await);
            list.is_ok_and(|list| list.items.iter().any(|row| row.id.as_str() == item))
        };
        while !listed() {}
    });
}

/// From sending an item until a search for its title finds it. The promise is two seconds.
#[divan::bench(sample_count = 20, sample_size = 1)]
fn item_until_found(bencher: Bencher) {
    let daemon = open();
    let next = Cell::new(0);
    bencher.bench_local(|| {
        let n = next.replace(next.get() + 1);
        let (id, title) = (format!("new-{n}"), format!("Chessboard number {n}"));
        daemon.ask(async |client| client.put_item(&item(&id, &title)).await).unwrap();
        let request = SearchRequest { q: title, k: Some(5), ..SearchRequest::default() };
        let found = || {
            let list = daemon.ask(async |client| client.search(&request).await).unwrap();
            list.items.iter().any(|row| row.id.as_str() == id)
        };
        while !found() {}
    });
}
