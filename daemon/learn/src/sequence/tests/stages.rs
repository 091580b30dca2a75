//! Advancing, stopping, going on, files.

use super::*;
use crate::error::LearnError;
use crate::run::{CheckpointOptions, Hooks};
use crate::sequence::AdvanceStatus;

#[test]
fn a_network_is_the_same_bits_on_any_number_of_threads() {
    let shop = shop(60, 30, 60);
    for full_softmax in [100, 10] {
        let o = SequenceOptions { full_softmax, ..small() };
        let job = || {
            let (mut trainer, _) = shop.train(&o, 30 * DAY_MS);
            advance(&mut trainer, &shop, 45 * DAY_MS).model.unwrap().to_bytes().unwrap()
        };
        let (one, three) = (on_threads(1, job), on_threads(3, job));
        assert!(one == three, "full softmax up to {full_softmax}");
        let other = SequenceOptions { seed: 1, ..o };
        assert!(one != on_threads(2, || shop.train(&other, 30 * DAY_MS).1.to_bytes().unwrap()));
    }
}

#[test]
fn stages_read_only_their_past_and_end_the_same_through_a_file() {
    let whole = shop(30, 20, 90);
    let o = small();
    let cuts = [30 * DAY_MS, 60 * DAY_MS, 75 * DAY_MS];
    let mut trainer = SequenceTrainer::new(o.clone(), &whole.items).unwrap();
    let models: Vec<SequenceModel> = cuts.iter().map(|c| advance(&mut trainer, &whole, *c).model.unwrap()).collect();
    for (i, split_windows) in cuts.iter().enumerate() {
        // What came later never mattered: the same from a log that ends at each cut-off, read back from bytes in between.
        let mut past = shop(30, 20, 90);
        past.users.iter_mut().for_each(|events| events.retain(|e| e.at <= *split_windows));
        let mut from = match i {
            0 => SequenceTrainer::new(o.clone(), &past.items).unwrap(),
            _ => {
                let bytes = models[i - 1].to_bytes().unwrap();
                let before = SequenceModel::from_bytes(&bytes, "x".as_ref()).unwrap();
                assert!(before.to_bytes().unwrap() == bytes);
                assert_eq!(past.score(&before, 3, cuts[i - 1]), past.score(&models[i - 1], 3, cuts[i - 1]));
                SequenceTrainer::from_model(&before, o.clone()).unwrap()
            }
        };
        let model = advance(&mut from, &past, *split_windows).model.unwrap();
        assert!(model.to_bytes().unwrap() == models[i].to_bytes().unwrap(), "cut-off {i}");
        assert_eq!(model.until(), *split_windows);
    }
    assert!(matches!(
        trainer.advance(&whole.items, whole.log(), cuts[0], &mut ()),
        Err(LearnError::Option { name: "until", .. })
    ));
}

/// Stops after some steps.
struct After(usize);

impl Hooks for After {
    fn should_stop(&mut self) -> bool {
        self.0 = self.0.saturating_sub(1);
        self.0 == 0
    }
}

#[test]
fn a_stopped_advance_changes_nothing_and_goes_on_from_its_checkpoint() {
    let shop = shop(30, 20, 60);
    let dir = tempfile::tempdir().unwrap();
    let checkpoint = CheckpointOptions { dir: dir.path().to_owned(), every: 3, keep: 2 };
    let o = SequenceOptions { checkpoint: Some(checkpoint), ..small() };
    let mut trainer = SequenceTrainer::new(o.clone(), &shop.items).unwrap();
    let fresh = trainer.graph().get("user.weight").unwrap().to_vec2::<f32>().unwrap();
    let stopped = trainer.advance(&shop.items, shop.log(), 50 * DAY_MS, &mut After(6)).unwrap();
    assert_eq!((stopped.status, stopped.steps, stopped.model.is_none()), (AdvanceStatus::Cancelled, 5, true));
    assert_eq!(trainer.graph().get("user.weight").unwrap().to_vec2::<f32>().unwrap(), fresh);
    assert_eq!(trainer.until(), None);
    let resumed = advance(&mut trainer, &shop, 50 * DAY_MS);
    assert_eq!(resumed.resumed_from, Some(5));
    let (_, straight) = shop.train(&small(), 50 * DAY_MS);
    assert!(resumed.model.unwrap().to_bytes().unwrap() == straight.to_bytes().unwrap());
    // A checkpoint of another log is refused.
    let mut other = SequenceTrainer::new(o, &shop.items).unwrap();
    let fewer = SequenceLog { users: &shop.users[1..], queries: &shop.queries };
    assert!(matches!(other.advance(&shop.items, fewer, 50 * DAY_MS, &mut ()), Err(LearnError::Foreign { .. })));
}

