//! Profiles: counted from the user's own events, with the events that each value comes from.

use std::collections::BTreeMap;

use mercer_rank::{DAY_MS, Event, InteractionType, InterestWeights, Recipient};
use mercer_shared::problem::{Code, Problem};
use mercer_shared::time::Timestamp;
use mercer_shared::wire::{
    EventRef, Interest, Lifecycle, LifecycleStage, Neighbour, Profile, ProfileEvent, ProfileQuery, SimilarUsers,
};

use crate::serving::snapshot;
use crate::state::app::App;
use crate::state::problems::Answer;
use crate::state::shop::ShopState;
use crate::state::shop::withheld::price_band;

/// Half-life of an event's weight in an interest, in days.
const HALF_LIFE_DAYS: f64 = 90.0;
/// Interests shown per list.
const INTERESTS: usize = 12;
/// Events shown per interest.
const REFS: usize = 3;
/// Latest events and queries shown.
const RECENT: usize = 30;
/// Nearest users shown.
const NEAREST: usize = 10;

fn unknown(id: &str) -> Problem {
    Problem::new(Code::UnknownUser, format!("there is no user `{id}`"))
}

/// The profile of a user as of a moment.
///
/// # Errors
/// `unknown-user`.
pub fn profile(app: &App, id: &str, at: Option<Timestamp>) -> Answer<Profile> {
    let view = app.view_that(|view| view.user_number(id).is_some());
    let number = view.user_number(id).ok_or_else(|| unknown(id))?;
    let user = view.user(number).ok_or_else(|| unknown(id))?;
    let named = at.is_some();
    let at = at.map_or_else(|| view.now(), Timestamp::millis);
    let events = view.rank.log.until(number, at);
    let subject = view.subject(number).ok_or_else(|| unknown(id))?;
    let tally = |name: &dyn Fn(&mercer_shared::wire::Item) -> Option<String>| interests(&view, events, at, name);
    let mut recent_queries: Vec<ProfileQuery> = Vec::new();
    for query in subject.queries.iter().rev().filter(|query| query.at <= at) {
        if recent_queries.iter().all(|known| known.text != *query.text) {
            recent_queries.push(ProfileQuery { at: Timestamp::at(query.at), text: query.text.to_string() });
        }
    }
    recent_queries.truncate(RECENT);
    Ok(Profile {
        user: user.id,
        at: Timestamp::at(at),
        model: view.model.meta.version.clone(),
        attributes: user.attributes,
        consent: subject.consent,
        lifecycle: lifecycle(&view, events, at),
        categories: tally(&|item| (!item.category.is_empty()).then(|| item.category.join(" / "))),
        brands: tally(&|item| item.brand.clone()),
        price_bands: tally(&|item| item.price.map(price_band)),
        items: tally(&|item| Some(item.title.clone())),
        recent_events: events.iter().rev().take(RECENT).map(|event| shown(&view, event)).collect(),
        recent_queries,
        nearest: nearest(app, &view, number, at, named),
        withheld: subject.withheld.iter().filter(|event| event.at <= at).count() as u64 + subject.withheld_searches,
    })
}

/// The users nearest to one, by what they bought.
///
/// # Errors
/// `unknown-user`.
pub fn similar(app: &App, id: &str) -> Answer<SimilarUsers> {
    let view = app.view_that(|view| view.user_number(id).is_some());
    let number = view.user_number(id).ok_or_else(|| unknown(id))?;
    let user = view.user_id(number).cloned().ok_or_else(|| unknown(id))?;
    Ok(SimilarUsers { user, nearest: nearest(app, &view, number, view.now(), false) })
}

fn nearest(app: &App, view: &ShopState, number: u32, at: i64, named: bool) -> Vec<Neighbour> {
    let personal = |n: u32| view.subject(n).is_some_and(|subject| subject.consent.personalise);
    if !personal(number) {
        return Vec::new();
    }
    let snapshot = snapshot::snapshot(app, view, at, named);
    let shopper = snapshot.user_state(Recipient::User(number), at);
    snapshot
        .index
        .similar_users(&shopper, Some(number))
        .into_iter()
        .filter(|(other, _)| personal(*other))
        .filter_map(|(other, cosine)| {
            Some(Neighbour { user: view.user_id(other)?.clone(), similarity: f64::from(cosine) })
        })
        .take(NEAREST)
        .collect()
}

