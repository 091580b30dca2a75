//! Reads the log once for the data report.

use std::collections::BTreeMap;

use mercer_rank::{DAY_MS, Log};
use mercer_reports::concentration::{AttributeOfUser, LabelCounts};
use mercer_reports::feedback_loop::{LoopWindow, Showing};
use mercer_reports::position_bias::Shown;
use mercer_shared::interaction::InteractionType;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::state::app::App;
use crate::state::config::ConsentConfig;
use crate::state::problems::{Answer, store_problem};
use crate::state::shop::{ShopState, Subject};

/// How long a showing may act, in days.
pub(crate) const HORIZON_DAYS: i64 = 7;

/// One attribute of the users of the log.
pub(crate) struct LoggedAttribute {
    /// Its name.
    pub(crate) name: String,
    /// Number of its values.
    pub(crate) groups: usize,
    /// One entry per user of the log.
    pub(crate) users: Vec<AttributeOfUser>,
}

/// The log, counted. Users and items are places in these tables.
pub(crate) struct LoggedData {
    /// Users with interactions, by slot.
    pub(crate) users: Vec<u32>,
    /// Interactions per user, showings and searches left out.
    pub(crate) per_user: Vec<u32>,
    /// The same per item that is not hidden or deleted.
    pub(crate) per_item: Vec<u32>,
    /// Times of each user's interactions, showings left out: lists show many items at once.
    pub(crate) times: Vec<Vec<i64>>,
    /// Interactions per day of each item that has any.
    pub(crate) daily: Vec<Vec<u32>>,
    /// Interactions per kind in both halves of the log, per user.
    pub(crate) labels: Vec<LabelCounts>,
    /// Declared attributes.
    pub(crate) attributes: Vec<LoggedAttribute>,
    /// First showings.
    pub(crate) showings: Vec<Showing>,
    /// Showings with a position, and whether a click followed.
    pub(crate) shown: Vec<Shown>,
    /// Span of the log.
    pub(crate) window: LoopWindow,
}

/// Whether an interaction says that the user turned to the item.
fn is_action(kind: InteractionType) -> bool {
    !matches!(kind, InteractionType::Impression | InteractionType::Search)
}

/// Counts the log of users who agreed to training.
pub(crate) fn read(app: &App, view: &ShopState, log: &Log) -> Answer<LoggedData> {
    let users: Vec<u32> = (0..log.users() as u32).filter(|user| !log.events(*user).is_empty()).collect();
    // Broken dates would stretch the days of every item.
    let summary = log.summary(i64::MAX);
    let window = LoopWindow { from: summary.first, to: summary.last, horizon: HORIZON_DAYS * DAY_MS };
    let mut data = LoggedData {
        per_user: Vec::with_capacity(users.len()),
        per_item: Vec::new(),
        times: Vec::with_capacity(users.len()),
        daily: Vec::new(),
        labels: Vec::with_capacity(users.len()),
        attributes: Vec::new(),
        showings: Vec::new(),
        shown: Vec::new(),
        window,
        users,
    };
    count(&mut data, view, log);
    data.attributes = attributes(&data, view, &app.config.consent);
    if !data.showings.is_empty() {
        data.shown = shown(app, view, &data)?;
    }
    Ok(data)
}

