//! Group reports on planted truths: a known gap is found, an unbiased log is not accused, small groups are not shown.

use mercer_reports::groups::{Display, GroupVerdict, holm_over};
use mercer_reports::{GroupOptions, Undefined, group_report};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// A group of users: how many, and how much more often than others they get nothing.
#[derive(Clone, Copy)]
struct Group {
    label: &'static str,
    n: usize,
    worse: f64,
}

const fn group(label: &'static str, n: usize, worse: f64) -> Group {
    Group { label, n, worse }
}

/// Users of each group with NDCG-like values: 0 with probability 0.4 + gap of the group, else uniform.
fn shop(seed: u64, groups: &[Group]) -> (Vec<Option<f64>>, Vec<&'static str>) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut values = Vec::new();
    let mut labels = Vec::new();
    for &Group { label, n, worse } in groups {
        for _ in 0..n {
            values.push(Some(if rng.random_bool(0.4 + worse) { 0.0 } else { rng.random::<f64>() }));
            labels.push(label);
        }
    }
    (values, labels)
}

fn options(seed: u64) -> GroupOptions {
    GroupOptions { replicates: 400, seed, ..GroupOptions::default() }
}

#[test]
fn a_planted_gap_of_400_per_group_is_found() {
    let (values, labels) = shop(1, &[group("north", 400, 0.0), group("south", 400, 0.25), group("west", 400, 0.0)]);
    let report = group_report("region", "NDCG@10", &values, &labels, &options(1)).unwrap();
    assert_eq!(report.verdict, GroupVerdict::AboveNoise);
    assert_eq!(report.worst.as_deref(), Some("south"));
    assert!(report.gap.value.unwrap() > report.noise_floor.value.unwrap());
    assert!(report.p.value.unwrap() < 0.01 && report.may_gate);
    let worst = report.groups.iter().find(|row| row.group == "south").unwrap();
    let interval = worst.interval.unwrap();
    assert!(interval.low < worst.mean.value.unwrap() && worst.mean.value.unwrap() < interval.high);
    let gap = report.gap_interval.unwrap();
    assert!(gap.low > 0.0 && gap.low < report.gap.value.unwrap() && gap.high > report.gap.value.unwrap());
}

#[test]
fn unbiased_logs_are_accused_no_more_often_than_the_level_says() {
    let accused = (0..60)
        .filter(|seed| {
            let (values, labels) =
                shop(100 + seed, &[group("north", 400, 0.0), group("south", 400, 0.0), group("west", 400, 0.0)]);
            let options = GroupOptions { replicates: 200, seed: *seed, ..GroupOptions::default() };
            group_report("region", "NDCG@10", &values, &labels, &options).unwrap().verdict == GroupVerdict::AboveNoise
        })
        .count();
    // Binomial(60, 0.05): more than 9 happens once in a thousand times.
    assert!(accused <= 9, "{accused} of 60 unbiased logs accused");
}

#[test]
fn the_noise_floor_is_that_of_the_specification() {
    // METRICS.md section 4: 2 x 1000 users at sd .33 give .029.
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let uniform = 0.33 * 12.0_f64.sqrt();
    let values: Vec<Option<f64>> = (0..2000).map(|_| Some(rng.random::<f64>() * uniform)).collect();
    let labels: Vec<&str> = (0..2000).map(|i| if i % 2 == 0 { "a" } else { "b" }).collect();
    let report = group_report("x", "NDCG@10", &values, &labels, &GroupOptions::default()).unwrap();
    assert!((report.noise_floor.value.unwrap() - 0.029).abs() < 0.003, "{:?}", report.noise_floor);
}

