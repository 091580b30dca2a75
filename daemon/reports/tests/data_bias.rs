//! Planted bias in data is found, and data without it is not accused.

use mercer_reports::Undefined;
use mercer_reports::attention::Attention;
use mercer_reports::bursts::{RobustScale, flagged_share, item_burst, user_paces};
use mercer_reports::concentration::*;
use mercer_reports::exposure::{ExposureModel, Served};
use mercer_reports::exposure_ratio::*;
use mercer_reports::feedback_loop::{LoopWindow, Showing, showing_lift};
use mercer_reports::position_bias::{Shown, position_bias};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// Uniform draws in [0, 1).
struct Dice(ChaCha8Rng);

impl Dice {
    fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    fn unit(&mut self) -> f64 {
        f64::from(self.0.next_u32()) / 4_294_967_296.0
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.unit() * bound as f64) as usize
    }
}

const FAST: BootstrapOptions = BootstrapOptions { level: 0.95, replicates: 300, seed: 3 };
const DAY: i64 = 86_400_000;

fn close(left: f64, right: f64) {
    assert!((left - right).abs() < 1e-9, "{left} is not {right}");
}

#[test]
fn concentration_by_hand() {
    // 99 users with 1 interaction and one with 101: the top 1 % is that one.
    let mut counts = vec![1_u32; 99];
    counts.push(101);
    let found = concentration(&counts, FAST).unwrap();
    close(found.top_share.value.value.unwrap(), 101.0 / 200.0);
    let values: Vec<f64> = counts.iter().map(|count| f64::from(*count)).collect();
    close(found.gini.value.value.unwrap(), mercer_reports::diversity::gini(&values).unwrap());
    close(found.effective.value.value.unwrap(), mercer_reports::diversity::effective_items(&values).unwrap());
    let interval = found.top_share.interval.unwrap();
    assert!(interval.low < 0.505 && 0.505 <= interval.high + 1e-9, "{interval:?}");
    let even = concentration(&[4; 200], FAST).unwrap();
    close(even.top_share.value.value.unwrap(), 0.01);
    close(even.gini.value.value.unwrap(), 0.0);
    close(even.effective.value.value.unwrap(), 200.0);
    assert_eq!(concentration(&[0, 0], FAST), Err(Undefined::NoObservations));
    assert_eq!(concentration(&[], FAST), Err(Undefined::NoObservations));
    close(concentration(&[3], FAST).unwrap().top_share.value.value.unwrap(), 1.0);
}

#[test]
fn missing_groups_are_named_and_silent_users_compared() {
    let user = |group, interactions| AttributeOfUser { group, interactions };
    let users: Vec<AttributeOfUser> = (0..200)
        .map(|i| match i {
            0..100 => user(Some(0), 10.0),
            100..105 => user(Some(1), 10.0),
            _ => user(None, 5.0 + f64::from(i % 3)),
        })
        .collect();
    let found = attribute_coverage(&users, 3, FAST).unwrap();
    close(found.known.value.value.unwrap(), 0.525);
    assert_eq!((found.groups, found.too_small), (vec![100, 5, 0], vec![1, 2]));
    let ratio = found.activity_ratio;
    assert!(ratio.interval.unwrap().high < 1.0, "users without a value buy less: {ratio:?}");
    let known = attribute_coverage(&users[..50], 3, FAST).unwrap();
    assert_eq!(known.activity_ratio.value.reason, Some(Undefined::NoGroups));
    assert!(attribute_coverage(&[], 3, FAST).is_err() && attribute_coverage(&users, 1, FAST).is_err());
}

#[test]
fn a_shift_of_labels_is_told_from_chance() {
    let mut dice = Dice::new(5);
    let mut users = |drift: f64| -> Vec<LabelCounts> {
        let mut half = |share: f64| {
            let bought = (0..10).filter(|_| dice.unit() < share).count() as f64;
            vec![10.0 - bought, bought]
        };
        (0..300).map(|_| LabelCounts { first: half(0.2), second: half(0.2 + drift) }).collect()
    };
    let (steady, moved) = (label_skew(&users(0.0), FAST).unwrap(), label_skew(&users(0.1), FAST).unwrap());
    let above = |skew: &LabelSkew| skew.shift.value.unwrap() > 1.5 * skew.shift_floor.value.unwrap();
    assert!(above(&moved) && !above(&steady), "{moved:?} {steady:?}");
    let share = steady.shares[1];
    let interval = share.interval.unwrap();
    assert!(interval.low < 0.2 && 0.2 < interval.high, "{share:?}");
    assert!(steady.evenness.value.unwrap() < 1.0);
    assert!(label_skew(&[], FAST).is_err());
}

/// People: bursts of sessions on some days. A bot: every 20 minutes, all days.
fn shoppers(dice: &mut Dice, people: usize) -> Vec<Vec<i64>> {
    (0..people)
        .map(|_| {
            let days: Vec<i64> = (0..60).filter(|_| dice.unit() < 0.3).collect();
            let mut times: Vec<i64> = days
                .into_iter()
                .flat_map(|day| {
                    let start = day * DAY + (dice.unit() * 6e7) as i64;
                    (0..=dice.below(6)).map(|_| start + (dice.unit() * 3e6) as i64).collect::<Vec<_>>()
                })
                .collect();
            times.sort_unstable();
            times
        })
        .collect()
}

