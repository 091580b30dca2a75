//! The writer's copy of the shop, and how it is published to readers.

use std::sync::Arc;

use mercer_rank::{Catalogue, CollaborativeIndex, Dataset, IndexOptions, Log, Snapshot, Vectors, WhitenedVectors};
use mercer_search::{DenseIndex, LexicalIndex};
use mercer_shared::ids::ItemId;
use mercer_shared::wire::Consent;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::state::shop::model::Model;
use crate::state::shop::sensitive::Lexicon;
use crate::state::shop::texts;
use crate::state::shop::texts::{Embedding, Texts};
use crate::state::shop::{Canary, ShopState};

/// Vectors of one encoder, as search and as the ranker read them.
#[derive(Clone)]
struct Tables {
    dense: DenseIndex,
    rows: Vectors,
    whitened: Option<WhitenedVectors>,
}

/// The catalogue embedded by a model's encoder: vectors by dense number, and whitened ones if the model whitens.
pub type CatalogueVectors = (Vectors, Option<WhitenedVectors>);

/// A version on trial, its share of the users, and how it answers them.
#[derive(Debug, Clone)]
pub struct OnTrial {
    /// The version.
    pub model: Arc<Model>,
    /// Share of the users.
    pub share: f64,
    /// Whether its lists are interleaved with the serving version's.
    pub interleave: bool,
}

/// A version on trial with its vectors.
struct CanaryTables {
    trial: OnTrial,
    /// Vectors of its encoder; none where it reads the serving one's.
    own: Option<Tables>,
}

impl CanaryTables {
    /// The shop as its users see it.
    fn over(&self, view: &ShopState) -> Canary {
        let mut view = view.clone();
        if let Some(Tables { dense, rows, whitened }) = self.own.clone() {
            view.dense = dense;
            view.rank.catalogue.set_vectors(Some(rows));
            view.rank.catalogue.set_whitened(whitened);
        }
        if self.trial.model.base_encoder_version() != view.model.base_encoder_version() {
            view.rank.catalogue.set_texts(None);
        }
        view.model = Arc::clone(&self.trial.model);
        Canary { view: Arc::new(view), share: self.trial.share, interleave: self.trial.interleave }
    }
}

/// The tables of a model's encoder, from the vectors there are.
fn tables(model: &Model, given: Option<CatalogueVectors>) -> Tables {
    let dim = mercer_model::Encoder::dim(&*model.encoder);
    let (rows, whitened) = given.unwrap_or_else(|| (Vectors::new(dim), empty_whitened(model)));
    let mut dense = DenseIndex::new(model.encoder_version(), dim);
    for (number, row) in rows.iter() {
        if let Err(error) = dense.set(number, row) {
            tracing::error!(number, %error, "a vector was refused");
        }
    }
    Tables { dense, rows, whitened }
}

/// The whitened vectors of no item yet.
fn empty_whitened(model: &Model) -> Option<WhitenedVectors> {
    let whitening = Arc::clone(model.artifacts.whitening.as_ref()?);
    WhitenedVectors::new(&Vectors::new(whitening.dim()), whitening).ok()
}

/// Why the collaborative index must be fitted on the whole log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// It knows of events that must be forgotten.
    Forgetting,
    /// An import ended, and a part of it is not in the index.
    Rest,
}

