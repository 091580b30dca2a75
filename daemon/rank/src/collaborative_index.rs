//! The collaborative index: what is fitted from the log at a cut-off (popularity, co-occurrence, neighbours, factors). Everything
//! personal is read from the log at request time, so a new interaction changes the user's next list without a refit.
use std::sync::Arc;

use crate::catalogue::ItemFacts;
use crate::cooccurrence::Cooccurrence;
use crate::dataset::Dataset;
use crate::ease::{Ease, EaseOptions};
use crate::ials::{FitOrder, Ials, IalsOptions};
use crate::log::{DAY_MS, Event, Log, LogSummary};
use crate::neighbour_lists::{NeighbourLists, Shrinkage};
use crate::next_basket::{self, NextBasketOptions};
use crate::popularity::{Counting, ItemStats, Stats, count, pool};
use crate::sequence::SequenceScorer;
use crate::signal::Signal;
use crate::source::{SOURCES, Source};
use crate::sparse::{Csr, InterestDecay, interest_matrix};
use crate::user_neighbours::{NeighbourOptions, UserNeighbours};
use crate::user_state::{ReadOptions, UserState};
use mercer_shared::interaction::InterestWeights;

/// Settings of [`CollaborativeIndex::fit`]. The defaults were chosen on windows before the test windows of the benchmarks (`examples/bench_lists.rs`).
#[derive(Debug, Clone, PartialEq)]
pub struct IndexOptions {
    /// Weight of each kind of event.
    pub kinds: InterestWeights,
    /// Half-life of interest in days.
    pub half_life: f64,
    /// Half-life in days of recent interest, counted back from the user's own last event.
    pub recent_half_life: f64,
    /// Items per user in co-occurrence and profiles at most.
    pub cap: usize,
    /// Neighbours kept per item.
    pub keep_items: usize,
    /// Shrinkage of the cosine.
    pub shrink: f64,
    /// Shrinkage of the cosine from a basket to the next.
    pub shrink_next: f64,
    /// Days of the recent-window co-occurrence.
    pub recent_days: i64,
    /// Neighbours of a user at most.
    pub keep_users: usize,
    /// Days of neighbours' purchases that count as recent.
    pub neighbour_days: i64,
    /// Factorisation, or none.
    pub ials: Option<IalsOptions>,
    /// Closed-form item-item regression, or none.
    pub ease: Option<EaseOptions>,
}

impl Default for IndexOptions {
    fn default() -> Self {
        Self {
            kinds: InterestWeights::default(),
            half_life: 120.0,
            recent_half_life: 30.0,
            cap: 1000,
            keep_items: 300,
            shrink: 2.0,
            shrink_next: 0.05,
            recent_days: 60,
            keep_users: 200,
            neighbour_days: 30,
            ials: Some(IalsOptions::default()),
            ease: None,
        }
    }
}

impl IndexOptions {
    /// Without factor models, for an empty shop and for small tests.
    pub fn light() -> Self {
        Self { ials: None, ease: None, ..Self::default() }
    }

    /// Popularity and trends only, which is what [`trending`](crate::trending) reads.
    pub fn counts() -> Self {
        Self { cap: 0, ..Self::light() }
    }
}

/// Everything that is fitted from the log up to a moment. Cheap to clone; a clone is a snapshot.
#[derive(Debug, Clone)]
pub struct CollaborativeIndex {
    pub(crate) at: i64,
    pub(crate) summary: LogSummary,
    pub(crate) read: ReadOptions,
    pub(crate) counts: Counts,
    /// Users by item with their interest.
    pub(crate) by_item: Arc<Csr>,
    pub(crate) knn: Arc<Cooccurrence>,
    pub(crate) knn_recent: Arc<Cooccurrence>,
    pub(crate) next: Arc<NeighbourLists>,
    pub(crate) neighbours: Arc<UserNeighbours>,
    pub(crate) ials: Option<Arc<Ials>>,
    pub(crate) ease: Option<Arc<Ease>>,
    pub(crate) sequence: Option<Arc<dyn SequenceScorer>>,
    /// The group of signals that an ablation leaves out.
    pub(crate) left_out: Option<Signal>,
    options: IndexOptions,
}

/// Statistics of items, brands and categories.
#[derive(Debug, Clone)]
pub(crate) struct Counts {
    pub(crate) items: Arc<Stats>,
    /// Each category counted as if it were one item.
    pub(crate) categories: Arc<Stats>,
    /// Each brand counted as if it were one item.
    pub(crate) brands: Arc<Stats>,
    /// Sums over the items of each category.
    pub(crate) items_by_category: Arc<Vec<ItemStats>>,
    /// Sums over the items of each brand.
    pub(crate) items_by_brand: Arc<Vec<ItemStats>>,
}

