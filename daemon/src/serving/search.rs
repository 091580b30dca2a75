//! Search: lexical and dense hits under one filter, with a small weight on the user's recent items.

use std::sync::Arc;
use std::time::Instant;

use mercer_model::{Embedded, Encoder, ModelError, Priority, TextKind};
use mercer_search::{Hit, Query, QueryError, QueryVector, SearchOptions};
use mercer_shared::problem::{Code, Problem};
use mercer_shared::wire::{Candidates, Mode, Profiling, QueryUnderstanding, ScorePart, SearchRequest, ServedList};

use crate::serving::guarded::{self, Guarded, ListKind};
use crate::serving::list_query::{ListRequest, item_row, served};
use crate::serving::rerank::{self, RerankContext};
use crate::serving::{going_out, snapshot};
use crate::state::app::App;
use crate::state::problems::Answer;
use crate::state::problems::model_problem;
use crate::state::shop::ShopState;

/// Weight of the user's taste against the query: it only decides near ties.
const TASTE: f64 = 0.05;
/// Hits that the taste may reorder.
const TASTE_DEPTH: usize = 100;
/// Recent items that make up the taste.
const TASTE_ITEMS: usize = 20;

/// Answers a search.
///
/// # Errors
/// `bad-parameter` for an empty query, `too-long`, `overloaded` when the encoder's queue is full.
pub fn search(app: &App, request: &SearchRequest) -> Answer<ServedList> {
    let started = Instant::now();
    let view = app.view_that(|view| request.user.as_ref().is_none_or(|id| view.user_index.contains_key(id)));
    let asked = ListRequest::read(app, &view, &request.list_query())?;
    let query = Query::parse(&request.q).map_err(|error| match error {
        QueryError::TooLong(..) => Problem::new(Code::TooLong, error.to_string()),
        _ => Problem::new(Code::BadParameter, format!("q: {error}")),
    })?;
    let id = request.user.as_ref().filter(|_| asked.profiling == Profiling::On);
    let user = id.and_then(|id| view.user_index.get(id).copied());
    let list = match user {
        Some(user) => {
            let guarded = Guarded { user, at: request.at, kind: ListKind::Search };
            guarded::list(app, &view, guarded, |view| answer(app, view, &asked, &query, Some(user), started))?
        }
        None => ServedList { known: id.is_none(), ..answer(app, &view, &asked, &query, None, started)? },
    };
    let personal = user.and_then(|number| view.subject(number)).is_some_and(|subject| subject.consent.personalise);
    going_out::log(app, &view, &asked, id.filter(|_| personal), &list);
    Ok(list)
}

