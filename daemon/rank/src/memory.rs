//! What is fitted from the log at a cut-off: popularity, co-occurrence, neighbours, factors. Everything personal is read from
//! the log at request time, so a new interaction changes the shopper's next list without a refit.
use std::sync::Arc;

use crate::catalogue::Catalogue;
use crate::cooccur::Cooccurrence;
use crate::ease::{Ease, EaseOptions};
use crate::ials::{Ials, IalsOptions};
use crate::kind::KindWeights;
use crate::log::{DAY_MS, Event, Log, Shape};
use crate::neighbours::Neighbours;
use crate::popularity::{Counting, ItemStats, Stats, count, pool};
use crate::sequence::SequenceModel;
use crate::shopper::{Reading, Shopper};
use crate::sources::{SOURCES, Source};
use crate::sparse::{Csr, Weighing, weigh_all};
use crate::successors;
use crate::ties::Ties;

/// Settings of [`Memory::fit`]; the defaults were chosen on windows before the test windows (see `examples/bench_lists.rs`).
#[derive(Debug, Clone, PartialEq)]
pub struct MemoryOptions {
    /// Weight of each kind of event.
    pub kinds: KindWeights,
    /// Half-life of interest in days.
    pub half_life: f64,
    /// Half-life in days, counted back from the shopper's own last event, of what is "recent".
    pub recent_half_life: f64,
    /// Items per shopper in co-occurrence and profiles at most.
    pub cap: usize,
    /// Neighbours kept per item.
    pub keep_items: usize,
    /// Shrinkage of the cosine.
    pub shrink: f64,
    /// Shrinkage of the cosine from a basket to the next.
    pub shrink_next: f64,
    /// Days of the recent-window co-occurrence.
    pub recent_days: i64,
    /// Neighbouring shoppers per request.
    pub keep_users: usize,
    /// Days of neighbours' purchases that count.
    pub neighbour_days: i64,
    /// Factorisation, or none.
    pub ials: Option<IalsOptions>,
    /// Closed-form item-item regression, or none.
    pub ease: Option<EaseOptions>,
}