impl Counts {
    fn of(data: Dataset<'_>, at: i64, summary: &LogSummary, kinds: InterestWeights) -> Self {
        let Dataset { log, catalogue } = data;
        let groups =
            |f: fn(&ItemFacts) -> Option<u32>| catalogue.iter().filter_map(f).max().map_or(0, |m| m as usize + 1);
        let c = |groups| Counting { at, target: summary.target, kinds, window_days: summary.window_days(), groups };
        let (n_categories, n_brands) = (groups(|f| f.category), groups(|f| f.brand));
        let category = |i: u32| catalogue.get(i)?.category;
        let brand = |i: u32| catalogue.get(i)?.brand;
        let items = count(log, &c(catalogue.len()), &Some);
        Self {
            categories: Arc::new(count(log, &c(n_categories), &category)),
            brands: Arc::new(count(log, &c(n_brands), &brand)),
            items_by_category: Arc::new(pool(&items, n_categories, category)),
            items_by_brand: Arc::new(pool(&items, n_brands, brand)),
            items: Arc::new(items),
        }
    }
}

impl CollaborativeIndex {
    /// Fits everything from events at or before `at`. Equal inputs give equal results on any number of threads.
    pub fn fit(data: Dataset<'_>, at: i64, options: &IndexOptions) -> Self {
        Self::fit_for(data, at, options, &SOURCES)
    }

    /// Fits only what some sources read; the others score 0 for every item.
    pub(crate) fn fit_for(data: Dataset<'_>, at: i64, o: &IndexOptions, sources: &[Source]) -> Self {
        let Dataset { log, catalogue } = data;
        let reads = |some: &[Source]| sources.iter().any(|source| some.contains(source));
        let summary = log.summary(at);
        let (items, target) = (catalogue.len(), summary.target);
        let kinds = o.kinds.for_target(target);
        let keys: Arc<[u64]> = catalogue.keys().into();
        let order = log.users_by_key();
        let read = ReadOptions {
            target,
            kinds,
            half_life: o.half_life,
            recent_half_life: o.recent_half_life,
            cap: o.cap,
            keys: Arc::clone(&keys),
        };
        let decay = InterestDecay { at, until: at, since: i64::MIN, half_life: o.half_life, kinds, cap: o.cap };
        let users = interest_matrix(log, &decay, &keys);
        let by_item = users.transpose(items, order.iter().copied());
        let shrinkage = Shrinkage { shrink: o.shrink, keep: o.keep_items };
        let knn = if reads(&[Source::Knn, Source::KnnStrongest]) {
            Cooccurrence::fit(&users, &by_item, decay, shrinkage, &keys)
        } else {
            Cooccurrence::default()
        };
        let knn_recent = if reads(&[Source::KnnRecent]) {
            let decay = InterestDecay { since: at - o.recent_days * DAY_MS, ..decay };
            let recent = interest_matrix(log, &decay, &keys);
            Cooccurrence::fit(&recent, &recent.transpose(items, order.iter().copied()), decay, shrinkage, &keys)
        } else {
            Cooccurrence::default()
        };
        let next = if reads(&[Source::Next]) {
            let shrinkage = Shrinkage { shrink: o.shrink_next, keep: o.keep_items };
            let o = NextBasketOptions { at, target, half_life: o.half_life, cap: o.cap, shrinkage };
            next_basket::fit(log, &o, &keys)
        } else {
            NeighbourLists::default()
        };
        let neighbours = if reads(&[Source::UserKnn, Source::UserKnnFresh, Source::NeighbourFirstPurchases]) {
            let o = NeighbourOptions { at, target, days: o.neighbour_days, keep: o.keep_users };
            UserNeighbours::fit(log, &users, &by_item, &o)
        } else {
            UserNeighbours::default()
        };
        let fit_order = FitOrder { users: &order, keys: &keys };
        let ials =
            o.ials.filter(|_| reads(&[Source::Ials])).map(|x| Arc::new(Ials::fit(&users, &by_item, &fit_order, x)));
        let ease = o.ease.as_ref().filter(|_| reads(&[Source::Ease]));
        let ease = ease.and_then(|x| Ease::fit(&users, &by_item, &keys, x)).map(Arc::new);
        Self {
            at,
            counts: Counts::of(data, at, &summary, kinds),
            summary,
            read,
            by_item: Arc::new(by_item),
            knn: Arc::new(knn),
            knn_recent: Arc::new(knn_recent),
            next: Arc::new(next),
            neighbours: Arc::new(neighbours),
            ials,
            ease,
            sequence: None,
            left_out: None,
            options: o.clone(),
        }
    }

