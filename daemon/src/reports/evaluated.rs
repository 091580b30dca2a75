//! What a report is computed from: the lists of everybody who came back within the window, as they would have been served at its beginning.

use std::sync::Arc;

use mercer_rank::evaluate::{ground_truth, ndcg};
use mercer_rank::{
    BlendWeights, Candidates, Log, Mode, RankRequest, Ranker, Recipient, ScoringPolicy, Snapshot, Window,
};
use mercer_shared::problem::{Code, Problem};

use crate::reports::rows::K;
use crate::reports::shoppers::Shoppers;
use crate::reports::window_lists::{Limits, Lists, MAX_USERS, evaluate, lists_of, thinned};
use crate::reports::window_scorer::window_policy;
use crate::state::app::App;
use crate::state::problems::Answer;
use crate::state::shop::{ShopState, Who};

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
        let policy = self.policy(arm);
        let request = RankRequest { mode, ..RankRequest::new(K) };
        let lists = evaluate(&self.snapshot, self.window, &request, policy, &Limits::NONE).map_err(problem)?;
        self.as_served(lists, policy, &request)
    }

    /// Lists of those who refused training, as served: from their own history, with an index that does not know them. They are in no
    /// other number of a report.
    ///
    /// # Errors
    /// As [`ScoringPolicy::lists`].
    pub(crate) fn training_refusers(&self) -> Answer<Lists> {
        let Window { cutoff, end } = self.window;
        let refuses = |user: u32| {
            let subject = self.view.subject(user);
            subject.is_some_and(|subject| !subject.consent.train && matches!(subject.who, Who::User(_)))
        };
        let (log, index) = (self.view.rank.log.clone(), Arc::clone(&self.snapshot.index));
        let mut wanted = ground_truth(&log, &index, end, Mode::All, Candidates::All);
        wanted.retain(|entry| refuses(entry.user));
        if wanted.is_empty() {
            return Ok(Lists::default());
        }
        let snapshot = Snapshot { log, catalogue: self.snapshot.catalogue.clone(), index };
        let (policy, request) = (self.policy(Arm::Version), RankRequest::new(K));
        let for_window = request.for_window(end);
        let lists = lists_of(&snapshot, thinned(wanted, MAX_USERS), cutoff, &for_window, policy, &|| false);
        self.as_served(lists.map_err(problem)?, policy, &request)
    }

    /// What orders the lists of an arm.
    pub(crate) fn policy(&self, arm: Arm) -> ScoringPolicy<'_> {
        match arm {
            Arm::Version => ScoringPolicy { ranker: self.ranker.as_deref(), blend: &self.weights },
            Arm::Popularity => ScoringPolicy::blend(&self.popularity),
        }
    }

    /// Gives those who refused personalisation the list of an unknown visitor.
    fn as_served(&self, lists: Lists, policy: ScoringPolicy<'_>, request: &RankRequest<'_>) -> Answer<Lists> {
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
        self.shoppers().refused(user)
    }

    /// The user's purchases up to the window, oldest first: items and moments (UTC milliseconds).
    pub(crate) fn purchases(&self, user: u32) -> impl Iterator<Item = (u32, i64)> + '_ {
        self.shoppers().purchases(user)
    }

    /// The shoppers measured.
    pub(crate) fn shoppers(&self) -> Shoppers<'_> {
        let Self { app, view, snapshot, window, any, .. } = self;
        Shoppers { app, view, snapshot, cutoff: window.cutoff, users: &any.users }
    }
}

/// What a list fails with, as a problem.
pub(crate) fn problem(error: mercer_rank::RankError) -> Problem {
    Problem::new(Code::Internal, error.to_string())
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
