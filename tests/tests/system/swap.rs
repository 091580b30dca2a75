//! Models are swapped under load: no request fails, and every answer is one version's alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mercer_shared::client::Client;
use mercer_shared::problem::Problem;
use mercer_shared::wire::{ListQuery, SearchRequest, ServedList};
use mercer_tests::shop::{END, Shop};
use mercer_tests::{Daemon, at, eventually};

const CLIENTS: usize = 16;
/// Promotions and rollbacks.
const SWAPS: usize = 8;
/// Questions that are asked again and again.
const QUESTIONS: usize = 12;

const SHOP: Shop = Shop { seed: 11, users: 80, items: 100, interactions: 4_000 };

/// Everything an answer says: items and their scores, bit by bit.
type Fingerprint = Vec<(String, u64)>;

async fn ask(client: &Client, question: usize) -> Result<ServedList, Problem> {
    let query = ListQuery { k: Some(20), at: Some(at(END)), ..ListQuery::default() };
    match question % 3 {
        0 => client.recommend(&format!("sim-u{:06}", question), &query).await,
        1 => client.related(&format!("sim-i{:06}", question), &query).await,
        _ => {
            let q = ["red dress", "ceramic mug", "木质玩具", "running shoes"][question / 3 % 4].to_owned();
            client.search(&SearchRequest { q, at: query.at, ..SearchRequest::default() }).await
        }
    }
}

#[derive(Default)]
struct Seen {
    requests: u64,
    failures: Vec<String>,
    answers: BTreeMap<(usize, String), BTreeSet<Fingerprint>>,
}

fn client(daemon: &Daemon, number: usize, stop: &Arc<AtomicBool>) -> std::thread::JoinHandle<Seen> {
    let (socket, stop) = (daemon.socket(), Arc::clone(stop));
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let client = Client::new(socket);
            let mut seen = Seen::default();
            let mut question = number;
            while !stop.load(Ordering::Relaxed) {
                question = (question + 1) % QUESTIONS;
                seen.requests += 1;
                match ask(&client, question).await {
                    Ok(list) => {
                        let print = list.items.iter().map(|row| (row.id.to_string(), row.score.to_bits())).collect();
                        seen.answers.entry((question, list.model)).or_default().insert(print);
                    }
                    Err(problem) => seen.failures.push(problem.to_string()),
                }
            }
            seen
        })
    })
}

#[test]
fn no_request_fails_and_no_answer_is_mixed_while_models_are_swapped() {
    let daemon = Daemon::start();
    SHOP.open(&daemon);
    let run = daemon.mercer_json(&["train", "--wait", "--no-promote", "--no-encoder"]);
    let version = run["model"].as_str().unwrap_or_else(|| panic!("no version: {run}")).to_owned();
    daemon.embedded();

    let stop = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..CLIENTS).map(|number| client(&daemon, number, &stop)).collect();
    for swap in 0..SWAPS {
        let before = daemon.ask(async |client| client.status().await).unwrap().traffic.lists;
        let now = daemon.ask(
            async |client| {
                if swap % 2 == 0 { client.promote(&version).await } else { client.rollback().await }
            },
        );
        let now = now.unwrap().version;
        assert_eq!(now == version, swap % 2 == 0);
        // Each version answers for a while before the next swap.
        eventually("the clients are answered", || {
            let status = daemon.ask(async |client| client.status().await).ok()?;
            (status.model.version == now && status.traffic.lists >= before + 60).then_some(())
        });
    }
    stop.store(true, Ordering::Relaxed);
    let (mut requests, mut answers) = (0, BTreeMap::<_, BTreeSet<Fingerprint>>::new());
    for client in clients {
        let seen = client.join().unwrap();
        assert!(seen.failures.is_empty(), "{:?}", seen.failures);
        requests += seen.requests;
        for (key, prints) in seen.answers {
            answers.entry(key).or_default().extend(prints);
        }
    }
    let versions: BTreeSet<&str> = answers.keys().map(|(_, model)| model.as_str()).collect();
    assert_eq!(versions, BTreeSet::from(["v000001", version.as_str()]), "answers of other versions");
    let mixed: Vec<_> = answers.iter().filter(|(_, prints)| prints.len() > 1).map(|(key, _)| key).collect();
    assert!(mixed.is_empty(), "one question, one version, several answers: {mixed:?}");
    eprintln!("{requests} requests of {CLIENTS} clients through {SWAPS} swaps, 0 failures, 0 mixed answers");
    let traffic = daemon.ask(async |client| client.status().await).unwrap().traffic;
    assert_eq!((traffic.failures, traffic.overloaded), (0, 0));
}
