//! The main parameters of ranking in words, for a shop's public page (METRICS.md section 5, DSA 27 and P2B 5): generated from the
//! configuration in force and an ablation on the last window.

use std::collections::BTreeMap;
use std::sync::Arc;

use mercer_rank::{BlendWeights, Mode, RankRequest, Ranker, SIGNALS, ScoringPolicy, Signal, Snapshot, Window};
use mercer_reports::compare_paired;
use mercer_shared::problem::{Code, Problem};
use mercer_shared::time::Timestamp;
use mercer_shared::wire::{Language, RankingParameter, RankingParameters};

use crate::reports::parameter_texts::{self as texts, Facts};
use crate::reports::rows::{K, REPLICATES, SEED};
use crate::reports::window_lists::{Limits, Lists, evaluate, known, mean, window};
use crate::reports::window_scorer::window_policy;
use crate::state::app::App;
use crate::state::problems::Answer;
use crate::state::shop::ShopState;

/// Users measured on at most: lists are made once with everything and once without each group.
const MOST_USERS: usize = 1_000;
/// One-sided error of the bounds of a 95 % interval.
const ALPHA: f64 = 0.025;

/// What orders the lists: the ranker where there is one, and the blend.
struct Ordering {
    ranker: Option<Arc<Ranker>>,
    blend: BlendWeights,
    note: Option<String>,
}

/// An ablation on the last window.
struct Measured {
    window: Window,
    with_all: Lists,
    /// Lists without each group.
    without: Vec<(Signal, Lists)>,
}

/// The main parameters, the weightiest first.
///
/// # Errors
/// `unavailable` while the daemon warms up.
pub(crate) fn parameters(app: &App, language: Language) -> Answer<RankingParameters> {
    app.warm()?;
    let view = app.view();
    let log = view.training_log();
    let measured = match window(&log, view.last_event) {
        Some((from, to)) => {
            let snapshot = Snapshot { log, catalogue: view.rank.catalogue.clone(), index: app.moments.at(&view, from) };
            let (ranker, blend, note) = window_policy(app, &view, &snapshot, from)?;
            let ordering = Ordering { ranker, blend, note };
            let measured = measure(&snapshot, Window { cutoff: from, end: to }, &ordering)?;
            Some((ordering, measured))
        }
        None => None,
    };
    let (ordering, measured) = match measured {
        Some((ordering, measured)) => (ordering, Some(measured).filter(|measured| !measured.with_all.users.is_empty())),
        None => (serving(&view), None),
    };
    Ok(document(app, &view, language, &ordering, measured.as_ref()))
}

/// What orders lists now, where there is no window to measure on.
fn serving(view: &ShopState) -> Ordering {
    let artifacts = &view.model.artifacts;
    let blend = artifacts.blend.clone().unwrap_or_else(|| BlendWeights::for_index(&view.rank.index));
    Ordering { ranker: artifacts.ranker.clone(), blend, note: None }
}

/// The groups that order the lists.
fn groups(ordering: &Ordering) -> Vec<Signal> {
    let weights = weights(&ordering.blend);
    let has_sequence = ordering.ranker.as_ref().is_some_and(|ranker| ranker.sequence().is_some());
    let used = |signal: &Signal| match signal {
        // The same for every candidate: it orders nothing by itself.
        Signal::User => false,
        Signal::Sequence => has_sequence,
        _ => ordering.ranker.is_some() || weights.contains_key(signal),
    };
    SIGNALS.into_iter().filter(used).collect()
}

/// Weights of the blend for lists of all items, by group.
fn weights(blend: &BlendWeights) -> BTreeMap<Signal, f64> {
    let mut sums = BTreeMap::new();
    for (source, weight) in blend.get(Mode::All).iter().filter(|(_, weight)| *weight > 0.0) {
        *sums.entry(source.signal()).or_insert(0.0) += f64::from(*weight);
    }
    sums
}

fn measure(snapshot: &Snapshot, window: Window, ordering: &Ordering) -> Answer<Measured> {
    let lists = |snapshot: &Snapshot| {
        let policy = ScoringPolicy { ranker: ordering.ranker.as_deref(), blend: &ordering.blend };
        let limits = Limits { users: MOST_USERS, ..Limits::NONE };
        evaluate(snapshot, window, &RankRequest::new(K), policy, &limits)
            .map_err(|error| Problem::new(Code::Internal, error.to_string()))
    };
    let with_all = lists(snapshot)?;
    let without = |signal: Signal| {
        let index = Arc::new((*snapshot.index).clone().without(signal));
        Ok((signal, lists(&Snapshot { index, ..snapshot.clone() })?))
    };
    let without = groups(ordering).into_iter().map(without).collect::<Answer<_>>()?;
    Ok(Measured { window, with_all, without })
}