#[test]
fn bots_stand_out_and_people_do_not() {
    let mut dice = Dice::new(7);
    let mut times = shoppers(&mut dice, 400);
    let flagged = |times: &[Vec<i64>]| -> Vec<usize> {
        let paces = user_paces(times);
        (0..times.len()).filter(|user| paces[*user].is_flagged()).collect()
    };
    let before = flagged(&times);
    assert!(before.len() <= 2, "{before:?}");
    // A clock with a human rate, and a scraper with human irregularity.
    times.push((0..60).map(|day| day * DAY + 43_200_000).collect());
    let mut scraper: Vec<i64> = (0..3_000).map(|_| (dice.unit() * 2.0 * DAY as f64) as i64).collect();
    scraper.sort_unstable();
    times.push(scraper);
    let after = flagged(&times);
    assert!(after.contains(&400) && after.contains(&401), "{after:?}");
    assert_eq!(after.len(), before.len() + 2);
    assert!(user_paces::<Vec<i64>>(&[]).is_empty());
    assert!(user_paces(&[vec![]])[0].rate.is_none());
    assert_eq!(flagged_share(0, 0), Err(Undefined::NoObservations));
}

#[test]
fn a_burst_of_one_item_stands_out_against_its_own_days() {
    let mut dice = Dice::new(9);
    let mut daily: Vec<u32> = (0..90).map(|_| (0..40).filter(|_| dice.unit() < 0.1).count() as u32).collect();
    assert!(!item_burst(&daily).unwrap().is_flagged());
    daily[33] = 60;
    let burst = item_burst(&daily).unwrap();
    assert!(burst.is_flagged() && burst.day == 33, "{burst:?}");
    // Three sales of an item that never sells are no burst; a steady item has no scale of its own.
    let mut quiet = vec![0_u32; 90];
    quiet[4] = 3;
    assert!(!item_burst(&quiet).unwrap().is_flagged());
    assert!(!item_burst(&[4; 30]).unwrap().is_flagged());
    assert_eq!(item_burst(&[1; 3]), Err(Undefined::TooFew));
    assert_eq!(RobustScale::of(&[1.0, 1.0, 1.0]), Err(Undefined::ZeroDenominator));
}

/// A log of 120 days: users buy by taste at random times; popular items are shown more. `effect` is the chance that a showing makes a
/// purchase that would not have been.
fn showings(seed: u64, effect: f64, hide_bought: bool) -> Vec<Showing> {
    let mut dice = Dice::new(seed);
    let mut all = Vec::new();
    for user in 0..400 {
        for item in 0..20 {
            // Items differ in appeal, and what appeals is shown more often: showing and buying are correlated without any effect.
            let appeal = 1.0 / f64::from(item + 1);
            let days: Vec<i64> = (0..120).filter(|_| dice.unit() < 0.02 * appeal).collect();
            let mut bought: Vec<i64> =
                days.into_iter().map(|day| day * DAY + (dice.unit() * DAY as f64) as i64).collect();
            if dice.unit() > appeal {
                continue;
            }
            let shown = (20 + dice.below(70) as i64) * DAY;
            if hide_bought && bought.iter().any(|at| *at <= shown) {
                continue;
            }
            if dice.unit() < effect {
                bought.push(shown + (dice.unit() * 6.0 * DAY as f64) as i64 + 1);
            }
            bought.sort_unstable();
            all.push(Showing { user, shown, bought });
        }
    }
    all
}

const WINDOW: LoopWindow = LoopWindow { from: 0, to: 120 * DAY, horizon: 7 * DAY };

#[test]
fn a_planted_popularity_loop_is_found_and_organic_logs_are_not_accused() {
    let found = |seed, effect, hidden| showing_lift(&showings(seed, effect, hidden), WINDOW, FAST).unwrap();
    let accused = (0..40).filter(|seed| found(*seed, 0.0, false).is_loop()).count();
    // One side of a 95 % interval: about one in forty.
    assert!(accused <= 4, "{accused} of 40 organic logs");
    let detected = (0..20).filter(|seed| found(100 + seed, 0.08, false).is_loop()).count();
    assert!(detected >= 19, "{detected} of 20 planted loops");
    let lift = found(100, 0.08, false);
    assert!(lift.lift.value.unwrap() > 1.3 && !lift.hides_bought, "{lift:?}");
}

#[test]
fn a_shop_that_hides_what_was_bought_is_compared_with_later_purchases_only() {
    let found = |seed, effect| showing_lift(&showings(seed, effect, true), WINDOW, FAST).unwrap();
    let accused = (0..20).filter(|seed| found(*seed, 0.0).is_loop()).count();
    assert!(accused <= 3, "{accused} of 20");
    let lift = found(3, 0.1);
    assert!(lift.hides_bought && lift.is_loop() && lift.purchases[1] == 0, "{lift:?}");
    assert_eq!(showing_lift(&[], WINDOW, FAST), Err(Undefined::TooFew));
    let negative = LoopWindow { horizon: 0, ..WINDOW };
    assert_eq!(showing_lift(&showings(1, 0.0, false), negative, FAST), Err(Undefined::BadParameter));
}