fn count(data: &mut LoggedData, view: &ShopState, log: &Log) {
    let LoopWindow { from, to, .. } = data.window;
    let middle = i64::midpoint(from, to);
    let first_day = from.div_euclid(DAY_MS);
    let days = (to.div_euclid(DAY_MS) - first_day + 1).max(1) as usize;
    let mut per_item: FxHashMap<u32, u32> = FxHashMap::default();
    let mut daily: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for (place, &user) in data.users.iter().enumerate() {
        let events = log.events(user);
        let mut halves =
            LabelCounts { first: vec![0.0; InteractionType::COUNT], second: vec![0.0; InteractionType::COUNT] };
        let mut showings: BTreeMap<u32, Showing> = BTreeMap::new();
        for event in events {
            let half = if event.at < middle { &mut halves.first } else { &mut halves.second };
            half[event.kind as usize] += 1.0;
            let Some(item) = event.item else { continue };
            if event.kind == InteractionType::Impression {
                let first = || Showing { user: place, shown: event.at, bought: Vec::new() };
                showings.entry(item).or_insert_with(first);
            } else if is_action(event.kind) {
                *per_item.entry(item).or_default() += 1;
                if (from..=to).contains(&event.at) {
                    let day = (event.at.div_euclid(DAY_MS) - first_day) as usize;
                    daily.entry(item).or_insert_with(|| vec![0; days])[day] += 1;
                }
            }
        }
        for event in events.iter().filter(|event| event.kind == InteractionType::Purchase) {
            if let Some(showing) = event.item.and_then(|item| showings.get_mut(&item)) {
                showing.bought.push(event.at);
            }
        }
        let times: Vec<i64> =
            events.iter().filter(|event| event.kind != InteractionType::Impression).map(|event| event.at).collect();
        data.per_user.push(events.iter().filter(|event| is_action(event.kind)).count() as u32);
        data.times.push(times);
        data.labels.push(halves);
        data.showings.extend(showings.into_values());
    }
    let facts = (0_u32..).zip(view.rank.catalogue.iter());
    let listed = facts.filter(|(number, facts)| !facts.hidden && view.live_item(*number).is_some());
    data.per_item = listed.map(|(number, _)| per_item.get(&number).copied().unwrap_or(0)).collect();
    data.daily = daily.into_values().collect();
}

/// Attributes that at least one user declared and opened to audits.
fn attributes(data: &LoggedData, view: &ShopState, consent: &ConsentConfig) -> Vec<LoggedAttribute> {
    let open = |subject: &Subject, name: &str| consent.audits(name, subject.consent, subject.explicit);
    let mut values: BTreeMap<&str, BTreeMap<&str, usize>> = BTreeMap::new();
    for subject in data.users.iter().filter_map(|user| view.subject(*user)) {
        for (name, value) in subject.attributes.iter().filter(|(name, _)| open(subject, name)) {
            values.entry(name).or_default().insert(value, 0);
        }
    }
    let group = |user: u32, name: &str, groups: &BTreeMap<&str, usize>| {
        let subject = view.subject(user).filter(|subject| open(subject, name))?;
        groups.get(subject.attributes.get(name)?.as_str()).copied()
    };
    let attribute = |(name, mut groups): (&str, BTreeMap<&str, usize>)| {
        groups.values_mut().enumerate().for_each(|(number, group)| *group = number);
        let of_user = |(place, user): (usize, &u32)| AttributeOfUser {
            group: group(*user, name, &groups),
            interactions: f64::from(data.per_user[place]),
        };
        LoggedAttribute {
            name: name.to_owned(),
            users: data.users.iter().enumerate().map(of_user).collect(),
            groups: groups.len(),
        }
    };
    values.into_iter().map(attribute).collect()
}

/// A user's item in one served list.
type InList = (u32, u32, String);

/// Showings that name their list and position, and whether the user turned to the item in the same list. The log in memory has no
/// positions, so the stored one is read.
fn shown(app: &App, view: &ShopState, data: &LoggedData) -> Answer<Vec<Shown>> {
    let places: FxHashMap<u32, usize> = data.users.iter().copied().zip(0..).collect();
    let mut seen: Vec<(InList, usize)> = Vec::new();
    let mut clicked: FxHashSet<InList> = FxHashSet::default();
    for line in app.store.scan_interactions(0).map_err(|error| store_problem(&error))?.named() {
        let (_, line) = line.map_err(|error| store_problem(&error))?;
        let user = line.user.as_ref().and_then(|id| view.user_index.get(id));
        let user = user.or_else(|| line.session.as_ref().and_then(|id| view.session_index.get(id))).copied();
        let item = line.item.as_ref().and_then(|id| view.item_index.get(id)).copied();
        let (Some(user), Some(item), Some(list)) = (user, item, line.query_id) else { continue };
        if !places.contains_key(&user) {
            continue;
        }
        match (line.kind, line.position) {
            // Positions on the wire count from 1.
            (InteractionType::Impression, Some(position)) if position > 0 => {
                seen.push(((user, item, list), position as usize - 1));
            }
            (kind, _) if is_action(kind) => drop(clicked.insert((user, item, list))),
            _ => {}
        }
    }
    let one = |(key, position): (InList, usize)| Shown {
        user: places[&key.0],
        item: key.1 as usize,
        position,
        clicked: clicked.contains(&key),
    };
    Ok(seen.into_iter().map(one).collect())
}