    /// Counts popularity, trends and repeat rates again as of `at`, and keeps the rest: a few milliseconds per 100,000 events.
    pub fn refresh(&self, data: Dataset<'_>, at: i64) -> Self {
        let counts = Counts::of(data, at, &self.summary, self.read.kinds);
        let mut out = Self { at, counts, ..self.clone() };
        out.read.cover(data.catalogue);
        out
    }

    /// Updates the co-occurrence for users whose events changed since the fit, erased users included. The result equals a fit on this
    /// log with weights and windows as of the moment of the fit; other parts stay as they are. All events of a user are read,
    /// whatever their moment: use it for the index of now, not for that of a past moment.
    pub fn follow(&self, data: Dataset<'_>, changed: &[u32]) -> Self {
        let keys = data.catalogue.keys();
        let follow = |old: &Cooccurrence| Arc::new(old.follow(data.log, changed, &keys));
        let mut out = Self { knn: follow(&self.knn), knn_recent: follow(&self.knn_recent), ..self.clone() };
        out.read.cover(data.catalogue);
        out
    }

    /// Takes over the co-occurrence of another index that followed the log from the same fit. Returns false and changes nothing if the
    /// other is of another fit.
    pub fn take_cooccurrence(&mut self, other: &Self) -> bool {
        let same = Arc::ptr_eq(&self.by_item, &other.by_item);
        if same {
            self.knn = Arc::clone(&other.knn);
            self.knn_recent = Arc::clone(&other.knn_recent);
            if other.read.keys.len() > self.read.keys.len() {
                self.read.keys = Arc::clone(&other.read.keys);
            }
        }
        same
    }

    /// Adds one new event to the popularity counts; call it after the event is in `log`. Windows slide at the next
    /// [`refresh`](Self::refresh).
    pub fn observe(&mut self, log: &Log, user: u32, event: &Event) {
        let Some(item) = event.item else { return };
        let k = self.read.kinds.of(event.kind, event.value);
        if k <= 0.0 || event.at < self.at {
            return;
        }
        let day = event.at.div_euclid(DAY_MS);
        let same = |e: &&Event| e.item == Some(item) && e.kind == event.kind;
        let fresh = event.kind == self.summary.target
            && log.between(user, day * DAY_MS - 1, event.at).iter().filter(same).count() <= 1;
        let adopted = fresh && log.until(user, event.at).iter().rev().filter(same).nth(1).is_none();
        let stats = Arc::make_mut(&mut self.counts.items);
        if stats.rows.len() <= item as usize {
            stats.rows.resize(item as usize + 1, ItemStats { first: i64::MAX, ..ItemStats::default() });
        }
        let row = &mut stats.rows[item as usize];
        if event.kind != self.summary.target {
            row.interest += k;
        } else if fresh {
            for x in row.windows.iter_mut().chain([&mut row.count, &mut row.decayed]) {
                *x += 1.0;
            }
            row.adopted += f32::from(u8::from(adopted));
            row.first = row.first.min(event.at);
        }
        self.at = self.at.max(event.at);
    }

    /// The same index with a sequence model among the sources, or without one.
    pub fn with_sequence(mut self, model: Option<Arc<dyn SequenceScorer>>) -> Self {
        self.sequence = model;
        self
    }

    /// The same index for an ablation: sources of this group score 0 for every item, and features of it are missing. Nothing is fitted or
    /// trained again.
    #[must_use]
    pub fn without(mut self, signal: Signal) -> Self {
        self.left_out = Some(signal);
        self
    }

    /// The sequence model among the sources.
    pub fn sequence(&self) -> Option<&Arc<dyn SequenceScorer>> {
        self.sequence.as_ref()
    }

    /// Latest moment whose events it holds, UTC milliseconds.
    pub fn at(&self) -> i64 {
        self.at
    }

    /// Summary of the log at the fit.
    pub fn summary(&self) -> &LogSummary {
        &self.summary
    }

    /// Settings of the fit.
    pub fn options(&self) -> &IndexOptions {
        &self.options
    }

    /// Statistics of an item as of the index's moment; `None` for an item beyond the catalogue.
    pub fn stats(&self, item: u32) -> Option<&ItemStats> {
        self.counts.items.rows.get(item as usize)
    }

    /// Whether the item was bought at or before the index's moment.
    pub fn is_warm(&self, item: u32) -> bool {
        self.stats(item).is_some_and(|s| s.count > 0.0)
    }

    /// Reads the state of a user or session from time-sorted events as of a moment.
    pub fn user_state(&self, events: &[Event], at: i64) -> UserState {
        UserState::read(events, at, &self.read)
    }

    /// The nearest users with their cosine, nearest first; `me` is left out.
    pub fn similar_users(&self, user: &UserState, me: Option<u32>) -> Vec<(u32, f32)> {
        self.neighbours.near(user, me, &self.by_item)
    }
}
