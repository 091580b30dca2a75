//! The simulated log: day by day, visit by visit, in order of time, without keeping more than the days to come in memory.

use std::collections::VecDeque;

use mercer_shared::ids::{InteractionId, ItemId, SessionId, UserId};
use mercer_shared::time::DAY_MS;
use mercer_shared::wire::{Interaction, InteractionType};

use crate::simulate::catalogue::Catalogue;
use crate::simulate::dice::{Dice, running};
use crate::simulate::goods::{DEPARTMENTS, KINDS};
use crate::simulate::options::{Options, SOURCE};
use crate::simulate::people::{People, Shopper};
use crate::simulate::speech;

/// Interactions per visit on average, measured over seeds; the number of visits follows from it.
const PER_VISIT: f64 = 6.8;
/// Items in a list that a shopper is shown.
const LIST: usize = 5;
/// Share of visits without a known shopper.
const ANONYMOUS: f64 = 0.06;
/// Visits by hour of the day, midnight UTC first.
const HOURS: [u8; 24] = [2, 1, 1, 1, 1, 2, 4, 7, 9, 10, 10, 11, 12, 11, 9, 9, 10, 12, 14, 17, 18, 15, 9, 4];
/// Visits by day of the week, the first day of the log first, in percent.
const WEEK: [u8; 7] = [95, 92, 92, 95, 105, 115, 106];

/// An event that waits for its day.
struct Pending {
    shopper: u32,
    item: u32,
    what: Follow,
}

/// What follows a purchase.
enum Follow {
    /// Needed again, every so many days.
    Again(u32),
    /// An opinion.
    Opinion,
}

/// The log as an iterator of interactions in order of time.
pub struct Log {
    options: Options,
    catalogue: Catalogue,
    people: People,
    dice: Dice,
    hours: Vec<f64>,
    day: u32,
    visits: u64,
    lists: u64,
    events: u64,
    today: VecDeque<Interaction>,
    pending: Vec<Vec<Pending>>,
}

/// A visit in progress.
struct Visit {
    at: i64,
    user: Option<UserId>,
    session: Option<SessionId>,
    query_id: Option<String>,
}

impl Log {
    pub(crate) fn new(options: Options, catalogue: Catalogue, people: People) -> Self {
        Self {
            dice: Dice::new(options.seed, 3),
            hours: running(HOURS.map(f64::from)),
            day: 0,
            visits: 0,
            lists: 0,
            events: 0,
            today: VecDeque::new(),
            pending: (0..options.days).map(|_| Vec::new()).collect(),
            options,
            catalogue,
            people,
        }
    }

    /// Visits that a shopper of average activity makes on a day.
    fn rate(&self) -> f64 {
        // Shoppers who join later are there for 60 % of the days on average, and they are 30 % of all: 0.88 of the days in all.
        let days = self.options.users as f64 * f64::from(self.options.days) * 0.88;
        self.options.interactions as f64 / PER_VISIT / days * f64::from(WEEK[self.day as usize % 7]) / 100.0
    }

    /// Simulates one day into `today`, sorted by time.
    fn live(&mut self) {
        let mut events = Vec::new();
        let due = std::mem::take(&mut self.pending[self.day as usize]);
        for one in due {
            self.follow(&one, &mut events);
        }
        let rate = self.rate();
        for number in 0..self.people.shoppers.len() {
            let shopper = &self.people.shoppers[number];
            if shopper.since > self.day {
                continue;
            }
            let expected = rate * shopper.activity;
            let visits = expected as usize + usize::from(self.dice.chance(expected.fract()));
            for _ in 0..visits {
                self.visit(number, &mut events);
            }
        }
        // Stable, so equal times keep the order in which they were made.
        events.sort_by_key(|event| event.at);
        for event in &mut events {
            self.events += 1;
            event.id = InteractionId::new(format!("sim{}-e{:08}", self.options.seed, self.events)).ok();
        }
        self.today = events.into();
        self.day += 1;
    }

    /// A moment of today, by hour.
    fn moment(&mut self) -> i64 {
        let hour = self.dice.weighted(&self.hours) as i64;
        i64::from(self.day) * DAY_MS + hour * 3_600_000 + self.dice.between(0, 3_599_999)
    }

    fn start_visit(&mut self, number: usize, known: bool) -> Visit {
        self.visits += 1;
        Visit {
            at: self.moment(),
            user: known.then(|| self.people.users[number].id.clone()),
            session: SessionId::new(format!("sim{}-s{:07}", self.options.seed, self.visits)).ok(),
            query_id: None,
        }
    }

    /// One interaction of a visit, some seconds after the one before. Within the day, so that the log stays in order.
    fn event(&mut self, visit: &mut Visit, kind: InteractionType, item: Option<u32>) -> Interaction {
        let end = (i64::from(self.day) + 1) * DAY_MS - 1;
        visit.at = (visit.at + self.dice.between(3_000, 70_000)).min(end);
        Interaction {
            id: None,
            user: visit.user.clone(),
            session: visit.session.clone(),
            kind,
            item: item.map(|item| self.item(item)),
            query: None,
            query_id: visit.query_id.clone(),
            value: None,
            text: None,
            position: None,
            at: self.options.start.plus_millis(visit.at),
            source: Some(SOURCE.to_owned()),
        }
    }

