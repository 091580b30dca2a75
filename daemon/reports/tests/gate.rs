//! The gate on planted truths: a better model passes, noise does not, and forty gates on noise spend no more than their budget.

use mercer_reports::gate::{GateVerdict, TrialVerdict};
use mercer_reports::{AlphaLedger, GateOptions, Opponent, Purpose, Rule, Spending, Trial, gate};
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
    let opponent = match purpose {
        Purpose::Primary => Opponent::Serving("v000001".into()),
        Purpose::Guardrail => Opponent::Baseline("popularity".into()),
    };
    Trial { metric: "NDCG@10".into(), purpose, opponent, rule, candidate, values }
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
    assert!(decision.reasons.is_empty() && decision.promotes());

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
    assert!(!broken.promotes());
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
            any |= gate(&[trial(Purpose::Primary, Rule::Better, &one, &two)], &options).promotes();
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
