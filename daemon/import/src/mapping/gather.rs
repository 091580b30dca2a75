//! Collects items and users from many records and writes each once. The preset says how to resolve records that
//! disagree.

use std::collections::BTreeMap;

use mercer_shared::ids::{ItemId, UserId};
use mercer_shared::wire::{Item, User};
use rustc_hash::FxHashMap;

use crate::preset::{Choice, FileSpec};

/// Most different values that are counted of one thing; with more, the choice hardly matters and memory does.
const MAX_VALUES: usize = 1_000;

/// Candidate values in order of appearance, with their counts.
#[derive(Debug, Default)]
struct Values<T>(Vec<(T, u32)>);

impl<T: PartialEq> Values<T> {
    fn add(&mut self, value: T, choice: Choice) {
        match choice {
            Choice::First if !self.0.is_empty() => {}
            Choice::First => self.0.push((value, 1)),
            Choice::Last => {
                self.0.clear();
                self.0.push((value, 1));
            }
            Choice::MostFrequent | Choice::Median => match self.0.iter().position(|(known, _)| *known == value) {
                Some(place) => self.0[place].1 += 1,
                None if self.0.len() < MAX_VALUES => self.0.push((value, 1)),
                None => {}
            },
        }
    }

    /// The most frequent one, of equals the first; where one was kept, that one.
    fn most_frequent(self) -> Option<T> {
        // max_by_key takes the last of equals, so it is asked from the end.
        self.0.into_iter().rev().max_by_key(|(_, count)| *count).map(|(value, _)| value)
    }
}

impl Values<f64> {
    fn chosen(mut self, choice: Choice) -> Option<f64> {
        if choice != Choice::Median {
            return self.most_frequent();
        }
        self.0.sort_by(|a, b| a.0.total_cmp(&b.0));
        let all: u64 = self.0.iter().map(|(_, count)| u64::from(*count)).sum();
        let mut below = 0;
        let middle = |(value, count): (f64, u32)| {
            below += u64::from(count);
            (below * 2 >= all).then_some(value)
        };
        self.0.into_iter().find_map(middle)
    }
}

/// The lines of a thing, for the account of lines that yield nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seen {
    /// The first line.
    pub(crate) line: u64,
    /// How many lines.
    pub(crate) lines: u64,
    /// Whether these lines hold nothing but this thing.
    pub(crate) counted: bool,
}

/// One gathered thing.
#[derive(Debug)]
pub(crate) struct Gathered<T> {
    /// The document.
    pub(crate) document: T,
    /// Its lines.
    pub(crate) seen: Seen,
    /// Only where the shop does not know it.
    pub(crate) only_new: bool,
}

/// Items gathered from the records of all sections of a file.
#[derive(Debug, Default)]
pub(crate) struct Items {
    places: FxHashMap<ItemId, usize>,
    all: Vec<GatheredItem>,
}

#[derive(Debug)]
struct GatheredItem {
    item: Item,
    titles: Values<String>,
    prices: Values<f64>,
    untitled: String,
    price_choice: Choice,
    seen: Seen,
    only_new: bool,
}

impl Items {
    /// Merges a record into an item. Fields that the record lacks keep their values.
    pub(crate) fn add(&mut self, item: Item, file: &FileSpec, line: u64) {
        let Some(spec) = &file.item else { return };
        let counted = file.interaction.is_none();
        let place = *self.places.entry(item.id.clone()).or_insert_with(|| {
            self.all.push(GatheredItem {
                item: Item::new(item.id.clone(), ""),
                titles: Values::default(),
                prices: Values::default(),
                untitled: spec.untitled.clone(),
                price_choice: spec.price_choice,
                seen: Seen { line, lines: 0, counted },
                only_new: spec.only_names,
            });
            self.all.len() - 1
        });
        let known = &mut self.all[place];
        known.seen.lines += 1;
        if !item.title.is_empty() {
            known.titles.add(item.title, spec.title_choice);
        }
        if let Some(price) = item.price {
            known.prices.add(price, spec.price_choice);
            known.item.currency = item.currency;
        }
        let slot = &mut known.item;
        slot.description = item.description.or(slot.description.take());
        slot.brand = item.brand.or(slot.brand.take());
        slot.seller = item.seller.or(slot.seller.take());
        if !item.category.is_empty() {
            slot.category = item.category;
        }
        slot.attributes.extend(item.attributes);
        if spec.in_stock.is_some() {
            slot.in_stock = item.in_stock;
        }
        if spec.hidden.is_some() {
            slot.hidden = item.hidden;
        }
    }

