//! Which mitigations may be set: parameters in range, groups that items have, constraints that can hold together.

use std::collections::{BTreeMap, BTreeSet};

use mercer_shared::problem::{Code, Problem};
use mercer_shared::wire::{ItemGrouping, MitigationSettings, OTHER_ITEMS, Reranker};

use crate::serving::rerank::group_of;
use crate::state::problems::Answer;
use crate::state::served_exposure::MAX_WINDOW_DAYS;
use crate::state::shop::ShopState;

/// Most re-rankers of a placement: each costs every list time.
const MOST_RERANKERS: usize = 8;
/// Most names in a table of shares, floors or caps.
const MOST_NAMES: usize = 1_000;
/// Longest note in bytes.
const MOST_NOTE: usize = 1_000;
/// What sums of shares may differ by.
const EQUAL: f64 = 1e-6;

/// Checks settings against the rules and the catalogue. Nothing is changed.
///
/// # Errors
/// `out-of-range`, `bad-shares`, `unknown-attribute`, `conflicting-constraints`, `too-long`; the detail names the re-ranker.
pub(crate) fn check(view: &ShopState, settings: &MitigationSettings) -> Answer<()> {
    check_with(&|by| Existing::of(view, by), settings)
}

/// The groups that items of the catalogue have.
#[derive(Debug, Default)]
struct Existing {
    names: BTreeSet<String>,
    /// Whether some items are in no group.
    ungrouped: bool,
}

impl Existing {
    fn of(view: &ShopState, by: &ItemGrouping) -> Self {
        let mut existing = Self::default();
        for item in view.item_index.values().filter_map(|&number| view.item(number)) {
            match group_of(item, by) {
                Some(name) if existing.names.contains(name) => {}
                Some(name) => drop(existing.names.insert(name.to_owned())),
                None => existing.ungrouped = true,
            }
        }
        existing
    }
}

/// Finds the groups by a grouping.
type Find<'a> = &'a dyn Fn(&ItemGrouping) -> Existing;

fn check_with(find: Find<'_>, settings: &MitigationSettings) -> Answer<()> {
    let rerankers = &settings.rerankers;
    if rerankers.len() > MOST_RERANKERS {
        let detail = format!("{} re-rankers, a placement takes at most {MOST_RERANKERS}", rerankers.len());
        return Err(Problem::new(Code::OutOfRange, detail));
    }
    if settings.note.as_ref().is_some_and(|note| note.len() > MOST_NOTE) {
        return Err(Problem::new(Code::TooLong, format!("a note has at most {MOST_NOTE} bytes")));
    }
    for (place, reranker) in rerankers.iter().enumerate() {
        let named = |problem: Problem| {
            let detail = format!("re-ranker {} ({}): {}", place + 1, reranker.kind(), problem.detail);
            Problem::new(problem.code, detail)
        };
        parameters(reranker).and_then(|()| groups(find, reranker)).map_err(named)?;
    }
    together(rerankers)
}

/// Refuses a number outside its range.
fn within(name: &str, value: f64, holds: bool, takes: &str) -> Answer<()> {
    if value.is_finite() && holds {
        Ok(())
    } else {
        Err(Problem::new(Code::OutOfRange, format!("{name} is {value}, it takes {takes}")))
    }
}

fn share(name: &str, value: f64) -> Answer<()> {
    within(name, value, (0.0..=1.0).contains(&value), "0 to 1")
}

fn conflict(detail: String) -> Problem {
    Problem::new(Code::ConflictingConstraints, detail)
}

/// Checks the parameters of one re-ranker by themselves.
fn parameters(reranker: &Reranker) -> Answer<()> {
    match reranker {
        Reranker::Mmr { lambda } | Reranker::Xquad { lambda, .. } | Reranker::Calibrated { lambda, .. } => {
            share("lambda", *lambda)
        }
        Reranker::Dpp { theta } => within("theta", *theta, (0.0..1.0).contains(theta), "0 to below 1"),
        Reranker::DetGreedy { shares, .. } => target_shares(shares),
        Reranker::FairStarIr { p, alpha, .. } => {
            within("p", *p, *p > 0.0 && *p < 1.0, "more than 0 and less than 1")?;
            within("alpha", *alpha, (0.001..=0.5).contains(alpha), "0.001 to 0.5")
        }
        Reranker::Exposure { floors, caps, window_days, .. } => {
            let days = *window_days;
            let takes = format!("1 to {MAX_WINDOW_DAYS}");
            within("window_days", f64::from(days), (1..=MAX_WINDOW_DAYS).contains(&days), &takes)?;
            limits(floors, caps)
        }
        Reranker::Popularity { gamma, .. } => within("gamma", *gamma, (-1.0..=1.0).contains(gamma), "-1 to 1"),
    }
}