/// The writer's copy. One lock guards it; nothing slow happens under that lock.
pub struct ShopWriter {
    pub(crate) view: ShopState,
    pub(crate) lexical: LexicalIndex,
    pub(crate) index: CollaborativeIndex,
    pub(crate) categories: FxHashMap<String, u32>,
    pub(crate) brands: FxHashMap<String, u32>,
    /// Dense numbers of deleted items, which their interactions keep and which they get again when they are written again.
    pub(crate) deleted_index: FxHashMap<ItemId, u32>,
    /// Items whose passage must be embedded (again).
    pub(crate) stale: Vec<u32>,
    /// Query texts that must be embedded for the sequence model.
    pub(crate) asked: Embedding,
    pub(crate) dirty: bool,
    /// Events since the collaborative index was last fitted.
    pub(crate) unfitted: u64,
    /// A fit that was asked for, however few events are unfitted.
    pub(crate) due: Option<Due>,
    /// Users and visits whose events changed since the co-occurrence last followed the log.
    pub(crate) changed: FxHashSet<u32>,
    /// A version on trial with the vectors of its encoder, and its share of the users.
    canary: Option<CanaryTables>,
    /// Earliest event that came in since the last publication: cached indexes of later moments are void.
    pub(crate) past: Option<i64>,
    /// Consent of users and visits that said nothing.
    pub(crate) default_consent: Consent,
    /// Tells items and searches that are left out of profiling; none where they are not.
    pub(crate) lexicon: Option<Lexicon>,
    /// Slots with removed interests.
    pub(crate) forgetful: FxHashSet<u32>,
}

impl ShopWriter {
    /// An empty shop with a model.
    #[must_use]
    pub fn new(model: Arc<Model>) -> Self {
        let mut catalogue = Catalogue::default();
        let dim = mercer_model::Encoder::dim(&*model.encoder);
        catalogue.set_vectors(Some(Vectors::new(dim)));
        catalogue.set_whitened(empty_whitened(&model));
        catalogue.set_texts(Some(Vectors::new(mercer_model::Encoder::dim(&*model.base_encoder))));
        let log = Log::new();
        let index = CollaborativeIndex::fit(Dataset { log: &log, catalogue: &catalogue }, 0, &IndexOptions::light());
        let lexical = LexicalIndex::new();
        let view = ShopState {
            generation: 0,
            items: imbl::Vector::new(),
            item_index: imbl::HashMap::new(),
            deleted: imbl::HashSet::new(),
            sensitive: imbl::HashSet::new(),
            subjects: imbl::Vector::new(),
            user_index: imbl::HashMap::new(),
            session_index: imbl::HashMap::new(),
            rank: Snapshot { log, catalogue, index: Arc::new(index.clone()) },
            texts: Texts::default(),
            lexical: lexical.reader(),
            dense: DenseIndex::new(model.encoder_version(), dim),
            model,
            last_event: 0,
            last_seq: 0,
            unfitted: 0,
            canary: None,
        };
        Self {
            view,
            lexical,
            index,
            categories: FxHashMap::default(),
            brands: FxHashMap::default(),
            deleted_index: FxHashMap::default(),
            stale: Vec::new(),
            asked: Embedding::default(),
            dirty: false,
            unfitted: 0,
            due: None,
            changed: FxHashSet::default(),
            canary: None,
            past: None,
            default_consent: Consent::default(),
            lexicon: None,
            forgetful: FxHashSet::default(),
        }
    }

    /// Sets the consent of users and visits that say nothing; for a shop that is still empty.
    pub const fn set_default_consent(&mut self, default: Consent) {
        self.default_consent = default;
    }

    /// The state that readers see after [`ShopWriter::publish`]; for the writer's own look-ups.
    #[must_use]
    pub const fn view(&self) -> &ShopState {
        &self.view
    }

    /// A view of everything applied so far, or `None` if nothing changed since the last one.
    pub fn publish(&mut self) -> Option<Arc<ShopState>> {
        if !self.dirty {
            return None;
        }
        self.dirty = false;
        self.lexical.commit();
        self.view.generation += 1;
        self.view.unfitted = self.behind();
        self.view.lexical = self.lexical.reader();
        self.view.rank.index = Arc::new(self.index.clone());
        self.view.canary = None;
        self.view.canary = self.canary.as_ref().map(|trial| Arc::new(trial.over(&self.view)));
        Some(Arc::new(self.view.clone()))
    }

