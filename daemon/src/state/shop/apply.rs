//! Applies documents to the shop in memory.

use std::sync::Arc;

use mercer_rank::{Event, ItemFacts, stable_key};
use mercer_search::{Document, passage_text};
use mercer_shared::ids::{ItemId, SessionId, UserId};
use mercer_shared::time::Timestamp;
use mercer_shared::wire::{Consent, Interaction, InteractionType, Item};
use mercer_store::{Expired, StoredUser};
use rustc_hash::FxHashMap;

use crate::state::shop::writer::ShopWriter;
use crate::state::shop::{Agreement, RECENT_QUERIES, Subject, TypedQuery, Who, texts};

/// Dense number of a name, given on first sight.
fn number_of(names: &mut FxHashMap<String, u32>, name: &str) -> u32 {
    if let Some(&number) = names.get(name) {
        return number;
    }
    let number = names.len() as u32;
    names.insert(name.to_owned(), number);
    number
}

/// The group of an item without a brand: the first word of its title, which often names the series or the maker.
fn first_word(title: &str) -> Option<String> {
    title.split_whitespace().next().map(str::to_lowercase)
}

impl ShopWriter {
    /// Writes an item. One that was deleted comes back with its number, and so with its interactions.
    pub fn put_item(&mut self, item: Item) {
        let deleted = self.deleted_index.remove(&item.id);
        if let Some(number) = deleted {
            self.view.deleted.remove(&number);
            self.view.item_index.insert(item.id.clone(), number);
        }
        let known = self.view.item_index.get(&item.id).copied();
        let number = known.unwrap_or(self.view.items.len() as u32);
        self.set_facts(number, &item);
        self.lexical.upsert(&[Document::from_item(number, &item)]);
        match known {
            None => {
                self.view.item_index.insert(item.id.clone(), number);
                self.view.items.push_back(Arc::new(item));
                self.stale.push(number);
                self.review_item(number, false);
            }
            Some(_) => {
                let before = self.view.item(number).map(|old| passage_text(old));
                if deleted.is_some() || before.as_deref() != Some(&passage_text(&item)) {
                    self.stale.push(number);
                }
                self.view.items.set(number as usize, Arc::new(item));
                self.review_item(number, true);
            }
        }
        self.dirty = true;
    }

    /// Deletes an item, also one known only by a tombstone. It leaves index and lists; its number stays with its
    /// interactions.
    pub fn delete_item(&mut self, id: &ItemId) {
        if self.deleted_index.contains_key(id) {
            return;
        }
        // What is known of it is the same before and after a restart, which reads the tombstone alone.
        let blank = Item { hidden: true, ..Item::new(id.clone(), "") };
        let known = self.view.item_index.remove(id);
        let number = known.unwrap_or(self.view.items.len() as u32);
        self.set_facts(number, &blank);
        match known {
            None => self.view.items.push_back(Arc::new(blank)),
            Some(_) => {
                self.view.items.set(number as usize, Arc::new(blank));
                self.lexical.delete(&[number]);
                self.drop_vector(number);
                self.stale.retain(|stale| *stale != number);
            }
        }
        self.view.deleted.insert(number);
        self.review_item(number, known.is_some());
        self.deleted_index.insert(id.clone(), number);
        self.dirty = true;
    }

    /// Writes what ranking knows of an item.
    fn set_facts(&mut self, number: u32, item: &Item) {
        let category = item.category.last().map(|name| number_of(&mut self.categories, name));
        let brand = item.brand.as_deref().map(str::to_lowercase).or_else(|| first_word(&item.title));
        let brand = brand.map(|name| number_of(&mut self.brands, &name));
        let facts = ItemFacts {
            price: item.price.map(|price| price as f32),
            category,
            brand,
            available_from: item.available_from.map(mercer_shared::time::Timestamp::millis),
            hidden: item.hidden,
            in_stock: item.in_stock,
            key: stable_key(item.id.as_str()),
        };
        self.view.rank.catalogue.set(number, facts);
    }

    fn slot(&mut self, who: Who) -> u32 {
        let known = match &who {
            Who::User(id) => self.view.user_index.get(id).copied(),
            Who::Session(id) => self.view.session_index.get(id).copied(),
            Who::Erased => None,
        };
        if let Some(number) = known {
            return number;
        }
        let number = self.view.subjects.len() as u32;
        match &who {
            Who::User(id) => drop(self.view.user_index.insert(id.clone(), number)),
            Who::Session(id) => drop(self.view.session_index.insert(id.clone(), number)),
            Who::Erased => {}
        }
        let key = match &who {
            Who::User(id) => stable_key(id.as_str()),
            // A user and a session may have one id.
            Who::Session(id) => stable_key(&format!("session {}", id.as_str())),
            Who::Erased => 0,
        };
        self.view.rank.log.set_key(number, key);
        let Agreement { consent, explicit } = Agreement::unsaid(self.default_consent);
        let subject = Subject { consent, explicit, ..Subject::empty(who) };
        self.view.subjects.push_back(Arc::new(subject));
        self.dirty = true;
        number
    }

    pub(super) fn subject_mut(&mut self, number: u32) -> Option<&mut Subject> {
        self.view.subjects.get_mut(number as usize).map(Arc::make_mut)
    }