fn target_shares(shares: &BTreeMap<String, f64>) -> Answer<()> {
    names_fit("shares", shares)?;
    for (name, value) in shares {
        share(&format!("the share of `{name}`"), *value)?;
    }
    let total: f64 = shares.values().sum();
    if (total - 1.0).abs() > EQUAL {
        return Err(Problem::new(Code::BadShares, format!("the shares add up to {total}")));
    }
    Ok(())
}

fn names_fit(what: &str, names: &BTreeMap<String, f64>) -> Answer<()> {
    let count = names.len();
    if count > MOST_NAMES {
        return Err(Problem::new(Code::OutOfRange, format!("{what} has {count} names, it takes at most {MOST_NAMES}")));
    }
    Ok(())
}

/// The cap of a name: its own, or that of everybody without one.
fn cap_of(caps: &BTreeMap<String, f64>, name: &str) -> Option<f64> {
    caps.get(name).or_else(|| caps.get(OTHER_ITEMS)).copied()
}

fn limits(floors: &BTreeMap<String, f64>, caps: &BTreeMap<String, f64>) -> Answer<()> {
    names_fit("floors", floors)?;
    names_fit("caps", caps)?;
    if floors.is_empty() && caps.is_empty() {
        return Err(Problem::new(Code::OutOfRange, "there is neither a floor nor a cap"));
    }
    if floors.contains_key(OTHER_ITEMS) {
        return Err(Problem::new(Code::OutOfRange, format!("`{OTHER_ITEMS}` takes a cap, not a floor")));
    }
    for (name, floor) in floors {
        share(&format!("the floor of `{name}`"), *floor)?;
        if let Some(cap) = cap_of(caps, name).filter(|cap| floor > cap) {
            return Err(conflict(format!("the floor of `{name}` is {floor}, its cap {cap}")));
        }
    }
    for (name, cap) in caps {
        within(&format!("the cap of `{name}`"), *cap, *cap > 0.0 && *cap <= 1.0, "more than 0, up to 1")?;
    }
    let total: f64 = floors.values().sum();
    if total > 1.0 + EQUAL {
        return Err(conflict(format!("the floors add up to {total}, which is more than all exposure")));
    }
    Ok(())
}

/// Checks that items have the attribute and the named groups.
fn groups(find: Find<'_>, reranker: &Reranker) -> Answer<()> {
    match reranker {
        Reranker::Mmr { .. } | Reranker::Dpp { .. } | Reranker::Popularity { .. } => Ok(()),
        Reranker::Xquad { by, .. } | Reranker::Calibrated { by, .. } => known(by, &find(by), &[]),
        Reranker::DetGreedy { by, shares } => {
            known(by, &find(by), &shares.keys().map(String::as_str).collect::<Vec<_>>())
        }
        Reranker::FairStarIr { by, protected, .. } => known(by, &find(by), &[protected]),
        Reranker::Exposure { by, floors, caps, .. } => {
            let existing = find(&by.grouping());
            let names: Vec<&str> = floors.keys().chain(caps.keys()).map(String::as_str).collect();
            known(&by.grouping(), &existing, &names)?;
            enough_room(&existing, caps)
        }
    }
}

fn known(by: &ItemGrouping, existing: &Existing, names: &[&str]) -> Answer<()> {
    if existing.names.is_empty() {
        return Err(Problem::new(Code::UnknownAttribute, format!("no item has a value of `{by}`")));
    }
    match names.iter().find(|name| **name != OTHER_ITEMS && !existing.names.contains(**name)) {
        Some(name) => Err(Problem::new(Code::UnknownAttribute, format!("no item has `{name}` as its {by}"))),
        None => Ok(()),
    }
}

