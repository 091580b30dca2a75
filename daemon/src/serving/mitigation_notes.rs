//! What mitigations in force cannot do any more: they were checked when they were set, and the catalogue went on.

use std::collections::BTreeSet;

use mercer_shared::wire::{ItemGrouping, OTHER_ITEMS, Reranker};

use crate::serving::rerank::group_of;
use crate::state::app::App;
use crate::state::shop::ShopState;

/// A part of a mitigation that needs items of a group.
struct Claim<'a> {
    /// What it is, in words.
    what: &'static str,
    by: ItemGrouping,
    names: BTreeSet<&'a str>,
}

/// The groups that a re-ranker moves up.
fn claim(reranker: &Reranker) -> Option<Claim<'_>> {
    let positive = |shares: &'_ std::collections::BTreeMap<String, f64>, name: &str| shares[name] > 0.0;
    let (what, by, names): (_, _, BTreeSet<&str>) = match reranker {
        Reranker::Exposure { by, floors, .. } => {
            ("floor", by.grouping(), floors.keys().map(String::as_str).filter(|name| positive(floors, name)).collect())
        }
        Reranker::DetGreedy { by, shares } => {
            ("share", by.clone(), shares.keys().map(String::as_str).filter(|name| positive(shares, name)).collect())
        }
        Reranker::FairStarIr { by, protected, .. } => ("protection", by.clone(), [protected.as_str()].into()),
        Reranker::Mmr { .. }
        | Reranker::Dpp { .. }
        | Reranker::Xquad { .. }
        | Reranker::Calibrated { .. }
        | Reranker::Popularity { .. } => return None,
    };
    let names = names.into_iter().filter(|name| *name != OTHER_ITEMS).collect();
    Some(Claim { what, by, names })
}

/// What re-rankers cannot do because the catalogue has no item for it that a list may show, in words; none where all is well.
#[must_use]
pub(crate) fn unmet(view: &ShopState, rerankers: &[Reranker]) -> Vec<String> {
    let mut notes = Vec::new();
    for Claim { what, by, mut names } in rerankers.iter().filter_map(claim) {
        let eligible = view
            .item_index
            .values()
            .filter_map(|&number| view.item(number))
            .filter(|item| !item.hidden && item.in_stock);
        for item in eligible {
            // Most names are found among the first items.
            if names.is_empty() {
                break;
            }
            if let Some(name) = group_of(item, &by) {
                names.remove(name);
            }
        }
        notes.extend(names.iter().map(|name| format!("{what} for {by} {name} has no eligible item")));
    }
    notes
}

/// The same for every placement, with its name.
#[must_use]
pub(crate) fn unmet_anywhere(app: &App) -> Vec<String> {
    let view = app.view();
    let active = app.mitigations.all();
    active
        .iter()
        .flat_map(|one| unmet(&view, &one.rerankers).into_iter().map(|note| format!("{}: {note}", one.placement)))
        .collect()
}

#[cfg(test)]
mod tests {
    use mercer_shared::wire::{Item, ItemOwner};

    use super::*;
    use crate::ingest::write;
    use crate::versions::test_app::TestApp;

    fn sold_by(id: &str, seller: &str) -> Item {
        Item { seller: Some(seller.to_owned()), ..Item::new(id.parse().unwrap(), "lamp") }
    }

    #[test]
    fn a_floor_of_a_seller_without_items_says_so() {
        let app = TestApp::new();
        let items = vec![sold_by("a", "Acme"), sold_by("b", "Bolt"), sold_by("c", "Acme")];
        assert!(write::items(&app, items).iter().all(Result::is_ok));
        app.publish();
        let floors = [("Acme".to_owned(), 0.2), ("Bolt".to_owned(), 0.2), ("Zero".to_owned(), 0.0)].into();
        let caps = [(OTHER_ITEMS.to_owned(), 0.9)].into();
        let rerankers = [Reranker::Exposure { by: ItemOwner::Seller, floors, caps, window_days: 28 }];
        assert!(unmet(&app.view(), &rerankers).is_empty());
        let sold_out = Item { in_stock: false, ..sold_by("b", "Bolt") };
        assert!(write::items(&app, vec![sold_out]).remove(0).is_ok());
        app.publish();
        assert_eq!(unmet(&app.view(), &rerankers), ["floor for seller Bolt has no eligible item"]);
        for id in ["a", "c"] {
            assert_eq!(unmet(&app.view(), &rerankers).len(), 1, "another item of the seller is left");
            write::delete_item(&app, id).unwrap();
        }
        let notes = unmet(&app.view(), &rerankers);
        assert_eq!(notes.len(), 2, "{notes:?}");
        let protection =
            Reranker::FairStarIr { by: ItemGrouping::Seller, protected: "Acme".to_owned(), p: 0.5, alpha: 0.1 };
        assert_eq!(unmet(&app.view(), &[protection]), ["protection for seller Acme has no eligible item"]);
    }
}