#[test]
fn position_bias_is_measured_apart_from_relevance() {
    let mut dice = Dice::new(11);
    let examined = |position| Attention::Logarithmic.at(position);
    let mut shown = Vec::new();
    for user in 0..6_000 {
        for position in 0..5 {
            // Good items tend to stand high, so plain click-through exaggerates the bias.
            let item = (position * 2 + dice.below(6)).min(14);
            let relevance = 0.6 / (1.0 + item as f64);
            let clicked = dice.unit() < relevance * examined(position);
            shown.push(Shown { user, item, position, clicked });
        }
    }
    let found = position_bias(&shown, BootstrapOptions { replicates: 60, ..FAST }).unwrap();
    assert_eq!(found.positions.len(), 5);
    for (position, one) in found.positions.iter().enumerate() {
        let interval = one.interval.unwrap();
        let wide = 0.03 + (interval.high - interval.low);
        assert!((one.examination - examined(position)).abs() < wide, "{position}: {one:?}");
    }
    let last = found.positions[4];
    let plain = last.click_through / found.positions[0].click_through;
    assert!(plain < 0.6 * examined(4) && last.examination > 0.75 * examined(4), "{plain} {last:?}");
    assert!(found.attention().unwrap().at(4) > plain);
}

#[test]
fn position_bias_that_cannot_be_told_from_relevance_is_refused() {
    let mut dice = Dice::new(13);
    let mut log = |place: fn(usize) -> usize| -> Vec<Shown> {
        (0..4_000)
            .map(|at| {
                let item = at % 4;
                Shown { user: at / 4, item, position: place(at), clicked: dice.unit() < 0.3 }
            })
            .collect()
    };
    // Every item always stands on one position.
    assert_eq!(position_bias(&log(|at| at % 4), FAST), Err(Undefined::NoSupport));
    // Items move, but never to the first position.
    assert_eq!(position_bias(&log(|at| 1 + (at / 4) % 2), FAST), Err(Undefined::NoSupport));
    assert_eq!(position_bias(&[], FAST), Err(Undefined::NoObservations));
    let few: Vec<Shown> = log(|at| (at / 4) % 2).into_iter().take(40).collect();
    assert_eq!(position_bias(&few, FAST), Err(Undefined::TooFew));
}

#[test]
fn a_hidden_seller_is_found_and_an_equal_one_is_not() {
    // Seller 3 has relevant items that no list shows. All sellers have ten items and equal relevance.
    let mut dice = Dice::new(17);
    let group_of: Vec<usize> = (0..40).map(|item| item / 10).collect();
    let mut lists = |hidden: Option<usize>| -> (Vec<Vec<u32>>, Vec<Vec<u32>>) {
        (0..300)
            .map(|_| {
                let mut list: Vec<u32> = Vec::new();
                while list.len() < 10 {
                    let item = dice.below(40);
                    if !list.contains(&(item as u32)) && hidden != Some(group_of[item]) {
                        list.push(item as u32);
                    }
                }
                let mut relevant: Vec<u32> = (0..3).map(|_| dice.below(40) as u32).collect();
                relevant.sort_unstable();
                relevant.dedup();
                (list, relevant)
            })
            .unzip()
    };
    let ratios = |(shown, wanted): &(Vec<Vec<u32>>, Vec<Vec<u32>>)| {
        let served: Vec<Served<'_>> =
            shown.iter().zip(wanted).map(|(list, relevant)| Served { list, relevant }).collect();
        let comparisons: Vec<Comparison> =
            (0..4).map(|group| Comparison { group, reference: Reference::Others }).collect();
        let lists = GroupedLists { served: &served, group_of: &group_of, groups: 4 };
        let models = ModelPair { configured: &Attention::Logarithmic, other: &Attention::Rbp { persistence: 0.85 } };
        // Four sellers are tested, so each at 1 − .05/4.
        let options = BootstrapOptions { level: 1.0 - 0.05 / 4.0, ..FAST };
        robust_ratios(lists, RatioKind::Treatment, &comparisons, models, options).unwrap()
    };
    let found = ratios(&lists(Some(3)));
    assert_eq!(found[3].value.value.value, Some(0.0));
    let interval = found[3].value.interval.unwrap();
    assert!(interval.high < 0.2, "{interval:?}");
    assert_eq!(found[3].value.direction(), Direction::Less);
    assert!(!found[3].depends_on_exposure_model);
    // Equal sellers: at least one of four is accused in about one log of twenty.
    let accused = (0..20)
        .filter(|_| ratios(&lists(None)).iter().any(|one| one.value.direction() != Direction::WithinNoise))
        .count();
    assert!(accused <= 4, "{accused} of 20");
}