    /// The items, in order of their first line.
    pub(crate) fn finish(self) -> Vec<Gathered<Item>> {
        let one = |gathered: GatheredItem| {
            let mut item = gathered.item;
            item.title = gathered.titles.most_frequent().unwrap_or_else(|| format!("{}{}", gathered.untitled, item.id));
            item.price = gathered.prices.chosen(gathered.price_choice);
            Gathered { document: item, seen: gathered.seen, only_new: gathered.only_new }
        };
        self.all.into_iter().map(one).collect()
    }
}

/// Users gathered from the records of all sections of a file.
#[derive(Debug, Default)]
pub(crate) struct Users {
    places: FxHashMap<UserId, usize>,
    all: Vec<(User, BTreeMap<String, Values<String>>, Seen)>,
}

impl Users {
    /// Merges a record into a user. Attributes that the record lacks keep their values.
    pub(crate) fn add(&mut self, user: User, file: &FileSpec, line: u64) {
        let Some(spec) = &file.user else { return };
        let counted = file.interaction.is_none() && file.item.is_none();
        let place = *self.places.entry(user.id.clone()).or_insert_with(|| {
            let bare = User::new(user.id.clone());
            self.all.push((bare, BTreeMap::new(), Seen { line, lines: 0, counted }));
            self.all.len() - 1
        });
        let (_, attributes, seen) = &mut self.all[place];
        seen.lines += 1;
        for (name, value) in user.attributes {
            attributes.entry(name).or_default().add(value, spec.choice);
        }
    }

    /// The users, in order of their first line.
    pub(crate) fn finish(self) -> Vec<Gathered<User>> {
        let one = |(mut user, attributes, seen): (User, BTreeMap<String, Values<String>>, Seen)| {
            let chosen = attributes.into_iter().filter_map(|(name, values)| Some((name, values.most_frequent()?)));
            user.attributes = chosen.collect();
            Gathered { document: user, seen, only_new: false }
        };
        self.all.into_iter().map(one).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> FileSpec {
        toml::from_str(&format!("name = \"f\"\nrequires = [\"i\"]\n{text}")).unwrap()
    }

    fn item(title: &str, price: Option<f64>) -> Item {
        let mut item = Item::new(ItemId::new("1").unwrap(), title);
        item.price = price;
        item
    }

    #[test]
    fn titles_and_prices_are_chosen() {
        for (choices, title, price) in [
            ("title_choice = \"most_frequent\"\nprice_choice = \"median\"", "a", Some(3.0)),
            ("title_choice = \"first\"\nprice_choice = \"first\"", "b", Some(9.0)),
            ("title_choice = \"last\"\nprice_choice = \"last\"", "c", Some(2.0)),
        ] {
            let file = file(&format!("[item]\nid = \"i\"\nuntitled = \"Item \"\n{choices}"));
            let mut items = Items::default();
            for (line, (title, price)) in
                [("b", Some(9.0)), ("a", Some(3.0)), ("", None), ("a", Some(3.0)), ("c", Some(2.0))]
                    .into_iter()
                    .enumerate()
            {
                items.add(item(title, price), &file, line as u64 + 2);
            }
            items.add(Item::new(ItemId::new("2").unwrap(), ""), &file, 9);
            let items = items.finish();
            assert_eq!((items[0].document.title.as_str(), items[0].document.price), (title, price), "{choices}");
            assert_eq!(items[0].seen, Seen { line: 2, lines: 5, counted: true });
            assert_eq!(items[1].document.title, "Item 2");
        }
    }

    #[test]
    fn of_equals_the_first() {
        let mut values = Values::default();
        for word in ["x", "y", "y", "x"] {
            values.add(word, Choice::MostFrequent);
        }
        assert_eq!(values.most_frequent(), Some("x"));
    }

    #[test]
    fn later_records_add_and_do_not_erase() {
        let file = file("[item]\nid = \"i\"\n");
        let mut items = Items::default();
        let mut first = item("t", Some(1.0));
        first.brand = Some("Acme".to_owned());
        items.add(first, &file, 2);
        let mut second = item("", None);
        second.category = vec!["Lamps".to_owned()];
        items.add(second, &file, 3);
        let item = items.finish().remove(0).document;
        assert_eq!(
            (item.title.as_str(), item.price, item.brand.as_deref(), &item.category[..]),
            ("t", Some(1.0), Some("Acme"), &["Lamps".to_owned()][..])
        );
    }
}
