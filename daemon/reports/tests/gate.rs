//! The gate on planted truths: a better model passes, noise does not, and forty gates on noise spend no more than their budget.

use mercer_reports::gate::{GateDecision, GateVerdict, TrialVerdict};
use mercer_reports::{AlphaLedger, Comparator, GateOptions, Purpose, Rule, Spending, Trial, gate};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// NDCG-like values: half the users 0, the rest uniform.
fn values(rng: &mut ChaCha8Rng, n: usize, lift: f64) -> Vec<Option<f64>> {
    (0..n)
        .map(|_| {
            let value = if rng.random_bool(0.5) { 0.0 } else { rng.random::<f64>() };
            Some((value + lift).min(1.0))
        })
        .collect()
}

fn trial<'a>(purpose: Purpose, rule: Rule, candidate: &'a [Option<f64>], values: &'a [Option<f64>]) -> Trial<'a> {
    let comparator = match purpose {
        Purpose::Primary => Comparator::Serving("v000001".into()),
        Purpose::Guardrail => Comparator::Baseline("popularity".into()),
    };
    Trial { metric: "NDCG@10".into(), purpose, comparator, rule, weight: 1.0, candidate, values }
}

fn promotes(decision: &GateDecision) -> bool {
    decision.verdict == GateVerdict::Promote
}

#[test]
fn a_better_model_is_promoted_and_a_worse_one_is_not() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let serving = values(&mut rng, 800, 0.0);
    let better: Vec<_> = serving.iter().map(|v| v.map(|v| v + 0.05 * rng.random::<f64>())).collect();
    let options = GateOptions::default();
    let rule = Rule::NotWorse { margin: 0.01 };
    let decision = gate(
        &[trial(Purpose::Primary, Rule::Better, &better, &serving), trial(Purpose::Guardrail, rule, &better, &serving)],
        &options,
    );
    assert_eq!(decision.verdict, GateVerdict::Promote, "{:?}", decision.reasons);
    assert!(decision.reasons.is_empty() && promotes(&decision));

    let decision = gate(&[trial(Purpose::Primary, Rule::Better, &serving, &better)], &options);
    assert_eq!((decision.verdict, decision.trials[0].verdict), (GateVerdict::Reject, TrialVerdict::Worse));
    assert!(decision.reasons[0].contains("NDCG@10 against v000001"), "{:?}", decision.reasons);

    // One failed guardrail is enough.
    let decision = gate(
        &[trial(Purpose::Primary, Rule::Better, &better, &serving), trial(Purpose::Guardrail, rule, &serving, &better)],
        &options,
    );
    assert_eq!(decision.verdict, GateVerdict::Reject);
    assert_eq!(decision.reasons.len(), 1);
}

#[test]
fn the_same_model_again_is_a_refresh_but_no_improvement() {
    let serving = values(&mut ChaCha8Rng::seed_from_u64(2), 300, 0.0);
    let improve = gate(&[trial(Purpose::Primary, Rule::Better, &serving, &serving)], &GateOptions::default());
    assert_eq!(improve.verdict, GateVerdict::Reject);
    let refresh = Rule::NotWorse { margin: 0.005 };
    let refresh = gate(&[trial(Purpose::Primary, refresh, &serving, &serving)], &GateOptions::default());
    assert_eq!((refresh.verdict, refresh.trials[0].verdict), (GateVerdict::Promote, TrialVerdict::NotWorse));
    assert_eq!(refresh.trials[0].comparison.as_ref().unwrap().p, 1.0);
}

#[test]
fn too_little_is_insufficient_and_a_small_effect_is_not_measurable() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let few = values(&mut rng, 20, 0.0);
    let more = values(&mut rng, 20, 0.5);
    let decision = gate(&[trial(Purpose::Primary, Rule::Better, &more, &few)], &GateOptions::default());
    assert_eq!(decision.verdict, GateVerdict::InsufficientData);
    let nobody = gate(&[trial(Purpose::Primary, Rule::Better, &[None], &[Some(1.0)])], &GateOptions::default());
    assert_eq!(nobody.verdict, GateVerdict::InsufficientData);
    assert_eq!(gate(&[], &GateOptions::default()).verdict, GateVerdict::InsufficientData);

    let (one, two) = (values(&mut rng, 200, 0.0), values(&mut rng, 200, 0.0));
    let decision = gate(&[trial(Purpose::Primary, Rule::Better, &one, &two)], &GateOptions::default());
    let outcome = &decision.trials[0];
    let comparison = outcome.comparison.as_ref().unwrap();
    assert!(comparison.difference.abs() < comparison.detectable.value.unwrap());
    assert_eq!(outcome.verdict, TrialVerdict::NotMeasurable);
    // A margin of nothing would be a wish, not a rule.
    let broken =
        gate(&[trial(Purpose::Primary, Rule::NotWorse { margin: f64::NAN }, &one, &one)], &GateOptions::default());
    assert!(!promotes(&broken));
}

