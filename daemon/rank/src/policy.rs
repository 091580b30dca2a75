//! The scoring policy: a ranker with its blend, or a blend alone.
use crate::batch::for_each_recipient;
use crate::blend::BlendWeights;
use crate::error::RankError;
use crate::ranker::Ranker;
use crate::recommend::{blend_list, recommend};
use crate::request::{RankRequest, RankedItem};
use crate::snapshot::{Recipient, Snapshot};

/// What orders lists: the ranker where there is one, else the blend.
#[derive(Debug, Clone, Copy)]
pub struct ScoringPolicy<'a> {
    /// The ranker; it picks its candidates by the blend that it was trained with.
    pub ranker: Option<&'a Ranker>,
    /// Orders lists where there is no ranker.
    pub blend: &'a BlendWeights,
}

impl<'a> ScoringPolicy<'a> {
    /// A blend without a ranker.
    #[must_use]
    pub const fn blend(blend: &'a BlendWeights) -> Self {
        Self { ranker: None, blend }
    }

    /// The list of one user or session, from what was known at `at`.
    ///
    /// # Errors
    /// As [`recommend()`] and [`Ranker::recommend`].
    pub fn list(
        &self,
        s: &Snapshot,
        whom: Recipient<'_>,
        at: i64,
        r: &RankRequest<'_>,
    ) -> Result<Vec<RankedItem>, RankError> {
        match self.ranker {
            Some(ranker) => ranker.recommend(s, whom, at, r),
            None => recommend(s, self.blend, whom, at, r),
        }
    }

    /// The lists of many users of the log at `at`, in the order of `users`. The same lists as one by one, but cheaper. `cancelled`
    /// is asked before each.
    ///
    /// # Errors
    /// As [`list`](Self::list); [`RankError::Stopped`] once `cancelled` says so.
    pub fn lists(
        &self,
        s: &Snapshot,
        users: &[u32],
        at: i64,
        r: &RankRequest<'_>,
        cancelled: &(dyn Fn() -> bool + Sync),
    ) -> Result<Vec<Vec<RankedItem>>, RankError> {
        let users: Vec<Recipient<'_>> = users.iter().map(|&user| Recipient::User(user)).collect();
        self.lists_for(s, &users, at, r, cancelled)
    }

    /// [`lists`](Self::lists) for users, sessions and users with other events than those of the log.
    ///
    /// # Errors
    /// As [`lists`](Self::lists).
    pub fn lists_for(
        &self,
        s: &Snapshot,
        recipients: &[Recipient<'_>],
        at: i64,
        r: &RankRequest<'_>,
        cancelled: &(dyn Fn() -> bool + Sync),
    ) -> Result<Vec<Vec<RankedItem>>, RankError> {
        match self.ranker {
            Some(ranker) => ranker.check(s, at)?,
            None => s.check(at)?,
        }
        let with_sequence = self.ranker.map(|ranker| ranker.beside(s));
        let s = with_sequence.as_deref().unwrap_or(s);
        for_each_recipient(s, recipients, at, |_, user, scores| match self.ranker {
            _ if cancelled() => Err(RankError::Stopped),
            Some(ranker) => Ok(ranker.rank(s, user, scores, r)),
            None => Ok(blend_list(s, user, scores, self.blend, r)),
        })
        .into_iter()
        .collect()
    }

    /// Whether a list reads the whole history in its order (a sequence model does), and not only what a [`UserState`](crate::UserState) has.
    #[must_use]
    pub fn reads_sequence(&self, s: &Snapshot) -> bool {
        s.index.sequence().is_some() || self.ranker.is_some_and(|ranker| ranker.sequence().is_some())
    }
}
