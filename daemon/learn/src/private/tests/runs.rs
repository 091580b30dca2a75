//! Runs: the plain step, booking, resuming, stopping, learning, bad input.

use candle_core::Tensor;

use super::*;
use crate::error::LearnError;
use crate::optim::{AdamOptions, AdamW};
use crate::run::{CheckpointOptions, NothingToLearn, StepReport, StopReason};

/// Without noise and bound, with everybody drawn, a private step is a plain step on the mean over users of the same loss.
#[test]
fn without_noise_and_bound_the_step_is_the_plain_one() {
    let shop = Shop::new(8);
    let options = PrivateOptions {
        clip: f64::INFINITY,
        noise: 0.0,
        rate: 1.0,
        expected_batch: 8.0,
        pairs_per_user: 100,
        negatives: 1_000,
        trained_negatives: 1_000,
        pull: 0.0,
        // A large epsilon: Adam would blow rounding of tiny gradients up to whole steps.
        adam: AdamOptions { learning_rate: 1e-2, eps: 1e-3, warmup: 0.0, ..AdamOptions::default() },
        ..options(3)
    };
    let mut ledger = Ledger::default();
    let private = run(&shop, &options, &mut ledger, &mut ());
    assert_eq!((private.stopped, private.steps, ledger.booked), (StopReason::Finished, 3, 3));

    let encoder = shop.encoder(&options);
    let mut plain = PrivateStepper::new(&encoder, shop.set(), &options, PrivateRng::from_seed(1)).unwrap();
    let mut adam = AdamW::new(AdamOptions { clip_norm: 0.0, ..options.adam.clone() }, encoder.vars()).unwrap();
    for step in 1..=3 {
        // One graph over all users: no gradient per user is ever formed.
        let negatives = plain.negatives(&mut ()).unwrap();
        let losses: Vec<Tensor> = shop
            .users
            .iter()
            .map(|own| {
                let pairs: Vec<&ContrastivePair> = own.iter().collect();
                let user = UserLoss { pairs: &pairs, own, trained: &shop.catalogue, negatives: &negatives };
                plain.loss(&user, None, &mut ()).unwrap()
            })
            .collect();
        let mean = (Tensor::stack(&losses, 0).unwrap().sum_all().unwrap() / 8.0).unwrap();
        let from = mean.backward().unwrap();
        let grads = encoder.vars().iter().filter_map(|(n, v)| Some((n.clone(), from.get(v)?.clone()))).collect();
        adam.update(&grads, options.adam.rate(step, 3)).unwrap();
    }
    let expected = encoder.learned(String::new(), 3).unwrap();
    let mut moved = 0f32;
    for (module, pair) in &expected.pairs {
        let found = &private.learned.pairs[module];
        for (a, b) in values(&pair.a).iter().zip(values(&found.a)).chain(values(&pair.b).iter().zip(values(&found.b))) {
            assert!((a - b).abs() < 2e-5, "{module}: {a} {b}");
        }
        moved = moved.max(values(&pair.b).iter().fold(0.0, |m, v| m.max(v.abs())));
    }
    assert!(moved > 1e-3, "nothing was learned: {moved}");
}

/// Keeps the reports, and stops after some questions.
#[derive(Default)]
struct Watch {
    stop_after: Option<usize>,
    asked: usize,
    reports: Vec<StepReport>,
}

impl Hooks for Watch {
    fn on_step(&mut self, report: &StepReport) {
        self.reports.push(report.clone());
    }

    fn should_stop(&mut self) -> bool {
        self.asked += 1;
        self.stop_after.is_some_and(|most| self.asked > most)
    }
}

#[test]
fn nothing_but_noisy_numbers_leaves_a_run() {
    let shop = Shop::new(8);
    let mut watch = Watch::default();
    let outcome = run(&shop, &options(4), &mut Ledger::default(), &mut watch);
    assert!(outcome.losses.is_empty() && watch.reports.iter().all(|r| r.loss.is_nan() && r.grad_norm > 0.0));
    assert_eq!(watch.reports.len(), 4);
}

#[test]
fn a_resumed_run_draws_other_noise_and_books_every_step_it_took() {
    let shop = Shop::new(8);
    let dir = tempfile::tempdir().unwrap();
    let resumable = |at: &str| PrivateOptions {
        checkpoint: Some(CheckpointOptions { dir: dir.path().join(at), every: 3, keep: 2 }),
        ..options(6)
    };
    // Crashes after five booked steps of which three are in a checkpoint: the ledger fails, as when the process is killed.
    struct Crash<'a>(&'a mut Ledger);
    impl PrivacyLedger for Crash<'_> {
        fn book(&mut self) -> Result<bool> {
            if self.0.booked == 5 {
                return Err(LearnError::Ledger { why: "gone".to_owned() });
            }
            self.0.book()
        }
    }
    let mut ledger = Ledger::default();
    let run_once = |at: &str, ledger: &mut dyn PrivacyLedger| {
        tune_privately(shop.tiny.base(), shop.set(), None, &resumable(at), &CPU, ledger, &mut ())
    };
    let crashed = run_once("run", &mut Crash(&mut ledger));
    assert!(matches!(crashed, Err(LearnError::Ledger { .. })));
    copy_dir(&dir.path().join("run"), &dir.path().join("again"));
    let first = run_once("run", &mut ledger).unwrap();
    assert_eq!((first.resumed_from, first.steps, first.stopped), (Some(3), 6, StopReason::Finished));
    // Steps 4 and 5 were taken twice with different noise: both count.
    assert_eq!(ledger.booked, 8);
    let second = run_once("again", &mut ledger).unwrap();
    assert_eq!((second.resumed_from, ledger.booked), (Some(3), 11));
    let tensors = |o: &TuneOutcome| o.learned.pairs.values().flat_map(|p| values(&p.b)).collect::<Vec<f32>>();
    assert_ne!(tensors(&first), tensors(&second), "the same checkpoint went on with the same noise");
}

