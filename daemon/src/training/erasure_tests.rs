//! Exact erasure: what is trained on a log after an erasure equals, bit for bit, what is trained on a log that never had the user.

use mercer_rank::{
    CollaborativeIndex, Dataset, IndexOptions, MlpOptions, RankerTrainOptions, fit_blend_weights, train_ranker,
};
use mercer_shared::time::Timestamp;
use mercer_shared::wire::{Interaction, Item};

use crate::ingest::consent::api_origin;
use crate::ingest::erase::erase;
use crate::ingest::write;
use crate::state::dense_ids::IdMap;
use crate::versions::test_app::TestApp;

const USERS: usize = 90;
const ITEMS: usize = 36;
const WEEKS: i64 = 40;
const WEEK: i64 = 7 * 86_400_000;
const START: i64 = 1_600_000_000_000;

/// Purchases and searches of a user: three items of the user's own part of the catalogue come back, others are tried.
fn history(user: usize) -> Vec<Interaction> {
    let line = |week: i64, step: usize| {
        let item =
            if step.is_multiple_of(3) { (user * 3 + step) % ITEMS } else { (user + step * 7 + week as usize) % ITEMS };
        let at = Timestamp::at(START + week * WEEK + (user * 97 + step) as i64 * 61_000);
        serde_json::from_value(serde_json::json!({
            "user": format!("user {user}"), "session": format!("visit {user} {week}"), "type": "purchase",
            "item": format!("item {item}"), "value": 1 + step % 2, "at": at
        }))
        .unwrap()
    };
    let weeks = (0..WEEKS).filter(|week| (week + user as i64) % 4 != 0);
    weeks.flat_map(|week| (0..2).map(move |step| line(week, step))).collect()
}

/// A shop with the users that `comes` lets in, in an order that mixes them.
fn shop(comes: impl Fn(usize) -> bool) -> TestApp {
    let app = TestApp::new();
    let item = |n: usize| Item {
        brand: Some(format!("brand {}", n % 5)),
        category: vec![format!("part {}", n % 4)],
        price: Some(1.0 + n as f64),
        ..Item::new(format!("item {n}").parse().unwrap(), format!("thing {n}"))
    };
    assert!(write::items(&app, (0..ITEMS).map(item).collect()).iter().all(Result::is_ok));
    let mut lines: Vec<Interaction> = (0..USERS).filter(|user| comes(*user)).flat_map(history).collect();
    lines.sort_by_key(|line| line.at);
    assert!(write::interactions(&app, lines, &api_origin(None)).iter().all(Result::is_ok));
    app.publish();
    app
}

/// Everything that a cycle fits of the log, as bytes: the collaborative index's parts that lists read, blend and ranker.
fn fitted(app: &TestApp) -> (String, String) {
    let view = app.view();
    let ids = IdMap::of(&view);
    let log = ids.log(&view.training_log());
    let catalogue = ids.catalogue(4, &Default::default()).unwrap();
    let data = Dataset { log: &log, catalogue: &catalogue };
    let options = RankerTrainOptions {
        cutoffs: 4,
        mlp: MlpOptions { epochs: 2, members: 1, ..MlpOptions::default() },
        ..RankerTrainOptions::default()
    };
    let (ranker, report) = train_ranker(data, view.last_event, &options).unwrap();
    assert!(report.lists[0] > 0, "something was learned");
    let cutoffs: Vec<i64> = report.cutoffs.clone();
    let (blend, _) = fit_blend_weights(data, &cutoffs, &IndexOptions::default());
    let index = CollaborativeIndex::fit(data, view.last_event, &IndexOptions::default());
    let popular: Vec<u64> = (0..ITEMS as u32).map(|item| u64::from(index.is_warm(item))).collect();
    (serde_json::to_string(&ranker).unwrap(), serde_json::to_string(&(blend, popular)).unwrap())
}

#[test]
fn training_after_an_erasure_equals_training_without_the_user_bit_for_bit() {
    let with = shop(|_| true);
    let before = fitted(&with);
    for user in [3, 17, 41, 58, 89] {
        erase(&with, &format!("user {user}"), None).unwrap();
    }
    let after = fitted(&with);
    let never = fitted(&shop(|user| ![3, 17, 41, 58, 89].contains(&user)));
    assert_ne!(before.0, after.0, "the users made a difference");
    assert_eq!(after, never);
}