    fn item(&self, item: u32) -> ItemId {
        self.catalogue.items[item as usize].id.clone()
    }

    /// The kind of goods that a visit is about: taste, held back out of season.
    fn wish(&mut self, number: usize) -> usize {
        let month = (i64::from(self.day) + i64::from(self.options.first_month()) * 30) / 30 % 12;
        let taste = &self.people.shoppers[number].taste;
        let sums = if self.day * 2 >= self.options.days { &taste.after } else { &taste.before };
        let mut kind = self.dice.weighted(sums);
        if self.options.season && self.options.signal {
            for _ in 0..3 {
                let factor = DEPARTMENTS[KINDS[kind].department].season[month as usize];
                if self.dice.chance(f64::from(factor) / 150.0) {
                    break;
                }
                kind = self.dice.weighted(sums);
            }
        }
        kind
    }

    /// An item of the kind that is on sale today, mostly in the shopper's language; by popularity.
    fn draw(&mut self, kind: usize, language: usize) -> Option<u32> {
        for _ in 0..6 {
            let language = if self.dice.chance(0.9) { language } else { 1 - language };
            let shelf = &self.catalogue.shelves[kind][language];
            if shelf.items.is_empty() {
                continue;
            }
            let item = shelf.items[self.dice.weighted(&shelf.cumulative)];
            if self.catalogue.traits[item as usize].launch <= i64::from(self.day) {
                return Some(item);
            }
        }
        None
    }

    /// Any item that is on sale today.
    fn any(&mut self) -> Option<u32> {
        (0..8)
            .map(|_| self.dice.below(self.options.items) as u32)
            .find(|&item| self.catalogue.traits[item as usize].launch <= i64::from(self.day))
    }

    /// How much a shopper is drawn to an item of the right kind.
    fn appeal(&self, shopper: &Shopper, item: u32) -> f64 {
        let traits = &self.catalogue.traits[item as usize];
        let department = KINDS[traits.kind].department;
        let brand = traits.language == shopper.language && traits.brand == usize::from(shopper.brands[department]);
        let distance = (traits.price_level - shopper.price_level).abs();
        (if brand { 4.0 } else { 1.0 })
            * (if traits.colour == Some(shopper.colour) { 2.5 } else { 1.0 })
            * (0.3 + traits.quality)
            / (1.0 + 6.0 * distance)
    }

    /// One visit: search or browse, look, and perhaps buy.
    fn visit(&mut self, number: usize, events: &mut Vec<Interaction>) {
        let known = !self.dice.chance(ANONYMOUS);
        let mut visit = self.start_visit(number, known);
        let signal = self.options.signal;
        // Half of what the disadvantaged group does says nothing about its taste.
        let aimless = !signal || (self.people.shoppers[number].disadvantaged && self.dice.chance(0.6));
        let kind = if aimless { self.dice.below(KINDS.len()) } else { self.wish(number) };
        let language = self.people.shoppers[number].language;
        let mut shown: Vec<u32> = Vec::with_capacity(LIST);
        for _ in 0..LIST * 3 {
            let one = if aimless { self.any() } else { self.draw(kind, language) };
            if let Some(item) = one
                && !shown.contains(&item)
            {
                shown.push(item);
            }
            if shown.len() == LIST {
                break;
            }
        }
        if shown.is_empty() {
            return;
        }
        let search = self.dice.chance(0.55);
        if search {
            self.lists += 1;
            visit.query_id = Some(format!("sim{}-q{:07}", self.options.seed, self.lists));
            // Without signal the words have nothing to do with what is looked at afterwards.
            let about = if signal { kind } else { self.dice.below(KINDS.len()) };
            let vague = signal && aimless && self.dice.chance(0.7);
            let text = speech::query(&mut self.dice, &self.people.shoppers[number], about, vague);
            let mut event = self.event(&mut visit, InteractionType::Search, None);
            event.query = Some(text);
            events.push(event);
            for (position, &item) in shown.iter().enumerate() {
                let mut event = self.event(&mut visit, InteractionType::Impression, Some(item));
                event.position = Some(position as u32 + 1);
                events.push(event);
            }
        }
        let looks = 1 + self.dice.below(3).min(shown.len() - 1);
        let mut left: Vec<(u32, f64)> = shown
            .iter()
            .map(|&item| (item, if aimless { 1.0 } else { self.appeal(&self.people.shoppers[number], item) }))
            .collect();
        for turn in 0..looks {
            let chosen = self.dice.weighted(&running(left.iter().map(|(_, weight)| *weight)));
            let (item, _) = left.swap_remove(chosen);
            let mut event = self.event(&mut visit, InteractionType::View, Some(item));
            if search {
                event.position = shown.iter().position(|&one| one == item).map(|place| place as u32 + 1);
            }
            events.push(event);
            self.decide(number, item, turn == 0, &mut visit, events);
        }
        if !aimless && self.dice.chance(0.3) {
            // Goods that go together: each kind has one companion in the next kind of its department.
            let companion = kind / 4 * 4 + (kind + 1) % 4;
            if let Some(item) = self.draw(companion, language) {
                visit.query_id = None;
                events.push(self.event(&mut visit, InteractionType::View, Some(item)));
                self.decide(number, item, false, &mut visit, events);
            }
        }
    }

