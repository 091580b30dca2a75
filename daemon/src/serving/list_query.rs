//! The common part of all lists: parameters, filter, and rows of the answer.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use mercer_rank::{RankRequest, RankedItem};
use mercer_shared::filter::Filter;
use mercer_shared::problem::{Code, Problem};
use mercer_shared::time::Timestamp;
use mercer_shared::wire::{
    Candidates, ListItem, ListQuery, Mode, OutOfStock, Placement, Profiling, ScorePart, ServedList,
};

use crate::serving::rerank::pool::DEPTH;
use crate::state::app::App;
use crate::state::mitigations::ActiveMitigations;
use crate::state::problems::Answer;
use crate::state::shop::ShopState;

/// Length of a list where none is asked.
pub const DEFAULT_K: u32 = 20;
/// Longest list.
pub const MAX_K: u32 = 1_000;

/// The parameters of a list, checked.
#[derive(Debug, Clone)]
pub struct ListRequest {
    /// Length.
    pub k: usize,
    /// Conditions on items.
    pub filter: Filter,
    /// The moment, UTC milliseconds.
    pub at: i64,
    /// The moment as it was asked, if it was.
    pub asked_at: Option<Timestamp>,
    /// Whether items that the user has may appear.
    pub mode: Mode,
    /// Which items may appear.
    pub candidates: Candidates,
    /// Whether to give reasons.
    pub reasons: bool,
    /// What to do with items that are out of stock.
    pub out_of_stock: OutOfStock,
    /// Whether nobody is shown the list.
    pub preview: bool,
    /// Where the list is shown.
    pub placement: String,
    /// Whether what is known of the person may be used.
    pub profiling: Profiling,
    /// The mitigations of the list's placement; `None` where the list stays as it is.
    pub mitigations: Option<Arc<ActiveMitigations>>,
}

impl ListRequest {
    /// Reads what every list takes.
    ///
    /// # Errors
    /// `bad-parameter` for a length out of range or a filter that cannot be read, `bad-time` for a moment in the far future,
    /// `bad-placement` for a name that breaks the rules.
    pub fn read(app: &App, view: &ShopState, query: &ListQuery) -> Answer<Self> {
        let k = query.k.unwrap_or(DEFAULT_K);
        if !(1..=MAX_K).contains(&k) {
            return Err(Problem::new(Code::BadParameter, format!("k is {k}, it takes 1 to {MAX_K}")));
        }
        let filter = match &query.filter {
            None => Filter::default(),
            Some(text) => text
                .parse()
                .map_err(|e: mercer_shared::filter::FilterError| Problem::new(Code::BadParameter, e.to_string()))?,
        };
        Ok(Self {
            k: k as usize,
            filter,
            at: query.at.map_or_else(|| view.now(), Timestamp::millis),
            asked_at: query.at,
            mode: query.mode.unwrap_or_default(),
            candidates: query.candidates.unwrap_or_default(),
            reasons: query.reasons.unwrap_or(false),
            out_of_stock: query.out_of_stock.unwrap_or(app.config.serve.out_of_stock),
            preview: query.preview.unwrap_or(false),
            placement: query.placement.clone().unwrap_or_else(|| Placement::DEFAULT.to_owned()),
            profiling: query.profiling.unwrap_or_default(),
            mitigations: mitigations(app, query.placement.as_deref())?,
        })
    }