/// The hits of a query. A user who refused personalisation gets those of an unknown visitor, as with lists: nothing of their events is read.
fn answer(
    app: &App,
    view: &ShopState,
    asked: &ListRequest,
    query: &Query,
    user: Option<u32>,
    started: Instant,
) -> Answer<ServedList> {
    let user = user.filter(|&number| view.subject(number).is_some_and(|subject| subject.consent.personalise));
    // Which items are cold is known only once the log was counted.
    if asked.candidates != Candidates::All && asked.asked_at.is_none() {
        app.warm()?;
    }
    let vector = embed(app, view, &query.words)?;
    let snapshot = snapshot::snapshot(app, view, asked.at, asked.asked_at.is_some());
    let shopper = user.map(|number| snapshot.user_state(mercer_rank::Recipient::User(number), asked.at));
    let eligible = |number: u32| {
        let facts = snapshot.catalogue.get(number)?;
        let warm = snapshot.index.is_warm(number);
        let price = facts.price.map(f64::from);
        let passes = !facts.hidden
            && (warm || facts.available_from.is_none_or(|from| from <= asked.at))
            && match asked.candidates {
                Candidates::All => true,
                Candidates::Warm => warm,
                Candidates::Cold => !warm,
            }
            && shopper.as_ref().is_none_or(|s| {
                s.dismissed.binary_search(&number).is_err()
                    && !(asked.mode == Mode::New && s.purchases_of(number).is_some())
            })
            && query.price.is_none_or(|bound| {
                price.is_some_and(|p| bound.min.is_none_or(|low| p >= low) && bound.max.is_none_or(|high| p <= high))
            });
        passes.then_some(facts.key)
    };
    let wide = asked.for_candidates();
    let depth = if user.is_some() { wide.k.max(TASTE_DEPTH) } else { wide.k };
    let history = user.map_or(&[][..], |number| snapshot.log.until(number, asked.at));
    let taste = taste_of(view, history);
    let mut rows = wide.list(view, wide.k, |allow| {
        let allowed = |number: u32| allow(number).then(|| eligible(number)).flatten();
        let options = SearchOptions::default();
        let hits = mercer_search::search(&view.lexical, &view.dense, query, Some(&vector), depth, &allowed, &options)
            .map_err(|error| Problem::new(Code::Internal, error.to_string()))?;
        let mut rows: Vec<_> = hits.iter().filter_map(|hit| hit_row(view, hit, &taste)).collect();
        rows.sort_by(|a, b| b.score.total_cmp(&a.score));
        rows.truncate(wide.k);
        Ok::<_, Problem>(rows)
    })?;
    let context = RerankContext::new(app, view, &snapshot, history, asked.at);
    let mitigated = rerank::mitigate(view, asked, &context, &mut rows);
    let mut answer = served(app, view, asked, rows, started);
    answer.notes.extend(mitigated);
    if asked.reasons {
        answer.notes.push(
            "reasons are found for recommendation lists; what a search hit is made of stands in its parts".to_owned(),
        );
    }
    answer.understood = Some(QueryUnderstanding { text: query.words.clone(), price: query.price });
    Ok(answer)
}

/// The query's vector by the encoder of this state, even if another version serves meanwhile: a list never mixes two
/// encoders.
fn embed(app: &App, view: &ShopState, words: &str) -> Answer<QueryVector> {
    let version = view.model.encoder_version();
    let embedded: Result<Embedded, ModelError> = match app.model.cached_query(words) {
        Some(hit) if &*hit.version == version => Ok(hit),
        _ => {
            let encoder = Arc::clone(&view.model.encoder) as Arc<dyn Encoder>;
            app.model
                .submit(vec![words.to_owned()], TextKind::Query, Priority::Serving, Some(encoder))
                .and_then(mercer_model::Pending::wait)
        }
    };
    let embedded = embedded.map_err(|error| model_problem(&error))?;
    Ok(QueryVector { version: embedded.version, values: embedded.vectors.row(0).to_vec() })
}

/// The direction of the user's latest items; empty without any.
fn taste_of(view: &ShopState, events: &[mercer_rank::Event]) -> Vec<f32> {
    let mut sum = vec![0f32; view.dense.dim()];
    let recent = events.iter().rev().filter_map(|event| view.dense.row(event.item?)).take(TASTE_ITEMS);
    for row in recent {
        for (total, value) in sum.iter_mut().zip(row) {
            *total += value;
        }
    }
    let norm = sum.iter().map(|v| v * v).sum::<f32>().sqrt();
    if norm > 0.0 { sum.iter().map(|v| v / norm).collect() } else { Vec::new() }
}

fn hit_row(view: &ShopState, hit: &Hit, taste: &[f32]) -> Option<mercer_shared::wire::ListItem> {
    let mut parts = Vec::with_capacity(3);
    for (source, score) in [("lexical", hit.parts.lexical), ("dense", hit.parts.dense)] {
        if score != 0.0 {
            parts.push(ScorePart { source: source.to_owned(), score });
        }
    }
    let mut score = hit.score;
    if !taste.is_empty() {
        let lean = TASTE * view.dense.score(hit.item, taste).unwrap_or(0.0).max(0.0);
        score += lean;
        parts.push(ScorePart { source: "taste".to_owned(), score: lean });
    }
    item_row(view, hit.item, score, parts)
}