#[test]
fn an_erased_user_leaves_nothing() {
    let mut erased = shop(30, 20, 60);
    erased.users[4].clear();
    let without = shop(30, 20, 60);
    let kept: Vec<Vec<SequenceEvent>> =
        without.users.iter().enumerate().map(|(i, e)| if i == 4 { Vec::new() } else { e.clone() }).collect();
    let without = Shop { users: kept, ..without };
    let bytes = |s: &Shop| s.train(&small(), 60 * DAY_MS).1.to_bytes().unwrap();
    assert!(bytes(&erased) == bytes(&without));
    assert!(bytes(&erased) != bytes(&shop(30, 20, 60)));
}

#[test]
fn odd_logs_end_well() {
    let end = 90 * DAY_MS;
    let one_day: Vec<Vec<SequenceEvent>> =
        (0..5).map(|u| vec![line(u, 0, 1.0, DAY_MS), line(u + 1, 0, 1.0, DAY_MS)]).collect();
    let many: Vec<SequenceEvent> = (0..3000).map(|i| line(i % 9, 0, 1.0, i64::from(i) * DAY_MS / 60)).collect();
    let huge: Vec<SequenceEvent> =
        (0..30).map(|i| line(i, 0, f32::NAN, DAY_MS)).chain([line(3, 0, 1.0, 9 * DAY_MS)]).collect();
    let cases: [(&str, Vec<Vec<SequenceEvent>>, AdvanceStatus); 5] = [
        ("no user", Vec::new(), AdvanceStatus::NothingNew),
        ("all on one day", one_day, AdvanceStatus::NothingNew),
        ("one user", vec![many], AdvanceStatus::Finished),
        ("a basket larger than the context", vec![huge], AdvanceStatus::Finished),
        ("one item", vec![(0..9).map(|d| line(0, 0, 1.0, d * DAY_MS)).collect()], AdvanceStatus::Finished),
    ];
    for text in [TEXT, 0] {
        for (name, users, ended) in &cases {
            let shop = Shop { items: items(30, text), users: users.clone(), queries: Vec::new() };
            let mut trainer =
                SequenceTrainer::new(SequenceOptions { max_steps: Some(4), ..small() }, &shop.items).unwrap();
            let advanced = advance(&mut trainer, &shop, end);
            assert_eq!(advanced.status, *ended, "{name}");
            let model = advanced.model.unwrap();
            let mut out = vec![f32::NAN; 30];
            model.score(users.first().map_or(&[], Vec::as_slice), &[], end, &mut out).unwrap();
            assert!(out.iter().all(|s| s.is_finite()), "{name}: {out:?}");
        }
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let shop = shop(30, 4, 30);
    for o in [
        SequenceOptions { heads: 3, ..small() },
        SequenceOptions { dropout: 1.0, ..small() },
        SequenceOptions { target: 16, ..small() },
        SequenceOptions { half_lives: [0.0, 1.0, 2.0], ..small() },
    ] {
        assert!(matches!(SequenceTrainer::new(o, &shop.items), Err(LearnError::Option { .. })));
    }
    let mut trainer = SequenceTrainer::new(small(), &shop.items).unwrap();
    for bad in [
        line(30, 0, 1.0, 0),
        line(0, 16, 1.0, 0),
        SequenceEvent { item: None, text: Some(4), kind: 0, value: 1.0, at: 0 },
    ] {
        let users = [vec![bad]];
        let log = SequenceLog { users: &users, queries: &shop.queries };
        assert!(trainer.advance(&shop.items, log, DAY_MS, &mut ()).is_err());
    }
    assert!(ItemFeatures::new(2, vec![0.0; 3].into(), vec![1.0].into()).is_err());
    assert!(SequenceModel::from_bytes(b"nonsense", "x".as_ref()).is_err());
    let (_, model) = shop.train(&small(), 30 * DAY_MS);
    assert!(model.grown(&items(20, TEXT + 1)).is_err());
    let other = SequenceOptions { width: 16, ..small() };
    assert!(SequenceTrainer::from_model(&model, other).is_err());
}
