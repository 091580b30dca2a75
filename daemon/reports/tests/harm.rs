//! Guardrails of the gate on planted truths: harm to one group and to diversity is found, noise is not accused.

use mercer_reports::Undefined;
use mercer_reports::harm::{
    DIVERSITY, Harm, HarmOptions, HarmVerdict, PairedLists, PairedValues, diversity_harm, group_harm,
};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

fn options(margin: f64, least: usize) -> HarmOptions {
    HarmOptions { margin, least, replicates: 400, seed: 1 }
}

/// NDCG-like values of `n` users and of a candidate that differs by `lift` and noise.
fn values(rng: &mut ChaCha8Rng, n: usize, lift: f64) -> (Vec<f64>, Vec<f64>) {
    (0..n)
        .map(|_| {
            let value = if rng.random_bool(0.4) { 0.0 } else { rng.random::<f64>() };
            (value + lift + 0.2 * (rng.random::<f64>() - rng.random::<f64>()), value)
        })
        .unzip()
}

/// A group of users, how many they are, and by how much the candidate serves them better.
struct Planted {
    label: &'static str,
    n: usize,
    lift: f64,
}

/// Groups from their labels, sizes and lifts.
const fn planted(label: &'static str, n: usize, lift: f64) -> Planted {
    Planted { label, n, lift }
}

fn compared(seed: u64, groups: &[Planted], options: &HarmOptions) -> Vec<Harm> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (mut candidate, mut incumbent, mut labels) = (Vec::new(), Vec::new(), Vec::new());
    for Planted { label, n, lift } in groups {
        let (mine, theirs) = values(&mut rng, *n, *lift);
        candidate.extend(mine);
        incumbent.extend(theirs);
        labels.extend(std::iter::repeat_n(*label, *n));
    }
    group_harm(PairedValues { candidate: &candidate, incumbent: &incumbent }, &labels, options).unwrap()
}

fn verdicts(found: &[Harm]) -> Vec<HarmVerdict> {
    found.iter().map(|harm| harm.verdict).collect()
}

#[test]
fn a_gain_for_most_does_not_hide_the_harm_to_a_small_group() {
    let found = compared(1, &[planted("heavy", 900, 0.05), planted("light", 120, -0.08)], &options(0.01, 30));
    assert_eq!(verdicts(&found), [HarmVerdict::NoHarm, HarmVerdict::Harm]);
    let numbers = found[1].numbers.unwrap();
    assert!((numbers.change + 0.08).abs() < 0.03 && numbers.high < 0.0, "{numbers:?}");
    assert!((numbers.candidate - numbers.incumbent - numbers.change).abs() < 1e-12);
    assert_eq!(found[1].n, Some(120));
}

#[test]
fn harm_within_noise_is_not_harm_and_a_small_loss_is_tolerated() {
    let found = compared(2, &[planted("a", 60, 0.0)], &options(0.001, 30));
    assert_eq!(verdicts(&found), [HarmVerdict::WithinNoise], "{found:?}");
    // A loss that is certain and smaller than the margin.
    let found = compared(3, &[planted("a", 5_000, -0.01)], &options(0.05, 30));
    assert!(found[0].numbers.unwrap().high < 0.0);
    assert_eq!(verdicts(&found), [HarmVerdict::NoHarm]);
}

#[test]
fn too_few_users_are_insufficient_data_and_tiny_groups_keep_their_size() {
    let found = compared(
        4,
        &[planted("few", 25, -0.5), planted("many", 400, 0.0), planted("tiny", 7, -0.5)],
        &options(0.05, 30),
    );
    let expected = [HarmVerdict::InsufficientData, HarmVerdict::NoHarm, HarmVerdict::InsufficientData];
    assert_eq!(verdicts(&found), expected);
    assert_eq!([found[0].n, found[2].n], [Some(25), None]);
    assert!(found[0].numbers.is_none() && found[0].undefined == Some(Undefined::TooFew));
    // An attribute gates from 400 on.
    let found = compared(4, &[planted("few", 399, -0.5), planted("many", 400, -0.5)], &options(0.05, 400));
    assert_eq!(verdicts(&found), [HarmVerdict::InsufficientData, HarmVerdict::Harm]);
}

#[test]
fn candidates_without_a_difference_are_seldom_accused() {
    let groups = [planted("a", 100, 0.0), planted("b", 100, 0.0), planted("c", 100, 0.0), planted("d", 100, 0.0)];
    let accused = (0..100)
        .filter(|seed| verdicts(&compared(100 + seed, &groups, &options(0.001, 30))).contains(&HarmVerdict::Harm))
        .count();
    // 0.025 of families at most; the bound leaves three standard errors.
    assert!(accused <= 7, "{accused} of 100");
    let harmed = [planted("a", 100, 0.0), planted("b", 100, 0.0), planted("c", 100, 0.0), planted("d", 100, -0.07)];
    let found = (0..100)
        .filter(|seed| verdicts(&compared(300 + seed, &harmed, &options(0.01, 30)))[3] == HarmVerdict::Harm)
        .count();
    assert!(found >= 95, "{found} of 100");
}