fn copy_dir(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(std::result::Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_dir(&entry.path(), &target)
        } else {
            std::fs::copy(entry.path(), target).map(|_| ()).unwrap()
        }
    }
}

#[test]
fn a_spent_budget_stops_the_run_between_two_steps() {
    let shop = Shop::new(8);
    let mut ledger = Ledger { most: Some(2), booked: 0 };
    let outcome = run(&shop, &options(6), &mut ledger, &mut ());
    assert_eq!((outcome.stopped, outcome.steps, ledger.booked), (StopReason::PrivacySpent, 2, 2));
    let outcome = run(&shop, &options(6), &mut ledger, &mut ());
    assert_eq!((outcome.stopped, outcome.steps), (StopReason::PrivacySpent, 0));
    assert!(outcome.learned.pairs.values().all(|pair| values(&pair.b).iter().all(|v| *v == 0.0)));
}

#[test]
fn a_stop_in_the_middle_of_a_step_changes_no_weight_but_costs_the_step() {
    let shop = Shop::new(8);
    let (mut ledger, mut watch) = (Ledger::default(), Watch { stop_after: Some(2), ..Watch::default() });
    let outcome = run(&shop, &PrivateOptions { rate: 1.0, ..options(6) }, &mut ledger, &mut watch);
    assert_eq!((outcome.stopped, outcome.steps, ledger.booked), (StopReason::Cancelled, 0, 1));
    assert!(outcome.learned.pairs.values().all(|pair| values(&pair.b).iter().all(|v| *v == 0.0)));
}

/// With hardly any noise users' losses fall, so the mechanism trains; with much noise they do not.
#[test]
fn it_learns_when_the_noise_is_small() {
    let shop = Shop::new(16);
    let with_noise = |noise: f64| PrivateOptions {
        noise,
        rate: 0.8,
        expected_batch: 12.0,
        upper_layers: 2,
        negatives: 48,
        trained_negatives: 32,
        pairs_per_user: 4,
        pull: 0.0,
        adam: AdamOptions { learning_rate: 5e-3, ..AdamOptions::default() },
        ..options(120)
    };
    let loss = |tensors: &std::collections::HashMap<String, Tensor>| {
        let base = crate::graph::BaseEncoder { tensors, ..shop.tiny.base() };
        let all = user_losses(base, shop.set(), &UserLossOptions::default(), &CPU, &mut ()).unwrap().unwrap();
        all.iter().sum::<f64>() / all.len() as f64
    };
    let trained = |noise: f64| {
        let outcome = run(&shop, &with_noise(noise), &mut Ledger::default(), &mut ());
        let mut tensors = shop.tiny.tensors.clone();
        tensors.extend(outcome.learned.changed(&shop.tiny.tensors).unwrap());
        loss(&tensors)
    };
    let (before, quiet, noisy) = (loss(&shop.tiny.tensors), trained(0.01), trained(100.0));
    eprintln!("mean loss of users: before {before:.3}, little noise {quiet:.3}, much noise {noisy:.3}");
    assert!(quiet < 0.9 * before && quiet < 0.9 * noisy, "{before} {quiet} {noisy}");
}

#[test]
fn bad_input_is_named() {
    let shop = Shop::new(8);
    let error = |options: &PrivateOptions| {
        tune_privately(shop.tiny.base(), shop.set(), None, options, &CPU, &mut Ledger::default(), &mut ())
            .unwrap_err()
            .to_string()
    };
    let wrong = [
        (PrivateOptions { noise: -1.0, ..options(1) }, "noise"),
        (PrivateOptions { noise: f64::NAN, ..options(1) }, "noise"),
        (PrivateOptions { clip: 0.0, ..options(1) }, "clip"),
        (PrivateOptions { rate: 0.0, ..options(1) }, "rate"),
        (PrivateOptions { rate: 1.1, ..options(1) }, "rate"),
        (PrivateOptions { expected_batch: 0.0, ..options(1) }, "expected_batch"),
        (PrivateOptions { negatives: 0, ..options(1) }, "negatives"),
        (PrivateOptions { steps: 0, ..options(1) }, "steps"),
        (PrivateOptions { pairs_per_user: 0, ..options(1) }, "batch_pairs"),
    ];
    for (options, word) in wrong {
        let found = error(&options);
        assert!(found.contains(word), "{found}");
    }
    let nobody = Shop { users: vec![Vec::new(); 3], ..Shop::new(3) };
    let outcome = run(&nobody, &options(2), &mut Ledger::default(), &mut ());
    assert_eq!(outcome.stopped, StopReason::NothingToLearn(NothingToLearn::NoPairs));
    let bare = Shop { catalogue: Vec::new(), ..Shop::new(3) };
    let outcome = run(&bare, &options(2), &mut Ledger::default(), &mut ());
    assert_eq!(outcome.stopped, StopReason::NothingToLearn(NothingToLearn::OneItem));
}
