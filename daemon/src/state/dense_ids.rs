//! Dense numbers of users and items for a cycle, in the order of their ids. The numbers of the shop in memory depend on the order in which it
//! was loaded. Sums, training lists and intervals would then depend on that order too, and a run that continues after a restart would end
//! with other weights than one that was never interrupted.

use std::sync::Arc;

use mercer_rank::{Catalogue, Event, ItemFacts, Log, RankError, Ranker, Vectors};
use mercer_shared::ids::ItemId;
use rustc_hash::FxHashMap;

use crate::state::shop::{ShopState, Who};

/// The numbering: by id, users before visits before erased slots.
pub(crate) struct IdMap {
    /// Number in the shop by number here.
    users: Vec<u32>,
    items: Vec<u32>,
    /// Number here by number in the shop.
    of_user: Vec<u32>,
    of_item: Vec<u32>,
    facts: Catalogue,
}

fn inverse(order: &[u32]) -> Vec<u32> {
    let mut of = vec![0; order.len()];
    for (here, there) in (0..).zip(order) {
        of[*there as usize] = here;
    }
    of
}

/// Numbers by first sight.
#[derive(Default)]
struct Names(FxHashMap<u32, u32>);

impl Names {
    fn of(&mut self, old: Option<u32>) -> Option<u32> {
        let next = self.0.len() as u32;
        old.map(|old| *self.0.entry(old).or_insert(next))
    }
}

impl IdMap {
    /// The numbering of a state of the shop.
    pub(crate) fn of(view: &ShopState) -> Self {
        let key = |number: u32| match view.subject(number).map(|subject| &subject.who) {
            Some(Who::User(id)) => (0, id.as_str()),
            Some(Who::Session(id)) => (1, id.as_str()),
            _ => (2, ""),
        };
        let mut users: Vec<u32> = (0..view.subjects.len() as u32).collect();
        users.sort_by(|a, b| key(*a).cmp(&key(*b)));
        let id = |number: u32| view.item(number).map_or("", |item| item.id.as_str());
        let mut items: Vec<u32> = (0..view.items.len() as u32).collect();
        items.sort_by(|a, b| id(*a).cmp(id(*b)));
        let (mut categories, mut brands) = (Names::default(), Names::default());
        let facts = items.iter().map(|number| {
            let facts = view.rank.catalogue.get(*number).copied().unwrap_or_default();
            ItemFacts { category: categories.of(facts.category), brand: brands.of(facts.brand), ..facts }
        });
        let facts = Catalogue::new(facts.collect::<Vec<_>>());
        Self { of_user: inverse(&users), of_item: inverse(&items), users, items, facts }
    }

    /// Users and visits in the order of their numbers here, by their numbers in the shop.
    pub(crate) fn users(&self) -> &[u32] {
        &self.users
    }

    /// Items in the order of their numbers here, by their numbers in the shop.
    pub(crate) fn items(&self) -> &[u32] {
        &self.items
    }

    /// Ids of the items in the order of their numbers here.
    pub(crate) fn ids(&self, view: &ShopState) -> Arc<[ItemId]> {
        self.items.iter().filter_map(|number| view.item(*number)).map(|item| item.id.clone()).collect()
    }

    /// The serving ranker, its sequence model in the numbers here and as of a moment of a log that has them.
    pub(crate) fn ranker(&self, view: &ShopState, log: &Log, at: i64) -> Option<Ranker> {
        let ranker = view.model.artifacts.ranker.as_deref()?.clone();
        let Some(sequence) = &view.model.artifacts.sequence else { return Some(ranker) };
        let sequence = sequence.as_of(self.ids(view).iter(), log, at);
        Some(ranker.with_sequence(Some(sequence)))
    }

    /// The number here of a user.
    pub(crate) fn user(&self, number: u32) -> u32 {
        self.of_user.get(number as usize).copied().unwrap_or(number)
    }

    /// A log of the shop with the numbers here.
    pub(crate) fn log(&self, log: &Log) -> Log {
        let mut out = Log::new();
        for (here, there) in (0..).zip(&self.users) {
            let item = |number: u32| self.of_item.get(number as usize).copied();
            let events = log.events(*there).iter().map(|event| Event { item: event.item.and_then(item), ..*event });
            out.set_user(here, events.collect());
        }
        out
    }

    /// Sets the vectors of query texts for all catalogues made from now on. Texts keep the shop's numbers, because no sum follows their order.
    pub(crate) fn set_texts(&mut self, texts: Vectors) {
        self.facts.set_texts(Some(texts));
    }

    /// The items with vectors that are given by number in the shop.
    ///
    /// # Errors
    /// A vector of another length than `dim`.
    pub(crate) fn catalogue(&self, dim: usize, rows: &FxHashMap<u32, Arc<[f32]>>) -> Result<Catalogue, RankError> {
        let rows = (0..).zip(&self.items).filter_map(|(here, there)| Some((here, Arc::clone(rows.get(there)?))));
        let mut catalogue = self.facts.clone();
        catalogue.set_vectors(Some(Vectors::from_rows(dim, rows)?));
        Ok(catalogue)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inverse_leads_back_and_names_are_numbered_by_first_sight() {
        let order = [2, 0, 3, 1];
        let of = inverse(&order);
        assert!((0..4).all(|here| of[order[here as usize] as usize] == here));
        let mut names = Names::default();
        assert_eq!([Some(7), None, Some(3), Some(7)].map(|old| names.of(old)), [Some(0), None, Some(1), Some(0)]);
    }
}