#[test]
fn decisions_are_repeatable_and_survive_json() {
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let (one, two) = (values(&mut rng, 100, 0.02), values(&mut rng, 100, 0.0));
    let decide = || {
        gate(&[trial(Purpose::Primary, Rule::Better, &one, &two)], &GateOptions { seed: 9, ..GateOptions::default() })
    };
    let decision = decide();
    assert_eq!(decision, decide());
    let text = serde_json::to_string(&decision).unwrap();
    assert!(text.contains(r#""verdict":"reject""#) && text.contains(r#""kind":"serving","name":"v000001""#), "{text}");
    let back: mercer_reports::GateDecision = serde_json::from_str(&text).unwrap();
    assert_eq!(back.trials[0].verdict, decision.trials[0].verdict);
}

/// Share of periods of forty gates on identical arms in which any gate promoted.
fn false_periods(mut alpha: impl FnMut() -> Box<dyn FnMut() -> Option<f64>>, periods: usize, seed: u64) -> f64 {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut promoted = 0;
    for period in 0..periods {
        let mut next = alpha();
        let mut any = false;
        for number in 0..40 {
            let (one, two) = (values(&mut rng, 60, 0.0), values(&mut rng, 60, 0.0));
            let Some(alpha) = next() else { continue };
            let options =
                GateOptions { alpha, replicates: 400, seed: (period * 40 + number) as u64, ..GateOptions::default() };
            any |= promotes(&gate(&[trial(Purpose::Primary, Rule::Better, &one, &two)], &options));
        }
        promoted += usize::from(any);
    }
    promoted as f64 / periods as f64
}

#[test]
fn forty_gates_on_noise_promote_no_more_than_the_budget() {
    for spending in [Spending::Slow, Spending::Telescoping] {
        let spent = false_periods(
            || {
                let mut ledger = AlphaLedger::new(0.05, spending);
                Box::new(move || ledger.book())
            },
            150,
            5,
        );
        // Three standard errors of a share of 0.05 in 150 periods.
        assert!(
            spent <= 0.05 + 3.0 * (0.05_f64 * 0.95 / 150.0).sqrt(),
            "{spending:?} promoted noise in {spent} of periods"
        );
    }
    // The test can fail: a gate at 5 % each time promotes noise in most periods.
    let careless = false_periods(|| Box::new(|| Some(0.05)), 30, 6);
    assert!(careless > 0.5, "{careless}");
}

/// An objective on a slice, with a share of the traffic.
fn objective<'a>(slice: &str, weight: f64, pair: &'a Pair) -> Trial<'a> {
    let rule = Rule::Improve { margin: MARGIN };
    let trial = trial(Purpose::Primary, rule, &pair.candidate, &pair.serving);
    Trial { metric: format!("ndcg@10/{slice}"), weight, ..trial }
}

const MARGIN: f64 = 0.005;

/// Values of the same users by two models.
struct Pair {
    candidate: Vec<Option<f64>>,
    serving: Vec<Option<f64>>,
}

/// Users whose values differ by `lift` and noise of standard deviation about 0.08 (0 for none), as NDCG does on most lists: many not at all.
fn pair(rng: &mut ChaCha8Rng, users: usize, lift: f64, noise: f64) -> Pair {
    let serving = values(rng, users, 0.0);
    let candidate = serving
        .iter()
        .map(|value| value.map(|value| value + lift + noise * (rng.random::<f64>() - rng.random::<f64>())))
        .collect();
    Pair { candidate, serving }
}