/// Refuses caps that leave a part of the exposure to nobody. Items without an owner have no cap.
fn enough_room(existing: &Existing, caps: &BTreeMap<String, f64>) -> Answer<()> {
    let room: Option<f64> = existing.names.iter().map(|name| cap_of(caps, name)).sum();
    match room.filter(|room| !existing.ungrouped && *room < 1.0 - EQUAL) {
        Some(room) => {
            Err(conflict(format!("the caps of all owners add up to {room}: nobody may be shown for the rest")))
        }
        None => Ok(()),
    }
}

/// What a re-ranker rules over: two of one placement may not rule over the same groups in different ways.
fn ruled(reranker: &Reranker) -> Option<ItemGrouping> {
    match reranker {
        Reranker::DetGreedy { by, .. } | Reranker::FairStarIr { by, .. } => Some(by.clone()),
        Reranker::Exposure { by, .. } => Some(by.grouping()),
        _ => None,
    }
}

/// Checks that the re-rankers of a placement do not contradict each other.
fn together(rerankers: &[Reranker]) -> Answer<()> {
    for (place, one) in rerankers.iter().enumerate() {
        for other in &rerankers[place + 1..] {
            let (a, b) = (one.kind(), other.kind());
            if a == b && ruled(one) == ruled(other) {
                return Err(conflict(format!("{a} is there twice over the same groups")));
            }
            let Some(by) = ruled(one).filter(|by| Some(by) == ruled(other).as_ref()) else { continue };
            match (one, other) {
                (Reranker::DetGreedy { shares, .. }, Reranker::Exposure { floors, caps, .. })
                | (Reranker::Exposure { floors, caps, .. }, Reranker::DetGreedy { shares, .. }) => {
                    within_limits(shares, floors, caps)?;
                }
                (Reranker::DetGreedy { .. }, _) | (_, Reranker::DetGreedy { .. }) => {
                    return Err(conflict(format!("{a} and {b} both set shares of {by}")));
                }
                _ => {}
            }
        }
    }
    Ok(())
}

