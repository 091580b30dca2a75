//! Events that nothing may be derived from: those with an item of a sensitive category, and those behind an interest that the user
//! had removed. They stand beside the log, so that no list, profile, index or model ever reads them, and come back into it when the
//! reason is gone.

use mercer_rank::Event;
use mercer_shared::ids::UserId;
use mercer_shared::wire::{ForgottenInterest, InterestKind, Item};

use crate::state::shop::sensitive::Lexicon;
use crate::state::shop::writer::ShopWriter;

/// Upper ends of the price bands, in the shop's currency: each about twice the one before.
const BANDS: [f64; 9] = [1.0, 2.5, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0];

/// The price band of a price, in words.
#[must_use]
pub fn price_band(price: f64) -> String {
    let place = BANDS.partition_point(|upper| *upper <= price);
    match (place.checked_sub(1).map(|p| BANDS[p]), BANDS.get(place)) {
        (None, Some(upper)) => format!("under {upper}"),
        (Some(lower), Some(upper)) => format!("{lower} to {upper}"),
        (Some(lower), None) => format!("{lower} and more"),
        (None, None) => String::new(),
    }
}

/// Whether an interest is in this item.
fn concerns(interest: &ForgottenInterest, item: &Item) -> bool {
    let value = interest.value.as_str();
    match interest.kind {
        InterestKind::Category => {
            let path = item.category.join(" / ");
            path == value || path.strip_prefix(value).is_some_and(|rest| rest.starts_with(" / "))
        }
        InterestKind::Brand => item.brand.as_ref().is_some_and(|brand| brand.to_lowercase() == value.to_lowercase()),
        InterestKind::PriceBand => item.price.is_some_and(|price| price_band(price) == value),
        InterestKind::Item => item.id.as_str() == value || item.title == value,
    }
}

impl ShopWriter {
    /// Sets the lexicon whose items and searches are left out of profiling; for a shop that is still empty.
    pub fn set_lexicon(&mut self, lexicon: Lexicon) {
        self.lexicon = Some(lexicon);
    }

    /// Whether a search tells what the law protects.
    pub(super) fn is_sensitive_query(&self, query: &str) -> bool {
        self.lexicon.as_ref().is_some_and(|lexicon| lexicon.category(query).is_some())
    }

    /// Whether nothing may be derived from an event of a slot.
    pub(super) fn is_withheld(&self, number: u32, event: &Event) -> bool {
        let Some(item) = event.item else { return false };
        if self.view.sensitive.contains(&item) {
            return true;
        }
        let forgotten = self.view.subject(number).map_or(&[][..], |subject| &subject.forgotten);
        let covers =
            |interest: &ForgottenInterest, item: &Item| event.at <= interest.at.millis() && concerns(interest, item);
        !forgotten.is_empty()
            && self.view.item(item).is_some_and(|item| forgotten.iter().any(|interest| covers(interest, item)))
    }

    /// Takes note of what an item is now. Events with it leave the log or come back, and so do those behind removed interests, which
    /// depend on what the item is.
    pub(super) fn review_item(&mut self, number: u32, is_known: bool) {
        let sensitive = match (&self.lexicon, self.view.item(number)) {
            (Some(lexicon), Some(item)) => lexicon.has_item(item),
            _ => false,
        };
        let before = self.view.sensitive.contains(&number);
        if sensitive {
            self.view.sensitive.insert(number);
        } else {
            self.view.sensitive.remove(&number);
        }
        if !is_known {
            return;
        }
        let concerned: Vec<u32> = if sensitive == before {
            self.forgetful.iter().copied().collect()
        } else {
            (0..self.view.subjects.len() as u32).collect()
        };
        for slot in concerned {
            if self.has_event_with(slot, number) {
                self.review_events(slot);
            }
        }
    }

    fn has_event_with(&self, slot: u32, item: u32) -> bool {
        let withheld = self.view.subject(slot).map_or(&[][..], |subject| &subject.withheld);
        withheld.iter().chain(self.view.rank.log.events(slot)).any(|event| event.item == Some(item))
    }

    /// Divides the events of a slot anew between the log and those that are withheld. Returns how many left the log.
    pub(super) fn review_events(&mut self, slot: u32) -> u64 {
        let withheld = self.view.subject(slot).map(|subject| subject.withheld.clone()).unwrap_or_default();
        let before = self.view.rank.log.events(slot).to_vec();
        let left = before.iter().filter(|event| self.is_withheld(slot, event)).count() as u64;
        let (out, kept): (Vec<Event>, Vec<Event>) =
            before.iter().chain(&withheld).copied().partition(|event| self.is_withheld(slot, event));
        if left == 0 && out.len() == withheld.len() {
            return 0;
        }
        self.view.rank.log.set_user(slot, kept);
        if let Some(subject) = self.subject_mut(slot) {
            subject.withheld = out;
        }
        self.past = Some(0);
        self.changed.insert(slot);
        self.must_fit();
        self.dirty = true;
        left
    }

    /// Counts a search that nothing may be derived from; its text is not kept in memory.
    pub(super) fn withhold_search(&mut self, slot: u32, at: i64) {
        self.view.last_event = self.view.last_event.max(at);
        if let Some(subject) = self.subject_mut(slot) {
            subject.withheld_searches += 1;
        }
        self.dirty = true;
    }

    /// Takes note of the interests that a user had removed.
    pub(super) fn review_forgotten(&mut self, slot: u32) {
        let forgets = self.view.subject(slot).is_some_and(|subject| !subject.forgotten.is_empty());
        if forgets {
            self.forgetful.insert(slot);
            self.review_events(slot);
        } else {
            self.forgetful.remove(&slot);
        }
    }

    /// Counts the events that the removal of an interest would withhold; `None` for an unknown user.
    #[must_use]
    pub fn events_behind(&self, user: &UserId, interest: &ForgottenInterest) -> Option<u64> {
        let slot = *self.view.user_index.get(user)?;
        let is_behind = |event: &&Event| {
            let item = event.item.and_then(|item| self.view.item(item));
            event.at <= interest.at.millis() && item.is_some_and(|item| concerns(interest, item))
        };
        Some(self.view.rank.log.events(slot).iter().filter(is_behind).count() as u64)
    }
}