    /// Installs a newly fitted collaborative index. Events that came after its moment are read from the log at request time; their
    /// share in the popularity counts is brought in by the refresh.
    pub fn set_index(&mut self, index: CollaborativeIndex, fitted_events: u64) {
        let until = self.view.last_event.max(index.at());
        // Counts follow consent, like everything that is fitted.
        self.index =
            index.refresh(Dataset { log: &self.view.training_log(), catalogue: &self.view.rank.catalogue }, until);
        self.unfitted = self.unfitted.saturating_sub(fitted_events);
        self.dirty = true;
    }

    /// Installs the co-occurrence of an index that has followed the log. Does nothing and returns false if another index was fitted
    /// meanwhile: that one may not know of the same users.
    pub fn set_cooccurrence(&mut self, followed: &CollaborativeIndex) -> bool {
        let same = self.index.take_cooccurrence(followed);
        self.dirty |= same;
        same
    }

    /// Takes the users and visits that changed since the last call.
    pub fn take_changed(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.changed).into_iter().collect()
    }

    /// Puts some back that nothing was made of.
    pub fn put_back_changed(&mut self, changed: Vec<u32>) {
        self.changed.extend(changed);
    }

    /// Events since the collaborative index was last fitted.
    #[must_use]
    pub const fn unfitted(&self) -> u64 {
        self.unfitted
    }

    /// Why a fit is due, however few events are unfitted.
    #[must_use]
    pub const fn due(&self) -> Option<Due> {
        self.due
    }

    /// Events that the index is behind by: the whole log where a fit of everything is due.
    fn behind(&self) -> u64 {
        if self.due.is_some() { self.unfitted.max(self.view.rank.log.len() as u64) } else { self.unfitted }
    }

    /// The state to fit the collaborative index on, and the number of events to name to [`ShopWriter::set_index`]. What is due from now
    /// on was not known to that fit, so it stays due.
    pub fn begin_fit(&mut self) -> (ShopState, u64) {
        self.changed.clear();
        self.due = None;
        (self.view.clone(), self.unfitted)
    }

    /// The collaborative index as the writer has it.
    #[must_use]
    pub const fn index(&self) -> &CollaborativeIndex {
        &self.index
    }

    /// Requests a new fit of the collaborative index although no event came (an erasure, a change of consent).
    pub const fn must_fit(&mut self) {
        self.due = Some(Due::Forgetting);
    }

    /// Requests a new fit if the collaborative index does not know the whole log, however little is missing. What a fit saw of a large
    /// import depends on how fast it was read, and lists must not.
    pub fn fit_rest(&mut self) {
        if self.unfitted > 0 && self.due.is_none() {
            self.due = Some(Due::Rest);
            self.dirty = true;
        }
    }

    /// Takes up to `most` items whose passage must be embedded.
    pub fn take_stale(&mut self, most: usize) -> Vec<u32> {
        let keep = self.stale.len().saturating_sub(most);
        self.stale.split_off(keep)
    }

    /// Puts items back that could not be embedded.
    pub fn put_back(&mut self, numbers: Vec<u32>) {
        self.stale.extend(numbers);
    }

    /// Takes up to `most` texts of searches that the model's base encoder must embed, with their numbers. Texts that no
    /// search names any more are dropped. Without a sequence model they wait.
    pub fn take_asked(&mut self, most: usize) -> Vec<(u32, Arc<str>)> {
        if self.view.model.artifacts.sequence.is_none()
            && self.canary.as_ref().is_none_or(|tables| tables.trial.model.artifacts.sequence.is_none())
        {
            return Vec::new();
        }
        let numbers = self.asked.take(most);
        numbers.into_iter().filter_map(|number| Some((number, Arc::clone(self.view.texts.get(number)?)))).collect()
    }

    /// Sets vectors of texts. Vectors of another base encoder are dropped, because all texts then wait for the new one;
    /// so are those of texts that were erased meanwhile.
    pub fn set_texts(&mut self, version: &str, rows: impl IntoIterator<Item = (u32, Arc<[f32]>)>) {
        if version != self.view.model.base_encoder_version() {
            return;
        }
        let Some(vectors) = self.view.rank.catalogue.texts_mut() else { return };
        for (number, row) in rows {
            if self.view.texts.get(number).is_none() {
                continue;
            }
            if let Err(error) = vectors.set(number, row) {
                tracing::error!(number, %error, "a vector of a search was refused");
            } else if let Some(oldest) = self.asked.set(number) {
                texts::clear(vectors, oldest);
            }
        }
        self.dirty = true;
    }

    /// Puts texts back that could not be embedded.
    pub fn ask_again(&mut self, numbers: impl IntoIterator<Item = u32>) {
        numbers.into_iter().for_each(|number| self.asked.ask(number));
    }

    /// How many items wait to be embedded.
    #[must_use]
    pub fn stale(&self) -> usize {
        self.stale.len()
    }

    /// Sets vectors of items. Vectors of another encoder version are dropped: a promotion came in between and has
    /// queued the items again.
    pub fn set_vectors(&mut self, version: &str, rows: impl IntoIterator<Item = (u32, Arc<[f32]>)>) {
        if version != &**self.view.dense.version() {
            return;
        }
        for (number, row) in rows {
            // Deleted while its vector was made.
            if self.view.deleted.contains(&number) {
                continue;
            }
            let dense = self.view.dense.set(number, &row).map_err(|error| error.to_string());
            let known = self.view.rank.catalogue.set_vector(number, row).map_err(|error| error.to_string());
            if let Err(error) = dense.and(known) {
                tracing::error!(number, error, "a vector was refused");
            }
        }
        self.dirty = true;
    }

    /// Replaces the model, with the catalogue embedded by its encoder. Items without a vector (newer than the
    /// candidate's catalogue) are queued for embedding. With the same encoder the vectors stay.
    pub fn set_model(&mut self, model: Arc<Model>, given: Option<CatalogueVectors>) {
        if model.encoder_version() != self.view.model.encoder_version() {
            let Tables { dense, rows, whitened } = tables(&model, given);
            let lacking = |number: &u32| rows.get(*number).is_none() && !self.view.deleted.contains(number);
            self.stale = (0..self.view.items.len() as u32).filter(lacking).collect();
            self.view.dense = dense;
            self.view.rank.catalogue.set_vectors(Some(rows));
            self.view.rank.catalogue.set_whitened(whitened);
        } else if model.artifacts.whitening != self.view.model.artifacts.whitening {
            let whitened = given.map_or_else(|| empty_whitened(&model), |(_, whitened)| whitened);
            self.view.rank.catalogue.set_whitened(whitened);
            if let Err(error) = self.view.rank.catalogue.complete_whitened() {
                tracing::error!(%error, "vectors were not whitened");
            }
        }
        if model.base_encoder_version() != self.view.model.base_encoder_version() {
            let dim = mercer_model::Encoder::dim(&*model.base_encoder);
            self.view.rank.catalogue.set_texts(Some(Vectors::new(dim)));
            let newest_last = self.view.texts.latest(&self.view.rank.log).into_iter().rev();
            self.asked.begin(newest_last);
        }
        self.view.model = model;
        self.dirty = true;
    }

    /// Starts the trial of a version beside the serving one, for a share of the users, or ends it. If both versions use
    /// the same vectors, they share them.
    pub fn set_canary(&mut self, trial: Option<OnTrial>, given: Option<CatalogueVectors>) {
        self.canary = trial.map(|trial| {
            let own = (!trial.model.reads_like(&self.view.model)).then(|| tables(&trial.model, given));
            CanaryTables { trial, own }
        });
        self.dirty = true;
    }

    /// Drops the vector of an item from the search index of the serving version and of one on trial.
    pub(crate) fn drop_vector(&mut self, number: u32) {
        self.view.dense.remove(number);
        if let Some(tables) = self.canary.as_mut().and_then(|trial| trial.own.as_mut()) {
            tables.dense.remove(number);
        }
    }

    /// Earliest event applied since the last call: kept answers about later moments are void.
    pub const fn take_past(&mut self) -> Option<i64> {
        self.past.take()
    }
}