/// Refuses target shares outside the floors and caps of the same owners.
fn within_limits(
    shares: &BTreeMap<String, f64>,
    floors: &BTreeMap<String, f64>,
    caps: &BTreeMap<String, f64>,
) -> Answer<()> {
    for (name, share) in shares.iter().filter(|(name, _)| *name != OTHER_ITEMS) {
        if let Some(floor) = floors.get(name).filter(|floor| *floor > share) {
            return Err(conflict(format!("the share of `{name}` is {share}, its floor {floor}")));
        }
        if let Some(cap) = cap_of(caps, name).filter(|cap| cap < share) {
            return Err(conflict(format!("the share of `{name}` is {share}, its cap {cap}")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A catalogue of the sellers a and b, some items without a seller, and the attribute `origin`.
    fn catalogue(by: &ItemGrouping) -> Existing {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        match by {
            ItemGrouping::Seller => Existing { names: names(&["a", "b"]), ungrouped: false },
            ItemGrouping::Brand => Existing { names: names(&["x"]), ungrouped: true },
            ItemGrouping::Attribute(name) if name == "origin" => {
                Existing { names: names(&["local", "far"]), ungrouped: true }
            }
            _ => Existing { names: BTreeSet::new(), ungrouped: true },
        }
    }

    /// The code of the refusal of re-rankers written in JSON; "" where they may be set.
    fn refusal(rerankers: &str) -> String {
        let text = format!(r#"{{"rerankers": [{rerankers}]}}"#);
        let settings = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
        match check_with(&catalogue, &settings) {
            Ok(()) => String::new(),
            Err(problem) => problem.code.as_str().to_owned(),
        }
    }

    #[test]
    fn sound_settings_may_be_set() {
        for good in [
            "",
            r#"{"kind":"mmr"}, {"kind":"dpp"}, {"kind":"popularity"}"#,
            r#"{"kind":"det_greedy","by":"seller","shares":{"a":0.4,"*":0.6}}"#,
            r#"{"kind":"fair_star_ir","by":"attribute:origin","protected":"local","p":0.3}"#,
            r#"{"kind":"exposure","floors":{"a":0.3},"caps":{"*":0.7}}"#,
            r#"{"kind":"exposure","by":"brand","caps":{"*":0.1}}"#,
            r#"{"kind":"exposure","floors":{"a":0.3}}, {"kind":"det_greedy","by":"seller","shares":{"a":0.4,"b":0.6}}"#,
            r#"{"kind":"calibrated","by":"seller"}, {"kind":"fair_star_ir","by":"seller","protected":"b","p":0.5}"#,
        ] {
            assert_eq!(refusal(good), "", "{good}");
        }
    }

    #[test]
    fn parameters_out_of_range_are_refused() {
        for bad in [
            r#"{"kind":"mmr","lambda":1.01}"#,
            r#"{"kind":"xquad","lambda":-0.1,"by":"seller"}"#,
            r#"{"kind":"calibrated","lambda":2,"by":"seller"}"#,
            r#"{"kind":"dpp","theta":1.0}"#,
            r#"{"kind":"popularity","gamma":1.5}"#,
            r#"{"kind":"fair_star_ir","by":"seller","protected":"a","p":1.0}"#,
            r#"{"kind":"fair_star_ir","by":"seller","protected":"a","p":0.5,"alpha":0.0}"#,
            r#"{"kind":"det_greedy","by":"seller","shares":{"a":1.5,"b":-0.5}}"#,
            r#"{"kind":"exposure","floors":{"a":0.1},"window_days":91}"#,
            r#"{"kind":"exposure"}"#,
            r#"{"kind":"exposure","floors":{"*":0.1}}"#,
            r#"{"kind":"exposure","caps":{"a":0.0}}"#,
        ] {
            assert_eq!(refusal(bad), "out-of-range", "{bad}");
        }
        let many = [r#"{"kind":"mmr"}"#; 9].join(",");
        assert_eq!(refusal(&many), "out-of-range");
    }

    #[test]
    fn shares_add_up_to_one() {
        assert_eq!(refusal(r#"{"kind":"det_greedy","by":"seller","shares":{"a":0.4,"b":0.5}}"#), "bad-shares");
        assert_eq!(refusal(r#"{"kind":"det_greedy","by":"seller","shares":{}}"#), "bad-shares");
    }

    #[test]
    fn groups_that_no_item_has_are_refused() {
        for bad in [
            r#"{"kind":"xquad","by":"attribute:colour"}"#,
            r#"{"kind":"calibrated","by":"category"}"#,
            r#"{"kind":"fair_star_ir","by":"attribute:origin","protected":"near","p":0.3}"#,
            r#"{"kind":"det_greedy","by":"seller","shares":{"c":0.5,"*":0.5}}"#,
            r#"{"kind":"exposure","floors":{"c":0.1}}"#,
        ] {
            assert_eq!(refusal(bad), "unknown-attribute", "{bad}");
        }
    }

    #[test]
    fn constraints_that_cannot_hold_together_are_refused() {
        for bad in [
            r#"{"kind":"exposure","floors":{"a":0.5},"caps":{"a":0.4}}"#,
            r#"{"kind":"exposure","floors":{"a":0.5},"caps":{"*":0.4}}"#,
            r#"{"kind":"exposure","floors":{"a":0.6,"b":0.5}}"#,
            r#"{"kind":"exposure","caps":{"a":0.3,"b":0.4}}"#,
            r#"{"kind":"mmr"}, {"kind":"mmr","lambda":0.1}"#,
            r#"{"kind":"det_greedy","by":"seller","shares":{"*":1}}, {"kind":"fair_star_ir","by":"seller","protected":"a","p":0.5}"#,
            r#"{"kind":"exposure","floors":{"a":0.5}}, {"kind":"det_greedy","by":"seller","shares":{"a":0.4,"b":0.6}}"#,
            r#"{"kind":"det_greedy","by":"seller","shares":{"a":0.4,"b":0.6}}, {"kind":"exposure","caps":{"b":0.5}}"#,
        ] {
            assert_eq!(refusal(bad), "conflicting-constraints", "{bad}");
        }
    }
}
