//! Group reports on planted truths: a known gap is found, an unbiased log is not accused, small groups are not shown.

use mercer_reports::groups::{Display, Finding, GroupRow, GroupVerdict, OTHER, holm_over, intersections};
use mercer_reports::{GroupOptions, GroupReport, Undefined, group_report};
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

fn row<'a>(report: &'a GroupReport, name: &str) -> &'a GroupRow {
    report.groups.iter().find(|row| row.group == name).unwrap()
}

#[test]
fn the_harmed_group_of_80_among_1100_is_named_and_above_noise() {
    // Four groups at .36 to .40, one of 80 at .04, and small ones: the shape of the case in which the harmed group was left out.
    let (values, labels) = shop(
        11,
        &[
            group("a", 420, 0.0),
            group("b", 300, -0.04),
            group("c", 200, 0.02),
            group("d", 90, 0.0),
            group("harmed", 80, 0.53),
            group("tiny", 10, 0.0),
        ],
    );
    let report = group_report("region", "NDCG@10", &values, &labels, &options(11)).unwrap();
    assert_eq!((report.worst.as_deref(), report.verdict), (Some("harmed"), GroupVerdict::AboveNoise), "{report:#?}");
    let harmed = row(&report, "harmed");
    assert_eq!((harmed.compared, harmed.finding), (true, Finding::Below));
    assert!(harmed.p_adjusted.unwrap() <= 0.05 && harmed.p.unwrap() <= harmed.p_adjusted.unwrap());
    assert!(report.gap.value > report.noise_floor.value);
    // What was not compared is said.
    assert_eq!(report.not_compared().map(|row| row.group.as_str()).collect::<Vec<_>>(), ["tiny"]);
    assert!(!report.may_gate);
}

/// How many of 100 seeds are called above noise, and how many of them name `worst`.
fn flagged(groups: &[Group], worst: &str) -> (usize, usize) {
    let found = |seed: u64| {
        let (values, labels) = shop(1_000 + seed, groups);
        let options = GroupOptions { replicates: 199, seed, ..GroupOptions::default() };
        let report = group_report("region", "NDCG@10", &values, &labels, &options).unwrap();
        (report.verdict == GroupVerdict::AboveNoise).then_some(report.worst)
    };
    let found: Vec<_> = (0..100).filter_map(found).collect();
    (found.len(), found.iter().filter(|name| name.as_deref() == Some(worst)).count())
}

#[test]
#[expect(clippy::print_stdout, reason = "the counts are evidence")]
fn planted_gaps_are_flagged_and_unbiased_logs_are_not() {
    let shop_with = |n: usize, worse: f64| {
        [
            group("a", 500, 0.0),
            group("b", 400, 0.0),
            group("c", 200, 0.0),
            group("d", 40, 0.0),
            group("harmed", n, worse),
        ]
    };
    let small = flagged(&shop_with(80, 0.4), "harmed");
    let large = flagged(&shop_with(400, 0.2), "harmed");
    let fair = flagged(&shop_with(80, 0.0), "harmed");
    println!(
        "flagged of 100 seeds: group of 80 {} (named {}), of 400 {} (named {}), unbiased {}",
        small.0, small.1, large.0, large.1, fair.0
    );
    assert!(small.0 >= 95 && small.1 >= 95, "{small:?}");
    assert!(large.0 >= 95 && large.1 >= 95, "{large:?}");
    assert!(fair.0 <= 8, "{fair:?}");
}

