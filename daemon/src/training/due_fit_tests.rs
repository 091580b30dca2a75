//! What becomes due while the collaborative index is fitted is not forgotten when that fit ends.

use mercer_rank::{CollaborativeIndex, IndexOptions};
use mercer_shared::ids::{ItemId, UserId};
use mercer_shared::time::Timestamp;
use mercer_shared::wire::{Interaction, InteractionType, Item};

use crate::background::refit::refit;
use crate::state::app::App;
use crate::state::shop::{Due, ShopState};
use crate::versions::test_app::TestApp;

fn views(app: &App, seqs: std::ops::Range<u64>) {
    let mut shop = app.shop.lock();
    for seq in seqs {
        let event = Interaction {
            id: None,
            user: Some(UserId::new(format!("u{}", seq % 7)).unwrap()),
            session: None,
            kind: InteractionType::View,
            item: Some(ItemId::new("i0").unwrap()),
            query: None,
            query_id: None,
            value: None,
            text: None,
            position: None,
            at: Timestamp::at(1_000 * i64::try_from(seq).unwrap()),
            source: None,
        };
        shop.interact(seq, event);
    }
}

fn fit_of(view: &ShopState) -> CollaborativeIndex {
    CollaborativeIndex::fit(view.rank.dataset(), view.last_event, &IndexOptions::light())
}

fn left(app: &App) -> (u64, Option<Due>) {
    let shop = app.shop.lock();
    (shop.unfitted(), shop.due())
}

#[test]
fn what_becomes_due_while_a_fit_runs_stays_due() {
    let app = TestApp::new();
    app.shop.lock().put_item(Item::new(ItemId::new("i0").unwrap(), "Thing".to_owned()));
    views(&app, 0..95);
    // The end of an import, and an erasure, while a fit of nearly everything runs.
    let (view, unfitted) = app.shop.lock().begin_fit();
    views(&app, 95..100);
    app.shop.lock().fit_rest();
    app.shop.lock().set_index(fit_of(&view), unfitted);
    assert_eq!(left(&app), (5, Some(Due::Rest)));
    let (view, unfitted) = app.shop.lock().begin_fit();
    assert_eq!(app.shop.lock().due(), None);
    app.shop.lock().erase(&UserId::new("u3").unwrap()).unwrap();
    app.shop.lock().set_index(fit_of(&view), unfitted);
    assert_eq!(left(&app), (0, Some(Due::Forgetting)));
    let published = app.shop.lock().publish().unwrap();
    assert_eq!(published.unfitted, published.rank.log.len() as u64, "readers know that the index is behind");
    refit(&app);
    assert_eq!(left(&app), (0, None));
    // With everything fitted the end of an import asks for nothing.
    app.shop.lock().fit_rest();
    assert_eq!(app.shop.lock().due(), None);
}