    /// The same request for as many rows as mitigations choose from; itself where there are none.
    #[must_use]
    pub fn for_candidates(&self) -> Cow<'_, Self> {
        match &self.mitigations {
            None => Cow::Borrowed(self),
            Some(_) => Cow::Owned(Self { k: self.k.max(DEPTH), ..self.clone() }),
        }
    }

    /// Whether the list is for somebody to see: it is no preview, and not as of a named moment.
    #[must_use]
    pub const fn goes_out(&self) -> bool {
        !self.preview && self.asked_at.is_none()
    }

    /// Whether an item passes the filter.
    fn allows(&self, view: &ShopState, number: u32) -> bool {
        self.filter.is_empty() || view.item(number).is_some_and(|item| self.filter.passes(item))
    }

    /// Makes a list of up to `k` entries under the filter and the rule for items out of stock. `list` lists the items that a predicate
    /// allows; it is called again for the rest where items out of stock come last and those in stock do not fill the list.
    ///
    /// # Errors
    /// Those of `list`.
    pub fn list<T, E>(
        &self,
        view: &ShopState,
        k: usize,
        list: impl Fn(&(dyn Fn(u32) -> bool + Sync)) -> Result<Vec<T>, E>,
    ) -> Result<Vec<T>, E> {
        let one = |allow: &(dyn Fn(u32) -> bool + Sync)| list(allow).map(|list| vec![list]);
        Ok(self.lists(view, k, one)?.pop().unwrap_or_default())
    }

    /// [`list`](Self::list) for several lists that are made together.
    ///
    /// # Errors
    /// Those of `lists`.
    pub fn lists<T, E>(
        &self,
        view: &ShopState,
        k: usize,
        lists: impl Fn(&(dyn Fn(u32) -> bool + Sync)) -> Result<Vec<Vec<T>>, E>,
    ) -> Result<Vec<Vec<T>>, E> {
        let in_stock = |number: u32| view.item(number).is_some_and(|item| item.in_stock);
        match self.out_of_stock {
            OutOfStock::Show => lists(&|number| self.allows(view, number)),
            OutOfStock::Hide => lists(&|number| in_stock(number) && self.allows(view, number)),
            OutOfStock::Demote => {
                let mut all = lists(&|number| in_stock(number) && self.allows(view, number))?;
                if all.iter().any(|list| list.len() < k) {
                    let rest = lists(&|number| !in_stock(number) && self.allows(view, number))?;
                    for (list, rest) in all.iter_mut().zip(rest) {
                        list.extend(rest);
                        list.truncate(k);
                    }
                }
                Ok(all)
            }
        }
    }

    /// Number of rows that may be re-ordered: only those in stock if items out of stock come last.
    #[must_use]
    pub fn first_group(&self, view: &ShopState, rows: &[ListItem]) -> usize {
        let in_stock = |row: &ListItem| {
            let number = view.item_index.get(&row.id);
            number.and_then(|number| view.item(*number)).is_some_and(|item| item.in_stock)
        };
        match self.out_of_stock {
            OutOfStock::Demote => rows.partition_point(in_stock),
            OutOfStock::Hide | OutOfStock::Show => rows.len(),
        }
    }

    /// The request to the ranking crate.
    #[must_use]
    pub fn request<'a>(&self, allow: Option<&'a (dyn Fn(u32) -> bool + Sync)>) -> RankRequest<'a> {
        RankRequest {
            mode: match self.mode {
                Mode::New => mercer_rank::Mode::Novel,
                Mode::Repeat => mercer_rank::Mode::All,
            },
            candidates: match self.candidates {
                Candidates::All => mercer_rank::Candidates::All,
                Candidates::Warm => mercer_rank::Candidates::Warm,
                Candidates::Cold => mercer_rank::Candidates::Cold,
            },
            allow,
            ..RankRequest::new(self.k)
        }
    }
}

/// The mitigations of a placement.
fn mitigations(app: &App, placement: Option<&str>) -> Answer<Option<Arc<ActiveMitigations>>> {
    let placement = placement.unwrap_or(Placement::DEFAULT);
    // Any name is a placement; nothing is on at most of them.
    Placement::new(placement).map_err(|error| Problem::new(Code::BadPlacement, error.to_string()))?;
    Ok(app.mitigations.at(placement))
}

/// A row of an answer.
#[must_use]
pub fn row(view: &ShopState, scored: &RankedItem) -> Option<ListItem> {
    let parts = scored
        .parts
        .iter()
        .map(|(source, score)| ScorePart { source: source.name().to_owned(), score: f64::from(*score) })
        .collect();
    item_row(view, scored.item, f64::from(scored.score), parts)
}

/// A row of an answer from its parts.
#[must_use]
pub fn item_row(view: &ShopState, number: u32, score: f64, parts: Vec<ScorePart>) -> Option<ListItem> {
    let item = view.item(number)?;
    Some(ListItem {
        id: item.id.clone(),
        title: item.title.clone(),
        category: item.category.clone(),
        price: item.price,
        score,
        probability: None,
        parts,
        propensity: None,
        team: None,
        reasons: Vec::new(),
        unexplained: None,
        moved: None,
    })
}

/// Joins later interactions to a list: unique over restarts, in order of time.
fn query_id() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("q{:012x}{:04x}{:04x}", Timestamp::now().millis(), std::process::id() & 0xffff, number & 0xffff)
}

/// The answer, counted.
#[must_use]
pub fn served(app: &App, view: &ShopState, asked: &ListRequest, items: Vec<ListItem>, started: Instant) -> ServedList {
    let took = started.elapsed();
    app.counters.list(took);
    let mut notes = Vec::new();
    let waiting = view.item_count().saturating_sub(view.dense.len());
    if waiting > 0 {
        notes.push(format!("{waiting} of {} items are not embedded yet", view.item_count()));
    }
    ServedList {
        query_id: query_id(),
        model: view.model.meta.version.clone(),
        known: true,
        at: asked.asked_at,
        items,
        understood: None,
        explanation: None,
        notes,
        took_us: took.as_micros() as u64,
        drawn_from: Vec::new(),
    }
}