#[test]
fn small_groups_are_merged_and_groups_of_10_to_29_show_rounded_bounds() {
    let (values, labels) = shop(
        2,
        &[
            group("east", 7, 0.0),
            group("north", 120, 0.0),
            group("south", 25, 0.0),
            group("unknown", 150, 0.3),
            group("west", 9, 0.0),
        ],
    );
    let report = group_report("region", "NDCG@10", &values, &labels, &options(2)).unwrap();
    assert_eq!(
        report.groups.iter().map(|row| row.group.as_str()).collect::<Vec<_>>(),
        ["north", OTHER, "south", "unknown"]
    );
    let other = row(&report, OTHER);
    assert!(matches!(other.n, Some(10 | 20)), "16 is rounded: {other:?}");
    assert_eq!((other.merged, other.display), (2, Display::IntervalOnly));
    let south = row(&report, "south");
    assert_eq!(
        (south.display, south.mean.reason, south.compared),
        (Display::IntervalOnly, Some(Undefined::TooFew), false)
    );
    for bound in [south.interval.unwrap().low, south.interval.unwrap().high] {
        assert!((bound * 20.0 - (bound * 20.0).round()).abs() < 1e-9, "{bound} is no multiple of .05");
    }
    // The mean of `south` must not follow from the others: their means are rounded.
    let north = row(&report, "north").mean.value.unwrap();
    assert!((north * 200.0 - (north * 200.0).round()).abs() < 1e-9, "{north} is no multiple of .005");
    // `unknown` is a group of its own, and compared.
    assert_eq!((report.worst.as_deref(), row(&report, "unknown").compared), (Some("unknown"), true));
    let shown: usize = report.groups.iter().filter_map(|row| row.n).sum();
    assert_eq!((row(&report, "unknown").n, report.n_used), (Some(150), shown));
    assert!((report.unknown_share.value.unwrap() - 150.0 / shown as f64).abs() < 1e-12);
}

#[test]
fn two_tiny_groups_hide_nobody_else_and_never_print_zero() {
    let (values, labels) = shop(
        5,
        &[group("female", 952, 0.0), group("male", 141, 0.0), group("other", 7, 0.0), group("prefer not", 1, 0.0)],
    );
    let report = group_report("gender", "NDCG@10", &values, &labels, &options(5)).unwrap();
    let hidden: Vec<_> = report.groups.iter().filter(|row| row.display == Display::Suppressed).collect();
    assert_eq!(hidden.iter().map(|row| row.group.as_str()).collect::<Vec<_>>(), [OTHER]);
    assert_eq!(
        (hidden[0].n, hidden[0].mean.value, hidden[0].share.value, hidden[0].interval),
        (None, None, None, None)
    );
    // 141 men are compared, and their size and mean are too round to tell the eight others apart from the total.
    let male = row(&report, "male");
    assert!(male.compared);
    assert!(matches!((male.n, row(&report, "female").n), (Some(140 | 150), Some(950 | 960))), "{report:?}");
    let text = serde_json::to_string(&report).unwrap();
    assert!(!text.contains("\"n\":0") && !text.contains("\"n\":8"), "{text}");
}

#[test]
fn a_lone_small_group_is_not_given_away_by_the_others() {
    // All users and their mean are known. What is left for `west` must stay open.
    let (values, labels) = shop(6, &[group("north", 623, 0.0), group("south", 48, 0.0), group("west", 4, 0.6)]);
    let report = group_report("region", "NDCG@10", &values, &labels, &options(6)).unwrap();
    assert_eq!((row(&report, "west").n, row(&report, "west").display), (None, Display::Suppressed));
    let shown: usize = report.groups.iter().filter_map(|row| row.n).sum();
    assert!([660, 670, 680].contains(&shown), "not 671, which with the total of 675 would be the size of `west`");
    let one = group_report("region", "NDCG@10", &values[671..], &labels[671..], &options(6)).unwrap();
    assert_eq!((one.groups[0].display, one.verdict), (Display::Suppressed, GroupVerdict::InsufficientData));
    assert_eq!(one.unknown_share.value.or(one.gap.value), None);
}

#[test]
fn a_group_of_10_to_29_is_judged_by_its_interval() {
    let (values, labels) = shop(8, &[group("a", 300, 0.0), group("b", 300, 0.0), group("few", 20, 0.6)]);
    let report = group_report("region", "NDCG@10", &values, &labels, &options(8)).unwrap();
    let few = row(&report, "few");
    assert_eq!((few.compared, few.p, few.finding), (false, None, Finding::Below));
    assert_ne!(report.worst.as_deref(), Some("few"), "only tested groups are named");
}

#[test]
fn a_small_group_beside_the_others_hides_no_harm() {
    // The gap of a group of 30 is noise; that of 400 is not, though small groups raise the noise floor of the gap above it.
    let shop = shop(21, &[group("a", 800, 0.0), group("b", 400, 0.15), group("c", 30, -0.05), group("d", 30, 0.05)]);
    let report = group_report("region", "NDCG@10", &shop.0, &shop.1, &options(21)).unwrap();
    assert_eq!((report.verdict, row(&report, "b").finding), (GroupVerdict::AboveNoise, Finding::Below), "{report:#?}");
    assert_eq!(report.worst.as_deref(), Some("b"));
}

