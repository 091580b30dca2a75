//! Many shoppers at once: what is dear for each alone and cheap for all together is computed together.
use rayon::prelude::*;

use crate::content;
use crate::recommend::{For, Snapshot};
use crate::shopper::Shopper;
use crate::sources::{Columns, Source};

/// Shoppers that are computed together. A column of scores takes 400 kB for a hundred thousand items, so this bounds memory.
const TOGETHER: usize = 64;

/// Calls `f` with each shopper's place, state and columns, in parallel; results in the order of `users`, and the same as
/// for each alone.
pub(crate) fn each<R: Send>(
    s: &Snapshot,
    users: &[u32],
    at: i64,
    f: impl Fn(usize, &Shopper, &mut Columns<'_>) -> R + Sync,
) -> Vec<R> {
    let mut out = Vec::with_capacity(users.len());
    for (chunk, users) in users.chunks(TOGETHER).enumerate() {
        let shoppers: Vec<Shopper> = users.par_iter().map(|&u| s.shopper(For::User(u), at)).collect();
        let texts = content::score_many(&s.catalogue, &shoppers);
        let histories: Vec<_> = users.iter().map(|&u| s.history(For::User(u), at)).collect();
        let sequence = s.memory.sequence().map(|m| m.score(&histories, s.catalogue.texts(), at, s.catalogue.len()));
        let rows = |all: Option<Vec<Vec<f32>>>| match all {
            Some(rows) if rows.len() == users.len() => rows,
            _ => vec![Vec::new(); users.len()],
        };
        let given = rows(texts).into_iter().zip(rows(sequence));
        let work: Vec<_> = users.iter().zip(&shoppers).zip(given).enumerate().collect();
        out.par_extend(work.into_par_iter().map(|(k, ((&user, shopper), (texts, sequence)))| {
            let mut columns = Columns::new(s, shopper, For::User(user));
            columns.set(Source::Content, texts);
            columns.set(Source::Sequence, sequence);
            f(chunk * TOGETHER + k, shopper, &mut columns)
        }));
    }
    out
}
