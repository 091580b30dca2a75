//! Recommendation lists: for a user, a session, an item, everybody.

use std::time::{Duration, Instant};

use mercer_rank::{Event, RankError, RankRequest, RankedItem, Recipient, Snapshot};
use mercer_shared::ids::ItemId;
use mercer_shared::problem::{Code, Problem};
use mercer_shared::wire::{InteractionType, ListItem, ListQuery, Profiling, ServedList, SessionRequest};

use crate::serving::explain::{self, Explained};
use crate::serving::guarded::{self, Guarded, ListKind};
use crate::serving::list_query::{ListRequest, row, served};
use crate::serving::rerank::{self, RerankContext};
use crate::serving::scorer::{Scorer, rank_problem};
use crate::serving::snapshot;
use crate::serving::{going_out, interleave};
use crate::state::app::App;
use crate::state::head_rescorer::HeadRequest;
use crate::state::problems::Answer;
use crate::state::shop::ShopState;

/// Unknown items of a visit that a note names.
const NAMED: usize = 10;

/// Recommendations for a user. A user that was never seen, and one without consent to personalisation, gets those of an unknown visitor.
///
/// # Errors
/// What is wrong with the query.
pub fn user_list(app: &App, id: &str, query: &ListQuery) -> Answer<ServedList> {
    let started = Instant::now();
    let view = app.view_that(|view| view.user_number(id).is_some());
    let asked = ListRequest::read(app, &view, query)?;
    if asked.profiling == Profiling::Off {
        return for_visitor(app, &view, &asked, &[], started);
    }
    let Some(number) = view.user_number(id) else {
        let list = for_visitor(app, &view, &asked, &[], started)?;
        return Ok(ServedList { known: false, ..list });
    };
    let personal = view.subject(number).is_some_and(|subject| subject.consent.personalise);
    let whom = if personal { Recipient::User(number) } else { Recipient::Session(&[]) };
    let list = match going_out::interleaved_with(app, &view, &asked, number) {
        Some(other) => {
            let serving = answer(app, &view, &asked, whom, started)?;
            let other = answer(app, &other, &asked, whom, started)?;
            interleave::interleave(serving, &other, asked.k, &mut going_out::dice()?)
        }
        None => going_out::explored(app, &asked, |asked| {
            let guarded = Guarded { user: number, at: query.at, kind: ListKind::Recommendation };
            guarded::list(app, &view, guarded, |view| answer(app, view, asked, whom, started))
        })?,
    };
    going_out::log(app, &view, &asked, view.user_id(number).filter(|_| personal), &list);
    Ok(list)
}

/// The list of a visitor without a name.
fn for_visitor(
    app: &App,
    view: &ShopState,
    asked: &ListRequest,
    events: &[Event],
    started: Instant,
) -> Answer<ServedList> {
    let whom = Recipient::Session(events);
    let list = going_out::explored(app, asked, |asked| answer(app, view, asked, whom, started))?;
    going_out::log(app, view, asked, None, &list);
    Ok(list)
}

/// Recommendations for a visit. Events with items that are unknown here are passed over and named in a note.
///
/// # Errors
/// What is wrong with the query.
pub fn session(app: &App, request: &SessionRequest) -> Answer<ServedList> {
    let started = Instant::now();
    let view = app.view();
    let asked = ListRequest::read(app, &view, &request.list)?;
    if asked.profiling == Profiling::Off {
        return for_visitor(app, &view, &asked, &[], started);
    }
    let mut events: Vec<Event> = Vec::new();
    let mut unknown: Vec<&ItemId> = Vec::new();
    if let Some(session) = &request.session
        && let Some(&number) = view.session_index.get(session)
    {
        events.extend_from_slice(view.rank.log.until(number, asked.at));
    }
    for event in &request.events {
        let item = match &event.item {
            None => None,
            Some(id) => match view.item_index.get(id) {
                // What the law protects shapes no list, not even that of a visitor whom nobody knows.
                Some(number) if view.sensitive.contains(number) => continue,
                Some(number) => Some(*number),
                None => {
                    if !unknown.contains(&id) {
                        unknown.push(id);
                    }
                    continue;
                }
            },
        };
        let kind = event.kind;
        // A query that is not in the log has no vector and is skipped.
        let text = event.query.as_deref().filter(|_| event.kind == InteractionType::Search);
        let text = text.and_then(|query| view.texts.number(query));
        events.push(Event { item, text, kind, value: kind.value(event.value), at: event.at.millis().min(asked.at) });
    }
    events.sort_by_key(|event| event.at);
    let mut list = for_visitor(app, &view, &asked, &events, started)?;
    list.notes.extend(unknown_note(&unknown));
    Ok(list)
}

/// Says which items of a visit are unknown here.
fn unknown_note(unknown: &[&ItemId]) -> Option<String> {
    let named: Vec<String> = unknown.iter().take(NAMED).map(|id| format!("`{id}`")).collect();
    let more = unknown.len().checked_sub(NAMED).filter(|more| *more > 0);
    let more = more.map(|more| format!(" and {more} more")).unwrap_or_default();
    (!named.is_empty()).then(|| format!("unknown items of the visit were passed over: {}{more}", named.join(", ")))
}