#[test]
fn small_groups_are_hidden_or_shown_by_interval_alone() {
    let (values, labels) = shop(
        2,
        &[
            group("east", 7, 0.0),
            group("north", 120, 0.0),
            group("south", 50, 0.5),
            group("unknown", 150, 0.3),
            group("west", 9, 0.0),
        ],
    );
    let report = group_report("region", "NDCG@10", &values, &labels, &options(2)).unwrap();
    let row = |name: &str| report.groups.iter().find(|row| row.group == name).unwrap();
    assert_eq!((row("west").display, row("west").n, row("west").interval), (Display::Suppressed, None, None));
    assert_eq!(row("west").mean.reason, Some(Undefined::Suppressed));
    assert_eq!((row("south").display, row("south").mean.reason), (Display::IntervalOnly, Some(Undefined::TooFew)));
    assert!(row("south").interval.is_some() && !row("south").compared);
    assert!(row("unknown").mean.value.is_some() && !row("unknown").compared);
    assert_eq!((report.suppressed, report.n_used), (2, 320));
    assert!((report.unknown_share.value.unwrap() - 150.0 / 320.0).abs() < 1e-12);
    // One comparable group has no gap, however different the others look.
    assert_eq!(report.verdict, GroupVerdict::InsufficientData);
    assert_eq!(report.gap.reason, Some(Undefined::NoGroups));
    let text = serde_json::to_string(&report).unwrap();
    assert!(!text.contains(":9,") && text.contains(r#""verdict":"insufficient_data""#), "{text}");

    assert_eq!(report.verdict.word(), "insufficient data");

    let with_unknown = GroupOptions { compare_unknown: true, ..options(2) };
    let report = group_report("region", "NDCG@10", &values, &labels, &with_unknown).unwrap();
    assert_eq!(report.worst.as_deref(), Some("unknown"));
    assert!(!report.may_gate);
}

#[test]
fn a_lone_small_group_is_not_given_away_by_the_others() {
    let hidden = |sizes: &[Group]| -> Vec<String> {
        let (values, labels) = shop(5, sizes);
        let report = group_report("region", "NDCG@10", &values, &labels, &options(5)).unwrap();
        let rows = report.groups.into_iter().filter(|row| row.display == Display::Suppressed);
        rows.inspect(|row| assert!(row.n.is_none() && !row.compared)).map(|row| row.group).collect()
    };
    // All users less those that are shown would be the size of `west`: `south` goes with it.
    assert_eq!(hidden(&[group("north", 120, 0.0), group("south", 50, 0.0), group("west", 9, 0.0)]), ["south", "west"]);
    // Three and four users together are still fewer than ten.
    assert_eq!(
        hidden(&[group("a", 3, 0.0), group("b", 4, 0.0), group("c", 30, 0.0), group("d", 40, 0.0)]),
        ["a", "b", "c"]
    );
    assert_eq!(hidden(&[group("a", 6, 0.0), group("b", 4, 0.0), group("c", 30, 0.0), group("d", 40, 0.0)]), ["a", "b"]);
    assert_eq!(hidden(&[group("c", 30, 0.0), group("d", 40, 0.0)]), Vec::<String>::new());
    assert_eq!(hidden(&[group("c", 3, 0.0)]), ["c"]);
}

#[test]
fn order_of_users_changes_no_number() {
    let (values, labels) = shop(3, &[group("a", 130, 0.0), group("b", 140, 0.1), group("c", 20, 0.0)]);
    let report = group_report("x", "NDCG@10", &values, &labels, &options(3)).unwrap();
    let turned: Vec<_> = values.iter().rev().copied().collect();
    let turned_labels: Vec<_> = labels.iter().rev().copied().collect();
    let other = group_report("x", "NDCG@10", &turned, &turned_labels, &options(3)).unwrap();
    assert!((report.gap.value.unwrap() - other.gap.value.unwrap()).abs() < 1e-12);
    assert_eq!(report.verdict, other.verdict);
    assert_eq!(report, group_report("x", "NDCG@10", &values, &labels, &options(3)).unwrap());
}

#[test]
fn holm_takes_back_what_many_attributes_find_by_chance() {
    let (values, labels) = shop(4, &[group("a", 400, 0.0), group("b", 400, 0.0)]);
    let mut reports: Vec<_> =
        (0..3).map(|_| group_report("x", "NDCG@10", &values, &labels, &options(4)).unwrap()).collect();
    reports[0].p = Ok(0.03).into();
    reports[1].p = Ok(0.2).into();
    reports[2].p = Err(Undefined::NoGroups).into();
    holm_over(&mut reports, 0.95);
    assert_eq!(reports[0].p_adjusted, Some(0.06));
    assert_eq!(reports[0].verdict, GroupVerdict::WithinNoise);
    assert_eq!(reports[2].p_adjusted, None);
}

#[test]
fn broken_input_is_refused() {
    let bad = |values: &[Option<f64>], labels: &[&str]| group_report("x", "m", values, labels, &options(1)).err();
    assert_eq!(bad(&[Some(1.0)], &[]), Some(Undefined::LengthMismatch));
    assert_eq!(bad(&[Some(f64::NAN)], &["a"]), Some(Undefined::NotFinite));
    let empty = group_report("x", "m", &[], &[], &options(1)).unwrap();
    assert_eq!((empty.verdict, empty.groups.len()), (GroupVerdict::InsufficientData, 0));
    let nothing = group_report("x", "m", &[None, None], &["a", "a"], &options(1)).unwrap();
    assert_eq!(nothing.groups[0].display, Display::Suppressed);
}
