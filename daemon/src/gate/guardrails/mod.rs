//! Guardrails of the gate: a candidate that harms a group of shoppers or cuts the variety of what is shown is not promoted without a word,
//! however much better it is on average (METRICS.md section 2; the arithmetic is [`mercer_reports::harm`]).
//!
//! Groups: length of history always, since it needs no declaration; attributes that are declared and consented to, in groups of at least
//! 400. Diversity: coverage, effective items, exposure of the long tail and evenness of exposure of the lists of all items.

use std::collections::BTreeMap;

use mercer_rank::{Catalogue, CollaborativeIndex, Log};
use mercer_reports::harm::{Harm, HarmOptions, HarmVerdict, PairedLists, PairedValues, diversity_harm, group_harm};
use mercer_reports::small_groups::{rounded_mean, rounded_size};
use mercer_shared::wire::{GateGuardrail, GateReport, GateVerdict, GuardrailVerdict, OnHarm};

use crate::gate::evaluate::Evaluated;
use crate::gate::incumbent::NumberedShop;
use crate::reports::history_length::HistoryLengths;
use crate::reports::window_lists::Lists;
use crate::state::config::{Config, GateConfig};

/// Length of the lists.
const K: usize = 10;
/// Users from which on a group by length of history is tested.
const HISTORY_USERS: usize = 30;
/// Users from which on a group by an attribute is tested: from here on it may gate (METRICS.md section 4).
const ATTRIBUTE_USERS: usize = 400;
/// Users from which on diversity is tested: fewer lists say little of a catalogue.
const DIVERSITY_USERS: usize = 100;
/// Replicates of the intervals of groups, and of diversity, which counts all lists again in each.
const REPLICATES: usize = 2_000;
const DIVERSITY_REPLICATES: usize = 400;

/// A way to group shoppers.
#[derive(Debug, Clone)]
pub(crate) struct Grouping {
    /// `history`, or the name of an attribute.
    pub(crate) attribute: String,
    /// The group of each user; users that are not named are in `unknown`.
    pub(crate) labels: BTreeMap<u32, String>,
}

/// The name of the grouping by length of history.
pub(crate) const HISTORY: &str = "history";

/// Groups the users of an evaluation: by length of history up to the index's moment, and by every attribute that fairness reports compare
/// by, for those who agreed to audits. `users` and the log are in the cycle's numbers.
pub(crate) fn groupings(
    shop: NumberedShop<'_>,
    index: &CollaborativeIndex,
    users: &[u32],
    config: &Config,
) -> Vec<Grouping> {
    let mut all = vec![by_history(shop.log, index, users)];
    let mut attributes: BTreeMap<&str, BTreeMap<u32, String>> = BTreeMap::new();
    for &user in users {
        let slot = shop.ids.users().get(user as usize);
        let Some(subject) = slot.and_then(|slot| shop.view.subject(*slot)) else { continue };
        let agreed = |name: &str| config.consent.audits(name, subject.consent, subject.explicit);
        for (name, value) in subject.attributes.iter().filter(|(name, _)| agreed(name)) {
            attributes.entry(name).or_default().insert(user, value.clone());
        }
    }
    let wanted = |name: &str| config.reports.protected.is_empty() || config.reports.protected.iter().any(|p| p == name);
    let attributes = attributes.into_iter().filter(|(name, _)| wanted(name));
    all.extend(attributes.map(|(name, labels)| Grouping { attribute: name.to_owned(), labels }));
    all
}

fn by_history(log: &Log, index: &CollaborativeIndex, users: &[u32]) -> Grouping {
    let lengths = HistoryLengths::of(log, index.summary().target, index.at(), users.iter().copied());
    let label = |user: u32| if lengths.is_heavy(user) { "heavy" } else { "light" };
    let labels = users.iter().map(|user| (*user, label(*user).to_owned())).collect();
    Grouping { attribute: HISTORY.to_owned(), labels }
}

/// What is compared.
#[derive(Clone, Copy)]
pub(crate) struct GuardrailInput<'a> {
    /// The candidate's lists.
    pub(crate) candidate: &'a Evaluated,
    /// The lists of the serving version for the same users.
    pub(crate) incumbent: &'a Evaluated,
    /// How shoppers are grouped.
    pub(crate) groupings: &'a [Grouping],
    /// Items as of the window's beginning.
    pub(crate) eligible: &'a EligibleItems,
    /// The margins.
    pub(crate) config: &'a GateConfig,
    /// Of the resampling.
    pub(crate) seed: u64,
}

