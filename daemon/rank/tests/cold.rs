//! The head for cold items: most shops sell what they list from the day on which they list it, so that next to nothing is cold at a
//! cut-off, and it has to learn from what arrived in the windows.
use std::sync::Arc;

use mercer_rank::evaluate::{ground_truth, ndcg};
use mercer_rank::{
    BlendWeights, Candidates, Catalogue, CollaborativeIndex, DAY_MS, Dataset, Event, InteractionType, ItemFacts, Log,
    MlpOptions, Mode, RankRequest, Ranker, RankerTrainOptions, ScoringPolicy, Snapshot, train_ranker,
};

const DAYS: i64 = 300;
const BRANDS: u32 = 10;
const SHOPPERS: u32 = 120;
/// Days between two arrivals of a brand.
const EVERY: i64 = 6;

/// A shop whose brands bring something new every few days, of any category. Half of a brand's friends take it within some weeks; the
/// category tells nothing. What a brand brought first is bought again and again.
fn shop() -> (Log, Catalogue) {
    let (mut log, mut facts) = (Log::new(), Vec::new());
    for day in (0..DAYS).step_by(EVERY as usize) {
        for brand in 0..BRANDS {
            let item = facts.len() as u32;
            let chance = item.wrapping_mul(2_654_435_761) >> 7;
            facts.push(ItemFacts {
                brand: Some(brand),
                category: Some(chance % 4),
                available_from: Some(day * DAY_MS),
                ..ItemFacts::default()
            });
            for user in
                (brand..SHOPPERS).step_by(BRANDS as usize).filter(|user| (user / BRANDS + item).is_multiple_of(2))
            {
                let at = (day + i64::from((user + item) % 17)) * DAY_MS + 1_000 * i64::from(user);
                log.push(user, Event { item: Some(item), text: None, kind: InteractionType::Purchase, value: 1.0, at });
            }
        }
    }
    for user in 0..SHOPPERS {
        for day in (0..DAYS).step_by(15) {
            let at = (day + i64::from(user % 15)) * DAY_MS;
            log.push(
                user,
                Event { item: Some(user % BRANDS), text: None, kind: InteractionType::Purchase, value: 1.0, at },
            );
        }
    }
    (log, Catalogue::new(facts))
}

/// Mean NDCG@10 over shoppers who took something that arrived in the window.
fn mean_ndcg(s: &Snapshot, ranker: &Ranker, end: i64) -> f64 {
    let cold = RankRequest { candidates: Candidates::Cold, arriving_by: Some(end), ..RankRequest::new(10) };
    let wanted = ground_truth(&s.log, &s.index, end, Mode::All, Candidates::Cold);
    assert!(wanted.len() > 50);
    let users: Vec<u32> = wanted.iter().map(|t| t.user).collect();
    let made = ScoringPolicy { ranker: Some(ranker), blend: &BlendWeights::default() }
        .lists(s, &users, s.index.at(), &cold, &|| false)
        .unwrap();
    let each = made.iter().zip(&wanted).map(|(list, t)| {
        let items: Vec<u32> = list.iter().map(|x| x.item).collect();
        ndcg(&items, &t.items, 10)
    });
    each.sum::<f64>() / wanted.len() as f64
}

#[test]
fn the_cold_head_learns_what_makes_new_arrivals_sell() {
    let (log, catalogue) = shop();
    let at = 240 * DAY_MS - 1;
    let mlp = MlpOptions { epochs: 3, ..MlpOptions::default() };
    let o = RankerTrainOptions { cutoffs: 6, mlp, ..RankerTrainOptions::default() };
    let (ranker, report) = train_ranker(Dataset { log: &log, catalogue: &catalogue }, at, &o).unwrap();
    assert!(ranker.has_cold() && report.lists[2] > 100, "{report:?}");
    let index = Arc::new(CollaborativeIndex::fit(Dataset { log: &log, catalogue: &catalogue }, at, &o.index));
    let s = Snapshot { log: log.clone(), catalogue: catalogue.clone(), index };
    let end = at + report.window_days * DAY_MS;
    let (learned, blended) = (mean_ndcg(&s, &ranker, end), mean_ndcg(&s, &ranker.clone().without_cold(), end));
    assert!(learned > blended + 0.2, "{learned} against {blended}");

    // In serving nothing is listed before it is there.
    let now = RankRequest { candidates: Candidates::Cold, ..RankRequest::new(10) };
    let listed = ScoringPolicy { ranker: Some(&ranker), blend: &BlendWeights::default() }
        .lists(&s, &[0], at, &now, &|| false)
        .unwrap();
    assert!(listed[0].is_empty(), "{listed:?}");

    // What is learned up to a cut-off does not change with what comes after it, though arrivals of the windows are looked at.
    let mut past = Log::new();
    for user in 0..SHOPPERS {
        past.set_user(user, log.until(user, at).to_vec());
    }
    assert_eq!(train_ranker(Dataset { log: &past, catalogue: &catalogue }, at, &o).unwrap().0, ranker);
    let without = RankerTrainOptions { cold: false, ..o };
    let (plain, _) = train_ranker(Dataset { log: &log, catalogue: &catalogue }, at, &without).unwrap();
    assert_eq!(plain, ranker.without_cold(), "the other heads do not depend on it");
}