/// The sizes and means of a table before and after one user declares nothing any more.
fn before_and_after(seed: u64, blur: usize) -> [GroupReport; 2] {
    let (values, labels) = shop(31, &[group("f", 130, 0.0), group("m", 143, 0.1), group("unknown", 61, 0.0)]);
    let mut after = labels.clone();
    after[0] = "unknown";
    let options = GroupOptions { replicates: 50, seed, blur, ..GroupOptions::default() };
    [labels, after].map(|labels| group_report("gender", "NDCG@10", &values, &labels, &options).unwrap())
}

#[test]
fn one_consent_less_is_not_seen_from_any_size_share_or_mean() {
    let (mut silent, mut elsewhere, mut mean_elsewhere) = (0, 0, 0);
    for seed in 0..120 {
        let [before, after] = before_and_after(seed, 3);
        let size = |report: &GroupReport, name: &str| row(report, name).n.unwrap();
        let change = |name: &str| size(&after, name).abs_diff(size(&before, name));
        assert!(["f", "m", "unknown"].iter().all(|name| change(name) <= 10 && size(&before, name).is_multiple_of(10)));
        // Sizes that stay although a user left, and sizes that change although nobody did: neither tells who it was.
        silent += usize::from(change("f") == 0 && before.unknown_share == after.unknown_share);
        elsewhere += usize::from(change("m") > 0);
        for report in [&before, &after] {
            for row in &report.groups {
                let mean = row.mean.value.unwrap() * 1_000.0;
                assert!((mean - mean.round()).abs() < 1e-6, "more than three digits: {row:?}");
            }
        }
        mean_elsewhere += usize::from(row(&before, "m").mean != row(&after, "m").mean);
    }
    assert!(silent > 20, "the sizes show the change too often: {silent} of 120 tables are silent");
    assert!(elsewhere > 20 && mean_elsewhere > 20, "only what changed changes: {elsewhere}, {mean_elsewhere}");
}

#[test]
fn the_same_users_give_the_same_table_whatever_else_happens() {
    // Asking again, or for another version, must not give another draw of the same size.
    let (values, labels) = shop(32, &[group("f", 133, 0.0), group("m", 147, 0.1)]);
    let report = |values: &[Option<f64>]| group_report("gender", "NDCG@10", values, &labels, &options(9)).unwrap();
    let other: Vec<Option<f64>> = values.iter().map(|value| value.map(|value| value * 0.9)).collect();
    assert_eq!(report(&values), report(&values));
    let sizes = |report: GroupReport| report.groups.into_iter().map(|row| row.n).collect::<Vec<_>>();
    assert_eq!(sizes(report(&values)), sizes(report(&other)));
}

#[test]
fn two_way_intersections_hold_only_users_who_declared_both() {
    assert_eq!(intersections(&["f", "m", "unknown"], &["young", "unknown", "old"]), ["f, young", "unknown", "unknown"]);
}

#[test]
fn order_of_users_changes_no_number() {
    let (values, labels) = shop(3, &[group("a", 130, 0.0), group("b", 140, 0.1), group("c", 20, 0.0)]);
    let report = group_report("x", "NDCG@10", &values, &labels, &options(3)).unwrap();
    let turned: Vec<_> = values.iter().rev().copied().collect();
    let turned_labels: Vec<_> = labels.iter().rev().copied().collect();
    let other = group_report("x", "NDCG@10", &turned, &turned_labels, &options(3)).unwrap();
    assert_eq!(report, other);
}

#[test]
fn holm_takes_back_what_many_attributes_find_by_chance() {
    let (values, labels) = shop(4, &[group("a", 400, 0.0), group("b", 400, 0.0)]);
    let mut reports: Vec<_> =
        (0..3).map(|_| group_report("x", "NDCG@10", &values, &labels, &options(4)).unwrap()).collect();
    reports[0].p_verdict = Ok(0.03).into();
    reports[1].p_verdict = Ok(0.2).into();
    reports[2].p_verdict = Err(Undefined::NoGroups).into();
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
