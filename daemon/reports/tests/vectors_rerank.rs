//! METRICS.md vectors of the mitigation table, each under its name.

use mercer_reports::attention::Attention;
use mercer_reports::diversity::calibration_kl;
use mercer_reports::fair_prefix::PrefixTable;
use mercer_reports::rerank::*;

const REL: [f64; 5] = [0.9, 0.85, 0.8, 0.5, 0.4];
const V: [[f32; 3]; 5] = [[1.0, 0.0, 0.0], [0.96, 0.28, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.6, 0.8, 0.0]];
const DRAMA: [usize; 5] = [0, 0, 1, 1, 0];

fn vectors() -> UnitVectors {
    UnitVectors::new(V.iter().map(|vector| Some(&vector[..])))
}

fn close(left: f64, right: f64) {
    assert!((left - right).abs() < 1e-6, "{left} is not {right}");
}

fn run(method: Method<'_>, k: usize) -> Result<Reranked, RerankError> {
    rerank(&Candidates { scores: &REL, keys: &[0; 5], groups: &DRAMA, vectors: Some(&vectors()) }, method, k)
}

#[test]
fn table_mmr() {
    assert_eq!(run(Method::Mmr { lambda: 0.7 }, 4).unwrap().order, [0, 2, 3, 1]);
    // Relevance alone keeps the order; a list is never longer than the candidates.
    assert_eq!(run(Method::Mmr { lambda: 1.0 }, 9).unwrap().order, [0, 1, 2, 3, 4]);
    assert!(matches!(run(Method::Mmr { lambda: 1.5 }, 4), Err(RerankError::Parameter { .. })));
}

#[test]
fn table_dpp() {
    let found = run(Method::Dpp { sharpness: None, window: None }, 5).unwrap();
    assert_eq!((&found.order[..3], found.by_rule), (&[0, 2, 3][..], 3));
    assert_eq!(found.order[3..], [1, 4], "back-filled by score");
    close(found.gains[..3].iter().map(|gain| gain.ln()).sum(), -2.043_302);
    assert_eq!(run(Method::Dpp { sharpness: Some(2.0), window: Some(2) }, 4).unwrap().order, [0, 2, 1, 3]);
    assert!(matches!(run(Method::Dpp { sharpness: None, window: Some(1) }, 4), Err(RerankError::Parameter { .. })));
    let candidates = Candidates { scores: &[0.0], keys: &[0], groups: &[], vectors: Some(&UnitVectors::new([None])) };
    assert!(rerank(&candidates, Method::Dpp { sharpness: None, window: None }, 1).is_err(), "no positive quality");
    assert!(rerank(&candidates, Method::Dpp { sharpness: Some(1.0), window: None }, 1).is_ok());
}

#[test]
fn table_xquad() {
    let (a, b) = ([1.0, 0.0], [0.0, 1.0]);
    let covers = [a, a, b, b, a].concat();
    for covers in [None, Some(&covers[..])] {
        let found = run(Method::Xquad { lambda: 0.3, aspects: &[0.7, 0.3], covers }, 4).unwrap();
        assert_eq!(found.order, [0, 2, 1, 3]);
        found.gains.iter().zip([0.84, 0.65, 0.595, 0.35]).for_each(|(gain, wanted)| close(*gain, wanted));
    }
    let bad = Method::Xquad { lambda: 0.3, aspects: &[0.7, 0.3], covers: Some(&covers[1..]) };
    assert_eq!(run(bad, 4), Err(RerankError::Length { input: "covers", expected: 10, found: 9 }));
    let narrow = Method::Xquad { lambda: 0.3, aspects: &[1.0], covers: None };
    assert_eq!(run(narrow, 4), Err(RerankError::Group { group: 1, groups: 1 }));
}

#[test]
fn table_steck() {
    let method = Method::Calibrated { lambda: 0.9, history: &[0.7, 0.3], events: 10, alpha: 0.01 };
    let found = run(method, 4).unwrap();
    assert_eq!(found.order, [0, 2, 1, 4]);
    let distance = calibration_kl(&[0.7, 0.3], &[3.0, 1.0], 10, 0.01).unwrap();
    close(distance, 0.006_269);
    close(found.gains[3], 0.1 * (0.9 + 0.8 + 0.85 + 0.4) - 0.9 * distance);
    let short = Method::Calibrated { lambda: 0.9, history: &[0.7, 0.3], events: 3, alpha: 0.01 };
    assert_eq!(run(short, 4), Err(RerankError::History(3)));
}