#[test]
fn a_gain_in_search_promotes_where_lists_stay_the_same() {
    // The shop of the log with 10,733 searches: search is better by 0.0128 on 764 users, lists are equal.
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let lists = pair(&mut rng, 300, 0.0, 0.0);
    let search = pair(&mut rng, 764, 0.0128, 0.3);
    let trials = [objective("repeat", 0.1, &lists), objective("search", 0.9, &search)];
    let decision = gate(&trials, &GateOptions::default());
    assert_eq!(decision.verdict, GateVerdict::Promote, "{:?}", decision.reasons);
    let words: Vec<TrialVerdict> = decision.trials.iter().map(|outcome| outcome.verdict).collect();
    assert_eq!(words, [TrialVerdict::NotWorse, TrialVerdict::Better]);
    // Equal lists take nothing of the error budget.
    assert_eq!(decision.trials[0].family_alpha, None);
    assert_eq!(decision.trials[1].family_alpha, Some(GateOptions::default().alpha));

    // Lists that lose more than the margin keep the same gain from serving.
    let worse = pair(&mut rng, 300, -0.02, 0.01);
    let trials = [objective("repeat", 0.1, &worse), objective("search", 0.9, &search)];
    let decision = gate(&trials, &GateOptions::default());
    assert_eq!((decision.verdict, decision.trials[0].verdict), (GateVerdict::Reject, TrialVerdict::Worse));
    assert!(decision.reasons[0].contains("ndcg@10/repeat"), "{:?}", decision.reasons);
}

#[test]
fn objectives_that_are_all_equal_are_not_better() {
    let same = pair(&mut ChaCha8Rng::seed_from_u64(8), 200, 0.0, 0.0);
    let decision = gate(&[objective("repeat", 0.5, &same), objective("new", 0.5, &same)], &GateOptions::default());
    assert_eq!(decision.verdict, GateVerdict::Reject);
    assert!(decision.reasons[0].contains("no objective is shown to be better"), "{:?}", decision.reasons);
    assert!(decision.trials.iter().all(|outcome| outcome.family_alpha.is_none()));
}

#[test]
fn the_error_of_a_better_objective_goes_to_the_others() {
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    let (better, same) = (pair(&mut rng, 400, 0.1, 0.1), pair(&mut rng, 400, 0.0, 0.1));
    let options = GateOptions { alpha: 0.04, ..GateOptions::default() };
    let decision = gate(&[objective("repeat", 3.0, &better), objective("search", 1.0, &same)], &options);
    assert_eq!(decision.trials[0].family_alpha, Some(0.03));
    assert_eq!(decision.trials[1].family_alpha, Some(0.04), "the second step has the whole alpha");
    let decision = gate(&[objective("repeat", f64::NAN, &same), objective("search", 0.0, &better)], &options);
    assert_eq!(decision.trials[1].family_alpha, Some(0.02), "without weights all objectives count alike");
    let few = pair(&mut rng, 10, 0.1, 0.1);
    let decision = gate(&[objective("repeat", 1.0, &few)], &options);
    assert_eq!(decision.verdict, GateVerdict::InsufficientData, "{:?}", decision.reasons);
    assert_eq!(decision.reasons.len(), 1);
}

/// Share of gates over three objectives without any true difference in which one counts as better, and in which one would at the whole
/// alpha. The three share users and noise in part, as lists of all and of novel items do.
fn false_families(gates: u64, alpha: f64) -> [f64; 2] {
    let mut promoted = [0u32; 2];
    for seed in 0..gates {
        let mut rng = ChaCha8Rng::seed_from_u64(10_000 + seed);
        let [mut all, novel, search] = [60, 60, 90].map(|users| pair(&mut rng, users, 0.0, 0.2));
        for (mine, other) in all.candidate.iter_mut().zip(novel.candidate.iter().zip(&novel.serving)).take(30) {
            *mine = mine.zip(other.0.zip(*other.1)).map(|(mine, (candidate, serving))| mine + candidate - serving);
        }
        let trials = [objective("repeat", 0.3, &all), objective("new", 0.2, &novel), objective("search", 0.5, &search)];
        // A wide margin: the false promotion is that of the family, not what the guardrails leave of it.
        let trials = trials.map(|trial| Trial { rule: Rule::Improve { margin: 1.0 }, ..trial });
        let options = GateOptions { alpha, replicates: 400, seed, ..GateOptions::default() };
        promoted[0] += u32::from(promotes(&gate(&trials, &options)));
        let alone = |trial: &Trial<'_>| promotes(&gate(&[Trial { rule: Rule::Better, ..trial.clone() }], &options));
        promoted[1] += u32::from(trials.iter().any(alone));
    }
    promoted.map(|count| f64::from(count) / gates as f64)
}

#[test]
fn several_objectives_share_one_error_budget() {
    let (gates, alpha) = (1_000, 0.05);
    let [family, careless] = false_families(gates, alpha);
    let error = (alpha * (1.0 - alpha) / gates as f64).sqrt();
    assert!(family <= alpha + 3.0 * error, "{family} of families without a difference had a better objective");
    assert!(family > 0.01, "the family is not so strict that the test could not fail: {family}");
    assert!(careless > alpha + 3.0 * error, "three tests at the whole alpha are wrong more often: {careless}");
}