/// The items that lists may show, and how often each was bought.
#[derive(Debug, Clone)]
pub(crate) struct EligibleItems {
    /// Place of each item among the eligible ones.
    places: Vec<Option<u32>>,
    /// Purchases of each eligible item up to the moment of the lists.
    popularity: Vec<f64>,
}

impl EligibleItems {
    /// The items of a catalogue that are not hidden.
    pub(crate) fn of(catalogue: &Catalogue, index: &CollaborativeIndex) -> Self {
        let (mut places, mut popularity) = (Vec::with_capacity(catalogue.len()), Vec::new());
        for (item, facts) in (0..).zip(catalogue.iter()) {
            places.push((!facts.hidden).then_some(popularity.len() as u32));
            if !facts.hidden {
                popularity.push(index.stats(item).map_or(0.0, |stats| f64::from(stats.count)));
            }
        }
        Self { places, popularity }
    }

    fn lists(&self, lists: &Lists) -> Vec<Vec<u32>> {
        let place = |item: &u32| self.places.get(*item as usize).copied().flatten();
        lists.lists.iter().map(|list| list.iter().filter_map(place).collect()).collect()
    }
}

/// Compares candidate and incumbent in every group and by every measure of diversity.
pub(crate) fn measure(input: &GuardrailInput<'_>) -> Vec<GateGuardrail> {
    let mut found = Vec::new();
    for (slice, mine, theirs) in [
        ("repeat", &input.candidate.all, &input.incumbent.all),
        ("new", &input.candidate.novel, &input.incumbent.novel),
    ] {
        for grouping in input.groupings.iter().filter(|_| !mine.users.is_empty()) {
            found.extend(groups(input, grouping, &format!("ndcg@{K}/{slice}"), mine, theirs));
        }
    }
    let margin = input.config.diversity_margin;
    let (candidate, incumbent) =
        (input.eligible.lists(&input.candidate.all), input.eligible.lists(&input.incumbent.all));
    let popularity = &input.eligible.popularity;
    let lists = PairedLists { candidate: &candidate, incumbent: &incumbent, popularity, k: K };
    let options = HarmOptions { margin, least: DIVERSITY_USERS, replicates: DIVERSITY_REPLICATES, seed: input.seed };
    match diversity_harm(lists, &options) {
        Ok(harms) => {
            found.extend(harms.into_iter().map(|harm| {
                let metric = format!("{}@{K}/repeat", harm.name);
                wire(None, metric, margin, harm)
            }));
        }
        Err(why) => found.push(not_compared(None, "diversity", &format!("diversity@{K}/repeat"), margin, &why)),
    }
    found
}

fn groups(
    input: &GuardrailInput<'_>,
    grouping: &Grouping,
    metric: &str,
    mine: &Lists,
    theirs: &Lists,
) -> Vec<GateGuardrail> {
    let attribute = Some(grouping.attribute.clone());
    let margin = input.config.group_margin;
    let label = |user: &u32| grouping.labels.get(user).map_or(mercer_reports::groups::UNKNOWN, String::as_str);
    let labels: Vec<&str> = mine.users.iter().map(label).collect();
    let least = if grouping.attribute == HISTORY { HISTORY_USERS } else { ATTRIBUTE_USERS };
    let options = HarmOptions { margin, least, replicates: REPLICATES, seed: input.seed };
    let values = PairedValues { candidate: &mine.ndcg, incumbent: &theirs.ndcg };
    match group_harm(values, &labels, &options) {
        Ok(harms) => harms.into_iter().map(|harm| wire(attribute.clone(), metric.to_owned(), margin, harm)).collect(),
        Err(why) => vec![not_compared(attribute, "all", metric, margin, &why)],
    }
}

