//! Groups of items: by category, brand, seller or an attribute of the item. Nothing of shoppers is read.

use mercer_shared::wire::{Item, ItemGrouping};
use rustc_hash::FxHashMap;

use crate::serving::rerank::pool::{Pool, RerankContext};

/// The group of an item; `None` where the item does not say.
pub(crate) fn group_of<'a>(item: &'a Item, by: &ItemGrouping) -> Option<&'a str> {
    match by {
        ItemGrouping::Category => item.category.first().map(String::as_str),
        ItemGrouping::Brand => item.brand.as_deref(),
        ItemGrouping::Seller => item.seller.as_deref(),
        ItemGrouping::Attribute(name) => item.attributes.get(name).map(String::as_str),
    }
}

/// The group of an item by its number.
pub(super) fn group_of_number<'a>(context: &RerankContext<'a>, number: u32, by: &ItemGrouping) -> Option<&'a str> {
    group_of(context.items.get(number as usize)?, by)
}

/// The groups of the candidates of a pool, by place.
pub(super) fn groups<'a>(context: &RerankContext<'a>, pool: &Pool, by: &ItemGrouping) -> Vec<Option<&'a str>> {
    pool.items.iter().map(|&number| group_of_number(context, number, by)).collect()
}

/// Names numbered in order of first sight.
#[derive(Default)]
pub(super) struct Numbers<'a>(FxHashMap<&'a str, usize>);

impl<'a> Numbers<'a> {
    /// The number of a name, given on first sight.
    pub(super) fn of(&mut self, name: &'a str) -> usize {
        let next = self.0.len();
        *self.0.entry(name).or_insert(next)
    }

    /// How many names there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The number of a name that was seen.
    pub(super) fn get(&self, name: &str) -> Option<usize> {
        self.0.get(name).copied()
    }
}