#[test]
fn table_det_greedy() {
    let candidates = Candidates {
        scores: &[0.99, 0.95, 0.9, 0.85, 0.5, 0.45, 0.4],
        keys: &[0; 7],
        groups: &[0, 0, 0, 0, 1, 1, 1],
        vectors: None,
    };
    let run = |shares: &[f64], k| rerank(&candidates, Method::DetGreedy { shares }, k);
    assert_eq!(run(&[0.5, 0.5], 6).unwrap().order, [0, 4, 1, 5, 2, 6]);
    assert_eq!(run(&[0.7, 0.3], 6).unwrap().order, [0, 1, 2, 4, 3, 5]);
    // A group that runs out leaves its places to the other, and the list says how often.
    let starved = run(&[0.0, 1.0], 5).unwrap();
    assert_eq!((&starved.order[..], starved.unmet), (&[4, 5, 6, 0, 1][..], 2));
    assert_eq!(run(&[0.5, 0.4], 6), Err(RerankError::Shares { sum: 0.9 }));
    assert!(matches!(run(&[1.5, -0.5], 6), Err(RerankError::Parameter { .. })));
}

#[test]
fn table_fair_prefix() {
    let scores: Vec<f64> = (0..20).map(|i| 1.0 - f64::from(i) / 20.0).collect();
    // The protected group holds the ten lowest scores.
    let groups: Vec<usize> = (0..20).map(|i| usize::from(i >= 10)).collect();
    let table = PrefixTable::adjusted(10, 0.5, 0.1).unwrap();
    let candidates = Candidates { scores: &scores, keys: &[0; 20], groups: &groups, vectors: None };
    let found = rerank(&candidates, Method::FairPrefix { table: &table, protected: 1 }, 10).unwrap();
    // m = 0000112223: the fifth, seventh and tenth place go to the best protected candidates.
    assert_eq!(found.order, [0, 1, 2, 3, 10, 4, 11, 5, 6, 12]);
    assert!(table.passes(&found.order.iter().map(|index| groups[*index] == 1).collect::<Vec<_>>()));
    assert_eq!(found.unmet, 0);
    let absent = rerank(&candidates, Method::FairPrefix { table: &table, protected: 7 }, 10).unwrap();
    assert_eq!((absent.order, absent.unmet), ((0..10).collect(), 6));
}

#[test]
fn table_log_q() {
    let logits: Vec<f64> =
        [(2.0, 0.2), (1.5, 0.05), (1.0, 0.01)].iter().map(|(logit, q)| log_q(*logit, *q).unwrap()).collect();
    let sum: f64 = logits.iter().map(|logit| logit.exp()).sum();
    for (logit, wanted) in logits.iter().zip([0.092_732, 0.224_980, 0.682_287]) {
        close(logit.exp() / sum, wanted);
    }
    assert_eq!(log_q(1.0, 0.0), log_q(1.0, LOG_Q_FLOOR), "clipped");
    assert!(log_q(1.0, 1.5).is_err() && log_q(f64::NAN, 0.5).is_err());
}

#[test]
fn table_pda() {
    close(pda(1.0, 0.01, 0.2).unwrap(), 0.796_214);
    close(pda(-0.5, 0.4, 0.2).unwrap(), 0.504_969);
    assert_eq!(pda(0.3, 0.01, 0.0), Ok(1.3), "without popularity");
    assert!(pda(0.3, -1.0, 0.2).is_err());
}