impl Default for MemoryOptions {
    fn default() -> Self {
        Self {
            kinds: KindWeights::default(),
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

impl MemoryOptions {
    /// Without factor models: what an empty shop and small tests need.
    pub fn light() -> Self {
        Self { ials: None, ease: None, ..Self::default() }
    }

    /// Popularity and trends alone, of nobody in particular: what [`trending`](crate::trending) reads.
    pub fn counts() -> Self {
        Self { cap: 0, ..Self::light() }
    }
}

/// The fitted state. Cheap to clone; a clone is a snapshot.
#[derive(Debug, Clone)]
pub struct Memory {
    pub(crate) at: i64,
    pub(crate) shape: Shape,
    pub(crate) reading: Reading,
    pub(crate) stats: Arc<Stats>,
    pub(crate) categories: Arc<Stats>,
    pub(crate) brands: Arc<Stats>,
    /// Item statistics pooled by category and by brand.
    pub(crate) pooled: Arc<[Vec<ItemStats>; 2]>,
    pub(crate) by_item: Arc<Csr>,
    pub(crate) knn: Arc<Ties>,
    pub(crate) knn_recent: Arc<Ties>,
    pub(crate) next: Arc<Cooccurrence>,
    pub(crate) neighbours: Arc<Neighbours>,
    pub(crate) ials: Option<Arc<Ials>>,
    pub(crate) ease: Option<Arc<Ease>>,
    pub(crate) sequence: Option<Arc<dyn SequenceModel>>,
    options: MemoryOptions,
}

/// What is counted, without anything fitted.
struct Counts {
    stats: Arc<Stats>,
    categories: Arc<Stats>,
    brands: Arc<Stats>,
    pooled: Arc<[Vec<ItemStats>; 2]>,
}

impl Counts {
    fn of(log: &Log, catalogue: &Catalogue, at: i64, shape: &Shape, kinds: KindWeights) -> Self {
        let groups = |f: fn(&crate::catalogue::ItemFacts) -> Option<u32>| {
            catalogue.iter().filter_map(f).max().map_or(0, |m| m as usize + 1)
        };
        let c = |groups| Counting { at, target: shape.target, kinds, window_days: shape.window_days(), groups };
        let (n_categories, n_brands) = (groups(|f| f.category), groups(|f| f.brand));
        let stats = count(log, &c(catalogue.len()), &Some);
        let categories = count(log, &c(n_categories), &|i| catalogue.get(i)?.category);
        let brands = count(log, &c(n_brands), &|i| catalogue.get(i)?.brand);
        let pooled = [
            pool(&stats, n_categories, |i| catalogue.get(i)?.category),
            pool(&stats, n_brands, |i| catalogue.get(i)?.brand),
        ];
        Self {
            stats: Arc::new(stats),
            categories: Arc::new(categories),
            brands: Arc::new(brands),
            pooled: Arc::new(pooled),
        }
    }
}

impl Memory {
    /// Fits everything from events at or before `at`. Deterministic, whatever the number of threads.
    pub fn fit(log: &Log, catalogue: &Catalogue, at: i64, options: &MemoryOptions) -> Self {
        Self::fit_for(log, catalogue, at, options, &SOURCES)
    }

    /// The same, without the models that none of `sources` reads: theirs give zero for every item.
    pub(crate) fn fit_for(
        log: &Log,
        catalogue: &Catalogue,
        at: i64,
        options: &MemoryOptions,
        sources: &[Source],
    ) -> Self {
        let reads = |some: &[Source]| sources.iter().any(|source| some.contains(source));
        let o = options;
        let shape = log.shape(at);
        let items = catalogue.len();
        let kinds = o.kinds.for_target(shape.target);
        let reading = Reading {
            target: shape.target,
            kinds,
            half_life: o.half_life,
            recent_half_life: o.recent_half_life,
            cap: o.cap,
            items,
        };
        let w = Weighing { at, until: at, since: i64::MIN, half_life: o.half_life, kinds, cap: o.cap };
        let users = weigh_all(log, &w, items);
        let by_item = users.transpose(items);
        let tie = |i: u32| catalogue.tie(i);
        let knn = if reads(&[Source::Knn, Source::KnnStrongest]) {
            Ties::fit((&users, &by_item), w, (o.shrink, o.keep_items), &tie)
        } else {
            Ties::default()
        };
        let knn_recent = if reads(&[Source::KnnRecent]) {
            let w = Weighing { since: at - o.recent_days * DAY_MS, ..w };
            let recent = weigh_all(log, &w, items);
            Ties::fit((&recent, &recent.transpose(items)), w, (o.shrink, o.keep_items), &tie)
        } else {
            Ties::default()
        };
        let next = if reads(&[Source::Next]) {
            successors::fit(log, at, shape.target, o.half_life, (o.shrink_next, o.keep_items, o.cap), items, &tie)
        } else {
            Cooccurrence::default()
        };
        let neighbours = if reads(&[Source::UserKnn, Source::UserKnnFresh, Source::Adopters]) {
            Neighbours::fit(log, at, shape.target, o.neighbour_days, o.keep_users, &users, &by_item)
        } else {
            Neighbours::default()
        };
        let ials = o.ials.filter(|_| reads(&[Source::Ials])).map(|x| Arc::new(Ials::fit(&users, &by_item, x)));
        let ease = o.ease.as_ref().filter(|_| reads(&[Source::Ease]));
        let ease = ease.and_then(|x| Ease::fit(&users, &by_item, x)).map(Arc::new);
        let Counts { stats, categories, brands, pooled } = Counts::of(log, catalogue, at, &shape, kinds);
        Self {
            at,
            shape,
            reading,
            stats,
            categories,
            brands,
            pooled,
            by_item: Arc::new(by_item),
            knn: Arc::new(knn),
            knn_recent: Arc::new(knn_recent),
            next: Arc::new(next),
            neighbours: Arc::new(neighbours),
            ials,
            ease,
            sequence: None,
            options: o.clone(),
        }
    }

    /// Counts popularity, trends and repeat rates afresh as of `at`, and keeps the rest: a few milliseconds per 100,000 events.
    pub fn refresh(&self, log: &Log, catalogue: &Catalogue, at: i64) -> Self {
        let Counts { stats, categories, brands, pooled } =
            Counts::of(log, catalogue, at, &self.shape, self.reading.kinds);
        let mut out = Self { at, stats, categories, brands, pooled, ..self.clone() };
        out.reading.items = out.reading.items.max(catalogue.len());
        out
    }

    /// Takes into the co-occurrence what some shoppers did since the fit, or that they were erased: to the same numbers as if it were
    /// fitted from this log, with weights and windows as of the moment of the fit. What else is fitted stays. All of a shopper's events in
    /// `log` are read, whatever their moment: the memory of now follows the log, that of a past moment does not.
    pub fn follow(&self, log: &Log, catalogue: &Catalogue, changed: &[u32]) -> Self {
        let tie = |i: u32| catalogue.tie(i);
        let n = catalogue.len();
        let [knn, knn_recent] = [&self.knn, &self.knn_recent].map(|ties| Arc::new(ties.follow(log, changed, n, &tie)));
        let mut out = Self { knn, knn_recent, ..self.clone() };
        out.reading.items = out.reading.items.max(n);
        out
    }

    /// This memory with the co-occurrence of another one that followed the log from the same fit; false, and nothing, if it is of another.
    pub fn take_ties(&mut self, other: &Self) -> bool {
        let same = Arc::ptr_eq(&self.by_item, &other.by_item);
        if same {
            self.knn = Arc::clone(&other.knn);
            self.knn_recent = Arc::clone(&other.knn_recent);
            self.reading.items = self.reading.items.max(other.reading.items);
        }
        same
    }

    /// Takes one new event into the popularity counts; call it after the event is in `log`. Windows slide at the next
    /// [`refresh`](Self::refresh); everything personal needs nothing.
    pub fn observe(&mut self, log: &Log, user: u32, event: &Event) {
        let Some(item) = event.item else { return };
        let k = self.reading.kinds.of(event.kind, event.value);
        if k <= 0.0 || event.at < self.at {
            return;
        }
        let day = event.at.div_euclid(DAY_MS);
        let same = |e: &&Event| e.item == Some(item) && e.kind == event.kind;
        let fresh = event.kind == self.shape.target
            && log.between(user, day * DAY_MS - 1, event.at).iter().filter(same).count() <= 1;
        let adopted = fresh && log.until(user, event.at).iter().rev().filter(same).nth(1).is_none();
        let stats = Arc::make_mut(&mut self.stats);
        if stats.rows.len() <= item as usize {
            stats.rows.resize(item as usize + 1, ItemStats { first: i64::MAX, ..ItemStats::default() });
        }
        let row = &mut stats.rows[item as usize];
        if event.kind != self.shape.target {
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

    /// The same with a sequence model among the sources, or without one.
    pub fn with_sequence(mut self, model: Option<Arc<dyn SequenceModel>>) -> Self {
        self.sequence = model;
        self
    }

    /// The sequence model among the sources.
    pub fn sequence(&self) -> Option<&Arc<dyn SequenceModel>> {
        self.sequence.as_ref()
    }

    /// Latest moment whose events are in here.
    pub fn at(&self) -> i64 {
        self.at
    }

    /// Shape of the log at the fit.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Settings of the fit.
    pub fn options(&self) -> &MemoryOptions {
        &self.options
    }

    /// Statistics of an item as of the memory's moment; none for an item that was never interacted with.
    pub fn stats(&self, item: u32) -> Option<&ItemStats> {
        self.stats.rows.get(item as usize)
    }

    /// Whether the item was bought at or before the memory's moment.
    pub fn is_warm(&self, item: u32) -> bool {
        self.stats(item).is_some_and(|s| s.count > 0.0)
    }

    /// Reads a shopper's (or session's) time-sorted events as of a moment.
    pub fn shopper(&self, events: &[Event], at: i64) -> Shopper {
        Shopper::read(events, at, &self.reading)
    }

    /// The nearest shoppers with their cosine, best first.
    pub fn similar_users(&self, shopper: &Shopper, me: Option<u32>) -> Vec<(u32, f32)> {
        self.neighbours.near(shopper, me, &self.by_item)
    }
}