/// What leaving out a group changes.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Change {
    ndcg: Option<f64>,
    low: Option<f64>,
    high: Option<f64>,
    lists: Option<f64>,
}

fn change(without: &Lists, with_all: &Lists) -> Change {
    let changed = without.lists.iter().zip(&with_all.lists).filter(|(a, b)| a != b).count();
    let lists = (!with_all.lists.is_empty()).then(|| changed as f64 / with_all.lists.len() as f64);
    match compare_paired(&known(&without.ndcg), &known(&with_all.ndcg), ALPHA, REPLICATES, SEED) {
        Ok(compared) => Change {
            ndcg: Some(compared.difference),
            low: Some(compared.interval.low),
            high: Some(compared.interval.high),
            lists,
        },
        Err(_) => Change { lists, ..Change::default() },
    }
}

fn document(
    app: &App,
    view: &ShopState,
    language: Language,
    ordering: &Ordering,
    measured: Option<&Measured>,
) -> RankingParameters {
    let weights = weights(&ordering.blend);
    let of = |signal: Signal| {
        let lists = measured.and_then(|m| m.without.iter().find(|(other, _)| *other == signal).zip(Some(&m.with_all)));
        lists.map(|((_, without), with_all)| change(without, with_all)).unwrap_or_default()
    };
    let mut parameters: Vec<RankingParameter> = groups(ordering)
        .into_iter()
        .map(|signal| {
            let change = of(signal);
            RankingParameter {
                source: texts::name(signal).to_owned(),
                text: texts::parameter(signal, language).to_owned(),
                weight: weights.get(&signal).copied().filter(|_| ordering.ranker.is_none()),
                change: change.ndcg,
                low: change.low,
                high: change.high,
                lists_changed: change.lists,
            }
        })
        .collect();
    // The most harmful to leave out comes first; what was not measured is in the order of its weight.
    parameters.sort_by(|a, b| {
        let key = |p: &RankingParameter| p.change.unwrap_or_else(|| -p.weight.unwrap_or(0.0));
        key(a).total_cmp(&key(b))
    });
    let users = measured.map_or(0, |measured| measured.with_all.users.len() as u64);
    let facts = Facts {
        trained: ordering.ranker.is_some() || view.model.artifacts.ranker.is_some(),
        out_of_stock: app.config.serve.out_of_stock,
        canary: app.config.serve.canary_share > 0.0,
        users,
        note: ordering.note.as_deref(),
    };
    RankingParameters {
        model: view.model.meta.version.clone(),
        language,
        created: Timestamp::now(),
        from: measured.map(|measured| Timestamp::at(measured.window.cutoff)),
        to: measured.map(|measured| Timestamp::at(measured.window.end)),
        users,
        ndcg: measured.map(|measured| mean(&measured.with_all.ndcg)),
        introduction: texts::introduction(language, &facts),
        parameters,
        closing: texts::closing(language, &facts),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lists(ndcg: &[f64], items: &[u32]) -> Lists {
        Lists {
            users: (0..ndcg.len() as u32).collect(),
            truth: vec![vec![1]; ndcg.len()],
            lists: items.iter().map(|item| vec![*item]).collect(),
            ndcg: ndcg.to_vec(),
        }
    }

    #[test]
    fn a_change_is_negative_where_lists_get_worse_without() {
        let found = change(&lists(&[0.0, 0.5, 0.1], &[1, 2, 9]), &lists(&[0.5, 0.5, 0.2], &[1, 2, 3]));
        assert!((found.ndcg.unwrap() + 0.2).abs() < 1e-12, "{found:?}");
        assert_eq!(found.lists, Some(1.0 / 3.0));
        assert!(found.low.unwrap() <= found.ndcg.unwrap() && found.high.unwrap() >= found.ndcg.unwrap());
        assert_eq!(change(&lists(&[], &[]), &lists(&[], &[])), Change::default());
    }

    #[test]
    fn a_blend_has_the_groups_of_its_sources_and_no_others() {
        let ordering = Ordering { ranker: None, blend: BlendWeights::popularity(), note: None };
        assert_eq!(groups(&ordering), [Signal::Popularity]);
        let ordering = Ordering { ranker: None, blend: BlendWeights::default(), note: None };
        assert!(!groups(&ordering).contains(&Signal::Price), "no source reads prices");
        assert!((weights(&ordering.blend)[&Signal::Popularity] - 0.5).abs() < 1e-6, "30 days .3 and trending .2");
    }
}
