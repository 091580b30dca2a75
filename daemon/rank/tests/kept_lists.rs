//! Training lists that are kept for the next training: lists of common cut-offs are made once, and results do not change.
use std::sync::Arc;

use mercer_rank::{
    Catalogue, CutoffLists, DAY_MS, Dataset, Event, InteractionType, ItemFacts, Log, MlpOptions, RankerTrainOptions,
    RankerTraining, SequenceScorer, SequenceScorerHistory, TrainedRanker, TreeOptions, Vectors, WeighUsers,
};

/// A prime, so that squares give each shopper something new on most visits.
const ITEMS: u32 = 97;
const NOW: i64 = 300 * DAY_MS;

fn log() -> Log {
    let mut log = Log::new();
    for user in 0..80u32 {
        for visit in 0..30u32 {
            let item = Some((user * 7 + visit * visit * (1 + user % 3)) % ITEMS);
            let at = (i64::from(visit) * 10 + i64::from(user % 10)) * DAY_MS + i64::from(user) * 1000;
            log.push(user, Event { item, text: None, kind: InteractionType::Purchase, value: 1.0, at });
        }
    }
    log
}

fn catalogue() -> Catalogue {
    Catalogue::new((0..ITEMS).map(|i| ItemFacts { category: Some(i / 8), key: u64::from(i), ..ItemFacts::default() }))
}

/// Says that the item after the last one follows.
#[derive(Debug)]
struct Following;

impl SequenceScorer for Following {
    fn score(&self, histories: &[&[Event]], _: Option<&Vectors>, _: i64, items: usize) -> Vec<Vec<f32>> {
        let of_one = |events: &&[Event]| {
            let mut row = vec![0.0; items];
            if let Some(item) = events.last().and_then(|e| e.item) {
                row[(item as usize + 1) % items] = 1.0;
            }
            row
        };
        histories.iter().map(of_one).collect()
    }
}

impl SequenceScorerHistory for Following {
    fn at(&self, _: i64) -> Option<Arc<dyn SequenceScorer>> {
        Some(Arc::new(Self))
    }
}

fn train(until: i64, sequence: bool, o: &RankerTrainOptions, kept: &mut CutoffLists) -> TrainedRanker {
    let sequence = sequence.then_some(&Following as &dyn SequenceScorerHistory);
    let (log, catalogue) = (log(), catalogue());
    let data = Dataset { log: &log, catalogue: &catalogue };
    RankerTraining { sequence, ..RankerTraining::new(data, until, o) }.run(kept).unwrap()
}

/// Parameters of a ranker, the sequence model aside.
fn text(ranker: &mercer_rank::Ranker) -> String {
    serde_json::to_string(ranker).unwrap()
}

#[test]
fn kept_lists_change_nothing() {
    let mlp = MlpOptions { epochs: 1, members: 1, ..MlpOptions::default() };
    let o = RankerTrainOptions { cutoffs: 6, mlp, ..RankerTrainOptions::default() };
    let missing = |kept: &CutoffLists, until, sequence| kept.missing(&log(), until, &o, sequence);
    let window = train(NOW - 30 * DAY_MS, false, &o, &mut CutoffLists::default()).report.window_days * DAY_MS;
    let cut = NOW - window;
    let mut kept = CutoffLists::default();
    assert_eq!(missing(&kept, cut, true), 6);
    let judged = train(cut, true, &RankerTrainOptions { compared: true, ..o.clone() }, &mut kept);
    assert_eq!((missing(&kept, cut, true), missing(&kept, NOW, true)), (0, 2), "half a window between cut-offs");

    // One window further, with the sequence model and without it: as if nothing had been kept.
    let again = train(NOW, true, &o, &mut kept);
    let fresh = train(NOW, true, &o, &mut CutoffLists::default());
    assert_eq!(again.report, fresh.report);
    assert_eq!(text(&again.ranker), text(&fresh.ranker));
    assert_ne!(text(&again.ranker), text(&judged.ranker));
    assert_eq!(missing(&kept, NOW, false), 0);
    let plain = train(NOW, false, &o, &mut kept);
    let fresh = train(NOW, false, &o, &mut CutoffLists::default());
    assert_eq!(text(&plain.ranker), text(&fresh.ranker));
    // The ranker that the other was held against is the one that is trained without the sequence model.
    let without = train(cut, false, &o, &mut CutoffLists::default()).ranker;
    assert_eq!(judged.without_sequence.as_ref().map(text), Some(text(&without)));
    assert!(again.without_sequence.is_none(), "nobody asked for it");

    // Lists that were added without the sequence model make all of them lists without it.
    let mut kept = CutoffLists::default();
    train(cut, true, &o, &mut kept);
    train(NOW, false, &o, &mut kept);
    assert_eq!((missing(&kept, NOW, false), missing(&kept, NOW, true)), (0, 6));
    // The same holds of a head for cold items.
    let without = RankerTrainOptions { cold: false, ..o.clone() };
    let mut kept = CutoffLists::default();
    train(cut, false, &o, &mut kept);
    assert_eq!(train(NOW, false, &without, &mut kept).report.lists[2], 0);
    assert_eq!((kept.missing(&log(), NOW, &without, false), missing(&kept, NOW, false)), (0, 6));

    // Lists that know nothing of a sequence model, or were made otherwise, are of no use.
    let mut kept = CutoffLists::default();
    train(cut, false, &o, &mut kept);
    assert_eq!((missing(&kept, cut, false), missing(&kept, cut, true)), (0, 6));
    let fewer = RankerTrainOptions { lists: 60, ..o.clone() };
    assert_eq!(kept.missing(&log(), cut, &fewer, false), 6);
}

#[test]
fn weights_of_users_reach_networks_and_trees() {
    let mlp = MlpOptions { epochs: 1, members: 1, ..MlpOptions::default() };
    let trees = [Some(TreeOptions { rounds: 5, ..TreeOptions::default() }); 2];
    let o = RankerTrainOptions { cutoffs: 3, cold: false, mlp, trees, ..RankerTrainOptions::default() };
    let (log, catalogue) = (log(), catalogue());
    let data = Dataset { log: &log, catalogue: &catalogue };
    let train = |weigh: Option<WeighUsers<'_>>| {
        let training = RankerTraining { weigh, ..RankerTraining::new(data, NOW, &o) };
        text(&training.run(&mut CutoffLists::default()).unwrap().ranker)
    };
    let of = |first: f32, others: f32| {
        let weight = move |user: &u32| if user.is_multiple_of(3) { first } else { others };
        move |users: &[u32]| users.iter().map(weight).collect::<Vec<_>>()
    };
    let plain = train(None);
    assert_eq!(train(Some(&of(1.0, 1.0))), plain, "weights of one change nothing");
    let heavy = train(Some(&of(2.5, 0.25)));
    assert_ne!(heavy, plain);
    assert_ne!(train(Some(&of(0.25, 2.5))), heavy);
}
