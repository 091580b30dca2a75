//! What each re-ranker adds to a list, on a running daemon: read them as ratios to the plain list of the same run. A list of twenty is
//! chosen from 200 candidates. `cargo bench -p mercer-tests --bench mitigations`.

use std::cell::Cell;

use divan::Bencher;
use divan::counter::ItemsCount;
use mercer_shared::wire::{ListQuery, MitigationSettings};
use mercer_tests::Daemon;
use mercer_tests::shop::{END, Shop};

const SHOP: Shop = Shop { seed: 1, users: 500, items: 1_000, interactions: 30_000 };

/// Name and settings; the first has none.
const RERANKERS: [(&str, &str); 9] = [
    ("plain", ""),
    ("mmr", r#"{"kind":"mmr"}"#),
    ("dpp", r#"{"kind":"dpp"}"#),
    ("xquad", r#"{"kind":"xquad"}"#),
    ("calibrated", r#"{"kind":"calibrated"}"#),
    ("det-greedy", r#"{"kind":"det_greedy","by":"attribute:language","shares":{"zh":0.3,"*":0.7}}"#),
    ("fair-star-ir", r#"{"kind":"fair_star_ir","by":"attribute:language","protected":"zh","p":0.3}"#),
    ("exposure", r#"{"kind":"exposure","caps":{"*":0.2}}"#),
    ("popularity", r#"{"kind":"popularity"}"#),
];

fn main() {
    divan::main();
}

/// A daemon on whose placement of the same name each re-ranker is on.
fn open() -> Daemon {
    let daemon = Daemon::start();
    SHOP.open(&daemon);
    daemon.embedded();
    daemon.fitted();
    for (name, reranker) in RERANKERS {
        if !reranker.is_empty() {
            let text = format!(r#"{{"rerankers": [{reranker}]}}"#);
            let settings: MitigationSettings = serde_json::from_str(&text).unwrap();
            daemon.ask(async |client| client.set_mitigation(name, &settings).await).unwrap();
        }
    }
    daemon
}

/// One list of twenty, as a client gets it.
#[divan::bench(args = RERANKERS.map(|(name, _)| name), sample_count = 20, sample_size = 20)]
fn personal_list(bencher: Bencher, placement: &str) {
    let (daemon, next) = (open(), Cell::new(0));
    let query = ListQuery {
        k: Some(20),
        at: Some(mercer_tests::at(END)),
        placement: Some(placement.to_owned()),
        ..ListQuery::default()
    };
    bencher.counter(ItemsCount::new(1_u32)).bench_local(|| {
        let user = format!("sim-u{:06}", next.replace((next.get() + 1) % SHOP.users));
        // A shopper of whom nothing is known yet is an answer too.
        daemon.ask(async |client| client.recommend(&user, &query).await)
    });
}
