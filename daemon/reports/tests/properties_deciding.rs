//! Properties of tests, interleaving, counterfactual estimates, privacy accounting and attributions for any input.

use mercer_reports::attribution::{dot_contributions, leave_one_out, shapley};
use mercer_reports::clipping::{clip_factor, clip_per_user};
use mercer_reports::compare::{CupedArm, cuped, detectable_effect, student_test};
use mercer_reports::counterfactual::{Logged, estimate};
use mercer_reports::fidelity::{
    Counterfactual, counterfactual_validity, deletion_against_random, deletion_area, insertion_area, stability,
    unexplained_share,
};
use mercer_reports::interleave::{Team, preference, team_draft};
use mercer_reports::noised_counts::{KeyedCounts, difference_reveals, hidden_cells, key_threshold, laplace_error};
use mercer_reports::proportions::{Rate, newcombe, wilson};
use mercer_reports::rdp::{Accountant, SampledGaussian, epsilon, epsilon_classic, rdp, rdp_any_order};
use mercer_reports::resample::sign_flip_p;
use mercer_reports::signed_rank::signed_rank_p;
use mercer_reports::{Undefined, compare_paired, mean};
use proptest::prelude::*;

fn differences() -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(prop_oneof![Just(0.0), -1.0_f64..1.0], 1..25)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn tests_of_differences_give_probabilities_and_do_not_know_directions(d in differences()) {
        let turned: Vec<f64> = d.iter().rev().map(|d| -d).collect();
        let (rank, flip) = (signed_rank_p(&d).unwrap(), sign_flip_p(&d, 300, 1).unwrap());
        prop_assert!(rank > 0.0 && rank <= 1.0 && flip > 0.0 && flip <= 1.0, "no p is 0: {} {}", rank, flip);
        prop_assert_eq!(signed_rank_p(&turned), Ok(rank));
        if let Ok(t) = student_test(&d, 0.95) {
            let back = student_test(&turned, 0.95).unwrap();
            prop_assert!((t.t + back.t).abs() < 1e-9 * (1.0 + t.t.abs()) && (t.p - back.p).abs() < 1e-9);
            prop_assert!(t.low <= mean(&d).unwrap() && mean(&d).unwrap() <= t.high && (0.0..=1.0).contains(&t.p));
        }
    }

    #[test]
    fn a_paired_comparison_skips_nulls_and_changes_sign_with_its_arms(
        pairs in prop::collection::vec((prop::option::of(0.0_f64..1.0), prop::option::of(0.0_f64..1.0)), 0..30),
    ) {
        let (one, two): (Vec<_>, Vec<_>) = pairs.iter().copied().unzip();
        let used = pairs.iter().filter(|(a, b)| a.is_some() && b.is_some()).count();
        match compare_paired(&one, &two, 0.025, 200, 1) {
            Ok(found) => {
                prop_assert_eq!((found.n_used, found.n_total), (used, pairs.len()));
                let back = compare_paired(&two, &one, 0.025, 200, 1).unwrap();
                prop_assert!((found.difference + back.difference).abs() < 1e-12);
                prop_assert!((found.interval.low + back.interval.high).abs() < 1e-9);
                prop_assert!(found.lower <= found.difference + 1e-9);
            }
            Err(reason) => {
                prop_assert_eq!(reason, Undefined::TooFew);
                prop_assert!(used < 2);
            }
        }
    }

    #[test]
    fn cuped_never_adds_variance_and_keeps_the_mean(xy in prop::collection::vec((-1.0_f64..1.0, -1.0_f64..1.0), 4..30)) {
        let (x, y): (Vec<f64>, Vec<f64>) = xy.into_iter().unzip();
        if let Ok((adjusted, _)) = cuped(&[CupedArm { covariate: &x, outcome: &y }]) {
            let spread = |v: &[f64]| v.iter().map(|a| (a - mean(v).unwrap()).powi(2)).sum::<f64>();
            prop_assert!(spread(&adjusted[0]) <= spread(&y) + 1e-9);
            prop_assert!((mean(&adjusted[0]).unwrap() - mean(&y).unwrap()).abs() < 1e-9);
        }
    }

    #[test]
    fn interleaved_lists_are_fair_and_without_doubles(
        a in Just((0..12_u32).collect::<Vec<u32>>()).prop_shuffle(),
        b in Just((6..18_u32).collect::<Vec<u32>>()).prop_shuffle(),
        coins in prop::collection::vec(any::<bool>(), 12),
        k in 0_usize..14,
    ) {
        let mut coin = coins.into_iter().cycle();
        let list = team_draft(&a, &b, k, || if coin.next().unwrap_or(true) { Team::A } else { Team::B });
        prop_assert_eq!(list.len(), k);
        for (place, (item, team)) in list.iter().enumerate() {
            prop_assert!(!list[..place].iter().any(|(other, _)| other == item));
            let own = if *team == Team::A { &a } else { &b };
            prop_assert!(own.contains(item));
            let count = |of: Team| list[..=place].iter().filter(|(_, team)| *team == of).count();
            prop_assert!(count(Team::A).abs_diff(count(Team::B)) <= 1, "no team is ahead by two");
        }
    }

    #[test]
    fn preferences_are_bounded_and_turn_with_the_teams(a in 0_u64..60, b in 0_u64..60, ties in 0_u64..60) {
        prop_assume!(a + b + ties > 0);
        let (found, back) = (preference(a, b, ties).unwrap(), preference(b, a, ties).unwrap());
        prop_assert!((-0.5..=0.5).contains(&found.delta) && (found.delta + back.delta).abs() < 1e-12);
        prop_assert!(found.p > 0.0 && found.p <= 1.0 && (found.p - back.p).abs() < 1e-9);
    }

    #[test]
    fn logging_like_the_target_estimates_the_mean(rewards in prop::collection::vec((0.0_f64..1.0, 0.05_f64..1.0), 1..40)) {
        let log: Vec<Logged> = rewards
            .iter()
            .map(|(reward, p)| Logged { reward: *reward, logging: *p, target: *p, predicted: 0.2, value: 0.2 })
            .collect();
        let truth = mean(&rewards.iter().map(|(r, _)| *r).collect::<Vec<_>>()).unwrap();
        let found = estimate(&log, 10.0).unwrap();
        for value in [found.ips, found.snips, found.doubly_robust, found.clipped] {
            prop_assert!((value - truth).abs() < 1e-9, "{} is not {}", value, truth);
        }
        prop_assert!((found.effective - log.len() as f64).abs() < 1e-6 && (found.mean_weight - 1.0).abs() < 1e-12);
        prop_assert_eq!(found.trusted().is_ok(), log.len() >= 100);
        // SNIPS never leaves the range of the rewards, whatever the target.
        let other: Vec<Logged> = log.iter().enumerate().map(|(i, one)| Logged { target: 1.0 / (i + 1) as f64, ..*one }).collect();
        let snips = estimate(&other, 10.0).unwrap().snips;
        let (low, high) = rewards.iter().fold((1.0_f64, 0.0_f64), |(l, h), (r, _)| (l.min(*r), h.max(*r)));
        prop_assert!((low - 1e-9..=high + 1e-9).contains(&snips));
    }

    #[test]
    fn rates_have_intervals_around_them(n in 1_u64..200, m in 1_u64..200, part in 0.0_f64..=1.0, other in 0.0_f64..=1.0) {
        let (a, b) = (Rate { hits: (part * n as f64) as u64, trials: n }, Rate { hits: (other * m as f64) as u64, trials: m });
        let found = newcombe(a, b, 0.95).unwrap();
        prop_assert!(found.low <= found.difference + 1e-12 && found.difference <= found.high + 1e-12);
        prop_assert!(found.low >= -1.0 - 1e-12 && found.high <= 1.0 + 1e-12);
        let (narrow, wide) = (wilson(a.hits, n, 0.8).unwrap(), wilson(a.hits, n, 0.99).unwrap());
        prop_assert!(wide.0 <= narrow.0 + 1e-12 && narrow.1 <= wide.1 + 1e-12);
    }

    #[test]
    fn privacy_costs_more_with_more_users_less_noise_and_more_steps(
        sampling in 0.001_f64..0.9, noise in 0.6_f64..6.0, order in 2_u32..40, steps in 1_u64..2_000,
    ) {
        let one = SampledGaussian { sampling, noise };
        let value = rdp(one, order).unwrap();
        prop_assert!(value > 0.0 && value <= f64::from(order) / (2.0 * noise * noise) + 1e-9, "sampling never costs");
        let (more, quieter) = (SampledGaussian { sampling: sampling * 1.05, ..one }, SampledGaussian { noise: noise * 1.05, ..one });
        prop_assert!(rdp(more, order).unwrap() >= value && rdp(quieter, order).unwrap() <= value);
        prop_assert!(rdp(one, order + 1).unwrap() >= value, "RDP grows with the order");
        prop_assert_eq!(rdp_any_order(one, f64::from(order)), Ok(value));
        prop_assert!(epsilon(value, f64::from(order), 1e-5).unwrap() <= epsilon_classic(value, f64::from(order), 1e-5).unwrap());
        let (mut few, mut many) = (Accountant::new(), Accountant::new());
        few.add(one, steps).unwrap();
        many.add(one, steps).unwrap();
        many.add(one, 1).unwrap();
        let (low, high) = (few.epsilon(1e-6).unwrap().epsilon, many.epsilon(1e-6).unwrap().epsilon);
        prop_assert!(low <= high && few.epsilon(1e-4).unwrap().epsilon <= low + 1e-12, "a smaller delta costs more");
    }

    #[test]
    fn one_user_moves_a_clipped_sum_by_the_bound_at_most(
        gradients in prop::collection::vec(prop::array::uniform4(-50.0_f64..50.0), 1..12), bound in 0.01_f64..20.0,
    ) {
        let all = clip_per_user(&gradients, bound).unwrap();
        let without = clip_per_user(&gradients[1..], bound).unwrap();
        let zero = vec![0.0; 4];
        let rest = if without.sum.is_empty() { &zero } else { &without.sum };
        let moved = all.sum.iter().zip(rest).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
        prop_assert!(moved <= bound * (1.0 + 1e-9), "{} over {}", moved, bound);
        prop_assert!(all.factors.iter().all(|factor| *factor > 0.0 && *factor <= 1.0));
        let short = clip_per_user(&[[0.5 * bound, 0.0, 0.0, 0.0]], bound).unwrap();
        prop_assert_eq!(short.factors, vec![1.0], "what is short enough is left as it is");
    }

    #[test]
    fn hidden_cells_cannot_be_told_from_the_total(counts in prop::collection::vec(0_u64..60, 0..10), least in 2_u64..20) {
        let hidden = hidden_cells(&counts, least);
        prop_assert_eq!(hidden.len(), counts.len());
        let gone: Vec<u64> = counts.iter().zip(&hidden).filter(|(_, h)| **h).map(|(c, _)| *c).collect();
        prop_assert!(counts.iter().zip(&hidden).all(|(count, hidden)| *hidden || *count == 0 || *count >= least));
        let whole = !hidden.is_empty() && hidden.iter().all(|h| *h);
        prop_assert!(gone.is_empty() || whole || (gone.len() > 1 && gone.iter().sum::<u64>() >= least));
        let needed = counts.iter().any(|count| *count > 0 && *count < least);
        prop_assert_eq!(gone.is_empty(), !needed, "nothing is hidden without need");
        prop_assert!(difference_reveals(100, 100 + least - 1, least) && !difference_reveals(100, 100 + least, least));
    }

    #[test]
    fn thresholds_grow_with_noise_and_keys(scale in 0.5_f64..20.0, keys in 1_u32..20) {
        let at = |scale, keys_per_user, delta| key_threshold(KeyedCounts { scale, keys_per_user, delta }).unwrap();
        let value = at(scale, keys, 1e-6);
        prop_assert!(at(scale * 1.5, keys, 1e-6) >= value && at(scale, keys + 1, 1e-6) >= value && at(scale, keys, 1e-9) > value);
        prop_assert!(laplace_error(scale, 0.99).unwrap() > laplace_error(scale, 0.9).unwrap());
    }

    #[test]
    fn attributions_of_any_game_sum_to_it_and_follow_their_events(table in prop::collection::vec(-1.0_f64..1.0, 16)) {
        let place = |kept: &[bool]| kept.iter().enumerate().map(|(i, k)| usize::from(*k) << i).sum::<usize>();
        let game = |kept: &[bool]| Ok(table[place(kept)]);
        let shares = shapley(4, game).unwrap();
        prop_assert!((shares.iter().sum::<f64>() - (table[15] - table[0])).abs() < 1e-9);
        // Events renamed in reverse order: the same shares in reverse order.
        let renamed = |kept: &[bool]| game(&kept.iter().rev().copied().collect::<Vec<_>>());
        for (one, other) in shapley(4, renamed).unwrap().iter().rev().zip(&shares) {
            prop_assert!((one - other).abs() < 1e-9);
        }
        let left = leave_one_out(4, game).unwrap();
        prop_assert!((left[2] - (table[15] - table[0b1011])).abs() < 1e-12);
        // A pair of an order and its reverse: deletion in one is insertion in the other.
        let (down, up) = (deletion_area(&[0, 1, 2, 3], game).unwrap(), insertion_area(&[3, 2, 1, 0], game).unwrap());
        prop_assert!((down - up).abs() < 1e-9);
        let random = deletion_against_random(&[0, 1, 2, 3], 20, 1, game).unwrap();
        prop_assert!((random.random - random.explained - random.gain).abs() < 1e-12);
    }

    #[test]
    fn dot_contributions_sum_to_the_score(history in prop::collection::vec(prop::array::uniform3(-1.0_f64..1.0), 1..15), query in prop::array::uniform3(-1.0_f64..1.0)) {
        let parts = dot_contributions(&query, &history).unwrap();
        let n = history.len() as f64;
        let score: f64 = (0..3).map(|axis| history.iter().map(|v| v[axis]).sum::<f64>() / n * query[axis]).sum();
        prop_assert!((parts.iter().sum::<f64>() - score).abs() < 1e-9);
    }

    #[test]
    fn shares_of_explanations_are_rates(claims in prop::collection::vec((prop::option::of(1_u32..4), prop::option::of(1_u32..4)), 1..30)) {
        let all: Vec<Counterfactual> = claims.iter().map(|(stated, found)| Counterfactual { stated: *stated, found: *found }).collect();
        let found = counterfactual_validity(&all).unwrap();
        prop_assert!(found.interval.low <= found.share + 1e-12 && found.share <= found.interval.high + 1e-12);
        prop_assert_eq!(found.n, all.len() as u64);
        let (said, heard): (Vec<Option<u32>>, Vec<Option<u32>>) = claims.into_iter().unzip();
        let same = stability(&[said.clone(), heard.clone()]).unwrap();
        prop_assert!((same - found.share).abs() < 1e-12);
        prop_assert_eq!(stability(&[heard, said]), Ok(same));
    }
}