    /// Writes a user as the store has it now.
    pub fn put_user(&mut self, user: StoredUser) {
        let Agreement { consent, explicit } = Agreement::of(&user.consent, self.default_consent);
        let number = self.slot(Who::User(user.id));
        let mut trained = true;
        if let Some(subject) = self.subject_mut(number) {
            trained = subject.consent.train == consent.train;
            subject.attributes = user.attributes;
            subject.consent = consent;
            subject.explicit = explicit;
            subject.forgotten = user.forgotten;
        }
        self.review_forgotten(number);
        if !trained {
            self.changed.insert(number);
            self.must_fit();
        }
        self.dirty = true;
    }

    /// Takes in an interaction that is durable at `seq`.
    pub fn interact(&mut self, seq: u64, interaction: Interaction) {
        self.view.last_seq = self.view.last_seq.max(seq);
        let who = match (interaction.user, interaction.session) {
            (Some(user), _) => Who::User(user),
            (None, Some(session)) => Who::Session(session),
            (None, None) => return,
        };
        let number = self.slot(who);
        let at = interaction.at.millis();
        let search = interaction.kind == mercer_shared::wire::InteractionType::Search;
        let query = interaction.query.filter(|_| search);
        if query.as_deref().is_some_and(|query| self.is_sensitive_query(query)) {
            self.withhold_search(number, at);
            return;
        }
        let text = query.as_deref().and_then(|query| self.view.texts.take(query));
        if let Some(text) = text {
            self.asked.ask(text);
        }
        if let Some(query) = query
            && let Some(subject) = self.subject_mut(number)
        {
            let place = subject.queries.partition_point(|earlier| earlier.at <= at);
            subject.queries.insert(place, TypedQuery { at, text: Arc::from(query) });
            if subject.queries.len() > RECENT_QUERIES {
                subject.queries.remove(0);
            }
        }
        let item =
            interaction.item.and_then(|id| self.view.item_index.get(&id).or(self.deleted_index.get(&id)).copied());
        let kind = interaction.kind;
        let event = Event { item, text, kind, value: kind.value(interaction.value), at };
        self.view.last_event = self.view.last_event.max(at);
        if self.is_withheld(number, &event) {
            if let Some(subject) = self.subject_mut(number) {
                subject.withheld.push(event);
            }
            self.dirty = true;
            return;
        }
        self.view.rank.log.push(number, event);
        let agreed = self.view.subject(number).is_some_and(|subject| subject.consent.train);
        if agreed && at >= self.index.at() {
            self.index.observe(&self.view.rank.log, number, &event);
        }
        self.past = Some(self.past.map_or(at, |earliest| earliest.min(at)));
        self.unfitted += 1;
        if item.is_some() {
            self.changed.insert(number);
        }
        self.dirty = true;
    }

    /// Forgets a user; returns the slot's number, if there was one.
    pub fn erase(&mut self, id: &UserId) -> Option<u32> {
        let number = self.view.user_index.remove(id)?;
        self.forget(number);
        Some(number)
    }

    /// Forgets a visit, which was an erased user's.
    pub fn erase_session(&mut self, id: &SessionId) {
        if let Some(number) = self.view.session_index.remove(id) {
            self.forget(number);
        }
    }

    /// Removes the events that retention removed from the store, and the slots of whom nothing is left.
    pub fn expire(&mut self, keeps: &dyn Fn(InteractionType, Timestamp) -> bool, expired: &Expired) {
        for number in 0..self.view.subjects.len() as u32 {
            let is_kept = |event: &Event| keeps(event.kind, Timestamp::at(event.at));
            let events = self.view.rank.log.events(number);
            let (kept, gone): (Vec<Event>, Vec<Event>) = events.iter().copied().partition(|event| is_kept(event));
            let withholds = self.view.subject(number).is_some_and(|subject| !subject.withheld.is_empty());
            if withholds && let Some(subject) = self.subject_mut(number) {
                subject.withheld.retain(is_kept);
            }
            if gone.is_empty() {
                continue;
            }
            self.release_texts(&gone);
            self.view.rank.log.set_user(number, kept);
            if let Some(subject) = self.subject_mut(number) {
                subject.queries.retain(|query| keeps(InteractionType::Search, Timestamp::at(query.at)));
            }
            self.changed.insert(number);
        }
        for user in &expired.users {
            self.erase(user);
        }
        expired.sessions.iter().for_each(|session| self.erase_session(session));
        self.past = Some(0);
        self.must_fit();
        self.dirty = true;
    }

    /// Takes searches out of the texts; those that nobody asks for any more lose their vectors.
    fn release_texts(&mut self, gone: &[Event]) {
        for text in gone.iter().filter_map(|event| event.text) {
            if self.view.texts.release(text) {
                self.asked.forget(text);
                if let Some(vectors) = self.view.rank.catalogue.texts_mut() {
                    texts::clear(vectors, text);
                }
            }
        }
    }

    /// Empties a slot. Its number is not given again.
    fn forget(&mut self, number: u32) {
        let events = self.view.rank.log.events(number).to_vec();
        self.release_texts(&events);
        self.view.rank.log.erase(number);
        if let Some(subject) = self.subject_mut(number) {
            *subject = Subject { consent: Consent::NONE, ..Subject::empty(Who::Erased) };
        }
        self.past = Some(0);
        self.forgetful.remove(&number);
        self.changed.insert(number);
        self.must_fit();
        self.dirty = true;
    }
}