fn shown(view: &ShopState, event: &Event) -> ProfileEvent {
    let item = event.item.and_then(|number| view.live_item(number));
    ProfileEvent {
        at: Timestamp::at(event.at),
        kind: event.kind,
        item: item.map(|item| item.id.clone()),
        title: item.map(|item| item.title.clone()),
        query: None,
        value: matches!(
            event.kind,
            InteractionType::Purchase | InteractionType::Return | InteractionType::Rating | InteractionType::Review
        )
        .then(|| f64::from(event.value)),
    }
}

/// Recency-weighted shares of the values that `name` gives for the items of events.
fn interests(
    view: &ShopState,
    events: &[Event],
    at: i64,
    name: &dyn Fn(&mercer_shared::wire::Item) -> Option<String>,
) -> Vec<Interest> {
    struct Tally<'a> {
        weight: f64,
        count: u64,
        from: Vec<(f64, &'a Event)>,
    }
    let kinds = InterestWeights::default();
    let mut tallies: BTreeMap<String, Tally<'_>> = BTreeMap::new();
    for event in events {
        let Some(item) = event.item.and_then(|number| view.live_item(number)) else { continue };
        let interest = f64::from(kinds.of(event.kind, event.value));
        if interest <= 0.0 {
            continue;
        }
        let Some(name) = name(item) else { continue };
        let age = (at - event.at) as f64 / DAY_MS as f64;
        let weight = interest * (-age / HALF_LIFE_DAYS * std::f64::consts::LN_2).exp();
        let tally = tallies.entry(name).or_insert(Tally { weight: 0.0, count: 0, from: Vec::new() });
        tally.weight += weight;
        tally.count += 1;
        tally.from.push((weight, event));
    }
    let total: f64 = tallies.values().map(|tally| tally.weight).sum();
    let mut list: Vec<Interest> = tallies
        .into_iter()
        .map(|(name, mut tally)| {
            tally.from.sort_by(|a, b| b.0.total_cmp(&a.0).then(b.1.at.cmp(&a.1.at)));
            let from = tally.from.iter().take(REFS).map(|(_, event)| EventRef {
                at: Timestamp::at(event.at),
                kind: event.kind,
                item: event.item.and_then(|number| view.item(number)).map(|item| item.id.clone()),
            });
            Interest {
                name,
                weight: tally.weight / total.max(f64::MIN_POSITIVE),
                events: tally.count,
                from: from.collect(),
            }
        })
        .collect();
    list.sort_by(|a, b| b.weight.total_cmp(&a.weight).then_with(|| a.name.cmp(&b.name)));
    list.truncate(INTERESTS);
    list
}

fn lifecycle(view: &ShopState, events: &[Event], at: i64) -> Lifecycle {
    let mut counts = BTreeMap::new();
    let mut baskets: Vec<i64> = Vec::new();
    let mut monetary: Option<f64> = None;
    for event in events {
        *counts.entry(event.kind.as_str().to_owned()).or_insert(0) += 1;
        if event.kind == InteractionType::Purchase && baskets.last() != Some(&event.at) {
            baskets.push(event.at);
        }
        let sign = match event.kind {
            InteractionType::Purchase => 1.0,
            InteractionType::Return => -1.0,
            _ => continue,
        };
        if let Some(price) = event.item.and_then(|number| view.item(number)).and_then(|item| item.price) {
            monetary = Some(monetary.unwrap_or(0.0) + sign * price * f64::from(event.value));
        }
    }
    let days = |ms: i64| ms as f64 / DAY_MS as f64;
    let recency = baskets.last().map(|last| days(at - last));
    let span = baskets.first().map(|first| days(at - first).max(1.0));
    // The usual gap is the mean gap between the user's baskets; one basket has none.
    let gap = match (baskets.first(), baskets.last()) {
        (Some(first), Some(last)) if baskets.len() > 1 => {
            Some((days(last - first) / (baskets.len() - 1) as f64).max(1.0))
        }
        _ => None,
    };
    let stage = match (baskets.len(), recency, gap) {
        (0, ..) => LifecycleStage::Prospect,
        (_, Some(recency), Some(gap)) if recency > 5.0 * gap => LifecycleStage::Lapsed,
        (_, Some(recency), Some(gap)) if recency > 2.0 * gap => LifecycleStage::Lapsing,
        (_, _, Some(_)) => LifecycleStage::Active,
        _ => LifecycleStage::New,
    };
    Lifecycle {
        stage,
        first: events.first().map(|event| Timestamp::at(event.at)),
        last: events.last().map(|event| Timestamp::at(event.at)),
        recency_days: recency,
        baskets: baskets.len() as u64,
        frequency: span.map(|span| baskets.len() as f64 * 30.0 / span),
        monetary,
        counts,
    }
}