#[test]
fn table_ips_weights_are_capped_and_tell_their_effective_size() {
    let found = inverse_propensity_weights(&[0.5, 0.25, 0.01], 0.001).unwrap();
    // 2, 4 and 100 cut to 10, over their mean.
    found.weights.iter().zip([2.0, 4.0, 10.0]).for_each(|(weight, raw)| close(*weight, raw * 3.0 / 16.0));
    close(found.effective, 256.0 / 120.0);
    assert_eq!(found.capped, 1);
    assert!(inverse_propensity_weights(&[], 0.1).is_err() && inverse_propensity_weights(&[2.0], 0.1).is_err());
    let groups: Vec<usize> = (0..100).map(|user| usize::from(user >= 80)).collect();
    let balanced = group_weights(&groups).unwrap();
    let total = |group| -> f64 { (0..100).filter(|u| groups[*u] == group).map(|u| balanced.weights[u]).sum() };
    close(total(0), total(1));
    close(balanced.effective, 64.0);
    // One member among a thousand is not blown up a thousandfold.
    let rare: Vec<usize> = (0..1_000).map(|user| usize::from(user == 0)).collect();
    let capped = group_weights(&rare).unwrap();
    assert_eq!(capped.capped, 1);
    close(capped.weights[0] / capped.weights[1], 10.0 / (1_000.0 / 999.0 / 2.0));
}

#[test]
fn exposure_debt_stays_bounded_and_without_strength_it_grows() {
    // Group 1 scores far below group 0 and is owed 30 %; group 2 scores highest and may have 40 % at most.
    let (floors, caps) = (vec![0.0, 0.3, 0.0], vec![1.0, 1.0, 0.4]);
    let lists = 3_000;
    let simulate = |strength: f64| -> Vec<f64> {
        let bounds = ExposureBounds::new(floors.clone(), caps.clone(), 1e6, strength).unwrap();
        let mut ledger = ExposureLedger::new(3);
        let groups: Vec<usize> = (0..30).map(|i| i % 3).collect();
        (0..lists)
            .map(|list| {
                let noise = |i: usize| ((i * 7_919 + list * 104_729) % 1_000) as f64 / 4_000.0;
                let scores: Vec<f64> = (0..30).map(|i| [0.4, 0.0, 0.75][groups[i]] + noise(i)).collect();
                let candidates = Candidates { scores: &scores, keys: &[0; 30], groups: &groups, vectors: None };
                let method = Method::Exposure { bounds: &bounds, ledger: &ledger, model: Attention::Logarithmic };
                let order = rerank(&candidates, method, 10).unwrap().order;
                let shown: Vec<usize> = order.iter().map(|index| groups[*index]).collect();
                ledger.record(&bounds, &shown, Attention::Logarithmic);
                (0..3).map(|group| ledger.debt(&bounds, group).abs()).fold(0.0, f64::max)
            })
            .collect()
    };
    let highest = |debts: &[f64]| debts.iter().copied().fold(0.0, f64::max);
    for strength in [0.1, 0.5, 2.0] {
        let debts = simulate(strength);
        // A debt that adds more than the whole range of scores puts its group first.
        assert!(highest(&debts) <= 1.0 / strength + 1.0, "strength {strength}: {}", highest(&debts));
        assert!(highest(&debts[1_500..]) <= highest(&debts[..1_500]) + 0.5, "it does not grow");
    }
    let idle = simulate(1e-9);
    assert!(idle[lists - 1] > 500.0, "the same lists without correction run into debt: {}", idle[lists - 1]);
}

#[test]
fn exposure_constraints_that_no_list_can_meet_are_refused() {
    let new = |floors: &[f64], caps: &[f64]| ExposureBounds::new(floors.to_vec(), caps.to_vec(), 100.0, 1.0);
    assert!(matches!(new(&[0.6, 0.6], &[1.0, 1.0]), Err(RerankError::Conflict(_))), "floors above 1");
    assert!(matches!(new(&[0.0, 0.0], &[0.3, 0.3]), Err(RerankError::Conflict(_))), "caps below 1");
    assert!(matches!(new(&[0.5, 0.0], &[0.4, 1.0]), Err(RerankError::Conflict(_))), "a floor above its cap");
    assert!(matches!(new(&[0.5], &[0.4, 1.0]), Err(RerankError::Length { .. })));
    assert!(matches!(ExposureBounds::new(vec![0.1], vec![1.0], 0.5, 1.0), Err(RerankError::Parameter { .. })));
    assert!(new(&[0.1, 0.2], &[1.0, 0.3]).is_ok());
}