#[test]
fn empty_input_and_one_element_have_a_reason_or_a_value() {
    let nothing = |_: &[bool]| Ok(0.0);
    for undefined in [
        signed_rank_p(&[]),
        sign_flip_p(&[], 10, 1),
        student_test(&[1.0], 0.95).map(|test| test.t),
        compare_paired(&[Some(1.0)], &[Some(0.0)], 0.025, 10, 1).map(|found| found.difference),
        detectable_effect(1.0, 0, 0.05, 0.8),
        preference(0, 0, 0).map(|found| found.p),
        estimate(&[], 1.0).map(|found| found.ips),
        wilson(0, 0, 0.95).map(|bounds| bounds.0),
        deletion_area(&[], nothing),
        insertion_area(&[], nothing),
        leave_one_out(0, nothing).map(|parts| parts[0]),
        shapley(0, nothing).map(|parts| parts[0]),
        dot_contributions::<[f64; 0]>(&[], &[]).map(|parts| parts[0]),
        counterfactual_validity(&[]).map(|found| found.share),
        unexplained_share(&[]).map(|found| found.share),
        stability::<Vec<Option<u32>>>(&[]),
        clip_factor(1.0, 0.0),
    ] {
        assert!(undefined.is_err(), "{undefined:?}");
    }
    assert!(team_draft::<u32>(&[], &[], 5, || Team::A).is_empty());
    assert!(hidden_cells(&[], 10).is_empty());
    assert_eq!(clip_per_user::<[f64; 1]>(&[], 1.0).unwrap().sum, Vec::<f64>::new());
    for (defined, wanted) in [
        (signed_rank_p(&[0.4]), 1.0),
        (sign_flip_p(&[0.4], 10, 1), 1.0),
        (leave_one_out(1, |kept| Ok(f64::from(u8::from(kept[0])))).map(|parts| parts[0]), 1.0),
        (shapley(1, |kept| Ok(f64::from(u8::from(kept[0])))).map(|parts| parts[0]), 1.0),
        (deletion_area(&[0], |kept| Ok(f64::from(u8::from(kept[0])))), 0.5),
        (clip_factor(0.0, 1.0), 1.0),
    ] {
        assert_eq!(defined, Ok(wanted));
    }
}
