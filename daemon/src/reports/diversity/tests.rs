//! Rows of the diversity report on lists made by hand.

use super::*;

fn facts(lists: &[&[u32]], truth: &[&[u32]], catalogue: usize) -> ListFacts {
    let own = |lists: &[&[u32]]| -> Vec<Vec<u32>> { lists.iter().map(|list| list.to_vec()).collect() };
    let lists = own(lists);
    ListFacts {
        counts: d::counts(&lists, 10, catalogue),
        dissimilarity: vec![Ok(0.5); lists.len()],
        miscalibration: vec![Err(Undefined::NoHistory); lists.len()],
        truth: own(truth),
        lists,
    }
}

fn items(purchases: &[f64]) -> CatalogueFacts {
    CatalogueFacts {
        eligible: crate::reports::item_side::Eligible::new((0..purchases.len() as u32).collect()),
        buyers: purchases.to_vec(),
        tail: d::tail_membership(purchases, 0.8),
    }
}

#[test]
fn counts_are_those_of_the_specification_and_their_intervals_hold_them() {
    // Vector TV-D1, its lists 50 times.
    let lists: Vec<&[u32]> =
        [[0, 1, 2], [0, 1, 3], [0, 2, 4], [0, 1, 2]].iter().map(|list| &list[..]).cycle().take(200).collect();
    let mine = facts(&lists, &vec![&[][..]; 200], 6);
    let popular = facts(&vec![&[0_u32, 1, 2][..]; 200], &vec![&[][..]; 200], 6);
    let row = |name: &str| {
        let metric = COUNTED.iter().find(|metric| metric.name == name).unwrap();
        counted(metric, &mine, &popular, 6)
    };
    assert!((row("coverage@10").value.unwrap() - 0.833_333).abs() < 1e-6);
    assert!((row("never-shown@10").value.unwrap() - 0.166_667).abs() < 1e-6);
    let gini = row("gini@10");
    assert!(gini.low.unwrap() <= gini.value.unwrap() && gini.value.unwrap() <= gini.high.unwrap());
    let effective = row("effective-items@10");
    assert_eq!((effective.verdict, effective.number), (Some(Verdict::BetterThanPopularity), Some(6)));
    assert!(effective.low.unwrap() > 3.0 && effective.baseline.unwrap() <= 3.0 + 1e-9);
    // The other way round, the model is the narrower one, and that is said.
    let metric = COUNTED.iter().find(|metric| metric.name == "effective-items@10").unwrap();
    assert_eq!(counted(metric, &popular, &mine, 6).verdict, Some(Verdict::WorseThanPopularity));
}

#[test]
fn the_tail_is_read_against_what_it_earns() {
    // Item 0 makes the head. Half the exposure by rank goes to it, three quarters of the relevance to the tail.
    let items = items(&[90.0, 5.0, 4.0, 1.0]);
    let mine = facts(&[&[0, 1], &[1, 0]], &[&[1, 2, 3], &[0]], 4);
    let [share, merit] = tail(&items, &mine, &mine);
    assert!((share.value.unwrap() - 0.5).abs() < 1e-12);
    assert!((merit.value.unwrap() - 0.5 / 0.75).abs() < 1e-12);
    assert_eq!(merit.number, Some(7));
    let nothing = facts(&[&[0]], &[&[0]], 4);
    let [_, undefined] = tail(&items, &nothing, &nothing);
    assert!(undefined.value.is_none() && undefined.undefined.is_some() && undefined.low.is_none());
}

#[test]
fn a_number_that_no_user_has_is_undefined_with_its_reason() {
    let items = items(&[3.0, 1.0]);
    let mine = facts(&[&[0, 1]], &[&[0]], 2);
    let [ild, novelty, calibration] = per_list(&items, &mine, &mine);
    let (row, series) = calibration.row(&[9]);
    assert_eq!((row.value, row.n, row.n_total), (None, 0, Some(1)));
    assert_eq!(row.undefined.as_deref(), Some("not enough history"));
    assert!(series.users.is_empty());
    assert_eq!(ild.row(&[9]).1.users, [9]);
    // 3 of 4 and 1 of 4 buyers: bits 0.415 and 2, by distinct buyers.
    assert!((novelty.row(&[9]).0.value.unwrap() - (2.0 - 3.0_f64.log2() / 2.0)).abs() < 1e-9);
}