fn answer(
    app: &App,
    view: &ShopState,
    asked: &ListRequest,
    whom: Recipient<'_>,
    started: Instant,
) -> Answer<ServedList> {
    ready(app, asked)?;
    let snapshot = snapshot::snapshot(app, view, asked.at, asked.asked_at.is_some());
    let scorer = Scorer::new(view, &snapshot, asked.at);
    let wide = asked.for_candidates();
    let list = wide.list(view, wide.k, |allow| {
        scorer.list(&snapshot, whom, asked.at, &wide.request(Some(allow))).map_err(rank_problem)
    })?;
    // Probabilities were fitted on unfiltered lists of known users.
    let whole = asked.filter.is_empty() && matches!(whom, Recipient::User(_));
    let probabilities = scorer.probabilities.as_ref().filter(|_| whole);
    let mut rows: Vec<_> = list
        .iter()
        .filter_map(|scored| {
            let probability = probabilities.and_then(|fitted| fitted.of(asked.mode, asked.candidates, scored));
            Some(ListItem { probability, ..row(view, scored)? })
        })
        .collect();
    let explained = match whom {
        Recipient::User(number) | Recipient::UserWith { user: number, .. } => {
            view.subject(number).is_some_and(|subject| subject.consent.explanations)
        }
        Recipient::Session(_) => true,
    };
    let events = snapshot.history(whom, asked.at);
    let queries = match whom {
        Recipient::User(number) => view.subject(number).map_or(&[][..], |subject| &subject.queries),
        Recipient::Session(_) | Recipient::UserWith { .. } => &[][..],
    };
    let request = HeadRequest {
        config: &app.config,
        store: &app.store,
        view,
        events,
        at: asked.at,
        queries,
        reasons: asked.reasons && explained,
    };
    let head = asked.first_group(view, &rows);
    let note = app.head_rescorer.rescore(&request, &mut rows[..head]);
    let mitigated =
        rerank::mitigate(view, asked, &RerankContext::new(app, view, &snapshot, events, asked.at), &mut rows);
    // After the mitigations, which choose from many more rows than go out.
    let explanation = match asked.reasons {
        false => None,
        true if !explained => Some(explain::refused(&mut rows)),
        true => {
            let limit = Duration::from_millis(app.config.serve.explain_ms);
            let list = Explained { view, snapshot: &snapshot, scorer: &scorer, asked: &wide, whom, made: &list, limit };
            Some(explain::explain(list, &mut rows)?)
        }
    };
    let mut list = served(app, view, asked, rows, started);
    list.explanation = explanation;
    scorer.name(&mut list);
    list.notes.extend(note);
    if asked.reasons && !explained {
        list.notes.push("no reasons are given: the shopper did not agree to explanations".to_owned());
    }
    list.notes.extend(mitigated);
    Ok(list)
}

/// Waits for the first fit after a start, unless the list is of a named moment, which has its own index.
fn ready(app: &App, asked: &ListRequest) -> Answer<()> {
    if asked.asked_at.is_some() { Ok(()) } else { app.warm() }
}

/// Items related to an item.
///
/// # Errors
/// `unknown-item`, or `bad-parameter`.
pub fn related(app: &App, id: &str, query: &ListQuery) -> Answer<ServedList> {
    let view = app.view_that(|view| view.item_number(id).is_some());
    let number =
        view.item_number(id).ok_or_else(|| Problem::new(Code::UnknownItem, format!("there is no item `{id}`")))?;
    anonymous(app, &view, query, snapshot::snapshot, |s, at, r| mercer_rank::related(s, number, at, r))
}

/// Items that sell more than they used to.
///
/// # Errors
/// `bad-parameter`.
pub fn trending(app: &App, query: &ListQuery) -> Answer<ServedList> {
    anonymous(app, &app.view(), query, |_, view, at, named| snapshot::counts(view, at, named), mercer_rank::trending)
}

fn anonymous(
    app: &App,
    view: &ShopState,
    query: &ListQuery,
    state: impl FnOnce(&App, &ShopState, i64, bool) -> Snapshot,
    list: impl Fn(&Snapshot, i64, &RankRequest<'_>) -> Result<Vec<RankedItem>, RankError>,
) -> Answer<ServedList> {
    let started = Instant::now();
    let asked = ListRequest::read(app, view, query)?;
    ready(app, &asked)?;
    let snapshot = state(app, view, asked.at, asked.asked_at.is_some());
    let wide = asked.for_candidates();
    let list =
        wide.list(view, wide.k, |allow| list(&snapshot, asked.at, &wide.request(Some(allow))).map_err(rank_problem))?;
    let mut rows = list.iter().filter_map(|scored| row(view, scored)).collect();
    let mitigated = rerank::mitigate(view, &asked, &RerankContext::new(app, view, &snapshot, &[], asked.at), &mut rows);
    let mut list = served(app, view, &asked, rows, started);
    list.notes.extend(mitigated);
    going_out::log(app, view, &asked, None, &list);
    Ok(list)
}
