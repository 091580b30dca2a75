//! Tests of the gate on simulated shops: forty gates on a shop without any pattern, gates on one with patterns, and a candidate without
//! the incumbent's optional components.

use std::collections::HashMap;
use std::sync::Arc;

use mercer_rank::{
    BlendWeights, Catalogue, CollaborativeIndex, DAY_MS, Dataset, Event, IndexOptions, ItemFacts, Log, MlpOptions,
    RankerTrainOptions, Snapshot, TreeOptions, Window, train_ranker,
};
use mercer_reports::AlphaLedger;
use mercer_shared::wire::GateVerdict;

use crate::gate::baselines::EvaluatedBaseline;
use crate::gate::decide::{Alpha, GateInput, decide};
use crate::gate::evaluate::{Evaluated, evaluate};
use crate::gate::objectives::Traffic;
use crate::gate::policy::FittedPolicy;
use crate::gate::version_config::{IncumbentFacts, IncumbentFit, VersionConfig, choose_fit};
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

/// A shop without searches.
const LISTS: Traffic = Traffic { searched: 0, listed: 1, searching_users: 0 };

/// Decides on the last window of each log between a freshly trained ranker and the blend that serves, by its rule where no weights are
/// given. Counts the promotions.
fn gates(count: u64, options: Options, blend: Option<&BlendWeights>, ledger: &mut AlphaLedger) -> usize {
    let mut promoted = 0;
    for seed in 0..count {
        let (log, catalogue, last) = shop(Options { seed: 100 + seed, ..options });
        let (cutoff, to) = window(&log, last).unwrap();
        let index = Arc::new(CollaborativeIndex::fit(
            Dataset { log: &log, catalogue: &catalogue },
            cutoff,
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
            train_ranker(Dataset { log: &log, catalogue: &catalogue }, cutoff, &options).map(|(ranker, _)| ranker);
        let snapshot = Snapshot { log, catalogue, index };
        let limits = Limits { users: 5_000, unwanted: &|| false };
        let window = Window { cutoff, end: to };
        let lists = |ranker: Option<&_>, blend: Option<&BlendWeights>| -> Evaluated {
            evaluate(&snapshot, window, FittedPolicy { ranker, blend }, &limits).unwrap()
        };
        let candidate = lists(Some(&ranker.unwrap()), None);
        let serving = lists(None, blend);
        let baselines = [
            ("popularity", BlendWeights::popularity()),
            ("own repeats", BlendWeights::own_repeats()),
            ("item kNN", BlendWeights::item_knn()),
        ]
        .map(|(name, weights)| EvaluatedBaseline { name, evaluated: lists(None, Some(&weights)) });
        assert!(to - cutoff >= 7 * DAY_MS && candidate.all.users.len() >= 30, "{}", candidate.all.users.len());
        let input = GateInput {
            window,
            seed,
            candidate: &candidate,
            incumbent: "v1",
            incumbent_evaluated: &serving,
            refresh: false,
            baselines: &baselines,
            traffic: LISTS,
        };
        let report = decide(&input, ledger.book().map_or(Alpha::Exhausted, Alpha::Booked));
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

#[test]
fn a_candidate_without_the_components_of_the_incumbent_is_no_refresh_of_it() {
    let (log, catalogue, last) = shop(Options { seed: 100, ..steady(1_500, 80_000, true) });
    let (cutoff, end) = window(&log, last).unwrap();
    let window = Window { cutoff, end };
    let data = Dataset { log: &log, catalogue: &catalogue };
    let train = |options: RankerTrainOptions| train_ranker(data, cutoff, &options).unwrap().0;
    let mlp = MlpOptions { epochs: 3, members: 1, ..MlpOptions::default() };
    let usual = RankerTrainOptions { index: IndexOptions::light(), lists: 800, mlp, ..RankerTrainOptions::default() };
    // What a large budget made: trees and a head for cold items. What a small budget makes: next to nothing.
    let trees = [Some(TreeOptions::default()); 2];
    let rich = train(RankerTrainOptions { cutoffs: 6, trees, ..usual.clone() });
    let poor = train(RankerTrainOptions { cutoffs: 2, lists: 60, cold: false, ..usual });
    let config = |ranker| VersionConfig::new(FittedPolicy { ranker: Some(ranker), blend: None }, "encoder", None);
    assert_eq!(rich.has_trees(), [true; 2]);
    let facts = IncumbentFacts { has_seen_window: true, judged_cutoff: Some(cutoff), candidate_is_newer: true };
    assert_eq!(choose_fit(&config(&poor), &config(&rich), facts, cutoff), IncumbentFit::AsJudged);
    assert_eq!(choose_fit(&config(&rich), &config(&rich), facts, cutoff), IncumbentFit::Refreshed);

    let index = Arc::new(CollaborativeIndex::fit(data, cutoff, &IndexOptions::light()));
    let snapshot = Snapshot { log: log.clone(), catalogue: catalogue.clone(), index };
    let limits = Limits { users: 5_000, unwanted: &|| false };
    let lists = |ranker, blend| evaluate(&snapshot, window, FittedPolicy { ranker, blend }, &limits).unwrap();
    let (candidate, incumbent) = (lists(Some(&poor), None), lists(Some(&rich), None));
    let popularity = BlendWeights::popularity();
    let baselines = [EvaluatedBaseline { name: "popularity", evaluated: lists(None, Some(&popularity)) }];
    let against_itself = GateInput {
        window,
        seed: 1,
        candidate: &candidate,
        incumbent: "v1",
        incumbent_evaluated: &candidate,
        refresh: true,
        baselines: &baselines,
        traffic: LISTS,
    };
    let against_incumbent = GateInput { incumbent_evaluated: &incumbent, refresh: false, ..against_itself };
    // Compared with itself, it passes; compared with what it would replace, it is refused.
    let alpha = Alpha::Booked(0.025);
    assert_eq!(decide(&against_itself, alpha).verdict, GateVerdict::Promote);
    let report = decide(&against_incumbent, alpha);
    assert_eq!(report.verdict, GateVerdict::Reject, "{}", report.reason);
    let objectives: Vec<_> = report.comparisons.iter().filter(|comparison| comparison.against == "v1").collect();
    assert!(!objectives.is_empty() && objectives.iter().all(|comparison| !comparison.passed), "{objectives:?}");
}