fn wire(attribute: Option<String>, metric: String, margin: f64, harm: Harm) -> GateGuardrail {
    let numbers = harm.numbers;
    // Sizes in tens and rounded means, and no name of a group of fewer than ten: those who read the gate's report must not reckon from it
    // what the fairness report hides.
    let is_group = attribute.is_some();
    let declared = attribute.as_deref().is_some_and(|attribute| attribute != HISTORY);
    let tens = |n: usize| if is_group { rounded_size(n) as u64 } else { n as u64 };
    let told = |value: f64| if is_group { rounded_mean(value) } else { value };
    let few = is_group && harm.n.is_none_or(|n| n < 10);
    GateGuardrail {
        attribute,
        name: if few && declared { "(too few)".to_owned() } else { harm.name },
        metric,
        n: harm.n.filter(|_| !few).map(tens),
        candidate: numbers.map(|numbers| told(numbers.candidate)),
        other: numbers.map(|numbers| told(numbers.incumbent)),
        change: numbers.map(|numbers| told(numbers.change)),
        low: numbers.map(|numbers| numbers.low),
        high: numbers.map(|numbers| numbers.high),
        margin,
        verdict: match harm.verdict {
            HarmVerdict::NoHarm => GuardrailVerdict::NoHarm,
            HarmVerdict::WithinNoise => GuardrailVerdict::WithinNoise,
            HarmVerdict::Harm => GuardrailVerdict::Harm,
            HarmVerdict::InsufficientData => GuardrailVerdict::InsufficientData,
        },
        undefined: harm.undefined.map(|reason| reason.to_string()),
    }
}

fn not_compared(
    attribute: Option<String>,
    name: &str,
    metric: &str,
    margin: f64,
    why: &mercer_reports::Undefined,
) -> GateGuardrail {
    GateGuardrail {
        attribute,
        name: name.to_owned(),
        metric: metric.to_owned(),
        n: None,
        candidate: None,
        other: None,
        change: None,
        low: None,
        high: None,
        margin,
        verdict: GuardrailVerdict::InsufficientData,
        undefined: Some(why.to_string()),
    }
}

/// Adds the guardrails to a decision. A candidate that passed and does harm is rejected or waits, by configuration; one that did not pass
/// stays as it is.
pub(crate) fn apply(gate: GateReport, guardrails: Vec<GateGuardrail>, on_harm: OnHarm) -> GateReport {
    let harms: Vec<String> =
        guardrails.iter().filter(|one| one.verdict == GuardrailVerdict::Harm).map(sentence).collect();
    let gate = GateReport { guardrails, ..gate };
    if harms.is_empty() || gate.verdict != GateVerdict::Promote {
        return gate;
    }
    let harm = harms.join("; ");
    match on_harm {
        OnHarm::Refuse => GateReport {
            verdict: GateVerdict::Reject,
            reason: format!("refused for harm (gate.on_harm): {harm}. Apart from that: {}", gate.reason),
            ..gate
        },
        OnHarm::Ask => GateReport {
            reason: format!(
                "{}, but it does harm and waits to be promoted by hand (gate.on_harm): {harm}",
                gate.reason
            ),
            asks: true,
            ..gate
        },
    }
}

/// A harm in words, with its numbers.
fn sentence(one: &GateGuardrail) -> String {
    let number = |value: Option<f64>| value.unwrap_or(f64::NAN);
    let (candidate, other, change) = (number(one.candidate), number(one.other), number(one.change));
    let (low, high, users) = (number(one.low), number(one.high), one.n.unwrap_or(0));
    match &one.attribute {
        Some(attribute) => format!(
            "{} of `{}` by {attribute} falls from {other:.4} to {candidate:.4} ({change:+.4}, interval {low:+.4} to {high:+.4}, \
             {users} shoppers: more than the tolerated {} is not excluded)",
            one.metric, one.name, one.margin
        ),
        None => format!(
            "{} falls from {} to {} ({:+.1} %, interval {:+.1} to {:+.1} %, lists of {users} shoppers: more than \
             the tolerated {:.0} % is not excluded)",
            one.metric,
            short(other),
            short(candidate),
            100.0 * change,
            100.0 * low,
            100.0 * high,
            100.0 * one.margin
        ),
    }
}

/// Shares with four digits, numbers of items without any.
fn short(value: f64) -> String {
    if value.abs() <= 1.0 { format!("{value:.4}") } else { format!("{value:.0}") }
}

#[cfg(test)]
mod tests;