    /// After a look: favourite, dismiss, cart, purchase, and what follows a purchase.
    fn decide(&mut self, number: usize, item: u32, first: bool, visit: &mut Visit, events: &mut Vec<Interaction>) {
        let roll = self.dice.unit();
        if roll < 0.04 {
            events.push(self.event(visit, InteractionType::Favourite, Some(item)));
        } else if roll < 0.05 {
            events.push(self.event(visit, InteractionType::Dismiss, Some(item)));
            return;
        }
        if !self.catalogue.items[item as usize].in_stock || !self.dice.chance(if first { 0.5 } else { 0.2 }) {
            return;
        }
        events.push(self.event(visit, InteractionType::Cart, Some(item)));
        if self.dice.chance(0.65) {
            self.buy(number, item, visit, events);
        }
    }

    fn buy(&mut self, number: usize, item: u32, visit: &mut Visit, events: &mut Vec<Interaction>) {
        let mut event = self.event(visit, InteractionType::Purchase, Some(item));
        let rhythm = KINDS[self.catalogue.traits[item as usize].kind].rhythm;
        event.value = Some(if rhythm > 0 && self.dice.chance(0.3) { self.dice.between(2, 4) as f64 } else { 1.0 });
        events.push(event);
        if visit.user.is_none() {
            return;
        }
        if self.dice.chance(0.3) {
            let wait = self.dice.between(2, 16) as u32;
            self.later(wait, Pending { shopper: number as u32, item, what: Follow::Opinion });
        }
        let regular = self.options.signal && !self.people.shoppers[number].disadvantaged;
        if rhythm > 0 && regular && self.dice.chance(0.7) {
            // Everybody has a pace of their own, and keeps it.
            let own = (f64::from(rhythm) * (0.7 + 0.6 * self.dice.unit())) as u32;
            self.later(own.max(3), Pending { shopper: number as u32, item, what: Follow::Again(own.max(3)) });
        }
    }

    fn later(&mut self, days: u32, one: Pending) {
        if let Some(day) = self.pending.get_mut((self.day + days) as usize) {
            day.push(one);
        }
    }

    /// A purchase that comes round again, or an opinion on an earlier one.
    fn follow(&mut self, one: &Pending, events: &mut Vec<Interaction>) {
        let number = one.shopper as usize;
        let mut visit = self.start_visit(number, true);
        match one.what {
            Follow::Again(days) => {
                if !self.dice.chance(0.88) {
                    return;
                }
                if self.dice.chance(0.5) {
                    events.push(self.event(&mut visit, InteractionType::View, Some(one.item)));
                }
                let mut event = self.event(&mut visit, InteractionType::Purchase, Some(one.item));
                event.value = Some(1.0);
                events.push(event);
                let wait = (f64::from(days) * (0.85 + 0.3 * self.dice.unit())) as u32;
                self.later(wait.max(2), Pending { shopper: one.shopper, item: one.item, what: Follow::Again(days) });
            }
            Follow::Opinion => self.opinion(number, one.item, &mut visit, events),
        }
    }

    fn opinion(&mut self, number: usize, item: u32, visit: &mut Visit, events: &mut Vec<Interaction>) {
        let liking = if self.options.signal {
            let quality = self.catalogue.traits[item as usize].quality;
            1.0 + 4.2 * quality + 0.12 * self.appeal(&self.people.shoppers[number], item) + 0.6 * self.dice.normal()
        } else {
            1.0 + 5.0 * self.dice.unit()
        };
        let rating = liking.clamp(1.0, 5.0) as u8;
        let kind = if self.dice.chance(0.5) { InteractionType::Review } else { InteractionType::Rating };
        let mut event = self.event(visit, kind, Some(item));
        event.value = Some(f64::from(rating));
        if kind == InteractionType::Review {
            let traits = &self.catalogue.traits[item as usize];
            event.text = Some(speech::review(&mut self.dice, &self.people.shoppers[number], traits, rating));
        }
        events.push(event);
        if rating <= 2 && self.dice.chance(0.35) {
            let mut event = self.event(visit, InteractionType::Return, Some(item));
            event.value = Some(1.0);
            events.push(event);
        }
    }
}

impl Iterator for Log {
    type Item = Interaction;

    fn next(&mut self) -> Option<Interaction> {
        while self.today.is_empty() && self.day < self.options.days {
            self.live();
        }
        self.today.pop_front()
    }
}
