//! Computes source scores of many users at once, sharing work that would be expensive for each alone.
use rayon::prelude::*;

use crate::content;
use crate::snapshot::{Recipient, Snapshot};
use crate::source::Source;
use crate::source_scores::SourceScores;
use crate::user_state::UserState;

/// Users that are computed together. One source's scores take 400 kB for a hundred thousand items, so this bounds memory.
const CHUNK: usize = 64;

/// Calls `f` with each user's place, state and source scores, in parallel. Results are in the order of `users`, and equal to those
/// of each user alone.
pub(crate) fn for_each_user<R: Send>(
    s: &Snapshot,
    users: &[u32],
    at: i64,
    f: impl Fn(usize, &UserState, &mut SourceScores<'_>) -> R + Sync,
) -> Vec<R> {
    let users: Vec<Recipient<'_>> = users.iter().map(|&user| Recipient::User(user)).collect();
    for_each_recipient(s, &users, at, f)
}

/// [`for_each_user`] for users, sessions and users with other events.
pub(crate) fn for_each_recipient<R: Send>(
    s: &Snapshot,
    recipients: &[Recipient<'_>],
    at: i64,
    f: impl Fn(usize, &UserState, &mut SourceScores<'_>) -> R + Sync,
) -> Vec<R> {
    let mut out = Vec::with_capacity(recipients.len());
    for (chunk, users) in recipients.chunks(CHUNK).enumerate() {
        let states: Vec<UserState> = users.par_iter().map(|&whom| s.user_state(whom, at)).collect();
        let content = content::score_batch(&s.catalogue, &states);
        let histories: Vec<_> = users.iter().map(|&whom| s.history(whom, at)).collect();
        let sequence = s.index.sequence().map(|m| m.score(&histories, s.catalogue.texts(), at, s.catalogue.len()));
        let rows = |all: Option<Vec<Vec<f32>>>| match all {
            Some(rows) if rows.len() == users.len() => rows,
            _ => vec![Vec::new(); users.len()],
        };
        let given = rows(content).into_iter().zip(rows(sequence));
        let work: Vec<_> = users.iter().zip(&states).zip(given).enumerate().collect();
        out.par_extend(work.into_par_iter().map(|(k, ((&user, state), (content, sequence)))| {
            let mut scores = SourceScores::new(s, state, user);
            scores.set(Source::Content, content);
            scores.set(Source::Sequence, sequence);
            f(chunk * CHUNK + k, state, &mut scores)
        }));
    }
    out
}