/// Lists of ten items for so many users from the first `reach` items of a thousand, uneven.
fn lists(rng: &mut ChaCha8Rng, users: usize, reach: usize) -> Vec<Vec<u32>> {
    (0..users)
        .map(|_| {
            let mut list = Vec::new();
            while list.len() < 10 {
                let item = (reach as f64 * rng.random::<f64>().powi(2)) as u32;
                if !list.contains(&item) {
                    list.push(item);
                }
            }
            list
        })
        .collect()
}

fn popularity() -> Vec<f64> {
    (0..1_000).map(|item| (1_000.0 / f64::from(item + 1)).floor()).collect()
}

fn diversity(candidate: &[Vec<u32>], incumbent: &[Vec<u32>], options: &HarmOptions) -> Vec<Harm> {
    let popularity = popularity();
    diversity_harm(PairedLists { candidate, incumbent, popularity: &popularity, k: 10 }, options).unwrap()
}

#[test]
fn a_cut_in_effective_items_is_named_with_its_numbers() {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let (before, after) = (lists(&mut rng, 400, 600), lists(&mut rng, 400, 480));
    let found = diversity(&after, &before, &options(0.1, 100));
    assert_eq!(found.iter().map(|harm| harm.name.as_str()).collect::<Vec<_>>(), DIVERSITY);
    for harm in &found[..2] {
        assert_eq!(harm.verdict, HarmVerdict::Harm, "{harm:?}");
        let numbers = harm.numbers.unwrap();
        assert!(numbers.change < -0.1 && numbers.high < 0.0 && numbers.low < numbers.change, "{numbers:?}");
    }
    // The other way round the candidate shows more, which is no harm.
    let found = diversity(&before, &after, &options(0.1, 100));
    assert!(verdicts(&found).iter().all(|verdict| *verdict == HarmVerdict::NoHarm), "{found:?}");
}

#[test]
fn equal_lists_have_no_harm_and_resampled_ones_are_seldom_accused() {
    let mut rng = ChaCha8Rng::seed_from_u64(6);
    let same = lists(&mut rng, 200, 600);
    let found = diversity(&same, &same, &options(0.05, 100));
    assert!(found.iter().all(|harm| harm.verdict == HarmVerdict::NoHarm), "{found:?}");
    assert!(found.iter().all(|harm| harm.numbers.unwrap().change == 0.0));
    let accused = (0..40)
        .filter(|_| {
            let (one, two) = (lists(&mut rng, 200, 600), lists(&mut rng, 200, 600));
            let options = HarmOptions { replicates: 200, ..options(0.005, 100) };
            verdicts(&diversity(&one, &two, &options)).contains(&HarmVerdict::Harm)
        })
        .count();
    assert!(accused <= 4, "{accused} of 40");
}

#[test]
fn diversity_that_cannot_be_compared_says_why() {
    let few = vec![vec![1, 2]; 20];
    let found = diversity(&few, &few, &options(0.1, 100));
    assert!(found.iter().all(|harm| harm.verdict == HarmVerdict::InsufficientData && harm.n == Some(20)));
    let none = vec![Vec::new(); 200];
    let found = diversity(&none, &none, &options(0.1, 100));
    assert!(found.iter().all(|harm| harm.verdict == HarmVerdict::InsufficientData), "{found:?}");
    // Without any interaction there is no head and no tail; the rest is compared.
    let (popularity, shown) = (vec![0.0; 9], vec![vec![1, 2]; 200]);
    let lists = PairedLists { candidate: &shown, incumbent: &shown, popularity: &popularity, k: 10 };
    let found = diversity_harm(lists, &options(0.1, 100)).unwrap();
    assert_eq!(found[2].undefined, Some(Undefined::NoObservations));
    assert_eq!(found[0].verdict, HarmVerdict::NoHarm);
    let unknown = PairedLists { popularity: &[1.0], ..lists };
    assert_eq!(diversity_harm(unknown, &options(0.1, 100)), Err(Undefined::BadParameter));
    assert_eq!(diversity_harm(lists, &options(0.0, 100)), Err(Undefined::BadParameter));
    let short = PairedLists { incumbent: &[], ..lists };
    assert_eq!(diversity_harm(short, &options(0.1, 100)), Err(Undefined::LengthMismatch));
    let values = PairedValues { candidate: &[f64::NAN], incumbent: &[0.0] };
    assert_eq!(group_harm(values, &["a"], &options(0.1, 2)), Err(Undefined::NotFinite));
    assert_eq!(group_harm(values, &[], &options(0.1, 2)), Err(Undefined::LengthMismatch));
}
