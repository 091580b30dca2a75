//! Planted truth: what forty gates in a row do on a shop where nothing depends on anything, and on one where much does.

use std::collections::HashMap;
use std::sync::Arc;

use mercer_rank::{
    BlendWeights, Catalogue, CollaborativeIndex, DAY_MS, Dataset, Event, IndexOptions, ItemFacts, Log, MlpOptions,
    RankerTrainOptions, Snapshot, train_ranker,
};
use mercer_reports::AlphaLedger;
use mercer_shared::wire::GateVerdict;

use crate::gate::decide::{Judged, Opponents, judge, weigh};
use crate::gate::policy::ScoringPolicy;
use crate::reports::window_lists::Limits;
use crate::reports::window_lists::window;
use crate::simulate::{Options, simulate};

/// A simulated shop as the arithmetic reads it; the moment of its last event.
fn shop(options: Options) -> (Log, Catalogue, i64) {
    let shop = simulate(options).unwrap();
    let mut categories: HashMap<String, u32> = HashMap::new();
    let facts: Vec<ItemFacts> = (0u64..)
        .zip(&shop.items)
        .map(|(n, item)| {
            let next = categories.len() as u32;
            let category = item.category.last().map(|name| *categories.entry(name.clone()).or_insert(next));
            ItemFacts { category, price: item.price.map(|p| p as f32), key: n * 7_919 % 1_009, ..ItemFacts::default() }
        })
        .collect();
    let items: HashMap<_, u32> = (0..).zip(&shop.items).map(|(n, item)| (item.id.clone(), n)).collect();
    let users: HashMap<_, u32> = (0..).zip(&shop.users).map(|(n, user)| (user.id.clone(), n)).collect();
    let (mut log, mut last) = (Log::new(), 0);
    for line in shop.log {
        let Some(user) = line.user else { continue };
        let item = line.item.map(|item| items[&item]);
        let (kind, at) = (line.kind, line.at.millis());
        log.push(users[&user], Event { item, text: None, kind, value: kind.value(line.value), at });
        last = last.max(at);
    }
    (log, Catalogue::new(facts), last)
}

/// A shop of ninety days in which nothing changes.
fn steady(users: usize, interactions: usize, signal: bool) -> Options {
    let fixed = Options { items: 60, days: 90, season: false, drift: false, ..Options::default() };
    Options { users, interactions, signal, ..fixed }
}

/// Holds a gate on the last window of each log: a freshly trained ranker against the blend that serves, by its rule where none is named.
/// Promotions.
fn gates(count: u64, options: Options, blend: Option<&BlendWeights>, ledger: &mut AlphaLedger) -> usize {
    let mut promoted = 0;
    for seed in 0..count {
        let (log, catalogue, last) = shop(Options { seed: 100 + seed, ..options });
        let (cut, to) = window(&log, last).unwrap();
        let index = Arc::new(CollaborativeIndex::fit(
            Dataset { log: &log, catalogue: &catalogue },
            cut,
            &IndexOptions::light(),
        ));
        let options = RankerTrainOptions {
            index: IndexOptions::light(),
            cutoffs: 4,
            lists: 400,
            mlp: MlpOptions { epochs: 3, members: 1, seed, ..MlpOptions::default() },
            ..RankerTrainOptions::default()
        };
        let ranker =
            train_ranker(Dataset { log: &log, catalogue: &catalogue }, cut, &options).map(|(ranker, _)| ranker);
        let snapshot = Snapshot { log, catalogue, index };
        let limits = Limits { users: 5_000, unwanted: &|| false };
        let lists = |ranker: Option<&_>, blend: Option<&BlendWeights>| -> Judged {
            judge(&snapshot, (cut, to), ScoringPolicy { ranker, blend }, &limits).unwrap()
        };
        let candidate = lists(Some(&ranker.unwrap()), None);
        let serving = lists(None, blend);
        let baselines = [
            ("popularity", lists(None, Some(&BlendWeights::popularity()))),
            ("own repeats", lists(None, Some(&BlendWeights::own_repeats()))),
            ("item kNN", lists(None, Some(&BlendWeights::item_knn()))),
        ];
        assert!(to - cut >= 7 * DAY_MS && candidate.any.users.len() >= 30, "{}", candidate.any.users.len());
        let opponents = Opponents { serving: ("v1", &serving), refresh: false, baselines: &baselines };
        let (report, _) = weigh(seed, (cut, to), ledger.book(), &candidate, &opponents);
        promoted += usize::from(report.verdict == GateVerdict::Promote);
    }
    promoted
}

#[test]
fn forty_gates_on_noise_promote_nothing_beyond_the_alpha_they_spend() {
    let mut ledger = AlphaLedger::default();
    let promoted = gates(40, steady(300, 16_000, false), None, &mut ledger);
    assert_eq!(ledger.gates, 40);
    assert!(ledger.spent < ledger.total);
    // Over all forty, the chance of even one false promotion is at most what was spent: less than a twentieth.
    assert_eq!(promoted, 0, "spent {}", ledger.spent);
}

#[test]
fn the_same_gates_promote_where_there_is_something_to_find() {
    let mut ledger = AlphaLedger::default();
    let popularity = BlendWeights::popularity();
    let promoted = gates(2, steady(1_500, 80_000, true), Some(&popularity), &mut ledger);
    assert!(promoted > 0, "gates that never promote prove nothing");
}
