//! What a report is computed from: the lists of everybody who came back within the window, as they would have been served at its beginning.

use std::sync::Arc;

use mercer_rank::evaluate::ndcg;
use mercer_rank::{BlendWeights, Log, Mode, RankRequest, Ranker, Recipient, ScoringPolicy, Snapshot, Window};
use mercer_shared::problem::{Code, Problem};

use crate::reports::rows::K;
use crate::reports::window_lists::{Limits, Lists, evaluate};
use crate::reports::window_scorer::window_policy;
use crate::state::app::App;
use crate::state::problems::Answer;
use crate::state::shop::ShopState;

/// What orders the lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arm {
    /// The version.
    Version,
    /// Popularity: the baseline.
    Popularity,
}

/// A version on a window.
pub(crate) struct Evaluated<'a> {
    pub(crate) app: &'a App,
    pub(crate) view: &'a ShopState,
    pub(crate) snapshot: Snapshot,
    /// Lists know what is not later than its cut-off, and are compared with what was taken after it.
    pub(crate) window: Window,
    ranker: Option<Arc<Ranker>>,
    weights: BlendWeights,
    popularity: BlendWeights,
    /// What was measured in place of the version, if so.
    pub(crate) note: Option<String>,
    /// Lists of the version, of any item.
    pub(crate) any: Lists,
    /// Those of popularity.
    pub(crate) popular: Lists,
}

impl<'a> Evaluated<'a> {
    /// Makes the lists of any item.
    ///
    /// # Errors
    /// What loading the components of the version fails with.
    pub(crate) fn new(app: &'a App, view: &'a ShopState, log: Log, window: Window) -> Answer<Self> {
        let index = app.moments.at(view, window.cutoff);
        let snapshot = Snapshot { log, catalogue: view.rank.catalogue.clone(), index };
        let (ranker, weights, note) = window_policy(app, view, &snapshot, window.cutoff)?;
        let popularity = BlendWeights::popularity();
        let (any, popular) = (Lists::default(), Lists::default());
        let mut made = Self { app, view, snapshot, window, ranker, weights, popularity, note, any, popular };
        made.any = made.lists(Mode::All, Arm::Version)?;
        made.popular = made.lists(Mode::All, Arm::Popularity)?;
        Ok(made)
    }

    /// Lists of everybody who took something within the window, as served: who refused personalisation gets the list of an unknown
    /// visitor.
    ///
    /// # Errors
    /// As [`ScoringPolicy::lists`].
    pub(crate) fn lists(&self, mode: Mode, arm: Arm) -> Answer<Lists> {
        let policy = match arm {
            Arm::Version => ScoringPolicy { ranker: self.ranker.as_deref(), blend: &self.weights },
            Arm::Popularity => ScoringPolicy::blend(&self.popularity),
        };
        let request = RankRequest { mode, ..RankRequest::new(K) };
        let problem = |error: mercer_rank::RankError| Problem::new(Code::Internal, error.to_string());
        let lists = evaluate(&self.snapshot, self.window, &request, policy, &Limits::NONE).map_err(problem)?;
        if !lists.users.iter().any(|&user| self.refused(user)) {
            return Ok(lists);
        }
        let request = request.for_window(self.window.end);
        let unknown =
            policy.list(&self.snapshot, Recipient::Session(&[]), self.window.cutoff, &request).map_err(problem)?;
        let unknown: Vec<u32> = unknown.into_iter().map(|scored| scored.item).collect();
        Ok(with_list(lists, &unknown, |user| self.refused(user)))
    }

    /// Whether a user refused personalisation.
    pub(crate) fn refused(&self, user: u32) -> bool {
        self.view.subject(user).is_some_and(|subject| !subject.consent.personalise)
    }

    /// The user's purchases up to the window, oldest first: items and moments (UTC milliseconds).
    pub(crate) fn purchases(&self, user: u32) -> impl Iterator<Item = (u32, i64)> + '_ {
        let target = self.snapshot.index.summary().target;
        let before = self.snapshot.log.until(user, self.window.cutoff).iter();
        before.filter(move |event| event.is_positive(target)).filter_map(|event| Some((event.item?, event.at)))
    }
}

/// Gives one list to the users that `takes` names, in place of their own.
fn with_list(mut lists: Lists, list: &[u32], takes: impl Fn(u32) -> bool) -> Lists {
    for place in 0..lists.users.len() {
        if takes(lists.users[place]) {
            lists.ndcg[place] = ndcg(list, &lists.truth[place], K);
            lists.lists[place] = list.to_vec();
        }
    }
    lists
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refuser_is_measured_on_the_list_of_an_unknown_visitor() {
        let lists = Lists {
            users: vec![3, 5],
            truth: vec![vec![7], vec![7]],
            lists: vec![vec![7, 1], vec![7, 2]],
            ndcg: vec![1.0, 1.0],
        };
        let served = with_list(lists, &[1, 2, 7], |user| user == 5);
        assert_eq!(served.lists, [vec![7, 1], vec![1, 2, 7]]);
        assert_eq!(served.ndcg, [1.0, 0.5], "rank 3 instead of 1");
    }
}
